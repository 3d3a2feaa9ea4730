//! What a flow's packets have shown of its life, as bits that are only ever added.
//!
//! Each direction adds what it sees; no bit depends on the order in which two workers add theirs.
//! Where replies bypass the box, the client's half of the conversation has to do.

use crate::engine::FlowState;
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
/// Somebody has sent a RST.
const RESET: u8 = 0x10;
/// The server has acknowledged what the box has put in front of the client's stream.
const HEADER_ACKNOWLEDGED: u8 = 0x20;
/// The flow is over, and not counted as half open any more.
const SETTLED: u8 = 0x40;
/// The flow has been ended: its entry leaves the index, or has left it.
const UNLINKED: u8 = 0x80;

/// See the module's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen(pub(crate) u8);

impl Seen {
    pub(crate) const ANSWERED: Self = Self(ANSWERED);
    pub(crate) const UNLINKED: Self = Self(UNLINKED);
    pub(crate) const SETTLED: Self = Self(SETTLED);
    pub(crate) const HEADER_ACKNOWLEDGED: Self = Self(HEADER_ACKNOWLEDGED);

    /// What a flow begins with: a flow that is met in the middle counts as established.
    pub(crate) fn at_birth(protocol: Protocol, flags: Flags) -> Self {
        match protocol {
            Protocol::Tcp if flags.opens() => Self(0),
            Protocol::Tcp => Self(ANSWERED | ESTABLISHED).and_seen(Direction::Forward, flags, false),
            Protocol::Udp => Self(0),
        }
    }

    /// With what a TCP segment adds. `one_way`: replies bypass the box.
    #[inline(always)]
    pub(crate) fn and_seen(self, direction: Direction, flags: Flags, one_way: bool) -> Self {
        let mut bits = self.0;
        if flags.has(Flags::RST) {
            bits |= RESET;
        }
        if flags.has(Flags::FIN) {
            bits |= if direction == Direction::Forward { CLIENT_FIN } else { SERVER_FIN };
        }
        match direction {
            Direction::Return if flags.has(Flags::SYN) => bits |= ANSWERED,
            // The client's first ACK ends the handshake. An ACK before the server has answered is
            // a guess, and leaves the flow half open.
            Direction::Forward if flags.has(Flags::ACK) && !flags.has(Flags::SYN) => {
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
        protocol == Protocol::Tcp && self.0 & (ESTABLISHED | CLIENT_FIN | SERVER_FIN | RESET | SETTLED) == 0
    }

    /// Whether somebody has begun to close it, and it still counts. Of all who add bits just one sees the
    /// beginning of this.
    #[inline(always)]
    pub(crate) fn counts_as_closing(self) -> bool {
        self.0 & (CLIENT_FIN | SERVER_FIN | RESET) != 0 && self.0 & SETTLED == 0
    }

    /// Whether a handshake has ended well, or was not seen.
    pub(crate) fn is_established(self) -> bool {
        self.0 & ESTABLISHED != 0
    }

    /// Whether somebody has ended it by a RST.
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

    /// The state that operators see, and that the timeout goes by.
    #[inline(always)]
    pub(crate) fn state(self, protocol: Protocol) -> FlowState {
        match protocol {
            Protocol::Udp => FlowState::Udp,
            Protocol::Tcp if self.0 & RESET != 0 => FlowState::Closed,
            Protocol::Tcp if self.0 & (CLIENT_FIN | SERVER_FIN) != 0 => FlowState::Fin,
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
