use super::*;
use crate::frames::{Build, frame};
use penstock_types::Mac;
use proptest::prelude::*;

const SYN: u8 = Flags::SYN;
const ACK: u8 = Flags::ACK;
const NOP: u8 = 1;

fn build() -> Build {
    let (source, destination) = ((Mac::default(), "10.0.0.2"), (Mac::default(), "10.0.0.100"));
    frame(source, destination)
}

/// The TCP segment with these options and a right checksum.
fn segment(flags: u8, options: &[u8]) -> Vec<u8> {
    of(&build().tcp(40000, 80, flags).tcp_options(options))
}

fn of(build: &Build) -> Vec<u8> {
    build.packet().split_off(20)
}

#[test]
fn a_larger_segment_size_is_lowered_and_a_smaller_one_stays() {
    for (flags, from, to) in [
        (SYN, 1460_u16, 1400_u16),
        (SYN | ACK, 1460, 1400),
        (SYN, 1400, 1400),
        (SYN, 536, 536),
        (ACK, 1460, 1460),
    ] {
        let [high, low] = from.to_be_bytes();
        let [new_high, new_low] = to.to_be_bytes();
        for (before, after) in [
            (vec![2, 4, high, low], vec![2, 4, new_high, new_low]),
            (vec![NOP, 2, 4, high, low, NOP, 3, 0], vec![NOP, 2, 4, new_high, new_low, NOP, 3, 0]),
            (vec![4, 2, 2, 4, high, low, 0, 0], vec![4, 2, 2, 4, new_high, new_low, 0, 0]),
        ] {
            let mut bytes = segment(flags, &before);
            clamp_mss(&mut bytes, Mss(1400));
            assert_eq!(bytes, segment(flags, &after), "flags {flags:#x}, {before:x?}");
        }
    }
}

#[test]
fn what_is_no_segment_size_is_left_alone() {
    for options in [
        &[][..],
        &[0, 2, 4, 5],                 // the list has ended
        &[2, 3, 255, 0],               // of another length
        &[8, 0, 2, 4],                 // an option without a length
        &[8, 9, 2, 4],                 // an option beyond the header
        &[NOP, NOP, NOP, 2],           // cut behind its kind
        &[NOP, 2, 4, 255],             // cut inside its value
        &[8, 6, 2, 4, 255, 255, 0, 0], // inside another option's value
    ] {
        let before = segment(SYN, options);
        let mut bytes = before.clone();
        clamp_mss(&mut bytes, Mss(1));
        assert_eq!(bytes, before, "{options:x?}");
    }
    clamp_mss(&mut segment(SYN, &[])[..19], Mss(1));
}

/// Acknowledged blocks, behind `padding` bytes.
fn sack(padding: usize, edges: &[u32]) -> Vec<u8> {
    let mut options = vec![NOP; padding];
    options.extend([5, u8::try_from(2 + edges.len() * 4).unwrap()]);
    options.extend(edges.iter().flat_map(|edge| edge.to_be_bytes()));
    options.resize(options.len().next_multiple_of(4), 0);
    options
}

#[test]
fn acknowledgement_and_selective_blocks_are_renumbered_and_wrap() {
    let at = |acknowledgement: u32, options: &[u8]| {
        of(&build().tcp(80, 40000, ACK).numbers(77, acknowledgement).tcp_options(options))
    };
    for padding in 0..4 {
        let mut bytes = at(40, &sack(padding, &[u32::MAX, 10, 1000, 2000]));
        renumber_acknowledgement(&mut bytes, |number| number.shifted(Shift(-52)));
        let expected =
            at(40_u32.wrapping_sub(52), &sack(padding, &[u32::MAX - 52, u32::MAX - 41, 948, 1948]));
        assert_eq!(bytes, expected, "behind {padding} bytes");
    }
    let mut unacknowledged = segment(SYN, &[]);
    renumber_acknowledgement(&mut unacknowledged, |number| number.shifted(Shift(5)));
    assert_eq!(unacknowledged, segment(SYN, &[]), "what stands in the field is no acknowledgement");
}

#[test]
fn the_sequence_number_shifts_alone() {
    let at = |sequence| of(&build().tcp(40000, 80, ACK).numbers(sequence, 9).tcp_options(&sack(1, &[1, 2])));
    let mut bytes = at(u32::MAX - 1);
    shift_sequence(&mut bytes, Shift(52));
    assert_eq!(bytes, at(50));
}

#[test]
fn the_client_address_has_the_layout_that_backends_look_for() {
    let v4 = Toa::new("192.0.2.7:40112".parse().unwrap());
    assert_eq!(v4.bytes(), [254, 8, 0x9c, 0xb0, 192, 0, 2, 7]);
    let v6 = Toa::new("[2001:db8::7]:443".parse().unwrap());
    assert_eq!(v6.bytes(), [254, 20, 0x01, 0xbb, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
}

#[test]
fn the_client_address_goes_in_front_of_the_other_options_where_there_is_room() {
    for (client, most) in [("192.0.2.7:40112", 32), ("[2001:db8::7]:443", 20)] {
        let toa = Toa::new(client.parse().unwrap());
        for length in (0..=40).step_by(4) {
            let options = vec![NOP; length];
            let mut space = vec![0xee; toa.bytes().len()];
            space.extend(segment(ACK, &options));
            if length <= most {
                assert_eq!(toa.insert(&mut space), Some(()));
                assert_eq!(space, segment(ACK, &[toa.bytes(), &options].concat()), "{client}, {length}");
            } else {
                let before = space.clone();
                assert_eq!(toa.insert(&mut space), None, "{client}, {length}");
                assert_eq!(space, before);
            }
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..80), by: i32, max: u16) {
        clamp_mss(&mut bytes, Mss(max));
        shift_sequence(&mut bytes, Shift(by));
        renumber_acknowledgement(&mut bytes, |number| number.shifted(Shift(by)));
        Toa::new("[2001:db8::7]:443".parse().unwrap()).insert(&mut bytes);
    }

    #[test]
    fn arbitrary_options_keep_the_checksum_right_and_shifts_can_be_undone(
        words in proptest::collection::vec(any::<[u8; 4]>(), 0..=10), by: i32, max: u16,
    ) {
        let before = segment(SYN | ACK, &words.concat());
        let mut bytes = before.clone();
        renumber_acknowledgement(&mut bytes, |number| number.shifted(Shift(by)));
        renumber_acknowledgement(&mut bytes, |number| number.shifted(Shift(by.wrapping_neg())));
        prop_assert_eq!(&bytes, &before);
        clamp_mss(&mut bytes, Mss(max));
        shift_sequence(&mut bytes, Shift(by));
        let sequence = Tcp::new_checked(&bytes).unwrap().sequence();
        let whole = build().tcp(40000, 80, SYN | ACK).numbers(sequence.0, 2).tcp_options(&bytes[20..bytes.len() - 8]);
        prop_assert_eq!(bytes, of(&whole));
    }
}
