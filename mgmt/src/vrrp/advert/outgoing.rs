//! Adverts of this box's own.

use super::{
    ADVERTISEMENT, Addresses, Coverage, Endpoints, HEADER, NO_AUTHENTICATION, Password, SIMPLE_TEXT,
};
use crate::net::frame;
use crate::vrrp::timing::AdvertInterval;
use crate::vrrp::{Priority, Version, Vrid};

/// An advert to send.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'c> {
    /// Which virtual router.
    pub vrid: Vrid,
    /// The sender's priority.
    pub priority: Priority,
    /// The sender's interval; says the version too.
    pub interval: AdvertInterval,
    /// The virtual addresses.
    pub addresses: &'c Addresses,
    /// What the checksum is over, in version 3 over IPv4.
    pub coverage: Coverage,
    /// In version 2.
    pub password: Option<Password>,
}

/// A combination that no packet can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// Version 2 is of IPv4.
    #[error("version 2 does not know IPv6")]
    Version,
    /// An advert travels in the family of its addresses (RFC 9568 section 5.2.5).
    #[error("the addresses are of another family than the packet")]
    Family,
}

impl Outgoing<'_> {
    /// The payload of the IP packet. It is to be sent with a hop limit of 255.
    ///
    /// # Errors
    /// Configurations that the check of the configuration lets through have none.
    pub fn emit(&self, endpoints: Endpoints) -> Result<Vec<u8>, Unsendable> {
        let version = self.interval.version();
        match (endpoints, self.addresses.is_ipv4(), version) {
            (Endpoints::V4 { .. }, true, Version::V2 | Version::V3) => {}
            (Endpoints::V6 { .. }, false, Version::V3) => {}
            (Endpoints::V6 { .. }, false, Version::V2) => return Err(Unsendable::Version),
            (Endpoints::V4 { .. }, false, _) | (Endpoints::V6 { .. }, true, _) => {
                return Err(Unsendable::Family);
            }
        }
        let (number, [high, low]) = (self.addresses.count(), self.interval.wire());
        let (kind, high) = match (version, self.password) {
            (Version::V2, None) => (0x20, NO_AUTHENTICATION),
            (Version::V2, Some(_)) => (0x20, SIMPLE_TEXT),
            (Version::V3, _) => (0x30, high),
        };
        let mut message =
            vec![kind | ADVERTISEMENT, self.vrid.get(), self.priority.0, number, high, low, 0, 0];
        self.addresses.write(&mut message);
        if version == Version::V2 {
            message.extend(self.password.map_or([0; Password::LENGTH], |password| password.0));
        }
        let sum = match (version, endpoints, self.coverage) {
            (Version::V2, _, _) | (Version::V3, Endpoints::V4 { .. }, Coverage::Message) => {
                frame::checksum(&[&message])
            }
            (Version::V3, _, _) => endpoints.checksum(&message),
        };
        message[6..HEADER].copy_from_slice(&sum.to_be_bytes());
        Ok(message)
    }
}
