use std::cell::RefCell;
use std::net::Ipv4Addr;

use super::reports::MOVED_EVERY;
use super::*;
use crate::types::Mac;
use crate::xdp::Umem;

const ETH0: InterfaceId = InterfaceId(0);

fn missing(number: u32) -> Missing {
    Missing { interface: ETH0, address: IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number)) }
}

struct Held1 {
    unresolved: Unresolved,
    umem: Umem,
}

impl Held1 {
    fn new() -> Self {
        Self { unresolved: Unresolved::new(), umem: Umem::new(UNRESOLVED_PACKETS + 1).unwrap() }
    }

    /// A batch of one packet to a next hop, marked with a number; whether it waits, and what made way for it.
    fn hold(&mut self, number: u32, mark: u8, now: Tick) -> (bool, Option<u8>) {
        self.unresolved.end_batch();
        let Some(next_hop) = self.unresolved.want(missing(number), now) else { return (false, None) };
        let slot = next_hop.interface.unresolved_slot().unwrap();
        let frame = Frame::copied(self.umem.take().unwrap(), &[mark]);
        let replaced = self.unresolved.hold(slot, Held { ingress: ETH0, frame });
        (true, replaced.map(|held| self.mark(held)))
    }

    fn mark(&mut self, held: Held) -> u8 {
        let mark = held.frame.bytes()[0];
        self.umem.give(held.frame.into_chunk());
        mark
    }

    fn given_up(&mut self, now: Tick) -> Vec<u8> {
        self.unresolved.pass_time(now);
        let all: Vec<_> = std::iter::from_fn(|| self.unresolved.take_given_up()).collect();
        all.into_iter().map(|held| self.mark(held)).collect()
    }

    fn ready(&mut self, generation: u64, known: &[u32]) -> Vec<(u8, u8)> {
        let hop =
            |n: u32| NextHop { interface: ETH0, mac: Mac([2, 0, 0, 0, 0, u8::try_from(n % 256).unwrap()]) };
        let entry = |n: &u32| (missing(*n).interface, missing(*n).address, hop(*n));
        let fib = crate::snapshot::Fib::new([], known.iter().map(entry));
        self.unresolved.look(generation, fib.neighbours());
        let all: Vec<_> = std::iter::from_fn(|| self.unresolved.take_ready()).collect();
        all.into_iter().map(|(hop, held)| (hop.mac.0[5], self.mark(held))).collect()
    }

    fn reported(&mut self, room: usize) -> Vec<Missing> {
        let (sent, left) = (RefCell::new(Vec::new()), RefCell::new(room));
        self.unresolved.report(|missing| {
            let has_room = *left.borrow() > 0;
            if has_room {
                *left.borrow_mut() -= 1;
                sent.borrow_mut().push(missing);
            }
            has_room
        });
        sent.into_inner()
    }
}

#[test]
fn packets_leave_in_their_order_once_a_snapshot_has_their_next_hop() {
    let mut held = Held1::new();
    for (number, mark) in [(1, 10), (2, 20), (1, 11), (2, 21)] {
        assert_eq!(held.hold(number, mark, Tick(5)), (true, None));
    }
    assert_eq!(held.ready(1, &[7]), []);
    assert_eq!(held.ready(1, &[1]), [], "each generation is looked at once");
    assert_eq!(held.ready(2, &[1]), [(1, 10), (1, 11)]);
    assert_eq!(held.ready(3, &[1, 2]), [(2, 20), (2, 21)]);
    assert!(held.unresolved.is_idle());
    assert_eq!(held.given_up(Tick(5 + DEADLINE)), []);
}

#[test]
fn the_oldest_packet_makes_way_for_a_new_one_of_the_same_next_hop() {
    let mut held = Held1::new();
    held.hold(2, 200, Tick(0));
    let bound = u8::try_from(UNRESOLVED_PER_NEXT_HOP).unwrap();
    for mark in 0..bound {
        assert_eq!(held.hold(1, mark, Tick(0)), (true, None));
    }
    assert_eq!(held.hold(1, bound, Tick(0)), (true, Some(0)));
    assert_eq!(held.ready(1, &[1, 2]).len(), UNRESOLVED_PER_NEXT_HOP + 1, "and none of another one");
}

#[test]
fn what_is_not_resolved_in_time_is_given_up_once() {
    let mut held = Held1::new();
    held.hold(1, 10, Tick(0));
    held.hold(2, 20, Tick(1));
    assert_eq!(held.given_up(Tick(DEADLINE - 1)), []);
    assert_eq!(held.given_up(Tick(DEADLINE)), [10]);
    assert_eq!(held.given_up(Tick(DEADLINE + 1)), [20]);
    assert!(held.unresolved.is_idle());
    assert_eq!(held.ready(1, &[1, 2]), []);
}

