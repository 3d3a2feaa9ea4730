//! Source-NAT pools: which number an address has, and the ports that are taken towards each server.
//!
//! Both outlive a configuration: flows refer to the number and give their port back to the set. An
//! address that has left is closed in the next snapshot, and forgotten when it was without a flow for so
//! long that no worker can still be at work with a snapshot in which it was open.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use dataplane::snapshot::{CAPACITY, CLASSES, PoolPart, PortClasses, PortSet, Rss};
use dataplane::types::{Port, Protocol, SnatId, WorkerId};

/// Where replies come from: what has sets of ports of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Server {
    /// The backend's address.
    pub address: IpAddr,
    /// Its port; `None`: the one that the client has asked for.
    pub port: Option<Port>,
    /// TCP or UDP.
    pub protocol: Protocol,
}

/// The ports of one address towards one server.
#[derive(Debug)]
struct Set {
    ports: Arc<PortSet>,
    /// A backend of the configuration takes new flows from it.
    is_open: bool,
    /// It was closed and without a flow when it was last looked at.
    is_idle: bool,
}

/// How the replies of a server are spread over the workers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread<'a> {
    /// The hash of the NIC that they come in by, if it is known.
    pub rss: Option<&'a Rss>,
    /// Workers; queues are dealt to them in turn.
    pub workers: usize,
}

/// See the module's head.
#[derive(Debug, Default)]
pub struct Pools {
    addresses: Vec<Option<IpAddr>>,
    numbers: HashMap<IpAddr, SnatId>,
    free: BTreeSet<SnatId>,
    sets: HashMap<Server, BTreeMap<IpAddr, Set>>,
    /// The classes of ports where no NIC's hash is known.
    plain: Arc<PortClasses>,
}

impl Pools {
    /// Before the backends of a new snapshot are gone through: none takes new flows so far.
    pub(super) fn begin(&mut self) {
        self.sets.values_mut().flat_map(BTreeMap::values_mut).for_each(|set| set.is_open = false);
    }

    /// What flows to `server` come from, and came from. `open`: the addresses for new flows.
    pub(super) fn parts(&mut self, server: Server, open: &[IpAddr], spread: Spread<'_>) -> Arc<[PoolPart]> {
        let is_v6 = server.address.is_ipv6();
        let layout = spread.rss.map_or(&self.plain, |rss| rss.classes(is_v6));
        let fresh =
            || Set { ports: Arc::new(PortSet::new(Arc::clone(layout))), is_open: true, is_idle: false };
        let sets = self.sets.entry(server).or_default();
        let open: BTreeSet<_> = open.iter().copied().filter(|a| a.is_ipv6() == is_v6).collect();
        for address in &open {
            sets.entry(*address).or_insert_with(fresh).is_open = true;
        }
        let part = |(address, set): (&IpAddr, &Set)| {
            Some(PoolPart {
                address: *self.numbers.get(address)?,
                ports: Arc::clone(&set.ports),
                owners: owners(server, *address, &set.ports, spread),
                open: open.contains(address),
            })
        };
        sets.iter().filter_map(part).collect()
    }

    /// Gives an address a number, if it has none.
    pub(super) fn number(&mut self, address: IpAddr) {
        if self.numbers.contains_key(&address) {
            return;
        }
        // The configuration's bound is far below 2^16.
        let next = || SnatId(u16::try_from(self.addresses.len()).unwrap_or(u16::MAX));
        let id = self.free.pop_first().unwrap_or_else(next);
        if id.index() == self.addresses.len() {
            self.addresses.push(None);
        }
        if let Some(place) = self.addresses.get_mut(id.index()) {
            *place = Some(address);
            self.numbers.insert(address, id);
        }
    }

    /// The addresses by their numbers.
    #[must_use]
    pub fn addresses(&self) -> &[Option<IpAddr>] {
        &self.addresses
    }

    /// Forgets what was closed and without a flow at the last call already; `is_configured` says which
    /// addresses keep their number anyway, `used` how many ports of a set are taken. To be called at
    /// intervals far longer than a worker's batch. Whether there was any.
    pub(super) fn prune(
        &mut self,
        is_configured: impl Fn(IpAddr) -> bool,
        used: impl Fn(&PortSet) -> u32,
    ) -> bool {
        let mut pruned = false;
        for sets in self.sets.values_mut() {
            sets.retain(|_, set| {
                let is_idle = !set.is_open && used(&set.ports) == 0;
                let is_over = is_idle && set.is_idle;
                set.is_idle = is_idle;
                pruned |= is_over;
                !is_over
            });
        }
        self.sets.retain(|_, sets| !sets.is_empty());
        if pruned {
            let in_use: BTreeSet<_> = self.sets.values().flat_map(BTreeMap::keys).copied().collect();
            let gone = |address: &IpAddr| !in_use.contains(address) && !is_configured(*address);
            for (id, place) in (0..).map(SnatId).zip(&mut self.addresses) {
                if let Some(address) = place.take_if(|address| gone(address)) {
                    self.numbers.remove(&address);
                    self.free.insert(id);
                }
            }
        }
        pruned
    }

    /// Every set that new flows come from, and how many of its [`CAPACITY`] ports are taken.
    pub fn usage(&self) -> impl Iterator<Item = (IpAddr, Server, u32)> {
        let of = |(server, sets): (&Server, &BTreeMap<IpAddr, Set>)| {
            let open = sets.iter().filter(|(_, set)| set.is_open);
            open.map(|(address, set)| (*address, *server, set.ports.used())).collect::<Vec<_>>()
        };
        self.sets.iter().flat_map(of)
    }
}

/// The worker that meets the replies to each class of ports, where that is known.
fn owners(
    server: Server,
    address: IpAddr,
    ports: &PortSet,
    spread: Spread<'_>,
) -> Option<Arc<[WorkerId; CLASSES]>> {
    let (rss, port) = (spread.rss?, server.port?);
    // Made before the NIC's hash was known, or for another NIC: its classes mean nothing here.
    if !Arc::ptr_eq(ports.layout(), rss.classes(address.is_ipv6())) {
        return None;
    }
    let workers = u16::try_from(spread.workers).ok().filter(|workers| *workers > 0)?;
    Some(Arc::new(rss.queues(server.address, port, address).map(|queue| WorkerId(queue.0 % workers))))
}

/// Whether nearly all ports of a set are taken, or no longer.
#[must_use]
pub fn is_above(used: u32, percent: u32) -> bool {
    u64::from(used) * 100 >= u64::from(CAPACITY) * u64::from(percent)
}

#[cfg(test)]
#[path = "pools_tests.rs"]
mod tests;
