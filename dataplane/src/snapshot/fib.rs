//! Where a packet for an address leaves: routes and neighbours as the kernel has them.
//!
//! The return path of router mode needs a next hop for whatever client it meets. The kernel's
//! routes of the data plane's interfaces are copied here by prefix length, longest first: an
//! appliance has few distinct lengths, so a look-up is a few hash probes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hashbrown::HashMap;

use super::backend::NextHop;
use super::neighbours::Neighbours;
use super::shared::Shared;
use crate::types::InterfaceId;

/// A route out of one of the data plane's interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The prefix's address; bits behind `length` are ignored.
    pub prefix: IpAddr,
    /// The prefix's length in bits.
    pub length: u8,
    /// The interface it leaves by; `None` for a route that is not the data plane's to use.
    pub interface: Option<InterfaceId>,
    /// The router on the way; `None`: the destination itself is the neighbour.
    pub gateway: Option<IpAddr>,
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

#[derive(Debug, Clone, Copy)]
struct Target {
    interface: Option<InterfaceId>,
    gateway: Option<IpAddr>,
}

/// Routes of one family, grouped by prefix length, longest first.
#[derive(Debug, Clone, Default)]
struct Routes(Shared<Vec<(u8, HashMap<u128, Target>)>>);

/// Routes and neighbours.
#[derive(Debug, Clone, Default)]
pub struct Fib {
    v4: Routes,
    v6: Routes,
    neighbours: Neighbours,
}

impl Fib {
    /// Builds from the kernel's tables; of two routes for one prefix the first wins, so that the
    /// caller's order is the order of metrics. The interface of a bridge's routes and neighbours is
    /// its first port; a neighbour's next hop has the port that it is behind, or the first one.
    pub fn new(
        routes: impl IntoIterator<Item = Route>,
        neighbours: impl IntoIterator<Item = (InterfaceId, IpAddr, NextHop)>,
    ) -> Self {
        let mut fib = Self::default();
        for route in routes {
            let family = if route.prefix.is_ipv4() { &mut fib.v4 } else { &mut fib.v6 };
            family.insert(route);
        }
        fib.neighbours = Neighbours::new(neighbours);
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

    /// The interface and the neighbour that a packet for `destination` is handed to.
    #[must_use]
    pub fn neighbour_towards(&self, destination: IpAddr) -> Option<(InterfaceId, IpAddr)> {
        let family = if destination.is_ipv4() { &self.v4 } else { &self.v6 };
        let Target { interface, gateway } = family.find(bits(destination))?;
        Some((interface?, gateway.unwrap_or(destination)))
    }

    /// The routers that routes lead to.
    pub fn gateways(&self) -> impl Iterator<Item = (InterfaceId, IpAddr)> {
        let targets = [&self.v4, &self.v6].into_iter().flat_map(|routes| routes.0.iter());
        targets.flat_map(|(_, routes)| routes.values()).filter_map(|t| Some((t.interface?, t.gateway?)))
    }

    /// The next hop towards `destination`.
    #[must_use]
    pub fn lookup(&self, destination: IpAddr) -> Hop {
        let Some((interface, address)) = self.neighbour_towards(destination) else { return Hop::NoRoute };
        let known = self.neighbours.get(interface, address).copied();
        known.map_or(Hop::NeighbourMissing { interface, address }, Hop::Known)
    }

    /// The same for a packet that leaves by it, or why there is none.
    pub(crate) fn next_hop(&self, destination: IpAddr) -> Result<&NextHop, Hop> {
        let (interface, address) = self.neighbour_towards(destination).ok_or(Hop::NoRoute)?;
        self.neighbours.take(interface, address).ok_or(Hop::NeighbourMissing { interface, address })
    }
}

impl Routes {
    fn insert(&mut self, route: Route) {
        let place = self.0.partition_point(|(length, _)| *length > route.length);
        if self.0.get(place).is_none_or(|(length, _)| *length != route.length) {
            self.0.insert(place, (route.length, HashMap::new()));
        }
        let target = Target { interface: route.interface, gateway: route.gateway };
        self.0[place].1.entry(masked(bits(route.prefix), route.length)).or_insert(target);
    }

    fn find(&self, destination: u128) -> Option<Target> {
        self.0.iter().find_map(|(length, routes)| routes.get(&masked(destination, *length)).copied())
    }
}

/// The address left-aligned in 128 bits, so that a prefix length means the same for both families.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(Ipv4Addr::to_bits(v4)) << 96,
        IpAddr::V6(v6) => Ipv6Addr::to_bits(v6),
    }
}

fn masked(bits: u128, length: u8) -> u128 {
    bits & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Mac;

    const ETH0: InterfaceId = InterfaceId(0);
    const ETH1: InterfaceId = InterfaceId(1);
    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn route(prefix: &str, length: u8, interface: Option<InterfaceId>, gateway: Option<&str>) -> Route {
        let gateway = gateway.map(|g| g.parse().unwrap());
        Route { prefix: prefix.parse().unwrap(), length, interface, gateway }
    }

    fn fib() -> Fib {
        let routes = [
            route("0.0.0.0", 0, Some(ETH0), Some("10.0.0.1")),
            route("10.0.0.0", 24, Some(ETH0), None),
            route("10.0.1.0", 24, Some(ETH1), None),
            route("10.0.1.0", 24, Some(ETH0), None),
            route("10.9.0.0", 16, None, None),
            route("::", 0, Some(ETH0), Some("fe80::1")),
        ];
        let gateway = |a: &str| (ETH0, a.parse().unwrap(), NextHop { interface: ETH0, mac: MAC });
        Fib::new(routes, [gateway("10.0.0.1"), gateway("fe80::1"), gateway("10.0.0.7")])
    }

    fn hop(address: &str) -> Hop {
        fib().lookup(address.parse().unwrap())
    }

    #[test]
    fn the_longest_prefix_decides_and_a_gateway_stands_for_what_is_behind_it() {
        let known = Hop::Known(NextHop { interface: ETH0, mac: MAC });
        assert_eq!(hop("10.0.0.7"), known);
        assert_eq!(hop("192.0.2.1"), known);
        assert_eq!(hop("2001:db8::1"), known);
        let address = "10.0.1.11".parse().unwrap();
        assert_eq!(hop("10.0.1.11"), Hop::NeighbourMissing { interface: ETH1, address });
        assert_eq!(fib().neighbour_towards(address), Some((ETH1, address)));
        assert_eq!(fib().gateways().count(), 2);
    }

    #[test]
    fn a_route_of_a_foreign_interface_hides_the_default_route() {
        assert_eq!(hop("10.9.1.1"), Hop::NoRoute);
    }
}
