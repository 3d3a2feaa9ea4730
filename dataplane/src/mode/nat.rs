//! Network address translation within one family: a packet of one tuple becomes one of another.
//!
//! Checksums change by difference (RFC 1624); the TTL goes down by one where the box is a hop
//! (RFC 1812 section 5.3.1, RFC 8200 section 3).

use crate::flow::{Addresses, Tuple};
use crate::packet::{Headers, Piece};
use crate::snapshot::Dscp;
use crate::types::Protocol;
use crate::verdict::DropReason;
use crate::wire::checksum::Delta;
use crate::wire::ipv4::Ipv4Mut;
use crate::wire::ipv6::Ipv6Mut;
use crate::wire::tcp::TcpMut;
use crate::wire::udp::UdpMut;

/// Whether the box is a hop on the packet's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hop {
    /// The TTL goes down by one, and ends here at 1.
    Counted,
    /// The box is as transparent as a switch.
    Transparent,
}

/// Rewrites the packet in `frame` from one tuple to another of the same family and protocol.
///
/// What does not change is written again: that costs less than asking.
#[inline(always)]
pub(crate) fn translate(
    frame: &mut [u8],
    headers: &Headers,
    from: &Tuple,
    to: &Tuple,
    hop: Hop,
) -> Result<(), DropReason> {
    let pseudo_header = match (from.addresses, to.addresses) {
        (
            Addresses::V4 { source, destination },
            Addresses::V4 { source: new_source, destination: new_destination },
        ) => {
            let delta = Delta::default()
                .words(source.to_bits(), new_source.to_bits())
                .words(destination.to_bits(), new_destination.to_bits());
            let id = identification(headers.piece, source != new_source);
            ipv4(frame, headers, hop, id, delta, |packet| {
                packet.set_source(new_source);
                packet.set_destination(new_destination);
            })?;
            delta
        }
        (
            Addresses::V6 { source, destination },
            Addresses::V6 { source: new_source, destination: new_destination },
        ) => {
            ipv6(frame, headers, hop, |packet| {
                packet.set_source(new_source);
                packet.set_destination(new_destination);
            })?;
            Delta::default()
                .address6(source.octets(), new_source.octets())
                .address6(destination.octets(), new_destination.octets())
        }
        // Across families there is another way.
        (Addresses::V4 { .. } | Addresses::V6 { .. }, _) => return Err(DropReason::NoBackend),
    };
    if headers.piece.is_later() {
        // The ports and the checksum are in the first fragment.
        return Ok(());
    }
    let segment = frame.get_mut(usize::from(headers.transport)..).ok_or(DropReason::Truncated)?;
    transport(segment, from, to, pseudo_header).ok_or(DropReason::Truncated)
}

/// Marks a packet with a code point; its two bits of ECN stay.
pub(crate) fn set_code_point(
    frame: &mut [u8],
    headers: &Headers,
    code_point: Dscp,
) -> Result<(), DropReason> {
    let packet = frame.get_mut(usize::from(headers.network)..).ok_or(DropReason::Truncated)?;
    let marked = |class: u8| code_point.number() << 2 | class & 3;
    if packet.first().is_some_and(|first| first >> 4 == 4) {
        let (mut ipv4, _) = Ipv4Mut::new(packet).ok_or(DropReason::Truncated)?;
        ipv4.set_traffic_class(marked(ipv4.traffic_class()));
    } else {
        let (mut ipv6, _) = Ipv6Mut::new(packet).ok_or(DropReason::Truncated)?;
        ipv6.set_traffic_class(marked(ipv6.traffic_class()));
    }
    Ok(())
}

/// The identification that a fragment gets whose source is hidden behind another.
#[inline(always)]
fn identification(piece: Piece, hidden: bool) -> Option<u16> {
    match piece {
        Piece::First { id } | Piece::Later { id } if hidden => id,
        Piece::Whole | Piece::First { .. } | Piece::Later { .. } => None,
    }
}

/// Counts the TTL down and changes nothing else.
pub(crate) fn decrement_ttl(
    frame: &mut [u8],
    headers: &Headers,
    addresses: Addresses,
) -> Result<(), DropReason> {
    match addresses {
        Addresses::V4 { .. } => ipv4(frame, headers, Hop::Counted, None, Delta::default(), |_| ()),
        Addresses::V6 { .. } => ipv6(frame, headers, Hop::Counted, |_| ()),
    }
}

#[inline(always)]
fn ipv4(
    frame: &mut [u8],
    headers: &Headers,
    hop: Hop,
    id: Option<u16>,
    addresses: Delta,
    set: impl FnOnce(&mut Ipv4Mut<'_>),
) -> Result<(), DropReason> {
    let ttl = ttl_after(headers, hop)?;
    let packet = frame.get_mut(usize::from(headers.network)..).and_then(Ipv4Mut::new);
    let (mut ipv4, _) = packet.ok_or(DropReason::Truncated)?;
    // Not set and then read again: a word behind a write to a part of it has to wait.
    let before = ipv4.ttl_and_protocol();
    let after = before & 0x00ff | u16::from(ttl) << 8;
    ipv4.set_ttl(ttl);
    set(&mut ipv4);
    let mut delta = addresses.word(before, after);
    if let Some(id) = id {
        delta = delta.word(ipv4.identification(), id);
        ipv4.set_identification(id);
    }
    ipv4.set_checksum(delta.apply(ipv4.checksum()));
    Ok(())
}

#[inline(always)]
fn ipv6(
    frame: &mut [u8],
    headers: &Headers,
    hop: Hop,
    set: impl FnOnce(&mut Ipv6Mut<'_>),
) -> Result<(), DropReason> {
    let limit = ttl_after(headers, hop)?;
    let packet = frame.get_mut(usize::from(headers.network)..).and_then(Ipv6Mut::new);
    let (mut ipv6, _) = packet.ok_or(DropReason::Truncated)?;
    ipv6.set_hop_limit(limit);
    set(&mut ipv6);
    Ok(())
}

#[inline(always)]
fn ttl_after(headers: &Headers, hop: Hop) -> Result<u8, DropReason> {
    match hop {
        Hop::Transparent => Ok(headers.ttl),
        Hop::Counted if headers.ttl <= 1 => Err(DropReason::TtlExceeded),
        Hop::Counted => Ok(headers.ttl - 1),
    }
}

#[inline(always)]
fn transport(segment: &mut [u8], from: &Tuple, to: &Tuple, delta: Delta) -> Option<()> {
    let delta =
        delta.word(from.source_port.0, to.source_port.0).word(from.destination_port.0, to.destination_port.0);
    match from.protocol {
        Protocol::Tcp => {
            let mut tcp = TcpMut::new(segment)?;
            tcp.set_source_port(to.source_port);
            tcp.set_destination_port(to.destination_port);
            tcp.set_checksum(delta.apply(tcp.checksum()));
        }
        Protocol::Udp => {
            let mut udp = UdpMut::new(segment)?;
            udp.set_source_port(to.source_port);
            udp.set_destination_port(to.destination_port);
            udp.set_checksum(delta.apply_udp(udp.checksum()));
        }
    }
    Some(())
}
