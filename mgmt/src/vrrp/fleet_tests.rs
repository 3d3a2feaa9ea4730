use std::time::Duration;

use dataplane::snapshot::Tenure;
use dataplane::types::Mac;

use super::*;
use crate::config::{Machine, load_str};
use crate::vrrp::router::Standing;
use crate::vrrp::timing;

const MS: Duration = Duration::from_millis(1);

/// Two boxes on one segment, each with its fleet.
struct Box {
    fleet: Fleet,
    tenures: Vec<Arc<Tenure>>,
    last: u8,
    priority: u8,
}

fn config(priority: u8, rest: &str) -> Vec<Arc<Vrrp>> {
    let instance = |name, vrid, address| {
        format!(
            "[[vrrp]]\nname = \"{name}\"\ninterface = \"eth0\"\nvrid = {vrid}\npriority = {priority}\n\
             advert_interval = \"100ms\"\naddresses = [\"{address}\"]\n{rest}"
        )
    };
    let text = format!(
        "[[interface]]\nname = \"eth0\"\n{}{}",
        instance("one", 1, "10.0.0.100"),
        instance("two", 2, "10.0.0.101")
    );
    let machine = Machine { cores: 2, hostname: "lb1".to_owned(), ..Machine::default() };
    load_str("lb.toml", &text, &machine).unwrap_or_else(|errors| panic!("{errors}")).0.vrrp
}

struct Lab {
    now: Instant,
    epoch: Instant,
    boxes: Vec<Box>,
    announced: usize,
    /// Nobody hears adverts of these.
    lost: Vec<u8>,
    /// Whose address is the higher one is otherwise for the second member.
    crossed: bool,
    /// So many are not in the configuration, from the first one on.
    skipped: usize,
}

impl Lab {
    fn new(priorities: &[u8], rest: &str) -> Self {
        let now = crate::clock::now();
        let mut lab = Self {
            now,
            epoch: now,
            boxes: Vec::new(),
            announced: 0,
            lost: Vec::new(),
            crossed: false,
            skipped: 0,
        };
        for (last, priority) in (1..).zip(priorities) {
            let tenures = vec![Arc::new(Tenure::new()), Arc::new(Tenure::new())];
            lab.boxes.push(Box { fleet: Fleet::new(now), tenures, last, priority: *priority });
            lab.follow(lab.boxes.len() - 1, rest, [true; 2]);
        }
        lab
    }

    /// `up`: whether each instance has a link.
    fn follow(&mut self, id: usize, rest: &str, up: [bool; 2]) {
        let Box { fleet, tenures, last, priority } = &mut self.boxes[id];
        let crossed = self.crossed;
        let place = |member: usize| {
            let own = if crossed && member == 1 { 9 - *last } else { *last };
            Place { link: 7, mac: Mac([2, 0, 0, 0, 0, *last]), own: IpAddr::from([10, 0, 0, own]) }
        };
        let wanted = config(*priority, rest).into_iter().zip(tenures).zip(up);
        let wanted = (0..).zip(wanted).map(|(member, ((config, tenure), up))| Wanted {
            standing: Standing::Fit(config.priority),
            config,
            place: up.then(|| place(member)),
            tenure: Arc::clone(tenure),
        });
        fleet.follow(wanted.skip(self.skipped).collect(), self.now);
        self.deliver();
    }

