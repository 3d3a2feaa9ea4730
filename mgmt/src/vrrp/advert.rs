//! Advertisements (RFC 9568 section 5, RFC 3768 section 5): a checked view, and how one is made.
//!
//! ```text
//! version 3                                      version 2
//!  0 version 3, type 1                            0 version 2, type 1
//!  1 VRID   2 priority   3 number of addresses    1 VRID   2 priority   3 number of addresses
//!  4 zeros (4 bits), interval (12 bits)           4 authentication type   5 interval
//!  6 checksum                                     6 checksum
//!  8 addresses, of 4 or 16 bytes                  8 addresses, then 8 bytes of password
//! ```
//!
//! RFC 9568 takes the pseudo-header out of the checksum of version 3 over IPv4; Keepalived and FRR, after RFC
//! 5798, have it in. Either is accepted, and which is sent can be chosen.

mod addresses;
mod admission;
mod outgoing;

pub use addresses::{Addresses, AddressesError};
pub use admission::{Admitted, Differences, Expected, Heard, Refusal};
pub use outgoing::{Outgoing, Unsendable};

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::timing::AdvertInterval;
use super::{Priority, Version, Vrid};
use crate::net::frame;

/// The protocol's number in IP headers (RFC 9568 section 5.1.1.4).
pub const PROTOCOL: u8 = 112;
/// Where adverts go over IPv4 (RFC 9568 section 5.1.1.2).
pub const GROUP4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// Where adverts go over IPv6 (RFC 9568 section 5.1.2.2).
pub const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

const HEADER: usize = 8;
const ADVERTISEMENT: u8 = 1;
const NO_AUTHENTICATION: u8 = 0;
const SIMPLE_TEXT: u8 = 1;

/// TTL or hop limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HopLimit(pub u8);

impl HopLimit {
    /// Of a packet that no router has passed on (RFC 9568 sections 5.1.1.3 and 5.1.2.3).
    pub const UNROUTED: Self = Self(255);
}

/// From where to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoints {
    /// Over IPv4.
    V4 {
        /// The sender.
        source: Ipv4Addr,
        /// The group or a peer.
        destination: Ipv4Addr,
    },
    /// Over IPv6.
    V6 {
        /// The sender, by its link-local address.
        source: Ipv6Addr,
        /// The group or a peer.
        destination: Ipv6Addr,
    },
}

impl Endpoints {
    /// From here to all.
    #[must_use]
    pub fn multicast(source: IpAddr) -> Self {
        match source {
            IpAddr::V4(source) => Self::V4 { source, destination: GROUP4 },
            IpAddr::V6(source) => Self::V6 { source, destination: GROUP6 },
        }
    }

    /// From here to one; `None`: of another family.
    #[must_use]
    pub fn unicast(source: IpAddr, destination: IpAddr) -> Option<Self> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Some(Self::V4 { source, destination }),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Some(Self::V6 { source, destination }),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
        }
    }

    /// The sender.
    #[must_use]
    pub fn source(&self) -> IpAddr {
        match *self {
            Self::V4 { source, .. } => source.into(),
            Self::V6 { source, .. } => source.into(),
        }
    }

    fn is_multicast(&self) -> bool {
        match *self {
            Self::V4 { destination, .. } => destination == GROUP4,
            Self::V6 { destination, .. } => destination == GROUP6,
        }
    }

    /// The checksum over pseudo-header and message (RFC 8200 section 8.1; for IPv4 the same as of UDP): zero if
    /// the message holds the right one.
    fn checksum(&self, message: &[u8]) -> u16 {
        // No message is longer: it is one IP packet's, and 255 addresses of 16 bytes when made here.
        let length = u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes();
        let tail = [0, PROTOCOL];
        match *self {
            Self::V4 { source, destination } => {
                frame::checksum(&[&source.octets(), &destination.octets(), &tail, &length, message])
            }
            Self::V6 { source, destination } => {
                frame::checksum(&[&source.octets(), &destination.octets(), &tail, &length, message])
            }
        }
    }
}

/// What a checksum of version 3 over IPv4 is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// Pseudo-header and message: `rfc5798`.
    PseudoHeader,
    /// The message alone: `rfc9568` (section 5.2.8).
    Message,
}

/// The password of old peers, in clear text (RFC 2338 section 5.3.6.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Password([u8; Self::LENGTH]);

impl Password {
    const LENGTH: usize = 8;

