//! Where a packet for an address leaves: routes, policy rules and neighbours as the kernel has them.
//!
//! The return path of router mode needs a next hop for whatever client it meets.

mod prefixes;
mod routes;
mod rules;

use routes::Towards;
pub use routes::{Path, Route, Target};
pub use rules::{Ingress, Interfaces, Rule, RuleAction};

use std::net::IpAddr;

use super::backend::NextHop;
use super::neighbours::Neighbours;
use super::shared::Shared;
use crate::types::InterfaceId;
use rules::Family;

/// What decides about a packet's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// Where the packet goes.
    pub destination: IpAddr,
    /// The source it leaves with; `None`: not chosen yet.
    pub source: Option<IpAddr>,
    /// The interface that it is forwarded from; `None`: it is the node's own, its source is a virtual
    /// IP, an address of a pool or another one of the node's.
    pub ingress: Option<InterfaceId>,
    /// Of its flow, evenly spread over all 64 bits: it picks one of several next hops.
    pub hash: u64,
}

impl Query {
    /// A packet of the node itself, of which nothing else is known.
    #[must_use]
    pub fn towards(destination: IpAddr) -> Self {
        Self { destination, source: None, ingress: None, hash: 0 }
    }
}

/// The outcome of a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// The next hop, with its MAC.
    Known(NextHop),
    /// The route is known, its neighbour's MAC is not (yet).
    NeighbourMissing {
        /// The interface the neighbour is on.
        interface: InterfaceId,
        /// The neighbour.
        address: IpAddr,
    },
    /// No route leads there through the data plane's interfaces.
    NoRoute,
}

/// The policy rules of each family, in their order. None: the only table is table 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Of IPv4.
    pub v4: Vec<Rule>,
    /// Of IPv6.
    pub v6: Vec<Rule>,
}

/// Routes and neighbours.
#[derive(Debug, Clone, Default)]
pub struct Fib {
    v4: Shared<Family>,
    v6: Shared<Family>,
    neighbours: Neighbours,
}

impl Fib {
    /// Without policy rules, see [`with_rules`](Self::with_rules).
    pub fn new(
        routes: impl IntoIterator<Item = Route>,
        neighbours: impl IntoIterator<Item = (InterfaceId, IpAddr, NextHop)>,
    ) -> Self {
        Self::with_rules(Rules::default(), routes.into_iter().map(|route| (0, route)), neighbours)
    }

    /// Builds from the kernel's tables, which are numbered from 0 for each family. Of two routes for one prefix
    /// of a table the first wins, so that the caller's order is the order of metrics. The interface of a bridge's
    /// routes and neighbours is its first port; a neighbour's next hop has the port that it is behind, or the
    /// first one.
    pub fn with_rules(
        rules: Rules,
        routes: impl IntoIterator<Item = (usize, Route)>,
        neighbours: impl IntoIterator<Item = (InterfaceId, IpAddr, NextHop)>,
    ) -> Self {
        let mut fib = Self { neighbours: Neighbours::new(neighbours), ..Self::default() };
        (fib.v4.rules, fib.v6.rules) = (rules.v4, rules.v6);
        for (table, route) in routes {
            let family = if route.prefix.is_ipv4() { &mut fib.v4 } else { &mut fib.v6 };
            let neighbours = &fib.neighbours;
            family
                .table(table)
                .insert(route, |interface, gateway| neighbours.get(interface, gateway).is_some());
        }
        fib
    }

    /// The same routes with other neighbours; `None`: the neighbour is not known any more.
    #[must_use]
    pub fn amended(&self, changes: impl IntoIterator<Item = (InterfaceId, IpAddr, Option<NextHop>)>) -> Self {
        let mut fib = self.clone();
        fib.neighbours.amend(changes);
        fib
    }

    /// The neighbours.
    #[must_use]
    pub fn neighbours(&self) -> &Neighbours {
        &self.neighbours
    }

    /// The interface and the router of a packet's path, where they are among the routes.
    #[inline]
    pub(crate) fn towards(&self, query: &Query) -> Option<&Towards> {
        self.family(query.destination).find(query)
    }

    /// The interface and the neighbour that a packet is handed to.
    #[must_use]
    pub fn neighbour_for(&self, query: &Query) -> Option<(InterfaceId, IpAddr)> {
        let (interface, gateway) = self.towards(query)?;
        Some((*interface, gateway.unwrap_or(query.destination)))
    }

    /// The same for a packet of the node itself to `destination`; of several next hops the first.
    #[must_use]
    pub fn neighbour_towards(&self, destination: IpAddr) -> Option<(InterfaceId, IpAddr)> {
        self.neighbour_for(&Query::towards(destination))
    }

    /// Whether all packets to `destination` have the same path: no rule and no choice decides.
    #[must_use]
    pub fn is_same_for_all(&self, destination: IpAddr) -> bool {
        self.family(destination).is_same_for_all(destination)
    }

    /// The routers that routes lead to.
    pub fn gateways(&self) -> impl Iterator<Item = (InterfaceId, IpAddr)> {
        let tables = [&self.v4, &self.v6].into_iter().flat_map(|family| &family.tables);
        tables.flat_map(|table| table.gateways())
    }

    fn family(&self, destination: IpAddr) -> &Family {
        if destination.is_ipv4() { &self.v4 } else { &self.v6 }
    }

    /// The next hop of a packet of the node itself to `destination`.
    #[must_use]
    pub fn lookup(&self, destination: IpAddr) -> Hop {
        let Some((interface, address)) = self.neighbour_towards(destination) else { return Hop::NoRoute };
        let known = self.neighbours.get(interface, address).copied();
        known.map_or(Hop::NeighbourMissing { interface, address }, Hop::Known)
    }

    /// The next hop of a packet that leaves by it, or why there is none.
    pub(crate) fn next_hop(&self, query: &Query) -> Result<&NextHop, Hop> {
        let (interface, address) = self.neighbour_for(query).ok_or(Hop::NoRoute)?;
        self.neighbours.take(interface, address).ok_or(Hop::NeighbourMissing { interface, address })
    }
}

#[cfg(test)]
#[path = "fib/tests.rs"]
mod tests;
