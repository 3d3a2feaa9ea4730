//! Known answers for what has an order, statistics for what has none.

use std::cell::RefCell;
use std::collections::HashMap;

use super::maglev::spread;
use super::*;
use penstock_types::Tick;
use penstock_types::WorkerId;

/// Backends whose flows the test counts itself.
#[derive(Default)]
struct Bench {
    loads: RefCell<HashMap<BackendId, Load>>,
}

impl Loads for Bench {
    fn load(&self, id: BackendId) -> Load {
        self.loads.borrow().get(&id).copied().unwrap_or_default()
    }
}

impl Bench {
    fn begin(&self, id: BackendId) {
        self.loads.borrow_mut().entry(id).or_default().active += 1;
    }

    fn set(&self, loads: &[(u32, u32)]) {
        let of = |(n, (active, inactive)): (u32, &(u32, u32))| {
            (BackendId(n), Load { active: *active, inactive: *inactive, is_full: false })
        };
        *self.loads.borrow_mut() = (0..).zip(loads).map(of).collect();
    }

    fn fill(&self, id: u32, is_full: bool) {
        self.loads.borrow_mut().entry(BackendId(id)).or_default().is_full = is_full;
    }
}

fn candidates(weights: &[u16]) -> Vec<Candidate> {
    let name = |i: u32| format!("10.0.{}.{}:80", i / 200 + 1, i % 200 + 100);
    (0..).zip(weights).map(|(i, &weight)| Candidate::new(BackendId(i), name(i), weight)).collect()
}

fn schedule(kind: Kind, weights: &[u16]) -> Schedule {
    Schedule::compile(kind, &candidates(weights), 1, "test")
}

fn recipe(kind: Kind, candidates: Vec<Candidate>, fallback: bool) -> Recipe {
    Recipe { kind, candidates, workers: 1, cluster: "test".to_owned(), fallback }
}

fn ask(hash: u64) -> Ask {
    Ask::new(WorkerId(0), hash)
}

/// Who takes `length` flows, none of which ends.
fn sequence(kind: Kind, weights: &[u16], length: usize) -> String {
    let (schedule, loads) = (schedule(kind, weights), Bench::default());
    let mut chosen = String::new();
    for _ in 0..length {
        let Some(id) = schedule.choose(&ask(0), &loads) else {
            chosen.push('-');
            continue;
        };
        loads.begin(id);
        chosen.push(char::from(b'A' + u8::try_from(id.0).unwrap()));
    }
    chosen
}

#[test]
fn rr_takes_each_in_turn_and_leaves_out_weight_zero() {
    assert_eq!(sequence(Kind::RoundRobin, &[1, 1, 9], 7), "ABCABCA");
    assert_eq!(sequence(Kind::RoundRobin, &[1, 0, 1], 4), "ACAC");
}

#[test]
fn rr_workers_start_apart() {
    let schedule = Schedule::compile(Kind::RoundRobin, &candidates(&[1, 1, 1, 1]), 2, "test");
    let loads = Bench::default();
    let second = |_| schedule.choose(&Ask::new(WorkerId(1), 0), &loads).unwrap().0;
    assert_eq!((0..4).map(second).collect::<Vec<_>>(), [2, 3, 0, 1]);
}

#[test]
fn wrr_has_the_order_that_lvs_documents() {
    assert_eq!(sequence(Kind::WeightedRoundRobin, &[4, 3, 2], 18), "AABABCABCAABABCABC");
    assert_eq!(sequence(Kind::WeightedRoundRobin, &[1, 1], 4), "ABAB");
    assert_eq!(sequence(Kind::WeightedRoundRobin, &[100, 50], 6), "AABAAB");
    assert_eq!(sequence(Kind::WeightedRoundRobin, &[65535, 1], 5), "AAAAA");
}

#[test]
fn counting_schedulers_have_ipvs_order() {
    // Of equals the first; weights are no matter.
    assert_eq!(sequence(Kind::LeastConnections, &[1, 9, 0, 1], 6), "ABDABD");
    // Idle ones are equal whatever their weights.
    assert_eq!(sequence(Kind::WeightedLeastConnections, &[1, 3], 8), "ABBBABBB");
    // (0+1)/1 against (0+1)/3, and so on: the light one waits for its turn.
    assert_eq!(sequence(Kind::ShortestDelay, &[1, 3], 8), "BBABBBAB");
    assert_eq!(sequence(Kind::ShortestDelay, &[1, 2, 3], 6), "CBCABC");
    // The idle ones first, then as `sed`.
    assert_eq!(sequence(Kind::NeverQueue, &[1, 3], 8), "ABBBBBAB");
    assert_eq!(sequence(Kind::NeverQueue, &[1, 100, 100], 6), "ABCBCB");
}

