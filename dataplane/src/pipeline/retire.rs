//! Flows whose backend is on its way out, or has failed: what becomes of them, and what a SYN on a flow begins.
//!
//! What is asked here is asked for packets of such backends alone, and for SYNs.

use super::context::Context;
use crate::flow::{Direction, Found};
use crate::mode::reset;
use crate::packet::{Content, Headers, Packet};
use crate::snapshot::{Endpoint, Fate, Forwarding, Service};
use crate::types::Protocol;
use crate::wire::checksum::Delta;
use crate::wire::tcp::{Flags, TcpMut};
use std::sync::Arc;

/// What a packet of a known flow is to its pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    /// One like all others.
    GoesOn,
    /// The flow is over: the packet may begin another one.
    BeginsAnew,
}

/// What is to be done about the flow of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fated {
    /// Nothing.
    GoesOn,
    /// Both sides get a reset.
    IsReset,
    /// It is over: the packet may begin another one.
    IsOver,
}

/// Decides, and ends the flow where it is over.
pub(super) fn meet(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &mut Headers,
    found: Found,
) -> Met {
    let Content::Segment { flags } = headers.content else { return Met::GoesOn };
    match fated(context, headers, flags, found) {
        Fated::GoesOn => Met::GoesOn,
        Fated::IsReset => {
            reset_both(packet, context, headers, flags);
            Met::GoesOn
        }
        Fated::IsOver => {
            context.table.end(found.entry, context.snapshot);
            Met::BeginsAnew
        }
    }
}

/// Decides, and changes nothing.
pub(super) fn fated(context: &Context<'_>, headers: &Headers, flags: Flags, found: Found) -> Fated {
    let (entry, protocol) = (context.table.entry(found.entry), headers.tuple.protocol);
    let fate = context.snapshot.fate(found.backend);
    let is_forward = found.direction == Direction::Forward;
    if flags.opens() && is_forward {
        // A client that uses its port again. An end that is not proven can have been forged, and the SYN as well: the
        // backend knows, so the SYN goes there, but not to one that takes nothing new. See the table's `closing`.
        let is_over = entry.is_over() || entry.has_ended();
        let may_go_elsewhere = fate != Fate::Stays || !entry.is_established();
        // Or that is not answered, and its backend takes nothing new.
        let is_stranded = fate != Fate::Stays && !entry.is_established();
        return match is_over || is_stranded || may_go_elsewhere && entry.state().is_closing() {
            true => Fated::IsOver,
            false => Fated::GoesOn,
        };
    }
    // The same of a client whose handshake the box has made: it sends no SYN any more, but its cookie is good.
    let is_stranded = entry.is_proxied() && !entry.is_established() && !flags.has(Flags::RST);
    if fate != Fate::Stays && is_forward && is_stranded {
        return Fated::IsOver;
    }
    match fate {
        Fate::Stays | Fate::Leave => Fated::GoesOn,
        Fate::Review if protocol == Protocol::Udp && is_forward && is_outdated(context, headers, found) => {
            Fated::IsOver
        }
        Fate::Review => Fated::GoesOn,
        // What moves is for the client's packets to say: replies that are on their way arrive.
        Fate::Reset | Fate::Move if protocol == Protocol::Udp && !is_forward => Fated::GoesOn,
        // What translates cannot go on with a connection elsewhere.
        Fate::Reset | Fate::Move
            if protocol == Protocol::Tcp && (fate == Fate::Reset || entry.is_two_way()) =>
        {
            Fated::IsReset
        }
        Fate::Reset | Fate::Move => Fated::IsOver,
    }
}

/// Whether a flow could not begin as it is any more: its service has given up its port, or the address that it comes
/// from has left the pool.
#[inline(never)]
fn is_outdated(context: &Context<'_>, headers: &Headers, found: Found) -> bool {
    let (snapshot, tuple) = (context.snapshot, &headers.tuple);
    let Some(backend) = snapshot.backend(found.backend) else { return false };
    let (address, port) = (tuple.addresses.destination(), tuple.destination_port);
    let asked = snapshot.endpoints.get(&Endpoint { address, port, protocol: tuple.protocol });
    let service = asked.and_then(|id| snapshot.services.get(id.index()));
    let is_of = |service: &Service| Arc::ptr_eq(&service.admission.meter, &backend.meters.service);
    if !service.is_some_and(is_of) {
        return true;
    }
    match (&backend.forwarding, context.table.entry(found.entry).snat()) {
        (Forwarding::OneArm(arm), Some((own, _))) => {
            !arm.pool.iter().any(|part| part.address == own && part.open)
        }
        _ => false,
    }
}

/// Answers the sender of a segment with a reset, and makes the segment itself one, which goes on to the other
/// side in its place: each side gets what fits the sequence numbers that it knows.
///
/// The flow stays, closed, until its timeout: whoever has got more data since it sent this segment ignores the answer
/// as an old one (RFC 5961 section 3.2), and is reset by what the other side sends next, or answered once more.
fn reset_both(packet: &mut Packet, context: &mut Context<'_>, headers: &mut Headers, flags: Flags) {
    if flags.has(Flags::RST) || headers.piece.is_later() {
        return;
    }
    let (network, transport) = (usize::from(headers.network), usize::from(headers.transport));
    if context.answers.take(context.now)
        && let Some(mut copy) = context.spares.take()
    {
        copy.fill(packet.frame.bytes());
        let length = usize::from(headers.packet_length);
        match reset::reset(&mut copy, network, transport, length) {
            Some(()) => context.spares.send(packet.ingress, copy),
            None => context.spares.give(copy),
        }
    }
    let is_reset = packet.frame.bytes_mut().get_mut(transport..).and_then(turn_into_reset);
    if let Some(flags) = is_reset {
        headers.content = Content::Segment { flags };
    }
}

/// The data stays behind the header: receivers of a reset take no notice of it.
fn turn_into_reset(segment: &mut [u8]) -> Option<Flags> {
    let at = |segment: &[u8]| Some(u16::from_be_bytes(*segment.get(12..)?.first_chunk()?));
    let old = at(segment)?;
    let flags = (old.to_be_bytes()[1] & Flags::ACK) | Flags::RST;
    *segment.get_mut(13)? = flags;
    let new = at(segment)?;
    let mut tcp = TcpMut::new(segment)?;
    let checksum = Delta::default().word(old, new).apply(tcp.checksum());
    tcp.set_checksum(checksum);
    Some(Flags(flags))
}
