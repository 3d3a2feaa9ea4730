//! What the tests of this module share.

use super::Place;
use crate::flow::{Addresses, Tuple};
use crate::types::{Port, Protocol};
use crate::xdp::{Chunk, Umem};

pub(super) const CLIENT_PORT: u16 = 40000;
pub(super) const SERVICE_PORT: u16 = 80;

/// A chunk of its own.
pub(super) fn chunk() -> Chunk {
    Umem::new(1).unwrap().take().unwrap()
}

/// Client and service.
pub(super) fn ends(v6: bool) -> (&'static str, &'static str) {
    if v6 { ("2001:db8::7", "fd00::64") } else { ("192.0.2.7", "10.0.0.100") }
}

/// From client to service.
pub(super) fn tuple(v6: bool) -> Tuple {
    let (client, service) = ends(v6);
    Tuple {
        addresses: Addresses::new(client.parse().unwrap(), service.parse().unwrap()).unwrap(),
        source_port: Port(CLIENT_PORT),
        destination_port: Port(SERVICE_PORT),
        protocol: Protocol::Tcp,
    }
}

/// Where the segment of an untagged frame is that has no IP options. `back`: from the service to the client.
pub(super) fn place(v6: bool, frame: &[u8], back: bool) -> Place {
    let tuple = if back { tuple(v6).reversed() } else { tuple(v6) };
    Place { tuple, network: 14, transport: if v6 { 54 } else { 34 }, end: frame.len() }
}
