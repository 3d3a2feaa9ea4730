//! Cutting what is too long for the way ahead, where its sender allows that: IPv4 packets without the
//! don't-fragment flag (RFC 791 section 3.2).

use super::super::answer::{self, Stop};
use super::super::context::Context;
use crate::flow::{Addresses, Tuple};
use crate::packet::Packet;
use crate::packet::{Content, Headers, Piece};
use crate::types::InterfaceId;
use crate::verdict::Verdict;
use crate::wire::ipv4::{Ipv4, Ipv4Mut, LENGTH};
use crate::wire::ipv6::FRAGMENT_LENGTH;
use crate::wire::tcp::Flags;

/// More-fragments flag.
const MORE: u16 = 0x2000;
const DONT_FRAGMENT: u16 = 0x4000;
const OFFSET: u16 = 0x1fff;

/// What is too long and may be cut is cut; all else that stops is dropped or answered.
#[cold]
pub(super) fn stopped(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    tuple: &Tuple,
    stop: Stop,
) -> Verdict {
    if let Stop::TooBig { mtu } = stop
        && let Some(Parts { first, rest, rest_headers }) = split(packet, context, headers, tuple, mtu)
    {
        let sent = forward(packet, context, &first, tuple);
        send_rest(rest, context, rest_headers, tuple);
        return match sent {
            Ok(interface) => Verdict::Transmit(interface),
            Err(stop) => answer::verdict(packet, context, &first, stop),
        };
    }
    answer::verdict(packet, context, headers, stop)
}

/// What the stage does with a whole packet. One copy of that code is enough for what is rare.
#[inline(never)]
fn forward(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    tuple: &Tuple,
) -> Result<InterfaceId, Stop> {
    super::forward(packet, context, headers, tuple)
}

/// Sends what was cut off, in as many parts as it takes. What stops is lost, as a fragment on its way may
/// be: the box has made it, nobody else counts on it.
fn send_rest(mut rest: Packet, context: &mut Context<'_>, mut headers: Headers, tuple: &Tuple) {
    loop {
        let (sent, next) = match forward(&mut rest, context, &headers, tuple) {
            Err(Stop::TooBig { mtu }) => match split(&mut rest, context, &headers, tuple, mtu) {
                Some(parts) => {
                    (forward(&mut rest, context, &parts.first, tuple), Some((parts.rest, parts.rest_headers)))
                }
                None => (Err(Stop::TooBig { mtu }), None),
            },
            sent => (sent, None),
        };
        match sent {
            Ok(interface) => context.spares.send(interface, rest.frame),
            Err(_) => context.spares.give(rest.frame),
        }
        let Some(more) = next else { return };
        (rest, headers) = more;
    }
}

/// The two parts of a packet: the headers of what has stayed, and what was cut off.
#[derive(Debug)]
struct Parts {
    first: Headers,
    rest: Packet,
    rest_headers: Headers,
}

/// Where a packet is cut.
#[derive(Debug, Clone, Copy)]
struct Place {
    network: usize,
    /// Bytes of the payload that stay in the first part, and that are in the rest.
    kept: usize,
    rest: usize,
    /// Flags and offset of both parts.
    first_field: u16,
    rest_field: u16,
}

impl Place {
    /// `None`: the packet must not be cut, or there is nothing to be cut off.
    fn new(packet: &Packet, headers: &Headers, mtu: u16) -> Option<Self> {
        let network = usize::from(headers.network);
        let (ipv4, payload) = Ipv4::new_checked(packet.frame.bytes().get(network..)?).ok()?;
        let field = ipv4.flags_and_offset();
        // The rest would need a header without those options that are not copied.
        if field & DONT_FRAGMENT != 0 || ipv4.header_length() != LENGTH {
            return None;
        }
        // IPv6 needs a header more for a fragment.
        let kept = usize::from(mtu).checked_sub(LENGTH + FRAGMENT_LENGTH)? & !7;
        let rest = payload.len().checked_sub(kept).filter(|rest| kept > 0 && *rest > 0)?;
        let offset = (field & OFFSET).checked_add(u16::try_from(kept / 8).ok()?)?;
        let rest_field = (offset <= OFFSET).then_some(field & !OFFSET | offset)?;
        Some(Self { network, kept, rest, first_field: field | MORE, rest_field })
    }
}

/// Cuts the packet: as much as `mtu` has room for stays, the rest becomes one of its own, of the same flow.
/// `None`, and no change: it must not be cut, or there is no frame at hand.
fn split(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    tuple: &Tuple,
    mtu: u16,
) -> Option<Parts> {
    // What an error quotes is of no use in pieces.
    let (Content::Segment { .. }, Addresses::V4 { .. }) = (headers.content, tuple.addresses) else {
        return None;
    };
    let place = Place::new(packet, headers, mtu)?;
    let first_length = u16::try_from(LENGTH + place.kept).ok()?;
    let rest_length = u16::try_from(LENGTH + place.rest).ok()?;
    let mut rest = context.spares.take()?;
    let bytes = packet.frame.bytes();
    let (head, tail) = bytes.split_at_checked(place.network + LENGTH).unwrap_or_default();
    rest.fill(head);
    let cut_off = tail.get(place.kept..).and_then(|tail| tail.get(..place.rest)).unwrap_or_default();
    if rest.append(cut_off).is_none() {
        context.spares.give(rest);
        return None;
    }
    packet.frame.truncate(place.network + usize::from(first_length));
    become_part(rest.bytes_mut(), place.network, rest_length, place.rest_field);
    become_part(packet.frame.bytes_mut(), place.network, first_length, place.first_field);
    let (piece, rest_piece) = pieces(headers.piece, context);
    let content = Content::Segment { flags: Flags::default() };
    let rest_headers = Headers { content, piece: rest_piece, packet_length: rest_length, ..*headers };
    Some(Parts {
        first: Headers { piece, packet_length: first_length, ..*headers },
        rest: packet.part(rest),
        rest_headers,
    })
}

/// Both parts have the same identification, also where that is translated.
fn pieces(whole: Piece, context: &mut Context<'_>) -> (Piece, Piece) {
    match whole {
        Piece::Whole => {
            let id = Some(context.fragments.next_identification());
            (Piece::First { id }, Piece::Later { id })
        }
        Piece::First { id } => (whole, Piece::Later { id }),
        Piece::Later { .. } => (whole, whole),
    }
}

fn become_part(frame: &mut [u8], network: usize, length: u16, field: u16) {
    if let Some((mut ipv4, _)) = frame.get_mut(network..).and_then(Ipv4Mut::new) {
        ipv4.become_fragment(length, field);
    }
}
