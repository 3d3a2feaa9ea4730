//! The mode's rewrite, and the interface that the packet leaves by.

mod split;
mod translate;

use std::net::IpAddr;

use super::answer::Stop;
use super::batch::{Batch, Packet, Route};
use super::context::Context;
use super::egress::{self, Growth, Way};
use super::headers::{Content, Headers, Piece};
use super::verdict::{DropReason, Verdict};
use crate::flow::{Addresses, Direction, Entry, EntryRef, Found, Tuple};
use crate::mode::nat::{self, Hop};
use crate::mode::{client_address, tunnel};
use crate::snapshot::{Backend, Dscp, Forwarding, Tunnel};
use crate::types::{BackendId, InterfaceId, Port};
use translate::Rewrite;

#[inline(never)]
pub(super) fn run(batch: &mut Batch, context: &mut Context<'_>) {
    batch.visit(|packet, headers, _| {
        let tuple = &headers.tuple;
        packet.verdict = match forward(packet, context, headers, tuple) {
            Ok(interface) => Verdict::Transmit(interface),
            Err(stop) => split::stopped(packet, context, headers, tuple, stop),
        };
    });
}

#[inline(always)]
fn forward(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    tuple: &Tuple,
) -> Result<InterfaceId, Stop> {
    match packet.route {
        Route::Flow(found) => of_flow(packet, context, headers, tuple, found),
        Route::Backend(id) => {
            let interface = to_backend(packet, context, headers, tuple, id, None)?;
            count(context, id, Direction::Forward, headers.packet_length);
            Ok(interface)
        }
        Route::AsItIs => as_it_is(packet, context, headers, tuple),
    }
}

#[inline(always)]
fn of_flow(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    tuple: &Tuple,
    flow: Found,
) -> Result<InterfaceId, Stop> {
    let (id, entry) = (flow.backend, flow.entry);
    let sent = match flow.direction {
        Direction::Forward => to_backend(packet, context, headers, tuple, id, Some(entry)),
        Direction::Return => to_client(packet, context, headers, tuple, id, entry),
    };
    if sent.is_ok() {
        if let Content::Segment { flags } = headers.content {
            context.table.entry(entry).note(flow.direction, flags, context.now);
        }
        count(context, id, flow.direction, headers.packet_length);
    }
    sent
}

/// `flow`: none where the packet alone has decided, which happens in modes that translate nothing.
#[inline(always)]
fn to_backend(
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
            let way = egress::to_backend(context, headers, backend, Growth::default())?;
            clamp(packet, headers, backend);
            egress::readdress(packet, context, headers, way)
        }
        Forwarding::Tunnel(tunnel) => through_tunnel(packet, context, headers, backend, tunnel),
        Forwarding::Router => routed_to_backend(packet, context, headers, tuple, backend),
        Forwarding::Bridge => bridged_to_backend(packet, context, headers, tuple, backend),
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
    let way = egress::to_backend(context, headers, backend, growth)?;
    clamp(packet, headers, backend);
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
) -> Result<InterfaceId, Stop> {
    let way = egress::to_backend(context, headers, backend, Growth::default())?;
    let to = towards(backend, tuple, None).ok_or(DropReason::NoBackend)?;
    Rewrite::new(tuple, &to, Hop::Counted).apply(packet, context, headers)?;
    clamp(packet, headers, backend);
    egress::readdress(packet, context, headers, way)
}

#[inline(never)]
fn bridged_to_backend<'a>(
    packet: &mut Packet,
    context: &mut Context<'a>,
    headers: &Headers,
    tuple: &Tuple,
    backend: &'a Backend,
) -> Result<InterfaceId, Stop> {
    let way = egress::to_backend(context, headers, backend, Growth::default())?;
    let to = towards(backend, tuple, None).ok_or(DropReason::NoBackend)?;
    // A client from elsewhere than the bridge is routed there.
    let is_inline = egress::is_of_one_bridge(context, packet.ingress, way.interface());
    let hop = if is_inline { Hop::Transparent } else { Hop::Counted };
    Rewrite::new(tuple, &to, hop).apply(packet, context, headers)?;
    clamp(packet, headers, backend);
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
    let way = egress::to_backend(context, headers, backend, Growth::default())?;
    let addresses = Addresses::new(tuple.addresses.source(), backend.address);
    let to = Tuple { addresses: addresses.ok_or(DropReason::NoBackend)?, ..*tuple };
    let rewrite = Rewrite { keeps_quote: true, ..Rewrite::new(tuple, &to, Hop::Counted) };
    rewrite.apply(packet, context, headers)?;
    nat::set_code_point(packet.frame.bytes_mut(), headers, code_point)?;
    clamp(packet, headers, backend);
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
    let way = egress::to_backend(context, headers, backend, growth)?;
    let moved = Rewrite::new(tuple, &to, Hop::Counted).apply(packet, context, headers)?;
    let headers = moved.as_ref().unwrap_or(headers);
    clamp(packet, headers, backend);
    if entry.tells() {
        tell(packet, context, headers, tuple, entry, way)?;
    }
    egress::readdress(packet, context, headers, way)
}

