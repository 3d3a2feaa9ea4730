//! Each packet is built field by field in both families, and the translation of one compared with the
//! other.

use super::*;
use crate::mode::icmp_error::Change;
use crate::testing::frames::{Build, frame};
use crate::types::{Mac, Port};
use crate::wire::tcp::Flags;
use proptest::prelude::*;

const CLIENT4: &str = "192.0.2.7";
const VIP4: &str = "10.0.0.100";
const CLIENT6: &str = "2001:db8::7";
const VIP6: &str = "2001:db8:1::100";
const ID: Identification = Identification(0x1234);
const MTUS: Mtus = Mtus { ipv4: 1500, ipv6: 1500 };

fn between(source: &str, destination: &str) -> Build {
    frame((Mac::default(), source), (Mac::default(), destination))
}

/// From the client, and the same on the other side.
fn v4() -> Build {
    between(CLIENT4, VIP4)
}

fn v6() -> Build {
    between(CLIENT6, VIP6)
}

fn tuple(v6: bool, protocol: Protocol) -> Tuple {
    let (source, destination) = if v6 { (CLIENT6, VIP6) } else { (CLIENT4, VIP4) };
    Tuple {
        addresses: Addresses::new(source.parse().unwrap(), destination.parse().unwrap()).unwrap(),
        source_port: Port(if v6 { 40000 } else { 50000 }),
        destination_port: Port(if v6 { 443 } else { 8443 }),
        protocol,
    }
}

fn tcp(build: Build) -> Build {
    with_ports(build, |build, source, destination| build.tcp(source, destination, Flags::ACK))
}

fn udp(build: Build) -> Build {
    with_ports(build, Build::udp)
}

/// A protocol, and how a packet gets to carry it.
fn content(is_tcp: bool) -> (Protocol, fn(Build) -> Build) {
    if is_tcp { (Protocol::Tcp, tcp) } else { (Protocol::Udp, udp) }
}

/// The ports of that side.
fn with_ports(build: Build, content: impl Fn(Build, u16, u16) -> Build) -> Build {
    let tuple = tuple(build.packet()[0] >> 4 == 6, Protocol::Tcp);
    content(build, tuple.source_port.0, tuple.destination_port.0)
}

/// The packet after the caller has put the new header in place of the old one.
fn translated(mut packet: Vec<u8>, protocol: Protocol) -> Result<Vec<u8>, Refusal> {
    let v6 = packet.first().is_some_and(|first| first >> 4 == 6);
    let before = packet.clone();
    let done = translate(&mut packet, &tuple(v6, protocol), &tuple(!v6, protocol), ID);
    match done {
        Ok(header) => Ok([header.bytes(), &packet[header.replaces()..]].concat()),
        Err(refusal) => {
            assert_eq!(packet, before, "what is refused is unchanged");
            Err(refusal)
        }
    }
}

#[track_caller]
fn becomes(before: &[u8], protocol: Protocol, after: &[u8]) {
    let out = translated(before.to_vec(), protocol);
    assert_eq!(out.map(|out| format!("{out:02x?}")), Ok(format!("{after:02x?}")));
}

/// What an IPv4 packet of no more than 1260 bytes has from the translator.
fn short(build: Build) -> Build {
    build.identification(ID.0).fragment(0)
}

#[test]
fn tcp_and_udp_become_the_same_packet_of_the_other_family() {
    for (protocol, content) in [true, false].map(content) {
        for class in [0, 0xb8, 0x03, 0xff] {
            let (v4, v6) = (content(v4()).traffic_class(class), content(v6()).traffic_class(class));
            becomes(&v4.packet(), protocol, &v6.clone().ttl(63).packet());
            becomes(&v6.packet(), protocol, &short(v4.ttl(63)).packet());
        }
    }
}

