//! Segments in, resets out; checksums by summing whole texts.

use proptest::prelude::*;

use super::*;
use crate::testing::frames::{Build, frame};
use crate::types::Mac;
use crate::xdp::Umem;

const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 1]);
const BOX: Mac = Mac([2, 0, 0, 0, 0, 2]);
const NETWORK: usize = 14;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
const FIN: u8 = 0x01;

fn segment(v6: bool, flags: u8) -> Build {
    let (client, vip) = if v6 { ("2001:db8::7", "2001:db8::100") } else { ("192.0.2.7", "10.0.0.100") };
    frame((CLIENT, client), (BOX, vip)).tcp(40000, 80, flags)
}

/// The answer to `bytes`, with `tag` between MAC addresses and type and padding behind.
fn answered(bytes: &[u8], tag: &[u8], headers: usize) -> Option<Vec<u8>> {
    let padded = [&bytes[..12], tag, &bytes[12..], &[0xee; 6]].concat();
    let mut frame = Frame::copied(Umem::new(1).unwrap().take().unwrap(), &padded);
    let network = NETWORK + tag.len();
    reset(&mut frame, network, network + headers, bytes.len() - NETWORK)?;
    Some(frame.bytes().to_vec())
}

/// Checks all of a reset but its sequence; gives sequence, acknowledgment and flags.
fn opened(v6: bool, out: &[u8], tag: &[u8]) -> ([u8; 4], [u8; 4], u8) {
    let link = [&CLIENT.0[..], &BOX.0, tag, if v6 { &[0x86, 0xdd] } else { &[8, 0] }].concat();
    let (head, packet) = out.split_at(link.len());
    assert_eq!(head, link);
    let expected = segment(v6, 0).build();
    let (header, addresses, length) = if v6 { (40, 8..24, 16) } else { (20, 12..16, 4) };
    let from = |start: usize| expected[NETWORK..][start..start + length].to_vec();
    assert_eq!(
        packet[addresses.start..][..2 * length],
        [from(addresses.end), from(addresses.start)].concat()
    );
    assert_eq!(packet.len(), header + 20, "no payload");
    if !v6 {
        assert_eq!((packet[0], packet[2..4].to_vec()), (0x45, vec![0, 40]));
        assert_eq!(fold(sum(0, &packet[..20])), 0xffff);
    }
    let tcp = &packet[header..];
    let pseudo = sum(6 + 20, &packet[addresses.start..][..2 * length]);
    assert_eq!(fold(sum(pseudo, tcp)), 0xffff);
    assert_eq!((&tcp[..4], tcp[12]), (&[0, 80, 0x9c, 0x40][..], 0x50));
    (tcp[4..8].try_into().unwrap(), tcp[8..12].try_into().unwrap(), tcp[13])
}

/// The built segments have sequence number 1 and acknowledge 2.
#[test]
fn sequence_and_acknowledgment_follow_the_segment() {
    for v6 in [false, true] {
        for (flags, payload, expected) in [
            (SYN, &b""[..], ([0; 4], [0, 0, 0, 2], 0x14)),
            (SYN, b"early", ([0; 4], [0, 0, 0, 7], 0x14)),
            (0, b"data", ([0; 4], [0, 0, 0, 5], 0x14)),
            (FIN, b"", ([0; 4], [0, 0, 0, 2], 0x14)),
            (ACK, b"data", ([0, 0, 0, 2], [0; 4], 0x04)),
            (ACK | FIN, b"", ([0, 0, 0, 2], [0; 4], 0x04)),
            (ACK | SYN, b"", ([0, 0, 0, 2], [0; 4], 0x04)),
        ] {
            let bytes = segment(v6, flags).payload(payload).build();
            for tag in [&[][..], &[0x81, 0, 0, 7]] {
                let out = answered(&bytes, tag, if v6 { 40 } else { 20 }).unwrap();
                assert_eq!(opened(v6, &out, tag), expected, "{flags:#x} {payload:?}");
            }
        }
    }
}

#[test]
fn sequence_numbers_wrap_around() {
    let mut bytes = segment(false, SYN).build();
    bytes[38..42].fill(0xff);
    let (_, acknowledgment, _) = opened(false, &answered(&bytes, &[], 20).unwrap(), &[]);
    assert_eq!(u32::from_be_bytes(acknowledgment), 8, "the SYN and eight bytes, from -1 on");
}

#[test]
fn options_and_extension_headers_are_not_sent_back() {
    let bytes = segment(false, SYN).options(&[1; 8]).build();
    opened(false, &answered(&bytes, &[], 28).unwrap(), &[]);
    let bytes = segment(true, SYN).extensions(0, &[0, 0, 1, 4, 0, 0, 0, 0], 0).build();
    opened(true, &answered(&bytes, &[], 48).unwrap(), &[]);
}

#[test]
fn resets_groups_and_nobody_are_not_answered() {
    for v6 in [false, true] {
        let headers = if v6 { 40 } else { 20 };
        assert_eq!(answered(&segment(v6, 0x04).build(), &[], headers), None);
        assert_eq!(answered(&segment(v6, 0x14).build(), &[], headers), None);
        let mut group = segment(v6, SYN).build();
        group[0] |= 1;
        assert_eq!(answered(&group, &[], headers), None);
    }
    for (client, vip) in
        [("0.0.0.0", "10.0.0.1"), ("192.0.2.7", "224.0.0.1"), ("::", "fd00::1"), ("fd00::1", "ff02::1")]
    {
        let bytes = frame((CLIENT, client), (BOX, vip)).tcp(1, 2, SYN).build();
        assert_eq!(answered(&bytes, &[], if client.contains(':') { 40 } else { 20 }), None, "{client} {vip}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
        version in 0..3_usize, network in 0..40_usize, transport in 0..100_usize, length in 0..250_usize,
    ) {
        if let Some(byte) = bytes.get_mut(network) {
            *byte = [*byte, 0x45, 0x60][version];
        }
        let mut frame = Frame::copied(Umem::new(1).unwrap().take().unwrap(), &bytes);
        if reset(&mut frame, network, transport, length).is_some() {
            prop_assert!(frame.len() <= bytes.len());
        }
    }
}
