//! Configuration, backends and network to the [`Snapshot`] that workers read. Pure but for what it
//! remembers. The schedules only save work: an unchanged service keeps its table and, with it, each
//! worker's place in the order. The [`Pools`] and the meters outlive a configuration because flows do.

mod backends;
mod build;
mod choose;
mod conflicts;
mod forecast;
mod meters;
mod mtu;
mod neighbours;
mod pools;
mod select;
mod served;
mod tenancies;

pub use backends::{fate, is_behind_a_router, tunnel_source};
pub use choose::Outcome;
pub use conflicts::{Conflict, SharedAddress, conflicts, hidden_tags, shared_addresses};
pub use forecast::{Moved, moved};
pub use meters::Groups;
pub use mtu::{Tight, tight};
pub use pools::{Pools, Server, is_above};
pub use served::Served;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use dataplane::admission::Admission;
use dataplane::persistence::{Clients, Persistence};
use dataplane::schedule::{Schedule, cluster_seed};
use dataplane::snapshot::{
    ClientAddress, Endpoint, Fate, Interface, InterfaceSet, MissingState, PortSet, Rss, Service, Snapshot,
    Tenure, Vip,
};
use dataplane::types::{self, BridgeId, InterfaceId, Mac, Mode, Prefix, ServiceId};

use crate::config::{self, Config, Forwarding, Ping};
use crate::inventory::Inventory;
use crate::net::{self, NetState, Port};
use choose::{Schedules, hash_on};

/// What a snapshot is made from.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What the operator wants.
    pub config: &'a Config,
    /// The backends.
    pub inventory: &'a Inventory,
    /// What the kernel knows of the network.
    pub net: &'a NetState,
    /// The NICs' hashes, in the order of the configured interfaces, as far as they can be read.
    pub rss: &'a [Option<Rss>],
    /// Worker threads.
    pub workers: usize,
    /// The present.
    pub now: Instant,
}

impl<'a> Facts<'a> {
    /// The interfaces by name.
    #[must_use]
    pub fn ports(&self) -> Vec<Port<'a>> {
        ports(self.config)
    }
}

/// The configured interfaces by name.
#[must_use]
pub fn ports(config: &Config) -> Vec<Port<'_>> {
    let interfaces = config.interfaces.iter();
    interfaces.map(|i| Port { name: &i.name, bridge: i.bridge.as_deref() }).collect()
}

/// See the module's head.
#[derive(Debug, Default)]
pub struct Compiler {
    /// By the name of a service and the kind: a service may have two.
    schedules: Schedules,
    /// By the name of a service: what the next compilation starts from.
    outcomes: HashMap<String, Outcome>,
    pools: Pools,
    book: meters::Book,
    /// By the name of a virtual router.
    tenures: HashMap<String, Arc<Tenure>>,
    generation: u64,
    /// Threads that schedules are built on; 0: this one.
    builders: usize,
}

impl Compiler {
    /// From now on, schedules are built on up to so many threads.
    pub fn build_on(&mut self, threads: usize) {
        self.builders = threads;
    }

    /// A snapshot of all that is given.
    pub fn compile(&mut self, facts: &Facts<'_>) -> Snapshot {
        self.generation += 1;
        let Facts { config, inventory, net, .. } = *facts;
        let ports = facts.ports();
        let fib = backends::fib(facts, &ports);
        let mut snapshot = Snapshot {
            generation: self.generation,
            interfaces: interfaces(net, &ports),
            unfinished: unfinished(net, &ports),
            local_addresses: net.local_addresses(),
            hash_seed: cluster_seed(&config.node.cluster),
            timeouts: config.dataplane.flow_timeouts,
            stations: Arc::new(net.stations(&ports)),
            ..Snapshot::default()
        };
        self.pools.begin();
        let pool = pool_addresses(config);
        pool.iter().for_each(|address| self.pools.number(*address));
        for (id, member) in inventory.members() {
            let meters = member.map(|member| self.book.meters(id, member, facts.workers));
            backends::add(&mut snapshot, member.zip(meters), &fib, facts, &mut self.pools);
            let fate = member.map_or(Fate::Stays, |member| fate(member, snapshot.backend(id), facts.now));
            snapshot.fates.set(id, fate);
        }
        snapshot.snat = self.pools.addresses().to_vec();
        for address in snapshot.snat.iter().flatten() {
            // One that has left the configuration still gets the replies to its flows.
            let vip = Vip { echo: pool.contains(address), bridge: false, pool: true };
            snapshot.vips.insert(Prefix::host(*address), vip);
        }
        let (mut schedules, mut outcomes) = (Schedules::new(), HashMap::new());
        let threads = self.builders;
        let planned = config.services.iter().map(|service| self.plan(facts, service));
        let plans = build::build(planned, threads);
        for ((id, service), plan) in (0..).map(ServiceId).zip(&config.services).zip(plans) {
            let chosen = self.choose(facts, service, plan, &mut schedules);
            outcomes.insert(service.name.clone(), chosen.outcome);
            let admission = self.book.admission(service, facts.workers, chosen.fallback);
            add_service(&mut snapshot, id, service, (chosen.schedule, chosen.persistence, admission));
        }
        (self.schedules, self.outcomes) = (schedules, outcomes);
        self.add_tenancies(&mut snapshot, config, &ports);
        self.book.forget();
        snapshot.fib = Arc::new(fib);
        snapshot
    }

