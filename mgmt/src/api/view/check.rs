//! What health checks have found.

use serde::{Deserialize, Serialize};

use super::service::BackendState;

/// A health check of a [`Backend`](super::Backend).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// `tcp`, `http`, …
    pub kind: String,
    /// Whether it counts as up.
    pub up: bool,
    /// Results in a row that contradict that.
    pub contradictions: u32,
    /// What it found last; `null` before the first time.
    pub last_result: Option<String>,
    /// What will make it fail before long.
    pub warning: Option<String>,
    /// Since the last result.
    pub last_seconds: Option<f64>,
    /// How long that took.
    pub latency_seconds: Option<f64>,
    /// Since it went up or down last.
    pub since_seconds: f64,
    /// Results so far.
    pub results: u64,
    /// How many of them were failures.
    pub failures: u64,
    /// How many times it could not run, because of the node; these are no results.
    #[serde(default)]
    pub not_run: u64,
}

/// A [`Backend`](super::Backend) that went up or down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Since then.
    pub seconds_ago: f64,
    /// What it became.
    pub state: BackendState,
    /// By which result of which check.
    pub why: String,
}
