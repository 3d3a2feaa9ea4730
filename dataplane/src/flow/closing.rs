//! Whether a FIN or a reset is believed.
//!
//! Any host that knows addresses and ports can send one blindly (RFC 5961 section 1), and the ends of the connection
//! ignore it when its number does not fit. So does the table (RFC 7857 section 2.2):
//!
//! * A FIN is proven when the other side acknowledges just what it ends with. When both are, the connection is over.
//! * A reset is proven when its number is the one that its sender goes on with: what the other side has acknowledged last,
//!   as far as that was looked at, or what is behind a FIN that is proven itself.
//! * What is not proven is taken back by traffic: a reset by any segment that is none, a FIN by a segment of the same
//!   side that lies elsewhere in its stream.
//!
//! Segments in the middle of a connection leave no numbers: these are read from the first FIN or reset on. So a reset
//! out of the blue is not proven. It waits, see [`Life::InDoubt`](super::tcp_state::Life).

use super::entry::Direction;
use super::proofs::Proofs;
use super::sequences::Numbers;
use super::slab::EntryRef;
use super::table::FlowTable;
use super::tcp_state::Seen;
use crate::limits::BEFORE_FIN;
use crate::wire::tcp::Flags;

/// A segment of a connection that has begun to end, or begins to with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    pub(crate) flow: EntryRef,
    pub(crate) direction: Direction,
    pub(crate) flags: Flags,
    /// `None`: they cannot be read, as of a fragment.
    pub(crate) numbers: Option<Numbers>,
}

impl FlowTable {
    /// What a segment adds to what was `seen` of its flow before, and what it takes back.
    pub(super) fn weigh(&self, segment: Ending, seen: Seen) -> (Seen, Seen) {
        // A SYN is another connection's, or the beginning of this one once more.
        if segment.flags.has(Flags::SYN) {
            return (Seen::NOTHING, Seen::NOTHING);
        }
        if segment.flags.has(Flags::RST) {
            self.weigh_reset(segment, seen);
            return (Seen::NOTHING, Seen::NOTHING);
        }
        let is_over = self.entry(segment.flow).proofs().has(Proofs::OVER);
        let reset = if is_over { Seen::NOTHING } else { seen.and(Seen::RESET) };
        let fin = self.weigh_fin(segment, seen);
        (self.weigh_acknowledgement(segment, seen), reset.or(fin))
    }

    /// Proves a reset that is where its sender has to go on. The number of a FIN that is not proven proves nothing: a
    /// host that forges one can forge the other.
    fn weigh_reset(&self, segment: Ending, seen: Seen) {
        let Ending { flow, direction, numbers, .. } = segment;
        let entry = self.entry(flow);
        let is_claimed = seen.has(Seen::fin(direction)) && !entry.proofs().has(Proofs::of(direction));
        let expected = self.sequences.get(flow, direction);
        if !is_claimed && expected.is_some() && expected == numbers.map(|numbers| numbers.start) {
            entry.prove(Proofs::OVER);
        }
    }

    /// The sender's own FIN: it is remembered, or held against what comes behind it. What is taken back of it.
    fn weigh_fin(&self, segment: Ending, seen: Seen) -> Seen {
        let Ending { flow, direction, flags, numbers } = segment;
        let (fin, entry) = (Seen::fin(direction), self.entry(flow));
        let before = if seen.has(fin) { self.sequences.get(flow, direction) } else { None };
        if flags.has(Flags::FIN) {
            match numbers {
                Some(numbers) if before == Some(numbers.end) => {}
                Some(numbers) => {
                    if before.is_some() {
                        entry.withdraw(Proofs::of(direction));
                    }
                    self.sequences.set(flow, direction, numbers.end);
                }
                None => self.sequences.forget(flow, direction),
            }
            return Seen::NOTHING;
        }
        let lies_elsewhere = match (numbers, before) {
            (Some(numbers), Some(end)) => end.wrapping_sub(numbers.end) > BEFORE_FIN,
            // The number of the FIN is lost: only data shows that its sender has not finished.
            (Some(numbers), None) => numbers.start != numbers.end,
            (None, _) => false,
        };
        if !seen.has(fin) || !lies_elsewhere {
            return Seen::NOTHING;
        }
        entry.withdraw(Proofs::of(direction));
        fin
    }

    /// What it acknowledges of the other side: its FIN, or where it goes on. What that adds.
    fn weigh_acknowledgement(&self, segment: Ending, seen: Seen) -> Seen {
        let other = segment.direction.reversed();
        let Some(number) = segment.numbers.and_then(|numbers| numbers.acknowledged) else {
            return Seen::NOTHING;
        };
        if !seen.has(Seen::fin(other)) {
            self.sequences.set(segment.flow, other, number);
            return Seen::NOTHING;
        }
        let (entry, proof) = (self.entry(segment.flow), Proofs::of(other));
        if entry.proofs().has(proof) || self.sequences.get(segment.flow, other) != Some(number) {
            return Seen::NOTHING;
        }
        entry.prove(proof);
        // A side that acknowledges a FIN has received what was in front of it, the end of the handshake too.
        Seen::ESTABLISHED
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