    /// The clients that are remembered, and the names that their groups have: of several services, or of one.
    #[must_use]
    pub fn clients(&self) -> Option<(&Arc<Clients>, &Groups)> {
        self.book.clients()
    }

    /// To be called when a service has got other backends.
    pub fn forget_backends(&self, service: &str) {
        self.book.forget_backends(service);
    }

    /// The ports that one-arm flows have taken.
    #[must_use]
    pub fn pools(&self) -> &Pools {
        &self.pools
    }

    /// Forgets pool addresses that have left and have no flow any more; says whether there were any. To
    /// be called once a second.
    pub fn prune_pools(&mut self, config: &Config) -> bool {
        let pool = pool_addresses(config);
        self.pools.prune(|address| pool.contains(&address), PortSet::used)
    }
}

/// The addresses of all pools, each once.
#[must_use]
pub fn pool_addresses(config: &Config) -> BTreeSet<IpAddr> {
    let pools = config.services.iter().filter_map(|service| match &service.forwarding {
        Forwarding::OneArm { pool, .. } => Some(pool),
        _ => None,
    });
    pools.flat_map(|pool| pool.iter().copied()).collect()
}

/// The largest TCP segment that fits into an Ethernet frame on both sides of the box.
fn largest_segment(service: &config::Service) -> u16 {
    let is_v6 = service.backends.iter().any(|backend| backend.address.is_ipv6());
    let frame = if is_v6 { 1440 } else { 1460 };
    service.mss_clamp.map_or(frame, |clamp| clamp.min(frame))
}

fn interfaces(net: &NetState, ports: &[Port<'_>]) -> Vec<Interface> {
    let bridges: HashMap<&str, BridgeId> =
        net::numbered_bridges(ports).map(|(id, name)| (name, id)).collect();
    let interface = |port: &Port<'_>| {
        let link = net.link(port.name);
        // An interface that has vanished takes no packet: no route leads to it either.
        let mtu = link.map_or(0, |link| u16::try_from(link.mtu).unwrap_or(u16::MAX));
        Interface {
            mac: link.map_or(Mac::default(), |link| link.mac),
            mtu,
            bridge: port.bridge.and_then(|name| bridges.get(name).copied()),
            bridge_mac: port.bridge.and_then(|name| net.link(name)).map(|bridge| bridge.mac),
        }
    };
    ports.iter().map(interface).collect()
}

/// Interfaces whose frames may come from the same machine.
fn unfinished(net: &NetState, ports: &[Port<'_>]) -> InterfaceSet {
    let numbered = (0..).map(InterfaceId).zip(ports);
    let is_local = |port: &Port<'_>| net.link(port.name).is_some_and(|link| net.is_unfinished(link));
    numbered.filter(|(_, port)| is_local(port)).map(|(id, _)| id).collect()
}

fn add_service(
    snapshot: &mut Snapshot,
    id: ServiceId,
    service: &config::Service,
    (schedule, persistence, admission): (Arc<Schedule>, Option<Persistence>, Admission),
) {
    let &config::Service { address: vip, ports, protocol, vlan, missing_state, ping, syn_proxy, .. } =
        service;
    let client_address = match service.forwarding {
        Forwarding::OneArm { client_address, .. } => client_address,
        _ => ClientAddress::None,
    };
    let mode = service.mode();
    let has_takers = !schedule.is_empty();
    snapshot.services.push(Service {
        vip,
        ports,
        protocol,
        mode,
        vlan,
        missing_state,
        schedule,
        hash_on: hash_on(service),
        persistence,
        admission,
        syn_proxy,
        largest_segment: largest_segment(service),
        client_address,
    });
    snapshot.endpoints.insert(vip, protocol, ports, id);
    let echo = match ping {
        Ping::Up => has_takers,
        Ping::Always => true,
        Ping::Never => false,
    };
    snapshot.vips.insert(vip, Vip { echo, bridge: mode == Mode::Bridge, pool: false });
    if (mode, missing_state) == (Mode::OneArm, MissingState::Reset) {
        for backend in &service.backends {
            let port = backend.port.unwrap_or(types::Port(0));
            snapshot.reset_endpoints.insert(Endpoint { address: backend.address, protocol, port });
        }
    }
}

#[cfg(test)]
mod tests;
