//! The mode's rewrite, and the interface that the packet leaves by.

mod client;
mod foretold;
mod numbers;
mod proxied;
mod split;
mod to_backend;
mod to_client;
mod translate;

use super::answer::Stop;
use super::context::Context;
use super::egress::{self, Growth};
use crate::flow::{Direction, Ending, Found, Tuple, Turn};
use crate::mode::nat;
use crate::packet::{Batch, Packet, Route};
use crate::packet::{Content, Headers};
use crate::snapshot::Backend;
use crate::types::{BackendId, InterfaceId};
use crate::verdict::DropReason;
use crate::verdict::Verdict;
use crate::wire::tcp::Flags;
pub(super) use foretold::{Way, foretold};
pub(super) use proxied::on_time;
pub(super) use to_backend::to_backend;
use to_client::to_client;

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
    let turning = Flags::SYN | Flags::FIN | Flags::RST;
    let turns = matches!(headers.content, Content::Segment { flags } if flags.has(turning));
    if context.table.entry(flow.entry).needs_care(turns) {
        return with_care(packet, context, headers, flow);
    }
    translated(packet, context, headers, tuple, flow)
}

#[inline(always)]
fn translated(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    tuple: &Tuple,
    flow: Found,
) -> Result<InterfaceId, Stop> {
    let sent = in_direction(packet, context, headers, tuple, flow);
    if sent.is_ok() {
        if let Content::Segment { flags } = headers.content
            && let Some(turn) = context.table.entry(flow.entry).note(flow.direction, flags, context.now)
        {
            turned(context, flow.backend, turn);
        }
        count(context, flow.backend, flow.direction, headers.packet_length);
    }
    sent
}

/// Flows whose handshake the node has made, and those of which an end was seen; handshakes.
#[inline(never)]
fn with_care(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    flow: Found,
) -> Result<InterfaceId, Stop> {
    let entry = context.table.entry(flow.entry);
    if entry.is_proxied()
        && let Some(sent) = proxied::instead(packet, context, headers, flow)
    {
        return sent;
    }
    match headers.content {
        Content::Segment { flags } if entry.asks_for_numbers(flags) => {
            of_ending_flow(packet, context, headers, flow, flags)
        }
        Content::Segment { flags } if flags.has(Flags::SYN) && flow.direction == Direction::Return => {
            if let Some(numbers) = numbers::of(packet, headers, entry, flow.direction) {
                context.table.is_answered(flow.entry, numbers);
            }
            translated(packet, context, headers, &headers.tuple, flow)
        }
        _ => translated(packet, context, headers, &headers.tuple, flow),
    }
}

/// A segment that ends the connection, or comes after one that does.
fn of_ending_flow(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    flow: Found,
    flags: Flags,
) -> Result<InterfaceId, Stop> {
    let Found { entry, direction, backend } = flow;
    let segment = ending(packet, context, headers, flow, flags);
    if context.table.must_end(segment) {
        context.table.end(entry, context.snapshot);
        return Err(DropReason::OutOfHandshake.into());
    }
    let interface = in_direction(packet, context, headers, &headers.tuple, flow)?;
    if let Some(turn) = context.table.note_ending(segment, context.now) {
        turned(context, backend, turn);
    }
    count(context, backend, direction, headers.packet_length);
    Ok(interface)
}

/// Before it is translated: the numbers have to be the same in both directions.
fn ending(packet: &Packet, context: &Context<'_>, headers: &Headers, flow: Found, flags: Flags) -> Ending {
    let Found { entry, direction, .. } = flow;
    let numbers = numbers::of(packet, headers, context.table.entry(entry), direction);
    Ending { flow: entry, direction, flags, numbers }
}

#[inline(always)]
fn in_direction(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    tuple: &Tuple,
    Found { entry, direction, backend }: Found,
) -> Result<InterfaceId, Stop> {
    match direction {
        Direction::Forward => to_backend(packet, context, headers, tuple, backend, Some(entry)),
        Direction::Return => to_client(packet, context, headers, tuple, backend, entry),
    }
}

/// Sends a segment that the box has made on a flow's way: it says nothing of how far the connection is.
#[inline(never)]
fn carry(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    tuple: &Tuple,
    flow: Found,
) -> Result<InterfaceId, Stop> {
    let interface = in_direction(packet, context, headers, tuple, flow)?;
    context.table.entry(flow.entry).touch(context.now);
    count(context, flow.backend, flow.direction, headers.packet_length);
    Ok(interface)
}

/// A few times in the life of a flow: its handshake is over, its end begins or is taken back.
#[cold]
fn turned(context: &Context<'_>, backend: BackendId, turn: Turn) {
    let Some(backend) = context.snapshot.backend(backend) else { return };
    if turn.established {
        backend.meters.service.established();
    }
    if turn.closing {
        backend.meters.backend.closes();
    }
    if turn.reopened {
        backend.meters.backend.reopens();
    }
    if let Some(reception) = turn.reception {
        backend.meters.backend.received(reception);
    }
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
    let query = egress::query(packet, headers, tuple.addresses.destination(), egress::Source::Kept);
    let way = egress::resolve(context, headers, &query, Growth::default())?;
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
