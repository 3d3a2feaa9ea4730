//! Frame to headers. Every length that later stages rely on is checked here, once.

use super::batch::{Batch, Packet};
use super::context::Context;
use super::headers::{Content, Headers, Piece};
use super::verdict::{DropReason, Verdict};
use crate::flow::{Addresses, Tuple};
use crate::mode::icmp_error::Quoted;
use crate::types::{Port, Protocol};
use crate::wire::ethernet::{self, ethertype};
use crate::wire::icmp::{self, Icmp};
use crate::wire::ipv4::Ipv4;
use crate::wire::ipv6::{self, Extensions, Ipv6};
use crate::wire::tcp::{Flags, Tcp};
use crate::wire::udp::Udp;
use crate::wire::{Fragment, WireError};

/// What parsing ends in: headers, or a verdict at once.
enum Parsed {
    Headers(Headers),
    Control,
}

impl From<WireError> for DropReason {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Truncated => Self::Truncated,
            WireError::Malformed => Self::BadHeader,
        }
    }
}

pub(super) fn run(batch: &mut Batch, _: &mut Context<'_>) {
    parse_batch(batch);
}

/// The stage needs nothing but the frames.
pub(crate) fn parse_batch(batch: &mut Batch) {
    batch.iter_mut().for_each(|(packet, headers)| parse(packet, headers));
}

#[inline(always)]
fn parse(packet: &mut Packet, found: &mut Option<Headers>) {
    match parse_frame(packet.frame.bytes()) {
        Ok(Parsed::Headers(headers)) => *found = Some(headers),
        Ok(Parsed::Control) => packet.verdict = Verdict::Punt,
        Err(reason) => packet.drop_for(reason),
    }
}

#[inline(always)]
fn parse_frame(frame: &[u8]) -> Result<Parsed, DropReason> {
    let payload = ethernet::payload(frame)?;
    let packet = frame.get(payload.offset..).unwrap_or_default();
    let found = match payload.ethertype {
        ethertype::IPV4 => ipv4(packet)?,
        ethertype::IPV6 => ipv6(packet)?,
        ethertype::ARP => Found::Control,
        ethertype::VLAN | ethertype::QINQ => return Err(DropReason::TooManyTags),
        _ => return Err(DropReason::NotIp),
    };
    #[expect(clippy::cast_possible_truncation, reason = "offsets in a frame of at most CHUNK bytes")]
    Ok(match found {
        Found::Control => Parsed::Control,
        Found::Packet { content, piece, ttl, transport, length } => Parsed::Headers(Headers {
            content,
            network: payload.offset as u16,
            transport: (payload.offset + transport) as u16,
            packet_length: length as u16,
            ttl,
            piece,
            vlan: payload.vlan,
        }),
    })
}

/// What is behind an IP header; offsets and lengths are the packet's.
enum Found {
    Packet { content: Content, piece: Piece, ttl: u8, transport: usize, length: usize },
    Control,
}

/// Protocol numbers (IANA).
mod number {
    pub(super) const ICMP: u8 = 1;
    pub(super) const TCP: u8 = 6;
    pub(super) const UDP: u8 = 17;
    pub(super) const ICMPV6: u8 = 58;
    pub(super) const VRRP: u8 = 112;
}

#[inline(always)]
fn ipv4(packet: &[u8]) -> Result<Found, DropReason> {
    let (ipv4, payload) = Ipv4::new_checked(packet)?;
    if !ipv4.checksum_is_right() {
        return Err(DropReason::BadChecksum);
    }
    let addresses = Addresses::V4 { source: ipv4.source(), destination: ipv4.destination() };
    let (transport, ttl) = (ipv4.header_length(), ipv4.ttl());
    let length = transport + payload.len();
    let piece = ipv4.fragment().map_or(Piece::Whole, piece);
    let content = match ipv4.protocol() {
        number::TCP | number::UDP if piece.is_later() => fragment(addresses, ipv4.protocol()),
        number::TCP => tcp(addresses, payload)?,
        number::UDP => udp(addresses, payload, piece)?,
        number::VRRP => return Ok(Found::Control),
        number::ICMP if piece != Piece::Whole => return Err(DropReason::Fragment),
        number::ICMP => match Icmp::new_checked(payload)?.kind() {
            icmp::v4::ECHO_REQUEST => Content::Echo { destination: addresses.destination() },
            kind if icmp::v4::ERRORS.contains(&kind) => error(packet, transport)?,
            _ => return Err(DropReason::UnknownProtocol),
        },
        _ => return Err(DropReason::UnknownProtocol),
    };
    Ok(Found::Packet { content, piece, ttl, transport, length })
}

