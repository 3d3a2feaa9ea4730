//! Handshakes of clients that come to nothing, told to the checks of the backend.

use std::collections::HashMap;
use std::time::Duration;

use dataplane::admission::HandshakeCounts;
use dataplane::types::BackendId;

use super::Supervisor;
use crate::health::Subject;
use crate::health::job::Observation;

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
}

impl Row {
    /// How many failed results `now` makes, beyond those that were told of before.
    fn follow(&mut self, now: u32) -> u32 {
        // One that was answered in between has begun a new row.
        let before = if now < self.counted { 0 } else { self.counted };
        self.counted = now;
        now / self.limit - before / self.limit
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
                // Failures from before are nobody's fault now.
                let counted = self.observed.0.remove(&id).map(|row| row.counted);
                let counted = counted.or_else(|| Some(self.handshakes(id)?.failed_in_a_row)).unwrap_or(0);
                observed.insert(id, Row { subject: member.subject(), limit, counted });
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

    /// How a backend takes connections.
    pub(super) fn handshakes(&self, id: BackendId) -> Option<HandshakeCounts> {
        Some(self.dataplane.snapshot().backend(id)?.meters.backend.handshakes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_full_row_is_one_failure_and_a_new_row_begins_anew() {
        let subject = Subject { service: "web".into(), address: [10, 0, 1, 11].into(), port: None };
        let mut row = Row { subject, limit: 10, counted: 3 };
        let failures = [9, 10, 19, 45, 45, 4, 10, 10].map(|now| row.follow(now));
        assert_eq!(failures, [0, 1, 0, 3, 0, 0, 1, 0]);
    }
}
