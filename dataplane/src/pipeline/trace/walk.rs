//! The stages, one after another, for one packet that nobody has sent.

use std::net::SocketAddr;

use super::super::answer::Stop;
use super::super::context::Context;
use super::super::retire::{self, Fated};
use super::super::rewrite::{self, Way};
use super::super::{admit, choose, finish, parse, pick};
use super::{Outcome, Step};
use crate::flow::{Direction, Found};
use crate::mode;
use crate::packet::{Content, Headers, Piece};
use crate::packet::{Packet, Route};
use crate::snapshot::{Endpoint, MissingState, Service};
use crate::types::{InterfaceId, Mac, Protocol};
use crate::verdict::DropReason;
use crate::wire::answer::is_host;
use crate::wire::tcp::Flags;

impl From<Stop> for Outcome {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Drop(reason) => Self::Dropped(reason),
            Stop::TooBig { mtu } => Self::TooBig { mtu },
            Stop::Reset => Self::Reset,
            Stop::Answered => Self::Answered,
        }
    }
}

impl From<DropReason> for Outcome {
    fn from(reason: DropReason) -> Self {
        Self::Dropped(reason)
    }
}

pub(super) fn walk(
    packet: &mut Packet,
    context: &mut Context<'_>,
    steps: &mut Vec<Step>,
) -> Result<InterfaceId, Outcome> {
    let headers = parse::headers(packet.frame.bytes())?.ok_or(Outcome::ToManagement)?;
    steps.push(parsed(&headers));
    finish::one(packet, &headers, context.snapshot.unfinished);
    if !is_steered(context, &headers) {
        return Err(Outcome::ToLinux);
    }
    tenure(packet, context, &headers, steps)?;
    match headers.content {
        Content::Echo => return Err(echo(packet, context, &headers)),
        Content::Fragment | Content::EchoFragment => return Err(Outcome::Fragment),
        Content::Segment { .. } | Content::Error => {}
    }
    packet.hash = context.table.hash(&headers.tuple);
    let way = match context.table.find(packet.hash, &headers.tuple, context.snapshot) {
        Some(found) => of_flow(context, &headers, found, steps)?,
        None => {
            steps.push(Step::NoFlow);
            None
        }
    };
    let way = match way {
        Some(way) => way,
        None => choose(context, &headers, steps)?,
    };
    Ok(rewrite::foretold(packet, context, &headers, way)?)
}

fn parsed(headers: &Headers) -> Step {
    let tuple = &headers.tuple;
    let kind = match (headers.content, headers.piece) {
        (Content::Segment { .. }, Piece::First { .. }) => "first fragment",
        (Content::Segment { flags }, _) if tuple.protocol == Protocol::Tcp && flags.opens() => "SYN",
        (Content::Segment { .. }, _) if tuple.protocol == Protocol::Tcp => "segment",
        (Content::Segment { .. }, _) => "datagram",
        (Content::Echo, Piece::Whole) => "echo request",
        (Content::Echo, _) => "first fragment of an echo request",
        (Content::Error, _) => "ICMP error about packets of the other direction",
        (Content::Fragment | Content::EchoFragment, _) => "later fragment",
    };
    Step::Parsed {
        source: SocketAddr::new(tuple.addresses.source(), tuple.source_port.0),
        destination: SocketAddr::new(tuple.addresses.destination(), tuple.destination_port.0),
        protocol: tuple.protocol,
        kind,
        length: headers.packet_length,
        vlan: headers.vlan,
    }
}

/// What the program in the kernel decides by: see `xdp/steering.bpf.c`.
fn is_steered(context: &Context<'_>, headers: &Headers) -> bool {
    let (snapshot, tuple) = (context.snapshot, &headers.tuple);
    let (source, destination) = (tuple.addresses.source(), tuple.addresses.destination());
    let is_whole = headers.piece == Piece::Whole;
    let is_return = if is_whole {
        let endpoint = Endpoint { address: source, port: tuple.source_port, protocol: tuple.protocol };
        snapshot.return_endpoints.contains(&endpoint)
    } else {
        snapshot.return_endpoints.has_sender(source, tuple.protocol)
    };
    snapshot.vips.contains(destination) || is_return && !snapshot.local_addresses.contains(&destination)
}

fn tenure(
    packet: &Packet,
    context: &Context<'_>,
    headers: &Headers,
    steps: &mut Vec<Step>,
) -> Result<(), Outcome> {
    let (tenancies, now) = (&context.snapshot.tenancies, context.now.0);
    let destination = headers.tuple.addresses.destination();
    let mac = packet.frame.bytes().first_chunk().map(|bytes| Mac(*bytes));
    let is_elsewhere = tenancies.is_elsewhere(destination, now)
        || mac.is_some_and(|mac| tenancies.is_mac_elsewhere(mac, now));
    if is_elsewhere || tenancies.of(destination).is_some() {
        steps.push(Step::Master(!is_elsewhere));
    }
    if is_elsewhere { Err(DropReason::NotMaster.into()) } else { Ok(()) }
}

