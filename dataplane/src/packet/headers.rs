//! What parsing finds out about a frame, for the stages behind it.

use std::net::Ipv4Addr;

use crate::flow::{Addresses, Tuple};
use crate::types::{Port, Protocol, VlanId};
use crate::wire::tcp::Flags;

const _: () = assert!(size_of::<Headers>() == 64);

/// What a frame with an IP packet is, and where its parts begin. A cache line.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Headers {
    /// By what the packet's flow is known. Of an ICMP error: the tuple that packets of its own direction have,
    /// which is the reverse of the quoted packet's. A fragment without a transport header, and an echo request,
    /// have no ports.
    pub(crate) tuple: Tuple,
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

impl Headers {
    /// Of a frame that has none, or that nobody has looked at.
    pub(crate) const NONE: Self = Self {
        tuple: Tuple {
            addresses: Addresses::V4 { source: Ipv4Addr::UNSPECIFIED, destination: Ipv4Addr::UNSPECIFIED },
            source_port: Port(0),
            destination_port: Port(0),
            protocol: Protocol::Tcp,
        },
        content: Content::Fragment,
        network: 0,
        transport: 0,
        packet_length: 0,
        ttl: 0,
        piece: Piece::Whole,
        vlan: VlanId(0),
    };

    /// Whether it is a whole TCP segment, or the first fragment of one.
    pub(crate) fn has_tcp_header(&self) -> bool {
        matches!(self.content, Content::Segment { .. })
            && self.tuple.protocol == Protocol::Tcp
            && !self.piece.is_later()
    }
}

/// What an IP packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// TCP or UDP.
    Segment {
        /// TCP's.
        flags: Flags,
    },
    /// An ICMP echo request, or its first fragment.
    Echo,
    /// A later fragment of an ICMP message: whether that is an echo request is still to be found.
    EchoFragment,
    /// An ICMP error.
    Error,
    /// A fragment without a transport header: its ports are still to be found.
    Fragment,
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
