//! How a backend takes connections, as the packets that pass show it: without asking it anything.
//!
//! Workers share the words; each is written at most a few times in the life of a connection.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::flow::Reception;

/// Upper bounds of the classes of handshake times, in milliseconds; what takes longer has a class of its own.
pub const HANDSHAKE_BOUNDS: [u32; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

const CLASSES: usize = HANDSHAKE_BOUNDS.len() + 1;

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    times: [AtomicU64; CLASSES],
    millis: AtomicU64,
    refused: AtomicU64,
    unanswered: AtomicU64,
    cut: AtomicU64,
    failed_in_a_row: AtomicU32,
}

impl Handshakes {
    pub(super) fn note(&self, reception: Reception) {
        let failed = match reception {
            Reception::Answered { millis } => {
                // A time is at most a millisecond longer than its ticks say.
                let class = HANDSHAKE_BOUNDS.iter().take_while(|bound| **bound <= millis).count();
                self.times[class].fetch_add(1, Relaxed);
                self.millis.fetch_add(u64::from(millis), Relaxed);
                if self.failed_in_a_row.load(Relaxed) != 0 {
                    self.failed_in_a_row.store(0, Relaxed);
                }
                return;
            }
            Reception::Refused => &self.refused,
            Reception::Unanswered => &self.unanswered,
            Reception::Cut => {
                self.cut.fetch_add(1, Relaxed);
                return;
            }
        };
        failed.fetch_add(1, Relaxed);
        self.failed_in_a_row.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self) -> HandshakeCounts {
        HandshakeCounts {
            times: std::array::from_fn(|class| self.times[class].load(Relaxed)),
            millis: self.millis.load(Relaxed),
            refused: self.refused.load(Relaxed),
            unanswered: self.unanswered.load(Relaxed),
            cut: self.cut.load(Relaxed),
            failed_in_a_row: self.failed_in_a_row.load(Relaxed),
        }
    }
}

/// How a backend has taken TCP connections. Those whose handshake the box makes itself (`syn_proxy`) are not
/// counted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HandshakeCounts {
    /// SYNs that were answered, by the time that took: below each of [`HANDSHAKE_BOUNDS`], and longer. From
    /// the client's last SYN to the answer; where replies bypass the box, to the client's next segment.
    pub times: [u64; CLASSES],
    /// The sum of these times, rounded down each.
    pub millis: u64,
    /// SYNs that were answered by a RST. Not seen where replies bypass the box.
    pub refused: u64,
    /// SYNs that were sent again, because none was answered. Not counted where replies bypass the box.
    pub unanswered: u64,
    /// Established connections that the backend has ended by a RST, before anybody sent a FIN.
    pub cut: u64,
    /// Refused and unanswered ones since the last that was answered.
    pub failed_in_a_row: u32,
}

impl HandshakeCounts {
    /// SYNs that were answered.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.times.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_below_the_next_bound() {
        let handshakes = Handshakes::default();
        for millis in [0, 1, 1, 4999, 5000, 70_000] {
            handshakes.note(Reception::Answered { millis });
        }
        let counts = handshakes.read();
        assert_eq!(counts.times, [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!((counts.answered(), counts.millis), (6, 80_001));
    }

    #[test]
    fn an_answer_ends_a_row_of_failures_and_a_cut_connection_is_none() {
        let handshakes = Handshakes::default();
        for reception in [Reception::Refused, Reception::Unanswered, Reception::Cut, Reception::Refused] {
            handshakes.note(reception);
        }
        let counts = handshakes.read();
        assert_eq!((counts.refused, counts.unanswered, counts.cut, counts.failed_in_a_row), (2, 1, 1, 3));
        handshakes.note(Reception::Answered { millis: 0 });
        assert_eq!(handshakes.read().failed_in_a_row, 0);
        assert_eq!(handshakes.read().refused, 2);
    }
}
