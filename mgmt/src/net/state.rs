//! What the box knows of the network: a pure structure, fed with events.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use dataplane::snapshot::{self, Fib, NextHop};
use dataplane::types::InterfaceId;

use super::{Link, Neighbour, Route, RouteKey, Target};

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

/// Links, the box's own addresses, routes and neighbours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetState {
    links: BTreeMap<u32, Link>,
    addresses: BTreeSet<(u32, IpAddr)>,
    /// Several targets for one key: the first decides (`ip route append`).
    routes: BTreeMap<RouteKey, Vec<Target>>,
    neighbours: BTreeMap<(u32, IpAddr), Neighbour>,
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

    /// The link of that name.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.values().find(|link| link.name == name)
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

    /// The addresses of one link.
    pub fn addresses_of(&self, index: u32) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().filter(move |(interface, _)| *interface == index).map(|(_, address)| *address)
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

    /// Routes and neighbours as the data plane reads them. `interfaces` are the names of its
    /// interfaces in the order of their [`InterfaceId`]; a name that no link has is not reached.
    #[must_use]
    pub fn fib<S: AsRef<str>>(&self, interfaces: &[S]) -> Fib {
        let ids: BTreeMap<u32, InterfaceId> = (0..)
            .zip(interfaces)
            .filter_map(|(id, name)| Some((self.link(name.as_ref())?.index, InterfaceId(id))))
            .collect();
        Fib::new(self.fib_routes(&ids), self.fib_neighbours(&ids))
    }

    /// In the order of preference, which is that of the keys.
    fn fib_routes(&self, ids: &BTreeMap<u32, InterfaceId>) -> impl Iterator<Item = snapshot::Route> {
        self.routes.iter().filter(|(key, _)| key.tos == 0).filter_map(|(key, targets)| {
            let Target { interface, gateway } = *targets.first()?;
            let interface = interface.and_then(|index| ids.get(&index).copied());
            Some(snapshot::Route { prefix: key.prefix, length: key.length, interface, gateway })
        })
    }

    fn fib_neighbours(
        &self,
        ids: &BTreeMap<u32, InterfaceId>,
    ) -> impl Iterator<Item = (InterfaceId, IpAddr, NextHop)> {
        self.neighbours.values().filter_map(|n| {
            let interface = *ids.get(&n.interface)?;
            Some((interface, n.address, NextHop { interface, mac: n.usable_mac()? }))
        })
    }
}

fn changed(yes: bool) -> Effect {
    if yes { Effect::Changed } else { Effect::Nothing }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
