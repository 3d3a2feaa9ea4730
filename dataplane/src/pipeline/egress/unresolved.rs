//! Next hops whose MAC address is not known: the way of packets that will wait for them, and what is left of it then.

use std::net::IpAddr;

use super::super::answer::Stop;
use super::super::context::Context;
use super::{Growth, Way, behind_a_port, bridge_of, fits, is_of_one_bridge};
use crate::packet::Headers;
use crate::packet::Packet;
use crate::snapshot::{Backend, Forwarding, NextHop, Query};
use crate::types::InterfaceId;
use crate::unresolved::{KnownRouter, Missing};
use crate::verdict::{DropReason, Verdict};
use crate::wire::ethernet::{self, Ethernet, Payload, ethertype};
use crate::wire::ipv4::Ipv4;
use crate::wire::ipv6::{self, Ipv6};

/// The way by a next hop whose MAC address is not known: the packet takes it like any other, and then waits where
/// it would leave.
#[cold]
pub(super) fn unresolved<'a>(
    context: &mut Context<'a>,
    headers: &Headers,
    missing: Missing,
    growth: Growth,
) -> Result<Way<'a>, Stop> {
    let interface = context.snapshot.interface(missing.interface).ok_or(DropReason::InterfaceGone)?;
    fits(headers, interface, growth)?;
    let next_hop = context.unresolved.want(missing, context.now).ok_or(DropReason::NeighbourMissing)?;
    Ok(Way { next_hop, interface })
}

/// A flow has begun whose replies the node sends to the client: resolution of the next hop there begins with it,
/// not with the first reply. Of a client on the segment, the packet says in addition where it is; that is a hint
/// that the neighbour is asked about, and not believed, because hosts may send by other MAC addresses than they
/// receive by (RFC 1122 section 2.3.2.1).
pub(in super::super) fn expect_replies(
    packet: &Packet,
    context: &mut Context<'_>,
    backend: &Backend,
    (client, virtual_ip): (IpAddr, IpAddr),
) {
    // Across a bridge, the backend addresses replies to the client itself.
    let is_bridged = matches!(backend.forwarding, Forwarding::Bridge);
    if is_bridged && bridge_of(context, packet.ingress).is_some() {
        return;
    }
    let fib = &context.snapshot.fib;
    let query = Query { source: Some(virtual_ip), ..Query::towards(client) };
    let Some(towards) = fib.towards(&query) else { return };
    let route =
        KnownRouter { generation: context.snapshot.generation, route: std::ptr::from_ref(towards).addr() };
    let (interface, gateway) = *towards;
    if context.unresolved.known == Some(route) && gateway != Some(client) {
        return;
    }
    let address = gateway.unwrap_or(client);
    let missing = Missing { interface, address };
    match fib.neighbours().get(interface, address) {
        None => context.unresolved.foresee(missing, context.now),
        Some(known) if address == client => {
            let is_here = packet.ingress == interface || is_of_one_bridge(context, packet.ingress, interface);
            let source = packet.frame.bytes().get(6..12).and_then(|bytes| bytes.first_chunk());
            if is_here && source.is_some_and(|source| *source != known.mac.0) {
                context.unresolved.note_moved(missing, context.now);
            }
        }
        Some(_) => context.unresolved.known = Some(route),
    }
}

/// The rest of the way of a packet that has waited for its next hop.
pub(crate) fn resume(packet: &mut Packet, context: &mut Context<'_>, next_hop: &NextHop) {
    packet.verdict = match resumed(packet, context, next_hop) {
        Ok(interface) => Verdict::Transmit(interface),
        Err(reason) => Verdict::Drop(reason),
    };
}

fn resumed(
    packet: &mut Packet,
    context: &mut Context<'_>,
    next_hop: &NextHop,
) -> Result<InterfaceId, DropReason> {
    let interface = context.snapshot.interface(next_hop.interface).ok_or(DropReason::InterfaceGone)?;
    ethernet::redirect(packet.frame.bytes_mut(), next_hop.mac);
    let Some(bridge) = interface.bridge else { return Ok(next_hop.interface) };
    let source = Ethernet::new_checked(packet.frame.bytes())?.0.source();
    let mut ports = context.snapshot.ports_of(bridge).filter_map(|port| context.snapshot.interface(port));
    let is_own = ports.any(|port| port.mac == source);
    if is_own {
        // It has the MAC of the first port: behind which one its neighbour is was not known.
        ethernet::readdress(packet.frame.bytes_mut(), &next_hop.mac, &interface.mac);
    }
    // What comes from the node may go back to where its sender is.
    let ingress = Some(packet.ingress).filter(|_| !is_own);
    let headers = Headers { packet_length: packet_length(packet.frame.bytes())?, ..Headers::NONE };
    behind_a_port(packet, context, &headers, (bridge, next_hop.mac), ingress)
}

/// Length of the IP packet, without tags before it and padding behind it.
fn packet_length(frame: &[u8]) -> Result<u16, DropReason> {
    let Payload { ethertype, offset, .. } = ethernet::payload(frame)?;
    let packet = frame.get(offset..).unwrap_or_default();
    match ethertype {
        ethertype::IPV4 => Ok(Ipv4::new_quoted(packet)?.0.total_length()),
        ethertype::IPV6 => {
            let fixed = u16::try_from(ipv6::LENGTH).unwrap_or(u16::MAX);
            Ok(Ipv6::new_quoted(packet)?.0.payload_length().saturating_add(fixed))
        }
        _ => Ok(u16::try_from(packet.len()).unwrap_or(u16::MAX)),
    }
}
