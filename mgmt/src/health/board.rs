//! Where the engine puts what it has found, and others read it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::{Condition, Subject};

/// Changes of a backend that are remembered.
const HISTORY: usize = 16;

/// One check of a backend.
#[derive(Debug, Clone)]
pub struct CheckReport {
    /// `tcp`, `http`, …
    pub kind: &'static str,
    /// Whether it counts as up.
    pub up: bool,
    /// Results in a row that contradict that.
    pub contradictions: u32,
    /// When that began.
    pub since: Instant,
    /// The last result.
    pub said: Option<Cow<'static, str>>,
    /// When it came.
    pub at: Option<Instant>,
    /// How long it took.
    pub latency: Option<Duration>,
    /// What will fail before long.
    pub warning: Option<Cow<'static, str>>,
    /// Results so far.
    pub runs: u64,
    /// How many of them were failures.
    pub failures: u64,
    /// How many times it could not run, because of the node.
    pub not_run: u64,
}

/// A backend that went up or down.
#[derive(Debug, Clone)]
pub struct Change {
    /// When.
    pub at: Instant,
    /// Whether up.
    pub up: bool,
    /// By which result of which check: "http: status 503, wanted 200-299".
    pub why: String,
}

/// A backend, as its checks see it.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whether enough checks are up.
    pub passes: bool,
    /// Whether none has counted yet.
    pub is_assumed: bool,
    /// In the order of the configuration.
    pub checks: Vec<CheckReport>,
    /// The last one at the end.
    pub history: VecDeque<Change>,
}

impl Report {
    /// Adds a change, and forgets the oldest.
    pub fn remember(&mut self, change: Change) {
        self.history.push_back(change);
        while self.history.len() > HISTORY {
            self.history.pop_front();
        }
    }

    /// The check to tell of where there is room for one: the first that is down, or else the first.
    #[must_use]
    pub fn decisive(&self) -> Option<&CheckReport> {
        self.checks.iter().find(|check| !check.up).or(self.checks.first())
    }
}

pub(super) type Shared = Arc<Mutex<Report>>;

/// See the module's head.
#[derive(Debug, Default)]
pub struct Board {
    reports: Mutex<HashMap<Subject, Shared>>,
    /// No larger than there are backends, however often each changes.
    changed: Mutex<BTreeMap<Subject, Condition>>,
    bell: Notify,
}

/// What is behind a lock is whole after each of its changes: who fails while holding it leaves nothing broken.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    pub(super) fn post(&self, subject: Subject, report: Shared) {
        lock(&self.reports).insert(subject, report);
    }

    pub(super) fn withdraw(&self, subject: &Subject) {
        lock(&self.reports).remove(subject);
        lock(&self.changed).remove(subject);
    }

    pub(super) fn tell(&self, subject: &Subject, condition: Condition) {
        lock(&self.changed).insert(subject.clone(), condition);
        self.bell.notify_one();
    }

    /// Waits for conditions to change, if none has. Loses nothing when it is dropped.
    pub async fn has_changed(&self) {
        loop {
            if !lock(&self.changed).is_empty() {
                return;
            }
            self.bell.notified().await;
        }
    }

    /// The conditions that have changed since the last call.
    pub fn take_changed(&self) -> BTreeMap<Subject, Condition> {
        std::mem::take(&mut *lock(&self.changed))
    }

    /// What is known of a backend; `None` if it has no checks.
    #[must_use]
    pub fn report(&self, subject: &Subject) -> Option<Report> {
        let report = lock(&self.reports).get(subject).map(Arc::clone)?;
        let report = lock(&report).clone();
        Some(report)
    }
}
