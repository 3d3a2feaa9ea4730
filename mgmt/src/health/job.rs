//! What goes between the fleet, which knows what is due, and whoever runs it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Subject;
use super::check::{Runner, Target};
use super::schedule::CheckId;
use super::tracker::Outcome;

/// A check that is to run now.
#[derive(Debug)]
pub struct Job {
    /// Which.
    pub id: CheckId,
    /// When it was due.
    pub due: Instant,
    /// What runs.
    pub runner: Arc<Runner>,
    /// Whom it asks.
    pub target: Arc<Target>,
    /// How long it may take.
    pub timeout: Duration,
}

/// How a [`Job`] ended.
#[derive(Debug)]
pub struct Ended {
    /// Which.
    pub id: CheckId,
    /// When it was due.
    pub due: Instant,
    /// When it began.
    pub began: Instant,
    /// When it ended.
    pub now: Instant,
    /// What it found.
    pub outcome: Outcome,
}

/// What clients' packets have shown of a backend, worth as much as a failed result of each of its checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Which backend.
    pub subject: Subject,
    /// So many failed results.
    pub failures: u32,
    /// In words.
    pub said: String,
}

/// What is worth a line in the log.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// A backend went up or down.
    Changed {
        /// Which.
        subject: Subject,
        /// Whether up.
        up: bool,
        /// By what.
        why: String,
    },
    /// A check warns of what it did not warn of before.
    Warned {
        /// Of which backend.
        subject: Subject,
        /// Of what.
        warning: String,
    },
    /// Checks could not run, because of the node. At most one for each [`Shortage`](super::shortage::Shortage) pause.
    NotRun {
        /// Of which backend, as an example.
        subject: Subject,
        /// Why.
        why: String,
        /// How many checks have no result for such a reason at the moment.
        checks: usize,
    },
    /// After [`News::NotRun`]: every check has a result again.
    AllRun,
}
