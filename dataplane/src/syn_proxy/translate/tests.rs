//! Segments in, segments out, compared with frames that are built with the other numbers.

use proptest::prelude::*;

use super::super::testing::{CLIENT_PORT, SERVICE_PORT, ends};
use super::*;
use crate::testing::frames::{Build, frame};
use crate::types::Mac;

const ACK: u8 = Flags::ACK;
const SYN: u8 = Flags::SYN;
const RST: u8 = Flags::RST;

/// A segment, by what the translation is about.
#[derive(Debug, Clone)]
struct Looks {
    flags: u8,
    numbers: (u32, u32),
    window: u16,
    options: Vec<u8>,
}

impl Looks {
    fn segment(&self, v6: bool, back: bool) -> Vec<u8> {
        let ((client, service), mac) = (ends(v6), Mac::default());
        let (build, from, to): (Build, _, _) = if back {
            (frame((mac, service), (mac, client)), SERVICE_PORT, CLIENT_PORT)
        } else {
            (frame((mac, client), (mac, service)), CLIENT_PORT, SERVICE_PORT)
        };
        let build = build.tcp(from, to, self.flags).numbers(self.numbers.0, self.numbers.1);
        let packet = build.window(self.window).tcp_options(&self.options).payload(b"odd").packet();
        packet[if v6 { 40 } else { 20 }..].to_vec()
    }
}

fn looks(flags: u8, numbers: (u32, u32), window: u16, options: &[u8]) -> Looks {
    Looks { flags, numbers, window, options: options.to_vec() }
}

/// Filling, then timestamps.
fn stamps(filling: usize, value: u32, echo: u32) -> Vec<u8> {
    let mut options = vec![1; filling];
    options.extend([8, 10]);
    options.extend([value, echo].map(u32::to_be_bytes).concat());
    options.resize(options.len().next_multiple_of(4), 0);
    options
}

/// Timestamps, and then blocks.
fn stamps_and_sack(value: u32, echo: u32, edges: &[u32]) -> Vec<u8> {
    let mut options = stamps(2, value, echo);
    options.extend([1, 1, 5, u8::try_from(2 + 4 * edges.len()).unwrap()]);
    options.extend(edges.iter().flat_map(|edge| edge.to_be_bytes()));
    options
}

const BY: Translation = Translation {
    delta: 0xffff_0000,
    ts_delta: 1000,
    window_to_client: 0,
    window_to_backend: 0,
    strips_sack: false,
};

fn to_client(by: Translation, before: &Looks, after: &Looks) {
    for v6 in [false, true] {
        let mut segment = before.segment(v6, true);
        by.to_client(&mut segment);
        assert_eq!(segment, after.segment(v6, true), "{before:?}");
    }
}

fn to_backend(by: Translation, before: &Looks, after: &Looks) {
    for v6 in [false, true] {
        let mut segment = before.segment(v6, false);
        by.to_backend(&mut segment);
        assert_eq!(segment, after.segment(v6, false), "{before:?}");
    }
}

#[test]
fn the_backends_numbers_become_the_clients() {
    for filling in 0..4 {
        let before = looks(ACK, (0x0001_0005, 77), 512, &stamps(filling, u32::MAX, 9));
        let after = looks(ACK, (5, 77), 512, &stamps(filling, 999, 9));
        to_client(BY, &before, &after);
    }
    to_client(BY, &looks(RST, (0x0001_0005, 0), 0, &[]), &looks(RST, (5, 0), 0, &[]));
    let sack = stamps_and_sack(1, 2, &[10, 20]);
    let before = looks(ACK, (0x0001_0005, 77), 512, &sack);
    to_client(BY, &before, &looks(ACK, (5, 77), 512, &stamps_and_sack(1001, 2, &[10, 20])));
}

#[test]
fn what_the_client_acknowledges_becomes_the_backends() {
    for filling in 0..4 {
        let before = looks(ACK, (77, 5), 512, &stamps(filling, 9, 999));
        let after = looks(ACK, (77, 0x0001_0005), 512, &stamps(filling, 9, u32::MAX));
        to_backend(BY, &before, &after);
    }
    let before = looks(ACK, (77, 5), 512, &stamps_and_sack(9, 1000, &[10, 0xffff_0000, 30, 40]));
    let sack = stamps_and_sack(9, 0, &[0x0001_000a, 0, 0x0001_001e, 0x0001_0028]);
    to_backend(BY, &before, &looks(ACK, (77, 0x0001_0005), 512, &sack));
}

