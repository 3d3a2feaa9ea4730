//! ICMP errors (RFC 792) and ICMPv6 errors (RFC 4443) follow the flow whose packet they quote through
//! NAT (RFC 5508 section 4.2): what is translated in a packet of the flow is translated back in the quote.
//!
//! Extensions behind the quote (RFC 4884) stay as they are.

use std::mem;

use super::refusal::Refusal;
use super::transport::{self, QUOTED, REACH};
use crate::flow::{Addresses, Tuple};
use crate::types::{Port, Protocol};
use crate::wire::checksum::{Delta, fold, sum};
use crate::wire::icmp::{self, Icmp, IcmpMut, v4, v6};
use crate::wire::ipv4::{Ipv4, Ipv4Mut};
use crate::wire::ipv6::{Extensions, Ipv6, Ipv6Mut};
use crate::wire::tcp::Sequence;
use crate::wire::{self, WireError};

/// A quote in front of extensions has this many bytes at least (RFC 4884 section 4).
pub(super) const EXTENDED_QUOTE: usize = 128;

/// The packet that an error quotes, and where in the error's own packet that lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quoted {
    /// As the quoted packet has it: it went where the error comes from.
    pub(crate) tuple: Tuple,
    /// The error's own addresses.
    pub(crate) outer: Addresses,
    /// Where the ICMP header begins.
    pub(super) icmp: usize,
    /// Where the quoted packet's transport header begins.
    transport: usize,
    /// Where the quote ends, and extensions may begin.
    pub(super) quote_end: usize,
    /// Where the error's packet ends: the frame may be padded.
    pub(super) end: usize,
}

/// What an error looks like on the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    /// Its own addresses.
    pub(crate) outer: Addresses,
    /// Addresses and ports of the packet it quotes.
    pub(crate) quoted: Tuple,
    /// Whether the box counts as a hop, as it does where it routes.
    pub(crate) hop: bool,
}

impl Quoted {
    /// What the error in `packet` quotes, whose ICMP header begins `icmp` bytes into the packet.
    ///
    /// Its checksum is looked at (RFC 5508 section 4.2): hosts do as an error says. Those of the
    /// quoted packet are not; what was damaged there stays so.
    pub(crate) fn new_checked(packet: &[u8], icmp: usize) -> Result<Self, Refusal> {
        let (outer, end) = outer(packet)?;
        let message = packet.get(icmp..end).ok_or(WireError::Truncated)?;
        let header = Icmp::new_checked(message)?;
        if fold(sum(summed_with(&outer, message.len()), message)) != 0xffff {
            return Err(Refusal::BadChecksum);
        }
        let is_v6 = matches!(outer, Addresses::V6 { .. });
        if !is_carried(&header, is_v6) {
            return Err(Refusal::NotCarried);
        }
        let quote_length = quote_length(&header, is_v6, message.len() - icmp::LENGTH);
        let quote = icmp + icmp::LENGTH;
        let quote_end = quote + quote_length;
        let bytes = packet.get(quote..quote_end).ok_or(WireError::Truncated)?;
        let (tuple, transport) = if is_v6 { quoted_ipv6(bytes)? } else { quoted_ipv4(bytes)? };
        Ok(Self { tuple, outer, icmp, transport: quote + transport, quote_end, end })
    }

    /// The tuple of a packet that answers the quoted one: the flow is found by it, in the direction
    /// that the error goes.
    pub(crate) fn reversed(&self) -> Tuple {
        self.tuple.reversed()
    }
}

/// What is summed beside a message: a pseudo-header in ICMPv6 alone (RFC 4443 section 2.3).
pub(super) fn summed_with(addresses: &Addresses, length: usize) -> u64 {
    match addresses {
        Addresses::V4 { .. } => 0,
        Addresses::V6 { .. } => transport::pseudo_header(addresses, v6::PROTOCOL, length),
    }
}

