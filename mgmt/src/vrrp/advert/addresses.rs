//! The addresses of a virtual router, as many as an advert has room for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One family's, in the operator's order. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    list: List,
    count: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum List {
    V4(Vec<Ipv4Addr>),
    V6(Vec<Ipv6Addr>),
}

/// A list that no advert can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressesError {
    /// RFC 9568 section 5.2.5: at least one.
    #[error("a virtual router has at least one address")]
    None,
    /// The number is a byte. Who has more leaves the others out of its adverts.
    #[error("an advert has room for 255 addresses")]
    TooMany,
    /// RFC 9568 section 5.2.9: one family a virtual router.
    #[error("a virtual router has addresses of one family")]
    Mixed,
}

impl Addresses {
    /// Of these.
    ///
    /// # Errors
    /// No advert can hold them.
    pub fn new(addresses: &[IpAddr]) -> Result<Self, AddressesError> {
        let count = u8::try_from(addresses.len()).map_err(|_| AddressesError::TooMany)?;
        let first = addresses.first().ok_or(AddressesError::None)?;
        let list = if first.is_ipv4() {
            let four = addresses.iter().map(|a| if let IpAddr::V4(a) = *a { Some(a) } else { None });
            four.collect::<Option<_>>().map(List::V4)
        } else {
            let six = addresses.iter().map(|a| if let IpAddr::V6(a) = *a { Some(a) } else { None });
            six.collect::<Option<_>>().map(List::V6)
        };
        Ok(Self { list: list.ok_or(AddressesError::Mixed)?, count })
    }

    /// Of which family.
    #[must_use]
    pub fn is_ipv4(&self) -> bool {
        matches!(self.list, List::V4(_))
    }

    pub(super) fn count(&self) -> u8 {
        self.count
    }

    pub(super) fn write(&self, message: &mut Vec<u8>) {
        match &self.list {
            List::V4(list) => list.iter().for_each(|address| message.extend(address.octets())),
            List::V6(list) => list.iter().for_each(|address| message.extend(address.octets())),
        }
    }

    /// Whether the others are the same, in whatever order: it means nothing to the protocol.
    pub(super) fn are(&self, others: impl Iterator<Item = IpAddr>) -> bool {
        let mut own: Vec<IpAddr> = match &self.list {
            List::V4(list) => list.iter().copied().map(IpAddr::from).collect(),
            List::V6(list) => list.iter().copied().map(IpAddr::from).collect(),
        };
        let mut others: Vec<IpAddr> = others.collect();
        own.sort_unstable();
        others.sort_unstable();
        own == others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_of_one_family_and_fits_an_advert() {
        let (four, six) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from(Ipv6Addr::LOCALHOST));
        assert_eq!(Addresses::new(&[]), Err(AddressesError::None));
        assert_eq!(Addresses::new(&[four; 256]), Err(AddressesError::TooMany));
        assert_eq!(Addresses::new(&[four, six]), Err(AddressesError::Mixed));
        assert_eq!(Addresses::new(&[six, four]), Err(AddressesError::Mixed));
        assert!(Addresses::new(&[four; 255]).unwrap().is_ipv4());
        assert!(!Addresses::new(&[six]).unwrap().is_ipv4());
    }
}
