//! A segment without a flow: a new flow of a service, or a reason why not.

use super::answer::{self, Stop};
use super::batch::{Batch, Packet, Route};
use super::context::Context;
use super::headers::{Content, Headers, Piece};
use super::source;
use super::verdict::DropReason;
use crate::flow::{Direction, Found, Inserted, NewFlow, Tuple};
use crate::mode::is_host;
use crate::schedule::client_hash;
use crate::snapshot::{Endpoint, Forwarding, MissingState, Service};
use crate::types::{BackendId, Protocol};
use crate::wire::tcp::Flags;

#[inline(never)]
pub(super) fn run(batch: &mut Batch, context: &mut Context<'_>) {
    batch.visit_some(batch.flowless, |packet, headers, _| {
        let chosen = match (headers.content, packet.route) {
            (Content::Segment { flags }, Route::Flow(found)) if !is_reopened(context, found, flags) => return,
            (Content::Segment { flags }, _) => choose(packet, context, headers, flags),
            (Content::Error, Route::Flow(_)) | (Content::Echo | Content::Fragment, _) => return,
            (Content::Error, _) => about_no_flow(context, &headers.tuple).map_err(Stop::Drop),
        };
        match chosen {
            Ok(route) => packet.route = route,
            Err(stop) => packet.verdict = answer::verdict(packet, context, headers, stop),
        }
    });
}

/// A SYN on a flow that is closing: the client uses its port again, and gets a new flow.
fn is_reopened(context: &mut Context<'_>, found: Found, flags: Flags) -> bool {
    if !flags.opens() || found.direction == Direction::Return {
        return false;
    }
    let closing = context.table.entry(found.entry).state().is_closing();
    if closing {
        context.table.end(found.entry, context.snapshot);
    }
    closing
}

fn choose(
    packet: &Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    flags: Flags,
) -> Result<Route, Stop> {
    let tuple = &headers.tuple;
    let Some(service) = service(context, tuple) else {
        return Ok(without_service(context, headers, tuple)?);
    };
    if service.vlan.is_some_and(|vlan| vlan != headers.vlan) {
        return Err(DropReason::WrongVlan.into());
    }
    if tuple.protocol == Protocol::Tcp && !flags.opens() && !takes_strays(service, flags) {
        let is_answered = service.mode.is_two_way() && service.missing_state == MissingState::Reset;
        let has_header = !headers.piece.is_later();
        return Err(if is_answered && has_header { Stop::Reset } else { DropReason::NoFlow.into() });
    }
    if !is_host(tuple.addresses.source()) {
        return Err(DropReason::MartianSource.into());
    }
    let backend = scheduled(context, service, tuple)?;
    let found = insert(packet, context, headers, tuple, flags, backend)?;
    Ok(Route::Flow(found))
}

fn service<'a>(context: &Context<'a>, tuple: &Tuple) -> Option<&'a Service> {
    let (address, port) = (tuple.addresses.destination(), tuple.destination_port);
    let id = context.snapshot.endpoints.get(&Endpoint { address, port, protocol: tuple.protocol })?;
    context.snapshot.services.get(id.index())
}

fn scheduled(context: &Context<'_>, service: &Service, tuple: &Tuple) -> Result<BackendId, DropReason> {
    let hash = client_hash(context.snapshot.hash_seed, tuple.addresses.source(), tuple.source_port);
    service.schedule.choose(context.keeper.worker(), hash).ok_or(DropReason::NoBackend)
}

fn insert(
    packet: &Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    tuple: &Tuple,
    flags: Flags,
    id: BackendId,
) -> Result<Found, DropReason> {
    let backend = context.snapshot.backend(id).ok_or(DropReason::NoBackend)?;
    let two_way = backend.forwarding.mode().is_two_way();
    let mut flow = NewFlow { tuple, hash: packet.hash, backend: id, two_way, flags, nat: None };
    let inserted = match &backend.forwarding {
        Forwarding::OneArm(one_arm) => {
            let stream = source::stream(packet, headers, tuple, one_arm.client_address);
            source::insert(context, &mut flow, one_arm, stream)?
        }
        _ => context.table.insert(context.keeper, &flow, context.snapshot, context.now),
    };
    match inserted {
        Inserted::Existing(found) => Ok(found),
        Inserted::Created(entry) => {
            context.counters.flows_created.add(1);
            let counters = context.counters.backend(id);
            counters.active_flows.add(1);
            counters.total_flows.add(1);
            Ok(Found { entry, direction: Direction::Forward, backend: id })
        }
        Inserted::Full => {
            context.counters.flows_refused.add(1);
            Err(DropReason::TableFull)
        }
        Inserted::TupleInUse => Err(DropReason::TupleInUse),
    }
}

/// Whether a service takes segments from the middle of a connection it does not know: where nothing
/// is translated, a scheduler that chooses by the packet alone finds the backend of a flow that
/// another box, or this one before a restart, has begun.
fn takes_strays(service: &Service, flags: Flags) -> bool {
    !service.mode.is_two_way() && service.schedule.is_consistent() && !flags.has(Flags::RST)
}

fn without_service(context: &Context<'_>, headers: &Headers, tuple: &Tuple) -> Result<Route, DropReason> {
    let source = tuple.addresses.source();
    let is_part = headers.piece != Piece::Whole;
    if context.snapshot.vips.contains(tuple.addresses.destination()) {
        Err(DropReason::UnknownPort)
    } else if is_from_backend(context, tuple)
        || is_part && context.snapshot.return_endpoints.has_sender(source, tuple.protocol)
    {
        // Steered here because it comes from a backend's endpoint, or is a fragment of anything that
        // the server sends, but an answer to somebody who went to the server itself. The box is on its
        // way: it goes on as it is.
        Ok(Route::AsItIs)
    } else {
        Err(DropReason::NotOurs)
    }
}

fn is_from_backend(context: &Context<'_>, tuple: &Tuple) -> bool {
    let (address, port) = (tuple.addresses.source(), tuple.source_port);
    context.snapshot.return_endpoints.contains(&Endpoint { address, port, protocol: tuple.protocol })
}

/// An ICMP error begins no flow. Where the packet alone says which backend it is for, it gets there all
/// the same.
fn about_no_flow(context: &Context<'_>, tuple: &Tuple) -> Result<Route, DropReason> {
    match service(context, tuple) {
        Some(service) if takes_strays(service, Flags::default()) => {
            Ok(Route::Backend(scheduled(context, service, tuple)?))
        }
        None if is_from_backend(context, tuple) => Ok(Route::AsItIs),
        Some(_) | None => Err(DropReason::IcmpError),
    }
}
