//! What the box knows of the network: a pure structure, fed with events.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use dataplane::snapshot::{self, NextHop};
use dataplane::types::{BridgeId, InterfaceId, Mac};
use hashbrown::HashMap;

use super::{Link, Neighbour, Route, RouteKey, Station, Target};

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
    links: BTreeMap<u32, Link>,
    addresses: BTreeSet<(u32, IpAddr)>,
    /// Several targets for one key: the first decides (`ip route append`).
    routes: BTreeMap<RouteKey, Vec<Target>>,
    neighbours: BTreeMap<(u32, IpAddr), Neighbour>,
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
            Event::Route(route, replace) => self.route_added(route, replace),
            Event::RouteGone(route) => self.route_gone(route),
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
        self.routes.retain(|_, targets| {
            targets.retain(|target| target.interface != Some(index));
            !targets.is_empty()
        });
        Effect::Incomplete
    }

    fn route_added(&mut self, route: Route, replace: bool) -> Effect {
        let targets = self.routes.entry(route.key).or_default();
        let before = targets.first().copied();
        if replace {
            targets.clear();
        }
        if !targets.contains(&route.target) {
            targets.push(route.target);
        }
        changed(targets.first().copied() != before)
    }

    fn route_gone(&mut self, route: Route) -> Effect {
        let Some(targets) = self.routes.get_mut(&route.key) else { return Effect::Nothing };
        let Some(place) = targets.iter().position(|target| *target == route.target) else {
            // The kernel names a next hop that is not the one remembered, as it does for parts
            // of a multipath route.
            return Effect::Incomplete;
        };
        targets.remove(place);
        if targets.is_empty() {
            self.routes.remove(&route.key);
        }
        changed(place == 0)
    }

    fn neighbour_changed(&mut self, neighbour: Neighbour) -> Effect {
        let mac = neighbour.usable_mac();
        let old = self.neighbours.insert((neighbour.interface, neighbour.address), neighbour);
        changed(old.and_then(|n| n.usable_mac()) != mac)
    }

    /// The link that has this name, as its main name or as another one.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.values().find(|link| link.is_named(name))
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
        self.routes.values().flatten().filter_map(|target| target.gateway).collect()
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
    fn ids(&self, ports: &[Port<'_>]) -> BTreeMap<u32, InterfaceId> {
        let mut ids = BTreeMap::new();
        for (id, port) in (0..).map(InterfaceId).zip(ports) {
            let names = [Some(port.name), port.bridge].into_iter().flatten();
            for link in names.filter_map(|name| self.link(name)) {
                ids.entry(link.index).or_insert(id);
            }
        }
        ids
    }

    /// Routes as the data plane reads them, in the order of preference, which is that of the keys.
    pub fn routes(&self, ports: &[Port<'_>]) -> impl Iterator<Item = snapshot::Route> {
        let ids = self.ids(ports);
        self.routes.iter().filter(|(key, _)| key.tos == 0).filter_map(move |(key, targets)| {
            let Target { interface, gateway } = *targets.first()?;
            let interface = interface.and_then(|index| ids.get(&index).copied());
            Some(snapshot::Route { prefix: key.prefix, length: key.length, interface, gateway })
        })
    }

    /// Neighbours as the data plane reads them. One on a bridge is reached through the port that its
    /// MAC was learned behind. While none is known, as after each flush of the bridge's table, the first
    /// port stands for all: workers look the station up for each packet, and flood where it is unknown.
    pub fn next_hops(&self, ports: &[Port<'_>]) -> impl Iterator<Item = (InterfaceId, IpAddr, NextHop)> {
        let (ids, stations) = (self.ids(ports), self.stations(ports));
        let bridges: BTreeMap<u32, BridgeId> =
            numbered_bridges(ports).filter_map(|(id, name)| Some((self.link(name)?.index, id))).collect();
        self.neighbours.values().filter_map(move |n| {
            let (id, mac) = (*ids.get(&n.interface)?, n.usable_mac()?);
            let interface = match bridges.get(&n.interface) {
                Some(bridge) => stations.get(&(*bridge, mac)).copied().unwrap_or(id),
                None => id,
            };
            Some((id, n.address, NextHop { interface, mac }))
        })
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
