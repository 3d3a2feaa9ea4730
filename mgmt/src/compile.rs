//! Configuration, backends and network to the [`Snapshot`] that workers read. Pure but for the
//! schedules it remembers, which only saves work: an unchanged service keeps its table and, with it,
//! each worker's place in the order.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use dataplane::schedule::{Candidate, Kind, Schedule, cluster_seed};
use dataplane::snapshot::{
    Backend, Endpoint, Fib, Forwarding, Hop, Interface, MissingState, Service, Snapshot, Vip,
};
use dataplane::types::{Mac, Mode, PortRange, Prefix, ServiceId};

use crate::config::{self, Config};
use crate::inventory::{Inventory, Member};
use crate::net::NetState;

/// What a schedule is made from.
#[derive(Debug, PartialEq, Eq)]
struct Recipe {
    kind: Kind,
    candidates: Vec<Candidate>,
    cluster: String,
}

/// See the module's head.
#[derive(Debug, Default)]
pub struct Compiler {
    schedules: HashMap<String, (Recipe, Arc<Schedule>)>,
    generation: u64,
}

impl Compiler {
    /// A snapshot of all that is given.
    pub fn compile(&mut self, config: &Config, inventory: &Inventory, net: &NetState) -> Snapshot {
        self.generation += 1;
        let names: Vec<_> = config.interfaces.iter().map(|interface| interface.name.as_str()).collect();
        let fib = net.fib(&names);
        let mut snapshot = Snapshot {
            generation: self.generation,
            interfaces: names.iter().map(|name| interface(net, name)).collect(),
            local_addresses: net.local_addresses(),
            hash_seed: cluster_seed(&config.node.cluster),
            timeouts: config.dataplane.flow_timeouts,
            ..Snapshot::default()
        };
        for (_, member) in inventory.members() {
            add_backend(&mut snapshot, member, &fib);
        }
        let mut schedules = HashMap::new();
        for (id, service) in (0..).map(ServiceId).zip(&config.services) {
            let schedule = self.schedule(config, service, inventory, &mut schedules);
            add_service(&mut snapshot, id, service, schedule);
        }
        self.schedules = schedules;
        snapshot.fib = Arc::new(fib);
        snapshot
    }

    fn schedule(
        &mut self,
        config: &Config,
        service: &config::Service,
        inventory: &Inventory,
        kept: &mut HashMap<String, (Recipe, Arc<Schedule>)>,
    ) -> Arc<Schedule> {
        let candidates = service.backends.iter().filter_map(|backend| {
            let id = inventory.number(service, backend.address, backend.port)?;
            let weight = inventory.get(id)?.weight_for_new_flows();
            Some(Candidate { id, name: backend.name(), weight })
        });
        let recipe = Recipe {
            kind: service.scheduler,
            candidates: candidates.collect(),
            cluster: config.node.cluster.clone(),
        };
        let schedule = match self.schedules.remove(&service.name) {
            Some((before, schedule)) if before == recipe => schedule,
            _ => {
                let workers = config.dataplane.cores.len();
                Arc::new(Schedule::compile(recipe.kind, &recipe.candidates, workers, &recipe.cluster))
            }
        };
        kept.insert(service.name.clone(), (recipe, Arc::clone(&schedule)));
        schedule
    }
}

fn interface(net: &NetState, name: &str) -> Interface {
    let link = net.link(name);
    // An interface that has vanished takes no packet: no route leads to it either.
    let mtu = link.map_or(0, |link| u16::try_from(link.mtu).unwrap_or(u16::MAX));
    Interface { mac: link.map_or(Mac::default(), |link| link.mac), mtu, bridge: None, bridge_mac: None }
}

fn add_backend(snapshot: &mut Snapshot, member: Option<&Member>, fib: &Fib) {
    let backend = member.map(|member| {
        let &Member { address, port, protocol, mode, vip, .. } = member;
        // Also of members that have left: their flows go on.
        snapshot.vips.insert(Prefix::host(vip), Vip { echo: true, bridge: false });
        if mode == Mode::Router {
            snapshot.return_endpoints.insert(Endpoint { address, protocol, port });
        }
        let next_hop = match fib.lookup(address) {
            Hop::Known(_) if mode == Mode::Dsr && is_behind_a_router(fib, address) => None,
            Hop::Known(next_hop) => Some(next_hop),
            Hop::NeighbourMissing { .. } | Hop::NoRoute => None,
        };
        let forwarding = if mode == Mode::Dsr { Forwarding::Dsr(None) } else { Forwarding::Router };
        Backend { address, port: Some(port), protocol, forwarding, next_hop, mss_clamp: None }
    });
    snapshot.backends.push(backend);
}

