//! Full NAT hides the client: telling the backend of it, and taking that back in what the backend answers.

use super::super::answer::Stop;
use super::super::context::Context;
use super::super::egress::Way;
use super::translate;
use crate::flow::{Entry, Tuple};
use crate::mode::client_address;
use crate::packet::Packet;
use crate::packet::{Headers, Piece};

/// Tells the backend of the client.
#[inline(never)]
pub(super) fn tell(
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
pub(super) fn untell(packet: &mut Packet, headers: &Headers, entry: Entry<'_>) {
    if restore(packet, headers, entry) {
        entry.mark_header_acknowledged();
    }
}

/// The same without a trace; whether the segment acknowledges the header, which nothing has before.
#[inline(always)]
pub(super) fn restore(packet: &mut Packet, headers: &Headers, entry: Entry<'_>) -> bool {
    if let Some(nat) = entry.nat().filter(|nat| nat.shift > 0)
        && let Some(place) = stream(headers)
        && let Some(segment) = packet.frame.bytes_mut().get_mut(place.transport..place.end)
    {
        translate::leave_room(segment, nat.shift);
        return client_address::untell(segment, &nat, entry.has_acknowledged_header());
    }
    false
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
