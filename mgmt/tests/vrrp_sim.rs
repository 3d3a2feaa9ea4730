//! Two and three routers under virtual time, on a segment that loses, delays, reorders and repeats adverts. Now and then
//! one of them stands still for a while, which to it is a jump of the clock.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use mgmt::vrrp::advert::Heard;
use mgmt::vrrp::router::{
    Action, AnnouncePlan, Event, Link, Repeats, Settings, Standing, State, VirtualRouter,
};
use mgmt::vrrp::timing::{AdvertInterval, master_down};
use mgmt::vrrp::{Priority, Version};

const MS: Duration = Duration::from_millis(1);
const ADVERT: Duration = Duration::from_millis(100);
/// The longest that anybody waits for a dead master, and one way over the segment.
const BOUND: Duration = Duration::from_millis(410);

/// So long lets one that fails again and again a worse one be, and no longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// SplitMix64: schedules must come again from their number.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// What the segment does to an advert.
#[derive(Clone, Copy)]
struct Wire {
    lost_percent: u64,
    longest_us: u64,
    twice_percent: u64,
}

const GOOD: Wire = Wire { lost_percent: 0, longest_us: 300, twice_percent: 0 };
const BAD: Wire = Wire { lost_percent: 40, longest_us: 150_000, twice_percent: 20 };

struct Segment {
    now: Instant,
    routers: Vec<VirtualRouter>,
    alive: Vec<bool>,
    /// Until when nothing is done there: the clock jumps, as it seems to it.
    stalled: Vec<Instant>,
    /// When, to whom, what.
    flying: Vec<(Instant, usize, Heard)>,
    wire: Wire,
    dice: Dice,
    /// Who has the addresses.
    holds: Vec<bool>,
    transitions: usize,
}

impl Segment {
    fn new(seed: u64, routers: &[(u8, bool)]) -> Self {
        let interval = AdvertInterval::new(Version::V3, ADVERT).unwrap();
        let announce = AnnouncePlan { repeats: Repeats(1), delay: Duration::ZERO, refresh: Duration::ZERO };
        let router = |(id, &(priority, preempt)): (usize, &(u8, bool))| {
            VirtualRouter::new(Settings {
                interval,
                priority: Priority(priority),
                own: address(id),
                preempt,
                preempt_delay: Duration::ZERO,
                start_delay: Duration::ZERO,
                announce,
                grouped: false,
            })
        };
        let routers: Vec<_> = routers.iter().enumerate().map(router).collect();
        let count = routers.len();
        let now = mgmt::clock::now();
        let mut segment = Self {
            now,
            routers,
            alive: vec![true; count],
            stalled: vec![now; count],
            flying: Vec::new(),
            wire: GOOD,
            dice: Dice(seed),
            holds: vec![false; count],
            transitions: 0,
        };
        (0..count).for_each(|id| segment.tell(id, Event::Start));
        segment
    }

    fn tell(&mut self, id: usize, event: Event) {
        for action in self.routers[id].handle(self.now, event) {
            match action {
                Action::Send { priority, interval } => {
                    self.send(id, Heard { source: address(id), priority, interval });
                }
                Action::Take => self.holds[id] = true,
                Action::Release => self.holds[id] = false,
                Action::Notify(_) => self.transitions += 1,
                Action::Announce(_) | Action::Report(_) => {}
            }
        }
        let is_master = self.routers[id].state() == State::Master;
        assert_eq!(self.holds[id], is_master, "who is master has the addresses, and nobody else");
    }

    fn send(&mut self, from: usize, heard: Heard) {
        for to in (0..self.routers.len()).filter(|to| *to != from) {
            let copies = 1 + u64::from(self.dice.roll(100) < self.wire.twice_percent);
            for _ in 0..copies {
                if self.dice.roll(100) >= self.wire.lost_percent {
                    let delay = Duration::from_micros(50 + self.dice.roll(self.wire.longest_us));
                    self.flying.push((self.now + delay, to, heard));
                }
            }
        }
    }

    fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Gives the time until the condition held, if it came to that.
    fn run_until(&mut self, time: Duration, holds: impl Fn(&Self) -> bool) -> Option<Duration> {
        let (begin, end) = (self.now, self.now + time);
        while !holds(self) {
            let timers = self.routers.iter().enumerate().filter(|(id, _)| self.alive[*id]);
            let timer = timers
                .filter_map(|(id, router)| Some((router.next_deadline()?.max(self.stalled[id]), id)))
                .min();
            // What has come during a stall is heard behind it, and before any timer.
            let flights = self.flying.iter().map(|(at, to, _)| (*at).max(self.stalled[*to]));
            let flight = flights.zip(0..).min();
            let next = [timer.map(|(at, _)| at), flight.map(|(at, _)| at)].into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at <= end) else {
                self.now = end;
                return None;
            };
            self.now = self.now.max(next);
            // Adverts before timers, as the driver must.
            match (flight, timer) {
                (Some((at, index)), _) if at == next => {
                    let (_, to, heard) = self.flying.swap_remove(index);
                    if self.alive[to] {
                        self.tell(to, Event::Advert(heard));
                    }
                }
                (_, Some((_, id))) => self.tell(id, Event::Timer),
                (_, None) => {}
            }
        }
        Some(self.now - begin)
    }

    fn masters(&self) -> Vec<usize> {
        (0..self.routers.len()).filter(|id| self.alive[*id] && self.holds[*id]).collect()
    }

    fn kill(&mut self, id: usize) {
        self.alive[id] = false;
        self.holds[id] = false;
    }

    /// After the segment has become good: one master within the bound, and no change any more.
    fn must_settle(&mut self, on: Option<usize>, seed: u64) {
        self.wire = GOOD;
        self.flying.clear();
        self.stalled.fill(self.now);
        // Two rounds: whoever was given a wrong hope before is put right, then the best one takes over.
        let end = self.now + BOUND * 2;
        while self.run_until(end - self.now, |segment| segment.masters().len() > 1).is_some() {
            let both = self.run_until(BOUND, |segment| segment.masters().len() <= 1);
            assert!(both.is_some(), "schedule {seed}: two masters for longer than an advert takes to come");
        }
        let masters = self.masters();
        assert_eq!(masters.len(), 1, "schedule {seed}: {masters:?}");
        if let Some(best) = on {
            assert_eq!(masters, [best], "schedule {seed}");
        }
        let before = self.transitions;
        self.run(ADVERT * 30);
        assert_eq!((self.masters(), self.transitions), (masters, before), "schedule {seed}");
    }
}

fn address(id: usize) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, u8::try_from(id + 1).unwrap()).into()
}

/// A random life on a bad segment, then a good one.
fn schedule(seed: u64) {
    let mut dice = Dice(!seed);
    let count = 2 + usize::try_from(dice.roll(2)).unwrap();
    let preempt = dice.roll(2) == 0;
    let mut priority = || u8::try_from(100 + dice.roll(3) * 50).unwrap();
    let mut priorities: Vec<u8> = (0..count).map(|_| priority()).collect();
    let all: Vec<_> = priorities.iter().map(|priority| (*priority, preempt)).collect();
    let mut segment = Segment::new(seed, &all);
    segment.wire = BAD;
    let mut failed = vec![0; count];
    for _ in 0..12 {
        segment.run(MS * u32::try_from(dice.roll(400)).unwrap());
        let id = usize::try_from(dice.roll(u64::try_from(count).unwrap())).unwrap();
        match dice.roll(5) {
            0 => {
                failed[id] += u32::from(segment.holds[id]);
                segment.tell(id, Event::Link(Link::Down));
            }
            1 => segment.tell(id, Event::Link(Link::Up)),
            2 => segment.stalled[id] = segment.now + MS * u32::try_from(dice.roll(1_500)).unwrap(),
            3 => {
                priorities[id] = u8::try_from(50 + dice.roll(200)).unwrap();
                segment.tell(id, Event::Track(Standing::Fit(Priority(priorities[id]))));
            }
            _ => {}
        }
    }
    (0..count).for_each(|id| segment.tell(id, Event::Link(Link::Up)));
    if failed.iter().any(|failed| *failed >= 3) {
        // Who has failed so often as master takes over from a worse one later.
        segment.wire = GOOD;
        segment.run(LONGEST_PAUSE);
    }
    let best = (0..count).max_by_key(|id| (priorities[*id], *id)).unwrap();
    // Among equals whoever is master stays.
    let is_alone = priorities.iter().filter(|priority| **priority == priorities[best]).count() == 1;
    segment.must_settle((preempt && is_alone).then_some(best), seed);
}