#[test]
fn an_active_flow_weighs_as_much_as_256_that_are_closing() {
    let loads = Bench::default();
    let lc = schedule(Kind::LeastConnections, &[1, 1]);
    loads.set(&[(1, 0), (0, 255)]);
    assert_eq!(lc.choose(&ask(0), &loads), Some(BackendId(1)));
    loads.set(&[(1, 0), (0, 257)]);
    assert_eq!(lc.choose(&ask(0), &loads), Some(BackendId(0)));
    // `sed` takes no notice of what is closing.
    loads.set(&[(1, 0), (0, 9999)]);
    assert_eq!(schedule(Kind::ShortestDelay, &[1, 1]).choose(&ask(0), &loads), Some(BackendId(1)));
}

#[test]
fn counting_neither_overflows_nor_divides() {
    let loads = Bench::default();
    let most = u32::MAX >> 1;
    loads.set(&[(most, most), (most, most - 1)]);
    for kind in [Kind::WeightedLeastConnections, Kind::ShortestDelay, Kind::NeverQueue, Kind::TwoChoices] {
        assert!(schedule(kind, &[65535, 65535]).choose(&ask(0), &loads).is_some(), "{kind:?}");
    }
}

#[test]
fn fo_stays_with_the_heaviest_until_it_is_full_or_down() {
    assert_eq!(sequence(Kind::Failover, &[1, 7, 3], 5), "BBBBB");
    let (fo, loads) = (schedule(Kind::Failover, &[1, 7, 3]), Bench::default());
    loads.fill(1, true);
    assert_eq!(fo.choose(&ask(0), &loads), Some(BackendId(2)));
    loads.fill(2, true);
    assert_eq!(fo.choose(&ask(0), &loads), Some(BackendId(0)));
    loads.fill(0, true);
    assert_eq!(fo.choose(&ask(0), &loads), None);
    assert_eq!(sequence(Kind::Failover, &[1, 0, 3], 2), "CC");
}

#[test]
fn ovf_spills_over_to_the_next_when_there_are_more_than_the_weight() {
    assert_eq!(sequence(Kind::Overflow, &[1, 3, 2], 11), "BBBBCCCAA--");
    let schedule = schedule(Kind::Overflow, &[1, 3]);
    assert_eq!(schedule.others(&ask(9)).count(), 0, "nobody stands in");
}

#[test]
fn full_backends_are_left_out_by_all() {
    let kinds = [
        Kind::RoundRobin,
        Kind::WeightedRoundRobin,
        Kind::LeastConnections,
        Kind::WeightedLeastConnections,
        Kind::ShortestDelay,
        Kind::NeverQueue,
        Kind::Failover,
        Kind::Overflow,
        Kind::SourceHash,
        Kind::DestinationHash,
        Kind::Locality,
        Kind::LocalityReplicated,
        Kind::Random,
        Kind::TwoChoices,
    ];
    for kind in kinds {
        let (schedule, loads) = (schedule(kind, &[2, 2, 2]), Bench::default());
        loads.fill(0, true);
        loads.fill(2, true);
        let chosen = (0..100).filter_map(|n| schedule.choose(&ask(spread(n)), &loads));
        let chosen: Vec<_> = chosen.collect();
        assert!(chosen.iter().all(|id| *id == BackendId(1)) && chosen.len() > 80, "{kind:?} {chosen:?}");
        loads.fill(1, true);
        assert_eq!(schedule.choose(&ask(7), &loads), None, "{kind:?}");
    }
}

/// Shares of 100 000 flows of as many clients, none of which ends.
fn shares(kind: Kind, weights: &[u16]) -> Vec<f64> {
    let (schedule, loads) = (schedule(kind, weights), Bench::default());
    let mut counts = vec![0; weights.len()];
    for n in 0..100_000 {
        let id = schedule.choose(&ask(spread(n)), &loads).unwrap();
        loads.begin(id);
        counts[id.index()] += 1;
    }
    counts.into_iter().map(|count| f64::from(count) / 100_000.0).collect()
}

#[test]
fn hashed_and_random_shares_are_those_of_the_weights() {
    for kind in [Kind::SourceHash, Kind::Maglev, Kind::Random, Kind::TwoChoices] {
        let found = shares(kind, &[80, 20]);
        // Five standard deviations of 100 000 draws are 0.0064; 205 of 256 slots are 0.0008 more.
        assert!((found[0] - 0.8).abs() < 0.0075, "{kind:?} {found:?}");
        let even = shares(kind, &[100; 8]);
        assert!(even.iter().all(|share| (share - 0.125).abs() < 0.0055), "{kind:?} {even:?}");
    }
    let dealt = shares(Kind::DestinationHash, &[80, 20]);
    assert!((dealt[0] - 0.5).abs() < 0.008, "dh takes no notice of the weights: {dealt:?}");
    let huge = shares(Kind::SourceHash, &[65535, 65534, 1]);
    assert!((huge[0] - 0.5).abs() < 0.008 && huge[2] < 0.001, "{huge:?}");
}

#[test]
fn two_choices_are_more_even_than_one() {
    let spread_of = |kind| {
        let found = shares(kind, &[1; 50]);
        found.iter().copied().fold(0.0, f64::max) - found.iter().copied().fold(1.0, f64::min)
    };
    let (one, two) = (spread_of(Kind::Random), spread_of(Kind::TwoChoices));
    assert!(two * 4.0 < one, "{two} {one}");
}

