//! The words of the data plane as types, so that the compiler finds swapped arguments.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An Ethernet address, in wire order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// ff:ff:ff:ff:ff:ff, every station of the segment.
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

/// A text that is not six hexadecimal bytes with colons between them.
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

/// The transport protocols that are balanced.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[repr(u8)]
pub enum Protocol {
    /// RFC 9293.
    Tcp = 6,
    /// RFC 768.
    Udp = 17,
}

impl Protocol {
    /// The number in IPv4's protocol and IPv6's next-header field.
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

/// A contiguous range of ports, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct PortRange {
    /// The lowest.
    pub first: Port,
    /// The highest.
    pub last: Port,
}

impl PortRange {
    /// Every port there is.
    pub const ANY: Self = Self { first: Port(1), last: Port(u16::MAX) };

    /// One port alone.
    #[must_use]
    pub fn one(port: Port) -> Self {
        Self { first: port, last: port }
    }

    /// The port, if there is but one.
    #[must_use]
    pub fn single(self) -> Option<Port> {
        (self.first == self.last).then_some(self.first)
    }

    /// Whether `port` is in it.
    #[must_use]
    pub fn contains(self, port: Port) -> bool {
        self.first <= port && port <= self.last
    }

    /// Whether some port is in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// How many ports there are in it, less one.
    #[must_use]
    pub fn width(self) -> u16 {
        self.last.0.saturating_sub(self.first.0)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.single() {
            Some(port) => fmt::Display::fmt(&port, f),
            None if *self == Self::ANY => f.write_str("any"),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

/// An address prefix; of a single host where its length is the address's own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// `None`: `length` is longer than an address of that family. Bits behind it are cleared.
    #[must_use]
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(v4) => {
                let kept = u32::MAX.checked_shl(32_u32.checked_sub(length.into())?).unwrap_or(0);
                IpAddr::V4((v4.to_bits() & kept).into())
            }
            IpAddr::V6(v6) => {
                let kept = u128::MAX.checked_shl(128_u32.checked_sub(length.into())?).unwrap_or(0);
                IpAddr::V6((v6.to_bits() & kept).into())
            }
        };
        Some(Self { address, length })
    }

    /// The prefix that is one address.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        Self { address, length: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// Its first address.
    #[must_use]
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// Its length in bits.
    #[must_use]
    pub fn length(self) -> u8 {
        self.length
    }

    /// The address, if there is but one.
    #[must_use]
    pub fn single(self) -> Option<IpAddr> {
        (self == Self::host(self.address)).then_some(self.address)
    }

    /// Whether `address` is in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4() && Self::new(address, self.length) == Some(self)
    }

    /// Whether some address is in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.single() {
            Some(address) => fmt::Display::fmt(&address, f),
            None => write!(f, "{}/{}", self.address, self.length),
        }
    }
}

/// How a service's packets reach its backends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// Inline between two ports of one segment: destination NAT there, source NAT back, no hop.
    Bridge,
    /// The box is a hop between clients and backends; destination NAT there, source NAT back.
    Router,
    /// Full NAT: the source becomes an address and port of the box's own, too.
    OneArm,
    /// Only the MAC addresses change; backends answer clients directly.
    Dsr,
    /// The whole packet goes to the backend in another one; backends answer clients directly.
    Tunnel,
}

impl Mode {
    /// Whether replies come back through the box and are translated.
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

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord)]
        pub struct $name(pub $int);

        impl $name {
            /// As an index into the table that this number counts.
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
    /// A network interface of the data plane: its place in the list of configured interfaces.
    InterfaceId(u16)
);
id!(
    /// An RX/TX queue pair of a network interface.
    QueueId(u16)
);
id!(
    /// A worker thread: its place in the list of configured cores.
    WorkerId(u16)
);
id!(
    /// A service's place in one [`Snapshot`](crate::snapshot::Snapshot); not stable across snapshots.
    ServiceId(u32)
);
id!(
    /// A backend of one service. Stable across snapshots for as long as any flow refers to it;
    /// at most 24 bits, see [`limits::MAX_BACKENDS`](crate::limits::MAX_BACKENDS).
    BackendId(u32)
);

id!(
    /// An address of a source-NAT pool. Stable across snapshots for as long as any flow refers to it.
    SnatId(u16)
);
id!(
    /// A bridge: the interfaces that are ports of one segment.
    BridgeId(u16)
);
id!(
    /// An IEEE 802.1Q VLAN identifier, 1 to 4094; 0: no tag.
    VlanId(u16)
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_clears_what_is_behind_its_length_and_knows_its_own() {
        let prefix = |text: &str, length| Prefix::new(text.parse().unwrap(), length);
        let of_16 = prefix("10.0.0.21", 28).unwrap();
        assert_eq!(of_16.to_string(), "10.0.0.16/28");
        assert!(
            of_16.contains("10.0.0.31".parse().unwrap()) && !of_16.contains("10.0.0.32".parse().unwrap())
        );
        assert!(!of_16.contains("::10.0.0.17".parse().unwrap()), "of the other family");
        assert!(of_16.overlaps(Prefix::host("10.0.0.20".parse().unwrap())));
        assert!(Prefix::host("10.0.0.20".parse().unwrap()).overlaps(of_16));
        assert_eq!(prefix("10.0.0.1", 33), None);
        assert_eq!(prefix("2001:db8::1", 0).unwrap().to_string(), "::/0");
        assert_eq!(prefix("2001:db8::1", 128).unwrap().single(), Some("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn macs_are_read_as_they_are_written() {
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