#[test]
fn vrrp_routers_settle_on_one_master_after_any_life() {
    (0..100_000).for_each(schedule);
}

#[test]
fn vrrp_a_dead_master_is_replaced_within_the_master_down_time() {
    let interval = AdvertInterval::new(Version::V3, ADVERT).unwrap();
    for seed in 0..200 {
        let mut segment = Segment::new(seed, &[(200, true), (150, true), (100, true)]);
        segment.run(BOUND * 3);
        assert_eq!(segment.masters(), [0]);
        segment.run(MS * u32::try_from(seed % 100).unwrap());
        segment.kill(0);
        let took = segment.run_until(BOUND, |segment| segment.masters() == [1]).unwrap();
        assert!(took <= master_down(interval, Priority(150)) + MS, "{took:?}");
        segment.run(ADVERT * 20);
        assert_eq!(segment.masters(), [1]);
    }
}

#[test]
fn vrrp_two_lost_adverts_in_a_row_change_nothing() {
    let mut segment = Segment::new(1, &[(200, true), (100, true)]);
    segment.run(BOUND * 3);
    let before = segment.transitions;
    for _ in 0..100 {
        segment.wire = Wire { lost_percent: 100, ..GOOD };
        segment.run(ADVERT * 2);
        segment.wire = GOOD;
        segment.run(ADVERT);
    }
    assert_eq!((segment.masters(), segment.transitions), (vec![0], before));
}

/// Somebody has the addresses at each moment, two of them no longer than an advert is under way.
#[test]
fn vrrp_a_planned_change_leaves_no_gap() {
    for event in [Event::HandOver, Event::Shutdown] {
        for seed in 0..100 {
            let mut segment = Segment::new(seed, &[(200, true), (100, true)]);
            segment.run(BOUND * 3);
            segment.tell(0, event);
            let gap = segment.run_until(BOUND, |segment| segment.masters().len() != 1);
            assert!(gap.is_some_and(|gap| gap < ADVERT), "{gap:?}");
            assert_eq!(segment.masters(), [0, 1]);
            let both = segment.run_until(BOUND, |segment| segment.masters() != [0, 1]);
            assert!(both.is_some_and(|both| both < MS), "{both:?}");
            assert_eq!(segment.masters(), [1]);
            segment.run(ADVERT * 50);
            assert_eq!(segment.masters(), [1]);
        }
    }
}

#[test]
fn vrrp_a_lost_release_still_leaves_no_gap() {
    let mut segment = Segment::new(3, &[(200, true), (100, true)]);
    segment.run(BOUND * 3);
    segment.wire = Wire { lost_percent: 100, ..GOOD };
    segment.tell(0, Event::Shutdown);
    segment.wire = GOOD;
    let gap = segment.run_until(BOUND, |segment| segment.masters().is_empty() || segment.masters() == [1]);
    assert!(gap.is_some() && segment.masters() == [1]);
}

#[test]
fn vrrp_preemption_is_by_the_settings() {
    for (preempt, master) in [(true, 0), (false, 1)] {
        let mut segment = Segment::new(5, &[(200, preempt), (100, preempt)]);
        segment.tell(0, Event::Link(Link::Down));
        segment.run(BOUND * 2);
        assert_eq!(segment.masters(), [1]);
        segment.tell(0, Event::Link(Link::Up));
        segment.run(BOUND * 2);
        assert_eq!(segment.masters(), [master]);
    }
}

#[test]
fn vrrp_a_split_between_equals_heals_to_the_higher_address() {
    let mut segment = Segment::new(7, &[(100, true), (100, true)]);
    segment.wire = Wire { lost_percent: 100, ..GOOD };
    segment.run(BOUND * 3);
    assert_eq!(segment.masters(), [0, 1]);
    segment.must_settle(Some(1), 7);
}
