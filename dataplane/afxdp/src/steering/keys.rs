//! Keys of the steering program's maps, byte by byte as `xdp/steering/maps.h` has them.

use std::net::IpAddr;

use penstock_types::{Endpoint, InterfaceId, Mac, Port, Prefix};

/// `struct address`.
pub(crate) type AddressKey = [u8; 20];
/// `struct endpoint`.
pub(super) type EndpointKey = [u8; 24];
/// `struct mac`.
pub(super) type MacKey = [u8; 12];
/// Our number of an interface.
pub(super) type InterfaceKey = u32;

/// `struct prefix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PrefixKey {
    /// The family's bits counted.
    pub(super) length: u32,
    pub(super) address: AddressKey,
}

/// Bytes of an address's family.
const FAMILY: usize = 4;

pub(crate) fn address(address: IpAddr) -> AddressKey {
    let mut key = [0; 20];
    let (family, bytes) = key.split_at_mut(FAMILY);
    match address {
        IpAddr::V4(v4) => {
            family.copy_from_slice(&4_u32.to_ne_bytes());
            bytes[..4].copy_from_slice(&v4.octets());
        }
        IpAddr::V6(v6) => {
            family.copy_from_slice(&6_u32.to_ne_bytes());
            bytes.copy_from_slice(&v6.octets());
        }
    }
    key
}

pub(super) fn prefix(prefix: Prefix) -> PrefixKey {
    #[expect(clippy::cast_possible_truncation, reason = "four bytes of the key")]
    let family = 8 * FAMILY as u32;
    PrefixKey { length: family + u32::from(prefix.length()), address: address(prefix.address()) }
}

pub(super) fn endpoint(endpoint: &Endpoint) -> EndpointKey {
    let mut key = [0; 24];
    key[..20].copy_from_slice(&address(endpoint.address));
    key[20..22].copy_from_slice(&endpoint.port.0.to_be_bytes());
    key[22] = endpoint.protocol.number();
    key
}

/// Of all that comes from an endpoint's address by its protocol.
pub(super) fn sender(endpoint: &Endpoint) -> EndpointKey {
    self::endpoint(&Endpoint { port: Port(0), ..*endpoint })
}

pub(super) fn interface(id: InterfaceId) -> InterfaceKey {
    id.0.into()
}

pub(super) fn mac(at: InterfaceId, mac: Mac) -> MacKey {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&interface(at).to_ne_bytes());
    key[4..10].copy_from_slice(&mac.0);
    key
}