/// As many next hops as there is room for, and as many packets.
#[test]
fn a_flood_to_hosts_that_do_not_answer_has_bounded_memory_and_keeps_nobody_out_for_long() {
    let mut held = Held1::new();
    let all = u32::try_from(UNRESOLVED).unwrap();
    for number in 0..all {
        assert_eq!(held.hold(number, 1, Tick(0)), (true, None));
    }
    assert_eq!(held.hold(all, 2, Tick(REPLACEABLE - 1)), (false, None), "those that may still answer stay");
    let mut displaced = 0;
    for number in 0..all {
        for _ in 1..UNRESOLVED_PER_NEXT_HOP {
            displaced += usize::from(held.hold(number, 1, Tick(1)).1.is_some());
        }
    }
    assert_eq!(displaced, UNRESOLVED * (UNRESOLVED_PER_NEXT_HOP - 1) - UNRESOLVED_MORE);
    assert_eq!(held.umem.free(), 1);
}

#[test]
fn a_next_hop_that_has_not_answered_makes_way_for_a_new_one() {
    let mut held = Held1::new();
    let all = u32::try_from(UNRESOLVED).unwrap();
    for number in 0..all {
        held.hold(number, 1, Tick(0));
    }
    assert_eq!(held.hold(all, 2, Tick(REPLACEABLE)), (true, None));
    assert_eq!(held.given_up(Tick(REPLACEABLE)), [1]);
    assert_eq!(held.ready(1, &[0]), []);
    assert_eq!(held.ready(2, &[all]), [(u8::try_from(all % 256).unwrap(), 2)]);
}

/// The packets of the batch at hand are not held yet: their next hops stay.
#[test]
fn the_oldest_next_hop_that_no_packet_of_the_batch_wants_makes_way() {
    let mut held = Held1::new();
    let all = u32::try_from(UNRESOLVED).unwrap();
    for number in 0..all {
        held.hold(number, u8::from(number != 3), Tick(0));
    }
    held.unresolved.end_batch();
    for number in [1, 0, 2] {
        held.unresolved.want(missing(number), Tick(REPLACEABLE)).unwrap();
    }
    held.unresolved.want(missing(all), Tick(REPLACEABLE)).unwrap();
    assert_eq!(held.given_up(Tick(REPLACEABLE)), [0], "number 3");
    // As many as one batch wants are stepped over.
    held.hold(3, 1, Tick(REPLACEABLE));
    held.unresolved.end_batch();
    let many = u32::try_from(MOST_WANTED).unwrap();
    for number in (0..=many).filter(|n| *n != 3) {
        held.unresolved.want(missing(number), Tick(REPLACEABLE)).unwrap();
    }
    assert!(held.unresolved.want(missing(all + 1), Tick(REPLACEABLE)).is_some());
    assert!(held.unresolved.find(missing(many + 1)).is_none());
}

#[test]
fn what_is_only_expected_makes_way_for_packets_and_displaces_none() {
    let mut held = Held1::new();
    let (all, half) = (u32::try_from(UNRESOLVED).unwrap(), u32::try_from(UNRESOLVED_EXPECTED).unwrap());
    for number in 0..all {
        held.unresolved.foresee(missing(number), Tick(0));
    }
    assert!(
        held.unresolved.find(missing(half - 1)).is_some() && held.unresolved.find(missing(half)).is_none()
    );
    held.unresolved.foresee(missing(half), Tick(REPLACEABLE));
    assert!(held.unresolved.find(missing(0)).is_none(), "the oldest has been reported for long");
    for number in all..2 * all {
        assert_eq!(held.hold(number, 7, Tick(REPLACEABLE)), (true, None), "however young the others are");
    }
    held.unresolved.foresee(missing(1), Tick(DEADLINE));
    assert!(held.unresolved.find(missing(1)).is_none(), "there is no room");
    assert_eq!(held.given_up(Tick(DEADLINE)), []);
    assert_eq!(held.given_up(Tick(DEADLINE + REPLACEABLE)).len(), UNRESOLVED);
    assert!(held.unresolved.is_idle());
}

