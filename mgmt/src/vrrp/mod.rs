//! VRRP: which of several boxes has the virtual addresses.
//!
//! Version 3 is RFC 9568 (before it RFC 5798), version 2 is RFC 3768 with the password of RFC 2338. No I/O and
//! no clock: packets and times come in, [`router::Action`]s come out. RFC 9568 says Active and Backup Router;
//! here, as on the command line, it is master and backup.
//!
//! | word | RFC 9568 | here |
//! | --- | --- | --- |
//! | Virtual Router | 1.6 | [`router::VirtualRouter`] |
//! | VRID, priority | 5.2.3, 5.2.4 | [`Vrid`], [`Priority`] |
//! | Advertisement | 5.2 | [`advert::Advert`], [`advert::Outgoing`] |
//! | `Skew_Time`, `Active_Down_Interval` | 6.1 | [`timing::skew`], [`timing::master_down`] |
//! | states and transitions | 6.3, 6.4 | [`router`] |
//! | packets | 5.1 | [`packet`] |
//!
//! Tracked priority and sync groups ([`group`]) are no part of the RFC; they are what Keepalived does.

pub mod advert;
pub mod counters;
pub mod fleet;
pub mod group;
mod instance;
pub mod packet;
pub mod router;
pub mod timing;
pub mod wanted;

use std::fmt;
use std::num::NonZeroU8;

use dataplane::types::Mac;

/// Which virtual router of a segment: 1 to 255 (RFC 9568 section 5.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Vrid(NonZeroU8);

impl Vrid {
    /// `None`: 0, which is no virtual router.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        match NonZeroU8::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// As the wire has it.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The MAC address of a virtual router (RFC 9568 section 7.3).
#[must_use]
pub fn virtual_mac(is_ipv4: bool, vrid: Vrid) -> Mac {
    Mac([0x00, 0x00, 0x5e, 0x00, if is_ipv4 { 0x01 } else { 0x02 }, vrid.get()])
}

/// Who shall be master: the higher the better (RFC 9568 section 5.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Priority(pub u8);

impl Priority {
    /// Says that the master leaves; nobody's own priority.
    pub const RELEASE: Self = Self(0);
    /// The lowest that a router may have.
    pub const LOWEST: Self = Self(1);
    /// The highest of a router that does not own the addresses.
    pub const HIGHEST: Self = Self(254);
    /// Of the router whose own addresses the virtual ones are.
    pub const OWNER: Self = Self(255);
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// RFC 3768: IPv4 alone, whole seconds.
    V2,
    /// RFC 9568: IPv4 and IPv6, hundredths of a second.
    V3,
}
