use super::*;
use crate::testing::frames::{Build, frame};
use crate::types::{Mac, Protocol};
use crate::wire::tcp::Flags;
use proptest::prelude::*;

const ROUTER: [&str; 2] = ["198.51.100.1", "2001:db8:ff::1"];
const CLIENT: [&str; 2] = ["192.0.2.7", "2001:db8::7"];
const VIP: [&str; 2] = ["10.0.0.100", "2001:db8:1::100"];
const BACKEND: [&str; 2] = ["10.0.1.11", "2001:db8:2::11"];

fn between(source: &str, destination: &str) -> Build {
    frame((Mac::default(), source), (Mac::default(), destination))
}

fn addresses(source: &str, destination: &str) -> Addresses {
    Addresses::new(source.parse().unwrap(), destination.parse().unwrap()).unwrap()
}

fn tuple(source: (&str, u16), destination: (&str, u16), protocol: Protocol) -> Tuple {
    Tuple {
        addresses: addresses(source.0, destination.0),
        source_port: Port(source.1),
        destination_port: Port(destination.1),
        protocol,
    }
}

/// A flow's packet as it goes to the backend, and as the client sent it.
fn packets(v6: bool, content: impl Fn(Build, u16) -> Build) -> [Vec<u8>; 2] {
    let v6 = usize::from(v6);
    let to_backend = content(between(CLIENT[v6], BACKEND[v6]), 8080);
    let to_vip = content(between(CLIENT[v6], VIP[v6]), 80);
    [to_backend.packet(), to_vip.packet()]
}

/// What makes of an error about the packet to the backend one about the packet to the VIP.
fn back_to_client(v6: bool, protocol: Protocol) -> Change {
    let at = usize::from(v6);
    Change {
        outer: addresses(VIP[at], CLIENT[at]),
        quoted: tuple((CLIENT[at], 40000), (VIP[at], 80), protocol),
        hop: true,
    }
}

/// An error from a router on the way to the backend, and the same as the client shall see it.
fn errors(v6: bool, kind: u8, code: u8, rest: [u8; 4], quotes: [&[u8]; 2]) -> [Vec<u8>; 2] {
    let at = usize::from(v6);
    let from_router = between(ROUTER[at], CLIENT[at]).icmp_error(kind, code, rest, quotes[0]);
    let to_client = between(VIP[at], CLIENT[at]).icmp_error(kind, code, rest, quotes[1]).ttl(63);
    [from_router.packet(), to_client.packet()]
}

fn icmp_of(v6: bool) -> usize {
    if v6 { 40 } else { 20 }
}

fn follows(sentence: &str, v6: bool, protocol: Protocol, [before, after]: [Vec<u8>; 2]) {
    let mut packet = before;
    let quoted = Quoted::new_checked(&packet, icmp_of(v6)).unwrap_or_else(|e| panic!("{sentence}: {e:?}"));
    let at = usize::from(v6);
    assert_eq!(quoted.tuple, tuple((CLIENT[at], 40000), (BACKEND[at], 8080), protocol), "{sentence}");
    assert_eq!(quoted.reversed(), tuple((BACKEND[at], 8080), (CLIENT[at], 40000), protocol), "{sentence}");
    assert_eq!(follow(&mut packet, &quoted, &back_to_client(v6, protocol)), Ok(()), "{sentence}");
    assert_eq!(format!("{packet:02x?}"), format!("{after:02x?}"), "{sentence}");
}

fn tcp(build: Build, port: u16) -> Build {
    build.tcp(40000, port, Flags::ACK)
}

fn udp(build: Build, port: u16) -> Build {
    build.udp(40000, port)
}

const KINDS_V4: [u8; 4] = [3, 4, 11, 12];
const KINDS_V6: [u8; 4] = [1, 2, 3, 4];

#[test]
fn every_kind_of_error_follows_its_flow_whatever_its_code() {
    for (v6, kinds) in [(false, KINDS_V4), (true, KINDS_V6)] {
        let [backend, vip] = packets(v6, tcp);
        for kind in kinds {
            for code in 0..16 {
                let rest = [code, 0, 0x05, 0xdc];
                let errors = errors(v6, kind, code, rest, [&backend, &vip]);
                follows(&format!("type {kind}, code {code}"), v6, Protocol::Tcp, errors);
            }
        }
    }
}