/// Tells the backend of the client.
#[inline(never)]
fn tell(
    packet: &mut Packet,
    context: &Context<'_>,
    headers: &Headers,
    client: &Tuple,
    entry: Entry<'_>,
    way: Way<'_>,
) -> Result<(), Stop> {
    if let (Some(place), Some(nat)) = (stream(headers), entry.nat()) {
        let (frame, acknowledged) = (&mut packet.frame, entry.has_acknowledged_header());
        let told = client_address::tell(frame, place, client, &nat, acknowledged, longest(headers, way))?;
        if told == client_address::Told::NoRoom {
            context.counters.toa_omitted.add(1);
        }
    }
    Ok(())
}

/// Takes back in a segment of the backend what telling it has done.
#[inline(never)]
fn untell(packet: &mut Packet, headers: &Headers, entry: Entry<'_>) {
    if let Some(nat) = entry.nat().filter(|nat| nat.shift > 0)
        && let Some(place) = stream(headers)
        && let Some(segment) = packet.frame.bytes_mut().get_mut(place.transport..place.end)
    {
        translate::leave_room(segment, nat.shift);
        if client_address::untell(segment, &nat, entry.has_acknowledged_header()) {
            entry.mark_header_acknowledged();
        }
    }
}

/// Where the segment is, if it is one of TCP.
fn stream(headers: &Headers) -> Option<client_address::Place> {
    headers.has_tcp_header().then(|| {
        let network = usize::from(headers.network);
        let end = network + usize::from(headers.packet_length);
        client_address::Place { network, transport: headers.transport.into(), end }
    })
}

/// How long the packet may become. A fragment cannot grow: the others know where they belong.
fn longest(headers: &Headers, way: Way<'_>) -> usize {
    usize::from(if headers.piece == Piece::Whole { way.mtu() } else { headers.packet_length })
}

/// A packet of the backend: it seems to come from the virtual IP, to the client.
#[inline(never)]
fn to_client(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    tuple: &Tuple,
    id: BackendId,
    flow: EntryRef,
) -> Result<InterfaceId, Stop> {
    let backend = context.snapshot.backend(id).ok_or(DropReason::NoBackend)?;
    let entry = context.table.entry(flow);
    let to = entry.forward_tuple().reversed();
    if matches!(backend.forwarding, Forwarding::Bridge) && egress::is_passing(packet, context) {
        // Where it leaves comes last: that may be by several ports, which get copies.
        Rewrite::new(tuple, &to, Hop::Transparent).apply(packet, context, headers)?;
        clamp(packet, headers, backend);
        return Ok(egress::switch(packet, context, headers)?);
    }
    let growth = translate::growth(tuple, &to, headers);
    let way = egress::resolve(context, headers, to.addresses.destination(), growth)?;
    let moved = Rewrite::new(tuple, &to, Hop::Counted).apply(packet, context, headers)?;
    let headers = moved.as_ref().unwrap_or(headers);
    clamp(packet, headers, backend);
    if entry.tells() {
        untell(packet, headers, entry);
    }
    egress::readdress(packet, context, headers, way)
}

/// What a client's packet becomes on its way to the backend; `source`: its new one.
#[inline(always)]
fn towards(backend: &Backend, tuple: &Tuple, source: Option<Source>) -> Option<Tuple> {
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
struct Source {
    address: IpAddr,
    port: Port,
}

/// Lowers the segment size that a SYN announces, if the service has a limit.
#[inline(always)]
fn clamp(packet: &mut Packet, headers: &Headers, backend: &Backend) {
    if let Some(max) = backend.mss_clamp {
        translate::clamp(packet, headers, max);
    }
}

/// A backend's own traffic: forwarded as a router does, or as a bridge does.
#[inline(never)]
fn as_it_is(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    tuple: &Tuple,
) -> Result<InterfaceId, Stop> {
    if egress::is_passing(packet, context) {
        return Ok(egress::switch(packet, context, headers)?);
    }
    let way = egress::resolve(context, headers, tuple.addresses.destination(), Growth::default())?;
    nat::decrement_ttl(packet.frame.bytes_mut(), headers, tuple.addresses)?;
    egress::readdress(packet, context, headers, way)
}

#[inline(always)]
fn count(context: &Context<'_>, backend: BackendId, direction: Direction, length: u16) {
    let counters = context.counters.backend(backend);
    match direction {
        Direction::Forward => {
            counters.packets_in.add(1);
            counters.bytes_in.add(u64::from(length));
        }
        Direction::Return => {
            counters.packets_out.add(1);
            counters.bytes_out.add(u64::from(length));
        }
    }
}
