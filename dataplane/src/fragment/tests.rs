use super::*;
use crate::flow::Addresses;
use crate::limits::{FRAGMENTED_PER_SOURCE, FRAGMENTS_HELD, FRAGMENTS_HELD_PER_SOURCE};
use crate::types::Protocol;
use crate::xdp::Umem;

const PORTS: (Port, Port) = (Port(5000), Port(53));
const ETH0: InterfaceId = InterfaceId(0);

fn key(source: u32, identification: u32) -> Key {
    let addresses = Addresses::V4 { source: source.into(), destination: [10, 0, 0, 100].into() };
    Key { addresses, protocol: Protocol::Udp.number(), identification }
}

#[test]
fn the_first_fragment_is_remembered_for_a_while_and_cannot_be_overwritten() {
    let mut fragments = Fragments::new();
    assert_eq!(fragments.find(&key(1, 7), Tick(0)), None);
    let first = fragments.first(&key(1, 7), PORTS, Tick(0)).unwrap();
    assert_eq!(fragments.first(&key(1, 7), (Port(1), Port(2)), Tick(1)), Some(first), "the first one counts");
    assert_eq!(fragments.find(&key(1, 7), Tick(499)), Some(first));
    assert_eq!(fragments.find(&key(1, 8), Tick(0)), None);
    assert_eq!(fragments.find(&key(2, 7), Tick(0)), None);
    assert_eq!(fragments.find(&key(1, 7), Tick(500)), None);
    let again = fragments.first(&key(1, 7), (Port(1), Port(2)), Tick(500)).unwrap();
    assert_eq!((again.source_port, again.id), (Port(1), first.id.wrapping_add(2)));
}

#[test]
fn what_came_too_early_is_released_by_the_first_fragment_in_its_order() {
    let mut umem = Umem::new(4).unwrap();
    let mut frame = |text: &[u8]| Frame::copied(umem.take().unwrap(), text);
    let mut fragments = Fragments::new();
    for (n, text) in [(7, b"a"), (8, b"b"), (7, b"c")] {
        assert!(fragments.hold(key(1, n), ETH0, frame(text), Tick(0)).is_none());
    }
    fragments.first(&key(1, 7), PORTS, Tick(1));
    let ready: Vec<_> = std::iter::from_fn(|| fragments.take_ready()).map(|(_, f)| f.bytes()[0]).collect();
    assert_eq!(ready, *b"ca");
    assert!(fragments.take_late(Tick(499)).is_none());
    assert_eq!(fragments.take_late(Tick(500)).map(|(_, f)| f.bytes()[0]), Some(b'b'));
    assert!(fragments.take_late(Tick(9999)).is_none());
}

#[test]
fn one_source_has_its_share_and_no_more() {
    let mut umem = Umem::new(FRAGMENTS_HELD + 1).unwrap();
    let mut frame = || Frame::copied(umem.take().unwrap(), b"x");
    let mut fragments = Fragments::new();
    let mut held = |fragments: &mut Fragments, source| {
        (0..100).take_while(|n| fragments.hold(key(source, *n), ETH0, frame(), Tick(0)).is_none()).count()
    };
    assert_eq!(held(&mut fragments, 1), FRAGMENTS_HELD_PER_SOURCE);
    assert_eq!(held(&mut fragments, 2), FRAGMENTS_HELD_PER_SOURCE);

    let share = u32::from(FRAGMENTED_PER_SOURCE);
    for n in 0..4 * share {
        fragments.first(&key(1, n), PORTS, Tick(0));
    }
    let remembered = |fragments: &Fragments, source, count| {
        (0..count).filter(|n| fragments.find(&key(source, *n), Tick(0)).is_some()).count()
    };
    let of_heavy = remembered(&fragments, 1, 4 * share);
    assert!(of_heavy <= share as usize && of_heavy > share as usize / 2, "{of_heavy}");
    // Light ones drive out the heavy one, and seldom each other.
    for source in 2..100 {
        for n in 0..50 {
            fragments.first(&key(source, n), PORTS, Tick(0));
        }
    }
    let of_light: usize = (2..100).map(|source| remembered(&fragments, source, 50)).sum();
    assert!(of_light > 98 * 50 * 98 / 100, "{of_light}");
}

#[test]
fn what_is_stale_is_swept_away() {
    let mut fragments = Fragments::new();
    fragments.first(&key(1, 7), PORTS, Tick(0));
    fragments.sweep(Tick(499));
    assert!(!fragments.known.is_empty());
    for _ in 0..FRAGMENTED_PACKETS / 16 {
        fragments.sweep(Tick(500));
    }
    assert!(fragments.known.is_empty());
}
