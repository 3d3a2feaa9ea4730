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
}

impl Entry<'_> {
    /// Notes a packet, and says what the flow's life turns to with it.
    #[inline(always)]
    pub(crate) fn note(&self, direction: Direction, flags: Flags, now: Tick) -> Option<Turn> {
        // Packets of one batch share a tick: the line is written once for them, not once each.
        if self.word(2) != now.0 {
            self.set(2, now.0);
        }
        let count = if direction == Direction::Forward { 4 } else { 5 };
        self.set(count, self.word(count).wrapping_add(1));
        let seen = self.seen();
        if seen.is_unchanged_by(flags) { None } else { self.note_flags(seen, direction, flags) }
    }

    /// Notes that the flow is still alive.
    pub(crate) fn touch(&self, now: Tick) {
        self.set(2, now.0);
    }

    fn note_flags(&self, seen: Seen, direction: Direction, flags: Flags) -> Option<Turn> {
        let kind = self.kind();
        let with = seen.and_seen(direction, flags, !kind.is_two_way());
        if kind.protocol() != Protocol::Tcp || with == seen {
            return None;
        }
        let before = self.add(with);
        let after = Seen(before.0 | with.0);
        let turn = Turn {
            established: before.is_half_open(Protocol::Tcp) && !after.is_half_open(Protocol::Tcp),
            closing: !before.counts_as_closing() && after.counts_as_closing(),
        };
        (turn.established || turn.closing).then_some(turn)
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
