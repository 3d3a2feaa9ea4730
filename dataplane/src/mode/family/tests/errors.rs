//! ICMP errors across the families.

use super::*;
use crate::mode::icmp_error::Quoted;

const ROUTER4: &str = "198.51.100.1";
const ROUTER6: &str = "2001:db8:ff::1";

/// RFC 4884, with an object of RFC 4950 (an MPLS label stack entry).
const EXTENSIONS: [u8; 12] = [0x20, 0, 0, 0, 0, 8, 1, 1, 0, 1, 0x21, 0xff];

/// An error from a router on this side.
fn from_router(v6: bool, kind: u8, code: u8, rest: [u8; 4], quote: &[u8]) -> Build {
    let (router, vip) = if v6 { (ROUTER6, CLIENT6) } else { (ROUTER4, CLIENT4) };
    between(router, vip).icmp_error(kind, code, rest, quote)
}

/// The same as the other side shall see it.
fn from_vip(v6: bool, kind: u8, code: u8, rest: [u8; 4], quote: &[u8]) -> Vec<u8> {
    let (vip, client) = if v6 { (VIP6, CLIENT6) } else { (VIP4, CLIENT4) };
    let error = between(vip, client).icmp_error(kind, code, rest, quote).ttl(63);
    short(error).packet()
}

fn change(v6: bool, protocol: Protocol) -> Change {
    let (vip, client) = if v6 { (VIP6, CLIENT6) } else { (VIP4, CLIENT4) };
    Change {
        outer: Addresses::new(vip.parse().unwrap(), client.parse().unwrap()).unwrap(),
        quoted: tuple(v6, protocol),
        hop: true,
    }
}

fn error_of(packet: &[u8], protocol: Protocol) -> Result<Vec<u8>, Refusal> {
    let v6 = packet.first().is_some_and(|first| first >> 4 == 6);
    let quoted = Quoted::new_checked(packet, if v6 { 40 } else { 20 })?;
    let mut out = [0xee; MAX_ERROR];
    let length = translate_error(packet, &quoted, &change(!v6, protocol), MTUS, ID, &mut out)?;
    Ok(out[..length].to_vec())
}

#[track_caller]
fn translates(before: &Build, protocol: Protocol, after: &[u8]) {
    let out = error_of(&before.packet(), protocol);
    assert_eq!(out.map(|out| format!("{out:02x?}")), Ok(format!("{after:02x?}")));
}

/// The quoted packet on both sides; as IPv4 it is as the translator made it of IPv6.
fn quotes(content: fn(Build) -> Build) -> (Vec<u8>, Vec<u8>) {
    (content(v4()).identification(0).fragment(0).packet(), content(v6()).packet())
}

#[test]
fn each_kind_has_its_counterpart_around_a_translated_quote() {
    for (protocol, content) in [true, false].map(content) {
        let (in_v4, in_v6) = quotes(content);
        for (kind, code, rest, kind6, code6, rest6) in [
            (3, 1, [0; 4], 1, 0, [0; 4]),
            (3, 2, [0; 4], 4, 1, [0, 0, 0, 6]),
            (3, 3, [0; 4], 1, 4, [0; 4]),
            (3, 4, [0, 0, 0x05, 0x50], 2, 0, [0, 0, 0x05, 0x64]),
            (3, 13, [0; 4], 1, 1, [0; 4]),
            (11, 0, [0; 4], 3, 0, [0; 4]),
            (11, 1, [0; 4], 3, 1, [0; 4]),
            (12, 0, [8, 0, 0, 0], 4, 0, [0, 0, 0, 7]),
        ] {
            let before = from_router(false, kind, code, rest, &in_v4);
            translates(&before, protocol, &from_vip(true, kind6, code6, rest6, &in_v6));
        }
        for (kind6, code6, rest6, kind, code, rest) in [
            (1, 0, [0; 4], 3, 1, [0; 4]),
            (1, 1, [0; 4], 3, 10, [0; 4]),
            (1, 4, [0; 4], 3, 3, [0; 4]),
            (2, 0, [0, 0, 0x05, 0x64], 3, 4, [0, 0, 0x05, 0x50]),
            (3, 0, [0; 4], 11, 0, [0; 4]),
            (4, 0, [0, 0, 0, 6], 12, 0, [9, 0, 0, 0]),
            (4, 1, [0, 0, 0, 6], 3, 2, [0; 4]),
        ] {
            let before = from_router(true, kind6, code6, rest6, &in_v6);
            translates(&before, protocol, &from_vip(false, kind, code, rest, &in_v4));
        }
    }
}

