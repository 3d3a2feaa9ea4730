//! Who has how much of the flow table.

use std::sync::Arc;

use hashbrown::HashSet;

use crate::admission::ServiceMeter;
use crate::snapshot::Snapshot;

/// Divides the table among the services of a snapshot: half of it evenly as room that each has to itself,
/// the rest in common. A service that has left the configuration has no room of its own, and its flows
/// are in the common one until they end.
///
/// Where there are more services than before, what some have in use may be more than the new common room:
/// they then take no further flows until it is less.
pub(crate) fn apportion(snapshot: &Snapshot, capacity: usize) {
    let capacity = u64::try_from(capacity).unwrap_or(u64::MAX);
    let services = snapshot.services.iter().map(|service| &service.admission.meter);
    let count = snapshot.services.len() as u64;
    let own = u32::try_from(capacity / 2 / count.max(1)).unwrap_or(u32::MAX);
    let name = |meter: &Arc<ServiceMeter>| Arc::as_ptr(meter);
    let present: HashSet<_> = services.clone().map(name).collect();
    let of_backends = snapshot.backends.iter().flatten().map(|backend| &backend.meters.service);
    for meter in of_backends.filter(|meter| !present.contains(&name(meter))) {
        meter.resize(0);
        meter.commons().set_room(capacity);
    }
    for meter in services {
        meter.resize(own);
        meter.commons().set_room(capacity - u64::from(own) * count);
    }
}
