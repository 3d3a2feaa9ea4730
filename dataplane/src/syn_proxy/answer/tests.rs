//! SYNs in, SYN-ACKs out, compared with frames built field by field.

use proptest::prelude::*;

use super::super::cookie;
use super::super::options::{Agreed, Scales, WindowScale};
use super::super::promise::Promise;
use super::super::testing::{CLIENT_PORT, SERVICE_PORT, chunk, ends, place, tuple};
use super::*;
use crate::testing::frames::{Build, frame};
use crate::types::Mac;
use crate::wire::tcp_options::Mss;

const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 1]);
const BOX: Mac = Mac([2, 0, 0, 0, 0, 2]);
const SYN: u8 = Flags::SYN;
const NOW: Tick = Tick(0x0123_4567);
const ISN: u32 = u32::MAX;

fn syn(v6: bool) -> Build {
    let (client, service) = ends(v6);
    let build = frame((CLIENT, client), (BOX, service)).tcp(CLIENT_PORT, SERVICE_PORT, SYN);
    build.numbers(ISN, 0).payload(&[])
}

/// What the box sends.
fn syn_ack(v6: bool, cookie: u32) -> Build {
    let (client, service) = ends(v6);
    let build = frame((BOX, service), (CLIENT, client)).tcp(SERVICE_PORT, CLIENT_PORT, SYN | Flags::ACK);
    build.numbers(cookie, ISN.wrapping_add(1)).window(0).payload(&[]).identification(0)
}

fn secret() -> Secret {
    Secret::new(3, 4)
}

fn answered(bytes: &[u8], place: &Place, offer: &Offer) -> Result<Vec<u8>, Reason> {
    let mut frame = Frame::copied(chunk(), bytes);
    answer(&mut frame, place, &secret(), offer, NOW)?;
    Ok(frame.bytes().to_vec())
}

fn offer(v6: bool) -> Offer {
    Promise::default().offer(v6)
}

/// The numbers that the box chooses for the client's SYN.
fn issued(v6: bool, agreed: Option<Agreed>, mss: u16) -> (u32, u32) {
    let tuple = tuple(v6);
    let issued = secret().issue(&Claim { tuple: &tuple, isn: Sequence(ISN), agreed }, Some(Mss(mss)), NOW);
    (issued.cookie.0, issued.timestamp | agreed.map_or(0, Agreed::encode))
}

const STAMPS: [u8; 10] = [8, 10, 1, 2, 3, 4, 0, 0, 0, 0];

fn echoed(timestamp: u32) -> Vec<u8> {
    [&[8, 10][..], &timestamp.to_be_bytes(), &[1, 2, 3, 4]].concat()
}

#[test]
fn a_client_with_all_options_gets_all() {
    let scales = Scales { client: WindowScale::new(9), promised: WindowScale::new(7) };
    for (v6, mss) in [(false, [5, 0xb4]), (true, [5, 0xa0])] {
        let options = [&[2, 4, 5, 0xb4, 4, 2][..], &STAMPS, &[1, 3, 3, 9]].concat();
        let bytes = syn(v6).tcp_options(&options).build();
        let (cookie, timestamp) = issued(v6, Some(Agreed { scales: Some(scales), sack: true }), 1460);
        let expected = [&[2, 4, mss[0], mss[1], 4, 2], &echoed(timestamp)[..], &[1, 3, 3, 7]].concat();
        let out = answered(&bytes, &place(v6, &bytes, false), &offer(v6));
        assert_eq!(out, Ok(syn_ack(v6, cookie).tcp_options(&expected).build()));
        assert_eq!(cookie::mss(Sequence(cookie)), Mss(1460));
    }
}

#[test]
fn a_client_with_a_part_of_them_gets_that_part() {
    let client = WindowScale::new(0);
    let scales = Scales { client, promised: WindowScale::new(7) };
    for (options, agreed, expected) in [
        (STAMPS.to_vec(), Agreed { scales: None, sack: false }, (vec![1, 1], vec![])),
        ([&[4, 2][..], &STAMPS].concat(), Agreed { scales: None, sack: true }, (vec![4, 2], vec![])),
        (
            [&STAMPS[..], &[3, 3, 0]].concat(),
            Agreed { scales: Some(scales), sack: false },
            (vec![1, 1], vec![1, 3, 3, 7]),
        ),
    ] {
        let mut options = [&[2, 4, 5, 0xb4][..], &options].concat();
        options.resize(options.len().next_multiple_of(4), 0);
        let bytes = syn(false).tcp_options(&options).build();
        let (cookie, timestamp) = issued(false, Some(agreed), 1460);
        let expected = [&[2, 4, 5, 0xb4][..], &expected.0, &echoed(timestamp), &expected.1].concat();
        let out = answered(&bytes, &place(false, &bytes, false), &offer(false));
        assert_eq!(out, Ok(syn_ack(false, cookie).tcp_options(&expected).build()), "{options:?}");
    }
}

