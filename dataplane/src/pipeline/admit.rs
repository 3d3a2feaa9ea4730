//! Lets a new flow in, or says why not; and takes account of the end of flows.
//!
//! What is no beginning (a segment from the middle of a connection, where such are taken) is not for the
//! limits of new flows to refuse: where there is no room to remember its flow, it goes on all the same.

use super::clash::{self, Clashes, WithoutClashes};
use super::context::Context;
use super::pick::{self, Why};
use super::{egress, source};
use crate::admission::{Event, Short};
use crate::flow::{Direction, Expired, Found, Inserted, NewFlow, Tuple};
use crate::packet::Headers;
use crate::packet::{Packet, Route};
use crate::schedule::Ask;
use crate::snapshot::{Backend, Forwarding, Service, Snapshot};
use crate::stats::WorkerCounters;
use crate::syn_proxy::Opening;
use crate::types::{BackendId, Protocol};
use crate::verdict::DropReason;
use crate::wire::tcp::Flags;

/// Times that a flow asks again for room after another one has made way: somebody else may have taken it.
const ROOM_TRIES: usize = 2;

/// A packet that may begin a flow of a service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) service: &'a Service,
    pub(super) tuple: &'a Tuple,
    pub(super) flags: Flags,
    /// Where the box makes the handshake: how that has begun.
    pub(super) opening: Option<Opening>,
}

impl Candidate<'_> {
    /// The first packet of a connection, a datagram, or what a SYN proxy lets begin: where addresses are
    /// translated, nothing else comes here.
    fn is_beginning(&self) -> bool {
        self.tuple.protocol == Protocol::Udp || self.flags.opens() || self.service.mode.is_two_way()
    }

    fn is_handshake(&self) -> bool {
        self.tuple.protocol == Protocol::Tcp && self.flags.opens()
    }
}

/// Whether the service's access list lets the client in.
pub(super) fn enter(context: &Context<'_>, service: &Service, tuple: &Tuple) -> Result<(), DropReason> {
    match service.admission.access.allows(tuple.addresses.source()) {
        true => Ok(()),
        false => Err(refuse(context, service, DropReason::Denied)),
    }
}

/// Begins a flow, or finds the way of a packet that there is no room to remember.
pub(super) fn begin(
    packet: &Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    candidate: Candidate<'_>,
) -> Result<Route, DropReason> {
    let Candidate { service, tuple, .. } = candidate;
    let outcome = try_begin(packet, context, headers, candidate);
    match outcome {
        Ok(Some(found)) => Ok(Route::Flow(found)),
        Ok(None) => stateless(context, service, tuple),
        Err(reason) => Err(refuse(context, service, reason)),
    }
}

/// `None`: there is no room for a flow, and its packets can do without.
fn try_begin(
    packet: &Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    candidate: Candidate<'_>,
) -> Result<Option<Found>, DropReason> {
    let Candidate { service, tuple, .. } = candidate;
    let admission = &service.admission;
    if candidate.is_beginning() {
        admission.meter.keep_pace(&admission.limits, tuple, context.now)?;
    }
    let can_do_without = service.stateless().is_some();
    match take_room(context, service, candidate.is_handshake()) {
        Ok(()) => {}
        Err(Short::Limit) if candidate.is_beginning() => return Err(DropReason::ServiceFull),
        Err(Short::Limit | Short::Share) if can_do_without => return Ok(None),
        Err(Short::Limit | Short::Share) => {
            context.counters.flows_refused.add(1);
            return Err(DropReason::ServiceShare);
        }
    }
    let mut choice = choose(context, candidate, &Clashes::default());
    let mut outcome = match choice {
        Ok(chosen) => enroll(packet, context, headers, candidate, chosen),
        Err(reason) => Err(reason),
    };
    if let (Ok(chosen), Err(reason @ (DropReason::TupleInUse | DropReason::SnatExhausted))) =
        (choice, outcome)
    {
        (choice, outcome) = clash::elsewhere(packet, context, headers, candidate, (chosen, reason));
    }
    if !matches!(outcome, Ok(Inserted::Created(_))) {
        admission.meter.end(candidate.is_handshake());
    }
    match outcome? {
        Inserted::Existing(found) => Ok(Some(found)),
        Inserted::Created(entry) => {
            let backend = choice?.id;
            Ok(Some(Found { entry, direction: Direction::Forward, backend }))
        }
        Inserted::Full if can_do_without => Ok(None),
        Inserted::Full => {
            context.counters.flows_refused.add(1);
            Err(DropReason::TableFull)
        }
        Inserted::TupleInUse => Err(DropReason::TupleInUse),
    }
}

