use std::cell::RefCell;
use std::net::Ipv4Addr;

use super::*;
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

    /// A packet to a next hop, marked with a number; whether it waits, and what made way for it.
    fn hold(&mut self, number: u32, mark: u8, now: Tick) -> (bool, Option<u8>) {
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
    // The packet of the batch at hand is not held yet: its next hop stays.
    held.hold(all, 2, Tick(REPLACEABLE));
    held.unresolved.want(missing(1), Tick(REPLACEABLE + 1)).unwrap();
    assert!(held.unresolved.want(missing(all + 1), Tick(REPLACEABLE + 1)).is_none());
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
    let mut within: Vec<(u16, u32)> = Vec::new();
    let mut random = 1_u32;
    for _ in 0..20_000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let number = random >> 24;
        match within.iter().position(|(_, n)| *n == number) {
            Some(place) => {
                let (slot, _) = within.remove(place);
                index.remove(slot, missing(number));
            }
            None => match index.insert(missing(number)) {
                Some(slot) => within.push((slot, number)),
                None => assert_eq!(within.len(), 64),
            },
        }
        for (slot, number) in &within {
            assert_eq!(index.find(missing(*number), |s| s == *slot), Some(*slot));
        }
        let mut ages = Vec::new();
        let mut slot = index.oldest();
        while slot != NONE {
            ages.push(slot);
            slot = index.newer(slot);
        }
        assert_eq!(ages, within.iter().map(|(slot, _)| *slot).collect::<Vec<_>>());
    }
}
