//! The mode's rewrite, and the interface that the frame leaves by.

use super::batch::{Batch, Packet};
use super::context::{Context, Missing};
use super::headers::{Content, Headers};
use super::verdict::{DropReason, Verdict};
use crate::flow::{Addresses, Direction, Found, Tuple};
use crate::mode;
use crate::snapshot::{Backend, Forwarding, Hop, NextHop};
use crate::types::{BackendId, Mode};
use crate::wire::ethernet;
use crate::wire::tcp::Flags;

pub(super) fn run(batch: &mut Batch, context: &mut Context<'_>) {
    for (packet, headers) in batch.undecided() {
        let Content::Segment { tuple, flags } = headers.content else { continue };
        let done = match packet.flow {
            Some(flow) => of_flow(packet, context, &headers, &tuple, flags, flow),
            None => routed(packet, context, &headers, &tuple),
        };
        packet.verdict = match done {
            Ok(next_hop) => Verdict::Transmit(next_hop.interface),
            Err(reason) => Verdict::Drop(reason),
        };
    }
}

fn of_flow(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    tuple: &Tuple,
    flags: Flags,
    flow: Found,
) -> Result<NextHop, DropReason> {
    let table = context.table;
    let entry = table.entry(flow.entry);
    let id = entry.backend();
    let backend = context.snapshot.backend(id).ok_or(DropReason::NoBackend)?;
    let (next_hop, to) = match flow.direction {
        Direction::Forward => {
            let next_hop = towards_backend(context, headers, backend)?;
            (next_hop, forward_tuple(backend, tuple))
        }
        Direction::Return => {
            let to = entry.forward_tuple().reversed();
            (towards(context, headers, &to)?, Some(to))
        }
    };
    if let Some(to) = to {
        mode::nat::translate(packet.frame.bytes_mut(), headers, tuple, &to, mode::nat::Hop::Counted)?;
    }
    readdress(packet, context, next_hop)?;
    entry.note(flow.direction, flags, context.now);
    count(context, id, flow.direction, headers.packet_length);
    Ok(next_hop)
}

/// What a client's packet becomes on its way to the backend; `None`: nothing else.
#[inline(always)]
fn forward_tuple(backend: &Backend, tuple: &Tuple) -> Option<Tuple> {
    match backend.forwarding {
        Forwarding::Router | Forwarding::Bridge => Some(Tuple {
            addresses: Addresses::new(tuple.addresses.source(), backend.address)?,
            destination_port: backend.port.unwrap_or(tuple.destination_port),
            ..*tuple
        }),
        Forwarding::Dsr(_) | Forwarding::OneArm(_) | Forwarding::Tunnel(_) => None,
    }
}

/// A backend's own traffic: forwarded as a router does.
fn routed(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    tuple: &Tuple,
) -> Result<NextHop, DropReason> {
    let next_hop = towards(context, headers, tuple)?;
    mode::nat::decrement_ttl(packet.frame.bytes_mut(), headers, tuple.addresses)?;
    readdress(packet, context, next_hop)?;
    Ok(next_hop)
}

#[inline(always)]
fn towards_backend(
    context: &mut Context<'_>,
    headers: &Headers,
    backend: &Backend,
) -> Result<NextHop, DropReason> {
    match backend.next_hop {
        Some(next_hop) => fitting(context, headers, next_hop),
        None => without_next_hop(context, headers, backend),
    }
}

/// A router's MAC is of no use in DSR: the packet is still addressed to the virtual IP, and the router
/// would bring it back.
fn without_next_hop(
    context: &mut Context<'_>,
    headers: &Headers,
    backend: &Backend,
) -> Result<NextHop, DropReason> {
    let neighbour = context.snapshot.fib.neighbour_towards(backend.address);
    if backend.forwarding.mode() == Mode::Dsr
        && neighbour.is_some_and(|(_, address)| address != backend.address)
    {
        return Err(DropReason::NotOnLink);
    }
    resolve(context, headers, backend.address)
}

#[inline(always)]
fn towards(context: &mut Context<'_>, headers: &Headers, tuple: &Tuple) -> Result<NextHop, DropReason> {
    resolve(context, headers, tuple.addresses.destination())
}

fn resolve(
    context: &mut Context<'_>,
    headers: &Headers,
    destination: std::net::IpAddr,
) -> Result<NextHop, DropReason> {
    match context.snapshot.fib.lookup(destination) {
        Hop::Known(next_hop) => fitting(context, headers, next_hop),
        Hop::NoRoute => Err(DropReason::NoRoute),
        Hop::NeighbourMissing { interface, address } => {
            context.missing = Some(Missing { interface, address });
            Err(DropReason::NeighbourMissing)
        }
    }
}

/// The next hop, if its interface takes a packet of this length.
#[inline(always)]
fn fitting(context: &Context<'_>, headers: &Headers, next_hop: NextHop) -> Result<NextHop, DropReason> {
    let interface = context.snapshot.interface(next_hop.interface).ok_or(DropReason::InterfaceGone)?;
    if headers.packet_length > interface.mtu { Err(DropReason::TooLong) } else { Ok(next_hop) }
}

/// The box's own MAC is the source of whatever it sends on: with a foreign one, switches would learn
/// that its owner lives behind the box.
#[inline(always)]
fn readdress(packet: &mut Packet, context: &Context<'_>, next_hop: NextHop) -> Result<(), DropReason> {
    let interface = context.snapshot.interface(next_hop.interface).ok_or(DropReason::InterfaceGone)?;
    ethernet::readdress(packet.frame.bytes_mut(), next_hop.mac, interface.mac);
    Ok(())
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