/// Puts a flow to the chosen backend into the table; otherwise the backend's meter does not count it.
pub(super) fn enroll(
    packet: &Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    candidate: Candidate<'_>,
    chosen: Chosen<'_>,
) -> Result<Inserted, DropReason> {
    let inserted = match insert(packet, context, headers, candidate, chosen) {
        Ok(Inserted::TupleInUse) => Err(DropReason::TupleInUse),
        other => other,
    };
    if !matches!(inserted, Ok(Inserted::Created(_))) {
        chosen.backend.meters.backend.end(false);
    }
    inserted
}

/// Takes room for a flow; where there is none, flows that were never established make way.
fn take_room(context: &mut Context<'_>, service: &Service, is_handshake: bool) -> Result<(), Short> {
    let (meter, limit) = (&service.admission.meter, service.admission.limits.flows);
    for _ in 0..ROOM_TRIES {
        match meter.begin(limit, is_handshake) {
            Err(Short::Share) if recycle(context) => {}
            outcome => return outcome,
        }
    }
    meter.begin(limit, is_handshake)
}

/// Ends the oldest flow that was never established and that its service has no room of its own for.
fn recycle(context: &mut Context<'_>) -> bool {
    let snapshot = context.snapshot;
    let meter = |id| snapshot.backend(id).map(|backend| &backend.meters.service);
    let is_beyond = |id| meter(id).is_some_and(|meter| meter.is_beyond_own_room());
    let Some(flow) = context.keeper.recycle(context.table, snapshot, is_beyond) else { return false };
    if let Some(meter) = meter(flow.backend) {
        meter.count(context.keeper.worker(), Event::Recycled);
    }
    ended(snapshot, context.counters, &flow);
    true
}

/// A backend whose meter counts a flow that is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen<'a> {
    pub(super) id: BackendId,
    pub(super) backend: &'a Backend,
    /// The backend that the client is to be remembered with, where that is one which it is remembered with already.
    pub(super) home: Option<BackendId>,
}

/// Chooses a backend, and another one if that has as many flows as it may, or is one of the `clashes`. What is no
/// beginning is already some backend's: which one, the packet alone says.
pub(super) fn choose<'a>(
    context: &Context<'a>,
    candidate: Candidate<'_>,
    clashes: &Clashes,
) -> Result<Chosen<'a>, DropReason> {
    let Candidate { service, tuple, .. } = candidate;
    let snapshot = context.snapshot;
    let is_beginning = candidate.is_beginning();
    let ask = ask(context, service, tuple);
    let client = (tuple.addresses.source(), context.now);
    let takes = |id| {
        let backend = snapshot.backend(id).filter(|_| !clashes.has(id))?;
        let thresholds = backend.meters.thresholds.filter(|_| is_beginning);
        backend.meters.backend.begin(thresholds).then_some(Chosen { id, backend, home: None })
    };
    if !is_beginning {
        return pick::unremembered(service, &ask, client).and_then(takes).ok_or(DropReason::NoBackend);
    }
    let (chosen, why) = match clashes.are_none() {
        true => pick::pick(snapshot, service, &ask, client, takes)?,
        false => pick::pick(&WithoutClashes(snapshot, clashes), service, &ask.on_detour(), client, takes)?,
    };
    Ok(Chosen { home: (why == Why::Persistence).then_some(chosen.id), ..chosen })
}

