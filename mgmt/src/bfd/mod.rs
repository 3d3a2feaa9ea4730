//! BFD (RFC 5880): whether another box is there, found out in milliseconds.
//!
//! ```text
//!            Wanted                          ┌ fleet::Fleet: all sessions, pure ┐
//! supervisor ────▶ engine (thread of its own) ┤ Sockets: RFC 5881 and RFC 5883   ├─▶ Board ─▶ health checks, trackers
//!                                            └──────────────────────────────────┘ ─▶ thread of VRRP
//! ```
//!
//! Pure are [`packet`], [`session`] and [`fleet`]: bytes, times and events in, packets to send and changes out.
//! Asynchronous mode only; a peer that asks for demand mode is obeyed (section 6.6), and echo packets are not sent
//! back, which is said by an echo interval of zero.

pub mod auth;
pub mod board;
pub mod engine;
pub mod fleet;
pub mod packet;
pub mod session;
mod sockets;

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

/// What a session is known by at one of its ends (section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Discriminator(pub NonZeroU32);

/// A time in packets: microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Micros(pub u32);

impl Micros {
    /// While a session is not up nobody sends more often (section 6.8.3).
    pub const SLOW: Self = Self(1_000_000);

    /// As the clock has it.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_micros(self.0.into())
    }

    /// Longer ones are cut.
    #[must_use]
    pub fn of(time: Duration) -> Self {
        Self(u32::try_from(time.as_micros()).unwrap_or(u32::MAX))
    }
}

/// Where a session stands (section 6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The operator wants it to be down.
    AdminDown,
    /// Nothing is heard.
    Down,
    /// The peer is heard, and does not say yet that it hears this box.
    Init,
    /// Both hear each other.
    Up,
}

impl State {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::AdminDown, Self::Down, Self::Init, Self::Up];

    /// On the control socket.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::AdminDown => "admin-down",
            Self::Down => "down",
            Self::Init => "init",
            Self::Up => "up",
        }
    }
}

/// Why a session went down (section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Diagnostic(pub u8);

impl Diagnostic {
    /// It did not.
    pub const NONE: Self = Self(0);
    /// Nothing was heard for the detection time.
    pub const EXPIRED: Self = Self(1);
    /// The peer said so.
    pub const NEIGHBOUR: Self = Self(3);
    /// The operator.
    pub const ADMIN: Self = Self(7);
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "no diagnostic",
            1 => "it heard nothing for the detection time",
            2 => "its echo function failed",
            3 => "its peer signalled the session down",
            4 => "its forwarding plane was reset",
            5 => "the path is down",
            6 => "a concatenated path is down",
            7 => "it is administratively down",
            8 => "a reverse concatenated path is down",
            _ => "an unknown diagnostic",
        })
    }
}
