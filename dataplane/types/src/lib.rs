//! Types for addresses, ports, identifiers and time, so that the compiler detects swapped arguments.
//!
//! ```
//! use penstock_types::{Mac, Port};
//!
//! let mac: Mac = "00:00:5e:00:01:33".parse().unwrap();
//! assert_eq!((mac.to_string(), Port(80).to_string()), ("00:00:5e:00:01:33".into(), "80".into()));
//! ```

#![forbid(unsafe_code)]

mod range;
mod tick;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

pub use range::{PortRange, Prefix};
pub use tick::Tick;

/// An Ethernet address, in wire order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// ff:ff:ff:ff:ff:ff, all stations of the segment.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Whether the group bit is set: multicast or broadcast.
    #[must_use]
    pub fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// The multicast address of an IPv6 group (RFC 2464 section 7).
    #[must_use]
    pub fn of_ipv6_group(group: std::net::Ipv6Addr) -> Self {
        let [.., a, b, c, d] = group.octets();
        Self([0x33, 0x33, a, b, c, d])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A string that is not a MAC address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a MAC address: write six hexadecimal bytes, as in 02:00:00:00:00:01")]
pub struct MacParseError(String);

impl FromStr for Mac {
    type Err = MacParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || MacParseError(text.to_owned());
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|p| p.len() == 2).ok_or_else(refuse)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| refuse())?;
        }
        if parts.next().is_some() { Err(refuse()) } else { Ok(Self(bytes)) }
    }
}

/// A TCP or UDP port, in host order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord)]
pub struct Port(pub u16);

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The balanced transport protocols.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[repr(u8)]
pub enum Protocol {
    /// RFC 9293.
    Tcp = 6,
    /// RFC 768.
    Udp = 17,
}

impl Protocol {
    /// The number in the IPv4 protocol and IPv6 next-header field (IANA).
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// The forwarding mode of a service.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// Inline between two ports of one segment: destination NAT forward, source NAT on return, no hop.
    Bridge,
    /// The node is a hop between clients and backends: destination NAT forward, source NAT on return.
    Router,
    /// Full NAT: the source becomes an address and port of the node's pool as well.
    OneArm,
    /// Only the MAC addresses change; backends answer clients directly.
    Dsr,
    /// The packet is encapsulated to the backend; backends answer clients directly.
    Tunnel,
}

impl Mode {
    /// Whether replies pass the node and are translated.
    #[must_use]
    pub fn is_two_way(self) -> bool {
        match self {
            Self::Bridge | Self::Router | Self::OneArm => true,
            Self::Dsr | Self::Tunnel => false,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bridge => "bridge",
            Self::Router => "router",
            Self::OneArm => "one-arm",
            Self::Dsr => "dsr",
            Self::Tunnel => "tunnel",
        })
    }
}

/// How the client's address is passed to a backend behind full NAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAddress {
    /// Not at all.
    #[default]
    None,
    /// PROXY protocol version 1, text in front of the stream.
    ProxyV1,
    /// PROXY protocol version 2, a binary header in front of the stream.
    ProxyV2,
    /// A TCP option on the client's first segment.
    Toa,
}

impl ClientAddress {
    /// What a flow remembers it by.
    pub fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::ProxyV1 => 1,
            Self::ProxyV2 => 2,
            Self::Toa => 3,
        }
    }

    /// The reverse.
    pub fn from_number(number: u8) -> Self {
        match number {
            1 => Self::ProxyV1,
            2 => Self::ProxyV2,
            3 => Self::Toa,
            _ => Self::None,
        }
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord)]
        pub struct $name(pub $int);

        impl $name {
            /// The number as an index.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

id!(
    /// A network interface of the data plane: its index in the list of configured interfaces.
    InterfaceId(u16)
);
impl InterfaceId {
    /// A number that no interface has.
    pub const NOWHERE: Self = Self(u16::MAX);
    /// Set in the number of an egress that stands for a next hop without a MAC address.
    const UNRESOLVED: u16 = 1 << 15;

    /// The egress of packets that wait for the unresolved next hop in `slot`. No interface has that number.
    pub const fn unresolved(slot: u16) -> Self {
        Self(slot | Self::UNRESOLVED)
    }

    /// The reverse; `None` for an interface.
    pub fn unresolved_slot(self) -> Option<u16> {
        (self != Self::NOWHERE && self.0 & Self::UNRESOLVED != 0).then_some(self.0 & !Self::UNRESOLVED)
    }
}

id!(
    /// An RX/TX queue pair of a network interface.
    QueueId(u16)
);
id!(
    /// A worker thread: its index in the list of configured cores.
    WorkerId(u16)
);
id!(
    /// A service: its index in one snapshot. Not stable across snapshots.
    ServiceId(u32)
);
id!(
    /// A backend of one service, at most 18 bits. Stable across snapshots while any flow refers to it.
    BackendId(u32)
);

id!(
    /// An address of a source-NAT pool. Stable across snapshots while any flow refers to it.
    SnatId(u16)
);
id!(
    /// A bridge, whose ports are interfaces of one segment.
    BridgeId(u16)
);
id!(
    /// An IEEE 802.1Q VLAN identifier, 1 to 4094; 0: no tag.
    VlanId(u16)
);

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_parses_from_its_own_text() {
        let mac = Mac([2, 0, 0x5e, 0, 1, 0xff]);
        assert_eq!(mac.to_string().parse(), Ok(mac));
        for wrong in ["", "02:00:5e:00:01", "02:00:5e:00:01:ff:00", "2:0:0:0:0:1", "zz:00:00:00:00:00"] {
            assert!(wrong.parse::<Mac>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn ipv6_groups_map_to_their_multicast_mac() {
        let group = "ff02::1:ff00:64".parse().unwrap();
        assert_eq!(Mac::of_ipv6_group(group), Mac([0x33, 0x33, 0xff, 0, 0, 0x64]));
    }
}
/// A transport endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The address.
    pub address: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The port; as a return endpoint, 0 stands for every port.
    pub port: Port,
}