#[test]
fn a_quote_may_be_cut_behind_its_ports() {
    for (protocol, content) in [true, false].map(content) {
        let (in_v4, in_v6) = quotes(content);
        let whole = in_v4.len() - 20;
        // Half a checksum stays as it is.
        for length in (8..=whole).filter(|length| (protocol, *length) != (Protocol::Tcp, 17)) {
            let before = from_router(false, 11, 0, [0; 4], &in_v4[..20 + length]);
            translates(&before, protocol, &from_vip(true, 3, 0, [0; 4], &in_v6[..40 + length]));
            let before = from_router(true, 3, 0, [0; 4], &in_v6[..40 + length]);
            translates(&before, protocol, &from_vip(false, 11, 0, [0; 4], &in_v4[..20 + length]));
        }
    }
}

#[test]
fn a_quoted_first_fragment_keeps_its_place() {
    let in_v4 = udp(v4()).identification(0xbeef).fragment(0x2000).packet();
    let in_v6 = udp(v6()).extensions(44, &[0, 0, 0, 1, 0, 0, 0xbe, 0xef], 0).packet();
    let before = from_router(false, 11, 1, [0; 4], &in_v4);
    translates(&before, Protocol::Udp, &from_vip(true, 3, 1, [0; 4], &in_v6));
    let before = from_router(true, 2, 0, [0, 0, 0x05, 0x64], &in_v6);
    translates(&before, Protocol::Udp, &from_vip(false, 3, 4, [0, 0, 0x05, 0x48], &in_v4));
}

#[test]
fn options_of_the_quoted_packet_go() {
    let (_, in_v6) = quotes(tcp);
    let in_v4 = tcp(v4()).options(&[7, 7, 4, 0, 0, 0, 0, 0]).packet();
    let before = from_router(false, 11, 0, [0; 4], &in_v4).options(&[148, 4, 0, 0]);
    let packet = before.packet();
    let quoted = Quoted::new_checked(&packet, 24).unwrap();
    let mut out = [0; MAX_ERROR];
    let change = change(true, Protocol::Tcp);
    let length = translate_error(&packet, &quoted, &change, MTUS, ID, &mut out).unwrap();
    assert_eq!(out[..length], from_vip(true, 3, 0, [0; 4], &in_v6));
}

#[test]
fn a_long_quote_is_cut_to_what_an_error_may_have() {
    let content = |build| udp(build).payload(&[7; 1400]);
    let (in_v4, in_v6) = (content(v4()).identification(0).packet(), content(v6()).packet());
    let before = from_router(false, 11, 0, [0; 4], &in_v4);
    translates(&before, Protocol::Udp, &from_vip(true, 3, 0, [0; 4], &in_v6[..1280 - 48]));
    let before = from_router(true, 3, 0, [0; 4], &in_v6[..1280 - 48]);
    translates(&before, Protocol::Udp, &from_vip(false, 11, 0, [0; 4], &in_v4[..576 - 28]));
}

/// A quote of `length` bytes and what follows it.
fn extended(quote: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = quote.to_vec();
    bytes.resize(length, 0);
    bytes.extend(EXTENSIONS);
    bytes
}

#[test]
fn extensions_keep_their_place_behind_the_quote() {
    let (in_v4, in_v6) = quotes(udp);
    // The shortest quote: padded on both sides.
    let before = from_router(false, 11, 0, [0, 32, 0, 0], &extended(&in_v4, 128));
    translates(&before, Protocol::Udp, &from_vip(true, 3, 0, [18, 0, 0, 0], &extended(&in_v6, 144)));
    let before = from_router(true, 3, 0, [16, 0, 0, 0], &extended(&in_v6, 128));
    translates(&before, Protocol::Udp, &from_vip(false, 11, 0, [0, 32, 0, 0], &extended(&in_v4, 128)));
    // A longer one: 20 bytes more or less, in whole words.
    let content = |build| udp(build).payload(&[7; 300]);
    let (in_v4, in_v6) = (content(short(v4()).identification(0)).packet(), content(v6()).packet());
    let before = from_router(false, 3, 1, [0, 50, 0, 0], &extended(&in_v4[..200], 200));
    translates(&before, Protocol::Udp, &from_vip(true, 1, 0, [27, 0, 0, 0], &extended(&in_v6[..216], 216)));
    let before = from_router(true, 1, 0, [25, 0, 0, 0], &extended(&in_v6[..200], 200));
    translates(&before, Protocol::Udp, &from_vip(false, 3, 1, [0, 45, 0, 0], &extended(&in_v4[..180], 180)));
}

