//! Configuration, backends and network to the [`Snapshot`] that workers read. Pure but for what it
//! remembers. The schedules only save work: an unchanged service keeps its table and, with it, each
//! worker's place in the order. The [`Pools`] and the meters outlive a configuration because flows do.

mod backends;
mod conflicts;
mod meters;
mod pools;
mod select;
mod served;

pub use backends::{is_behind_a_router, tunnel_source};
pub use conflicts::{Conflict, conflicts};
pub use pools::{Pools, Server, is_above};
pub use served::Served;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use dataplane::admission::Admission;
use dataplane::persistence::{Clients, Persistence};
use dataplane::schedule::{HashOn, Kind, Recipe, Schedule, cluster_seed};
use dataplane::snapshot::{ClientAddress, Fate, Interface, PortSet, Rss, Service, Snapshot, Vip};
use dataplane::types::{BridgeId, Mac, Mode, Prefix, ServiceId};

use crate::config::{self, Config, Forwarding, Ping};
use crate::inventory::Inventory;
use crate::net::{self, NetState, Port};
use select::{Entrant, Selection, select};

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

/// What became of a service's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Whether enough of its backends is up.
    pub has_quorum: bool,
    /// Whether its backup takes new flows instead of them.
    pub on_backup: bool,
    /// The last priority group that takes part; 0: none does.
    pub last_group: u16,
}

/// See the module's head.
#[derive(Debug, Default)]
pub struct Compiler {
    /// By the name of a service and the kind: a service may have two.
    schedules: HashMap<(String, Kind), (Recipe, Arc<Schedule>)>,
    /// By the name of a service: what the next compilation starts from.
    outcomes: HashMap<String, Outcome>,
    /// Whether a backend had not its full weight yet.
    is_warming_up: bool,
    pools: Pools,
    book: meters::Book,
    generation: u64,
}

impl Compiler {
    /// A snapshot of all that is given.
    pub fn compile(&mut self, facts: &Facts<'_>) -> Snapshot {
        self.generation += 1;
        let Facts { config, inventory, net, .. } = *facts;
        let ports = facts.ports();
        let fib = backends::fib(facts, &ports);
        let mut snapshot = Snapshot {
            generation: self.generation,
            interfaces: interfaces(net, &ports),
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
        }
        snapshot.has_fates = snapshot.backends.iter().flatten().any(|backend| backend.fate != Fate::Stays);
        snapshot.snat = self.pools.addresses().to_vec();
        for address in snapshot.snat.iter().flatten() {
            // One that has left the configuration still gets the replies to its flows.
            let vip = Vip { echo: pool.contains(address), bridge: false };
            snapshot.vips.insert(Prefix::host(*address), vip);
        }
        let (mut schedules, mut outcomes) = (HashMap::new(), HashMap::new());
        let mut is_warming_up = false;
        for (id, service) in (0..).map(ServiceId).zip(&config.services) {
            let selection = self.select(facts, service);
            let Selection { has_quorum, on_backup, last_group, .. } = selection;
            outcomes.insert(service.name.clone(), Outcome { has_quorum, on_backup, last_group });
            is_warming_up |= selection.candidates.iter().any(|c| 0 < c.weight && c.weight < c.full);
            let mut compiled = |kind| {
                let (recipe, schedule) = self.schedule(facts, service, kind, &selection);
                schedules.insert((service.name.clone(), kind), (recipe, Arc::clone(&schedule)));
                schedule
            };
            let schedule = compiled(service.scheduler);
            // What translates nothing can do without flows, if something finds their backend.
            let needs_another = !service.mode().is_two_way() && service.scheduler != Kind::Maglev;
            let fallback = needs_another.then(|| compiled(Kind::Maglev));
            let admission = self.book.admission(service, facts.workers, fallback);
            let takers = selection.candidates.iter().filter(|c| c.weight > 0 && !on_backup).map(|c| c.id);
            let member = |id| inventory.get(id).map(|member| (member.address, member.port));
            let persistence = self.book.persistence(config, service, takers, member);
            add_service(&mut snapshot, id, service, (schedule, persistence, admission));
        }
        (self.schedules, self.outcomes, self.is_warming_up) = (schedules, outcomes, is_warming_up);
        self.book.forget();
        snapshot.fib = Arc::new(fib);
        snapshot
    }

    fn select(&self, facts: &Facts<'_>, service: &config::Service) -> Selection {
        let choice = &service.choice;
        let number = |address, port| facts.inventory.number(service, address, port);
        let entrant = |backend: &config::Backend| {
            let id = number(backend.address, backend.port)?;
            let standing = facts.inventory.get(id)?.standing(choice.slow_start, facts.now);
            Some(Entrant { id, name: backend.name(), group: backend.priority_group, standing })
        };
        let entrants: Vec<_> = service.backends.iter().filter_map(entrant).collect();
        let backup = choice.backup.and_then(|backup| {
            Some((number(backup.address, backup.port)?, config::backend_name(backup.address, backup.port)))
        });
        let had_quorum = self.outcomes.get(&service.name).map(|outcome| outcome.has_quorum);
        select(choice, &entrants, backup, had_quorum)
    }

    fn schedule(
        &mut self,
        facts: &Facts<'_>,
        service: &config::Service,
        kind: Kind,
        selection: &Selection,
    ) -> (Recipe, Arc<Schedule>) {
        let recipe = Recipe {
            kind,
            candidates: selection.candidates.clone(),
            workers: facts.workers,
            cluster: facts.config.node.cluster.clone(),
            fallback: service.choice.fallback,
        };
        match self.schedules.remove(&(service.name.clone(), kind)) {
            Some((before, schedule)) if before == recipe => (before, schedule),
            _ => {
                let destinations = self.book.destinations(&service.name, kind);
                let schedule = Schedule::new(&recipe, &destinations);
                (recipe, Arc::new(schedule))
            }
        }
    }

    /// Whether a backend had not its full weight yet when this was last compiled.
    #[must_use]
    pub fn is_warming_up(&self) -> bool {
        self.is_warming_up
    }

    /// What became of a service's choice when it was last compiled.
    #[must_use]
    pub fn outcome(&self, service: &str) -> Option<Outcome> {
        self.outcomes.get(service).copied()
    }

    /// The clients that are remembered, and the names that their groups have: of several services, or of one.
    #[must_use]
    pub fn clients(&self) -> Option<(&Arc<Clients>, &HashMap<(bool, String), u32>)> {
        self.book.clients()
    }

    /// To be called when the configuration has changed.
    pub fn forget_backends(&self) {
        self.book.forget_backends();
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
    snapshot.vips.insert(vip, Vip { echo, bridge: mode == Mode::Bridge });
}

/// What a hash looks at: with `dh` the destination, whatever else is said.
fn hash_on(service: &config::Service) -> HashOn {
    match (service.scheduler, service.choice.hash_on) {
        (Kind::DestinationHash, HashOn::DestinationPort) => HashOn::DestinationAndPort,
        (Kind::DestinationHash, _) => HashOn::Destination,
        (_, hash_on) => hash_on,
    }
}

#[cfg(test)]
mod tests;
