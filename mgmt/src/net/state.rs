//! What the box knows of the network: a pure structure, fed with events.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use dataplane::snapshot::{self, Fib};
use dataplane::types::{BridgeId, InterfaceId, Mac};
use hashbrown::HashMap;

use super::policy::Names;
use super::routing::Routing;
use super::{Link, Neighbour, PolicyRule, Route, Station};

/// A change that the kernel told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A link is new or has changed.
    Link(Link),
    /// The link of this number is gone.
    LinkGone(u32),
    /// The box has this address on this link.
    Address(u32, IpAddr),
    /// It no longer has.
    AddressGone(u32, IpAddr),
    /// A route is there; `replace`: instead of all others of its key.
    Route(Route, /** replace */ bool),
    /// A route is gone.
    RouteGone(Route),
    /// A policy rule is there.
    Rule(PolicyRule),
    /// A policy rule is gone.
    RuleGone(PolicyRule),
    /// A neighbour entry is new or has changed.
    Neighbour(Neighbour),
    /// A neighbour entry is gone.
    NeighbourGone(u32, IpAddr),
    /// A bridge has learned where a station is.
    Station(Station),
    /// It has forgotten.
    StationGone(Station),
}

/// What an event did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing that a snapshot shows.
    Nothing,
    /// A snapshot built now differs.
    Changed,
    /// More has changed than the kernel tells: IPv4 routes leave without a message when their
    /// link goes down or their source address is deleted. Read everything again.
    Incomplete,
}

/// An interface of the data plane as the configuration names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port<'n> {
    /// Its own name.
    pub name: &'n str,
    /// That of the bridge that it is a port of.
    pub bridge: Option<&'n str>,
}

/// Links, the box's own addresses, routes, neighbours, and what bridges have learned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetState {
    pub(super) links: BTreeMap<u32, Link>,
    addresses: BTreeSet<(u32, IpAddr)>,
    routing: Routing,
    pub(super) neighbours: BTreeMap<(u32, IpAddr), Neighbour>,
    /// The port of each station, by bridge, address and VLAN.
    stations: BTreeMap<(u32, Mac, u16), u32>,
}

impl NetState {
    /// Takes in one event.
    pub fn apply(&mut self, event: Event) -> Effect {
        match event {
            Event::Link(link) => self.link_changed(link),
            Event::LinkGone(index) => self.link_gone(index),
            Event::Address(index, address) => changed(self.addresses.insert((index, address))),
            Event::AddressGone(index, address) => {
                if self.addresses.remove(&(index, address)) {
                    Effect::Incomplete
                } else {
                    Effect::Nothing
                }
            }
            Event::Route(route, replace) => self.routing.add_route(route, replace),
            Event::RouteGone(route) => self.routing.remove_route(&route),
            Event::Rule(rule) => self.routing.add_rule(rule),
            Event::RuleGone(rule) => self.routing.remove_rule(&rule),
            Event::Neighbour(neighbour) => self.neighbour_changed(neighbour),
            Event::NeighbourGone(index, address) => {
                let gone = self.neighbours.remove(&(index, address));
                changed(gone.is_some_and(|n| n.usable_mac().is_some()))
            }
            Event::Station(Station { bridge, port, mac, vlan }) => {
                changed(self.stations.insert((bridge, mac, vlan), port) != Some(port))
            }
            Event::StationGone(Station { bridge, port, mac, vlan }) => {
                let is_it = self.stations.get(&(bridge, mac, vlan)) == Some(&port);
                changed(is_it && self.stations.remove(&(bridge, mac, vlan)).is_some())
            }
        }
    }

    fn link_changed(&mut self, link: Link) -> Effect {
        let usable = link.usable();
        match self.links.insert(link.index, link.clone()) {
            Some(old) if old == link => Effect::Nothing,
            Some(old) if old.usable() == usable => Effect::Changed,
            Some(_) => Effect::Incomplete,
            None => Effect::Changed,
        }
    }

    fn link_gone(&mut self, index: u32) -> Effect {
        if self.links.remove(&index).is_none() {
            return Effect::Nothing;
        }
        self.addresses.retain(|(interface, _)| *interface != index);
        self.neighbours.retain(|(interface, _), _| *interface != index);
        self.stations.retain(|(bridge, ..), port| *bridge != index && *port != index);
        self.routing.lose_link(index);
        Effect::Incomplete
    }

    fn neighbour_changed(&mut self, neighbour: Neighbour) -> Effect {
        let mac = neighbour.usable_mac();
        let old = self.neighbours.insert((neighbour.interface, neighbour.address), neighbour);
        changed(old.and_then(|n| n.usable_mac()) != mac)
    }

