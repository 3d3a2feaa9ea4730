//! What parsing finds out about a frame, for the stages behind it.

use std::net::IpAddr;

use crate::flow::{Addresses, Tuple};
use crate::types::{Protocol, VlanId};
use crate::wire::tcp::Flags;

/// What a frame with an IP packet is, and where its parts begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Headers {
    pub(crate) content: Content,
    /// Where the IP header begins in the frame: behind the Ethernet header and its VLAN tags.
    pub(crate) network: u16,
    /// Where the transport header begins in the frame; of a later fragment: its piece of the payload.
    pub(crate) transport: u16,
    /// Length of the IP packet: the frame may be padded.
    pub(crate) packet_length: u16,
    pub(crate) ttl: u8,
    pub(crate) piece: Piece,
    /// Of the outermost VLAN tag; 0: none.
    pub(crate) vlan: VlanId,
}

/// What an IP packet carries.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content {
    /// TCP or UDP.
    Segment { tuple: Tuple, flags: Flags },
    /// An ICMP echo request.
    Echo { destination: IpAddr },
    /// An ICMP error: with the tuple that packets of its own direction have, which is the reverse of the
    /// quoted packet's.
    Error { tuple: Tuple },
    /// A fragment without a transport header: its ports are still to be found.
    Fragment { addresses: Addresses, protocol: Protocol },
}

impl Content {
    /// By what its flow is known.
    #[inline(always)]
    pub(crate) fn tuple(&self) -> Option<Tuple> {
        match *self {
            Self::Segment { tuple, .. } | Self::Error { tuple } => Some(tuple),
            Self::Echo { .. } | Self::Fragment { .. } => None,
        }
    }
}

/// Whether a packet is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// It is.
    Whole,
    /// The first fragment, with the transport header.
    First {
        /// The identification that all its fragments get where the source is translated: those of
        /// other sources may be the same (RFC 6864 section 5.3.1).
        id: Option<u16>,
    },
    /// Another fragment.
    Later {
        /// The same.
        id: Option<u16>,
    },
}

impl Piece {
    /// Whether the packet has no transport header.
    #[inline(always)]
    pub(crate) fn is_later(self) -> bool {
        matches!(self, Self::Later { .. })
    }
}
