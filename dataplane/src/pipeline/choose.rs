//! A segment without a flow: a new flow of a service, or a reason why not.

use super::admit::{self, Candidate};
use super::answer::{self, Stop};
use super::context::Context;
use super::cookie;
use super::retire::{self, Met};
use crate::flow::Tuple;
use crate::packet::{Batch, Packet, Route};
use crate::packet::{Content, Headers, Piece};
use crate::snapshot::{Endpoint, MissingState, Service};
use crate::types::Protocol;
use crate::verdict::DropReason;
use crate::wire::answer::is_host;
use crate::wire::tcp::Flags;

#[inline(never)]
pub(super) fn run(batch: &mut Batch, context: &mut Context<'_>) {
    batch.visit_some(batch.flowless, |packet, headers, _| {
        let chosen = match (headers.content, packet.route) {
            (Content::Segment { .. }, Route::Flow(found))
                if retire::meet(packet, context, headers, found) == Met::GoesOn =>
            {
                return;
            }
            (Content::Segment { flags }, _) => choose(packet, context, headers, flags),
            (Content::Error, Route::Flow(_))
            | (Content::Echo | Content::EchoFragment | Content::Fragment, _) => return,
            (Content::Error, _) => about_no_flow(context, &headers.tuple).map_err(Stop::Drop),
        };
        match chosen {
            Ok(route) => packet.route = route,
            Err(stop) => packet.verdict = answer::verdict(packet, context, headers, stop),
        }
    });
}

fn choose(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    flags: Flags,
) -> Result<Route, Stop> {
    let tuple = &headers.tuple;
    let Some(service) = service(context, tuple) else {
        return without_service(context, headers, tuple);
    };
    if service.vlan.is_some_and(|vlan| vlan != headers.vlan) {
        return Err(DropReason::WrongVlan.into());
    }
    // Whoever has a connection comes first. What may be in the middle of one, of which this box does not know,
    // is not turned away.
    if context.is_overloaded && (flags.opens() || tuple.protocol == Protocol::Udp) {
        return Err(DropReason::Overload.into());
    }
    // An earlier packet of the same batch may have begun the flow: what follows is asked once for a flow.
    if let Some(found) = context.table.find(packet.hash, tuple, context.snapshot) {
        return Ok(Route::Flow(found));
    }
    admit::enter(context, service, tuple)?;
    if tuple.protocol == Protocol::Tcp && !flags.opens() && !takes_strays(service, flags) {
        return after_cookie(packet, context, headers, service, flags);
    }
    if !is_host(tuple.addresses.source()) {
        return Err(DropReason::MartianSource.into());
    }
    // Before any rate or room is used up for it.
    if tuple.protocol == Protocol::Tcp && service.answers_by_cookie() {
        cookie::answer(packet, context, headers, service)?;
        return Err(Stop::Answered);
    }
    Ok(admit::begin(packet, context, headers, Candidate { service, tuple, flags, opening: None })?)
}

/// A segment from the middle of a connection that the box does not know: it may bring a cookie back.
#[inline(never)]
fn after_cookie(
    packet: &Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    service: &Service,
    flags: Flags,
) -> Result<Route, Stop> {
    if let Some(opening) = cookie::opening(packet, context, headers, service, flags) {
        // For limits and half-open flows it is the beginning.
        let (flags, opening) = (Flags(Flags::SYN), Some(opening));
        let candidate = Candidate { service, tuple: &headers.tuple, flags, opening };
        return Ok(admit::begin(packet, context, headers, candidate)?);
    }
    let is_answered = service.mode.is_two_way() && service.missing_state == MissingState::Reset;
    let has_header = !headers.piece.is_later();
    Err(if is_answered && has_header { Stop::Reset } else { DropReason::NoFlow.into() })
}

/// The service that a packet asks for. Many new flows at a time are most often of one service, so the last
/// answer is tried first.
pub(super) fn service<'a>(context: &mut Context<'a>, tuple: &Tuple) -> Option<&'a Service> {
    let (address, port) = (tuple.addresses.destination(), tuple.destination_port);
    let endpoint = Endpoint { address, port, protocol: tuple.protocol };
    let id = match context.asked {
        Some((asked, id)) if asked == endpoint => id,
        _ => context.snapshot.endpoints.get(&endpoint)?,
    };
    context.asked = Some((endpoint, id));
    context.snapshot.services.get(id.index())
}

/// Whether a service takes segments from the middle of a connection it does not know: where nothing
/// is translated, a scheduler that chooses by the packet alone finds the backend of a flow that
/// another box has begun, or this one before a restart or when it had no room to remember it.
pub(super) fn takes_strays(service: &Service, flags: Flags) -> bool {
    service.stateless().is_some() && !flags.has(Flags::RST)
}

pub(super) fn without_service(
    context: &Context<'_>,
    headers: &Headers,
    tuple: &Tuple,
) -> Result<Route, Stop> {
    let source = tuple.addresses.source();
    let is_part = headers.piece != Piece::Whole;
    if let Some(vip) = context.snapshot.vips.get(tuple.addresses.destination()) {
        let is_answered = vip.pool && is_forgotten(context, headers, tuple);
        Err(if is_answered { Stop::Reset } else { DropReason::UnknownPort.into() })
    } else if is_from_backend(context, tuple)
        || is_part && context.snapshot.return_endpoints.has_sender(source, tuple.protocol)
    {
        // Steered here because it comes from a backend's endpoint, or is a fragment of anything that
        // the server sends, but an answer to somebody who went to the server itself. The box is on its
        // way: it goes on as it is.
        Ok(Route::AsItIs)
    } else {
        Err(DropReason::NotOurs.into())
    }
}

/// Whether a segment to a source-NAT pool is one of a backend that goes on with a connection of which the node knows
/// nothing any more, and its service wants to have such connections reset.
fn is_forgotten(context: &Context<'_>, headers: &Headers, tuple: &Tuple) -> bool {
    let Content::Segment { flags } = headers.content else { return false };
    let (address, port) = (tuple.addresses.source(), tuple.source_port);
    headers.has_tcp_header()
        && !flags.opens()
        && context.snapshot.reset_endpoints.contains(&Endpoint { address, port, protocol: tuple.protocol })
}

pub(super) fn is_from_backend(context: &Context<'_>, tuple: &Tuple) -> bool {
    let (address, port) = (tuple.addresses.source(), tuple.source_port);
    context.snapshot.return_endpoints.contains(&Endpoint { address, port, protocol: tuple.protocol })
}

/// An ICMP error begins no flow. Where the packet alone says which backend it is for, it gets there all
/// the same.
pub(super) fn about_no_flow(context: &mut Context<'_>, tuple: &Tuple) -> Result<Route, DropReason> {
    match service(context, tuple) {
        Some(service) if takes_strays(service, Flags::default()) => {
            Ok(Route::Backend(admit::unremembered(context, service, tuple)?))
        }
        None if is_from_backend(context, tuple) => Ok(Route::AsItIs),
        Some(_) | None => Err(DropReason::IcmpError),
    }
}