#[test]
fn who_is_down_keeps_its_slots_and_only_its_flows_go_elsewhere() {
    for kind in [Kind::SourceHash, Kind::DestinationHash, Kind::Maglev] {
        let loads = Bench::default();
        let mut some = candidates(&[100, 100, 200]);
        let all = Schedule::new(&recipe(kind, some.clone(), true), &Arc::default());
        some[1].weight = 0;
        let fewer = Schedule::new(&recipe(kind, some.clone(), true), &Arc::default());
        let bound = Schedule::new(&recipe(kind, some, false), &Arc::default());
        let mut moved = 0;
        for ask in (0..10_000).map(|n| ask(spread(n))) {
            let before = all.choose(&ask, &loads).unwrap();
            let after = fewer.choose(&ask, &loads).unwrap();
            assert!(before == after || before == BackendId(1), "{kind:?}");
            assert_eq!(bound.choose(&ask, &loads), Some(before).filter(|id| *id != BackendId(1)), "{kind:?}");
            assert!(bound.others(&ask).next().is_none(), "{kind:?}");
            moved += u32::from(before != after);
        }
        assert!(moved > 2000, "{kind:?} {moved}");
    }
}

#[test]
fn a_question_changes_nothing() {
    for kind in [Kind::RoundRobin, Kind::WeightedRoundRobin, Kind::Random, Kind::Locality] {
        let recipe = recipe(kind, candidates(&[3, 2, 1]), true);
        let [asked, other] = [(); 2].map(|()| Schedule::new(&recipe, &Arc::new(Destinations::new())));
        let loads = Bench::default();
        for n in 0..50 {
            for _ in 0..3 {
                let question = ask(spread(n)).as_question();
                assert!(asked.choose(&question, &loads).is_some());
            }
            let question = asked.choose(&ask(spread(n)).as_question(), &loads);
            let [one, two] = [&asked, &other].map(|s| s.choose(&ask(spread(n)), &loads));
            assert_eq!((one, question), (two, two), "{kind:?}");
        }
    }
}

fn locality(kind: Kind, weights: &[u16]) -> Schedule {
    Schedule::new(&recipe(kind, candidates(weights), true), &Arc::new(Destinations::new()))
}

#[test]
fn lblc_keeps_a_destination_where_it_is_until_that_is_overloaded() {
    let (lblc, loads) = (locality(Kind::Locality, &[4, 4]), Bench::default());
    let choose = || lblc.choose(&ask(77), &loads).unwrap().0;
    loads.set(&[(1, 0), (0, 0)]);
    assert_eq!(choose(), 1);
    loads.set(&[(0, 0), (4, 0)]);
    assert_eq!(choose(), 1, "no more than its weight");
    loads.set(&[(2, 0), (9, 0)]);
    assert_eq!(choose(), 1, "nobody has less than half");
    loads.set(&[(1, 0), (5, 0)]);
    assert_eq!(choose(), 0);
    loads.set(&[(3, 0), (0, 0)]);
    assert_eq!(choose(), 0, "it has moved");
}

#[test]
fn lblcr_adds_to_a_destinations_set_and_takes_the_most_loaded_out_after_a_day() {
    let (lblcr, loads) = (locality(Kind::LocalityReplicated, &[4, 4, 4]), Bench::default());
    let at = |now: u32| lblcr.choose(&ask(77).on(WorkerId(0), Tick(now)), &loads).unwrap().0;
    assert_eq!(at(1), 0);
    loads.set(&[(5, 0), (1, 0), (2, 0)]);
    assert_eq!(at(2), 1, "the first is overloaded, the second joins");
    loads.set(&[(2, 0), (3, 0), (0, 0)]);
    assert_eq!(at(3), 0, "the least loaded of the set, which the third is not in");
    const DAY: u32 = 24 * 60 * 60 * 1000;
    assert_eq!(at(DAY + 10), 0, "and the second leaves");
    loads.set(&[(3, 0), (0, 0), (2, 0)]);
    assert_eq!(at(DAY + 11), 0);
}

#[test]
fn destinations_without_a_place_lose_no_more_than_their_locality() {
    let (lblc, loads) = (locality(Kind::Locality, &[4, 4]), Bench::default());
    for n in 0..20_000 {
        assert!(lblc.choose(&ask(spread(n)).on(WorkerId(0), Tick(7)), &loads).is_some());
    }
}

#[test]
fn a_change_of_weights_goes_on_with_the_order() {
    for kind in [Kind::RoundRobin, Kind::WeightedRoundRobin, Kind::Random, Kind::TwoChoices] {
        let mut count = [0_u32; 3];
        let mut schedule = schedule(kind, &[100, 100, 100]);
        // A change for each flow, as with few flows during a slow start.
        for n in 0..600_u16 {
            let id = schedule.choose(&ask(u64::from(n)), &Bench::default()).unwrap();
            count[id.index()] += 1;
            schedule = self::schedule(kind, &[100, 100, 99 + n % 2]).following(&schedule);
        }
        assert!(count.iter().all(|share| (150..250).contains(share)), "{kind:?}: {count:?}");
    }
}
