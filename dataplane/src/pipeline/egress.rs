//! Where a packet leaves, and by which MAC addresses.

use std::net::IpAddr;

use super::answer::Stop;
use super::batch::Packet;
use super::context::{Context, Missing, Station};
use super::headers::Headers;
use super::verdict::DropReason;
use crate::snapshot::{Backend, Forwarding, Hop, NextHop};
use crate::types::{BridgeId, InterfaceId};
use crate::wire::ethernet::{self, Ethernet};

/// What a packet's rewrite does to its length.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Growth {
    pub(super) more: u16,
    pub(super) less: u16,
}

/// The next hop towards a backend.
#[inline(always)]
pub(super) fn to_backend(
    context: &mut Context<'_>,
    headers: &Headers,
    backend: &Backend,
    growth: Growth,
) -> Result<NextHop, Stop> {
    match backend.next_hop {
        Some(next_hop) => fitting(context, headers, next_hop, growth),
        None => without_next_hop(context, headers, backend, growth),
    }
}

/// A router's MAC is of no use in DSR: the packet is still addressed to the virtual IP, and the router
/// would bring it back.
fn without_next_hop(
    context: &mut Context<'_>,
    headers: &Headers,
    backend: &Backend,
    growth: Growth,
) -> Result<NextHop, Stop> {
    let neighbour = context.snapshot.fib.neighbour_towards(backend.address);
    let is_routed = neighbour.is_some_and(|(_, address)| address != backend.address);
    if is_routed && matches!(backend.forwarding, Forwarding::Dsr(None)) {
        return Err(DropReason::NotOnLink.into());
    }
    resolve(context, headers, backend.address, growth)
}

/// The next hop towards any address.
pub(super) fn resolve(
    context: &mut Context<'_>,
    headers: &Headers,
    destination: IpAddr,
    growth: Growth,
) -> Result<NextHop, Stop> {
    match context.snapshot.fib.lookup(destination) {
        Hop::Known(next_hop) => fitting(context, headers, next_hop, growth),
        Hop::NoRoute => Err(DropReason::NoRoute.into()),
        Hop::NeighbourMissing { interface, address } => {
            context.missing = Some(Missing { interface, address });
            Err(DropReason::NeighbourMissing.into())
        }
    }
}

/// The next hop, if its interface takes the packet once it is rewritten.
#[inline(always)]
fn fitting(
    context: &Context<'_>,
    headers: &Headers,
    next_hop: NextHop,
    growth: Growth,
) -> Result<NextHop, Stop> {
    let interface = context.snapshot.interface(next_hop.interface).ok_or(DropReason::InterfaceGone)?;
    let room = (interface.mtu + growth.less).saturating_sub(growth.more);
    if headers.packet_length > room { Err(Stop::TooBig { mtu: room }) } else { Ok(next_hop) }
}

/// The box's own MAC is the source of whatever it sends on: with a foreign one, switches would learn
/// that its owner lives behind the box.
#[inline(always)]
pub(super) fn readdress(
    packet: &mut Packet,
    context: &Context<'_>,
    next_hop: NextHop,
) -> Result<InterfaceId, Stop> {
    let interface = context.snapshot.interface(next_hop.interface).ok_or(DropReason::InterfaceGone)?;
    ethernet::readdress(packet.frame.bytes_mut(), next_hop.mac, interface.mac);
    Ok(next_hop.interface)
}

/// Towards a backend behind another port of the bridge: with the MAC of whoever sent it as its source,
/// which the switches there know to be on this side.
pub(super) fn redirect(
    packet: &mut Packet,
    context: &mut Context<'_>,
    next_hop: NextHop,
) -> Result<InterfaceId, Stop> {
    note_station(packet, context);
    if next_hop.interface == packet.ingress {
        return Err(DropReason::SameSegment.into());
    }
    ethernet::redirect(packet.frame.bytes_mut(), next_hop.mac);
    Ok(next_hop.interface)
}

/// Behind which port of the bridge the frame's destination is. Where nobody knows, as a bridge does:
/// it leaves by all the others.
pub(super) fn switch(packet: &mut Packet, context: &mut Context<'_>) -> Result<InterfaceId, Stop> {
    note_station(packet, context);
    let bridge = bridge_of(context, packet.ingress).ok_or(DropReason::NotOurs)?;
    let (ethernet, _) = Ethernet::new_checked(packet.frame.bytes()).map_err(DropReason::from)?;
    match context.snapshot.stations.get(&(bridge, ethernet.destination())) {
        Some(port) if *port == packet.ingress => Err(DropReason::SameSegment.into()),
        Some(port) => Ok(*port),
        None => flood(packet, context, bridge),
    }
}

fn flood(packet: &Packet, context: &mut Context<'_>, bridge: BridgeId) -> Result<InterfaceId, Stop> {
    let mut others = context.snapshot.ports_of(bridge).filter(|port| *port != packet.ingress);
    let first = others.next().ok_or(DropReason::InterfaceGone)?;
    for port in others {
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
