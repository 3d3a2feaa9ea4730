//! Workers that have ended or stand still: the box must not be master with them.

use std::collections::{HashMap, HashSet};

use dataplane::WorkerStats;
use dataplane::types::WorkerId;

use super::Supervisor;
use crate::pulse;

/// Looks, one a second, in which a worker has not come round once: an idle one sleeps a tenth of a second.
const STUCK: u8 = 2;

/// What was seen of the workers.
#[derive(Debug, Default)]
pub(super) struct Workers {
    dead: HashSet<WorkerId>,
    pulses: HashMap<WorkerId, Pulse>,
}

#[derive(Debug, Default)]
struct Pulse {
    nanos: u64,
    missed: u8,
}

/// What is to be told of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Stuck,
    GoesOn,
}

impl Workers {
    fn look(&mut self, worker: WorkerId, nanos: u64) -> Option<Change> {
        let pulse = self.pulses.entry(worker).or_default();
        let was_stuck = pulse.missed >= STUCK;
        let goes_on = std::mem::replace(&mut pulse.nanos, nanos) != nanos;
        pulse.missed = if goes_on { 0 } else { pulse.missed.saturating_add(1) };
        match (was_stuck, pulse.missed >= STUCK) {
            (false, true) => Some(Change::Stuck),
            (true, false) => Some(Change::GoesOn),
            (false, false) | (true, true) => None,
        }
    }

    /// Whether all of them work.
    pub(super) fn are_well(&self) -> bool {
        self.dead.is_empty() && self.pulses.values().all(|pulse| pulse.missed < STUCK)
    }
}

impl Supervisor {
    /// To be called once a second.
    pub(super) fn watch_workers(&mut self) {
        self.watch_for_dead_workers();
        for WorkerStats { id, total_nanos, .. } in self.dataplane.workers() {
            match self.watched.workers.look(id, total_nanos) {
                Some(Change::Stuck) => {
                    tracing::error!(event = "worker", %id, "stands still: its queues are not served");
                }
                Some(Change::GoesOn) => tracing::warn!(event = "worker", %id, "goes on"),
                None => {}
            }
        }
    }

    /// Whoever ends says so at once.
    pub(super) fn watch_for_dead_workers(&mut self) {
        let mut is_new = false;
        for worker in self.dataplane.dead_workers() {
            if self.watched.workers.dead.insert(worker) {
                is_new = true;
                tracing::error!(event = "worker", %worker, "has ended by a defect: its queues are not served; restart penstockd");
            }
        }
        if is_new {
            self.follow_vrrp();
        }
    }

    /// The checks go on in a thread of their own: without it their results stay as they are. To be called once a second.
    pub(super) fn watch_checks(&mut self) {
        match self.watched.checks.look(crate::clock::now()) {
            Some(pulse::Change::Stalled) => tracing::error!(
                event = "health.stalled",
                "the thread of the health checks hangs: backends stay up or down as they are until it goes on"
            ),
            Some(pulse::Change::GoesOn) => {
                tracing::warn!(event = "health.goes-on", "the thread of the health checks goes on");
            }
            None => {}
        }
    }

    /// Reports to the service manager that all is well. A worker that has ended does not come back but by a restart.
    pub(super) fn pet_watchdog(&mut self) {
        if self.watched.workers.are_well() {
            self.manager.alive();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_come_round_for_two_looks_stands_still() {
        let mut workers = Workers::default();
        let id = WorkerId(0);
        for (nanos, change) in [
            (5, None),
            (5, None),
            (6, None),
            (6, None),
            (6, Some(Change::Stuck)),
            (6, None),
            (7, Some(Change::GoesOn)),
            (8, None),
        ] {
            assert_eq!(workers.look(id, nanos), change, "{nanos}");
        }
        assert!(workers.are_well());
        workers.dead.insert(id);
        assert!(!workers.are_well());
    }
}
