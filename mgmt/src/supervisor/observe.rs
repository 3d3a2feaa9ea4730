//! Handshakes of clients that come to nothing, told to the checks of the backend.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use dataplane::admission::HandshakeCounts;
use dataplane::types::BackendId;

use super::Supervisor;
use crate::health::job::Observation;
use crate::health::{Condition, Subject};

/// How often the workers' counts are looked at.
pub(super) const STEP: Duration = Duration::from_millis(100);

/// The backends that are observed.
#[derive(Debug, Default)]
pub(super) struct Observed(HashMap<BackendId, Row>);

/// Handshakes in a row that have failed.
#[derive(Debug)]
struct Row {
    subject: Subject,
    /// So many make a failed result.
    limit: u32,
    /// Those that were counted when it was looked at last.
    counted: u32,
    /// Of those, what was there before the row began.
    before: u32,
    /// Whether the backend's checks have it down.
    down: bool,
}

impl Row {
    /// How many failed results `now` makes, beyond those that were told of before.
    fn follow(&mut self, now: u32) -> u32 {
        // One that was answered in between has begun a new row.
        if now < self.counted {
            (self.counted, self.before) = (0, 0);
        }
        let told = (self.counted - self.before) / self.limit;
        self.counted = now;
        (now - self.before) / self.limit - told
    }

    /// The backend is up or down now. What took it out doesn't count against it once it is back.
    fn turn(&mut self, up: bool, now: u32) {
        if self.down && up {
            (self.counted, self.before) = (now, now);
        }
        self.down = !up;
    }
}

impl Supervisor {
    /// Observes the backends whose configuration says so, and no others.
    pub(super) fn follow_observed(&mut self) {
        let mut observed = HashMap::new();
        for service in &self.config.services {
            for backend in &service.backends {
                let limit = backend.health.as_ref().map_or(0, |health| health.observe);
                let id = self.inventory.number(service, backend.address, backend.port);
                let Some(id) = id.filter(|_| limit > 0) else { continue };
                let Some(member) = self.inventory.get(id) else { continue };
                let row = match self.observed.0.remove(&id) {
                    Some(row) if row.limit == limit => row,
                    // Failures from before are nobody's fault now.
                    _ => {
                        let counted = self.handshakes(id).map_or(0, |counts| counts.failed_in_a_row);
                        let report = self.checks.board().report(&member.subject());
                        let down = report.is_some_and(|report| !report.passes);
                        Row { subject: member.subject(), limit, counted, before: counted, down }
                    }
                };
                observed.insert(id, row);
            }
        }
        self.observed = Observed(observed);
    }

    /// Whether any is observed.
    pub(super) fn observes(&self) -> bool {
        !self.observed.0.is_empty()
    }

    pub(super) fn observe(&mut self) {
        let snapshot = self.dataplane.snapshot();
        for (id, row) in &mut self.observed.0 {
            let Some(backend) = snapshot.backend(*id) else { continue };
            let counts = backend.meters.backend.handshakes();
            let failures = row.follow(counts.failed_in_a_row);
            if failures > 0 {
                let said = format!("{} handshakes of clients in a row failed", counts.failed_in_a_row);
                self.checks.observed(Observation { subject: row.subject.clone(), failures, said });
            }
        }
    }

    /// Takes in what the checks have found.
    pub(super) fn observed_turn(&mut self, conditions: &BTreeMap<Subject, Condition>) {
        let snapshot = self.dataplane.snapshot();
        for (id, row) in &mut self.observed.0 {
            let Some(condition) = conditions.get(&row.subject) else { continue };
            let Some(backend) = snapshot.backend(*id) else { continue };
            row.turn(condition.up, backend.meters.backend.handshakes().failed_in_a_row);
        }
    }

    /// How a backend takes connections.
    pub(super) fn handshakes(&self, id: BackendId) -> Option<HandshakeCounts> {
        Some(self.dataplane.snapshot().backend(id)?.meters.backend.handshakes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(limit: u32) -> Row {
        let subject = Subject { service: "web".into(), address: [10, 0, 1, 11].into(), port: None };
        Row { subject, limit, counted: 3, before: 0, down: false }
    }

    #[test]
    fn each_full_row_is_one_failure_and_a_new_row_begins_anew() {
        let mut row = row(10);
        let failures = [9, 10, 19, 45, 45, 4, 10, 10].map(|now| row.follow(now));
        assert_eq!(failures, [0, 1, 0, 3, 0, 0, 1, 0]);
    }

    #[test]
    fn a_backend_that_is_back_has_a_whole_row_before_it() {
        let mut row = row(4);
        assert_eq!(row.follow(6), 1);
        row.turn(false, 6);
        assert_eq!(row.follow(7), 0);
        row.turn(true, 7);
        // A weight that a check has changed is no return.
        assert_eq!([8, 9].map(|now| row.follow(now)), [0, 0]);
        row.turn(true, 9);
        assert_eq!([10, 11, 14, 15, 3, 4].map(|now| row.follow(now)), [0, 1, 0, 1, 0, 1]);
    }
}
