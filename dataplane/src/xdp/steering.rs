//! The steering program's maps, kept in step with the snapshot.
//!
//! A change has two phases, so that at no moment a frame comes to a worker that knows nothing of it,
//! or goes to Linux while a worker still counts on it: what is new is added before the snapshot is
//! published, what is stale is removed after. Within a phase the order is such that the box's own
//! addresses are known for as long as there are endpoints that could match their traffic.

mod keys;
mod table;

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

pub(super) use self::keys::{AddressKey, address as address_key};
use self::keys::{EndpointKey, InterfaceKey, MacKey, PrefixKey};
use self::table::{Exact, Longest, Table};
use crate::at_once;
use crate::error::SteeringError;
use crate::snapshot::{Snapshot, Vip};
use crate::types::{InterfaceId, Mac};

/// A VIP of a service in bridge mode: `VIP_BRIDGE` of `xdp/steering/maps.h`.
const BRIDGE: u8 = 1;
/// In a table that is but a set.
const NO_FLAGS: u8 = 0;

/// So many entries take longer than starting a thread for them. At the start alone: later, cores have more to do.
const MANY: usize = 10_000;

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Steering {
    vips: Table<Exact<AddressKey>>,
    vip_prefixes: Table<Longest>,
    endpoints: Table<Exact<EndpointKey>>,
    senders: Table<Exact<EndpointKey>>,
    locals: Table<Exact<AddressKey>>,
    macs: Table<Exact<MacKey>>,
    bridge_ports: Table<Exact<InterfaceKey>>,
}

impl Steering {
    pub(super) fn new(ebpf: &mut aya::Ebpf) -> Result<Self, SteeringError> {
        Ok(Self {
            vips: Table::new(ebpf, "vips")?,
            vip_prefixes: Table::new(ebpf, "vip_prefixes")?,
            endpoints: Table::new(ebpf, "endpoints")?,
            senders: Table::new(ebpf, "senders")?,
            locals: Table::new(ebpf, "locals")?,
            macs: Table::new(ebpf, "macs")?,
            bridge_ports: Table::new(ebpf, "bridge_ports")?,
        })
    }

    /// Adds what `next` has and the maps have not. A MAC address that an interface no longer has is
    /// forgotten at once: senders that still use it cannot be answered with it.
    pub(crate) fn add(&mut self, next: &Snapshot) -> Result<(), SteeringError> {
        self.macs.keep(macs(next))?;
        self.macs.add(macs(next))?;
        self.locals.add(locals(next))?;
        let is_much = self.endpoints.is_empty() && endpoints(next).nth(MANY).is_some();
        let senders_too = Mutex::new(&mut self.senders);
        let add_senders = || senders_too.lock().unwrap_or_else(PoisonError::into_inner).add(senders(next));
        let (added, also) = match is_much {
            true => at_once(|| self.endpoints.add(endpoints(next)), add_senders),
            false => (self.endpoints.add(endpoints(next)), add_senders()),
        };
        added.and(also)?;
        self.vips.add(vips(next))?;
        self.vip_prefixes.add(vip_prefixes(next))?;
        self.bridge_ports.add(bridge_ports(next))
    }

    /// Removes what the maps have and `current` has not.
    pub(crate) fn remove_stale(&mut self, current: &Snapshot) -> Result<(), SteeringError> {
        self.bridge_ports.keep(bridge_ports(current))?;
        self.vip_prefixes.keep(vip_prefixes(current))?;
        self.vips.keep(vips(current))?;
        self.senders.keep(senders(current))?;
        self.endpoints.keep(endpoints(current))?;
        self.locals.keep(locals(current))
    }
}

fn vips(snapshot: &Snapshot) -> impl Iterator<Item = (AddressKey, u8)> {
    let hosts = snapshot.vips.iter().filter_map(|(vip, what)| Some((vip.single()?, what)));
    hosts.map(|(address, what)| (address_key(address), flags(what)))
}

fn vip_prefixes(snapshot: &Snapshot) -> impl Iterator<Item = (PrefixKey, u8)> {
    let prefixes = snapshot.vips.iter().filter(|(vip, _)| vip.single().is_none());
    prefixes.map(|(prefix, what)| (keys::prefix(prefix), flags(what)))
}

fn flags(what: Vip) -> u8 {
    if what.bridge { BRIDGE } else { NO_FLAGS }
}

fn endpoints(snapshot: &Snapshot) -> impl Iterator<Item = (EndpointKey, u8)> {
    snapshot.return_endpoints.endpoints().map(|endpoint| (keys::endpoint(&endpoint), NO_FLAGS))
}

fn senders(snapshot: &Snapshot) -> impl Iterator<Item = (EndpointKey, u8)> {
    snapshot.return_endpoints.endpoints().map(|endpoint| (keys::sender(&endpoint), NO_FLAGS))
}

/// The box's own addresses that the program must be told of: not those that it refuses by their
/// prefix (`is_no_client`), of which there may be one for each interface that Linux has.
fn locals(snapshot: &Snapshot) -> impl Iterator<Item = (AddressKey, u8)> {
    let addresses = snapshot.local_addresses.iter().filter(|address| match address {
        IpAddr::V4(v4) => !v4.is_loopback(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    });
    addresses.map(|address| (address_key(*address), NO_FLAGS))
}

/// The MAC addresses by which the box is known on each interface, virtual ones included; an interface that is gone has none.
fn macs(snapshot: &Snapshot) -> impl Iterator<Item = (MacKey, u8)> {
    let interfaces = (0..).map(InterfaceId).zip(&snapshot.interfaces);
    let each = interfaces.flat_map(|(id, interface)| {
        [Some(interface.mac), interface.bridge_mac].into_iter().flatten().map(move |mac| (id, mac))
    });
    let each = each.chain(snapshot.tenancies.macs());
    each.filter(|(_, mac)| *mac != Mac::default()).map(|(id, mac)| (keys::mac(id, mac), NO_FLAGS))
}

fn bridge_ports(snapshot: &Snapshot) -> impl Iterator<Item = (InterfaceKey, u8)> {
    let interfaces = (0..).map(InterfaceId).zip(&snapshot.interfaces);
    let ports = interfaces.filter(|(_, interface)| interface.bridge.is_some());
    ports.map(|(id, _)| (keys::interface(id), NO_FLAGS))
}

#[cfg(test)]
mod tests;
