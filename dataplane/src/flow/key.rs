//! What names a flow on the wire: addresses, ports and protocol, as one direction has them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::mem::KeyedHash;
use crate::types::{Port, Protocol};

/// Source and destination address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Addresses {
    V4 { source: Ipv4Addr, destination: Ipv4Addr },
    V6 { source: Ipv6Addr, destination: Ipv6Addr },
}

impl Addresses {
    /// `None`: the two are not of one family.
    pub(crate) fn new(source: IpAddr, destination: IpAddr) -> Option<Self> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Some(Self::V4 { source, destination }),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Some(Self::V6 { source, destination }),
            _ => None,
        }
    }

    pub(crate) fn source(&self) -> IpAddr {
        match *self {
            Self::V4 { source, .. } => source.into(),
            Self::V6 { source, .. } => source.into(),
        }
    }

    pub(crate) fn destination(&self) -> IpAddr {
        match *self {
            Self::V4 { destination, .. } => destination.into(),
            Self::V6 { destination, .. } => destination.into(),
        }
    }
}

/// The 5-tuple of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tuple {
    pub(crate) addresses: Addresses,
    pub(crate) source_port: Port,
    pub(crate) destination_port: Port,
    pub(crate) protocol: Protocol,
}

impl Tuple {
    /// That of packets which go the other way.
    #[inline(always)]
    #[must_use]
    pub(crate) fn reversed(&self) -> Self {
        let addresses = match self.addresses {
            Addresses::V4 { source, destination } => {
                Addresses::V4 { source: destination, destination: source }
            }
            Addresses::V6 { source, destination } => {
                Addresses::V6 { source: destination, destination: source }
            }
        };
        Self {
            addresses,
            source_port: self.destination_port,
            destination_port: self.source_port,
            protocol: self.protocol,
        }
    }
}

/// A tuple's place in the index: keyed, see [`KeyedHash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FlowHash(pub(crate) u64);

impl Tuple {
    /// Where the index has this tuple.
    #[inline(always)]
    pub(crate) fn hash(&self, hash: &KeyedHash) -> FlowHash {
        let rest = u64::from(self.source_port.0) << 48
            | u64::from(self.destination_port.0) << 32
            | u64::from(self.protocol.number());
        FlowHash(match self.addresses {
            Addresses::V4 { source, destination } => {
                let addresses = u64::from(source.to_bits()) << 32 | u64::from(destination.to_bits());
                hash.one(u128::from(addresses) << 64 | u128::from(rest))
            }
            Addresses::V6 { source, destination } => {
                hash.three([source.to_bits(), destination.to_bits(), u128::from(rest)])
            }
        })
    }
}