/// Whether packets for an address are handed to a router: a DSR backend there gets none.
#[must_use]
pub fn is_behind_a_router(fib: &Fib, address: IpAddr) -> bool {
    fib.neighbour_towards(address).is_some_and(|(_, neighbour)| neighbour != address)
}

fn add_service(snapshot: &mut Snapshot, id: ServiceId, service: &config::Service, schedule: Arc<Schedule>) {
    let &config::Service { address, port, protocol, mode, .. } = service;
    let (vip, ports) = (Prefix::host(address), PortRange::one(port));
    let missing_state = MissingState::Drop;
    snapshot.services.push(Service { vip, ports, protocol, mode, vlan: None, missing_state, schedule });
    snapshot.endpoints.insert(vip, protocol, ports, id);
    snapshot.vips.insert(vip, Vip { echo: true, bridge: false });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::view::Admin;
    use crate::config::{Machine, load_str};
    use dataplane::types::BackendId;

    fn config(weight: u16) -> Config {
        let text = format!(
            "[[interface]]\nname = \"eth0\"\n\
             [[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\nport = 80\nmode = \"router\"\nscheduler = \"rr\"\n\
             [[service.backend]]\naddress = \"10.0.1.11\"\nport = 8080\n\
             [[service.backend]]\naddress = \"10.0.1.12\"\nport = 8080\nweight = {weight}\n\
             [[service]]\nname = \"dns\"\naddress = \"10.0.0.100\"\nport = 53\nprotocol = \"udp\"\nmode = \"dsr\"\n\
             [[service.backend]]\naddress = \"10.0.1.21\"\n"
        );
        load_str("test.toml", &text, &Machine { cores: 2, hostname: "lb".into() }).unwrap().0
    }

    fn inventory(config: &Config) -> Inventory {
        let mut inventory = Inventory::default();
        inventory.follow(config, crate::clock::now(), |_| dataplane::BackendStats::default());
        inventory
    }

    #[test]
    fn services_and_return_endpoints_are_found_by_what_packets_carry() {
        let config = config(1);
        let snapshot = Compiler::default().compile(&config, &inventory(&config), &NetState::default());
        let vip = |port, protocol| Endpoint { address: "10.0.0.100".parse().unwrap(), protocol, port };
        use dataplane::types::{Port, Protocol};
        assert_eq!(snapshot.endpoints.get(&vip(Port(80), Protocol::Tcp)), Some(ServiceId(0)));
        assert_eq!(snapshot.endpoints.get(&vip(Port(53), Protocol::Udp)), Some(ServiceId(1)));
        assert_eq!(snapshot.endpoints.get(&vip(Port(53), Protocol::Tcp)), None);
        assert_eq!(snapshot.return_endpoints.endpoints().count(), 2, "of the router service alone");
        assert_eq!(snapshot.vips.iter().count(), 1);
        assert_eq!(snapshot.backends.len(), 3);
    }

    #[test]
    fn an_unchanged_service_keeps_its_schedule_and_a_changed_one_does_not() {
        let mut compiler = Compiler::default();
        let (config, changed) = (config(1), config(2));
        let mut inventory = inventory(&config);
        let net = NetState::default();
        let first = compiler.compile(&config, &inventory, &net);
        let second = compiler.compile(&config, &inventory, &net);
        assert!(Arc::ptr_eq(&first.services[0].schedule, &second.services[0].schedule));
        inventory.follow(&changed, crate::clock::now(), |_| dataplane::BackendStats::default());
        let third = compiler.compile(&changed, &inventory, &net);
        assert!(!Arc::ptr_eq(&second.services[0].schedule, &third.services[0].schedule));
        assert!(Arc::ptr_eq(&second.services[1].schedule, &third.services[1].schedule));
    }

    #[test]
    fn a_disabled_backend_takes_no_new_flows() {
        let config = config(1);
        let mut inventory = inventory(&config);
        inventory.get_mut(BackendId(0)).unwrap().admin = Admin::Disabled;
        let snapshot = Compiler::default().compile(&config, &inventory, &NetState::default());
        let schedule = &snapshot.services[0].schedule;
        let chosen: Vec<_> = (0..4).map(|_| schedule.choose(Default::default(), 0)).collect();
        assert_eq!(chosen, [Some(BackendId(1)); 4]);
        assert!(snapshot.backend(BackendId(0)).is_some(), "its flows go on");
    }
}
