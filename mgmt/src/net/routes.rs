//! Routes of the kernel's local and main tables.
//!
//! Policy rules and other tables are not followed: what they would decide is not the data
//! plane's business, whose routes are plain ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteNextHop, RouteNextHopFlags, RouteType,
    RouteVia,
};

const TABLE_MAIN: u32 = 254;
const TABLE_LOCAL: u32 = 255;

/// What tells one route from another. Its order is the order of preference: the local table
/// first, then the lower metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteKey {
    /// Whether it is of the main table, not the local one.
    pub main: bool,
    /// The metric; lower is better.
    pub metric: u32,
    /// The prefix's address.
    pub prefix: IpAddr,
    /// The prefix's length.
    pub length: u8,
    /// A route for one type of service only is not for all packets.
    pub tos: u8,
}

/// Where a route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The link's number; `None` for routes that lead nowhere: blackhole, unreachable, prohibit,
    /// and those to the box itself.
    pub interface: Option<u32>,
    /// The router on the way.
    pub gateway: Option<IpAddr>,
}

/// A route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Which.
    pub key: RouteKey,
    /// Where to.
    pub target: Target,
}

impl Route {
    /// `None` for routes of other tables and families, for the kernel's cached ones, and for
    /// dead ones.
    pub(super) fn from_message(message: RouteMessage) -> Option<Self> {
        let header = &message.header;
        let any = match header.address_family {
            AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            _ => return None,
        };
        if header.flags.contains(RouteFlags::Cloned) || header.flags.contains(RouteFlags::Dead) {
            return None;
        }
        let (kind, length, tos) = (header.kind, header.destination_prefix_length, header.tos);
        let mut table = u32::from(header.table);
        let (mut prefix, mut metric) = (any, 0);
        let mut target = Target { interface: None, gateway: None };
        for attribute in message.attributes {
            match attribute {
                RouteAttribute::Table(number) => table = number,
                RouteAttribute::Destination(address) => prefix = ip(&address)?,
                RouteAttribute::Priority(number) => metric = number,
                RouteAttribute::MultiPath(hops) => target = first_alive(&hops).unwrap_or(target),
                other => target.read(&other),
            }
        }
        if kind != RouteType::Unicast {
            target = Target { interface: None, gateway: None };
        }
        let main = match table {
            TABLE_MAIN => true,
            TABLE_LOCAL => false,
            _ => return None,
        };
        Some(Self { key: RouteKey { main, metric, prefix, length, tos }, target })
    }
}

impl Target {
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
}

/// The first next hop that is not dead: the data plane does not spread over several.
fn first_alive(hops: &[RouteNextHop]) -> Option<Target> {
    let hop = hops.iter().find(|hop| !hop.flags.contains(RouteNextHopFlags::Dead))?;
    let mut target = Target { interface: Some(hop.interface_index), gateway: None };
    hop.attributes.iter().for_each(|attribute| target.read(attribute));
    Some(target)
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some(IpAddr::V4(*v4)),
        RouteAddress::Inet6(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    }
}
