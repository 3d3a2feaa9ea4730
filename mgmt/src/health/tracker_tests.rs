use proptest::prelude::*;

use super::super::combine::combine;
use super::*;
use crate::config::health::{Check, Health, Kind, Needs};
use crate::health::Condition;

const SECOND: Duration = Duration::from_secs(1);

fn rules(rise: u32, fall: u32) -> Rules {
    Rules {
        interval: 10 * SECOND,
        fast_interval: SECOND,
        down_interval: 5 * SECOND,
        timeout: SECOND,
        rise,
        fall,
        retries: 0,
        initial: Initial::Up,
        warmup: Duration::ZERO,
    }
}

/// `+` a success, `-` a failure, `.` neither; gives the state after each: `U` or `D`.
fn states(tracker: &mut Tracker, results: &str) -> String {
    let mut step = |result| {
        let outcome = match result {
            '+' => Outcome::pass("ok"),
            '-' => Outcome::fail("no"),
            _ => Outcome::no_news("silent"),
        };
        tracker.on_result(crate::clock::now(), &outcome);
        if tracker.is_up() { 'U' } else { 'D' }
    };
    results.chars().map(&mut step).collect()
}

fn run(rules: Rules, results: &str) -> String {
    states(&mut Tracker::new(rules, crate::clock::now()), results)
}

#[test]
fn rise_and_fall_count_results_in_a_row() {
    assert_eq!(run(rules(2, 3), "--+---+-++"), "UUUUUDDDDU");
    assert_eq!(run(rules(1, 1), "-+-+"), "DUDU");
}

#[test]
fn keepalived_is_retry_plus_one_to_fall_and_one_to_rise() {
    let retry = 2;
    assert_eq!(run(rules(1, retry + 1), "--+---+"), "UUUUUDU");
    let alpha = Rules { initial: Initial::Down, ..rules(1, retry + 1) };
    assert_eq!(run(alpha, "--+-"), "DDUU");
}

#[test]
fn haproxy_lets_the_first_result_decide() {
    let fresh = Rules { initial: Initial::UpUntilChecked, ..rules(2, 3) };
    assert_eq!(run(fresh, "-++"), "DDU");
    assert_eq!(run(fresh, "+--+---"), "UUUUUUD");
    let down = Rules { initial: Initial::DownUntilChecked, ..rules(2, 3) };
    assert_eq!(run(down, "+-"), "UU");
    assert_eq!(run(down, "-+"), "DD");
}

#[test]
fn no_news_change_nothing() {
    assert_eq!(run(rules(1, 2), "-.-+"), "UUDU");
    let mut tracker = Tracker::new(rules(1, 1), crate::clock::now());
    states(&mut tracker, "...");
    assert!(!tracker.is_checked());
}

#[test]
fn the_interval_is_short_while_results_contradict_the_state() {
    let mut tracker = Tracker::new(rules(2, 2), crate::clock::now());
    let mut pauses = |results: &str| {
        states(&mut tracker, results);
        tracker.pause()
    };
    assert_eq!(pauses("+"), 10 * SECOND);
    assert_eq!(pauses("-"), SECOND);
    assert_eq!(pauses("-"), 5 * SECOND);
    assert_eq!(pauses("+"), SECOND);
    assert_eq!(pauses("+"), 10 * SECOND);
}

#[test]
fn a_failure_is_tried_again_at_once_before_it_counts_and_only_while_up() {
    let mut tracker = Tracker::new(Rules { retries: 2, ..rules(1, 1) }, crate::clock::now());
    assert_eq!(states(&mut tracker, "--"), "UU");
    assert_eq!(tracker.pause(), Duration::ZERO);
    assert_eq!(states(&mut tracker, "-"), "D");
    assert_eq!(tracker.pause(), 5 * SECOND);
    assert_eq!(states(&mut tracker, "-+--+---"), "DUUUUUUD");
}

#[test]
fn a_transition_says_when_and_nothing_else_does() {
    let start = crate::clock::now();
    let mut tracker = Tracker::new(rules(1, 2), start);
    let fail = Outcome::fail("no");
    assert_eq!(tracker.on_result(start + SECOND, &fail), None);
    let down = tracker.on_result(start + 2 * SECOND, &fail);
    assert_eq!(down, Some(Transition { up: false, at: start + 2 * SECOND }));
    assert_eq!(tracker.on_result(start + 3 * SECOND, &fail), None);
    assert_eq!(tracker.since(), start + 2 * SECOND);
}

#[test]
fn a_weight_holds_until_another_one_is_said() {
    let mut tracker = Tracker::new(rules(1, 1), crate::clock::now());
    let mut weigh = |outcome: Outcome| {
        tracker.on_result(crate::clock::now(), &outcome);
        tracker.weight(30)
    };
    assert_eq!(weigh(Outcome::pass("75%").with_share(Share::Percent(75))), Some(23));
    assert_eq!(weigh(Outcome::no_news("silent")), Some(23));
    assert_eq!(weigh(Outcome::pass("status 5").with_share(Share::Weight(3))), Some(3));
    assert_eq!(weigh(Outcome::pass("ready").with_share(Share::Configured)), None);
}

fn both(needs: Needs, inhibit_on_failure: bool, states: [bool; 2]) -> Condition {
    let check = Check { kind: Kind::Tcp, rules: rules(1, 1), address: None, port: None, bind: None };
    let health = Health { checks: vec![check.clone(), check], needs, inhibit_on_failure, observe: 0 };
    let trackers = states.map(|up| {
        let mut tracker = Tracker::new(rules(1, 1), crate::clock::now());
        let outcome = if up { Outcome::pass("") } else { Outcome::fail("") };
        tracker.on_result(crate::clock::now(), &outcome.with_share(Share::Weight(5 + u16::from(up))));
        tracker
    });
    combine(&health, &[&trackers[0], &trackers[1]], 100).condition
}

#[test]
fn of_several_checks_all_or_any_have_to_pass() {
    let up = |needs, states| both(needs, false, states).up;
    assert!(up(Needs::All, [true, true]) && !up(Needs::All, [true, false]));
    assert!(up(Needs::Any, [true, false]) && !up(Needs::Any, [false, false]));
}

#[test]
fn the_smallest_weight_holds_and_inhibited_is_zero_instead_of_down() {
    assert_eq!(both(Needs::Any, false, [true, false]), Condition { up: true, weight: Some(5) });
    assert_eq!(both(Needs::All, true, [true, false]), Condition { up: true, weight: Some(0) });
    assert_eq!(both(Needs::All, false, [true, false]), Condition { up: false, weight: Some(5) });
}

proptest! {
    /// Against the plainest model there is: look back over all results.
    #[test]
    fn the_counts_are_those_of_the_whole_history(
        results in proptest::collection::vec(any::<bool>(), 0..60),
        rise in 1_u32..5,
        fall in 1_u32..5,
    ) {
        let mut tracker = Tracker::new(rules(rise, fall), crate::clock::now());
        let mut up = true;
        for (end, result) in results.iter().enumerate() {
            let row = results[..=end].iter().rev().take_while(|other| *other == result).count();
            let needed = if up { fall } else { rise };
            if *result != up && row >= needed as usize {
                up = !up;
            }
            let outcome = if *result { Outcome::pass("") } else { Outcome::fail("") };
            tracker.on_result(crate::clock::now(), &outcome);
            prop_assert_eq!(tracker.is_up(), up);
        }
    }
}
