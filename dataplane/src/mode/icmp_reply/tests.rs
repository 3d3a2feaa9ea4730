//! Packets in, errors out; checksums by summing whole texts.

use proptest::prelude::*;

use super::*;
use crate::testing::frames::{Build, frame};
use crate::types::Mac;
use crate::xdp::Umem;

const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 1]);
const BOX: Mac = Mac([2, 0, 0, 0, 0, 2]);
const NETWORK: usize = 14;
const TOO_BIG: IcmpError = IcmpError::TooBig { mtu: 1480 };

fn from(v6: bool) -> IpAddr {
    if v6 { "2001:db8::100" } else { "10.0.0.100" }.parse().unwrap()
}

fn packet(v6: bool) -> Build {
    let client = if v6 { "2001:db8::7" } else { "192.0.2.7" };
    frame((CLIENT, client), (BOX, &from(v6).to_string())).tcp(40000, 80, 0x10).payload(&[0x55; 1441])
}

/// The error about `bytes`, with `tag` between MAC addresses and type and padding behind.
fn answered(bytes: &[u8], tag: &[u8], kind: IcmpError) -> Option<Vec<u8>> {
    let v6 = bytes[NETWORK] >> 4 == 6;
    let padded = [&bytes[..12], tag, &bytes[12..], &[0xee; 6]].concat();
    let mut frame = Frame::copied(Umem::new(1).unwrap().take().unwrap(), &padded);
    error(&mut frame, NETWORK + tag.len(), bytes.len() - NETWORK, from(v6), kind)?;
    Some(frame.bytes().to_vec())
}

/// Checks all that errors have in common; gives type, code, the four bytes behind the checksum, and the quote.
fn opened<'o>(v6: bool, out: &'o [u8], tag: &[u8]) -> (u8, u8, [u8; 4], &'o [u8]) {
    let link = [&CLIENT.0[..], &BOX.0, tag, if v6 { &[0x86, 0xdd] } else { &[8, 0] }].concat();
    let (head, packet) = out.split_at(link.len());
    assert_eq!(head, link);
    let message = if v6 {
        let addresses = ["2001:db8::100", "2001:db8::7"].map(|t| t.parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(
            (packet[0], packet[6], packet[7], &packet[8..40]),
            (0x60, 58, 64, addresses.as_flattened())
        );
        let message = &packet[40..];
        assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), message.len());
        assert_eq!(fold(sum(sum(58 + message.len() as u64, &packet[8..40]), message)), 0xffff);
        message
    } else {
        assert_eq!((packet[0], packet[1], packet[8], packet[9]), (0x45, 0xc0, 64, 1));
        assert_eq!(packet[12..20], [10, 0, 0, 100, 192, 0, 2, 7]);
        assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), packet.len());
        assert_eq!((fold(sum(0, &packet[..20])), fold(sum(0, &packet[20..]))), (0xffff, 0xffff));
        &packet[20..]
    };
    (message[0], message[1], message[4..8].try_into().unwrap(), &message[8..])
}

#[test]
fn each_error_has_its_type_and_quotes_what_it_is_about() {
    for (v6, kind, expected, longest) in [
        (false, TOO_BIG, (3, 4, [0, 0, 0x05, 0xc8]), 576 - 28),
        (false, IcmpError::TooBig { mtu: 20 }, (3, 4, [0, 0, 0, 68]), 576 - 28),
        (false, IcmpError::TimeExceeded, (11, 0, [0; 4]), 576 - 28),
        (true, TOO_BIG, (2, 0, [0, 0, 0x05, 0xc8]), 1280 - 48),
        (true, IcmpError::TooBig { mtu: 1279 }, (2, 0, [0, 0, 0x05, 0x00]), 1280 - 48),
        (true, IcmpError::TimeExceeded, (3, 0, [0; 4]), 1280 - 48),
    ] {
        let bytes = packet(v6).build();
        for tag in [&[][..], &[0x81, 0, 0, 7], &[0x88, 0xa8, 0, 9, 0x81, 0, 0x20, 7]] {
            let out = answered(&bytes, tag, kind).unwrap();
            let (kind, code, rest, quote) = opened(v6, &out, tag);
            assert_eq!((kind, code, rest), expected);
            assert_eq!(quote, &bytes[NETWORK..][..longest]);
        }
    }
}

#[test]
fn a_short_packet_is_quoted_whole_without_its_padding() {
    for v6 in [false, true] {
        let bytes = packet(v6).payload(b"x").build();
        let out = answered(&bytes, &[], IcmpError::TimeExceeded).unwrap();
        assert_eq!(opened(v6, &out, &[]).3, &bytes[NETWORK..]);
    }
}

