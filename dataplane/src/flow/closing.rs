//! Whether a FIN or a reset is believed.
//!
//! Any host that knows addresses and ports can send one blindly (RFC 5961 section 1), and the ends of the connection
//! ignore it when its number does not fit. So does the table (RFC 7857 section 2.2). What it does not believe, traffic
//! takes back within four minutes, see [`Life::InDoubt`](super::tcp_state::Life).
//!
//! What proves an end:
//!
//! * A FIN of each side, and that the other side acknowledges just what it ends with.
//! * A reset with the number that its sender goes on with: just what the other side has acknowledged last, or what is
//!   behind a FIN that is proven itself (RFC 5961 section 3.2).
//!
//! Each is what one side sends and the other one confirms, so a host that can send as one of them proves nothing: the number
//! that a FIN or a reset brings along never confirms itself or another segment of its side. A host that can send as both
//! sides makes up segments that confirm each other. So a segment confirms only where its own number and its
//! acknowledgement lie plausibly behind the numbers that both sides began with, which it would have to guess: one in
//! three million pairs does, see [`PLAUSIBLE`]. That is what such a host needs to guess for a FIN that the
//! ends themselves take (RFC 5961 section 5.2). The handshake is where these numbers are free to have: segments in the
//! middle of a connection leave none. Of a connection with much data in both directions, one whose handshake the node has not seen,
//! or one whose place another has taken, an end is not proven. It waits, where there is room.
//!
//! What takes back an end that is not proven: a reset, any segment that is none; a FIN, a segment of the same side that lies
//! elsewhere in its stream. A FIN far ahead of a late retransmission looks the same, so its number is kept: the FIN is restored
//! as soon as it is acknowledged.
//!
//! A SYN takes nothing back and proves nothing, so it goes to the same backend, which knows. A connection that is alive
//! answers it by where it is (RFC 5961 section 4), and a client that has forgotten the connection resets it there. A backend that has
//! closed it takes the SYN (RFC 9293 section 3.6.1 in TIME-WAIT): its SYN-ACK, which acknowledges just that SYN,
//! opens the flow again. Where the node has put something into the beginning of the connection, or has made its
//! handshake, the flow is of no use for another one: it ends with that SYN-ACK, and the SYN that is sent again begins a new
//! one. Such a flow alone can be ended by a host that sends as both sides without a guess, while it is in doubt anyway.

use super::entry::Direction;
use super::proofs::Proofs;
use super::sequences::{Known, Numbers};
use super::slab::EntryRef;
use super::table::FlowTable;
use super::tcp_state::Seen;
use crate::limits::{BEFORE_FIN, LARGEST_WINDOW, PLAUSIBLE};
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

/// How often an acknowledgement is weighed anew because another worker has seen a segment of the other side.
const TRIES: usize = 3;

impl FlowTable {
    /// Remembers where the sides of a connection begin: behind their SYNs.
    pub(crate) fn begins(&self, flow: EntryRef, client: u32, server: u32) {
        self.sequences.begin(flow, client, server);
    }

    /// The same by the backend's SYN-ACK, which has the numbers of both. Of one on a connection that is established
    /// nothing is believed.
    pub(crate) fn is_answered(&self, flow: EntryRef, numbers: Numbers) {
        if let Some(client) = numbers.acknowledged
            && !self.entry(flow).is_established()
        {
            self.begins(flow, client, numbers.start.wrapping_add(1));
        }
    }

    /// What a segment adds to what was `seen` of its flow before, and what it takes back.
    pub(super) fn weigh(&self, segment: Ending, seen: Seen) -> (Seen, Seen) {
        if segment.flags.has(Flags::SYN) {
            return (Seen::NOTHING, self.weigh_syn(segment, seen));
        }
        if segment.flags.has(Flags::RST) {
            self.weigh_reset(segment);
            return (Seen::NOTHING, Seen::NOTHING);
        }
        let is_over = self.entry(segment.flow).proofs().has(Proofs::OVER);
        let reset = if is_over { Seen::NOTHING } else { seen.and(Seen::RESET) };
        let fin = self.weigh_fin(segment, seen);
        (self.weigh_acknowledgement(segment), reset.or(fin))
    }

    /// Another connection, or the beginning of this one once more. What that takes back.
    fn weigh_syn(&self, segment: Ending, seen: Seen) -> Seen {
        let Ending { flow, direction, flags, numbers } = segment;
        let entry = self.entry(flow);
        if !seen.is_established() {
            if let Some(numbers) = numbers.filter(|_| direction == Direction::Return) {
                self.is_answered(flow, numbers);
            }
        } else if flags.opens() && direction == Direction::Forward {
            if let Some(numbers) = numbers {
                self.sequences.set(flow, direction, Known::Syn(numbers.start.wrapping_add(1)));
            }
        } else if self.is_taken(segment, seen) {
            entry.withdraw(Proofs::OVER);
            // Where it begins is not remembered: who has made all of this up would know it.
            self.sequences.forget(flow);
            return seen.and(Seen::ENDS);
        }
        Seen::NOTHING
    }