fn insert(
    packet: &Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    candidate: Candidate<'_>,
    Chosen { id, backend, home }: Chosen<'_>,
) -> Result<Inserted, DropReason> {
    let Candidate { service, tuple, flags, opening } = candidate;
    let two_way = backend.forwarding.mode().is_two_way();
    let handshake = opening.map(Opening::to_words);
    let mut flow = NewFlow { tuple, hash: packet.hash, backend: id, two_way, flags, nat: None, handshake };
    let inserted = match &backend.forwarding {
        Forwarding::OneArm(one_arm) => {
            let first_byte = opening.map(|opening| opening.first_byte());
            let stream = source::stream(packet, headers, tuple, one_arm.client_address, first_byte);
            source::insert(context, &mut flow, one_arm, stream)?
        }
        _ => context.table.insert(context.keeper, &flow, context.snapshot, context.now),
    };
    if let Some(persistence) = &service.persistence
        && candidate.is_beginning()
        && matches!(inserted, Inserted::Created(_) | Inserted::Full)
    {
        persistence.remember(tuple.addresses.source(), home.unwrap_or(id), context.now);
    }
    if let Inserted::Created(entry) = inserted {
        if opening.is_some() {
            service.admission.meter.count(context.keeper.worker(), Event::CookieTaken);
            context.openings.begin(entry, context.table.entry(entry).birth(), headers.vlan, context.now);
        }
        if flow.is_closing() {
            backend.meters.backend.closes();
        }
        if two_way {
            let ends = (tuple.addresses.source(), tuple.addresses.destination());
            egress::expect_replies(packet, context, backend, ends);
        }
        context.counters.flows_created.add(1);
        let counters = context.counters.backend(id);
        counters.active_flows.add(1);
        counters.total_flows.add(1);
    }
    Ok(inserted)
}

/// The way of a packet that leaves no trace: the next one of its flow finds the same backend.
fn stateless(context: &Context<'_>, service: &Service, tuple: &Tuple) -> Result<Route, DropReason> {
    let id = unremembered(context, service, tuple)?;
    service.admission.meter.count(context.keeper.worker(), Event::Stateless);
    Ok(Route::Backend(id))
}

/// The backend of a flow that is not remembered.
pub(super) fn unremembered(
    context: &Context<'_>,
    service: &Service,
    tuple: &Tuple,
) -> Result<BackendId, DropReason> {
    let client = (tuple.addresses.source(), context.now);
    pick::unremembered(service, &ask(context, service, tuple), client).ok_or(DropReason::NoBackend)
}

fn ask(context: &Context<'_>, service: &Service, tuple: &Tuple) -> Ask {
    pick::ask(context.snapshot, service, tuple).on(context.keeper.worker(), context.now)
}

/// Counts a refusal as the service's.
fn refuse(context: &Context<'_>, service: &Service, reason: DropReason) -> DropReason {
    if let Some(event) = Event::of(reason) {
        service.admission.meter.count(context.keeper.worker(), event);
    }
    reason
}

/// Takes account of a flow that has ended: its counters, its room, and the port that it had of a source-NAT
/// pool.
pub(crate) fn ended(snapshot: &Snapshot, counters: &WorkerCounters, flow: &Expired) {
    counters.flows_expired.add(1);
    counters.backend(flow.backend).active_flows.sub(1);
    let Some(backend) = snapshot.backend(flow.backend) else { return };
    backend.meters.backend.end(flow.closing);
    backend.meters.service.end(flow.half_open);
    if let (Some(nat), Forwarding::OneArm(one_arm)) = (flow.nat, &backend.forwarding) {
        source::give(one_arm, nat.address, nat.port);
    }
}