#[inline(always)]
fn ipv6(packet: &[u8]) -> Result<Found, DropReason> {
    let (ipv6, payload) = Ipv6::new_checked(packet)?;
    let addresses = Addresses::V6 { source: ipv6.source(), destination: ipv6.destination() };
    let (protocol, offset, piece) = upper(ipv6.next_header(), payload)?;
    let segment = payload.get(offset..).unwrap_or_default();
    let content = match protocol {
        number::TCP | number::UDP if piece.is_later() => fragment(addresses, protocol),
        number::TCP => tcp(addresses, segment)?,
        number::UDP => udp(addresses, segment, piece)?,
        number::VRRP => return Ok(Found::Control),
        number::ICMPV6 if piece != Piece::Whole => return Err(DropReason::Fragment),
        number::ICMPV6 => match Icmp::new_checked(segment)?.kind() {
            icmp::v6::ECHO_REQUEST => Content::Echo { destination: addresses.destination() },
            icmp::v6::NEIGHBOUR_SOLICITATION | icmp::v6::NEIGHBOUR_ADVERTISEMENT => {
                return Ok(Found::Control);
            }
            kind if kind < icmp::v6::FIRST_INFORMATIONAL => error(packet, ipv6::LENGTH + offset)?,
            _ => return Err(DropReason::UnknownProtocol),
        },
        _ => return Err(DropReason::UnknownProtocol),
    };
    let (transport, length) = (ipv6::LENGTH + offset, ipv6::LENGTH + payload.len());
    Ok(Found::Packet { content, piece, ttl: ipv6.hop_limit(), transport, length })
}

/// The upper-layer protocol, where in the payload it begins, and whether the packet is whole.
#[inline(always)]
fn upper(next_header: u8, payload: &[u8]) -> Result<(u8, usize, Piece), DropReason> {
    // Nearly every packet has no extension header.
    if matches!(next_header, number::TCP | number::UDP | number::ICMPV6) {
        return Ok((next_header, 0, Piece::Whole));
    }
    let extensions = Extensions::read(next_header, payload)?.ok_or(DropReason::ExtensionHeaders)?;
    Ok((extensions.number, extensions.length, extensions.fragment.map_or(Piece::Whole, piece)))
}

/// An atomic fragment (RFC 6946) is a whole packet.
fn piece(fragment: Fragment) -> Piece {
    match (fragment.offset, fragment.more) {
        (0, false) => Piece::Whole,
        (0, true) => Piece::First { id: None },
        _ => Piece::Later { id: None },
    }
}

fn fragment(addresses: Addresses, protocol: u8) -> Content {
    let protocol = if protocol == number::TCP { Protocol::Tcp } else { Protocol::Udp };
    Content::Fragment { addresses, protocol }
}

#[inline(always)]
fn tcp(addresses: Addresses, segment: &[u8]) -> Result<Content, WireError> {
    let tcp = Tcp::new_checked(segment)?;
    Ok(segment_of(addresses, Protocol::Tcp, tcp.source_port(), tcp.destination_port(), tcp.flags()))
}

#[inline(always)]
fn udp(addresses: Addresses, datagram: &[u8], piece: Piece) -> Result<Content, WireError> {
    let udp = if piece == Piece::Whole { Udp::new_checked(datagram) } else { Udp::new_first(datagram) }?;
    Ok(segment_of(addresses, Protocol::Udp, udp.source_port(), udp.destination_port(), Flags::default()))
}

/// An error about a packet: it goes to where that came from, or it is a forgery.
fn error(packet: &[u8], icmp: usize) -> Result<Content, DropReason> {
    let quoted = Quoted::new_checked(packet, icmp)?;
    let tuple = quoted.reversed();
    if quoted.outer.destination() != tuple.addresses.destination() {
        return Err(DropReason::IcmpError);
    }
    Ok(Content::Error { tuple })
}

#[inline(always)]
fn segment_of(
    addresses: Addresses,
    protocol: Protocol,
    source_port: Port,
    destination_port: Port,
    flags: Flags,
) -> Content {
    Content::Segment { tuple: Tuple { addresses, source_port, destination_port, protocol }, flags }
}