    /// Whether it is the backend's answer to a SYN on a connection that has seemed to end before.
    fn is_taken(&self, segment: Ending, seen: Seen) -> bool {
        let Ending { flow, direction, flags, numbers } = segment;
        let acknowledged = numbers.and_then(|numbers| numbers.acknowledged);
        direction == Direction::Return
            && flags.has(Flags::SYN)
            && seen.is_established()
            && seen.is_ending()
            && acknowledged.map(Known::Syn) == Some(self.sequences.known(flow, Direction::Forward))
    }

    /// Whether the flow is of no use for the connection that begins with this segment: what the node does to the
    /// beginning of a connection, it has done.
    pub(crate) fn must_end(&self, segment: Ending) -> bool {
        let entry = self.entry(segment.flow);
        let kind = entry.kind();
        (kind.tells() || kind.is_proxied()) && self.is_taken(segment, entry.seen())
    }

    /// Whether a segment's numbers lie plausibly behind those that both sides began with.
    fn is_plausible(&self, segment: Ending) -> bool {
        let Ending { flow, direction, numbers, .. } = segment;
        let Some(Numbers { start, acknowledged: Some(acknowledged), .. }) = numbers else { return false };
        let distance = |of, number| self.sequences.distance(flow, of, number);
        // A keepalive has the number in front of the next one (RFC 9293 section 3.8.4).
        let own = distance(direction, start).map(|distance| u64::from(distance.wrapping_add(1)));
        let other = distance(direction.reversed(), acknowledged).map(|distance| u64::from(distance) + 1);
        own.zip(other).is_some_and(|(own, other)| own * other <= PLAUSIBLE)
    }

    /// Proves a reset that is where its sender has to go on.
    fn weigh_reset(&self, segment: Ending) {
        let Ending { flow, direction, numbers, .. } = segment;
        let entry = self.entry(flow);
        let expected = match self.sequences.known(flow, direction) {
            Known::GoesOn(number) => Some(number),
            Known::Fin(end) if entry.proofs().has(Proofs::of(direction)) => Some(end),
            Known::Fin(_) | Known::DoubtedFin(_) | Known::Syn(_) | Known::Nothing => None,
        };
        if expected.is_some() && expected == numbers.map(|numbers| numbers.start) {
            entry.prove(Proofs::OVER);
        }
    }

    /// The sender's own FIN: it is remembered, or held against what comes behind it. What is taken back of it.
    fn weigh_fin(&self, segment: Ending, seen: Seen) -> Seen {
        let Ending { flow, direction, flags, numbers } = segment;
        let (fin, entry) = (Seen::fin(direction), self.entry(flow));
        let before = self.sequences.known(flow, direction);
        if flags.has(Flags::FIN) {
            let now = numbers.map_or(Known::Nothing, |numbers| Known::Fin(numbers.end));
            if now != before {
                self.sequences.set(flow, direction, now);
                if matches!(before, Known::Fin(_) | Known::DoubtedFin(_)) {
                    entry.withdraw(Proofs::of(direction));
                }
            }
            return Seen::NOTHING;
        }
        let Some(numbers) = numbers.filter(|_| seen.has(fin)) else { return Seen::NOTHING };
        let lies_elsewhere = match before {
            Known::Fin(end) => {
                let elsewhere = end.wrapping_sub(numbers.end) > BEFORE_FIN;
                // Another worker has seen something newer of this side: that stands.
                elsewhere && self.sequences.replace(flow, direction, before, Known::DoubtedFin(end))
            }
            // The number of the FIN is lost: only data shows that its sender has not finished.
            _ => numbers.start != numbers.end,
        };
        if !lies_elsewhere {
            return Seen::NOTHING;
        }
        entry.withdraw(Proofs::of(direction));
        fin
    }

    /// What it acknowledges of the other side: its FIN, or where it goes on. What that adds.
    fn weigh_acknowledgement(&self, segment: Ending) -> Seen {
        let (flow, other) = (segment.flow, segment.direction.reversed());
        let Some(number) = segment.numbers.and_then(|numbers| numbers.acknowledged) else {
            return Seen::NOTHING;
        };
        if !self.is_plausible(segment) {
            return Seen::NOTHING;
        }
        for _ in 0..TRIES {
            let before = self.sequences.known(flow, other);
            let now = match before {
                Known::Fin(end) | Known::DoubtedFin(end) if end == number => Known::Fin(end),
                Known::Fin(_) => return Seen::NOTHING,
                // What is in front of the FIN may be acknowledged in several steps.
                Known::DoubtedFin(end) if end.wrapping_sub(number) <= LARGEST_WINDOW => return Seen::NOTHING,
                Known::DoubtedFin(_) | Known::GoesOn(_) | Known::Syn(_) | Known::Nothing => {
                    Known::GoesOn(number)
                }
            };
            // Compared: in between, another worker may have seen the FIN.
            if now != before && !self.sequences.replace(flow, other, before, now) {
                continue;
            }
            if now == Known::GoesOn(number) {
                return Seen::NOTHING;
            }
            let (entry, proof) = (self.entry(flow), Proofs::of(other));
            if !entry.proofs().has(proof) {
                entry.prove(proof);
            }
            // A side that acknowledges a FIN has received what was in front of it, the end of the handshake too. The FIN is
            // added each time: another worker may be about to take it back.
            return Seen::ESTABLISHED.or(Seen::fin(other));
        }
        Seen::NOTHING
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
