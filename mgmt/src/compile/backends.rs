//! How packets get to each backend, and replies from it.

use std::net::IpAddr;
use std::time::Instant;

use dataplane::admission::Meters;
use dataplane::snapshot::{
    self, Backend, Endpoint, Fate, Fib, Hop, NextHop, OneArm, Route, Snapshot, Tunnel, Vip,
};
use dataplane::types::{InterfaceId, Mode, Port, Protocol};

use super::Facts;
use super::pools::{Pools, Server, Spread};
use crate::config::{self, Forwarding};
use crate::inventory::Member;
use crate::net::{self, NetState};

/// Routes and neighbours. Backends in bridge mode are on the bridge's segment by definition, whether or
/// not the box has an address there.
pub(super) fn fib(facts: &Facts<'_>, ports: &[net::Port<'_>]) -> Fib {
    let members = facts.inventory.members().filter_map(|(_, member)| member);
    let bridged = members.filter(|member| member.forwarding.mode() == Mode::Bridge).filter_map(|member| {
        let interface = Some(segment_of(member.address, facts.net, ports)?);
        let length = if member.address.is_ipv4() { 32 } else { 128 };
        Some(Route::single(member.address, length, interface, None))
    });
    facts.net.fib(ports, bridged)
}

/// The first port of the bridge on which an address is known, or else of the first bridge.
fn segment_of(address: IpAddr, net: &NetState, ports: &[net::Port<'_>]) -> Option<InterfaceId> {
    let first_port = |name: &str| {
        let numbered = (0..).map(InterfaceId).zip(ports);
        numbered.into_iter().find(|(_, port)| port.bridge == Some(name)).map(|(id, _)| id)
    };
    let knows = |name: &str| {
        let entry = net.link(name).and_then(|bridge| net.neighbour(bridge.index, address));
        entry.is_some_and(|entry| entry.usable_mac().is_some())
    };
    let mut names = net::numbered_bridges(ports).map(|(_, name)| name);
    let first = names.next()?;
    let known = std::iter::once(first).chain(names).find(|name| knows(name));
    first_port(known.unwrap_or(first))
}

pub(super) fn add(
    snapshot: &mut Snapshot,
    member: Option<(&Member, Meters)>,
    fib: &Fib,
    facts: &Facts<'_>,
    pools: &mut Pools,
) {
    let backend = member.map(|(member, meters)| {
        let &Member { address, port, protocol, mss_clamp, .. } = member;
        let mode = member.forwarding.mode();
        // Also of members that have left: their flows go on. Whether it answers echo requests is for the
        // services to say.
        snapshot.vips.insert(member.vip, Vip { bridge: mode == Mode::Bridge, ..Vip::default() });
        if matches!(mode, Mode::Bridge | Mode::Router) {
            let port = port.unwrap_or(Port(0));
            snapshot.return_endpoints.insert(Endpoint { address, protocol, port });
        }
        let (forwarding, next_hop) = forwarding(member, fib, facts, pools);
        Backend { address, port, protocol, forwarding, next_hop, mss_clamp, meters }
    });
    snapshot.backends.push(backend);
}

/// What becomes of a backend's flows. Where an address has left its pool, flows of datagrams from there do not go on:
/// the address may be another machine's by now.
#[must_use]
pub fn fate(member: &Member, backend: Option<&Backend>, now: Instant) -> Fate {
    let fate = member.fate(now);
    let has_closed = match backend.map(|backend| &backend.forwarding) {
        Some(snapshot::Forwarding::OneArm(arm)) => arm.pool.iter().any(|part| !part.open),
        _ => false,
    };
    let may_review = member.protocol == Protocol::Udp && matches!(fate, Fate::Stays | Fate::Leave);
    if has_closed && may_review && !member.has_left() { Fate::Review } else { fate }
}

fn forwarding(
    member: &Member,
    fib: &Fib,
    facts: &Facts<'_>,
    pools: &mut Pools,
) -> (snapshot::Forwarding, Option<NextHop>) {
    let address = member.address;
    let next_hop = match fib.lookup(address) {
        // Where the path depends on the packet, workers look it up.
        Hop::Known(next_hop) if fib.is_same_for_all(address) => Some(next_hop),
        Hop::Known(_) | Hop::NeighbourMissing { .. } | Hop::NoRoute => None,
    };
    match &member.forwarding {
        Forwarding::Bridge => (snapshot::Forwarding::Bridge, next_hop),
        Forwarding::Router => (snapshot::Forwarding::Router, next_hop),
        Forwarding::OneArm { pool, client_address } => {
            let egress = fib.neighbour_towards(address).map(|(interface, _)| interface);
            let rss = egress.and_then(|id| facts.rss.get(id.index())?.as_ref());
            let spread = Spread { rss, workers: facts.workers };
            let server = Server { address, port: member.port, protocol: member.protocol };
            let open = if member.has_left() { &[] } else { &**pool };
            let pool = pools.parts(server, open, spread);
            let client_address = *client_address;
            (snapshot::Forwarding::OneArm(OneArm { pool, client_address }), next_hop)
        }
        Forwarding::Dsr(None) => {
            let next_hop = next_hop.filter(|_| !is_behind_a_router(fib, address));
            (snapshot::Forwarding::Dsr(None), next_hop)
        }
        Forwarding::Dsr(dscp) => (snapshot::Forwarding::Dsr(*dscp), next_hop),
        Forwarding::Tunnel(tunnel) => {
            let source = tunnel_source(tunnel, address, fib, facts);
            let next_hop = next_hop.filter(|_| source.is_some());
            // Without one there is no next hop, so that the unspecified address is never sent.
            let source = source.unwrap_or(if address.is_ipv4() {
                IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)
            } else {
                IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED)
            });
            let tunnel = Tunnel { kind: tunnel.kind, source, destination: address };
            (snapshot::Forwarding::Tunnel(tunnel), next_hop)
        }
    }
}

/// The outer source towards a backend: as configured, else an address of the interface that leads there.
#[must_use]
pub fn tunnel_source(
    tunnel: &config::Tunnel,
    backend: IpAddr,
    fib: &Fib,
    facts: &Facts<'_>,
) -> Option<IpAddr> {
    let configured = match backend {
        IpAddr::V4(_) => tunnel.source4.map(IpAddr::V4),
        IpAddr::V6(_) => tunnel.source6.map(IpAddr::V6),
    };
    configured.or_else(|| {
        let (interface, neighbour) = fib.neighbour_towards(backend)?;
        let port = *facts.ports().get(interface.index())?;
        let link = facts.net.ip_link(port)?;
        let own = facts.net.addresses_of(link.index).filter(|own| is_source(*own, neighbour));
        // Of several the one that is most like the neighbour's, as RFC 6724 section 5 (rule 8) has it.
        own.max_by_key(|own| common_bits(*own, neighbour))
    })
}

fn is_source(own: IpAddr, neighbour: IpAddr) -> bool {
    own.is_ipv4() == neighbour.is_ipv4() && !matches!(own, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

fn common_bits(a: IpAddr, b: IpAddr) -> u32 {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        _ => 0,
    }
}

/// Whether packets for an address are handed to a router: a DSR backend there gets none.
#[must_use]
pub fn is_behind_a_router(fib: &Fib, address: IpAddr) -> bool {
    fib.neighbour_towards(address).is_some_and(|(_, neighbour)| neighbour != address)
}
