//! How a backend takes connections.

use dataplane::admission::{HANDSHAKE_BOUNDS, HandshakeCounts};
use serde::{Deserialize, Serialize};

/// Of a [`Backend`](super::Backend): seen from clients' packets. What [`HandshakeCounts`] says of each holds here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Handshakes {
    /// SYNs that were answered.
    pub answered: u64,
    /// SYNs that were answered by a RST.
    pub refused: u64,
    /// SYNs that were sent again because none was answered.
    pub unanswered: u64,
    /// Established connections that the backend has ended by a RST.
    pub cut: u64,
    /// Refused and unanswered ones since the last that was answered.
    pub failed_in_a_row: u32,
    /// How long the answers took in all.
    pub seconds: f64,
    /// How many took less than so long; what took longer than the last is in `answered` alone.
    pub within: Vec<Within>,
}

/// Of the answered handshakes, those that took less than a bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Within {
    /// The bound.
    pub seconds: f64,
    /// How many: those below lower bounds among them.
    pub count: u64,
}

impl From<HandshakeCounts> for Handshakes {
    fn from(counts: HandshakeCounts) -> Self {
        let mut below = 0;
        let within = HANDSHAKE_BOUNDS.iter().zip(counts.times).map(|(bound, count)| {
            below += count;
            Within { seconds: f64::from(*bound) / 1000.0, count: below }
        });
        Self {
            within: within.collect(),
            answered: counts.answered(),
            refused: counts.refused,
            unanswered: counts.unanswered,
            cut: counts.cut,
            failed_in_a_row: counts.failed_in_a_row,
            seconds: counts.millis as f64 / 1000.0,
        }
    }
}
