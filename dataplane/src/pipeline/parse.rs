//! Frame to headers. Every length that later stages rely on is checked here, once.
//!
//! What the flow table will be asked for starts loading at once, behind the parsing of the next frames.

mod ordinary;

use super::context::Context;
use super::finish;
use crate::flow::{Addresses, FlowTable, Tuple};
use crate::mode::icmp_error::Quoted;
use crate::packet::{Batch, Marks, Packet};
use crate::packet::{Content, Headers, Piece};
use crate::types::{Port, Protocol};
use crate::verdict::{DropReason, Verdict};
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

#[inline(never)]
pub(super) fn run(batch: &mut Batch, context: &mut Context<'_>) {
    parse_batch(batch, context.table);
    if !context.snapshot.unfinished.is_empty() {
        finish::run(batch, context.snapshot.unfinished);
    }
}

/// The stage needs nothing but the frames and the table.
pub(crate) fn parse_batch(batch: &mut Batch, table: &FlowTable) {
    batch.visit(|packet, headers, marks| {
        let hash = &mut packet.hash;
        let ordinary = ordinary::parse(packet.frame.bytes(), |found| {
            *hash = table.hash(&found.tuple);
            table.prefetch(*hash);
            *headers = found;
        });
        if ordinary.is_none() {
            parse(packet, headers, marks, table);
        }
    });
}

/// The headers of a frame that the box has made itself.
pub(super) fn of_box(packet: &Packet) -> Result<Headers, DropReason> {
    headers(packet.frame.bytes())?.ok_or(DropReason::NotOurs)
}

/// The headers of any frame; `None`: it is of a control protocol.
pub(super) fn headers(frame: &[u8]) -> Result<Option<Headers>, DropReason> {
    match parse_whole(frame)? {
        Parsed::Headers(headers) => Ok(Some(headers)),
        Parsed::Control => Ok(None),
    }
}

#[inline(never)]
fn parse(packet: &mut Packet, headers: &mut Headers, marks: Marks<'_>, table: &FlowTable) {
    match parse_whole(packet.frame.bytes()) {
        Ok(Parsed::Headers(found)) => {
            packet.hash = table.hash(&found.tuple);
            *headers = found;
            if !matches!((found.content, found.piece), (Content::Segment { .. }, Piece::Whole)) {
                marks.unusual();
            }
        }
        Ok(Parsed::Control) => packet.verdict = Verdict::Punt,
        Err(reason) => packet.drop_for(reason),
    }
}

fn parse_whole(frame: &[u8]) -> Result<Parsed, DropReason> {
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
        Found::Packet { tuple, content, piece, ttl, transport, length } => Parsed::Headers(Headers {
            tuple,
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
    Packet { tuple: Tuple, content: Content, piece: Piece, ttl: u8, transport: usize, length: usize },
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
    let (tuple, content) = match ipv4.protocol() {
        number::TCP | number::UDP if piece.is_later() => {
            (portless(addresses, ipv4.protocol()), Content::Fragment)
        }
        number::TCP => tcp(addresses, payload)?,
        number::UDP => udp(addresses, payload, piece)?,
        number::VRRP => return Ok(Found::Control),
        number::ICMP if piece.is_later() => (portless(addresses, number::TCP), Content::EchoFragment),
        number::ICMP => match Icmp::new_checked(payload)?.kind() {
            icmp::v4::ECHO_REQUEST => (portless(addresses, number::TCP), Content::Echo),
            _ if piece != Piece::Whole => return Err(DropReason::Fragment),
            kind if icmp::v4::ERRORS.contains(&kind) => error(packet, transport)?,
            _ => return Err(DropReason::UnknownProtocol),
        },
        _ => return Err(DropReason::UnknownProtocol),
    };
    Ok(Found::Packet { tuple, content, piece, ttl, transport, length })
}

#[inline(always)]
fn ipv6(packet: &[u8]) -> Result<Found, DropReason> {
    let (ipv6, payload) = Ipv6::new_checked(packet)?;
    let addresses = Addresses::V6 { source: ipv6.source(), destination: ipv6.destination() };
    let (protocol, offset, piece) = upper(ipv6.next_header(), payload)?;
    let segment = payload.get(offset..).unwrap_or_default();
    let (tuple, content) = match protocol {
        number::TCP | number::UDP if piece.is_later() => (portless(addresses, protocol), Content::Fragment),
        number::TCP => tcp(addresses, segment)?,
        number::UDP => udp(addresses, segment, piece)?,
        number::VRRP => return Ok(Found::Control),
        number::ICMPV6 if piece.is_later() => (portless(addresses, number::TCP), Content::EchoFragment),
        number::ICMPV6 => match Icmp::new_checked(segment)?.kind() {
            icmp::v6::ECHO_REQUEST => (portless(addresses, number::TCP), Content::Echo),
            _ if piece != Piece::Whole => return Err(DropReason::Fragment),
            icmp::v6::NEIGHBOUR_SOLICITATION | icmp::v6::NEIGHBOUR_ADVERTISEMENT => {
                return Ok(Found::Control);
            }
            kind if kind < icmp::v6::FIRST_INFORMATIONAL => error(packet, ipv6::LENGTH + offset)?,
            _ => return Err(DropReason::UnknownProtocol),
        },
        _ => return Err(DropReason::UnknownProtocol),
    };
    let (transport, length) = (ipv6::LENGTH + offset, ipv6::LENGTH + payload.len());
    Ok(Found::Packet { tuple, content, piece, ttl: ipv6.hop_limit(), transport, length })
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

/// What has no ports: a later fragment, or no segment at all.
fn portless(addresses: Addresses, protocol: u8) -> Tuple {
    let protocol = if protocol == number::UDP { Protocol::Udp } else { Protocol::Tcp };
    Tuple { addresses, source_port: Port(0), destination_port: Port(0), protocol }
}

#[inline(always)]
fn tcp(addresses: Addresses, segment: &[u8]) -> Result<(Tuple, Content), WireError> {
    let tcp = Tcp::new_checked(segment)?;
    let (source_port, destination_port) = (tcp.source_port(), tcp.destination_port());
    let tuple = Tuple { addresses, source_port, destination_port, protocol: Protocol::Tcp };
    Ok((tuple, Content::Segment { flags: tcp.flags() }))
}

#[inline(always)]
fn udp(addresses: Addresses, datagram: &[u8], piece: Piece) -> Result<(Tuple, Content), WireError> {
    let udp = if piece == Piece::Whole { Udp::new_checked(datagram) } else { Udp::new_first(datagram) }?;
    let (source_port, destination_port) = (udp.source_port(), udp.destination_port());
    let tuple = Tuple { addresses, source_port, destination_port, protocol: Protocol::Udp };
    Ok((tuple, Content::Segment { flags: Flags::default() }))
}

/// An error about a packet: it goes to where that came from, or it is a forgery.
fn error(packet: &[u8], icmp: usize) -> Result<(Tuple, Content), DropReason> {
    let quoted = Quoted::new_checked(packet, icmp)?;
    let tuple = quoted.reversed();
    if quoted.outer.destination() != tuple.addresses.destination() {
        return Err(DropReason::IcmpError);
    }
    Ok((tuple, Content::Error))
}