#[test]
fn what_acknowledges_nothing_keeps_what_stands_there() {
    for flags in [RST, SYN] {
        let as_it_is = looks(flags, (77, 5), 512, &stamps(2, 9, 0));
        to_backend(BY, &as_it_is, &as_it_is);
    }
}

#[test]
fn selective_acknowledgements_become_filling_for_a_backend_that_permits_none() {
    let by = Translation { strips_sack: true, ..BY };
    for filling in 0..4 {
        let mut options = stamps(filling, 9, 1000);
        options.truncate(filling + 10);
        let mut blank = stamps(filling, 9, 0);
        blank.truncate(filling + 10);
        options.extend([5, 10, 1, 2, 3, 4, 5, 6, 7, 8]);
        blank.extend([1; 10]);
        for options in [&mut options, &mut blank] {
            options.resize(options.len().next_multiple_of(4), 0);
        }
        to_backend(by, &looks(ACK, (77, 5), 1, &options), &looks(ACK, (77, 0x0001_0005), 1, &blank));
    }
}

#[test]
fn windows_are_read_by_the_scale_that_was_promised() {
    for (shift, before, after) in [
        (0, 512, 512),
        (2, 512, 2048),
        (7, 1000, u16::MAX),
        (14, 4, u16::MAX),
        (14, 3, 49_152),
        (-3, 512, 64),
        (-7, 127, 0),
        (-14, u16::MAX, 3),
    ] {
        let by = Translation { window_to_client: shift, ..Translation::default() };
        to_client(by, &looks(ACK, (1, 2), before, &[]), &looks(ACK, (1, 2), after, &[]));
        let as_it_is = looks(ACK | SYN, (1, 2), before, &[]);
        to_client(by, &as_it_is, &as_it_is);
        let as_it_is = looks(ACK, (1, 2), before, &[]);
        to_backend(by, &as_it_is, &as_it_is);
    }
    for (shift, before, after) in [(0, 512, 512), (7, 500, 64_000), (14, 9, u16::MAX)] {
        let by = Translation { window_to_backend: shift, ..Translation::default() };
        to_backend(by, &looks(ACK, (1, 2), before, &[]), &looks(ACK, (1, 2), after, &[]));
    }
}

#[test]
fn a_checksum_that_was_wrong_stays_wrong() {
    let before = looks(ACK, (77, 5), 512, &stamps(2, 9, 10));
    let mut segment = before.segment(false, false);
    segment[17] ^= 1;
    BY.to_backend(&mut segment);
    let after = looks(ACK, (77, 0x0001_0005), 512, &stamps(2, 9, 10_u32.wrapping_sub(1000)));
    let right = after.segment(false, false);
    assert_ne!(segment[16..18], right[16..18]);
    assert_eq!((&segment[..16], &segment[18..]), (&right[..16], &right[18..]));
}

proptest! {
    #[test]
    fn three_words_have_all_of_it(delta: u32, ts_delta: u32, window_to_client in -14..=14_i8, window_to_backend in 0..=14_u8, strips_sack: bool) {
        let by = Translation { delta, ts_delta, window_to_client, window_to_backend, strips_sack };
        prop_assert_eq!(Translation::from_words(by.to_words()), by);
    }

    /// Whatever the options are: the checksum stays right, and nothing but numbers changes.
    #[test]
    fn any_options_keep_the_checksum_right(
        words in proptest::collection::vec(any::<[u8; 4]>(), 0..=10), common in proptest::bool::ANY,
        numbers: (u32, u32), window: u16, delta: u32, ts_delta: u32, shift in -14..=14_i8, strips_sack: bool, v6: bool, flags in 0..32_u8,
    ) {
        let options = if common { stamps_and_sack(numbers.0, numbers.1, &[delta, window.into()]) } else { words.concat() };
        let by = Translation { delta, ts_delta, window_to_client: shift, window_to_backend: shift.unsigned_abs(), strips_sack };
        let before = Looks { flags, numbers, window, options };
        for back in [false, true] {
            let mut segment = before.segment(v6, back);
            if back { by.to_client(&mut segment) } else { by.to_backend(&mut segment) };
            let tcp = Tcp::new_checked(&segment).unwrap();
            let after = Looks {
                flags, numbers: (tcp.sequence().0, tcp.acknowledgement().0), window: tcp.window(),
                options: segment[20..segment.len() - 3].to_vec(),
            };
            prop_assert_eq!(&segment, &after.segment(v6, back));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..80), words: [u32; 3]) {
        let by = Translation::from_words(words);
        by.to_client(&mut bytes);
        by.to_backend(&mut bytes);
    }
}