/// The addresses of the error's own packet, and where that ends.
fn outer(packet: &[u8]) -> Result<(Addresses, usize), WireError> {
    if packet.first().is_some_and(|first| first >> 4 == 6) {
        let (ipv6, payload) = Ipv6::new_checked(packet)?;
        let addresses = Addresses::V6 { source: ipv6.source(), destination: ipv6.destination() };
        Ok((addresses, wire::ipv6::LENGTH + payload.len()))
    } else {
        let (ipv4, payload) = Ipv4::new_checked(packet)?;
        let addresses = Addresses::V4 { source: ipv4.source(), destination: ipv4.destination() };
        Ok((addresses, ipv4.header_length() + payload.len()))
    }
}

/// All errors but redirects: they are about the sender's own link, and nobody should follow one that
/// comes through a box like this.
fn is_carried(header: &Icmp<'_>, is_v6: bool) -> bool {
    if is_v6 {
        matches!(
            header.kind(),
            v6::DESTINATION_UNREACHABLE | v6::PACKET_TOO_BIG | v6::TIME_EXCEEDED | v6::PARAMETER_PROBLEM
        )
    } else {
        matches!(
            header.kind(),
            v4::DESTINATION_UNREACHABLE | v4::SOURCE_QUENCH | v4::TIME_EXCEEDED | v4::PARAMETER_PROBLEM
        )
    }
}

/// Bytes of the quote, of the `available` ones behind the header. Where a type has a length field, it
/// is in words of the family's alignment, and zero without extensions (RFC 4884 section 4).
fn quote_length(header: &Icmp<'_>, is_v6: bool, available: usize) -> usize {
    let [first, second, ..] = header.rest();
    let length = match (is_v6, header.kind()) {
        (true, v6::DESTINATION_UNREACHABLE | v6::TIME_EXCEEDED) => usize::from(first) * 8,
        (false, v4::DESTINATION_UNREACHABLE | v4::TIME_EXCEEDED | v4::PARAMETER_PROBLEM) => {
            usize::from(second) * 4
        }
        _ => 0,
    };
    // A field with anything else in it is older than its meaning.
    if (EXTENDED_QUOTE..=available).contains(&length) { length } else { available }
}

/// The quoted packet's tuple, and where its transport header begins.
fn quoted_ipv4(quote: &[u8]) -> Result<(Tuple, usize), Refusal> {
    let (ipv4, payload) = Ipv4::new_quoted(quote)?;
    if ipv4.fragment().is_some_and(|fragment| fragment.offset > 0) {
        return Err(Refusal::NoPorts);
    }
    let addresses = Addresses::V4 { source: ipv4.source(), destination: ipv4.destination() };
    Ok((tuple(addresses, ipv4.protocol(), payload)?, ipv4.header_length()))
}

fn quoted_ipv6(quote: &[u8]) -> Result<(Tuple, usize), Refusal> {
    let (ipv6, payload) = Ipv6::new_quoted(quote)?;
    let extensions = Extensions::read(ipv6.next_header(), payload)?.ok_or(Refusal::ExtensionHeaders)?;
    if extensions.fragment.is_some_and(|fragment| fragment.offset > 0) {
        return Err(Refusal::NoPorts);
    }
    let addresses = Addresses::V6 { source: ipv6.source(), destination: ipv6.destination() };
    let transport = payload.get(extensions.length..).unwrap_or_default();
    Ok((tuple(addresses, extensions.number, transport)?, wire::ipv6::LENGTH + extensions.length))
}

fn tuple(addresses: Addresses, number: u8, transport: &[u8]) -> Result<Tuple, Refusal> {
    let protocol = wire::balanced(number).ok_or(Refusal::UnknownProtocol)?;
    let [a, b, c, d, ..] = transport.first_chunk::<QUOTED>().ok_or(WireError::Truncated)?;
    let [source_port, destination_port] = [[*a, *b], [*c, *d]].map(|port| Port(u16::from_be_bytes(port)));
    Ok(Tuple { addresses, source_port, destination_port, protocol })
}

