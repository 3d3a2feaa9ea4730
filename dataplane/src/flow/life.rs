//! What packets add to an entry: when the last one came, how many there were, how far the connection is.

use super::closing::Ending;
use super::entry::{Direction, Entry};
use super::kind::Kind;
use super::proofs::Proofs;
use super::sequences::Numbers;
use super::slab::EntryRef;
use super::table::FlowTable;
use super::tcp_state::{Life, Seen};
use crate::sync::Ordering::Relaxed;
use crate::types::Protocol;
use crate::types::Tick;
use crate::wire::tcp::Flags;

/// What a packet has turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// It is no longer half open.
    pub(crate) established: bool,
    /// It has begun to close.
    pub(crate) closing: bool,
    /// What seemed to close it was taken back.
    pub(crate) reopened: bool,
    /// What it shows of the backend.
    pub(crate) reception: Option<Reception>,
}

impl Turn {
    const NONE: Self = Self { established: false, closing: false, reopened: false, reception: None };
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

impl FlowTable {
    /// Notes a packet, and returns how that changes the flow's life. `numbers`: those of a segment that
    /// [`Entry::asks_for_numbers`] is true of, and of a SYN-ACK.
    pub(crate) fn note(
        &self,
        flow: EntryRef,
        direction: Direction,
        flags: Flags,
        now: Tick,
        numbers: Option<Numbers>,
    ) -> Option<Turn> {
        match self.entry(flow).asks_for_numbers(flags) {
            true => self.note_ending(Ending { flow, direction, flags, numbers }, now),
            false => {
                if let (Some(numbers), Direction::Return) = (numbers, direction)
                    && flags.has(Flags::SYN)
                {
                    self.is_answered(flow, numbers);
                }
                self.entry(flow).note(direction, flags, now)
            }
        }
    }

    /// The same of a segment that [`Entry::asks_for_numbers`] is true of.
    #[cold]
    #[inline(never)]
    pub(crate) fn note_ending(&self, segment: Ending, now: Tick) -> Option<Turn> {
        let Ending { flow, direction, flags, .. } = segment;
        let entry = self.entry(flow);
        let (silence, seen) = (entry.count(direction, now), entry.seen());
        let kind = entry.kind();
        if kind.protocol() != Protocol::Tcp {
            return None;
        }
        let one_way = !kind.is_two_way();
        if !entry.proofs().has(Proofs::SUSPECTED) {
            entry.prove(Proofs::SUSPECTED);
        }
        let (more, wrong) = self.weigh(segment, seen);
        let with = seen.and_seen(direction, flags, one_way).or(more);
        // What ends a handshake stays.
        let wrong = if with.is_established() { wrong } else { Seen::NOTHING };
        let new = with.without(seen);
        let turn = if new == Seen::NOTHING { None } else { entry.turn(new, direction, one_way, silence) };
        // Behind that: a handshake that is over now must not count as one again in between.
        let reopened = wrong != Seen::NOTHING && entry.take_back(wrong);
        let mut turn = Turn { reopened, ..turn.unwrap_or(Turn::NONE) };
        // Resets that are taken back can be sent at will: one of a flow counts.
        if turn.reception == Some(Reception::Cut) && entry.proofs().has(Proofs::REVOKED) {
            turn.reception = None;
        }
        (turn != Turn::NONE).then_some(turn)
    }
}

impl Entry<'_> {
    /// Whether a segment with these flags has to be noted with its numbers.
    #[inline(always)]
    pub(crate) fn asks_for_numbers(&self, flags: Flags) -> bool {
        self.proofs().has(Proofs::SUSPECTED) || flags.has(Flags::FIN | Flags::RST)
    }

    /// Whether there is more to do about a segment than to translate and to [`Self::note`] it. `turns`: it has a SYN, a
    /// FIN or a RST.
    #[inline(always)]
    pub(crate) fn needs_care(&self, turns: bool) -> bool {
        self.word(0) & (Proofs::SUSPECTED.0 | u32::from(Kind::PROXIED) << 24) != 0 || turns
    }

    /// Notes a packet that [`Self::asks_for_numbers`] is not true of, and returns how that changes the flow's life.
    #[inline(always)]
    pub(crate) fn note(&self, direction: Direction, flags: Flags, now: Tick) -> Option<Turn> {
        let silence = self.count(direction, now);
        let seen = self.seen();
        if seen.is_unchanged_by(flags) { None } else { self.note_flags(seen, direction, flags, silence) }
    }

    /// Notes that a packet has come: how many milliseconds after the one before.
    #[inline(always)]
    fn count(&self, direction: Direction, now: Tick) -> u32 {
        let last = self.last_packet();
        // Packets of one batch share a tick: the line is written once for them, not once each.
        if last != now {
            self.set(2, now.0);
        }
        let count = if direction == Direction::Forward { 4 } else { 5 };
        self.set(count, self.word(count).wrapping_add(1));
        now.millis_since(last)
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
            return reception.map(|_| Turn { reception, ..Turn::NONE });
        }
        self.turn(with, direction, one_way, silence)
    }

    /// Adds what was seen, and returns how that changes the flow's life.
    fn turn(&self, new: Seen, direction: Direction, one_way: bool, silence: u32) -> Option<Turn> {
        let before = self.add(new);
        let after = before.or(new);
        let turn = Turn {
            established: before.is_half_open(Protocol::Tcp) && !after.is_half_open(Protocol::Tcp),
            closing: !before.counts_as_closing() && after.counts_as_closing(),
            reopened: false,
            reception: reception(before, after, direction, one_way, silence),
        };
        (turn.established || turn.closing || turn.reception.is_some()).then_some(turn)
    }

    /// Adds what was seen; what was there before.
    #[expect(clippy::cast_possible_truncation, reason = "the low byte")]
    fn add(&self, seen: Seen) -> Seen {
        Seen(self.0[3].fetch_or(u32::from(seen.0), Relaxed) as u8)
    }

    /// Takes back what was wrong. Whether it counted as closing, and does not any more.
    #[expect(clippy::cast_possible_truncation, reason = "the low byte")]
    fn take_back(&self, wrong: Seen) -> bool {
        if wrong.has(Seen::RESET) {
            self.prove(Proofs::REVOKED);
        }
        let before = Seen(self.0[3].fetch_and(!u32::from(wrong.0), Relaxed) as u8);
        before.counts_as_closing() && !before.without(wrong).counts_as_closing()
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

    /// Whether it is proven that the connection is over.
    pub(crate) fn is_over(&self) -> bool {
        self.life() == Life::Over
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
    pub(crate) fn state(&self) -> crate::flow::FlowState {
        self.seen().state(self.protocol())
    }

    /// What its timeout goes by.
    #[inline(always)]
    pub(super) fn life(&self) -> Life {
        let kind = self.kind();
        self.seen().life(kind.protocol(), !kind.is_two_way(), self.proofs().has(Proofs::OVER))
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
