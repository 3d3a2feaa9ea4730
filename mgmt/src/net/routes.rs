//! Routes as the kernel reports them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteNextHop, RouteNextHopFlags, RouteProtocol,
    RouteType, RouteVia,
};

/// The table of routes to the node itself.
pub const TABLE_LOCAL: u32 = 255;
/// The table that routes are put into where nothing else is said.
pub const TABLE_MAIN: u32 = 254;
/// The table that is asked last.
pub(super) const TABLE_DEFAULT: u32 = 253;

/// Identifies a route. Routes of one prefix are in the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteKey {
    /// The number of its table.
    pub table: u32,
    /// The prefix's address.
    pub prefix: IpAddr,
    /// The prefix's length.
    pub length: u8,
    /// The metric; lower is better.
    pub metric: u32,
    /// A route for one type of service only is not for all packets.
    pub tos: u8,
}

/// A next hop of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteHop {
    /// The link's number.
    pub interface: u32,
    /// The router on the way.
    pub gateway: Option<IpAddr>,
    /// Its share of the flows, where there are several.
    pub weight: u16,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Nowhere: blackhole, unreachable, prohibit.
    Nowhere,
    /// To the node itself, or a route that leads no packet of the data plane on.
    Own,
    /// The look-up goes on with the next rule.
    Throw,
    /// To a nexthop object whose next hops the kernel does not report (`nexthop_compat_mode = 0`).
    Object(u32),
    /// To one next hop.
    One(RouteHop),
    /// To several of equal cost.
    Many(Vec<RouteHop>),
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Which.
    pub key: RouteKey,
    /// Where to.
    pub target: Target,
    /// Routes of IPv6 with the same key are one route with several next hops.
    pub is_sibling: bool,
}

impl Target {
    /// To one next hop; without an `interface` nowhere.
    #[must_use]
    pub fn single(interface: Option<u32>, gateway: Option<IpAddr>) -> Self {
        interface.map_or(Self::Nowhere, |interface| Self::One(RouteHop { interface, gateway, weight: 1 }))
    }

    /// `None`: there is no next hop.
    pub(super) fn of(mut hops: Vec<RouteHop>) -> Option<Self> {
        match hops.len() {
            0 => None,
            1 => hops.pop().map(Self::One),
            _ => Some(Self::Many(hops)),
        }
    }

    /// The next hops.
    #[must_use]
    pub fn hops(&self) -> &[RouteHop] {
        match self {
            Self::Nowhere | Self::Own | Self::Throw | Self::Object(_) => &[],
            Self::One(hop) => std::slice::from_ref(hop),
            Self::Many(hops) => hops,
        }
    }
}

impl Route {
    /// `None` for routes of other families and for one source only, for the kernel's cached ones, and for those
    /// whose next hops are all dead.
    pub(super) fn from_message(message: RouteMessage) -> Option<Self> {
        let header = &message.header;
        let any = match header.address_family {
            AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            _ => return None,
        };
        let is_useless = RouteFlags::Cloned | RouteFlags::Dead;
        if header.flags.intersects(is_useless) || header.source_prefix_length != 0 {
            return None;
        }
        let is_advertised = header.protocol == RouteProtocol::Ra;
        let (kind, length, tos) = (header.kind, header.destination_prefix_length, header.tos);
        let mut table = u32::from(header.table);
        let (mut prefix, mut metric, mut object) = (any, 0, None);
        let (mut plain, mut several) = (Draft::default(), None);
        for attribute in message.attributes {
            match attribute {
                RouteAttribute::Table(number) => table = number,
                RouteAttribute::Destination(address) => prefix = ip(&address)?,
                RouteAttribute::Priority(number) => metric = number,
                RouteAttribute::NhId(number) => object = Some(number),
                RouteAttribute::MultiPath(hops) => several = Some(alive(&hops)),
                other => plain.read(&other),
            }
        }
        let target = match (kind, several, plain.hop(1), object) {
            (RouteType::Unicast, Some(hops), ..) => Target::of(hops)?,
            (RouteType::Unicast, None, Some(hop), _) => Target::One(hop),
            (RouteType::Unicast, None, None, Some(object)) => Target::Object(object),
            (RouteType::Throw, ..) => Target::Throw,
            // The kernel's look-up fails with an error (`fib_props`), which no rule suppresses.
            (
                RouteType::BlackHole
                | RouteType::Unreachable
                | RouteType::Prohibit
                | RouteType::Nat
                | RouteType::ExternalResolve,
                ..,
            ) => Target::Nowhere,
            _ => Target::Own,
        };
        let hops = target.hops();
        // As the kernel decides it; of routers that advertise themselves it uses one.
        let has_gateways = !hops.is_empty() && hops.iter().all(|hop| hop.gateway.is_some());
        let is_sibling = prefix.is_ipv6() && has_gateways && !is_advertised;
        Some(Self { key: RouteKey { table, prefix, length, metric, tos }, target, is_sibling })
    }
}

/// A next hop of which not everything is read.
#[derive(Debug, Default)]
struct Draft {
    interface: Option<u32>,
    gateway: Option<IpAddr>,
}

impl Draft {
    fn read(&mut self, attribute: &RouteAttribute) {
        match attribute {
            RouteAttribute::Oif(index) => self.interface = Some(*index),
            RouteAttribute::Gateway(address) => self.gateway = ip(address),
            // An IPv4 route by way of an IPv6 router (RFC 5549).
            RouteAttribute::Via(RouteVia::Inet(v4)) => self.gateway = Some(IpAddr::V4(*v4)),
            RouteAttribute::Via(RouteVia::Inet6(v6)) => self.gateway = Some(IpAddr::V6(*v6)),
            _ => {}
        }
    }

    fn hop(&self, weight: u16) -> Option<RouteHop> {
        Some(RouteHop { interface: self.interface?, gateway: self.gateway, weight })
    }
}

/// The next hops that are not dead.
fn alive(hops: &[RouteNextHop]) -> Vec<RouteHop> {
    let alive = hops.iter().filter(|hop| !hop.flags.contains(RouteNextHopFlags::Dead));
    let hops = alive.filter_map(|hop| {
        let mut draft = Draft { interface: Some(hop.interface_index), gateway: None };
        hop.attributes.iter().for_each(|attribute| draft.read(attribute));
        // The kernel reports the weight less one.
        draft.hop(u16::from(hop.hops) + 1)
    });
    hops.collect()
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some(IpAddr::V4(*v4)),
        RouteAddress::Inet6(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    }
}
