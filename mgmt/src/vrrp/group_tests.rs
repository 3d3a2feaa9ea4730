use super::*;
use State::{Backup, Fault, Init, Master};

fn well(weight: Weight) -> Tracked {
    Tracked { weight, condition: Condition::Well }
}

fn failed(weight: Weight) -> Tracked {
    Tracked { weight, condition: Condition::Failed }
}

#[test]
fn positive_weights_count_while_well_and_negative_ones_while_not() {
    let fit = |priority| Standing::Fit(Priority(priority));
    let (up, down) = (Weight::Adds(20), Weight::Adds(-30));
    assert_eq!(standing(Priority(100), []), fit(100));
    assert_eq!(standing(Priority(100), [well(up), well(down)]), fit(120));
    assert_eq!(standing(Priority(100), [failed(up), failed(down)]), fit(70));
    assert_eq!(standing(Priority(100), [well(Weight::Adds(0)), failed(Weight::Adds(0))]), fit(100));
    assert_eq!(standing(Priority(100), [well(Weight::Fault)]), fit(100));
    assert_eq!(standing(Priority(100), [well(up), failed(Weight::Fault)]), Standing::Unfit);
}

#[test]
fn nobody_reaches_the_two_special_priorities_and_the_owner_keeps_its_own() {
    let far = |by: i16| standing(Priority(100), [failed(Weight::Adds(-by)), well(Weight::Adds(by))]);
    assert_eq!(far(0), Standing::Fit(Priority(100)));
    assert_eq!(standing(Priority(100), [failed(Weight::Adds(i16::MIN))]), Standing::Fit(Priority::LOWEST));
    assert_eq!(standing(Priority(100), [well(Weight::Adds(i16::MAX))]), Standing::Fit(Priority::HIGHEST));
    assert_eq!(standing(Priority::OWNER, [failed(Weight::Adds(-9))]), Standing::Fit(Priority::OWNER));
    assert_eq!(standing(Priority::OWNER, [failed(Weight::Fault)]), Standing::Unfit);
}

fn members(states: &[(State, bool, bool)]) -> Vec<Member> {
    let member =
        |&(state, is_unfit, is_held)| Member { state, is_unfit, is_held, is_ripe: false, is_leaving: false };
    states.iter().map(member).collect()
}

#[test]
fn one_unfit_member_holds_all_others_and_sets_them_free() {
    let asked = |states: &[_]| holds(&members(states));
    let ordered = |orders: &[(usize, Order)]| -> Vec<_> {
        orders.iter().map(|(id, order)| (MemberId(*id), *order)).collect()
    };
    assert_eq!(asked(&[(Master, false, false), (Master, false, false)]), ordered(&[]));
    assert_eq!(asked(&[(Fault, true, false), (Master, false, false)]), ordered(&[(1, Order::Hold)]));
    assert_eq!(asked(&[(Fault, true, false), (Fault, false, true)]), ordered(&[]));
    // A second one fails: each is held by the other, so that the first to recover waits for the last.
    let both = [(Fault, true, false), (Fault, true, true)];
    assert_eq!(asked(&both), ordered(&[(0, Order::Hold)]));
    assert_eq!(asked(&[(Fault, false, true), (Fault, true, true)]), ordered(&[(1, Order::Release)]));
    assert_eq!(asked(&[(Fault, false, true), (Backup, false, false)]), ordered(&[(0, Order::Release)]));
}

/// What each change of the first of two members asks of whom.
#[test]
fn each_change_has_its_followers() {
    let states = [Init, Backup, Master, Fault];
    for (from, to, other) in
        states.iter().flat_map(|a| states.iter().flat_map(move |b| states.map(|c| (*a, *b, c))))
    {
        let members = members(&[(to, false, false), (other, false, false)]);
        let orders = followers(&members, Change { member: MemberId(0), from });
        let expected = match (from, to, other) {
            (Init | Backup | Fault, Master, Backup) => vec![(MemberId(1), Order::Take)],
            (Master, Backup, Master) => vec![(MemberId(1), Order::Yield)],
            (Init | Fault, Backup, Master) => vec![(MemberId(0), Order::Take)],
            _ => Vec::new(),
        };
        assert_eq!(orders, expected, "{from:?} to {to:?}, beside {other:?}");
    }
}

#[test]
fn a_group_takes_over_when_each_of_it_would_and_a_notice_is_for_all() {
    let asked = |members: &[(State, bool)]| {
        let member =
            |&(state, is_ripe)| Member { state, is_unfit: false, is_held: false, is_ripe, is_leaving: false };
        let members: Vec<_> = members.iter().map(member).collect();
        let ids = |orders: Vec<(MemberId, Order)>| orders.into_iter().map(|(id, _)| id.0).collect::<Vec<_>>();
        (ids(takers(&members)), ids(noticed(&members, MemberId(0))))
    };
    assert_eq!(asked(&[(Backup, true), (Backup, false)]), (vec![], vec![1]));
    assert_eq!(asked(&[(Backup, true), (Backup, true)]), (vec![0, 1], vec![1]));
    assert_eq!(asked(&[(Backup, true), (Master, false)]), (vec![0], vec![]));
    assert_eq!(asked(&[(Backup, true), (Fault, false)]), (vec![], vec![]));
    assert_eq!(asked(&[(Backup, true)]), (vec![0], vec![]));
}
