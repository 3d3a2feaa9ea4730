//! A client's packet on its way to the backend: a function per mode.

use std::net::IpAddr;

use super::super::answer::Stop;
use super::super::context::Context;
use super::super::egress::{self, Growth, Source as Leaves};
use super::client;
use super::proxied;
use super::translate::{self, Rewrite};
use crate::flow::{Addresses, Direction, EntryRef, Tuple};
use crate::mode::nat::{self, Hop};
use crate::mode::tunnel;
use crate::packet::Headers;
use crate::packet::Packet;
use crate::snapshot::{Backend, Dscp, Forwarding, Tunnel};
use crate::types::{BackendId, InterfaceId, Port};
use crate::verdict::DropReason;

/// `flow`: none where the packet alone has decided, which happens in modes that translate nothing.
#[inline(always)]
pub(in super::super) fn to_backend(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    tuple: &Tuple,
    id: BackendId,
    flow: Option<EntryRef>,
) -> Result<InterfaceId, Stop> {
    let backend = context.snapshot.backend(id).ok_or(DropReason::NoBackend)?;
    match &backend.forwarding {
        Forwarding::Dsr(None) => {
            let way =
                egress::to_backend(packet, context, headers, (backend, Leaves::Kept), Growth::default())?;
            super::clamp(packet, headers, backend);
            egress::readdress(packet, context, headers, way)
        }
        Forwarding::Tunnel(tunnel) => through_tunnel(packet, context, headers, backend, tunnel),
        Forwarding::Router => routed_to_backend(packet, context, headers, tuple, backend, flow),
        Forwarding::Bridge => bridged_to_backend(packet, context, headers, tuple, backend, flow),
        Forwarding::Dsr(Some(code_point)) => {
            marked_to_backend(packet, context, headers, tuple, backend, *code_point)
        }
        Forwarding::OneArm(_) => one_arm_to_backend(packet, context, headers, tuple, backend, flow),
    }
}

#[inline(never)]
fn through_tunnel<'a>(
    packet: &mut Packet,
    context: &mut Context<'a>,
    headers: &Headers,
    backend: &'a Backend,
    tunnel: &'a Tunnel,
) -> Result<InterfaceId, Stop> {
    let growth = Growth { more: tunnel.overhead(), less: 0 };
    let way = egress::to_backend(packet, context, headers, (backend, Leaves::Own(tunnel.source)), growth)?;
    super::clamp(packet, headers, backend);
    let inner = (usize::from(headers.network), headers.packet_length);
    let id = context.fragments.next_identification();
    tunnel::encapsulate(&mut packet.frame, inner, tunnel, packet.hash.0, id)?;
    egress::readdress(packet, context, headers, way)
}

#[inline(never)]
fn routed_to_backend<'a>(
    packet: &mut Packet,
    context: &mut Context<'a>,
    headers: &Headers,
    tuple: &Tuple,
    backend: &'a Backend,
    flow: Option<EntryRef>,
) -> Result<InterfaceId, Stop> {
    let way = egress::to_backend(packet, context, headers, (backend, Leaves::Kept), Growth::default())?;
    let to = towards(backend, tuple, None).ok_or(DropReason::NoBackend)?;
    Rewrite::new(tuple, &to, Hop::Counted).apply(packet, context, headers)?;
    translate_stream(packet, context, headers, flow);
    super::clamp(packet, headers, backend);
    egress::readdress(packet, context, headers, way)
}