#[test]
fn a_quote_is_rewritten_as_far_as_it_goes() {
    for v6 in [false, true] {
        for (protocol, content) in [(Protocol::Tcp, tcp as fn(Build, u16) -> Build), (Protocol::Udp, udp)] {
            let [backend, vip] = packets(v6, content);
            for length in icmp_of(v6) + 8..=backend.len() {
                let mut quotes = [&backend, &vip].map(|quote| quote[..length].to_vec());
                // Half a checksum stays: what is carried into it is not known.
                if protocol == Protocol::Tcp && length == icmp_of(v6) + 17 {
                    quotes[1][length - 1] = quotes[0][length - 1];
                }
                let errors = errors(v6, 3, 0, [0; 4], [&quotes[0], &quotes[1]]);
                follows(&format!("{protocol}, {length} bytes"), v6, protocol, errors);
            }
        }
    }
}

#[test]
fn a_datagram_without_checksum_is_quoted_without_one() {
    let [backend, vip] = packets(false, |build, port| build.udp_without_checksum(40000, port));
    follows("no checksum", false, Protocol::Udp, errors(false, 3, 3, [0; 4], [&backend, &vip]));
}

#[test]
fn options_extension_headers_and_first_fragments_are_walked_in_the_quote() {
    let options = packets(false, |build, port| tcp(build, port).options(&[7, 7, 4, 0, 0, 0, 0, 0]));
    follows("record route", false, Protocol::Tcp, errors(false, 11, 0, [0; 4], [&options[0], &options[1]]));
    let part = packets(false, |build, port| udp(build, port).fragment(0x2000));
    follows("first fragment", false, Protocol::Udp, errors(false, 11, 1, [0; 4], [&part[0], &part[1]]));
    let chain = [60, 0, 1, 4, 0, 0, 0, 0, 44, 0, 1, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9];
    let part = packets(true, |build, port| tcp(build, port).extensions(0, &chain, 16));
    follows("chain", true, Protocol::Tcp, errors(true, 3, 1, [0; 4], [&part[0], &part[1]]));
}

#[test]
fn extensions_behind_the_quote_stay_as_they_are() {
    // RFC 4884: version 2; an object of RFC 4950 (an MPLS label stack entry).
    let extensions = [0x20, 0, 0, 0, 0, 8, 1, 1, 0, 1, 0x21, 0xff];
    for (v6, kind, rest) in [(false, 11, [0, 32, 0, 0]), (true, 3, [16, 0, 0, 0])] {
        let quotes = packets(v6, udp).map(|mut quote| {
            quote.resize(128, 0);
            quote.extend(extensions);
            quote
        });
        let errors = errors(v6, kind, 0, rest, [&quotes[0], &quotes[1]]);
        let quoted = Quoted::new_checked(&errors[0], icmp_of(v6)).unwrap();
        assert_eq!(quoted.end - quoted.quote_end, extensions.len());
        follows("extensions", v6, Protocol::Udp, errors);
    }
}

#[test]
fn padding_of_the_frame_is_no_part_of_the_error() {
    for v6 in [false, true] {
        let [backend, vip] = packets(v6, udp);
        let errors = errors(v6, 3, 0, [0; 4], [&backend, &vip]).map(|mut packet| {
            packet.extend([0xaa; 9]);
            packet
        });
        follows("padded", v6, Protocol::Udp, errors);
    }
}

#[test]
fn a_damaged_error_is_refused() {
    for v6 in [false, true] {
        let [backend, vip] = packets(v6, tcp);
        let [packet, _] = errors(v6, 3, 0, [0; 4], [&backend, &vip]);
        // From the ICMP header on; in IPv6, the addresses are summed, too.
        for at in (icmp_of(v6)..packet.len()).chain((8..40).filter(|_| v6)) {
            let mut packet = packet.clone();
            packet[at] ^= 0x40;
            assert_eq!(Quoted::new_checked(&packet, icmp_of(v6)), Err(Refusal::BadChecksum), "byte {at}");
        }
    }
}

#[test]
fn damage_of_the_quoted_packet_stays() {
    for v6 in [false, true] {
        let quotes = packets(v6, tcp).map(|mut quote| {
            let last = quote.len() - 1;
            quote[last] ^= 0x40;
            quote
        });
        follows("damaged", v6, Protocol::Tcp, errors(v6, 3, 0, [0; 4], [&quotes[0], &quotes[1]]));
    }
}

