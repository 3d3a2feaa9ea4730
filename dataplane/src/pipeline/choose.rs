//! A segment without a flow: a new flow of a service, or a reason why not.

use super::batch::{Batch, Packet};
use super::context::Context;
use super::headers::Content;
use super::verdict::DropReason;
use crate::flow::{Direction, Found, Inserted, NewFlow, Tuple};
use crate::schedule::client_hash;
use crate::snapshot::{Endpoint, Service};
use crate::types::Protocol;
use crate::wire::tcp::Flags;

pub(super) fn run(batch: &mut Batch, context: &mut Context<'_>) {
    for (packet, headers) in batch.undecided() {
        let Content::Segment { tuple, flags } = headers.content else { continue };
        if let Some(found) = packet.flow
            && !is_reopened(context, found, flags)
        {
            continue;
        }
        packet.flow = None;
        match choose(packet, context, &tuple, flags) {
            Ok(flow) => packet.flow = flow,
            Err(reason) => packet.drop_for(reason),
        }
    }
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

/// The flow for a segment that has none; `Ok(None)`: a backend's own traffic, to be routed as it is.
fn choose(
    packet: &Packet,
    context: &mut Context<'_>,
    tuple: &Tuple,
    flags: Flags,
) -> Result<Option<Found>, DropReason> {
    let snapshot = context.snapshot;
    let (address, port) = (tuple.addresses.destination(), tuple.destination_port);
    let Some(id) = snapshot.endpoints.get(&Endpoint { address, port, protocol: tuple.protocol }) else {
        return without_service(context, tuple);
    };
    let service = snapshot.services.get(id.index()).ok_or(DropReason::NotOurs)?;
    if tuple.protocol == Protocol::Tcp && !flags.opens() && !takes_strays(service, flags) {
        return Err(DropReason::NoFlow);
    }
    let hash = client_hash(snapshot.hash_seed, tuple.addresses.source(), tuple.source_port);
    let worker = context.keeper.worker();
    let backend = service.schedule.choose(worker, hash).ok_or(DropReason::NoBackend)?;
    let two_way = service.mode.is_two_way();
    let flow = NewFlow { tuple, hash: packet.hash, backend, two_way, flags, nat: None };
    match context.table.insert(context.keeper, &flow, snapshot, context.now) {
        Inserted::Existing(found) => Ok(Some(found)),
        Inserted::Created(entry) => {
            context.counters.flows_created.add(1);
            let counters = context.counters.backend(backend);
            counters.active_flows.add(1);
            counters.total_flows.add(1);
            Ok(Some(Found { entry, direction: Direction::Forward }))
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

fn without_service(context: &Context<'_>, tuple: &Tuple) -> Result<Option<Found>, DropReason> {
    let snapshot = context.snapshot;
    let (address, port) = (tuple.addresses.source(), tuple.source_port);
    if snapshot.vips.contains(tuple.addresses.destination()) {
        Err(DropReason::UnknownPort)
    } else if snapshot.return_endpoints.contains(&Endpoint { address, port, protocol: tuple.protocol }) {
        // Steered here because it comes from a backend's endpoint, but an answer to somebody who
        // went to the backend itself. The box is its router: it is routed as it is.
        Ok(None)
    } else {
        Err(DropReason::NotOurs)
    }
}