#[inline(never)]
fn bridged_to_backend<'a>(
    packet: &mut Packet,
    context: &mut Context<'a>,
    headers: &Headers,
    tuple: &Tuple,
    backend: &'a Backend,
    flow: Option<EntryRef>,
) -> Result<InterfaceId, Stop> {
    let way = egress::to_backend(packet, context, headers, (backend, Leaves::Kept), Growth::default())?;
    let to = towards(backend, tuple, None).ok_or(DropReason::NoBackend)?;
    // A client from elsewhere than the bridge is routed there.
    let is_inline = egress::is_inline(context, packet.ingress, way);
    let hop = if is_inline { Hop::Transparent } else { Hop::Counted };
    Rewrite::new(tuple, &to, hop).apply(packet, context, headers)?;
    translate_stream(packet, context, headers, flow);
    super::clamp(packet, headers, backend);
    if is_inline {
        egress::redirect(packet, context, headers, way)
    } else {
        egress::readdress(packet, context, headers, way)
    }
}

/// L3 DSR.
#[inline(never)]
fn marked_to_backend<'a>(
    packet: &mut Packet,
    context: &mut Context<'a>,
    headers: &Headers,
    tuple: &Tuple,
    backend: &'a Backend,
    code_point: Dscp,
) -> Result<InterfaceId, Stop> {
    let way = egress::to_backend(packet, context, headers, (backend, Leaves::Kept), Growth::default())?;
    let addresses = Addresses::new(tuple.addresses.source(), backend.address);
    let to = Tuple { addresses: addresses.ok_or(DropReason::NoBackend)?, ..*tuple };
    let rewrite = Rewrite { keeps_quote: true, ..Rewrite::new(tuple, &to, Hop::Counted) };
    rewrite.apply(packet, context, headers)?;
    nat::set_code_point(packet.frame.bytes_mut(), headers, code_point)?;
    super::clamp(packet, headers, backend);
    egress::readdress(packet, context, headers, way)
}

#[inline(never)]
fn one_arm_to_backend<'a>(
    packet: &mut Packet,
    context: &mut Context<'a>,
    headers: &Headers,
    tuple: &Tuple,
    backend: &'a Backend,
    flow: Option<EntryRef>,
) -> Result<InterfaceId, Stop> {
    let entry = context.table.entry(flow.ok_or(DropReason::NoFlow)?);
    let (address, port) = entry.snat().ok_or(DropReason::NoFlow)?;
    let address = context.snapshot.snat.get(address.index()).copied().flatten();
    let source = Source { address: address.ok_or(DropReason::NoBackend)?, port };
    let to = towards(backend, tuple, Some(source)).ok_or(DropReason::NoBackend)?;
    let growth = translate::growth(tuple, &to, headers);
    let leaves = Leaves::Own(to.addresses.source());
    let way = egress::to_backend(packet, context, headers, (backend, leaves), growth)?;
    let moved = Rewrite::new(tuple, &to, Hop::Counted).apply(packet, context, headers)?;
    let headers = moved.as_ref().unwrap_or(headers);
    proxied::translate(packet, headers, entry, Direction::Forward);
    super::clamp(packet, headers, backend);
    if entry.tells() {
        client::tell(packet, context, headers, tuple, entry, way)?;
    }
    egress::readdress(packet, context, headers, way)
}

/// Where the box has made the handshake, the ends count differently.
#[inline(always)]
fn translate_stream(packet: &mut Packet, context: &Context<'_>, headers: &Headers, flow: Option<EntryRef>) {
    if let Some(flow) = flow {
        proxied::translate(packet, headers, context.table.entry(flow), Direction::Forward);
    }
}

/// What a client's packet becomes on its way to the backend; `source`: its new one.
#[inline(always)]
pub(super) fn towards(backend: &Backend, tuple: &Tuple, source: Option<Source>) -> Option<Tuple> {
    let Source { address, port } =
        source.unwrap_or(Source { address: tuple.addresses.source(), port: tuple.source_port });
    Some(Tuple {
        addresses: Addresses::new(address, backend.address)?,
        source_port: port,
        destination_port: backend.port.unwrap_or(tuple.destination_port),
        protocol: tuple.protocol,
    })
}

/// The end that a backend sees as its client.
pub(super) struct Source {
    pub(super) address: IpAddr,
    pub(super) port: Port,
}
