//! Between the families: one-arm mode's NAT64 and NAT46, by the IP/ICMP translation algorithm (RFC 7915)
//! with addresses and ports out of a flow instead of a prefix.
//!
//! A packet of TCP or UDP is rewritten in place but for its IP header, which has another length: the
//! caller moves the frame's start and puts the [`NewHeader`] there. An ICMP error changes its length in
//! two places, and is put together anew.
//!
//! The algorithm is a router's: what would have to be fragmented is the caller's to find out, by the
//! length of what comes out and the MTU of the way it takes.

mod error;
mod header;
mod mapping;

pub(crate) use error::{MAX_ERROR, translate_error};
pub(crate) use header::NewHeader;
pub(crate) use mapping::Mtus;

use super::refusal::Refusal;
use super::transport;
use crate::flow::{Addresses, Tuple};
use crate::types::Protocol;
use crate::wire::checksum::{fold, sum};
use crate::wire::tcp::Tcp;
use crate::wire::udp::{self, Udp, UdpMut};
use crate::wire::{self, WireError};
use header::{Fields, is_ipv6};

/// What a host's fragments of one packet have in common. The translator makes IPv4's up, because
/// packets of IPv6 have none (RFC 7915 section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Identification(pub(crate) u16);

/// Gives the TCP or UDP packet in `packet` the addresses and ports of `new`, which are of the other
/// family than its own `old` ones, and counts its TTL down. What is refused is unchanged.
///
/// In a fragment other than the first there are no ports, and those of the tuples mean nothing.
pub(crate) fn translate(
    packet: &mut [u8],
    old: &Tuple,
    new: &Tuple,
    identification: Identification,
) -> Result<NewHeader, Refusal> {
    let mut fields = Fields::of_packet(packet)?;
    if is_ipv6(&old.addresses) == is_ipv6(&new.addresses) {
        return Err(Refusal::WrongFamily);
    }
    if wire::balanced(fields.protocol) != Some(new.protocol) {
        return Err(Refusal::UnknownProtocol);
    }
    fields.hop()?;
    let header = fields.write(&new.addresses, identification)?;
    let payload = packet.get_mut(fields.payload()).ok_or(WireError::Truncated)?;
    let is_part = match fields.fragment {
        Some(fragment) if fragment.offset > 0 => return Ok(header),
        fragment => fragment.is_some(),
    };
    let sums_nothing = check(payload, new.protocol, is_part)?;
    let is_summed_now = sums_nothing && is_ipv6(&new.addresses);
    // Nobody has seen the other fragments yet (RFC 7915 section 4.5).
    if is_summed_now && is_part {
        return Err(Refusal::NoChecksum);
    }
    transport::rewrite(payload, old, new).ok_or(WireError::Truncated)?;
    if is_summed_now {
        sum_datagram(payload, &new.addresses).ok_or(WireError::Truncated)?;
    }
    Ok(header)
}

/// Looks whether the transport header is there; says whether it is of UDP without a checksum.
fn check(payload: &[u8], protocol: Protocol, is_part: bool) -> Result<bool, Refusal> {
    match protocol {
        Protocol::Tcp => Tcp::new_checked(payload).map(|_| ())?,
        // The length of all fragments together.
        Protocol::Udp if is_part => {
            payload.first_chunk::<{ udp::LENGTH }>().ok_or(WireError::Truncated)?;
        }
        Protocol::Udp => Udp::new_checked(payload).map(|_| ())?,
    }
    Ok(protocol == Protocol::Udp && payload.get(6..8) == Some(&[0; 2]))
}

/// Gives a datagram the checksum that IPv4 left out and IPv6 asks for (RFC 8200 section 8.1).
fn sum_datagram(payload: &mut [u8], addresses: &Addresses) -> Option<()> {
    let [high, low] = *payload.get(4..)?.first_chunk()?;
    let length = u16::from_be_bytes([high, low]);
    let datagram = payload.get_mut(..usize::from(length))?;
    let pseudo_header = transport::pseudo_header(addresses, Protocol::Udp.number(), datagram.len());
    let checksum = match !fold(sum(pseudo_header, datagram)) {
        0 => 0xffff,
        checksum => checksum,
    };
    UdpMut::new(datagram)?.set_checksum(checksum);
    Some(())
}

#[cfg(test)]
mod tests;
