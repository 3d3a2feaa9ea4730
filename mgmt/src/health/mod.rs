//! Which backends live.
//!
//! ```text
//!            Plan                          ┌ Schedule: what is due ┐
//! supervisor ────▶ engine (own thread) ────┤ check::Runner: I/O    ├─▶ Outcome ─▶ Tracker ─▶ combine
//!     ▲                                    └───────────────────────┘                            │
//!     └──────────────── Board: reports, and the conditions that have changed ◀──────────────────┘
//! ```
//!
//! Pure are [`schedule`], [`tracker`], [`shortage`], [`combine`], [`plan`], [`fleet`] but for the board that it writes to, and the protocols in [`check`] as far as they are
//! more than a few lines. The engine has a thread of its own: ten thousand checks a second do not keep
//! the supervisor from its own deadlines.

pub mod board;
pub mod check;
pub mod combine;
pub mod engine;
pub mod fleet;
pub mod job;
pub mod plan;
pub mod room;
pub mod schedule;
pub mod shortage;
pub mod tracker;
pub mod ways;

use std::net::IpAddr;

use dataplane::types::Port;

/// What the checks say of a backend to whoever chooses among backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// Whether it may take flows at all.
    pub up: bool,
    /// Its weight, if a check wants another one than the configured.
    pub weight: Option<u16>,
}

impl Default for Condition {
    /// Of a backend without checks.
    fn default() -> Self {
        Self { up: true, weight: None }
    }
}

/// A backend, as its checks know it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject {
    /// The service's name.
    pub service: String,
    /// The backend's address.
    pub address: IpAddr,
    /// Its port; `None`: whichever the client has asked for.
    pub port: Option<Port>,
}

impl Subject {
    /// Its name within its service.
    #[must_use]
    pub fn endpoint(&self) -> String {
        crate::config::backend_name(self.address, self.port)
    }
}
