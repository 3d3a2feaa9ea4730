//! What several checks of one backend say together.

use super::Condition;
use super::tracker::Tracker;
use crate::config::health::{Health, Needs};

/// What follows from all checks of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Combined {
    /// Whether enough of them are up.
    pub passes: bool,
    /// Whether none has counted yet, so that it is an assumption.
    pub is_assumed: bool,
    /// What the schedulers do with it.
    pub condition: Condition,
}

/// `configured`: the backend's weight in the file. Of several wishes for the weight the smallest holds.
#[must_use]
pub fn combine(health: &Health, trackers: &[&Tracker], configured: u16) -> Combined {
    let passes = match health.needs {
        Needs::All => trackers.iter().all(|tracker| tracker.is_up()),
        Needs::Any => trackers.iter().any(|tracker| tracker.is_up()),
    };
    let wished = trackers.iter().filter_map(|tracker| tracker.weight(configured)).min();
    let condition = match (passes, health.inhibit_on_failure) {
        (true, true | false) => Condition { up: true, weight: wished },
        (false, true) => Condition { up: true, weight: Some(0) },
        (false, false) => Condition { up: false, weight: wished },
    };
    Combined { passes, is_assumed: !trackers.iter().any(|tracker| tracker.is_checked()), condition }
}