    fn deliver(&mut self) {
        loop {
            let mut frames = Vec::new();
            for (from, sender) in self.boxes.iter_mut().enumerate() {
                for (_, effect) in sender.fleet.take_effects() {
                    match effect {
                        Effect::Frame(_, bytes) => frames.push((from, bytes)),
                        Effect::Announce(..) => self.announced += 1,
                        _ => {}
                    }
                }
            }
            if frames.is_empty() {
                return;
            }
            frames.retain(|(_, bytes)| !self.lost.contains(&bytes[35]));
            for (from, bytes) in frames {
                for to in (0..self.boxes.len()).filter(|to| *to != from) {
                    self.boxes[to].fleet.frame(self.now, 7, &bytes);
                }
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += MS;
            for id in 0..self.boxes.len() {
                self.boxes[id].fleet.timers(self.now);
                self.deliver();
            }
        }
    }

    fn states(&self, id: usize) -> Vec<State> {
        self.boxes[id].fleet.reports().map(|report| report.state).collect()
    }

    fn held(&self, id: usize) -> Vec<bool> {
        let millis = u32::try_from((self.now - self.epoch).as_millis()).unwrap();
        self.boxes[id].tenures.iter().map(|tenure| tenure.is_claimed(millis)).collect()
    }
}

#[test]
fn the_better_box_is_master_and_its_workers_hear_of_it() {
    let mut lab = Lab::new(&[200, 100], "");
    lab.run(MS * 1000);
    assert_eq!((lab.states(0), lab.states(1)), (vec![State::Master; 2], vec![State::Backup; 2]));
    assert_eq!((lab.held(0), lab.held(1)), (vec![true; 2], vec![false; 2]));
    assert!(lab.announced > 0);
    let backup = lab.boxes[1].fleet.reports().next().unwrap();
    assert_eq!((backup.master, backup.counters.sent), (Some(IpAddr::from([10, 0, 0, 1])), 0));
    assert!(backup.counters.received >= 6);
}

#[test]
fn whoever_falls_silent_has_lost_the_addresses_before_another_has_them() {
    let mut lab = Lab::new(&[200, 100], "");
    lab.run(MS * 1000);
    let silent = lab.boxes.remove(0);
    for _ in 0..400 {
        lab.run(MS);
        let millis = u32::try_from((lab.now - lab.epoch).as_millis()).unwrap();
        assert!(!(silent.tenures[0].is_held(millis) && lab.held(0)[0]), "at {millis} ms");
    }
    assert_eq!(lab.held(0), [true; 2]);
}

#[test]
fn a_hand_over_has_no_moment_without_a_master() {
    let mut lab = Lab::new(&[200, 100], "");
    lab.run(MS * 1000);
    assert!(lab.boxes[0].fleet.hand_over("one", lab.now));
    for _ in 0..300 {
        lab.deliver();
        assert!(lab.held(0)[0] || lab.held(1)[0]);
        lab.run(MS);
    }
    assert_eq!((lab.states(0)[0], lab.states(1)[0]), (State::Backup, State::Master));
    assert_eq!((lab.states(0)[1], lab.states(1)[1]), (State::Master, State::Backup), "the other one stays");
    assert!(!lab.boxes[0].fleet.hand_over("one", lab.now) && !lab.boxes[0].fleet.hand_over("no", lab.now));
}

#[test]
fn a_shutdown_ends_when_the_other_box_has_the_addresses() {
    let mut lab = Lab::new(&[200, 100], "");
    lab.run(MS * 1000);
    lab.boxes[0].fleet.shut_down(lab.now);
    assert!(!lab.boxes[0].fleet.has_ended());
    lab.run(MS * 150);
    assert!(lab.boxes[0].fleet.has_ended());
    assert_eq!((lab.held(0), lab.held(1)), (vec![false; 2], vec![true; 2]));
}

#[test]
fn a_group_moves_together_when_one_of_it_has_no_link() {
    let group = "sync_group = \"gateway\"\n";
    let mut lab = Lab::new(&[200, 100], group);
    lab.run(MS * 1000);
    lab.follow(0, group, [true, false]);
    assert_eq!(lab.states(0), [State::Fault; 2]);
    lab.run(MS * 400);
    assert_eq!(lab.states(1), [State::Master; 2]);
    lab.follow(0, group, [true, true]);
    lab.run(MS * 1000);
    assert_eq!((lab.states(0), lab.states(1)), (vec![State::Master; 2], vec![State::Backup; 2]));
}

#[test]
fn a_cut_link_is_a_fault_until_it_carries_or_its_place_is_found_anew() {
    for rest in ["", "sync_group = \"gateway\"\n"] {
        a_link_is_cut(rest);
    }
}

fn a_link_is_cut(rest: &str) {
    let mut lab = Lab::new(&[200, 100], rest);
    lab.run(MS * 1000);
    let (master, fault, backup) = (vec![State::Master; 2], vec![State::Fault; 2], vec![State::Backup; 2]);
    let link = |lab: &mut Lab, link, carries| lab.boxes[0].fleet.link(lab.now, link, carries);
    link(&mut lab, Some(8), false);
    assert_eq!(lab.states(0), master, "another link");
    link(&mut lab, Some(7), false);
    assert_eq!((lab.states(0), lab.held(0)), (fault.clone(), vec![false; 2]));
    lab.follow(0, rest, [true; 2]);
    assert_eq!(lab.states(0), fault, "who says that it has a place has not looked yet");
    link(&mut lab, Some(7), true);
    assert_eq!(lab.states(0), backup);
    link(&mut lab, Some(7), false);
    link(&mut lab, None, true);
    assert_eq!(lab.states(0), backup, "news were missed");
    link(&mut lab, Some(7), false);
    lab.follow(0, rest, [false; 2]);
    lab.follow(0, rest, [true; 2]);
    assert_eq!(lab.states(0), backup, "found anew");
    lab.follow(0, rest, [false; 2]);
    link(&mut lab, Some(7), true);
    assert_eq!(lab.states(0), fault, "it has no address");
}

#[test]
fn a_group_waits_for_its_skew_when_one_of_it_has_no_link() {
    let group = "sync_group = \"gateway\"\n";
    let mut lab = Lab::new(&[200, 250, 240], group);
    lab.run(MS * 1000);
    lab.boxes.remove(0);
    assert_eq!(lab.states(0), [State::Master; 2]);
    lab.follow(0, group, [true, false]);
    lab.run(MS * 7);
    assert_eq!((lab.states(0), lab.states(1)), (vec![State::Fault; 2], vec![State::Master; 2]));
}

#[test]
fn a_group_does_not_move_for_one_link_that_loses_adverts_alone() {
    let mut lab = Lab::new(&[200, 100], "sync_group = \"gateway\"\n");
    lab.run(MS * 1000);
    let (before, transitions) = (lab.announced, |lab: &Lab, id: usize| {
        lab.boxes[id].fleet.reports().map(|report| report.counters.transitions).sum::<u64>()
    });
    lab.lost = vec![2];
    let counted = [transitions(&lab, 0), transitions(&lab, 1)];
    lab.run(MS * 2000);
    lab.lost.clear();
    lab.run(MS * 1000);
    assert_eq!([transitions(&lab, 0), transitions(&lab, 1)], counted);
    assert_eq!(lab.announced, before);
    // Its death is found as ever, by the last word of any of the two.
    lab.boxes.remove(0);
    let interval = config(100, "")[0].interval;
    lab.run(timing::master_down(interval, Priority(100)) + MS);
    assert_eq!(lab.states(0), [State::Master; 2]);
}

#[test]
fn a_group_is_handed_over_as_a_whole_and_stays_so() {
    let mut lab = Lab::new(&[200, 100], "sync_group = \"gateway\"\n");
    lab.run(MS * 1000);
    assert!(lab.boxes[0].fleet.hand_over("two", lab.now));
    for _ in 0..2000 {
        lab.deliver();
        for id in [0, 1] {
            assert!(lab.held(0)[id] || lab.held(1)[id]);
        }
        lab.run(MS);
    }
    assert_eq!((lab.states(0), lab.states(1)), (vec![State::Backup; 2], vec![State::Master; 2]));
    assert!(lab.boxes[1].fleet.hand_over("one", lab.now));
    lab.run(MS * 200);
    assert_eq!((lab.states(0), lab.states(1)), (vec![State::Master; 2], vec![State::Backup; 2]));
}

#[test]
fn a_group_that_was_split_announces_all_addresses_wherever_it_heals_first() {
    for first in [1, 2] {
        let mut lab = Lab::new(&[200, 100], "sync_group = \"gateway\"\ngarp = { delay = \"0s\" }\n");
        lab.run(MS * 1000);
        lab.lost = vec![1, 2];
        lab.run(MS * 1000);
        assert_eq!((lab.states(0), lab.states(1)), (vec![State::Master; 2], vec![State::Master; 2]));
        let before = lab.announced;
        lab.lost = vec![3 - first];
        lab.run(MS * 150);
        assert_eq!((lab.states(0), lab.states(1)), (vec![State::Master; 2], vec![State::Backup; 2]));
        assert_eq!(lab.announced - before, 2, "{first}");
    }
}

#[test]
fn masters_on_two_boxes_that_become_one_group_come_together() {
    let mut lab = Lab::new(&[100, 100], "");
    lab.run(MS * 1000);
    lab.boxes[0].fleet.hand_over("two", lab.now);
    lab.run(MS * 300);
    assert_eq!(
        (lab.states(0), lab.states(1)),
        (vec![State::Master, State::Backup], vec![State::Backup, State::Master])
    );
    for id in [0, 1] {
        lab.follow(id, "sync_group = \"gateway\"\n", [true; 2]);
    }
    lab.run(MS * 300);
    let mut states = [lab.states(0), lab.states(1)];
    states.sort_by_key(|states| states[0] == State::Master);
    assert_eq!(states, [vec![State::Backup; 2], vec![State::Master; 2]]);
}

#[test]
fn an_owner_in_a_group_is_master_with_all_of_it() {
    let group = "sync_group = \"gateway\"\n";
    let mut lab = Lab::new(&[255], group);
    assert_eq!(lab.states(0), [State::Master; 2]);
    let mut held = Lab::new(&[100], "");
    held.boxes[0].priority = 255;
    held.boxes[0].fleet = Fleet::new(held.now);
    held.follow(0, group, [true, false]);
    assert_eq!((held.states(0), held.held(0)), (vec![State::Fault; 2], vec![false; 2]));
    lab.run(MS);
}

/// Each box is the better one of one member: as with equal priorities and addresses of two families.
#[test]
fn groups_whose_ranks_are_crossed_do_not_yield_to_each_other_for_ever() {
    let group = "sync_group = \"gateway\"\n";
    let mut lab = Lab::new(&[100, 100], group);
    lab.crossed = true;
    for id in [0, 1] {
        lab.boxes[id].fleet = Fleet::new(lab.now);
        lab.follow(id, group, [true; 2]);
    }
    lab.lost = vec![1, 2];
    lab.run(MS * 1000);
    assert_eq!((lab.states(0), lab.states(1)), (vec![State::Master; 2], vec![State::Master; 2]));
    lab.lost.clear();
    lab.run(MS * 1000);
    let mut states = [lab.states(0), lab.states(1)];
    states.sort_by_key(|states| states[0] == State::Master);
    assert_eq!(states, [vec![State::Backup; 2], vec![State::Master; 2]]);
}

#[test]
fn a_group_is_handed_over_even_where_its_next_master_is_not_heard() {
    let mut lab = Lab::new(&[200, 100], "sync_group = \"gateway\"\n");
    lab.run(MS * 1000);
    lab.lost = vec![2];
    assert!(lab.boxes[0].fleet.hand_over("one", lab.now));
    lab.run(MS * 80);
    // The second one goes on until its time is over; a reload meanwhile does not bring the first one back.
    lab.follow(0, "sync_group = \"gateway\"\n", [true; 2]);
    assert_eq!(lab.states(0), [State::Backup, State::Master]);
    lab.run(MS * 1000);
    assert_eq!((lab.states(0), lab.states(1)), (vec![State::Backup; 2], vec![State::Master; 2]));
}

#[test]
fn who_has_waited_for_its_group_does_not_when_it_is_alone_in_it() {
    let group = "sync_group = \"gateway\"\n";
    let mut lab = Lab::new(&[200, 100], group);
    lab.run(MS * 1000);
    lab.lost = vec![2];
    lab.run(MS * 500);
    assert_eq!(lab.states(1), [State::Backup; 2]);
    lab.skipped = 1;
    lab.follow(1, group, [true; 2]);
    assert_eq!(lab.states(1), [State::Master]);
}

#[test]
fn a_reload_moves_nothing_and_what_leaves_says_so() {
    let mut lab = Lab::new(&[200, 100], "");
    lab.run(MS * 1000);
    let transitions = |lab: &Lab| lab.boxes[0].fleet.reports().map(|r| r.counters.transitions).sum::<u64>();
    let before = transitions(&lab);
    lab.follow(0, "preempt_delay = \"1s\"\ngarp = { repeat = 1 }\n", [true; 2]);
    lab.run(MS * 500);
    assert_eq!((transitions(&lab), lab.states(0)), (before, vec![State::Master; 2]));
    lab.boxes[0].fleet.follow(Vec::new(), lab.now);
    assert_eq!(lab.held(0), [false; 2]);
    lab.deliver();
    lab.run(MS * 100);
    assert_eq!(lab.states(1), [State::Master; 2], "no longer than the skew");
}

#[test]
fn a_death_that_bfd_has_found_is_not_waited_for() {
    let watched = "bfd = { peers = [\"10.0.0.1\"] }\n";
    for (rest, peer, expected) in
        [(watched, 1, State::Master), ("", 1, State::Backup), (watched, 9, State::Backup)]
    {
        let mut lab = Lab::new(&[200, 100], rest);
        lab.run(MS * 1000);
        lab.boxes.remove(0);
        lab.boxes[0].fleet.peer_died([10, 0, 0, peer].into(), lab.now);
        assert_eq!(
            lab.states(0),
            [State::Backup; 2],
            "not before its skew: the master may only have stuttered"
        );
        lab.run(MS * 62);
        assert_eq!(lab.states(0), [expected; 2], "{rest} {peer}");
    }
}

#[test]
fn a_master_that_bfd_is_wrong_about_stays_or_comes_back() {
    let mut lab = Lab::new(&[200, 100], "bfd = { peers = [\"10.0.0.1\"] }\n");
    lab.run(MS * 1000);
    lab.boxes[1].fleet.peer_died([10, 0, 0, 1].into(), lab.now);
    lab.run(MS * 300);
    assert_eq!((lab.states(0), lab.states(1)), (vec![State::Master; 2], vec![State::Backup; 2]));
}

/// Whatever happened: one box has all addresses of a group, and the other one none.
#[test]
fn a_group_is_whole_on_one_box_after_any_life() {
    let group = "sync_group = \"gateway\"\n";
    for seed in 0..150_u64 {
        let mut state = seed;
        let mut roll = |sides: u32| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            u32::try_from((state >> 33) % u64::from(sides)).unwrap()
        };
        let mut lab = Lab::new(&[200, [200, 100][roll(2) as usize]], group);
        for _ in 0..12 {
            lab.run(MS * roll(500));
            let id = roll(2) as usize;
            match roll(5) {
                0 => lab.lost = vec![[1, 2][roll(2) as usize]],
                1 => lab.lost = vec![1, 2],
                2 => lab.lost.clear(),
                3 => lab.follow(id, group, [roll(2) == 0, roll(2) == 0]),
                _ => _ = lab.boxes[id].fleet.hand_over("one", lab.now),
            }
        }
        lab.lost.clear();
        (0..2).for_each(|id| lab.follow(id, group, [true; 2]));
        lab.run(MS * 1500);
        for _ in 0..100 {
            lab.run(MS * 10);
            let mut states = [lab.states(0), lab.states(1)];
            states.sort_by_key(|states| states[0] == State::Master);
            assert_eq!(states, [vec![State::Backup; 2], vec![State::Master; 2]], "life {seed}");
        }
    }
}
