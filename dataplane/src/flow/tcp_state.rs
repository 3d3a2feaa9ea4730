//! What a flow's packets have shown of its life, as bits.
//!
//! Each direction adds what it sees; no bit depends on the order in which two workers add theirs.
//! Where replies bypass the box, the client's half of the conversation has to do. FINs and resets that turn out to be
//! wrong are taken back (see [`closing`](super::closing)), but only of an established connection; nothing else is.

use crate::flow::FlowState;
use crate::types::Protocol;
use crate::wire::tcp::Flags;

use super::Direction;

/// The server has answered the SYN.
const ANSWERED: u8 = 0x01;
/// The handshake is finished.
const ESTABLISHED: u8 = 0x02;
/// The client has sent its FIN.
const CLIENT_FIN: u8 = 0x04;
/// The server has sent its FIN.
const SERVER_FIN: u8 = 0x08;
/// A RST was seen.
const RESET: u8 = 0x10;
/// The end has begun.
const ENDING: u8 = CLIENT_FIN | SERVER_FIN | RESET;
/// The server has acknowledged what the box has put in front of the client's stream.
const HEADER_ACKNOWLEDGED: u8 = 0x20;
/// The flow is over, and not counted as half open any more.
const SETTLED: u8 = 0x40;
/// The flow has been ended: its entry leaves the index, or has left it.
const UNLINKED: u8 = 0x80;

/// See the module's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen(pub(crate) u8);

/// What a flow's timeout goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// A TCP handshake is under way.
    Handshake,
    /// One was ended before it was over.
    BrokenHandshake,
    /// A connection, also one of which one side has finished: what the other one has to say may take a while (RFC 6146
    /// section 3.5.2.2).
    Open,
    /// A connection that is over.
    Over,
    /// One that seems to be over, which is not proven: traffic may still take that back.
    InDoubt,
    /// UDP.
    Datagrams,
}

impl Seen {
    pub(super) const NOTHING: Self = Self(0);
    pub(super) const ESTABLISHED: Self = Self(ESTABLISHED);
    pub(super) const RESET: Self = Self(RESET);
    /// All that a FIN or a RST adds.
    pub(super) const ENDS: Self = Self(ENDING);
    pub(crate) const ANSWERED: Self = Self(ANSWERED);
    pub(crate) const UNLINKED: Self = Self(UNLINKED);
    pub(crate) const SETTLED: Self = Self(SETTLED);
    pub(crate) const HEADER_ACKNOWLEDGED: Self = Self(HEADER_ACKNOWLEDGED);

    /// What a flow begins with: a flow that is met in the middle counts as established.
    pub(crate) fn at_birth(protocol: Protocol, flags: Flags) -> Self {
        match protocol {
            Protocol::Tcp if flags.opens() => Self(0),
            Protocol::Tcp => Self(ANSWERED | ESTABLISHED).and_seen(Direction::Forward, flags, false),
            // Nothing more will be seen of it.
            Protocol::Udp => Self(ESTABLISHED),
        }
    }

    /// The FIN of the side that sends in `direction`.
    #[inline(always)]
    pub(super) fn fin(direction: Direction) -> Self {
        Self(if direction == Direction::Forward { CLIENT_FIN } else { SERVER_FIN })
    }

