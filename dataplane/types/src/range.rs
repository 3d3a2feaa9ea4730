//! Ranges of ports and of addresses: what a service may listen on as a whole.

use std::fmt;
use std::net::IpAddr;

use super::Port;

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
}
