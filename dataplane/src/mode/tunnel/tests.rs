//! Every kind of tunnel around every kind of packet; checksums by summing whole texts.

mod kernel;

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::limits::HEADROOM;
use crate::snapshot::{GueVariant, TunnelKind};
use crate::testing::frames::{Build, frame};
use crate::types::{Mac, Port};
use crate::wire::checksum::{fold, sum};
use crate::xdp::Umem;

const ENTROPY: u64 = 0x0123_4567_89ab_cdef;
/// The lower 14 bits of the entropy, above 0xc000.
const SOURCE_PORT: u16 = 0xcdef;
const PORT: Port = Port(6080);
const IDENTIFICATION: u16 = 0x1234;
const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 1]);
const BOX: Mac = Mac([2, 0, 0, 0, 0, 2]);
/// The Ethernet header alone.
const NETWORK: usize = 14;

const KINDS: [TunnelKind; 4] = [
    TunnelKind::Ipip,
    TunnelKind::Gre,
    TunnelKind::Gue { port: PORT, variant: GueVariant::Zero },
    TunnelKind::Gue { port: PORT, variant: GueVariant::One },
];

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn tunnel(kind: TunnelKind, v6: bool) -> Tunnel {
    let (source, destination) = if v6 { ("fd00::1", "fd01::2") } else { ("10.0.0.1", "10.0.1.2") };
    Tunnel { kind, source: address(source), destination: address(destination) }
}

fn tunnels() -> impl Iterator<Item = Tunnel> {
    KINDS.into_iter().flat_map(|kind| [tunnel(kind, false), tunnel(kind, true)])
}

fn inner(v6: bool) -> Build {
    let (client, vip) = if v6 { ("2001:db8::7", "2001:db8::100") } else { ("192.0.2.7", "10.0.0.100") };
    frame((CLIENT, client), (BOX, vip)).payload(b"odd length!")
}

