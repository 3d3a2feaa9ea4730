//! What others are told of a session.

use std::fmt;
use std::time::Duration;

use super::super::{Diagnostic, State};
use super::Session;

/// Why a session is not up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It never was, or is up.
    New,
    /// It should have been up after so long.
    NoSession(Duration),
    /// Nothing was heard for so long.
    Silence(Duration),
    /// The peer says so, and why.
    PeerDown(Diagnostic),
    /// The peer's operator wants it. Nothing has failed (RFC 5882 section 3.2).
    PeerAdminDown,
}

/// What others need to know of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// This end's.
    pub state: State,
    /// Why it is not up.
    pub why: Why,
}

impl Status {
    /// Before there is a session.
    pub const NONE: Self = Self { state: State::Down, why: Why::New };

    /// Whether it says that the peer, or the way to it, has failed; `None`: it says nothing of that.
    #[must_use]
    pub fn has_failed(self) -> Option<bool> {
        match (self.state, self.why) {
            (State::Up, _) => Some(false),
            (State::Init | State::Down, Why::NoSession(_) | Why::Silence(_) | Why::PeerDown(_)) => Some(true),
            (State::Init | State::Down, Why::New | Why::PeerAdminDown) | (State::AdminDown, _) => None,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.state, self.why) {
            (State::Up, _) => f.write_str("session up"),
            (State::AdminDown, _) => f.write_str("session ended here"),
            (State::Init | State::Down, Why::New) => f.write_str("no session yet"),
            (State::Init | State::Down, Why::NoSession(time)) => {
                write!(f, "no session after {}", humantime::format_duration(time))
            }
            (State::Init | State::Down, Why::Silence(time)) => {
                write!(f, "no packets for {}", humantime::format_duration(time))
            }
            (State::Init | State::Down, Why::PeerDown(why)) => write!(f, "peer says down: {why}"),
            (State::Init | State::Down, Why::PeerAdminDown) => f.write_str("peer says admin down"),
        }
    }
}

impl Session {
    /// What it is now.
    #[must_use]
    pub fn status(&self) -> Status {
        Status { state: self.state, why: self.why }
    }
}
