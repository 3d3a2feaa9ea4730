//! Answers about configurations, and refusals.

use serde::{Deserialize, Serialize};

use crate::config::Diagnostic;
use crate::config::plan::Plan;

/// The answer of `POST /v1/config/check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// How many services the file has.
    pub services: usize,
    /// How many backends, over all services.
    pub backends: usize,
    /// Warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// The answer of `POST /v1/config/plan` and `/apply`, and of `POST /v1/reload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// What would change, or has changed.
    #[serde(flatten)]
    pub plan: Plan,
    /// The configuration in force when the answer was written.
    pub config_generation: u64,
    /// Warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// The body of every answer that is a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What, where, and what to do, in one line.
    pub error: String,
    /// The single findings, where there are several.
    pub details: Vec<Diagnostic>,
}