#[test]
fn extensions_shorten_the_quote_where_room_is_short() {
    let content = |build| udp(build).payload(&[7; 1400]);
    let (in_v4, in_v6) = (content(v4()).identification(0).packet(), content(v6()).packet());
    let before = from_router(true, 3, 0, [150, 0, 0, 0], &extended(&in_v6[..1200], 1200));
    let after = from_vip(false, 11, 0, [0, 134, 0, 0], &extended(&in_v4[..536], 536));
    assert_eq!(after.len(), 576);
    translates(&before, Protocol::Udp, &after);
}

#[test]
fn a_type_that_has_no_extensions_loses_them() {
    let (in_v4, in_v6) = quotes(udp);
    let before = from_router(false, 3, 4, [0, 32, 0x05, 0x50], &extended(&in_v4, 128));
    let mut padded = in_v6;
    padded.resize(148, 0);
    translates(&before, Protocol::Udp, &from_vip(true, 2, 0, [0, 0, 0x05, 0x64], &padded));
    // More than fits behind the shortest quote.
    let (in_v4, in_v6) = quotes(udp);
    let mut long = extended(&in_v6, 128);
    long.resize(128 + 421, 0xee);
    let mut padded = in_v4;
    padded.resize(108, 0);
    let before = from_router(true, 3, 0, [16, 0, 0, 0], &long);
    translates(&before, Protocol::Udp, &from_vip(false, 11, 0, [0; 4], &padded));
}

#[test]
fn errors_without_counterpart_are_refused_by_name() {
    let (in_v4, in_v6) = quotes(udp);
    let refusal = |before: Build| error_of(&before.packet(), Protocol::Udp).unwrap_err();
    for (kind, code, rest) in [(3, 14, [0; 4]), (4, 0, [0; 4]), (12, 1, [0; 4]), (12, 0, [4, 0, 0, 0])] {
        assert_eq!(refusal(from_router(false, kind, code, rest, &in_v4)), Refusal::NotCarried);
    }
    for (kind, code, rest) in [(1, 5, [0; 4]), (4, 2, [0; 4]), (4, 0, [0, 0, 0, 40])] {
        assert_eq!(refusal(from_router(true, kind, code, rest, &in_v6)), Refusal::NotCarried);
    }
    for (v6, kind, quote) in [(false, 11, &in_v4), (true, 3, &in_v6)] {
        assert_eq!(refusal(from_router(v6, kind, 0, [0; 4], quote).ttl(1)), Refusal::TtlExceeded);
        let mut damaged = from_router(v6, kind, 0, [0; 4], quote).packet();
        *damaged.last_mut().unwrap() ^= 1;
        assert_eq!(error_of(&damaged, Protocol::Udp), Err(Refusal::BadChecksum));
        let packet = from_router(v6, kind, 0, [0; 4], quote).packet();
        let quoted = Quoted::new_checked(&packet, if v6 { 40 } else { 20 }).unwrap();
        let same = change(v6, Protocol::Udp);
        let mixed = Change { quoted: change(!v6, Protocol::Udp).quoted, ..same };
        for change in [same, mixed] {
            let done = translate_error(&packet, &quoted, &change, MTUS, ID, &mut [0; MAX_ERROR]);
            assert_eq!(done, Err(Refusal::WrongFamily));
        }
    }
}

proptest! {
    #[test]
    fn what_is_made_of_arbitrary_quotes_is_whole(
        is_v6: bool, is_tcp: bool, wrong in proptest::collection::vec((4_usize..80, any::<u8>()), 0..4),
        length in 28_usize..1400, field: u8, behind in proptest::collection::vec(any::<u8>(), 0..300), kind in 1_u8..13,
    ) {
        let build = if is_v6 { v6() } else { v4() };
        let (protocol, content) = content(is_tcp);
        let mut quote = content(build).packet();
        for (at, byte) in wrong {
            if let Some(place) = quote.get_mut(at) {
                *place = byte;
            }
        }
        quote.resize(length, 0x55);
        quote.extend(behind);
        let rest = if is_v6 { [field, 0, 0, 0] } else { [0, field, 0, 0] };
        let before = from_router(is_v6, kind, 0, rest, &quote).packet();
        let protocol = Quoted::new_checked(&before, if is_v6 { 40 } else { 20 })
            .map_or(protocol, |quoted| quoted.tuple.protocol);
        if let Ok(after) = error_of(&before, protocol) {
            let longest = if is_v6 { 576 } else { 1280 };
            prop_assert!(after.len() <= longest);
            let icmp = if is_v6 { 20 } else { 40 };
            let quoted = Quoted::new_checked(&after, icmp);
            prop_assert_eq!(quoted.map(|quoted| quoted.tuple), Ok(tuple(!is_v6, protocol)));
            // Its checksum is looked at on the way back.
            let back = error_of(&after, protocol);
            prop_assert!(!matches!(back, Err(Refusal::BadChecksum | Refusal::Broken(_))), "{:?}", back);
        }
    }
}