    /// `None`: longer than 8 bytes, or empty.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; Self::LENGTH];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        (!text.is_empty()).then_some(Self(bytes))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// An advert whose form is right. Whether it concerns a virtual router of this box, [`Expected::admit`] says.
#[derive(Debug, Clone, Copy)]
pub struct Advert<'p> {
    endpoints: Endpoints,
    hop_limit: HopLimit,
    priority: Priority,
    vrid: Vrid,
    interval: AdvertInterval,
    coverage: Coverage,
    list: &'p [u8],
    /// Of version 2: authentication type and data.
    authentication: Option<(u8, &'p [u8; Password::LENGTH])>,
}

impl<'p> Advert<'p> {
    /// Checks in the order of RFC 9568 section 7.1 whatever can be checked without a configuration. `message` is
    /// the IP packet's payload, cut to the length that the IP header says: Ethernet pads short frames. An advert to one
    /// peer may have passed routers, so its hop limit is for [`Expected::admit`].
    ///
    /// # Errors
    /// The first reason to refuse it.
    pub fn new_checked(
        message: &'p [u8],
        endpoints: Endpoints,
        hop_limit: HopLimit,
    ) -> Result<Self, Refusal> {
        if endpoints.is_multicast() && hop_limit != HopLimit::UNROUTED {
            return Err(Refusal::HopLimit);
        }
        let (&header, rest) = message.split_first_chunk::<HEADER>().ok_or(Refusal::Length)?;
        let [kind, vrid, priority, count, high, low, _, _] = header;
        let version = match (kind >> 4, endpoints) {
            (2, Endpoints::V4 { .. }) => Version::V2,
            (3, _) => Version::V3,
            _ => return Err(Refusal::Version),
        };
        if kind & 0x0f != ADVERTISEMENT {
            return Err(Refusal::Type);
        }
        let size = match endpoints {
            Endpoints::V4 { .. } => 4,
            Endpoints::V6 { .. } => 16,
        };
        let (list, tail) = rest.split_at_checked(usize::from(count) * size).ok_or(Refusal::Length)?;
        let authentication = match version {
            Version::V2 => {
                let password = <&[u8; Password::LENGTH]>::try_from(tail).map_err(|_| Refusal::Length)?;
                Some((high, password))
            }
            Version::V3 if tail.is_empty() => None,
            Version::V3 => return Err(Refusal::Length),
        };
        let coverage = coverage(message, version, endpoints).ok_or(Refusal::Checksum)?;
        if list.is_empty() {
            return Err(Refusal::NoAddresses);
        }
        let interval = match version {
            Version::V2 => AdvertInterval::from_seconds(low),
            // The four bits above are reserved, and ignored (RFC 9568 section 5.2.6).
            Version::V3 => AdvertInterval::from_centiseconds(u16::from_be_bytes([high & 0x0f, low])),
        };
        Ok(Self {
            endpoints,
            hop_limit,
            priority: Priority(priority),
            vrid: Vrid::new(vrid).ok_or(Refusal::Vrid)?,
            interval: interval.ok_or(Refusal::Interval)?,
            coverage,
            list,
            authentication,
        })
    }

    /// Of which virtual router it speaks.
    #[must_use]
    pub fn vrid(&self) -> Vrid {
        self.vrid
    }

    /// Of the sender.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// The sender's, in the version of the packet.
    #[must_use]
    pub fn interval(&self) -> AdvertInterval {
        self.interval
    }

    /// What the checksum is over.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// The virtual addresses, in the sender's order.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<'p> {
        let is_ipv4 = matches!(self.endpoints, Endpoints::V4 { .. });
        let (four, sixteen) = (self.list.as_chunks::<4>().0, self.list.as_chunks::<16>().0);
        let four = four.iter().filter(move |_| is_ipv4).map(|octets| Ipv4Addr::from(*octets).into());
        let sixteen = sixteen.iter().filter(move |_| !is_ipv4).map(|octets| Ipv6Addr::from(*octets).into());
        four.chain(sixteen)
    }
}

/// What the checksum covers, if it is right.
fn coverage(message: &[u8], version: Version, endpoints: Endpoints) -> Option<Coverage> {
    let alone = || (frame::checksum(&[message]) == 0).then_some(Coverage::Message);
    let whole = || (endpoints.checksum(message) == 0).then_some(Coverage::PseudoHeader);
    match (version, endpoints) {
        (Version::V2, _) => alone(),
        (Version::V3, Endpoints::V4 { .. }) => whole().or_else(alone),
        (Version::V3, Endpoints::V6 { .. }) => whole(),
    }
}

#[cfg(test)]
#[path = "advert_tests.rs"]
mod tests;