/// What may be in a packet, with and without a checksum to build upon.
fn inners() -> Vec<(&'static str, Vec<u8>)> {
    let options = [0x94, 4, 0, 0, 1, 1, 1, 0];
    let routing = [0, 2, 0, 1, 0, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    let mut inners = Vec::new();
    for v6 in [false, true] {
        inners.push(("tcp", inner(v6).tcp(40000, 80, 0x18).build()));
        inners.push(("tcp without data", inner(v6).tcp(40000, 80, 0x02).payload(&[]).build()));
        inners.push(("udp", inner(v6).udp(40000, 53).build()));
        inners.push(("echo", inner(v6).icmp(if v6 { 128 } else { 8 }).build()));
        inners.push(("another protocol", inner(v6).protocol(132).build()));
        inners.push(("nothing", inner(v6).protocol(59).payload(&[]).build()));
        inners.push(("half a tcp header", inner(v6).protocol(6).build()));
        inners.push(("half a udp header", inner(v6).protocol(17).payload(&[1, 2, 3]).build()));
        inners.push((
            "udp shorter than its packet",
            inner(v6).protocol(17).payload(&[0, 1, 0, 2, 0, 8, 9, 9, 7]).build(),
        ));
    }
    inners.push(("udp without checksum", inner(false).udp_without_checksum(40000, 53).build()));
    inners.push(("options", inner(false).tcp(40000, 80, 0x18).options(&options).build()));
    inners.push(("first fragment", inner(false).udp(40000, 53).fragment(0x2000).build()));
    inners.push(("last fragment", inner(false).protocol(17).fragment(0x0010).build()));
    // The first bytes of its data lie where a segment has its header, and are none.
    inners.push(("middle of a segment", inner(false).protocol(6).payload(&[7; 30]).fragment(0x2010).build()));
    let later = [6, 0, 0, 0x81, 0, 0, 0, 1];
    inners.push(("the same", inner(true).protocol(6).payload(&[7; 30]).extensions(44, &later, 0).build()));
    inners.push(("routing header", inner(true).udp(40000, 53).extensions(43, &routing, 0).build()));
    inners
}

fn frame_of(bytes: &[u8]) -> Frame {
    Frame::copied(Umem::new(1).unwrap().take().unwrap(), bytes)
}

/// Where the packet in a frame is, as the parser has it.
fn place(bytes: &[u8], network: usize) -> (usize, u16) {
    let packet = bytes.get(network..).unwrap_or_default();
    let length = match packet {
        [first, _, a, b, ..] if first >> 4 == 4 => u16::from_be_bytes([*a, *b]),
        [first, _, _, _, a, b, ..] if first >> 4 == 6 => u16::from_be_bytes([*a, *b]).saturating_add(40),
        _ => u16::try_from(packet.len()).unwrap(),
    };
    (network, length)
}

fn encapsulated(bytes: &[u8], network: usize, tunnel: &Tunnel) -> Vec<u8> {
    let mut frame = frame_of(bytes);
    encapsulate(&mut frame, place(bytes, network), tunnel, ENTROPY, IDENTIFICATION).unwrap();
    frame.bytes().to_vec()
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// Checks an outer IPv4 header and gives its protocol and payload.
fn open_v4(packet: &[u8]) -> (u8, &[u8]) {
    assert_eq!(packet[0], 0x45);
    assert_eq!(usize::from(be16(packet, 2)), packet.len(), "nothing behind the packet");
    assert_eq!((packet[8], &packet[12..20]), (64, &[10, 0, 0, 1, 10, 0, 1, 2][..]));
    assert_eq!(fold(sum(0, &packet[..20])), 0xffff);
    (packet[9], &packet[20..])
}

/// The same of IPv6; a UDP checksum must be there and right.
fn open_v6(packet: &[u8]) -> (u8, &[u8]) {
    assert_eq!(packet[0] >> 4, 6);
    assert_eq!(usize::from(be16(packet, 4)), packet.len() - 40, "nothing behind the packet");
    let addresses = ["fd00::1", "fd01::2"].map(|text| text.parse::<std::net::Ipv6Addr>().unwrap().octets());
    assert_eq!((packet[7], &packet[8..40]), (64, addresses.as_flattened()));
    let payload = &packet[40..];
    if packet[6] == 17 {
        assert_ne!(be16(payload, 6), 0);
        let pseudo = sum(17 + payload.len() as u64, addresses.as_flattened());
        assert_eq!(fold(sum(pseudo, payload)), 0xffff);
    }
    (packet[6], payload)
}

/// Checks all outer headers of a packet and gives the inner one.
fn open<'p>(packet: &'p [u8], tunnel: &Tunnel, inner_v6: bool) -> &'p [u8] {
    let v6 = tunnel.source.is_ipv6();
    let (protocol, payload) = if v6 { open_v6(packet) } else { open_v4(packet) };
    let inner_protocol = if inner_v6 { 41 } else { 4 };
    match tunnel.kind {
        TunnelKind::Ipip => {
            assert_eq!(protocol, inner_protocol);
            payload
        }
        TunnelKind::Gre => {
            let ethertype = if inner_v6 { [0x86, 0xdd] } else { [8, 0] };
            assert_eq!((protocol, &payload[..4]), (47, &[[0, 0], ethertype].concat()[..]));
            &payload[4..]
        }
        TunnelKind::Gue { variant, .. } => {
            assert_eq!((protocol, be16(payload, 0), be16(payload, 2)), (17, SOURCE_PORT, 6080));
            assert_eq!(usize::from(be16(payload, 4)), payload.len());
            assert_eq!(be16(payload, 6) == 0, !v6, "a checksum over IPv6 only");
            if variant == GueVariant::One {
                return &payload[8..];
            }
            assert_eq!(payload[8..12], [0, inner_protocol, 0, 0]);
            &payload[12..]
        }
    }
}