#[test]
fn a_packet_known_byte_by_byte() {
    let before = [
        0x45, 0x2e, 0x00, 0x1e, 0xab, 0xcd, 0x40, 0x00, 0x40, 0x11, 0xc2, 0x68, 192, 0, 2, 7, 10, 0, 0, 100,
        0xc3, 0x50, 0x20, 0xfb, 0x00, 0x0a, 0xe6, 0xb9, 0x68, 0x69,
    ];
    let after = [
        &[0x62, 0xe0, 0, 0, 0, 10, 17, 63][..],
        &[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
        &[0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0],
        &[0x9c, 0x40, 0x01, 0xbb, 0, 10, 0x9c, 0xfb, 0x68, 0x69],
    ];
    becomes(&before, Protocol::Udp, &after.concat());
}

#[test]
fn a_long_packet_of_ipv6_may_not_be_fragmented_in_ipv4() {
    // 1260 bytes with the headers of IPv4 and UDP.
    for (length, flags) in [(1232, 0), (1233, 0x4000)] {
        let payload = vec![7; length];
        let after = udp(v4()).payload(&payload).identification(ID.0).fragment(flags).ttl(63);
        becomes(&udp(v6()).payload(&payload).packet(), Protocol::Udp, &after.packet());
    }
}

#[test]
fn a_missing_udp_checksum_is_made_for_ipv6_and_stays_missing_for_ipv4() {
    let without = |build| with_ports(build, Build::udp_without_checksum);
    for payload in [&b""[..], b"odd", b"even"] {
        let after = udp(v6()).payload(payload).ttl(63);
        becomes(&without(v4()).payload(payload).packet(), Protocol::Udp, &after.packet());
    }
    becomes(&without(v6()).packet(), Protocol::Udp, &short(without(v4())).ttl(63).packet());
    let mut padded = without(v4()).packet();
    padded.extend([0xaa; 7]);
    let mut after = udp(v6()).ttl(63).packet();
    after.extend([0xaa; 7]);
    becomes(&padded, Protocol::Udp, &after);
    let mut part = without(v4()).fragment(0x2000).packet();
    part.truncate(part.len());
    assert_eq!(translated(part, Protocol::Udp), Err(Refusal::NoChecksum));
}

#[test]
fn a_checksum_that_comes_out_as_zero_is_sent_as_ones() {
    // Two bytes at the payload's end that complete every sum to zero.
    let zero = udp(v6()).payload(&[0, 0]).packet();
    let rest = udp(v6()).payload(&[zero[46], zero[47]]);
    assert_eq!(rest.packet()[46..48], [0xff, 0xff]);
    for content in [Build::udp, Build::udp_without_checksum] {
        let before = with_ports(v4(), content).payload(&[zero[46], zero[47]]);
        becomes(&before.packet(), Protocol::Udp, &rest.clone().ttl(63).packet());
    }
}

#[test]
fn options_and_extension_headers_go() {
    let record_route = [7, 7, 4, 0, 0, 0, 0, 0];
    let visited = [131, 7, 8, 10, 0, 0, 9, 0];
    for options in [record_route, visited] {
        becomes(&tcp(v4()).options(&options).packet(), Protocol::Tcp, &tcp(v6()).ttl(63).packet());
    }
    let chain = [43, 0, 1, 4, 0, 0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0];
    let before = tcp(v6()).extensions(0, &chain, 16);
    becomes(&before.packet(), Protocol::Tcp, &short(tcp(v4())).ttl(63).packet());
}

/// The fragment of a packet with this much in front of it and this much in it. All of its parts have
/// the checksum of the whole.
fn part(packet: &[u8], header: usize, offset: usize, length: usize) -> Vec<u8> {
    let mut part = packet[..header].to_vec();
    part.extend(&packet[header + offset..header + offset + length]);
    part
}

/// Sets an IPv4 header's length and checksum right.
fn finish(mut packet: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
    packet[2..4].copy_from_slice(&length);
    packet[10..12].fill(0);
    let checksum = !fold(sum(0, &packet[..20]));
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet
}

#[test]
fn fragments_stay_fragments_of_the_same_packet() {
    let payload: Vec<u8> = (0..=99).collect();
    // Offsets in bytes; whether more follow.
    for (offset, length, more) in [(0, 48, 1), (48, 40, 1), (88, 20, 0)] {
        let field = u16::try_from(offset / 8).unwrap();
        for (protocol, content) in [true, false].map(content) {
            let whole = content(v4()).payload(&payload).identification(0xbeef).fragment(more << 13 | field);
            let in_v4 = finish(part(&whole.packet(), 20, offset, length));
            let [high, low] = (field << 3 | more).to_be_bytes();
            let header = [0, 0, high, low, 0, 0, 0xbe, 0xef];
            let whole = content(v6()).payload(&payload).extensions(44, &header, 0);
            let mut in_v6 = part(&whole.packet(), 48, offset, length);
            in_v6[4..6].copy_from_slice(&u16::try_from(length + 8).unwrap().to_be_bytes());
            let hop = |packet: &[u8], at: usize| {
                let mut packet = packet.to_vec();
                packet[at] = 63;
                packet
            };
            becomes(&in_v4, protocol, &hop(&in_v6, 7));
            becomes(&in_v6, protocol, &finish(hop(&in_v4, 8)));
        }
    }
}

#[test]
fn a_fragment_identification_loses_its_upper_half() {
    let before = tcp(v6()).extensions(44, &[0, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef], 0);
    let after = tcp(v4()).identification(0xbeef).fragment(0x2000).ttl(63);
    becomes(&before.packet(), Protocol::Tcp, &after.packet());
}

#[test]
fn what_has_no_counterpart_is_refused_by_name() {
    let refusal = |build: Build, protocol| translated(build.packet(), protocol).unwrap_err();
    let tcp_refusal = |build: Build| refusal(build, Protocol::Tcp);
    for ttl in [0, 1] {
        assert_eq!(tcp_refusal(tcp(v4()).ttl(ttl)), Refusal::TtlExceeded);
        assert_eq!(tcp_refusal(tcp(v6()).ttl(ttl)), Refusal::TtlExceeded);
    }
    assert_eq!(tcp_refusal(tcp(v4()).options(&[137, 7, 4, 10, 0, 0, 9, 0])), Refusal::SourceRouted);
    let extended = |first, bytes: &[u8], patch| tcp_refusal(tcp(v6()).extensions(first, bytes, patch));
    assert_eq!(extended(43, &[0, 0, 0, 1, 0, 0, 0, 0], 0), Refusal::SourceRouted);
    assert_eq!(extended(51, &[0, 0, 0, 0, 0, 0, 0, 0], 0), Refusal::ExtensionHeaders);
    assert_eq!(extended(0, &[0; 160], 152), Refusal::ExtensionHeaders);
    let behind_fragment = [60, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 4, 0, 0, 0, 0];
    assert_eq!(extended(44, &behind_fragment, 8), Refusal::ExtensionHeaders);
    let later = [60, 0, 0, 9, 0, 0, 0, 1];
    assert_eq!(
        translated(v6().extensions(44, &later, 1).packet(), Protocol::Tcp),
        Err(Refusal::UnknownProtocol),
        "options in the first fragment were refused"
    );
    assert_eq!(tcp_refusal(v4().icmp(8)), Refusal::UnknownProtocol);
    assert_eq!(tcp_refusal(udp(v4())), Refusal::UnknownProtocol, "another one than the flow's");
    let cut = tcp(v4()).fragment(0x2000).packet()[..36].to_vec();
    let cut = translated(finish(cut), Protocol::Tcp);
    assert_eq!(cut, Err(Refusal::Broken(WireError::Truncated)), "a first fragment without its header");
    let mut packet = tcp(v4()).packet();
    let same = tuple(false, Protocol::Tcp);
    assert_eq!(translate(&mut packet, &same, &same, ID).unwrap_err(), Refusal::WrongFamily);
}

mod errors;

proptest! {
    #[test]
    fn there_and_back_gives_the_same_packet(
        is_tcp: bool, class: u8, ttl in 3_u8..=255, payload in proptest::collection::vec(any::<u8>(), 0..200),
        part in proptest::option::of((1_u16..0x2000, any::<bool>())), identification: u16,
    ) {
        let (protocol, content) = content(is_tcp);
        let before = content(v4()).traffic_class(class).payload(&payload).ttl(ttl);
        let before = match part {
            Some((offset, more)) => {
                before.identification(identification).fragment(offset | u16::from(more) << 13)
            }
            None => short(before),
        };
        let there = translated(before.packet(), protocol).unwrap();
        let back = translated(there, protocol).unwrap();
        prop_assert_eq!(back, before.ttl(ttl - 2).packet());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), is_tcp: bool) {
        let protocol = if is_tcp { Protocol::Tcp } else { Protocol::Udp };
        let _ = translated(bytes, protocol);
    }

    #[test]
    fn nor_do_packets_with_wrong_bytes(
        is_v6: bool, is_tcp: bool, wrong in proptest::collection::vec((0_usize..100, any::<u8>()), 1..4), cut in 0_usize..120,
    ) {
        let build = if is_v6 { v6() } else { v4() };
        let (protocol, content) = content(is_tcp);
        let mut packet = content(build).packet();
        for (at, byte) in wrong {
            if let Some(place) = packet.get_mut(at) {
                *place = byte;
            }
        }
        packet.truncate(cut);
        let _ = translated(packet, protocol);
    }
}
