//! Where a packet leaves, and by which MAC addresses.

mod unresolved;

pub(super) use unresolved::expect_replies;
pub(crate) use unresolved::resume;
use unresolved::unresolved;

use std::net::IpAddr;

use super::answer::Stop;
use super::context::{Context, Station};
use crate::packet::{Headers, Packet};
use crate::snapshot::{Backend, Forwarding, Hop, Interface, NextHop, Query, Snapshot};
use crate::types::{BridgeId, InterfaceId, Mac};
use crate::unresolved::Missing;
use crate::verdict::DropReason;
use crate::wire::ethernet::{self, Ethernet};

/// What a packet's rewrite does to its length.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Growth {
    pub(super) more: u16,
    pub(super) less: u16,
}

/// The way out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'a> {
    next_hop: &'a NextHop,
    interface: &'a Interface,
}

impl Way<'_> {
    /// The longest packet that it takes.
    pub(super) fn mtu(&self) -> u16 {
        self.interface.mtu
    }

    /// The bridge that its interface is a port of.
    fn bridge(&self) -> Option<BridgeId> {
        self.interface.bridge
    }
}

/// Which source address a packet leaves with: policy rules may depend on it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// That of its sender: the packet is forwarded, as it would be by a router.
    Kept,
    /// One of the node's own: a virtual IP, an address of a pool, the outer address of a tunnel. Such a packet
    /// has come in by no interface.
    Own(IpAddr),
}

/// What the path of a packet depends on.
pub(super) fn query(packet: &Packet, headers: &Headers, destination: IpAddr, source: Source) -> Query {
    let (source, ingress) = match source {
        Source::Own(address) => (address, None),
        Source::Kept => {
            let ingress = Some(packet.ingress).filter(|id| *id != InterfaceId::NOWHERE);
            (headers.tuple.addresses.source(), ingress)
        }
    };
    Query { destination, source: Some(source), ingress, hash: packet.hash.0 }
}

/// The way to a backend.
#[inline(always)]
pub(super) fn to_backend<'a>(
    packet: &Packet,
    context: &mut Context<'a>,
    headers: &Headers,
    (backend, source): (&'a Backend, Source),
    growth: Growth,
) -> Result<Way<'a>, Stop> {
    match &backend.next_hop {
        Some(next_hop) => fitting(context, headers, next_hop, growth),
        None => without_next_hop(packet, context, headers, (backend, source), growth),
    }
}

/// The next hop is not known yet, or it depends on the packet: on its flow where several are of equal cost, on
/// its source where there are policy rules.
///
/// A router's MAC is of no use in DSR: the packet is still addressed to the virtual IP, and the router
/// would bring it back.
#[inline(never)]
fn without_next_hop<'a>(
    packet: &Packet,
    context: &mut Context<'a>,
    headers: &Headers,
    (backend, source): (&Backend, Source),
    growth: Growth,
) -> Result<Way<'a>, Stop> {
    let query = query(packet, headers, backend.address, source);
    let neighbour = context.snapshot.fib.neighbour_for(&query);
    let is_routed = neighbour.is_some_and(|(_, address)| address != backend.address);
    match &backend.forwarding {
        Forwarding::Dsr(None) if is_routed => return Err(DropReason::NotOnLink.into()),
        // The node has no address of its own towards the backend: no outer header can be made.
        Forwarding::Tunnel(tunnel) if tunnel.source.is_unspecified() => {
            return Err(DropReason::NoRoute.into());
        }
        _ => {}
    }
    resolve(context, headers, &query, growth)
}

/// The way to any address.
pub(super) fn resolve<'a>(
    context: &mut Context<'a>,
    headers: &Headers,
    query: &Query,
    growth: Growth,
) -> Result<Way<'a>, Stop> {
    match context.snapshot.fib.next_hop(query) {
        Ok(next_hop) => fitting(context, headers, next_hop, growth),
        Err(Hop::NeighbourMissing { interface, address }) => {
            unresolved(context, headers, Missing { interface, address }, growth)
        }
        Err(Hop::Known(_) | Hop::NoRoute) => Err(DropReason::NoRoute.into()),
    }
}

/// The way by a next hop, if its interface takes the packet once it is rewritten.
#[inline(always)]
fn fitting<'a>(
    context: &Context<'a>,
    headers: &Headers,
    next_hop: &'a NextHop,
    growth: Growth,
) -> Result<Way<'a>, Stop> {
    let interface = context.snapshot.interface(next_hop.interface).ok_or(DropReason::InterfaceGone)?;
    fits(headers, interface, growth)?;
    Ok(Way { next_hop, interface })
}

#[inline(always)]
fn fits(headers: &Headers, interface: &Interface, growth: Growth) -> Result<(), Stop> {
    let room = interface.mtu.saturating_add(growth.less).saturating_sub(growth.more);
    if headers.packet_length > room { Err(Stop::TooBig { mtu: room }) } else { Ok(()) }
}

