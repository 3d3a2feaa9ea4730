//! What has happened.

use serde::{Deserialize, Serialize};

use crate::events;

/// An item of `GET /v1/events`, and with `?follow=true` a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counted from 1 since the daemon began: a gap is what there was no room for.
    pub number: u64,
    /// When, in UTC: `2026-01-02T03:04:05.678Z`.
    pub at: String,
    /// `info`, `warn` or `error`.
    pub level: String,
    /// A stable word: `daemon`, `configuration`, `backend`, `admin`, `request`, `vrrp`, `bfd`, `interface`, `worker`, `capacity`, `health.checks-not-run`,
    /// `health.checks-run-again`, `other`.
    pub kind: String,
    /// The line of the log.
    pub text: String,
}

impl From<&events::Event> for Event {
    fn from(event: &events::Event) -> Self {
        Self {
            number: event.number,
            at: humantime::format_rfc3339_millis(event.at).to_string(),
            level: event.level.as_str().to_lowercase(),
            kind: event.kind.clone(),
            text: event.text.clone(),
        }
    }
}