#[test]
fn every_tunnel_carries_every_packet_unchanged() {
    for tunnel in tunnels() {
        for (what, bytes) in inners() {
            let out = encapsulated(&[&bytes[..], &[0xee; 7]].concat(), NETWORK, &tunnel);
            let ethertype = if tunnel.source.is_ipv6() { 0x86dd } else { 0x0800 };
            assert_eq!((&out[..12], be16(&out, 12)), (&bytes[..12], ethertype), "{what}");
            let inner_v6 = bytes[NETWORK] >> 4 == 6;
            assert_eq!(open(&out[NETWORK..], &tunnel, inner_v6), &bytes[NETWORK..], "{what} in {tunnel:?}");
            assert_eq!(out.len(), bytes.len() + usize::from(tunnel.overhead()));
        }
    }
}

#[test]
fn vlan_tags_stay_in_front() {
    let plain = inner(false).tcp(40000, 80, 0x02).build();
    for tags in [&[0x81, 0, 0x20, 7][..], &[0x88, 0xa8, 0, 9, 0x81, 0, 0x20, 7]] {
        let tagged = [&plain[..12], tags, &plain[12..]].concat();
        let tunnel = tunnel(TunnelKind::Ipip, true);
        let network = NETWORK + tags.len();
        let out = encapsulated(&tagged, network, &tunnel);
        assert_eq!(out[..network], [&plain[..12], tags, &[0x86, 0xdd]].concat());
        assert_eq!(open(&out[network..], &tunnel, false), &plain[NETWORK..]);
    }
}

#[test]
fn traffic_class_and_ecn_are_copied() {
    // RFC 6040 section 4.1: Not-ECT, ECT(1), ECT(0) and CE outwards as they are, beside a DSCP.
    for ecn in 0..4 {
        let class = 0b1011_1000 | ecn;
        for v6 in [false, true] {
            let mut bytes = inner(v6).protocol(59).build();
            if v6 {
                bytes[14] |= class >> 4;
                bytes[15] |= class << 4;
            } else {
                bytes[15] = class;
            }
            let out = encapsulated(&bytes, NETWORK, &tunnel(TunnelKind::Gre, false));
            assert_eq!(out[15], class);
            let out = encapsulated(&bytes, NETWORK, &tunnel(TunnelKind::Gre, true));
            assert_eq!(out[14] << 4 | out[15] >> 4, class);
        }
    }
}

#[test]
fn only_what_may_be_cut_may_be_cut_in_its_tunnel() {
    for (bytes, field) in [
        (inner(false).fragment(0x4000).build(), [0, 0, 0x40, 0]),
        (inner(false).fragment(0).build(), [0x12, 0x34, 0, 0]),
        (inner(false).fragment(0x2010).build(), [0x12, 0x34, 0, 0]),
        (inner(true).build(), [0, 0, 0x40, 0]),
    ] {
        let out = encapsulated(&bytes, NETWORK, &tunnel(TunnelKind::Ipip, false));
        assert_eq!(out[18..22], field);
    }
}

#[test]
fn flow_labels_come_of_the_entropy_and_are_never_zero() {
    let bytes = inner(true).tcp(40000, 80, 0x10).build();
    let label = |entropy| {
        let mut frame = frame_of(&bytes);
        encapsulate(&mut frame, place(&bytes, NETWORK), &tunnel(TunnelKind::Ipip, true), entropy, 0).unwrap();
        u32::from_be_bytes(frame.bytes()[14..18].try_into().unwrap()) & 0xf_ffff
    };
    assert_eq!((label(ENTROPY), label(ENTROPY)), (label(ENTROPY), label(ENTROPY)));
    assert_ne!(label(ENTROPY), label(ENTROPY + 1));
    for entropy in [0, 0xf_ffff, 0xf_fffe, u64::MAX] {
        assert_ne!(label(entropy), 0);
    }
}

