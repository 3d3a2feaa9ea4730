//! What an error of one family means in the other (RFC 7915 sections 4.2 and 5.2). `None`: the other
//! family has no word for it, and the error is not passed on.

use crate::wire::icmp::{Icmp, v4, v6};

/// The MTUs of the ways that packets take from here, on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mtus {
    pub(crate) ipv4: u16,
    pub(crate) ipv6: u16,
}

/// An ICMP header without its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) kind: u8,
    pub(super) code: u8,
    /// The four bytes behind the checksum, but for the length of what is quoted.
    pub(super) rest: [u8; 4],
}

impl Meaning {
    fn new(kind: u8, code: u8, rest: [u8; 4]) -> Option<Self> {
        Some(Self { kind, code, rest })
    }
}

/// The least that every link of IPv6 takes (RFC 8200 section 5).
const IPV6_MINIMUM: u16 = 1280;

/// By how much the headers differ.
const HEADER: u16 = 20;

/// Bytes of a fragment header.
const FRAGMENT: u16 = 8;

/// Likely MTUs, for routers that don't tell theirs (RFC 1191 section 7); those that IPv6 can have.
const PLATEAUS: [u16; 7] = [65_535, 32_000, 17_914, 8_166, 4_352, 2_002, 1_492];

const UNUSED: [u8; 4] = [0; 4];

/// An ICMP error that quotes a packet of `total_length` bytes, in ICMPv6.
pub(super) fn to_ipv6(icmp: &Icmp<'_>, total_length: u16, mtus: Mtus) -> Option<Meaning> {
    const NO_ROUTE: u8 = 0;
    const PROHIBITED: u8 = 1;
    const PORT: u8 = 4;
    let [pointer, _, mtu @ ..] = icmp.rest();
    match (icmp.kind(), icmp.code()) {
        (v4::DESTINATION_UNREACHABLE, 0 | 1 | 5..=8 | 11 | 12) => {
            Meaning::new(v6::DESTINATION_UNREACHABLE, NO_ROUTE, UNUSED)
        }
        // Protocol unreachable: it is the next-header field that the host did not know.
        (v4::DESTINATION_UNREACHABLE, 2) => Meaning::new(v6::PARAMETER_PROBLEM, 1, [0, 0, 0, 6]),
        (v4::DESTINATION_UNREACHABLE, 3) => Meaning::new(v6::DESTINATION_UNREACHABLE, PORT, UNUSED),
        (v4::DESTINATION_UNREACHABLE, 4) => {
            let mtu = ipv6_mtu(u16::from_be_bytes(mtu), total_length, mtus);
            Meaning::new(v6::PACKET_TOO_BIG, 0, u32::from(mtu).to_be_bytes())
        }
        (v4::DESTINATION_UNREACHABLE, 9 | 10 | 13 | 15) => {
            Meaning::new(v6::DESTINATION_UNREACHABLE, PROHIBITED, UNUSED)
        }
        (v4::TIME_EXCEEDED, code) => Meaning::new(v6::TIME_EXCEEDED, code, UNUSED),
        // The pointer, and "bad length". Code 1 misses an option, of which IPv6 has others.
        (v4::PARAMETER_PROBLEM, 0 | 2) => {
            Meaning::new(v6::PARAMETER_PROBLEM, 0, [0, 0, 0, ipv6_pointer(pointer)?])
        }
        _ => None,
    }
}

/// An ICMPv6 error, in ICMP.
pub(super) fn to_ipv4(icmp: &Icmp<'_>, quotes_fragment: bool, mtus: Mtus) -> Option<Meaning> {
    const HOST: u8 = 1;
    const PROTOCOL: u8 = 2;
    const PORT: u8 = 3;
    const FRAGMENTATION_NEEDED: u8 = 4;
    const HOST_PROHIBITED: u8 = 10;
    let value = u32::from_be_bytes(icmp.rest());
    match (icmp.kind(), icmp.code()) {
        (v6::DESTINATION_UNREACHABLE, 0 | 2 | 3) => Meaning::new(v4::DESTINATION_UNREACHABLE, HOST, UNUSED),
        (v6::DESTINATION_UNREACHABLE, 1) => {
            Meaning::new(v4::DESTINATION_UNREACHABLE, HOST_PROHIBITED, UNUSED)
        }
        (v6::DESTINATION_UNREACHABLE, 4) => Meaning::new(v4::DESTINATION_UNREACHABLE, PORT, UNUSED),
        (v6::PACKET_TOO_BIG, _) => {
            let [high, low] = ipv4_mtu(value, quotes_fragment, mtus).to_be_bytes();
            Meaning::new(v4::DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED, [0, 0, high, low])
        }
        (v6::TIME_EXCEEDED, code) => Meaning::new(v4::TIME_EXCEEDED, code, UNUSED),
        (v6::PARAMETER_PROBLEM, 0) => Meaning::new(v4::PARAMETER_PROBLEM, 0, [ipv4_pointer(value)?, 0, 0, 0]),
        (v6::PARAMETER_PROBLEM, 1) => Meaning::new(v4::DESTINATION_UNREACHABLE, PROTOCOL, UNUSED),
        // Code 2, an unknown option, is one that did not come from here.
        _ => None,
    }
}

/// Section 4.2, "Fragmentation needed and DF set". Routers before RFC 1191 tell no MTU.
fn ipv6_mtu(told: u16, total_length: u16, mtus: Mtus) -> u16 {
    let likely = || PLATEAUS.into_iter().find(|mtu| *mtu < total_length).unwrap_or(0);
    let told = if told == 0 { likely() } else { told };
    told.saturating_add(HEADER).min(mtus.ipv6).min(mtus.ipv4.saturating_add(HEADER)).max(IPV6_MINIMUM)
}

/// Section 5.2, "Packet Too Big". There is no MTU below the smallest (RFC 8201 section 4), whoever
/// says so: believed, it would make hosts cut their packets to pieces.
fn ipv4_mtu(told: u32, quotes_fragment: bool, mtus: Mtus) -> u16 {
    let headers = if quotes_fragment { HEADER + FRAGMENT } else { HEADER };
    let told = u16::try_from(told).unwrap_or(u16::MAX).max(IPV6_MINIMUM);
    (told - headers).min(mtus.ipv4).min(mtus.ipv6.saturating_sub(HEADER))
}

/// Figure 3.
fn ipv6_pointer(pointer: u8) -> Option<u8> {
    Some(match pointer {
        0 | 1 => pointer, // version, type of service
        2 | 3 => 4,       // total length
        8 => 7,           // TTL
        9 => 6,           // protocol
        12..=15 => 8,     // source
        16..=19 => 24,    // destination
        _ => return None,
    })
}

/// Figure 6.
fn ipv4_pointer(pointer: u32) -> Option<u8> {
    Some(match pointer {
        0 => 0,        // version
        1 => 1,        // traffic class
        4 | 5 => 2,    // payload length
        6 => 9,        // next header
        7 => 8,        // hop limit
        8..=23 => 12,  // source
        24..=39 => 16, // destination
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