/// The box's own MAC is the source of whatever it sends on: with a foreign one, switches would learn
/// that its owner lives behind the box.
#[inline(always)]
pub(super) fn readdress(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    Way { next_hop, interface }: Way<'_>,
) -> Result<InterfaceId, Stop> {
    ethernet::readdress(packet.frame.bytes_mut(), &next_hop.mac, &interface.mac);
    match interface.bridge {
        Some(bridge) if next_hop.interface.unresolved_slot().is_none() => {
            Ok(behind_a_port(packet, context, headers, (bridge, next_hop.mac), None)?)
        }
        None | Some(_) => Ok(next_hop.interface),
    }
}

/// Towards a backend behind another port of the bridge: with the MAC of whoever sent it as its source,
/// which the switches there know to be on this side.
pub(super) fn redirect(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    Way { next_hop, interface }: Way<'_>,
) -> Result<InterfaceId, Stop> {
    note_station(packet, context);
    let bridge = interface.bridge.ok_or(DropReason::InterfaceGone)?;
    ethernet::redirect(packet.frame.bytes_mut(), next_hop.mac);
    if next_hop.interface.unresolved_slot().is_some() {
        return Ok(next_hop.interface);
    }
    let ingress = Some(packet.ingress);
    Ok(behind_a_port(packet, context, headers, (bridge, next_hop.mac), ingress)?)
}

/// Behind which port of the bridge the frame's destination is.
///
/// A bridge tells nobody that a packet is too long: its sides are one link to everybody.
pub(super) fn switch(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
) -> Result<InterfaceId, DropReason> {
    note_station(packet, context);
    let bridge = bridge_of(context, packet.ingress).ok_or(DropReason::NotOurs)?;
    let (ethernet, _) = Ethernet::new_checked(packet.frame.bytes())?;
    let (mac, ingress) = (ethernet.destination(), Some(packet.ingress));
    behind_a_port(packet, context, headers, (bridge, mac), ingress)
}

/// Whether the way leads to a port of the bridge that the packet has come by.
pub(super) fn is_inline(context: &Context<'_>, ingress: InterfaceId, way: Way<'_>) -> bool {
    let bridge = bridge_of(context, ingress);
    bridge.is_some() && bridge == way.bridge()
}

/// Whether both are ports of one bridge.
fn is_of_one_bridge(context: &Context<'_>, a: InterfaceId, b: InterfaceId) -> bool {
    let bridge = bridge_of(context, a);
    bridge.is_some() && bridge == bridge_of(context, b)
}

/// The port that a station of a bridge is behind. Where nobody knows, as a bridge does: the frame leaves by
/// all of them but `ingress`.
#[inline(never)]
fn behind_a_port(
    packet: &Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    station: (BridgeId, Mac),
    ingress: Option<InterfaceId>,
) -> Result<InterfaceId, DropReason> {
    match context.snapshot.stations.get(&station) {
        Some(port) if Some(*port) == ingress => Err(DropReason::SameSegment),
        Some(port) if !takes(context.snapshot, *port, headers) => Err(DropReason::TooLong),
        Some(port) => Ok(*port),
        None => flood(packet, context, headers, station.0, ingress),
    }
}

fn takes(snapshot: &Snapshot, port: InterfaceId, headers: &Headers) -> bool {
    snapshot.interface(port).is_some_and(|interface| headers.packet_length <= interface.mtu)
}

fn flood(
    packet: &Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    bridge: BridgeId,
    ingress: Option<InterfaceId>,
) -> Result<InterfaceId, DropReason> {
    let snapshot = context.snapshot;
    let others = || snapshot.ports_of(bridge).filter(|port| Some(*port) != ingress);
    let none = if others().next().is_some() { DropReason::TooLong } else { DropReason::InterfaceGone };
    let mut wide = others().filter(|port| takes(snapshot, *port, headers));
    let first = wide.next().ok_or(none)?;
    for port in wide {
        let Some(mut copy) = context.spares.take() else { break };
        copy.fill(packet.frame.bytes());
        context.spares.send(port, copy);
    }
    Ok(first)
}

/// Whether the frame has come by a port of a bridge and is addressed to somebody else than the box.
pub(super) fn is_passing(packet: &Packet, context: &Context<'_>) -> bool {
    let interface = context.snapshot.interface(packet.ingress).filter(|interface| interface.bridge.is_some());
    let ethernet = Ethernet::new_checked(packet.frame.bytes());
    match (interface, ethernet) {
        (Some(interface), Ok((ethernet, _))) => {
            let mac = ethernet.destination();
            mac != interface.mac && Some(mac) != interface.bridge_mac
        }
        _ => false,
    }
}

/// Frames that workers take are not seen by the kernel's bridge, which would forget where their
/// sender is.
fn note_station(packet: &Packet, context: &mut Context<'_>) {
    let Some(bridge) = bridge_of(context, packet.ingress) else { return };
    let Ok((ethernet, _)) = Ethernet::new_checked(packet.frame.bytes()) else { return };
    let mac = ethernet.source();
    if context.snapshot.stations.get(&(bridge, mac)) != Some(&packet.ingress) && !mac.is_multicast() {
        context.station = Some(Station { interface: packet.ingress, mac });
    }
}

fn bridge_of(context: &Context<'_>, interface: InterfaceId) -> Option<BridgeId> {
    context.snapshot.interface(interface)?.bridge
}
