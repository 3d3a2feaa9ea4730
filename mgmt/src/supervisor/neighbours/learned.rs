//! What was learned lately, and from whom: a flood of questions is no flood of requests to the kernel.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use dataplane::types::{InterfaceId, Mac};

use super::super::control::is_due;
use crate::net::{Lesson, NeighbourId, NeighbourRequest};

/// What is remembered of a question.
const SECOND: Duration = super::super::TICK;
/// How long a lesson counts against the limits. `forget` runs once a second, so a lesson beyond them is delayed by at
/// most a second and a half.
const WINDOW: Duration = Duration::from_millis(500);
/// Addresses that one host may have within `WINDOW`. Of those beyond, the last one counts, later.
const MOVES: u8 = 32;
/// Hosts that may be learned in a second.
const TAUGHT_AT_ONCE: usize = 4096;
/// A host that seems to have moved is asked for so long, once a second: Linux takes no second address from replies within
/// a second (`locktime` in arp(7)). Some hosts send by other MAC addresses than they receive by, and always seem so.
const ASK_MOVED_AGAIN: Duration = Duration::from_secs(3);
/// Such hosts that are remembered.
const MOVED: usize = 1024;

/// A host that the kernel was taught of.
#[derive(Debug, Clone, Copy)]
struct Taught {
    mac: Mac,
    at: Instant,
    times: u8,
    /// What it has said beyond that.
    later: Option<Lesson>,
}

/// See the module's head.
#[derive(Debug, Default)]
pub(in super::super) struct Learned {
    taught: HashMap<NeighbourId, Taught>,
    moved: HashMap<(InterfaceId, IpAddr), Instant>,
    passed_on: HashMap<(IpAddr, Mac), Instant>,
    table_was_full: Option<Instant>,
}

impl Learned {
    /// What the kernel is to be taught now: what it was taught a moment ago is on its way here.
    pub(super) fn due(&mut self, lesson: Lesson, now: Instant) -> Option<Lesson> {
        let is_full = self.taught.len() >= TAUGHT_AT_ONCE;
        let taught = match self.taught.entry(lesson.id) {
            Entry::Occupied(taught) => taught.into_mut(),
            Entry::Vacant(_) if is_full => return None,
            Entry::Vacant(place) => {
                place.insert(Taught { mac: lesson.mac, at: now, times: 1, later: None });
                return Some(lesson);
            }
        };
        if taught.mac == lesson.mac {
            taught.later = None;
            return None;
        }
        if taught.times >= MOVES {
            taught.later = Some(lesson);
            return None;
        }
        (taught.mac, taught.times, taught.later) = (lesson.mac, taught.times + 1, None);
        Some(lesson)
    }

    /// Whether it is time to ask a host that seems to have moved.
    pub(super) fn may_ask(&mut self, id: (InterfaceId, IpAddr), now: Instant) -> bool {
        let recently = self.moved.get(&id).is_some_and(|at| now.duration_since(*at) < ASK_MOVED_AGAIN);
        if recently || self.moved.len() >= MOVED {
            return false;
        }
        self.moved.insert(id, now);
        true
    }

    /// Hosts that are to be asked once more.
    pub(super) fn moved(&self) -> Vec<(InterfaceId, IpAddr)> {
        self.moved.keys().copied().collect()
    }

    /// Whether a host is being asked. The kernel must not verify it meanwhile: a change of its entry's state makes Linux
    /// ignore replies for another second.
    pub(super) fn is_asked(&self, interface: InterfaceId, address: IpAddr) -> bool {
        self.moved.contains_key(&(interface, address))
    }

    /// Whether a question is to be passed on: the same one not twice a second.
    pub(super) fn may_pass_on(&mut self, sender: IpAddr, mac: Mac, now: Instant) -> bool {
        is_due(&mut self.passed_on, (sender, mac), now)
    }

    pub(super) fn may_report_a_full_table(&mut self, now: Instant, pause: Duration) -> bool {
        let recently = self.table_was_full.is_some_and(|at| now.duration_since(at) < pause);
        if !recently {
            self.table_was_full = Some(now);
        }
        !recently
    }

    /// To be called once a second; gives what was too often for the last one.
    pub(super) fn forget(&mut self, now: Instant) -> Vec<NeighbourRequest> {
        let is_old = |at: Instant| now.duration_since(at) >= SECOND;
        let old = self.taught.extract_if(|_, taught| now.duration_since(taught.at) >= WINDOW);
        let later = old.filter_map(|(_, taught)| taught.later.map(NeighbourRequest::Teach)).collect();
        self.passed_on.retain(|_, at| !is_old(*at));
        self.moved.retain(|_, at| now.duration_since(*at) < ASK_MOVED_AGAIN);
        later
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u32) -> NeighbourId {
        (7, IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + n)))
    }

    #[test]
    fn a_flood_of_questions_is_no_flood_of_requests() {
        let (mut learned, start) = (Learned::default(), crate::clock::now());
        let lesson = |n, last| Lesson { id: id(n), mac: Mac([2, 0, 0, 0, 0, last]), creates: false };
        assert_eq!(learned.due(lesson(1, 0), start), Some(lesson(1, 0)));
        assert_eq!(learned.due(lesson(1, 0), start), None, "on its way");
        let here_and_there = (1..100).filter(|last| learned.due(lesson(1, *last), start).is_some()).count();
        assert_eq!(here_and_there, usize::from(MOVES) - 1);
        let others = (2..10_000).filter(|n| learned.due(lesson(*n, 0), start).is_some()).count();
        assert_eq!(others, TAUGHT_AT_ONCE - 1);
        assert_eq!(learned.forget(start), [], "not at once");
        assert_eq!(learned.forget(start + WINDOW), [NeighbourRequest::Teach(lesson(1, 99))]);
        assert!(learned.due(lesson(9_999, 0), start + SECOND).is_some());
    }

    #[test]
    fn a_host_that_seems_to_have_moved_is_asked_now_and_then() {
        let (mut learned, start) = (Learned::default(), crate::clock::now());
        let id = |n| (InterfaceId(0), id(n).1);
        assert!(!learned.is_asked(id(1).0, id(1).1));
        assert!(learned.may_ask(id(1), start) && !learned.may_ask(id(1), start + ASK_MOVED_AGAIN / 2));
        assert!(learned.is_asked(id(1).0, id(1).1));
        assert_eq!((2..10_000).filter(|n| learned.may_ask(id(*n), start)).count(), MOVED - 1);
        learned.forget(start + ASK_MOVED_AGAIN / 2);
        assert_eq!(learned.moved().len(), MOVED);
        learned.forget(start + ASK_MOVED_AGAIN);
        assert_eq!(learned.moved(), []);
        assert!(learned.may_ask(id(1), start + ASK_MOVED_AGAIN));
    }

    #[test]
    fn a_full_table_is_reported_now_and_then() {
        let (mut learned, start) = (Learned::default(), crate::clock::now());
        let mut at = |seconds| {
            learned.may_report_a_full_table(start + Duration::from_secs(seconds), Duration::from_secs(60))
        };
        assert_eq!([at(0), at(59), at(60)], [true, false, true]);
    }
}