    /// The link that has this name, as its main name or, if none has, as another one: while names are exchanged two may
    /// have it here.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&Link> {
        let main = self.links.values().find(|link| link.name == name);
        main.or_else(|| self.links.values().find(|link| link.is_named(name)))
    }

    /// The link of that number.
    #[must_use]
    pub fn link_by_index(&self, index: u32) -> Option<&Link> {
        self.links.get(&index)
    }

    /// All links, in the kernel's order.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// The box's own addresses, each once.
    #[must_use]
    pub fn local_addresses(&self) -> Vec<IpAddr> {
        let distinct: BTreeSet<IpAddr> = self.addresses.iter().map(|(_, address)| *address).collect();
        distinct.into_iter().collect()
    }

    /// All addresses of the box, with the link that has each.
    pub fn addresses(&self) -> impl Iterator<Item = (&Link, IpAddr)> {
        self.addresses.iter().filter_map(|(index, address)| Some((self.links.get(index)?, *address)))
    }

    /// The addresses of one link.
    pub fn addresses_of(&self, index: u32) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().filter(move |(interface, _)| *interface == index).map(|(_, address)| *address)
    }

    /// The routers that routes lead to.
    #[must_use]
    pub fn gateways(&self) -> BTreeSet<IpAddr> {
        self.routing.gateways()
    }

    /// The neighbour table, by link and address.
    pub fn neighbours(&self) -> impl Iterator<Item = &Neighbour> {
        self.neighbours.values()
    }

    /// One neighbour.
    #[must_use]
    pub fn neighbour(&self, interface: u32, address: IpAddr) -> Option<&Neighbour> {
        self.neighbours.get(&(interface, address))
    }

    /// The link whose addresses, routes and neighbours are an interface's: its bridge, where it is a
    /// port of one.
    #[must_use]
    pub fn ip_link(&self, port: Port<'_>) -> Option<&Link> {
        self.link(port.bridge.unwrap_or(port.name))
    }

    /// The numbers of links to the data plane's interfaces, in the order of their [`InterfaceId`]s. A
    /// bridge stands for its first port; a name that no link has is not reached.
    pub(super) fn ids(&self, ports: &[Port<'_>]) -> BTreeMap<u32, InterfaceId> {
        let mut ids = BTreeMap::new();
        for (id, port) in (0..).map(InterfaceId).zip(ports) {
            let names = [Some(port.name), port.bridge].into_iter().flatten();
            for link in names.filter_map(|name| self.link(name)) {
                ids.entry(link.index).or_insert(id);
            }
        }
        ids
    }

    /// Routes, policy rules and neighbours as the data plane reads them. `hosts`: routes that come before all
    /// others.
    pub fn fib(&self, ports: &[Port<'_>], hosts: impl IntoIterator<Item = snapshot::Route>) -> Fib {
        self.with_names(ports, |names| {
            let (rules, routes) = self.routing.compile(names);
            let hosts = hosts.into_iter().map(|route| (0, route));
            Fib::with_rules(rules, hosts.chain(routes), self.next_hops(ports))
        })
    }

    /// What of the kernel's rules and routes the data plane does not follow, in words.
    #[must_use]
    pub fn not_followed(&self, ports: &[Port<'_>]) -> Vec<String> {
        self.with_names(ports, |names| self.routing.not_followed(names))
    }

    /// Whether rules beside the kernel's own decide about paths of the data plane.
    #[must_use]
    pub fn has_rules(&self, ports: &[Port<'_>]) -> bool {
        self.with_names(ports, |names| self.routing.has_rules(names))
    }

    #[cfg(test)]
    pub(super) fn routing(&self) -> &Routing {
        &self.routing
    }

    fn with_names<T>(&self, ports: &[Port<'_>], then: impl FnOnce(&Names<'_>) -> T) -> T {
        let named = |name: &str| {
            let numbered = (0..).map(InterfaceId).zip(ports);
            let ids = numbered.filter(|(_, port)| port.name == name || port.bridge == Some(name));
            ids.map(|(id, _)| id).collect()
        };
        let is_up = |index| self.links.get(&index).is_none_or(Link::usable);
        then(&Names { ids: self.ids(ports), named: &named, is_up: &is_up })
    }

    /// Which port of a bridge each station is behind.
    #[must_use]
    pub fn stations(&self, ports: &[Port<'_>]) -> HashMap<(BridgeId, Mac), InterfaceId> {
        let mut found = HashMap::new();
        let ids: BTreeMap<u32, InterfaceId> = (0..)
            .map(InterfaceId)
            .zip(ports)
            .filter_map(|(id, port)| Some((self.link(port.name)?.index, id)))
            .collect();
        for (bridge, name) in numbered_bridges(ports) {
            let Some(link) = self.link(name) else { continue };
            let (from, to) = ((link.index, Mac::default(), 0), (link.index, Mac::BROADCAST, u16::MAX));
            for ((_, mac, _), port) in self.stations.range(from..=to) {
                if let Some(id) = ids.get(port) {
                    found.insert((bridge, *mac), *id);
                }
            }
        }
        found
    }
}

/// The bridges, numbered in the order of their first ports.
pub fn numbered_bridges<'n>(ports: &[Port<'n>]) -> impl Iterator<Item = (BridgeId, &'n str)> {
    let mut names: Vec<&str> = Vec::new();
    for name in ports.iter().filter_map(|port| port.bridge) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    (0..).map(BridgeId).zip(names)
}

fn changed(yes: bool) -> Effect {
    if yes { Effect::Changed } else { Effect::Nothing }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