/// RFC 8201 section 4: a sender does not go below 1280, so it is not asked to.
#[test]
fn packets_of_the_least_mtu_are_not_too_big() {
    let longest = |bytes: usize| packet(true).payload(&vec![0; bytes - 60]).build();
    assert_eq!(answered(&longest(1280), &[], TOO_BIG), None);
    assert!(answered(&longest(1280), &[], IcmpError::TimeExceeded).is_some());
    assert!(answered(&longest(1281), &[], IcmpError::TooBig { mtu: 1260 }).is_some());
}

#[test]
fn nothing_is_said_about_errors_fragments_and_groups() {
    let v4 = |source, destination| frame((CLIENT, source), (BOX, destination)).udp(1, 2).build();
    for (what, bytes) in [
        ("an error", packet(false).icmp(3).build()),
        ("another", packet(false).icmp(11).build()),
        ("a message without a type", packet(false).protocol(1).payload(&[]).build()),
        ("a later fragment", packet(false).fragment(0x0001).build()),
        ("a group", v4("192.0.2.7", "239.1.2.3")),
        ("everybody", v4("192.0.2.7", "255.255.255.255")),
        ("from a group", v4("224.0.0.1", "10.0.0.100")),
        ("from nobody", v4("0.0.0.0", "10.0.0.100")),
        ("from itself", v4("127.0.0.1", "10.0.0.100")),
        ("an error of v6", packet(true).icmp(2).build()),
        ("a redirect", packet(true).icmp(137).build()),
        ("an error behind options", packet(true).icmp(1).extensions(0, &[0; 8], 0).build()),
        ("an error in a fragment", packet(true).icmp(1).extensions(44, &[0, 0, 0, 1, 0, 0, 0, 9], 0).build()),
        ("a later fragment of v6", packet(true).extensions(44, &[0, 0, 0, 8, 0, 0, 0, 9], 0).build()),
        ("a group of v6", frame((CLIENT, "fd00::1"), (BOX, "ff02::1")).udp(1, 2).build()),
        ("from a group of v6", frame((CLIENT, "ff02::1"), (BOX, "fd00::1")).udp(1, 2).build()),
        ("from nobody of v6", frame((CLIENT, "::"), (BOX, "fd00::1")).udp(1, 2).build()),
        ("hidden", packet(true).extensions(0, &[0; 8 * 12], 88).build()),
    ] {
        assert_eq!(answered(&bytes, &[], IcmpError::TimeExceeded), None, "{what}");
    }
    let mut broadcast = packet(false).build();
    broadcast[..6].fill(0xff);
    assert_eq!(answered(&broadcast, &[], TOO_BIG), None);
}

#[test]
fn what_is_near_to_those_is_answered() {
    for bytes in [
        packet(false).icmp(8).build(),
        packet(false).fragment(0x2000).build(),
        packet(true).icmp(128).build(),
        packet(true).extensions(0, &[0; 8], 0).build(),
        packet(true).extensions(51, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0).build(),
        packet(true).extensions(44, &[0, 0, 0, 1, 0, 0, 0, 9], 0).build(),
    ] {
        let v6 = bytes[NETWORK] >> 4 == 6;
        let out = answered(&bytes, &[], IcmpError::TimeExceeded).unwrap();
        opened(v6, &out, &[]);
    }
}

#[test]
fn the_box_speaks_for_addresses_of_the_packets_family() {
    for v6 in [false, true] {
        let bytes = packet(v6).build();
        let mut frame = Frame::copied(Umem::new(1).unwrap().take().unwrap(), &bytes);
        assert_eq!(error(&mut frame, NETWORK, bytes.len() - NETWORK, from(!v6), TOO_BIG), None);
    }
}

proptest! {
    #[test]
    fn any_packet_gets_a_whole_checksum(payload in proptest::collection::vec(any::<u8>(), 0..1400), v6: bool) {
        let bytes = packet(v6).payload(&payload).build();
        let out = answered(&bytes, &[], IcmpError::TimeExceeded).unwrap();
        prop_assert!(bytes[NETWORK..].starts_with(opened(v6, &out, &[]).3));
    }

    #[test]
    fn no_bytes_are_too_strange(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
        version in 0..3_usize, network in 0..40_usize, length in 0..250_usize, v6: bool,
    ) {
        if let Some(byte) = bytes.get_mut(network) {
            *byte = [*byte, 0x45, 0x60][version];
        }
        let mut frame = Frame::copied(Umem::new(1).unwrap().take().unwrap(), &bytes);
        if error(&mut frame, network, length, from(v6), TOO_BIG).is_some() {
            prop_assert!(frame.len() <= bytes.len() + 48);
        }
    }
}
