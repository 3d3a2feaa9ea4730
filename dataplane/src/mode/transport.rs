//! New ports, and a checksum that follows: of a whole segment, or of what an ICMP error quotes of one.

use crate::flow::{Addresses, Tuple};
use crate::types::Protocol;
use crate::wire::checksum::{Delta, sum};

/// The first 64 bits of a transport header are quoted always (RFC 792), so that ports are there.
pub(super) const QUOTED: usize = 8;

/// Behind this many bytes there is nothing that [`rewrite`] changes.
pub(super) const REACH: usize = 18;

/// Gives a transport header the ports of `new`, and its checksum what the pseudo-header's change from
/// `old` to `new` makes of it. A checksum that isn't there, or is "none" (UDP), stays so.
pub(super) fn rewrite(header: &mut [u8], old: &Tuple, new: &Tuple) -> Option<()> {
    let delta = readdressed(&old.addresses, &new.addresses)
        .word(old.source_port.0, new.source_port.0)
        .word(old.destination_port.0, new.destination_port.0);
    let ports = header.first_chunk_mut::<4>()?;
    ports[..2].copy_from_slice(&new.source_port.0.to_be_bytes());
    ports[2..].copy_from_slice(&new.destination_port.0.to_be_bytes());
    let at = match new.protocol {
        Protocol::Tcp => 16,
        Protocol::Udp => 6,
    };
    if let Some(field) = header.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<2>) {
        let checksum = u16::from_be_bytes(*field);
        *field = match new.protocol {
            Protocol::Tcp => delta.apply(checksum),
            Protocol::Udp => delta.apply_udp(checksum),
        }
        .to_be_bytes();
    }
    Some(())
}

/// What a change of addresses does to the sum over a pseudo-header, also between families: protocol and
/// length count the same in both (RFC 9293 section 3.1, RFC 8200 section 8.1).
pub(super) fn readdressed(old: &Addresses, new: &Addresses) -> Delta {
    let (mut before, mut after) = ([0; PAIR], [0; PAIR]);
    Delta::default().text(octets(old, &mut before), octets(new, &mut after))
}

/// The sum over the pseudo-header of a message of protocol `number` and of `length` bytes.
pub(super) fn pseudo_header(addresses: &Addresses, number: u8, length: usize) -> u64 {
    sum(u64::from(number) + length as u64, octets(addresses, &mut [0; PAIR]))
}

/// Bytes of two IPv6 addresses.
const PAIR: usize = 32;

/// Source and destination as they stand in a header.
fn octets<'b>(addresses: &Addresses, buffer: &'b mut [u8; PAIR]) -> &'b [u8] {
    match addresses {
        Addresses::V4 { source, destination } => {
            buffer[..4].copy_from_slice(&source.octets());
            buffer[4..8].copy_from_slice(&destination.octets());
            &buffer[..8]
        }
        Addresses::V6 { source, destination } => {
            buffer[..16].copy_from_slice(&source.octets());
            buffer[16..].copy_from_slice(&destination.octets());
            buffer
        }
    }
}