/// The outer UDP checksum over IPv6 is made of the inner one where that is known to cover the data, so that
/// damage stays visible; else of the data.
#[test]
fn a_damaged_segment_damages_the_outer_checksum() {
    let is_right = |build: Build| {
        let mut bytes = build.build();
        *bytes.last_mut().unwrap() ^= 1;
        let out = encapsulated(&bytes, NETWORK, &tunnel(KINDS[2], true));
        fold(sum(sum(17 + out.len() as u64 - 54, &out[22..54]), &out[54..])) == 0xffff
    };
    for v6 in [false, true] {
        assert!(!is_right(inner(v6).tcp(40000, 80, 0x18)));
        assert!(!is_right(inner(v6).udp(40000, 53)));
        assert!(is_right(inner(v6).protocol(132)));
    }
    assert!(is_right(inner(false).tcp(40000, 80, 0x18).options(&[1; 4])), "may be a route");
    assert!(is_right(inner(true).tcp(40000, 80, 0x18).extensions(43, &[0; 8], 0)), "may be a route");
    assert!(is_right(inner(false).udp_without_checksum(40000, 53)));
}

#[test]
fn what_cannot_be_wrapped_is_refused() {
    let bytes = inner(false).tcp(40000, 80, 0x18).build();
    let refused = |bytes: &[u8], network, tunnel: &Tunnel| {
        encapsulate(&mut frame_of(bytes), place(bytes, network), tunnel, ENTROPY, 0).unwrap_err()
    };
    let good = tunnel(TunnelKind::Ipip, false);
    assert_eq!(refused(&bytes[..bytes.len() - 1], NETWORK, &good), DropReason::Truncated);
    assert_eq!(refused(&bytes, bytes.len(), &good), DropReason::Truncated);
    assert_eq!(refused(&bytes, bytes.len() + 1, &good), DropReason::Truncated);
    assert_eq!(refused(&bytes, 0, &good), DropReason::BadHeader);
    let mixed = Tunnel { destination: address("fd01::2"), ..good };
    assert_eq!(refused(&bytes, NETWORK, &mixed), DropReason::NoBackend);
    let mut frame = frame_of(&bytes);
    frame.prepend(HEADROOM - 19).unwrap();
    frame.bytes_mut().copy_within(HEADROOM - 19.., 0);
    assert_eq!(encapsulate(&mut frame, place(&bytes, NETWORK), &good, ENTROPY, 0), Err(DropReason::TooLong));
}

proptest! {
    #[test]
    fn any_payload_in_any_tunnel(
        payload in proptest::collection::vec(any::<u8>(), 0..1400),
        v6: bool, udp: bool, which in 0..8_usize, ports: (u16, u16), entropy: u64,
    ) {
        let build = inner(v6).payload(&payload);
        let bytes = if udp { build.udp(ports.0, ports.1) } else { build.tcp(ports.0, ports.1, 0x10) }.build();
        let tunnel = tunnels().nth(which).unwrap();
        let mut frame = frame_of(&bytes);
        encapsulate(&mut frame, place(&bytes, NETWORK), &tunnel, entropy, 1).unwrap();
        let packet = &frame.bytes()[NETWORK..];
        let (protocol, payload) = if packet[0] >> 4 == 6 { open_v6(packet) } else { open_v4(packet) };
        prop_assert!(protocol != 17 || be16(payload, 0) >= 49152);
        prop_assert!(packet.ends_with(&bytes[NETWORK..]));
    }

    #[test]
    fn no_bytes_are_too_strange(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
        version in 0..3_usize, network in 0..40_usize, which in 0..8_usize,
    ) {
        if let Some(byte) = bytes.get_mut(network) {
            *byte = [*byte, 0x45, 0x60][version];
        }
        let mut frame = frame_of(&bytes);
        let tunnel = tunnels().nth(which).unwrap();
        if encapsulate(&mut frame, place(&bytes, network), &tunnel, ENTROPY, 1).is_ok() {
            prop_assert!(frame.len() <= bytes.len() + usize::from(tunnel.overhead()));
        }
    }
}
