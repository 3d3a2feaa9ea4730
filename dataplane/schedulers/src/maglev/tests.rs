use super::*;
use crate::{Kind, Schedule, Way};

fn candidates(weights: &[u16]) -> Vec<Candidate> {
    let one = |(i, &weight)| Candidate::new(BackendId(i), format!("10.0.1.{i}:80"), weight);
    (0_u32..).zip(weights).map(one).collect()
}

fn table(candidates: &[Candidate], cluster: &str) -> Vec<u32> {
    let schedule = Schedule::compile(Kind::Maglev, candidates, 1, cluster);
    let Way::Maglev(maglev) = schedule.way else { panic!("not a Maglev table") };
    (0..maglev.len()).map(|slot| maglev.members[maglev.place(slot)].0.0).collect()
}

fn shares(table: &[u32], backends: usize) -> Vec<f64> {
    let count = |id| table.iter().filter(|slot| **slot as usize == id).count();
    (0..backends).map(|id| count(id) as f64 / table.len() as f64).collect()
}

fn moved(before: &[u32], after: &[u32]) -> f64 {
    let moved = before.iter().zip(after).filter(|(a, b)| a != b).count();
    moved as f64 / before.len() as f64
}

#[test]
fn shares_are_within_one_per_cent_of_the_weights() {
    for count in [2, 8, 9, 20, 21, 100] {
        for share in shares(&table(&candidates(&vec![100; count]), "edge"), count) {
            assert!((share * count as f64 - 1.0).abs() < 0.01, "{share} of {count}");
        }
    }
    let weighted = shares(&table(&candidates(&[80, 20]), "edge"), 2);
    assert!((weighted[0] - 0.8).abs() < 0.008, "{weighted:?}");
}

#[test]
fn when_one_of_n_leaves_the_file_at_most_its_flows_and_one_per_cent_move() {
    for count in [3, 8, 9, 20, 21, 100] {
        let all = candidates(&vec![1; count]);
        let before = table(&all, "edge");
        for gone in [0, count / 2, count - 1] {
            let fewer: Vec<_> = all.iter().filter(|c| c.id.index() != gone).cloned().collect();
            let after = table(&fewer, "edge");
            // A step of the table's size is crossed when a ninth and a twenty-first leave.
            if after.len() == before.len() {
                let moved = moved(&before, &after);
                assert!(moved <= 1.0 / count as f64 + 0.01, "{moved} of {count}");
            }
        }
    }
}

#[test]
fn when_one_goes_down_its_own_flows_move_and_no_others() {
    let all = candidates(&[100, 50, 100, 200]);
    let before = table(&all, "edge");
    let mut less = all;
    less[2].weight = 0;
    let after = table(&less, "edge");
    assert!(before.iter().zip(&after).all(|(a, b)| a == b || *a == 2));
    assert!(after.iter().all(|id| *id != 2));
    for (share, due) in shares(&after, 4).into_iter().zip([100.0, 50.0, 0.0, 200.0]) {
        assert!((share - due / 350.0).abs() < 0.01 * due / 350.0 + 0.001, "{share} {due}");
    }
}

#[test]
fn who_warms_up_takes_its_own_slots_back_bit_by_bit() {
    let mut ramp = candidates(&[100, 100, 100]);
    let mut before: Option<Vec<u32>> = None;
    for weight in [1, 10, 50, 100] {
        ramp[1].weight = weight;
        let now = table(&ramp, "edge");
        let share = shares(&now, 3)[1];
        let due = f64::from(weight) / (200.0 + f64::from(weight));
        assert!((share - due).abs() < 0.005, "{share} of {due}");
        if let Some(before) = before {
            let others = before.iter().zip(&now).filter(|(a, b)| a != b && **b != 1).count();
            assert!((others as f64) < 0.05 * now.len() as f64, "{others} moved between the others");
        }
        before = Some(now);
    }
}

#[test]
fn without_fallback_the_flows_of_who_is_down_are_nobodys() {
    let mut candidates = candidates(&[1, 1]);
    candidates[0].weight = 0;
    let recipe =
        Recipe { kind: Kind::Maglev, candidates, workers: 1, cluster: "edge".to_owned(), fallback: false };
    let schedule = Schedule::new(&recipe, &std::sync::Arc::default());
    let none = (0..1000_u64).filter(|n| schedule.choose_stateless(spread(*n)).is_none()).count();
    assert!((400..600).contains(&none), "{none}");
}

#[test]
fn the_order_in_the_file_does_not_matter_and_the_cluster_does() {
    let ordered = candidates(&[3, 1, 2]);
    let reversed: Vec<_> = ordered.iter().rev().cloned().collect();
    assert_eq!(table(&ordered, "edge"), table(&reversed, "edge"));
    assert_ne!(table(&ordered, "edge"), table(&ordered, "core"));
}

/// Known answer: fails when a change of the code would make two versions of the box disagree.
#[test]
fn the_table_is_the_same_in_every_version() {
    let slots = table(&candidates(&[1, 1, 2]), "edge");
    let digest = slots.iter().fold(0, |sum, slot| stable_hash(sum, &slot.to_le_bytes()));
    assert_eq!(digest, KNOWN, "{digest:#x}");
}
const KNOWN: u64 = 0x1b81_85e3_e92e_c40c;

/// The same slot by slot: nothing is looked at ahead, and there is no shortcut for the last ones.
fn walked(slots: &mut [u16], mut free: usize, turns: &mut [Turns]) {
    let heaviest = turns.iter().map(|turn| turn.full).max().unwrap();
    while free > 0 {
        turns.iter_mut().for_each(Turns::begin);
        for (place, turn) in (0_u16..).zip(&mut *turns) {
            turn.credit += turn.full;
            if turn.credit >= heaviest && free > 0 {
                turn.credit -= heaviest;
                let slot = turn.next_free(slots);
                slots[slot] = place;
                free -= 1;
            }
        }
    }
}

#[test]
fn the_last_slots_are_taken_as_the_walks_come_to_them() {
    for (weights, size) in
        [(&[1; 3][..], 8_191), (&[100, 1, 65_535, 7], 8_191), (&[9; 40], 65_537), (&[2, 3], 13)]
    {
        let all = candidates(weights);
        let turns = || all.iter().map(|c| Turns::new(7, size, c)).collect::<Vec<_>>();
        let (mut quick, mut slow) = (vec![EMPTY; size], vec![EMPTY; size]);
        let (mut first, mut second) = (turns(), turns());
        fill(&mut quick, size, &mut first, |turn| turn.full);
        walked(&mut slow, size, &mut second);
        assert!(quick == slow, "{weights:?}");
        // And each goes on from the same place.
        for slots in [&mut quick, &mut slow] {
            slots.iter_mut().step_by(3).for_each(|slot| *slot = EMPTY);
        }
        let given = size.div_ceil(3);
        fill(&mut quick, given, &mut first, |turn| turn.full);
        walked(&mut slow, given, &mut second);
        assert!(quick == slow, "{weights:?}");
    }
}
