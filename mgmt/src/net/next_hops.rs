//! The kernel's neighbours as the next hops of the data plane: all of them, or those that have changed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use dataplane::snapshot::NextHop;
use dataplane::types::{BridgeId, InterfaceId, Mac};
use hashbrown::HashMap;

use super::{Neighbour, NetState, Port, Touched, numbered_bridges};

impl NetState {
    /// Neighbours as the data plane reads them. One on a bridge is reached through the port that its
    /// MAC was learned behind. While none is known, as after each flush of the bridge's table, the first
    /// port stands for all: workers look the station up for each packet, and flood where it is unknown.
    pub fn next_hops(&self, ports: &[Port<'_>]) -> impl Iterator<Item = (InterfaceId, IpAddr, NextHop)> {
        let segments = self.segments(ports);
        self.neighbours
            .values()
            .filter_map(move |n| Some((segments.id(n.interface)?, n.address, segments.next_hop(n)?)))
    }

    /// The same of those that have changed: `None` is one that is not known any more.
    pub fn changed_next_hops<'s>(
        &'s self,
        ports: &[Port<'_>],
        touched: &'s Touched,
    ) -> impl Iterator<Item = (InterfaceId, IpAddr, Option<NextHop>)> + use<'s> {
        let segments = self.segments(ports);
        // A station behind another port takes its neighbours along.
        let moved = |n: &&Neighbour| n.mac.is_some_and(|mac| touched.stations.contains(&(n.interface, mac)));
        let moved = self.neighbours.values().filter(moved).map(|n| (n.interface, n.address));
        let moved = if touched.stations.is_empty() { None } else { Some(moved) };
        let ids = touched.neighbours.iter().copied().chain(moved.into_iter().flatten());
        ids.filter_map(move |id| {
            let next_hop = self.neighbours.get(&id).and_then(|n| segments.next_hop(n));
            Some((segments.id(id.0)?, id.1, next_hop))
        })
    }

    fn segments(&self, ports: &[Port<'_>]) -> Segments {
        let bridges = numbered_bridges(ports).filter_map(|(id, name)| Some((self.link(name)?.index, id)));
        Segments { ids: self.ids(ports), bridges: bridges.collect(), stations: self.stations(ports) }
    }
}

/// What the data plane calls links, and where stations are behind those that are bridges.
struct Segments {
    ids: BTreeMap<u32, InterfaceId>,
    bridges: BTreeMap<u32, BridgeId>,
    stations: HashMap<(BridgeId, Mac), InterfaceId>,
}

impl Segments {
    fn id(&self, link: u32) -> Option<InterfaceId> {
        self.ids.get(&link).copied()
    }

    fn next_hop(&self, neighbour: &Neighbour) -> Option<NextHop> {
        let (id, mac) = (self.id(neighbour.interface)?, neighbour.usable_mac()?);
        let port =
            self.bridges.get(&neighbour.interface).and_then(|bridge| self.stations.get(&(*bridge, mac)));
        Some(NextHop { interface: port.copied().unwrap_or(id), mac })
    }
}