#[test]
fn what_quotes_no_packet_of_a_flow_is_refused_by_name() {
    use WireError::{Malformed, Truncated};
    let refusal = |v6, kind, quote: &[u8]| {
        let [packet, _] = errors(v6, kind, 0, [0; 4], [quote, quote]);
        Quoted::new_checked(&packet, icmp_of(v6)).unwrap_err()
    };
    let [v4, _] = packets(false, tcp);
    let [v6, _] = packets(true, tcp);
    for kind in [0, 5, 8, 9, 13, 42] {
        assert_eq!(refusal(false, kind, &v4), Refusal::NotCarried, "type {kind}");
    }
    for kind in [0, 5, 100, 127, 128, 135, 137] {
        assert_eq!(refusal(true, kind, &v6), Refusal::NotCarried, "ICMPv6 type {kind}");
    }
    for (is_v6, kind, quote) in [(false, 3, &v4), (true, 1, &v6)] {
        for length in 0..icmp_of(is_v6) + 8 {
            assert_eq!(refusal(is_v6, kind, &quote[..length]), Refusal::Broken(Truncated), "{length} bytes");
        }
    }
    let later = packets(false, |build, port| tcp(build, port).fragment(0x2001));
    assert_eq!(refusal(false, 3, &later[0]), Refusal::NoPorts);
    let later = packets(true, |build, port| tcp(build, port).extensions(44, &[0, 0, 0, 9, 0, 0, 0, 1], 0));
    assert_eq!(refusal(true, 1, &later[0]), Refusal::NoPorts);
    let ping = packets(false, |build, _| build.icmp(8));
    assert_eq!(refusal(false, 3, &ping[0]), Refusal::UnknownProtocol);
    let endless = packets(true, |build, port| tcp(build, port).extensions(0, &[0; 160], 152));
    assert_eq!(refusal(true, 1, &endless[0]), Refusal::ExtensionHeaders);
    assert_eq!(refusal(false, 3, &v6), Refusal::Broken(Malformed), "another family");
    assert_eq!(refusal(true, 1, &v4), Refusal::Broken(Malformed), "another family");
}

#[test]
fn a_refused_error_is_unchanged() {
    for v6 in [false, true] {
        let at = usize::from(v6);
        let [backend, _] = packets(v6, tcp);
        let error = between(ROUTER[at], CLIENT[at]).icmp_error(3, 0, [0; 4], &backend).ttl(1).packet();
        let quoted = Quoted::new_checked(&error, icmp_of(v6)).unwrap();
        let change = back_to_client(v6, Protocol::Tcp);
        let other = back_to_client(!v6, Protocol::Tcp);
        for (change, refusal) in [
            (change, Refusal::TtlExceeded),
            (Change { outer: other.outer, ..change }, Refusal::WrongFamily),
            (Change { quoted: other.quoted, ..change }, Refusal::WrongFamily),
        ] {
            let mut packet = error.clone();
            assert_eq!(follow(&mut packet, &quoted, &change), Err(refusal));
            assert_eq!(packet, error);
        }
        // Where the box is no hop, the packet's time is none of its business.
        let mut packet = error.clone();
        assert_eq!(follow(&mut packet, &quoted, &Change { hop: false, ..change }), Ok(()));
        assert_eq!(packet[if v6 { 7 } else { 8 }], 1);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), icmp in 0_usize..80) {
        if let Ok(quoted) = Quoted::new_checked(&bytes, icmp) {
            let v6 = matches!(quoted.outer, Addresses::V6 { .. });
            let _ = follow(&mut bytes, &quoted, &back_to_client(v6, quoted.tuple.protocol));
        }
    }

    #[test]
    fn nor_do_quotes_with_wrong_bytes(
        v6: bool, wrong in proptest::collection::vec((0_usize..80, any::<u8>()), 0..4), cut in 0_usize..100,
    ) {
        let [mut quote, _] = packets(v6, tcp);
        for (at, byte) in wrong {
            if let Some(place) = quote.get_mut(at) {
                *place = byte;
            }
        }
        quote.truncate(cut);
        let [mut packet, _] = errors(v6, 3, 0, [0; 4], [&quote, &quote]);
        if let Ok(quoted) = Quoted::new_checked(&packet, icmp_of(v6)) {
            let v6 = matches!(quoted.outer, Addresses::V6 { .. });
            let _ = follow(&mut packet, &quoted, &back_to_client(v6, quoted.tuple.protocol));
        }
    }
}
