//! Frame to headers. Every length that later stages rely on is checked here, once.

use std::net::IpAddr;

use super::batch::{Batch, Packet};
use super::context::Context;
use super::verdict::{DropReason, Verdict};
use crate::flow::{Addresses, Tuple};
use crate::types::{Port, Protocol};
use crate::wire::WireError;
use crate::wire::ethernet::{self, Ethernet, ethertype};
use crate::wire::icmp::{self, Icmp};
use crate::wire::ipv4::Ipv4;
use crate::wire::ipv6::{self, Ipv6, Upper};
use crate::wire::tcp::{Flags, Tcp};
use crate::wire::udp::Udp;

/// What a frame with an IP packet is, and where its parts begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Headers {
    pub(crate) content: Content,
    /// Where the transport header begins in the frame.
    pub(crate) transport: u16,
    /// Length of the IP packet: the frame may be padded.
    pub(crate) packet_length: u16,
    pub(crate) ttl: u8,
}

/// What an IP packet carries.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content {
    /// TCP or UDP.
    Segment { tuple: Tuple, flags: Flags },
    /// An ICMP echo request.
    Echo { destination: IpAddr },
}

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
    batch.iter_mut().for_each(parse);
}

fn parse(packet: &mut Packet) {
    match parse_frame(packet.frame.bytes()) {
        Ok(Parsed::Headers(headers)) => packet.headers = Some(headers),
        Ok(Parsed::Control) => packet.verdict = Verdict::Punt,
        Err(reason) => packet.drop_for(reason),
    }
}

#[inline(always)]
fn parse_frame(frame: &[u8]) -> Result<Parsed, DropReason> {
    let (ethernet, packet) = Ethernet::new_checked(frame)?;
    match ethernet.ethertype() {
        ethertype::IPV4 => parse_ipv4(packet),
        ethertype::IPV6 => parse_ipv6(packet),
        ethertype::ARP => Ok(Parsed::Control),
        ethertype::VLAN | ethertype::QINQ => Err(DropReason::VlanTagged),
        _ => Err(DropReason::NotIp),
    }
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
fn parse_ipv4(packet: &[u8]) -> Result<Parsed, DropReason> {
    let (ipv4, payload) = Ipv4::new_checked(packet)?;
    if !ipv4.checksum_is_right() {
        return Err(DropReason::BadChecksum);
    }
    if ipv4.is_fragment() {
        return Err(DropReason::Fragment);
    }
    let addresses = Addresses::V4 { source: ipv4.source(), destination: ipv4.destination() };
    let content = match ipv4.protocol() {
        number::TCP => tcp(addresses, payload)?,
        number::UDP => udp(addresses, payload)?,
        number::VRRP => return Ok(Parsed::Control),
        number::ICMP => match Icmp::new_checked(payload)?.kind() {
            icmp::v4::ECHO_REQUEST => Content::Echo { destination: addresses.destination() },
            kind if icmp::v4::ERRORS.contains(&kind) => return Err(DropReason::IcmpError),
            _ => return Err(DropReason::UnknownProtocol),
        },
        _ => return Err(DropReason::UnknownProtocol),
    };
    Ok(Parsed::Headers(headers(
        content,
        ipv4.header_length(),
        ipv4.header_length() + payload.len(),
        ipv4.ttl(),
    )))
}

#[inline(always)]
fn parse_ipv6(packet: &[u8]) -> Result<Parsed, DropReason> {
    let (ipv6, payload) = Ipv6::new_checked(packet)?;
    let (protocol, offset) = match ipv6::upper_layer(ipv6.next_header(), payload)? {
        Upper::Protocol { number, offset } => (number, offset),
        Upper::Fragment => return Err(DropReason::Fragment),
        Upper::Hidden => return Err(DropReason::ExtensionHeaders),
    };
    let addresses = Addresses::V6 { source: ipv6.source(), destination: ipv6.destination() };
    let transport = payload.get(offset..).unwrap_or_default();
    let content = match protocol {
        number::TCP => tcp(addresses, transport)?,
        number::UDP => udp(addresses, transport)?,
        number::VRRP => return Ok(Parsed::Control),
        number::ICMPV6 => match Icmp::new_checked(transport)?.kind() {
            icmp::v6::ECHO_REQUEST => Content::Echo { destination: addresses.destination() },
            icmp::v6::NEIGHBOUR_SOLICITATION | icmp::v6::NEIGHBOUR_ADVERTISEMENT => {
                return Ok(Parsed::Control);
            }
            kind if kind < icmp::v6::FIRST_INFORMATIONAL => return Err(DropReason::IcmpError),
            _ => return Err(DropReason::UnknownProtocol),
        },
        _ => return Err(DropReason::UnknownProtocol),
    };
    Ok(Parsed::Headers(headers(
        content,
        ipv6::LENGTH + offset,
        ipv6::LENGTH + payload.len(),
        ipv6.hop_limit(),
    )))
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "offsets in a frame of at most CHUNK bytes")]
fn headers(content: Content, ip_header: usize, packet_length: usize, ttl: u8) -> Headers {
    let transport = (ethernet::LENGTH + ip_header) as u16;
    Headers { content, transport, packet_length: packet_length as u16, ttl }
}

#[inline(always)]
fn tcp(addresses: Addresses, segment: &[u8]) -> Result<Content, WireError> {
    let tcp = Tcp::new_checked(segment)?;
    Ok(segment_of(addresses, Protocol::Tcp, tcp.source_port(), tcp.destination_port(), tcp.flags()))
}

#[inline(always)]
fn udp(addresses: Addresses, datagram: &[u8]) -> Result<Content, WireError> {
    let udp = Udp::new_checked(datagram)?;
    Ok(segment_of(addresses, Protocol::Udp, udp.source_port(), udp.destination_port(), Flags::default()))
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
