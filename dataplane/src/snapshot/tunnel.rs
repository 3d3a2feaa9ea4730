//! A tunnel: how a tunnel-mode backend's packets are wrapped.

use std::net::IpAddr;

use crate::types::Port;
use crate::wire::{gre, gue, ipv4, ipv6, udp};

/// What stands between the outer IP header and the inner one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunnelKind {
    /// Nothing: the inner packet is the outer one's payload (RFC 2003, RFC 2473, RFC 4213).
    Ipip,
    /// A GRE header without options (RFC 2784, RFC 7676).
    Gre,
    /// UDP, in which routers and receivers find the flow's entropy (draft-ietf-intarea-gue).
    Gue {
        /// Where the backend listens; registered is 6080.
        port: Port,
        /// With or without a header of its own.
        variant: GueVariant,
    },
}

/// The form of GUE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GueVariant {
    /// A header of four bytes behind UDP's.
    Zero,
    /// The inner packet right behind UDP's header; its version says which it is.
    One,
}

/// The wrapping of one backend's packets. Source and destination are of one family, which the
/// configuration sees to; the inner packet's may be the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tunnel {
    /// What stands between the headers.
    pub kind: TunnelKind,
    /// The outer source: the box.
    pub source: IpAddr,
    /// The outer destination: the backend.
    pub destination: IpAddr,
}

impl Tunnel {
    /// Bytes in front of the inner IP header, the outer one included: what the inner packet must stay
    /// below the MTU.
    #[must_use]
    pub fn overhead(&self) -> u16 {
        let network = if self.destination.is_ipv4() { ipv4::LENGTH } else { ipv6::LENGTH };
        #[expect(clippy::cast_possible_truncation, reason = "52 at most")]
        let overhead = (network + self.kind.length()) as u16;
        overhead
    }
}

impl TunnelKind {
    /// Bytes between the two IP headers.
    pub(crate) fn length(self) -> usize {
        match self {
            Self::Ipip => 0,
            Self::Gre => gre::LENGTH,
            Self::Gue { variant: GueVariant::Zero, .. } => udp::LENGTH + gue::LENGTH,
            Self::Gue { variant: GueVariant::One, .. } => udp::LENGTH,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::HEADROOM;

    #[test]
    fn overheads_are_those_of_the_headers() {
        let gue = |variant| TunnelKind::Gue { port: Port(6080), variant };
        for (kind, over4) in [
            (TunnelKind::Ipip, 20),
            (TunnelKind::Gre, 24),
            (gue(GueVariant::Zero), 32),
            (gue(GueVariant::One), 28),
        ] {
            for (address, overhead) in [("10.0.0.1", over4), ("fd00::1", over4 + 20)] {
                let address = address.parse().unwrap();
                let tunnel = Tunnel { kind, source: address, destination: address };
                assert_eq!(tunnel.overhead(), overhead, "{tunnel:?}");
                assert!(usize::from(overhead) < HEADROOM);
            }
        }
    }
}
