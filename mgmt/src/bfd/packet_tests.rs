use proptest::prelude::*;

use super::super::auth::{Auth, Kind};
use super::*;

/// As BIRD sends it: down, multiplier 5, 1 s and 10 ms.
#[rustfmt::skip]
const DOWN: [u8; 24] = [
    0x20, 0x40, 5, 24,  0x12, 0x34, 0x56, 0x78,  0, 0, 0, 0,
    0x00, 0x0f, 0x42, 0x40,  0x00, 0x00, 0x27, 0x10,  0, 0, 0, 0,
];

fn with(at: usize, bytes: &[u8]) -> [u8; 24] {
    let mut packet = DOWN;
    packet[at..at + bytes.len()].copy_from_slice(bytes);
    packet
}

fn refusal(bytes: &[u8]) -> Option<Refusal> {
    Packet::new_checked(bytes).err()
}

#[test]
fn a_known_packet_is_read_and_made_byte_for_byte() {
    let packet = Packet::new_checked(&DOWN).unwrap();
    let control = packet.control;
    assert_eq!((control.state, control.multiplier), (State::Down, 5));
    assert_eq!((control.desired_tx, control.required_rx), (Micros(1_000_000), Micros(10_000)));
    assert_eq!((control.mine.0.get(), control.yours, packet.auth), (0x1234_5678, None, None));
    assert_eq!(control.emit(0), DOWN);
}

#[test]
fn each_check_has_its_reason() {
    assert_eq!(refusal(&with(0, &[0x40])), Some(Refusal::Version));
    assert_eq!(refusal(&DOWN[..23]), Some(Refusal::Length), "cut");
    assert_eq!(refusal(&with(3, &[25])), Some(Refusal::Length), "longer than what came");
    assert_eq!(refusal(&with(3, &[23])), Some(Refusal::Length), "too short for what must be there");
    assert_eq!(refusal(&with(1, &[0x44])), Some(Refusal::Length), "no room for authentication");
    assert_eq!(refusal(&with(2, &[0])), Some(Refusal::Multiplier));
    assert_eq!(refusal(&with(1, &[0x41])), Some(Refusal::Multipoint));
    assert_eq!(refusal(&with(4, &[0; 4])), Some(Refusal::MyDiscriminator));
    assert_eq!(refusal(&with(1, &[0x80])), Some(Refusal::State), "init");
    assert_eq!(refusal(&with(1, &[0xc0])), Some(Refusal::State), "up");
    assert_eq!(refusal(&with(1, &[0x00])), None, "admin down");
    let mut padded = DOWN.to_vec();
    padded.extend([9; 7]);
    assert_eq!(Packet::new_checked(&padded).unwrap().bytes, DOWN, "what is behind its length is not its");
}

#[test]
fn sections_of_authentication_must_have_their_length() {
    let section = |bytes: &[u8]| {
        let mut packet = with(1, &[0x44]).to_vec();
        packet[3] += u8::try_from(bytes.len()).unwrap();
        packet.extend(bytes);
        refusal(&packet)
    };
    assert_eq!(section(&[1, 4, 9, b'x']), None);
    assert_eq!(section(&[1, 3, 9]), Some(Refusal::Length), "no password");
    assert_eq!(section(&[1, 5, 9, b'x']), Some(Refusal::Length));
    assert_eq!(section(&[[1, 20, 9].as_slice(), &[b'x'; 17]].concat()), Some(Refusal::Length), "too long");
    assert_eq!(section(&[[4, 28].as_slice(), &[0; 26]].concat()), None);
    assert_eq!(section(&[[5, 27].as_slice(), &[0; 25]].concat()), Some(Refusal::Length));
    assert_eq!(section(&[2, 2]), None, "another kind is refused where its session is known");
}

#[test]
fn codes_are_one_each() {
    let codes: std::collections::BTreeSet<_> = Refusal::ALL.iter().map(|refusal| refusal.code()).collect();
    assert_eq!(codes.len(), Refusal::ALL.len());
}

fn any_control() -> impl Strategy<Value = Control> {
    let discriminator = |n: u32| NonZeroU32::new(n).map(Discriminator);
    let words = (1_u32.., any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>());
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (words, flags, 1_u8.., 0_u8..32, 0_usize..4).prop_map(
        move |(
            (mine, yours, tx, rx, echo),
            (poll, is_final, independent, demand),
            multiplier,
            why,
            state,
        )| {
            Control {
                diagnostic: Diagnostic(why),
                // Who does not know the other end can only be down.
                state: if yours == 0 { State::Down } else { State::ALL[state] },
                poll,
                is_final,
                independent,
                demand,
                multiplier,
                mine: discriminator(mine).unwrap(),
                yours: discriminator(yours),
                desired_tx: Micros(tx),
                required_rx: Micros(rx),
                required_echo: Micros(echo),
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_made_is_read_as_it_was_meant(control in any_control(), kind in 0_usize..4, sequence: u32) {
        let kinds = [Kind::Simple, Kind::Sha1, Kind::MeticulousSha1];
        let auth = kinds.get(kind).map(|kind| Auth::new(*kind, 7, "secret").unwrap());
        let bytes = Auth::emit(auth.as_ref(), &control, sequence);
        let packet = Packet::new_checked(&bytes).unwrap();
        prop_assert_eq!(packet.control, control);
        prop_assert_eq!(packet.auth.is_some(), auth.is_some());
        prop_assert_eq!(packet.bytes.len(), bytes.len());
        let mut known = crate::bfd::auth::Sequence::default();
        prop_assert_eq!(Auth::admit(auth.as_ref(), &mut known, &packet), Ok(()));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(packet) = Packet::new_checked(&bytes) {
            prop_assert!(packet.bytes.len() >= 24 && packet.control.multiplier > 0);
        }
    }

    #[test]
    fn no_byte_of_an_authentic_packet_can_be_changed(
        control in any_control(), sequence: u32, at in 0_usize..52, by in 1_u8..
    ) {
        let auth = Auth::new(Kind::MeticulousSha1, 7, "secret");
        let mut bytes = Auth::emit(auth.as_ref(), &control, sequence);
        bytes[at] ^= by;
        // The reserved byte is under the hash as well.
        if let Ok(packet) = Packet::new_checked(&bytes) {
            let mut known = crate::bfd::auth::Sequence::default();
            prop_assert!(Auth::admit(auth.as_ref(), &mut known, &packet).is_err());
        }
    }
}