fn echo(packet: &mut Packet, context: &Context<'_>, headers: &Headers) -> Outcome {
    let (network, transport) = (usize::from(headers.network), usize::from(headers.transport));
    match context.snapshot.vips.get(headers.tuple.addresses.destination()) {
        Some(vip) if vip.echo => match mode::echo_reply(packet.frame.bytes_mut(), network, transport) {
            Some(()) => Outcome::Answered,
            None => DropReason::MartianSource.into(),
        },
        Some(_) => DropReason::ServiceDown.into(),
        None => DropReason::NotOurs.into(),
    }
}

/// `None`: the flow is over.
fn of_flow(
    context: &Context<'_>,
    headers: &Headers,
    found: Found,
    steps: &mut Vec<Step>,
) -> Result<Option<Way>, Outcome> {
    let Found { entry, direction, backend } = found;
    let state = context.table.entry(entry).state();
    let fate = context.snapshot.fate(backend);
    steps.push(Step::Flow { backend, is_reply: direction == Direction::Return, state, fate });
    let Content::Segment { flags } = headers.content else { return Ok(Some(Way::Flow(found))) };
    Ok(match retire::fated(context, headers, flags, found) {
        Fated::GoesOn => Some(Way::Flow(found)),
        Fated::IsReset => {
            steps.push(Step::IsReset);
            return Err(Outcome::Reset);
        }
        Fated::IsOver => {
            steps.push(Step::BeginsAnew);
            None
        }
    })
}

fn choose(context: &mut Context<'_>, headers: &Headers, steps: &mut Vec<Step>) -> Result<Way, Outcome> {
    let tuple = &headers.tuple;
    let endpoint = Endpoint {
        address: tuple.addresses.destination(),
        port: tuple.destination_port,
        protocol: tuple.protocol,
    };
    let service = context.snapshot.endpoints.get(&endpoint);
    let service = service.and_then(|id| Some((id, context.snapshot.services.get(id.index())?)));
    let Content::Segment { flags } = headers.content else {
        steps.extend(service.map(|(id, _)| Step::Service(id)));
        return Ok(way(choose::about_no_flow(context, tuple)?, steps));
    };
    let Some((id, service)) = service else {
        return Ok(way(choose::without_service(context, headers, tuple)?, steps));
    };
    steps.push(Step::Service(id));
    if service.vlan.is_some_and(|vlan| vlan != headers.vlan) {
        return Err(DropReason::WrongVlan.into());
    }
    let may = service.admission.access.allows(tuple.addresses.source());
    steps.push(Step::Access(may));
    if !may {
        return Err(DropReason::Denied.into());
    }
    begin(context, headers, service, flags, steps)
}

fn begin(
    context: &Context<'_>,
    headers: &Headers,
    service: &Service,
    flags: Flags,
    steps: &mut Vec<Step>,
) -> Result<Way, Outcome> {
    let tuple = &headers.tuple;
    let is_stray = tuple.protocol == Protocol::Tcp && !flags.opens();
    if is_stray {
        steps.push(Step::Stray);
    }
    if is_stray && !choose::takes_strays(service, flags) {
        let is_told = service.mode.is_two_way() && service.missing_state == MissingState::Reset;
        let has_header = !headers.piece.is_later();
        return Err(if is_told && has_header { Outcome::Reset } else { DropReason::NoFlow.into() });
    }
    if !is_host(tuple.addresses.source()) {
        return Err(DropReason::MartianSource.into());
    }
    if tuple.protocol == Protocol::Tcp && service.answers_by_cookie() {
        return Err(Outcome::Answered);
    }
    let (backend, why) = if is_stray {
        (admit::unremembered(context, service, tuple)?, None)
    } else {
        let (backend, why) = pick::question((context.snapshot, context.table), service, tuple, context.now)?;
        (backend, Some(why))
    };
    steps.push(Step::Chosen { backend, why });
    Ok(Way::Backend(backend))
}

fn way(route: Route, steps: &mut Vec<Step>) -> Way {
    match route {
        Route::Flow(found) => Way::Flow(found),
        Route::Backend(backend) => {
            steps.push(Step::Chosen { backend, why: None });
            Way::Backend(backend)
        }
        Route::AsItIs => {
            steps.push(Step::AsItIs);
            Way::AsItIs
        }
    }
}
