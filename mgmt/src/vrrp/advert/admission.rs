//! Which adverts a virtual router listens to (RFC 9568 section 7.1, RFC 3768 section 7.1).
//!
//! What is refused changes nothing, and above all no timer: a backup must take over however much garbage comes.
//! Where peers only disagree they go on hearing each other, since two that do not are two masters.

use std::net::IpAddr;

use super::{Addresses, Advert, Coverage, NO_AUTHENTICATION, Password, SIMPLE_TEXT};
use crate::vrrp::timing::AdvertInterval;
use crate::vrrp::{Priority, Version, Vrid};

/// Why an advert is not listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// RFC 9568 section 7.1: it must be 255, or a router has passed it on. Of unicast: outside what is configured.
    #[error("TTL or hop limit is not 255, or of unicast outside min_ttl and max_ttl")]
    HopLimit,
    /// Shorter or longer than its number of addresses says.
    #[error("wrong length")]
    Length,
    /// Not 2 or 3, 2 over IPv6, or not the configured one.
    #[error("wrong version")]
    Version,
    /// RFC 9568 section 5.2.2: an unknown type must be discarded.
    #[error("not an advertisement")]
    Type,
    /// Neither of the two ways to count it.
    #[error("wrong checksum")]
    Checksum,
    /// RFC 9568 section 5.2.5: the least is 1.
    #[error("no addresses")]
    NoAddresses,
    /// Of another virtual router, or of none.
    #[error("VRID of another virtual router")]
    Vrid,
    /// Zero; in version 2 any other than the own one (RFC 3768 section 7.1).
    #[error("advertisement interval differs")]
    Interval,
    /// Version 2: a password where none is configured, or none where one is, or a way that is not known.
    #[error("authentication type differs")]
    AuthenticationType,
    /// Version 2.
    #[error("wrong password")]
    Password,
    /// A frame of ours that came back.
    #[error("sent by this box")]
    Own,
    /// Multicast where peers are configured, or to one peer where none is.
    #[error("multicast where unicast is configured, or the reverse")]
    Destination,
    /// Unicast from somebody who is no peer.
    #[error("sender is not among the configured peers")]
    Peer,
}

impl Refusal {
    /// All there are.
    pub const ALL: [Self; 13] = [
        Self::HopLimit,
        Self::Length,
        Self::Version,
        Self::Type,
        Self::Checksum,
        Self::NoAddresses,
        Self::Vrid,
        Self::Interval,
        Self::AuthenticationType,
        Self::Password,
        Self::Own,
        Self::Destination,
        Self::Peer,
    ];

    /// The counter's name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::HopLimit => "hop-limit",
            Self::Length => "length",
            Self::Version => "version",
            Self::Type => "type",
            Self::Checksum => "checksum",
            Self::NoAddresses => "no-addresses",
            Self::Vrid => "vrid",
            Self::Interval => "interval",
            Self::AuthenticationType => "authentication-type",
            Self::Password => "password",
            Self::Own => "own",
            Self::Destination => "destination",
            Self::Peer => "peer",
        }
    }
}

/// What a virtual router takes for its own.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'c> {
    /// Its number.
    pub vrid: Vrid,
    /// Its interval; says the version too.
    pub interval: AdvertInterval,
    /// Its addresses.
    pub addresses: &'c Addresses,
    /// In version 2.
    pub password: Option<Password>,
    /// What it sends from.
    pub own: IpAddr,
    /// None: multicast.
    pub peers: &'c [IpAddr],
    /// TTLs or hop limits of their adverts.
    pub ttl: (u8, u8),
    /// What its own checksums are over, in version 3 over IPv4.
    pub coverage: Coverage,
}

/// What the state machine hears of an advert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// The sender.
    pub source: IpAddr,
    /// Its priority.
    pub priority: Priority,
    /// Its interval.
    pub interval: AdvertInterval,
}

/// Where an accepted advert differs from what is configured here: to be counted, and told to the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Differences {
    /// Other virtual addresses (RFC 9568 section 7.1: may be logged).
    pub addresses: bool,
    /// Another interval, in version 3, which is learnt.
    pub interval: bool,
    /// The checksum is over something else than ours are.
    pub checksum: bool,
    /// Over IPv6 the first address must be link-local (RFC 9568 section 5.2.9).
    pub not_link_local: bool,
}

/// An advert that is listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    /// For the state machine.
    pub heard: Heard,
    /// For the operator.
    pub differences: Differences,
}

impl Expected<'_> {
    /// Whether this is for this virtual router, and right.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, advert: &Advert<'_>) -> Result<Admitted, Refusal> {
        let source = advert.endpoints.source();
        if advert.vrid != self.vrid {
            return Err(Refusal::Vrid);
        }
        if source == self.own {
            return Err(Refusal::Own);
        }
        if advert.interval.version() != self.interval.version() {
            return Err(Refusal::Version);
        }
        if advert.endpoints.is_multicast() != self.peers.is_empty() {
            return Err(Refusal::Destination);
        }
        if !self.peers.is_empty() && !self.peers.contains(&source) {
            return Err(Refusal::Peer);
        }
        if !self.peers.is_empty() && !(self.ttl.0..=self.ttl.1).contains(&advert.hop_limit.0) {
            return Err(Refusal::HopLimit);
        }
        self.authenticate(advert)?;
        if self.interval.version() == Version::V2 && advert.interval != self.interval {
            return Err(Refusal::Interval);
        }
        let first = advert.addresses().next();
        let differences = Differences {
            addresses: !self.addresses.are(advert.addresses()),
            interval: advert.interval != self.interval,
            checksum: source.is_ipv4()
                && self.interval.version() == Version::V3
                && advert.coverage != self.coverage,
            not_link_local: matches!(first, Some(IpAddr::V6(first)) if !first.is_unicast_link_local()),
        };
        let heard = Heard { source, priority: advert.priority, interval: advert.interval };
        Ok(Admitted { heard, differences })
    }

    /// RFC 3768 section 5.3.6 keeps type 0 alone; type 1 is what RFC 2338 had, and old peers still send.
    fn authenticate(&self, advert: &Advert<'_>) -> Result<(), Refusal> {
        match (advert.authentication, self.password) {
            (None, _) | (Some((NO_AUTHENTICATION, _)), None) => Ok(()),
            (Some((SIMPLE_TEXT, data)), Some(password)) if *data == password.0 => Ok(()),
            (Some((SIMPLE_TEXT, _)), Some(_)) => Err(Refusal::Password),
            (Some(_), _) => Err(Refusal::AuthenticationType),
        }
    }
}
