//! Which backend a flow gets, and why: for workers, and for who asks without a packet.

use std::net::{IpAddr, SocketAddr};

use super::clash::{Clashes, WithoutClashes, clash};
use crate::flow::{FlowTable, Tuple};
use crate::schedule::{Ask, Ends, Loads};
use crate::snapshot::{Endpoint, Service, Snapshot};
use crate::types::Tick;
use crate::types::{BackendId, Port, Protocol, ServiceId};
use crate::verdict::DropReason;

/// Why it is this backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The client has been there before.
    Persistence,
    /// The scheduler has chosen it.
    Schedule,
    /// The scheduler's choice was full.
    Instead,
    /// The backend that was chosen first had no reply tuple left: another flow has it, or the pool is exhausted.
    Clash,
}

/// What a service's scheduler is to know of a flow.
pub(super) fn ask(snapshot: &Snapshot, service: &Service, tuple: &Tuple) -> Ask {
    let ends = Ends {
        source: (tuple.addresses.source(), tuple.source_port),
        destination: (tuple.addresses.destination(), tuple.destination_port),
    };
    Ask::of(snapshot.hash_seed, service.hash_on, &ends)
}

/// The backend of a new flow from `client`; `takes` says what it is to the caller, if it takes the flow.
pub(super) fn pick<T>(
    loads: &impl Loads,
    service: &Service,
    ask: &Ask,
    (client, now): (IpAddr, Tick),
    mut takes: impl FnMut(BackendId) -> Option<T>,
) -> Result<(T, Why), DropReason> {
    let known = service.persistence.as_ref().and_then(|persistence| persistence.backend(client, now));
    if let Some(taken) = known.and_then(&mut takes) {
        return Ok((taken, Why::Persistence));
    }
    let schedule = &service.schedule;
    if let Some(taken) = schedule.choose(ask, loads).and_then(&mut takes) {
        return Ok((taken, Why::Schedule));
    }
    // Somebody else may have had its last room since it was asked.
    let instead = schedule.others(ask).find_map(takes).map(|taken| (taken, Why::Instead));
    instead.ok_or(if schedule.is_empty() { DropReason::NoBackend } else { DropReason::BackendsFull })
}

/// The backend that a packet of a flow nobody remembers is for, as far as that can be known.
pub(super) fn unremembered(service: &Service, ask: &Ask, (client, now): (IpAddr, Tick)) -> Option<BackendId> {
    let schedule = service.stateless()?;
    let known = service.persistence.as_ref().and_then(|persistence| persistence.backend(client, now));
    known.or_else(|| schedule.choose_stateless(ask.hash()))
}

/// What would become of a new flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explained {
    /// The service that it would be a flow of.
    pub service: ServiceId,
    /// The backend that it would get, and why; or the reason that its first packet would be dropped for.
    pub outcome: Result<(BackendId, Why), DropReason>,
}

/// What would become of a flow from `client` to `virtual_end`, if it began now; nothing is changed by asking. It
/// is the choice of the first worker: each has its own place in the order of `rr` and its like. Limits of rates and of
/// room are not asked. `None`: there is no such service.
pub(crate) fn explain(
    (snapshot, table): (&Snapshot, &FlowTable),
    client: SocketAddr,
    virtual_end: SocketAddr,
    protocol: Protocol,
    now: Tick,
) -> Option<Explained> {
    let (address, port) = (virtual_end.ip(), Port(virtual_end.port()));
    let id = snapshot.endpoints.get(&Endpoint { address, port, protocol })?;
    let service = snapshot.services.get(id.index())?;
    let addresses = crate::flow::Addresses::new(client.ip(), address)?;
    let tuple = Tuple { addresses, source_port: Port(client.port()), destination_port: port, protocol };
    let outcome = match service.admission.access.allows(client.ip()) {
        false => Err(DropReason::Denied),
        true => question((snapshot, table), service, &tuple, now),
    };
    Some(Explained { service: id, outcome })
}

/// Which backend a new flow would get, without an effect on the next one.
pub(super) fn question(
    (snapshot, table): (&Snapshot, &FlowTable),
    service: &Service,
    tuple: &Tuple,
    now: Tick,
) -> Result<(BackendId, Why), DropReason> {
    let mut ask = ask(snapshot, service, tuple).on(Default::default(), now).as_question();
    let client = (tuple.addresses.source(), now);
    let mut clashes = Clashes::default();
    loop {
        let loads = WithoutClashes(snapshot, &clashes);
        let takes = |id| (!loads.load(id).is_full).then_some(id);
        let picked = pick(&loads, service, &ask, client, takes);
        let (id, why) = picked.map_err(|reason| clashes.or(reason))?;
        let Some(reason) = clash((snapshot, table), tuple, id) else {
            return Ok((id, if clashes.are_none() { why } else { Why::Clash }));
        };
        clashes.note(id, reason)?;
        ask = ask.on_detour();
    }
}