#[test]
fn without_timestamps_on_both_sides_there_is_a_segment_size_and_nothing_else() {
    let all = [&[2, 4, 5, 0x50, 4, 2][..], &STAMPS, &[1, 3, 3, 9]].concat();
    let windows = [2, 4, 5, 0x50, 1, 3, 3, 8, 1, 1, 4, 2];
    for (options, timestamps) in [(&all[..], false), (&windows, true), (&windows, false)] {
        for v6 in [false, true] {
            let offer = Offer { timestamps, ..offer(v6) }.at_most(Mss(1300));
            let bytes = syn(v6).tcp_options(options).build();
            let (cookie, _) = issued(v6, None, 1360);
            let out = answered(&bytes, &place(v6, &bytes, false), &offer);
            assert_eq!(out, Ok(syn_ack(v6, cookie).tcp_options(&[2, 4, 5, 0x14]).build()));
        }
    }
}

#[test]
fn tags_stay_and_data_padding_options_and_extension_headers_go() {
    let expected = [2, 4, 5, 0xb4];
    let (cookie, _) = issued(false, None, 536);
    for tags in [&[][..], &[(0x8100, 7)], &[(0x88a8, 7), (0x8100, 0x2008)]] {
        let answer = syn_ack(false, cookie).tags(tags).tcp_options(&expected).build();
        let more = 4 * tags.len();
        for build in [
            syn(false),
            syn(false).payload(b"fast open").traffic_class(0x2e).ttl(3),
            syn(false).payload(&[7; 1400]),
            syn(false).options(&[1; 8]),
        ] {
            let mut bytes = build.tags(tags).build();
            let header = if bytes[14 + more] == 0x47 { 28 } else { 20 };
            let base = place(false, &bytes, false);
            let place = Place { network: 14 + more, transport: 14 + more + header, ..base };
            bytes.extend([0xee; 6]);
            assert_eq!(answered(&bytes, &place, &offer(false)), Ok(answer.clone()), "{tags:?}");
        }
    }
    let bytes = syn(true).extensions(0, &[0, 0, 1, 4, 0, 0, 0, 0], 0).flow_label(9).build();
    let place = Place { transport: 62, ..place(true, &bytes, false) };
    let (cookie, _) = issued(true, None, 1220);
    let answer = syn_ack(true, cookie).tcp_options(&[2, 4, 5, 0xa0]).build();
    assert_eq!(answered(&bytes, &place, &offer(true)), Ok(answer));
}

#[test]
fn what_is_no_whole_syn_of_a_host_is_not_answered() {
    let refused = |bytes: &[u8], place: Place| answered(bytes, &place, &offer(false)).unwrap_err();
    for flags in [Flags::ACK, SYN | Flags::ACK, SYN | Flags::FIN, SYN | Flags::RST, 0] {
        let bytes = syn(false).tcp(1, 2, flags).build();
        assert_eq!(refused(&bytes, place(false, &bytes, false)), Reason::OutOfPlace);
    }
    let mut bytes = syn(false).build();
    let at = place(false, &bytes, false);
    assert_eq!(refused(&bytes[..50], at), Reason::Broken);
    bytes[40] ^= 1;
    assert_eq!(refused(&bytes, at), Reason::BadChecksum);
    let mut bytes = syn(false).build();
    bytes[0] |= 1;
    assert_eq!(refused(&bytes, at), Reason::NoHost, "a frame to many");
    let bytes = syn(false).source("0.0.0.0").build();
    let mut nobody = at;
    nobody.tuple.addresses = crate::flow::Addresses::V4 {
        source: std::net::Ipv4Addr::UNSPECIFIED,
        destination: std::net::Ipv4Addr::new(10, 0, 0, 100),
    };
    assert_eq!(refused(&bytes, nobody), Reason::NoHost, "a packet of nobody");
}

proptest! {
    #[test]
    fn no_frame_is_too_strange(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        network in 0..60_usize, transport in 0..100_usize, end in 0..250_usize, v6: bool,
    ) {
        let place = Place { tuple: tuple(v6), network, transport, end };
        let _ = answered(&bytes, &place, &offer(v6));
    }

    /// With right checksums, so that all options are read.
    #[test]
    fn no_options_are_too_strange(words in proptest::collection::vec(any::<[u8; 4]>(), 0..=10), v6: bool) {
        let bytes = syn(v6).tcp_options(&words.concat()).build();
        let at = place(v6, &bytes, false);
        let out = answered(&bytes, &at, &offer(v6)).unwrap();
        let back = place(v6, &out, true);
        prop_assert!(back.segment(&out).is_ok());
    }
}
