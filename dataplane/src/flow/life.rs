//! What packets add to an entry: when the last one came, how many there were, how far the connection is.

use super::entry::{Direction, Entry};
use super::tcp_state::Seen;
use crate::sync::Ordering::Relaxed;
use crate::tick::Tick;
use crate::types::Protocol;
use crate::wire::tcp::Flags;

/// What a packet has turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// It is no longer half open.
    pub(crate) established: bool,
    /// It has begun to close.
    pub(crate) closing: bool,
    /// What it shows of the backend.
    pub(crate) reception: Option<Reception>,
}

/// How a backend has taken a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reception {
    /// Its answer came after so many ticks.
    Answered { millis: u32 },
    /// By a RST.
    Refused,
    /// Not: the client has asked again.
    Unanswered,
    /// It took it, and ended it by a RST.
    Cut,
}

/// A SYN that comes so many milliseconds after the one before is one that nobody has answered: the first time-out
/// of a handshake is a second (RFC 6298 section 2), and what comes sooner may be a copy.
const SYN_AGAIN: u32 = 500;

impl Entry<'_> {
    /// Notes a packet, and says what the flow's life turns to with it.
    #[inline(always)]
    pub(crate) fn note(&self, direction: Direction, flags: Flags, now: Tick) -> Option<Turn> {
        let last = self.last_packet();
        // Packets of one batch share a tick: the line is written once for them, not once each.
        if last != now {
            self.set(2, now.0);
        }
        let count = if direction == Direction::Forward { 4 } else { 5 };
        self.set(count, self.word(count).wrapping_add(1));
        let seen = self.seen();
        let silence = now.millis_since(last);
        if seen.is_unchanged_by(flags) { None } else { self.note_flags(seen, direction, flags, silence) }
    }

    /// Notes that the flow is still alive.
    pub(crate) fn touch(&self, now: Tick) {
        self.set(2, now.0);
    }

    /// `silence`: since the packet before, in milliseconds.
    fn note_flags(&self, seen: Seen, direction: Direction, flags: Flags, silence: u32) -> Option<Turn> {
        let kind = self.kind();
        let one_way = !kind.is_two_way();
        let with = seen.and_seen(direction, flags, one_way);
        if kind.protocol() != Protocol::Tcp {
            return None;
        }
        if with == seen {
            let is_waiting =
                flags.opens() && !one_way && seen.is_half_open(Protocol::Tcp) && !seen.is_answered();
            let reception = (is_waiting && silence >= SYN_AGAIN).then_some(Reception::Unanswered);
            return reception.map(|_| Turn { established: false, closing: false, reception });
        }
        let before = self.add(with);
        let after = Seen(before.0 | with.0);
        let turn = Turn {
            established: before.is_half_open(Protocol::Tcp) && !after.is_half_open(Protocol::Tcp),
            closing: !before.counts_as_closing() && after.counts_as_closing(),
            reception: reception(before, after, direction, one_way, silence),
        };
        (turn.established || turn.closing || turn.reception.is_some()).then_some(turn)
    }

    /// Adds what was seen; what was there before.
    #[expect(clippy::cast_possible_truncation, reason = "the low byte")]
    fn add(&self, seen: Seen) -> Seen {
        Seen(self.0[3].fetch_or(u32::from(seen.0), Relaxed) as u8)
    }

    /// Ends what it counts as beside being a flow: what that was.
    pub(super) fn settle(&self) -> Seen {
        self.add(Seen::SETTLED)
    }

    /// Whether it was never established: a handshake that nobody has finished, or a single packet.
    pub(super) fn is_young(&self) -> bool {
        let is_handshake = self.protocol() == Protocol::Tcp && !self.seen().is_established();
        // Of a handshake that the box has made the packets are its own, and not counted here.
        is_handshake || !self.is_proxied() && self.word(4).saturating_add(self.word(5)) <= 1
    }

    /// Whether it leaves the index, or has left it.
    pub(crate) fn has_ended(&self) -> bool {
        self.seen().is_unlinked()
    }

    /// Whether a handshake has ended well, or was not seen.
    pub(crate) fn is_established(&self) -> bool {
        self.seen().is_established()
    }

    /// When it began, as far as it is remembered.
    pub(crate) fn birth(&self) -> Tick {
        Tick(self.word(3) & !0xff)
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the low byte")]
    pub(super) fn seen(&self) -> Seen {
        Seen(self.word(3) as u8)
    }

    /// Tells the owner that the flow has ended, and leaves the index.
    pub(super) fn mark_unlinked(&self) {
        self.0[3].fetch_or(u32::from(Seen::UNLINKED.0), Relaxed);
    }

    /// Where the flow is in its life.
    #[inline(always)]
    pub(crate) fn state(&self) -> crate::engine::FlowState {
        self.seen().state(self.protocol())
    }

    pub(super) fn last_packet(&self) -> Tick {
        Tick(self.word(2))
    }
}

/// What the bits that a segment adds show of the backend.
fn reception(
    before: Seen,
    after: Seen,
    direction: Direction,
    one_way: bool,
    silence: u32,
) -> Option<Reception> {
    let is_new = |bit: fn(Seen) -> bool| !bit(before) && bit(after);
    let answered = Some(Reception::Answered { millis: silence });
    match direction {
        Direction::Forward if one_way && is_new(Seen::is_established) => answered,
        Direction::Return if is_new(Seen::is_answered) => answered,
        Direction::Return if is_new(Seen::is_reset) && !before.counts_as_closing() => {
            match before.is_answered() {
                true if before.is_established() => Some(Reception::Cut),
                true => None,
                false => Some(Reception::Refused),
            }
        }
        Direction::Forward | Direction::Return => None,
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
