//! IP headers of packets that the node originates: tunnels, ICMP errors and resets.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::checksum::{fold, sum};
use super::{ipv4, ipv6};

/// TTL and hop limit of originated packets: the default of hosts (RFC 1700).
pub const TTL: u8 = 64;

/// The payload's description, for headers of both versions.
#[derive(Debug, Clone, Copy)]
pub struct Payload {
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// The protocol number (IANA).
    pub protocol: u8,
    /// Bytes behind the header.
    pub length: u16,
}

/// An IPv4 header without options. With an `identification` routers may fragment the packet; `None` sets
/// the don't-fragment flag, and the field has no meaning (RFC 6864 section 4.1).
#[inline(always)]
pub fn ipv4(
    payload: Payload,
    identification: Option<u16>,
    source: Ipv4Addr,
    destination: Ipv4Addr,
) -> [u8; ipv4::LENGTH] {
    const DONT_FRAGMENT: u16 = 0x4000;
    #[expect(clippy::cast_possible_truncation, reason = "20")]
    let total_length = payload.length.saturating_add(ipv4::LENGTH as u16);
    let (identification, flags) = identification.map_or((0, DONT_FRAGMENT), |id| (id, 0));
    let first = u32::from_be_bytes([0x45, payload.traffic_class, 0, 0]) | u32::from(total_length);
    let second = u32::from(identification) << 16 | u32::from(flags);
    let third = u32::from_be_bytes([TTL, payload.protocol, 0, 0]);
    let mut header = [first, second, third, source.to_bits(), destination.to_bits()];
    let sum = header.iter().fold(0, |sum, word| sum + u64::from(*word));
    header[2] |= u32::from(!fold(sum));
    words(header)
}

/// An IPv6 header. Only the lower 20 bits of `flow_label` are used.
#[inline(always)]
pub fn ipv6(
    payload: Payload,
    flow_label: u32,
    source: Ipv6Addr,
    destination: Ipv6Addr,
) -> [u8; ipv6::LENGTH] {
    let first = 6 << 28 | u32::from(payload.traffic_class) << 20 | flow_label & 0x000f_ffff;
    let second = u32::from(payload.length) << 16 | u32::from_be_bytes([0, 0, payload.protocol, TTL]);
    let mut header = [0; ipv6::LENGTH];
    header[..8].copy_from_slice(&(u64::from(first) << 32 | u64::from(second)).to_be_bytes());
    header[8..24].copy_from_slice(&source.octets());
    header[24..].copy_from_slice(&destination.octets());
    header
}

#[inline(always)]
fn words(words: [u32; 5]) -> [u8; ipv4::LENGTH] {
    let mut header = [0; ipv4::LENGTH];
    for (place, word) in header.as_chunks_mut().0.iter_mut().zip(words) {
        *place = word.to_be_bytes();
    }
    header
}

/// The checksum's sum over a pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1). `addresses` are
/// source and destination in wire order; `length` is that of the transport header and its payload.
#[inline(always)]
pub fn pseudo_header(addresses: &[u8], protocol: u8, length: usize) -> u64 {
    sum(u64::from(protocol) + length as u64, addresses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipv4::Ipv4;
    use crate::ipv6::Ipv6;

    const PAYLOAD: Payload = Payload { traffic_class: 0xb9, protocol: 17, length: 2 };

    #[test]
    fn an_ipv4_header_parses_to_the_values_it_was_composed_from() {
        let (source, destination) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 1, 2));
        for (identification, field) in [(None, [0, 0, 0x40, 0]), (Some(0x1234), [0x12, 0x34, 0, 0])] {
            let packet = [&ipv4(PAYLOAD, identification, source, destination)[..], &[1, 2, 0]].concat();
            let (header, payload) = Ipv4::new_checked(&packet).unwrap();
            assert!(header.checksum_is_right());
            assert_eq!((header.source(), header.destination()), (source, destination));
            assert_eq!((header.protocol(), header.ttl(), payload), (17, 64, &[1, 2][..]));
            assert_eq!((packet[1], &packet[4..8]), (0xb9, &field[..]));
        }
    }

    #[test]
    fn an_ipv6_header_parses_to_the_values_it_was_composed_from() {
        let (source, destination) = (Ipv6Addr::LOCALHOST, "fd00::2".parse().unwrap());
        let packet = [&ipv6(PAYLOAD, 0xfff1_2345, source, destination)[..], &[1, 2, 0]].concat();
        let (header, payload) = Ipv6::new_checked(&packet).unwrap();
        assert_eq!((header.source(), header.destination()), (source, destination));
        assert_eq!((header.next_header(), header.hop_limit(), payload), (17, 64, &[1, 2][..]));
        assert_eq!(packet[..4], [0x6b, 0x91, 0x23, 0x45]);
    }
}
