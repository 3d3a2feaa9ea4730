//! ARP and neighbour-discovery entries as the kernel tells of them.

use std::fmt;
use std::net::IpAddr;

use dataplane::types::Mac;
use rtnetlink::packet_route::neighbour as wire;

/// How much the kernel trusts an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the kernel's own names, see ip-neighbour(8)")]
pub enum NeighbourState {
    Incomplete,
    Reachable,
    Stale,
    Delay,
    Probe,
    Failed,
    Noarp,
    Permanent,
    None,
}

impl NeighbourState {
    /// Whether the entry's MAC may be used. A stale one is: the kernel proves it when asked to,
    /// and until it is disproved the neighbour is most likely still there.
    #[must_use]
    pub fn usable(self) -> bool {
        match self {
            Self::Reachable | Self::Stale | Self::Delay | Self::Probe | Self::Noarp | Self::Permanent => true,
            Self::Incomplete | Self::Failed | Self::None => false,
        }
    }

    /// Whether the entry is an operator's or the link type's, never to be touched.
    #[must_use]
    pub fn fixed(self) -> bool {
        matches!(self, Self::Permanent | Self::Noarp)
    }
}

impl fmt::Display for NeighbourState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Incomplete => "incomplete",
            Self::Reachable => "reachable",
            Self::Stale => "stale",
            Self::Delay => "delay",
            Self::Probe => "probe",
            Self::Failed => "failed",
            Self::Noarp => "noarp",
            Self::Permanent => "permanent",
            Self::None => "none",
        })
    }
}

/// An entry of the kernel's neighbour table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// The link's number.
    pub interface: u32,
    /// The neighbour's address.
    pub address: IpAddr,
    /// Its MAC, once known.
    pub mac: Option<Mac>,
    /// How sure the kernel is.
    pub state: NeighbourState,
    /// Whether the kernel keeps it fresh by itself (`managed` in ip-neighbour(8)).
    pub managed: bool,
    /// Whether it is a router, by its advertisements (RFC 4861 section 4.4).
    pub router: bool,
}

impl Neighbour {
    /// The MAC, if it may be used.
    #[must_use]
    pub fn usable_mac(&self) -> Option<Mac> {
        self.mac.filter(|_| self.state.usable())
    }

    /// `None` for what is no neighbour of ours to use: proxy entries.
    pub(super) fn from_message(message: &wire::NeighbourMessage) -> Option<Self> {
        if message.header.flags.contains(wire::NeighbourFlags::Proxy) {
            return None;
        }
        let (mut address, mut mac, mut managed) = (None, None, false);
        for attribute in &message.attributes {
            match attribute {
                wire::NeighbourAttribute::Destination(wire::NeighbourAddress::Inet(v4)) => {
                    address = Some(IpAddr::V4(*v4));
                }
                wire::NeighbourAttribute::Destination(wire::NeighbourAddress::Inet6(v6)) => {
                    address = Some(IpAddr::V6(*v6));
                }
                wire::NeighbourAttribute::LinkLayerAddress(bytes) => {
                    mac = <[u8; 6]>::try_from(bytes.as_slice()).ok().map(Mac);
                }
                wire::NeighbourAttribute::ExtFlags(flags) => {
                    managed = flags.contains(wire::NeighbourExtFlags::Managed);
                }
                _ => {}
            }
        }
        let state = match message.header.state {
            wire::NeighbourState::Incomplete => NeighbourState::Incomplete,
            wire::NeighbourState::Reachable => NeighbourState::Reachable,
            wire::NeighbourState::Stale => NeighbourState::Stale,
            wire::NeighbourState::Delay => NeighbourState::Delay,
            wire::NeighbourState::Probe => NeighbourState::Probe,
            wire::NeighbourState::Failed => NeighbourState::Failed,
            wire::NeighbourState::Noarp => NeighbourState::Noarp,
            wire::NeighbourState::Permanent => NeighbourState::Permanent,
            _ => NeighbourState::None,
        };
        let router = message.header.flags.contains(wire::NeighbourFlags::Router);
        Some(Self { interface: message.header.ifindex, address: address?, mac, state, managed, router })
    }
}