/// A packet waits its whole time, whenever its next hop was first expected.
#[test]
fn time_begins_with_the_first_packet() {
    let mut held = Held1::new();
    held.unresolved.foresee(missing(1), Tick(0));
    held.unresolved.foresee(missing(2), Tick(0));
    held.hold(1, 10, Tick(DEADLINE - 1));
    assert_eq!(held.given_up(Tick(DEADLINE)), []);
    assert!(held.unresolved.find(missing(2)).is_none(), "nothing waits");
    assert_eq!(held.given_up(Tick(2 * DEADLINE - 2)), []);
    assert_eq!(held.given_up(Tick(2 * DEADLINE - 1)), [10]);
}

#[test]
fn what_packets_wait_for_is_reported_before_what_is_expected() {
    let mut held = Held1::new();
    held.unresolved.foresee(missing(1), Tick(0));
    held.hold(2, 20, Tick(0));
    held.unresolved.foresee(missing(3), Tick(0));
    held.unresolved.foresee(missing(4), Tick(0));
    held.hold(4, 40, Tick(0));
    assert_eq!(held.reported(2), [missing(4), missing(2)]);
    assert_eq!(held.reported(9), [missing(3), missing(1)]);
    held.hold(3, 30, Tick(1));
    assert_eq!(held.reported(9), [], "once for each");
    assert_eq!(held.ready(1, &[1, 2, 3, 4]).len(), 3);
    assert!(held.unresolved.is_idle());
}

#[test]
fn management_is_asked_once_for_each_and_again_where_there_was_no_room() {
    let mut held = Held1::new();
    for number in 0..3 {
        held.hold(number, 1, Tick(0));
        held.hold(number, 1, Tick(0));
    }
    assert_eq!(held.reported(2), [missing(2), missing(1)]);
    assert_eq!(held.reported(9), [missing(0)]);
    assert_eq!(held.reported(9), []);
    // One that nothing waits for is not asked for again.
    held.unresolved.want(missing(7), Tick(0)).unwrap();
    assert_eq!(held.reported(9), [missing(7)]);
    held.given_up(Tick(ASK_AGAIN - 1));
    assert_eq!(held.reported(9), []);
    held.given_up(Tick(ASK_AGAIN));
    assert_eq!(held.reported(9), [missing(2), missing(1), missing(0)]);
    held.hold(9, 1, Tick(ASK_AGAIN));
    held.ready(1, &[9]);
    assert_eq!(held.reported(9), [], "it is known before it was asked for");
}

#[test]
fn moved_neighbours_are_reported_at_a_pace() {
    let mut unresolved = Unresolved::new();
    unresolved.note_moved(missing(1), Tick(100));
    unresolved.note_moved(missing(2), Tick(101));
    assert_eq!((unresolved.take_moved(), unresolved.take_moved()), (Some(missing(1)), None));
    unresolved.note_moved(missing(2), Tick(100 + MOVED_EVERY));
    assert_eq!(unresolved.take_moved(), Some(missing(2)));
}

/// Whatever is asked for and forgotten, in whatever order, is found or not.
#[test]
fn the_index_finds_what_is_in_it() {
    let mut index = Index::new(64);
    let mut within: [Vec<(u16, u32)>; 2] = Default::default();
    let mut random = 1_u32;
    for _ in 0..20_000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (number, kind) = (random >> 24, KINDS[usize::from(random & 0x8000 != 0)]);
        let place = within
            .iter()
            .enumerate()
            .find_map(|(kind, slots)| Some((kind, slots.iter().position(|(_, n)| *n == number)?)));
        match place {
            Some((before, place)) => {
                let (slot, _) = within[before].remove(place);
                if random & 0x1_0000 == 0 {
                    index.remove(slot, missing(number));
                } else {
                    index.turn(slot, kind);
                    within[kind as usize].push((slot, number));
                }
            }
            None => match index.insert(missing(number), kind) {
                Some(slot) => within[kind as usize].push((slot, number)),
                None => assert_eq!(within.iter().map(Vec::len).sum::<usize>(), 64),
            },
        }
        for kind in KINDS {
            for (slot, number) in &within[kind as usize] {
                assert_eq!(index.find(missing(*number), |s| s == *slot), Some(*slot));
                assert_eq!(index.kind(*slot), kind);
            }
            let mut ages = Vec::new();
            let mut slot = index.oldest(kind);
            while slot != NONE {
                ages.push(slot);
                slot = index.newer(slot);
            }
            assert_eq!(ages.last().copied().unwrap_or(NONE), index.newest(kind));
            assert_eq!(ages, within[kind as usize].iter().map(|(slot, _)| *slot).collect::<Vec<_>>());
            assert_eq!(index.count(kind), ages.len());
        }
    }
}
