//! A snapshot with other neighbours and nothing else new: hosts come and go more often than all that is compiled.

use std::sync::Arc;

use dataplane::snapshot::Snapshot;

use super::{Compiler, Facts};
use crate::net::Touched;

impl Compiler {
    /// The snapshot in force with the neighbours and stations that have changed, which are no backend's and no
    /// router's: backends carry their next hops themselves. All else is shared.
    pub fn amend_neighbours(
        &mut self,
        snapshot: &Snapshot,
        facts: &Facts<'_>,
        touched: &Touched,
    ) -> Snapshot {
        let ports = facts.ports();
        let mut next = snapshot.clone();
        next.fib = Arc::new(snapshot.fib.amended(facts.net.changed_next_hops(&ports, touched)));
        if !touched.stations.is_empty() {
            next.stations = Arc::new(facts.net.stations(&ports));
        }
        self.generation += 1;
        next.generation = self.generation;
        next
    }
}
