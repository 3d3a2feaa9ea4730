//! What the rewrite would make of a packet, for who only asks: nothing is remembered of it.

use super::super::answer::Stop;
use super::super::context::Context;
use super::super::egress;
use super::client;
use super::proxied;
use super::to_backend::{Source, to_backend, towards};
use super::to_client::to_client;
use super::translate::{self, Rewrite};
use crate::flow::{Direction, Found};
use crate::mode::nat::Hop;
use crate::packet::Content;
use crate::packet::Headers;
use crate::packet::Packet;
use crate::snapshot::{Backend, CAPACITY, Forwarding, OneArm, PoolPart};
use crate::types::{BackendId, InterfaceId, Port};
use crate::verdict::DropReason;

/// Whose a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Way {
    /// A known flow's.
    Flow(Found),
    /// That of a flow which would begin with it, or of none where the packet alone decides.
    Backend(BackendId),
    /// Nobody's.
    AsItIs,
}

/// Rewrites a packet as a worker would. The port that full NAT would draw for a new flow is 0.
pub(in super::super) fn foretold(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    way: Way,
) -> Result<InterfaceId, Stop> {
    match way {
        Way::AsItIs => super::as_it_is(packet, context, headers, &headers.tuple),
        Way::Flow(found) if found.direction == Direction::Forward => {
            to_backend(packet, context, headers, &headers.tuple, found.backend, Some(found.entry))
        }
        Way::Flow(found) => {
            if let Content::Segment { flags } = headers.content
                && context.table.must_end(super::ending(packet, context, headers, found, flags))
            {
                return Err(DropReason::OutOfHandshake.into());
            }
            of_backend(packet, context, headers, found)
        }
        Way::Backend(id) => {
            let backend = context.snapshot.backend(id).ok_or(DropReason::NoBackend)?;
            match &backend.forwarding {
                Forwarding::OneArm(arm) => from_the_pool(packet, context, headers, backend, arm),
                _ => to_backend(packet, context, headers, &headers.tuple, id, None),
            }
        }
    }
}

fn from_the_pool<'a>(
    packet: &mut Packet,
    context: &mut Context<'a>,
    headers: &Headers,
    backend: &'a Backend,
    arm: &OneArm,
) -> Result<InterfaceId, Stop> {
    let has_room = |part: &&PoolPart| part.open && part.ports.used() < CAPACITY;
    let part = arm.pool.iter().find(has_room).ok_or(DropReason::SnatExhausted)?;
    let address = context.snapshot.snat.get(part.address.index()).copied().flatten();
    let source = Source { address: address.ok_or(DropReason::NoBackend)?, port: Port(0) };
    let to = towards(backend, &headers.tuple, Some(source)).ok_or(DropReason::NoBackend)?;
    let growth = translate::growth(&headers.tuple, &to, headers);
    let leaves = egress::Source::Own(to.addresses.source());
    let way = egress::to_backend(packet, context, headers, (backend, leaves), growth)?;
    let moved = Rewrite::new(&headers.tuple, &to, Hop::Counted).apply(packet, context, headers)?;
    let headers = moved.as_ref().unwrap_or(headers);
    super::clamp(packet, headers, backend);
    egress::readdress(packet, context, headers, way)
}

/// Workers learn from some packets of backends; who only asks leaves that out.
fn of_backend(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    found: Found,
) -> Result<InterfaceId, Stop> {
    let backend = context.snapshot.backend(found.backend).ok_or(DropReason::NoBackend)?;
    let entry = context.table.entry(found.entry);
    if !entry.tells() && !backend.meters.is_proxied {
        return to_client(packet, context, headers, &headers.tuple, found.backend, found.entry);
    }
    let to = entry.forward_tuple().reversed();
    if matches!(backend.forwarding, Forwarding::Bridge) && egress::is_passing(packet, context) {
        Rewrite::new(&headers.tuple, &to, Hop::Transparent).apply(packet, context, headers)?;
        proxied::translate(packet, headers, entry, Direction::Return);
        super::clamp(packet, headers, backend);
        return Ok(egress::switch(packet, context, headers)?);
    }
    let growth = translate::growth(&headers.tuple, &to, headers);
    let leaves = egress::Source::Own(to.addresses.source());
    let query = egress::query(packet, headers, to.addresses.destination(), leaves);
    let way = egress::resolve(context, headers, &query, growth)?;
    let moved = Rewrite::new(&headers.tuple, &to, Hop::Counted).apply(packet, context, headers)?;
    let headers = moved.as_ref().unwrap_or(headers);
    proxied::translate(packet, headers, entry, Direction::Return);
    super::clamp(packet, headers, backend);
    if entry.tells() {
        client::restore(packet, headers, entry);
    }
    egress::readdress(packet, context, headers, way)
}