    pub(super) fn and(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    pub(super) fn or(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(super) fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    pub(super) fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// With what a TCP segment adds. `one_way`: replies bypass the box.
    #[inline(always)]
    pub(crate) fn and_seen(self, direction: Direction, flags: Flags, one_way: bool) -> Self {
        let mut bits = self.0;
        if flags.has(Flags::RST) {
            bits |= RESET;
        }
        if flags.has(Flags::FIN) {
            bits |= Self::fin(direction).0;
        }
        match direction {
            Direction::Return if flags.has(Flags::SYN) => bits |= ANSWERED,
            // The client's first ACK ends the handshake. An ACK before the server has answered is
            // a guess, and leaves the flow half open. What ends a connection begins none: a flood of that must not
            // give a handshake the time of a connection.
            Direction::Forward
                if flags.has(Flags::ACK) && !flags.has(Flags::SYN | Flags::FIN | Flags::RST) =>
            {
                if one_way || bits & ANSWERED != 0 {
                    bits |= ESTABLISHED;
                }
            }
            Direction::Forward | Direction::Return => {}
        }
        Self(bits)
    }

    /// Whether it is a handshake that is under way: bits are only added, so that of all who add some just
    /// one sees the end of this.
    #[inline(always)]
    pub(crate) fn is_half_open(self, protocol: Protocol) -> bool {
        protocol == Protocol::Tcp && self.0 & (ESTABLISHED | ENDING | SETTLED) == 0
    }

    /// Whether its end has begun, and it still counts. Of all who add or take back bits just one sees the
    /// beginning of this, and just one its end.
    #[inline(always)]
    pub(crate) fn counts_as_closing(self) -> bool {
        self.is_ending() && self.0 & SETTLED == 0
    }

    /// Whether a FIN or a RST was seen.
    #[inline(always)]
    pub(crate) fn is_ending(self) -> bool {
        self.0 & ENDING != 0
    }

    /// Whether both sides have finished, as far as that can be seen, or one has reset it.
    #[inline(always)]
    pub(super) fn is_over(self, one_way: bool) -> bool {
        let fins = if one_way { CLIENT_FIN } else { CLIENT_FIN | SERVER_FIN };
        self.0 & RESET != 0 || self.0 & fins == fins
    }

    /// `is_proven`: that it is over, if it seems so.
    #[inline(always)]
    pub(super) fn life(self, protocol: Protocol, one_way: bool, is_proven: bool) -> Life {
        match protocol {
            Protocol::Udp => Life::Datagrams,
            Protocol::Tcp if self.0 & ESTABLISHED == 0 && self.is_ending() => Life::BrokenHandshake,
            Protocol::Tcp if self.0 & ESTABLISHED == 0 => Life::Handshake,
            Protocol::Tcp if !self.is_over(one_way) => Life::Open,
            Protocol::Tcp if is_proven => Life::Over,
            Protocol::Tcp => Life::InDoubt,
        }
    }

    /// Whether a handshake has ended well, or was not seen.
    pub(crate) fn is_established(self) -> bool {
        self.0 & ESTABLISHED != 0
    }

    /// Whether a RST was seen.
    pub(crate) fn is_reset(self) -> bool {
        self.0 & RESET != 0
    }

    /// Whether a segment with these flags adds nothing, for sure: in the middle of a connection most don't.
    #[inline(always)]
    pub(crate) fn is_unchanged_by(self, flags: Flags) -> bool {
        self.0 & ESTABLISHED != 0 && flags.0 & (Flags::SYN | Flags::FIN | Flags::RST) == 0
    }

    /// Whether the server has answered the SYN.
    pub(crate) fn is_answered(self) -> bool {
        self.0 & ANSWERED != 0
    }

    pub(crate) fn has_acknowledged_header(self) -> bool {
        self.0 & HEADER_ACKNOWLEDGED != 0
    }

    pub(crate) fn is_unlinked(self) -> bool {
        self.0 & UNLINKED != 0
    }

    /// The state that operators see.
    #[inline(always)]
    pub(crate) fn state(self, protocol: Protocol) -> FlowState {
        match protocol {
            Protocol::Udp => FlowState::Udp,
            Protocol::Tcp if self.0 & RESET != 0 => FlowState::Closed,
            Protocol::Tcp if self.is_ending() => FlowState::Fin,
            Protocol::Tcp if self.0 & ESTABLISHED != 0 => FlowState::Established,
            Protocol::Tcp => FlowState::Syn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{Forward, Return};
    use FlowState::{Closed, Established, Fin, Syn};

    const OPEN: Flags = Flags(Flags::SYN);
    const ANSWER: Flags = Flags(Flags::SYN | Flags::ACK);
    const ACK: Flags = Flags(Flags::ACK);
    const FIN: Flags = Flags(Flags::FIN | Flags::ACK);
    const RST: Flags = Flags(Flags::RST);

    fn after(one_way: bool, segments: &[(Direction, Flags)]) -> FlowState {
        let birth = Seen::at_birth(Protocol::Tcp, segments[0].1);
        let seen = segments[1..].iter().fold(birth, |s, (d, flags)| s.and_seen(*d, *flags, one_way));
        seen.state(Protocol::Tcp)
    }

    #[test]
    fn a_flow_with_both_directions_is_established_by_the_three_segments_of_the_handshake() {
        assert_eq!(after(false, &[(Forward, OPEN)]), Syn);
        assert_eq!(after(false, &[(Forward, OPEN), (Return, ANSWER)]), Syn);
        assert_eq!(after(false, &[(Forward, OPEN), (Return, ANSWER), (Forward, ACK)]), Established);
        assert_eq!(after(false, &[(Forward, OPEN), (Forward, ACK)]), Syn, "a guessed ACK");
    }

    #[test]
    fn a_flow_whose_replies_bypass_the_box_is_established_by_the_clients_ack() {
        assert_eq!(after(true, &[(Forward, OPEN), (Forward, OPEN)]), Syn);
        assert_eq!(after(true, &[(Forward, OPEN), (Forward, ACK)]), Established);
    }

    #[test]
    fn a_fin_or_a_reset_from_either_side_ends_it() {
        for side in [Forward, Return] {
            assert_eq!(after(false, &[(Forward, ACK), (side, FIN)]), Fin);
            assert_eq!(after(false, &[(Forward, ACK), (side, RST)]), Closed);
            assert_eq!(after(false, &[(Forward, OPEN), (side, RST), (Forward, ACK)]), Closed);
        }
    }

    #[test]
    fn the_timeout_of_a_connection_ends_when_both_sides_have_finished() {
        let life = |one_way, segments: &[(Direction, Flags)]| {
            let birth = Seen::at_birth(Protocol::Tcp, segments[0].1);
            let seen = segments[1..].iter().fold(birth, |s, (d, flags)| s.and_seen(*d, *flags, one_way));
            [false, true].map(|is_proven| seen.life(Protocol::Tcp, one_way, is_proven))
        };
        for side in [Forward, Return] {
            assert_eq!(life(false, &[(Forward, ACK), (side, FIN)]), [Life::Open; 2], "{side:?}");
            let both = [(Forward, ACK), (side, FIN), (side.reversed(), FIN)];
            assert_eq!(life(false, &both), [Life::InDoubt, Life::Over]);
            assert_eq!(life(false, &[(Forward, ACK), (side, RST)]), [Life::InDoubt, Life::Over]);
        }
        assert_eq!(life(true, &[(Forward, ACK), (Forward, FIN)]), [Life::InDoubt, Life::Over]);
        assert_eq!(life(false, &[(Forward, OPEN), (Return, ANSWER)]), [Life::Handshake; 2]);
        assert_eq!(
            Seen::at_birth(Protocol::Udp, Flags(0)).life(Protocol::Udp, false, false),
            Life::Datagrams
        );
    }

    #[test]
    fn no_fin_and_no_reset_makes_a_connection_of_a_handshake() {
        for (side, one_way) in [(Forward, false), (Forward, true), (Return, false)] {
            for flags in [FIN, RST, Flags(Flags::RST | Flags::ACK), Flags(Flags::FIN)] {
                let begun = Seen::at_birth(Protocol::Tcp, OPEN).and_seen(Return, ANSWER, one_way);
                let life = begun.and_seen(side, flags, one_way).life(Protocol::Tcp, one_way, true);
                assert_eq!(life, Life::BrokenHandshake, "{side:?} {flags:?}");
            }
        }
    }

    #[test]
    fn what_is_said_to_add_nothing_adds_nothing() {
        for (seen, flags) in
            (0..=u8::MAX).flat_map(|seen| (0..64).map(move |flags| (Seen(seen), Flags(flags))))
        {
            for (side, one_way) in [(Forward, false), (Forward, true), (Return, false)] {
                let unchanged = seen.and_seen(side, flags, one_way) == seen;
                assert!(unchanged || !seen.is_unchanged_by(flags), "{seen:?} {side:?} {flags:?}");
            }
        }
        assert!(Seen(ANSWERED | ESTABLISHED).is_unchanged_by(ACK));
    }

    #[test]
    fn a_flow_met_in_the_middle_counts_as_established() {
        assert_eq!(after(true, &[(Forward, ACK)]), Established);
        assert_eq!(after(true, &[(Forward, FIN)]), Fin);
    }
}
