//! The steering program's maps, kept in step with the snapshot.
//!
//! A change has two phases, so that at no moment a frame comes to a worker that knows nothing of it,
//! or goes to Linux while a worker still counts on it: what is new is added before the snapshot is
//! published, what is stale is removed after. Within a phase the order is such that the box's own
//! addresses are known for as long as there are endpoints that could match their traffic.

use std::net::IpAddr;

use aya::maps::{Array, HashMap, Map, MapData, MapError};
use hashbrown::HashSet;

use super::program::reason;
use crate::error::SteeringError;
use crate::limits::MAX_INTERFACES;
use crate::snapshot::{Endpoint, Snapshot};
use crate::types::{InterfaceId, Mac};

/// `struct address` of `xdp/steering.bpf.c`.
pub(super) type AddressKey = [u8; 20];
/// `struct endpoint` of `xdp/steering.bpf.c`.
type EndpointKey = [u8; 24];

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Steering {
    vips: Set<AddressKey>,
    endpoints: Set<EndpointKey>,
    locals: Set<AddressKey>,
    macs: Macs,
}

impl Steering {
    pub(super) fn new(ebpf: &mut aya::Ebpf) -> Result<Self, SteeringError> {
        Ok(Self {
            vips: Set::new(ebpf, "vips")?,
            endpoints: Set::new(ebpf, "endpoints")?,
            locals: Set::new(ebpf, "locals")?,
            macs: Macs::new(ebpf)?,
        })
    }

    /// Adds what `next` has and the maps have not. A MAC address that an interface no longer has is
    /// forgotten at once: senders that still use it cannot be answered with it.
    pub(crate) fn add(&mut self, next: &Snapshot) -> Result<(), SteeringError> {
        self.macs.follow(next)?;
        self.locals.add(locals(next))?;
        self.endpoints.add(next.return_endpoints.endpoints().map(|e| endpoint_key(&e)))?;
        self.vips.add(vips(next))
    }

    /// Removes what the maps have and `current` has not.
    pub(crate) fn remove_stale(&mut self, current: &Snapshot) -> Result<(), SteeringError> {
        self.vips.keep(vips(current))?;
        self.endpoints.keep(current.return_endpoints.endpoints().map(|e| endpoint_key(&e)))?;
        self.locals.keep(locals(current))
    }
}

/// A hash map of the program that is used as a set, and what we have put into it.
#[derive(Debug)]
struct Set<K: aya::Pod + std::hash::Hash + Eq> {
    name: &'static str,
    map: HashMap<MapData, K, u8>,
    held: HashSet<K>,
}

impl<K: aya::Pod + std::hash::Hash + Eq> Set<K> {
    fn new(ebpf: &mut aya::Ebpf, name: &'static str) -> Result<Self, SteeringError> {
        let map = ebpf.take_map(name).ok_or_else(|| MapError::InvalidName { name: name.into() });
        let map = map.and_then(HashMap::try_from).map_err(|error| refused(name, &error))?;
        Ok(Self { name, map, held: HashSet::new() })
    }

    fn add(&mut self, wanted: impl Iterator<Item = K>) -> Result<(), SteeringError> {
        for key in wanted {
            if !self.held.contains(&key) {
                self.map.insert(key, 1, 0).map_err(|error| refused(self.name, &error))?;
                self.held.insert(key);
            }
        }
        Ok(())
    }

    fn keep(&mut self, wanted: impl Iterator<Item = K>) -> Result<(), SteeringError> {
        let wanted: HashSet<K> = wanted.collect();
        let stale: Vec<K> = self.held.difference(&wanted).copied().collect();
        for key in stale {
            self.map.remove(&key).map_err(|error| refused(self.name, &error))?;
            self.held.remove(&key);
        }
        Ok(())
    }
}

/// The interfaces' MAC addresses in the program, and what we have written there.
#[derive(Debug)]
struct Macs {
    map: Map,
    held: [Mac; MAX_INTERFACES],
}

impl Macs {
    const NAME: &'static str = "macs";

    fn new(ebpf: &mut aya::Ebpf) -> Result<Self, SteeringError> {
        let map = ebpf.take_map(Self::NAME).ok_or_else(|| MapError::InvalidName { name: Self::NAME.into() });
        let map = map.map_err(|error| refused(Self::NAME, &error))?;
        Ok(Self { map, held: [Mac::default(); MAX_INTERFACES] })
    }

    /// Interfaces that `next` does not have get the address of nobody.
    fn follow(&mut self, next: &Snapshot) -> Result<(), SteeringError> {
        let mut map = Array::<_, [u8; 8]>::try_from(&mut self.map).map_err(|e| refused(Self::NAME, &e))?;
        for (id, held) in (0..).map(InterfaceId).zip(&mut self.held) {
            let mac = next.interface(id).map(|interface| interface.mac).unwrap_or_default();
            if *held != mac {
                let mut wire = [0; 8];
                wire[..6].copy_from_slice(&mac.0);
                let written = map.set(u32::from(id.0), wire, 0);
                written.map_err(|error| refused(Self::NAME, &error))?;
                *held = mac;
            }
        }
        Ok(())
    }
}

/// Single virtual addresses.
fn vips(snapshot: &Snapshot) -> impl Iterator<Item = AddressKey> {
    snapshot.vips.iter().filter_map(|(prefix, _)| prefix.single()).map(address_key)
}

/// The box's own addresses that the program must be told of: not those that it refuses by their
/// prefix (`is_no_client`), of which there may be one for each interface that Linux has.
fn locals(snapshot: &Snapshot) -> impl Iterator<Item = AddressKey> {
    let addresses = snapshot.local_addresses.iter().filter(|address| match address {
        IpAddr::V4(v4) => !v4.is_loopback(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    });
    addresses.map(|address| address_key(*address))
}

fn refused(map: &'static str, error: &MapError) -> SteeringError {
    let full =
        matches!(error, MapError::SyscallError(call) if call.io_error.raw_os_error() == Some(libc::E2BIG));
    let reason = if full { "it is full".into() } else { reason(error) };
    SteeringError { map, reason }
}

pub(super) fn address_key(address: IpAddr) -> AddressKey {
    let mut key = [0; 20];
    let (family, bytes) = key.split_at_mut(4);
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

fn endpoint_key(endpoint: &Endpoint) -> EndpointKey {
    let mut key = [0; 24];
    key[..20].copy_from_slice(&address_key(endpoint.address));
    key[20..22].copy_from_slice(&endpoint.port.0.to_be_bytes());
    key[22] = endpoint.protocol.number();
    key
}

#[cfg(test)]
mod tests;