/// Rewrites the error in `packet`, which `quoted` was made of, for the other side of a NAT within its
/// family. What is refused is unchanged.
pub(crate) fn follow(packet: &mut [u8], quoted: &Quoted, change: &Change) -> Result<(), Refusal> {
    let family = mem::discriminant(&quoted.outer);
    if [change.outer, change.quoted.addresses].iter().any(|new| mem::discriminant(new) != family) {
        return Err(Refusal::WrongFamily);
    }
    if change.hop && ttl(packet, &quoted.outer).is_none_or(|ttl| ttl <= 1) {
        return Err(Refusal::TtlExceeded);
    }
    let delta = rewrite_quote(packet, quoted, &change.quoted).ok_or(WireError::Truncated)?;
    rewrite_outer(packet, quoted, change, delta).ok_or(WireError::Truncated)?;
    Ok(())
}

/// What the quote's change makes of the sum over the message.
fn rewrite_quote(packet: &mut [u8], quoted: &Quoted, new: &Tuple) -> Option<Delta> {
    let start = quoted.icmp + icmp::LENGTH;
    let quote = packet.get_mut(start..quoted.quote_end.min(quoted.transport + REACH))?;
    let before = fold(sum(0, quote));
    let old = &quoted.tuple;
    match new.addresses {
        Addresses::V4 { source, destination } => {
            let (mut ipv4, _) = Ipv4Mut::new(quote)?;
            ipv4.set_source(source);
            ipv4.set_destination(destination);
            let delta = transport::readdressed(&old.addresses, &new.addresses);
            ipv4.set_checksum(delta.apply(ipv4.checksum()));
        }
        Addresses::V6 { source, destination } => {
            let (mut ipv6, _) = Ipv6Mut::new(quote)?;
            ipv6.set_source(source);
            ipv6.set_destination(destination);
        }
    }
    transport::rewrite(quote.get_mut(quoted.transport - start..)?, old, new)?;
    Some(Delta::default().word(before, fold(sum(0, quote))))
}

/// The error's own headers; `message` is what became of its quote.
fn rewrite_outer(packet: &mut [u8], quoted: &Quoted, change: &Change, message: Delta) -> Option<()> {
    let addresses = transport::readdressed(&quoted.outer, &change.outer);
    let hop = u8::from(change.hop);
    let message = match change.outer {
        Addresses::V4 { source, destination } => {
            let (mut ipv4, _) = Ipv4Mut::new(packet)?;
            let before = ipv4.ttl_and_protocol();
            ipv4.set_ttl(ipv4.ttl().saturating_sub(hop));
            ipv4.set_source(source);
            ipv4.set_destination(destination);
            let delta = addresses.word(before, ipv4.ttl_and_protocol());
            ipv4.set_checksum(delta.apply(ipv4.checksum()));
            message
        }
        Addresses::V6 { source, destination } => {
            let (mut ipv6, _) = Ipv6Mut::new(packet)?;
            ipv6.set_hop_limit(ipv6.hop_limit().saturating_sub(hop));
            ipv6.set_source(source);
            ipv6.set_destination(destination);
            message.and(addresses)
        }
    };
    let mut icmp = IcmpMut::new(packet.get_mut(quoted.icmp..)?)?;
    icmp.set_checksum(message.apply(icmp.checksum()));
    Some(())
}

/// Changes the sequence number of the TCP segment that the error in `packet` quotes: each end knows its own
/// numbers. `None`, and no change: it quotes none, or less of one.
pub(crate) fn renumber(
    packet: &mut [u8],
    quoted: &Quoted,
    new: impl FnOnce(Sequence) -> Sequence,
) -> Option<()> {
    if quoted.tuple.protocol != Protocol::Tcp {
        return None;
    }
    let quote = packet.get_mut(..quoted.quote_end)?;
    let place: &mut [u8; 4] = quote.get_mut(quoted.transport + 4..)?.first_chunk_mut()?;
    let before = u32::from_be_bytes(*place);
    let Sequence(after) = new(Sequence(before));
    *place = after.to_be_bytes();
    let mut icmp = IcmpMut::new(packet.get_mut(quoted.icmp..)?)?;
    // The headers in front are of an even length.
    icmp.set_checksum(Delta::default().words(before, after).apply(icmp.checksum()));
    Some(())
}

fn ttl(packet: &[u8], addresses: &Addresses) -> Option<u8> {
    let at = match addresses {
        Addresses::V4 { .. } => 8,
        Addresses::V6 { .. } => 7,
    };
    packet.get(at).copied()
}

#[cfg(test)]
mod tests;
