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

pub(crate) use self::keys::{AddressKey, address as address_key};
use self::keys::{EndpointKey, InterfaceKey, MacKey, PrefixKey};
use self::table::{Exact, Longest, Table};
use crate::at_once;
use crate::error::SteeringError;
use penstock_types::{Endpoint, InterfaceId, Mac, Prefix};

/// A VIP of a service in bridge mode: `VIP_BRIDGE` of `xdp/steering/maps.h`.
const BRIDGE: u8 = 1;
/// In a table that is but a set.
const NO_FLAGS: u8 = 0;

/// So many entries take longer than starting a thread for them. At the start alone: later, cores have more to do.
const MANY: usize = 10_000;

/// The addresses by which the program chooses the frames for workers.
pub trait Steered: Sync {
    /// Virtual addresses, and whether each belongs to a service in bridge mode.
    fn vips(&self) -> impl Iterator<Item = (Prefix, bool)>;
    /// Endpoints of backends whose packets are translated; port 0 stands for every port.
    fn return_endpoints(&self) -> impl Iterator<Item = Endpoint>;
    /// The node's own addresses.
    fn local_addresses(&self) -> impl Iterator<Item = IpAddr>;
    /// MAC addresses of the node on each interface, virtual ones included; an interface that is gone has none.
    fn macs(&self) -> impl Iterator<Item = (InterfaceId, Mac)>;
    /// Interfaces that are ports of a bridge.
    fn bridge_ports(&self) -> impl Iterator<Item = InterfaceId>;
}

/// See the module's head.
#[derive(Debug)]
pub struct Steering {
    vips: Table<Exact<AddressKey>>,
    vip_prefixes: Table<Longest>,
    endpoints: Table<Exact<EndpointKey>>,
    senders: Table<Exact<EndpointKey>>,
    locals: Table<Exact<AddressKey>>,
    macs: Table<Exact<MacKey>>,
    bridge_ports: Table<Exact<InterfaceKey>>,
}

impl Steering {
    pub(crate) fn new(ebpf: &mut aya::Ebpf) -> Result<Self, SteeringError> {
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
    pub fn add(&mut self, next: &impl Steered) -> Result<(), SteeringError> {
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
    pub fn remove_stale(&mut self, current: &impl Steered) -> Result<(), SteeringError> {
        self.bridge_ports.keep(bridge_ports(current))?;
        self.vip_prefixes.keep(vip_prefixes(current))?;
        self.vips.keep(vips(current))?;
        self.senders.keep(senders(current))?;
        self.endpoints.keep(endpoints(current))?;
        self.locals.keep(locals(current))
    }
}

fn vips(addresses: &impl Steered) -> impl Iterator<Item = (AddressKey, u8)> {
    let hosts = addresses.vips().filter_map(|(vip, is_bridged)| Some((vip.single()?, is_bridged)));
    hosts.map(|(address, is_bridged)| (address_key(address), flags(is_bridged)))
}

fn vip_prefixes(addresses: &impl Steered) -> impl Iterator<Item = (PrefixKey, u8)> {
    let prefixes = addresses.vips().filter(|(vip, _)| vip.single().is_none());
    prefixes.map(|(prefix, is_bridged)| (keys::prefix(prefix), flags(is_bridged)))
}

fn flags(is_bridged: bool) -> u8 {
    if is_bridged { BRIDGE } else { NO_FLAGS }
}

fn endpoints(addresses: &impl Steered) -> impl Iterator<Item = (EndpointKey, u8)> {
    addresses.return_endpoints().map(|endpoint| (keys::endpoint(&endpoint), NO_FLAGS))
}

fn senders(addresses: &impl Steered) -> impl Iterator<Item = (EndpointKey, u8)> {
    addresses.return_endpoints().map(|endpoint| (keys::sender(&endpoint), NO_FLAGS))
}

/// The node's own addresses that the program must be given: not those that it refuses by their
/// prefix (`is_no_client`), of which there may be one for each interface that Linux has.
fn locals(addresses: &impl Steered) -> impl Iterator<Item = (AddressKey, u8)> {
    let addresses = addresses.local_addresses().filter(|address| match address {
        IpAddr::V4(v4) => !v4.is_loopback(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    });
    addresses.map(|address| (address_key(address), NO_FLAGS))
}

fn macs(addresses: &impl Steered) -> impl Iterator<Item = (MacKey, u8)> {
    let each = addresses.macs().filter(|(_, mac)| *mac != Mac::default());
    each.map(|(id, mac)| (keys::mac(id, mac), NO_FLAGS))
}

fn bridge_ports(addresses: &impl Steered) -> impl Iterator<Item = (InterfaceKey, u8)> {
    addresses.bridge_ports().map(|id| (keys::interface(id), NO_FLAGS))
}
