//! Cutting what is too long for the way ahead, where its sender allows that: IPv4 packets without the
//! don't-fragment flag (RFC 791 section 3.2).

use super::super::batch::Packet;
use super::super::context::Context;
use super::super::fragments;
use super::super::headers::{Headers, Piece};
use crate::flow::{Addresses, Tuple};
use crate::wire::ipv4::Ipv4Mut;
use crate::wire::ipv6::FRAGMENT_LENGTH;

/// More-fragments flag.
const MORE: u16 = 0x2000;
const DONT_FRAGMENT: u16 = 0x4000;

/// Cuts the packet: its first `mtu` bytes stay, the rest becomes a fragment that runs through the stages
/// after this batch. Gives the headers of what stays. `None`, and no change: it must not be cut, or there
/// is no frame at hand.
pub(super) fn split(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    tuple: &Tuple,
    mtu: u16,
) -> Option<Headers> {
    let Addresses::V4 { .. } = tuple.addresses else { return None };
    let network = usize::from(headers.network);
    let bytes = packet.frame.bytes().get(network..)?.get(..headers.packet_length.into())?;
    let (field, header) =
        (u16::from_be_bytes([*bytes.get(6)?, *bytes.get(7)?]), usize::from(bytes.first()? & 15) * 4);
    // The second fragment would need a header without those options that are not copied.
    if field & DONT_FRAGMENT != 0 || header != crate::wire::ipv4::LENGTH {
        return None;
    }
    // IPv6 needs a header more for a fragment.
    let kept = usize::from(mtu).checked_sub(header + FRAGMENT_LENGTH)? & !7;
    let rest = bytes.get(header + kept..).filter(|rest| kept > 0 && !rest.is_empty())?;
    let mut second = context.spares.take()?;
    second.fill(packet.frame.bytes().get(..network + header)?);
    second.append(rest)?;
    let units = u16::try_from(kept / 8).ok()?;
    patch(second.bytes_mut().get_mut(network..)?, rest.len(), field + units)?;
    packet.frame.truncate(network + header + kept);
    patch(packet.frame.bytes_mut().get_mut(network..)?, kept, field | MORE)?;
    let piece = if headers.piece.is_later() { headers.piece } else { Piece::First { id: None } };
    let packet_length = u16::try_from(header + kept).ok()?;
    let shorter = Headers { piece, packet_length, ..*headers };
    let shorter = known(packet, context, shorter, tuple)?;
    // Without room it is lost, as a fragment on the way may be.
    if let Some(frame) = context.fragments.again(packet.ingress, second) {
        context.spares.give(frame);
    }
    Some(shorter)
}

/// The second fragment finds its ports by the first one's.
fn known(packet: &Packet, context: &mut Context<'_>, headers: Headers, tuple: &Tuple) -> Option<Headers> {
    if headers.piece.is_later() {
        return Some(headers);
    }
    let key = fragments::key(packet, &headers, tuple.addresses, tuple.protocol)?;
    let first = context.fragments.first(&key, (tuple.source_port, tuple.destination_port), context.now)?;
    Some(Headers { piece: Piece::First { id: Some(first.id) }, ..headers })
}

fn patch(packet: &mut [u8], payload: usize, field: u16) -> Option<()> {
    let (mut ipv4, _) = Ipv4Mut::new(packet)?;
    ipv4.become_fragment(u16::try_from(payload + crate::wire::ipv4::LENGTH).ok()?, field);
    Some(())
}
