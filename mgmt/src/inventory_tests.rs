use super::*;
use crate::api::view::BackendState;
use crate::config::{Config, Machine, load_str};
use dataplane::snapshot::Fate;

fn config(services: &str) -> Config {
    let text = format!("[[interface]]\nname = \"eth0\"\n{services}");
    load_str("test.toml", &text, &Machine { cores: 2, hostname: "lb".into(), ..Machine::default() })
        .unwrap()
        .0
}

fn web(backends: &[(u8, u16)]) -> String {
    let mut text =
        "[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\nport = 80\nmode = \"router\"\n".to_owned();
    for (last, weight) in backends {
        text += &format!("[[service.backend]]\naddress = \"10.0.1.{last}\"\nweight = {weight}\n");
    }
    text
}

fn none(_: BackendId) -> BackendStats {
    BackendStats::default()
}

fn weights(inventory: &Inventory) -> Vec<Option<(u16, bool)>> {
    inventory.members().map(|(_, m)| m.map(|m| (m.weight, m.has_left()))).collect()
}

#[test]
fn a_backend_keeps_its_number_while_flows_are_left() {
    let mut inventory = Inventory::default();
    let start = crate::clock::now();
    inventory.follow(&config(&web(&[(11, 1), (12, 2)])), start, none);
    inventory.follow(&config(&web(&[(12, 2)])), start, none);
    assert_eq!(weights(&inventory), [Some((1, true)), Some((2, false))]);
    assert!(!inventory.prune(start, |_| 0), "a worker may still be in a batch with it");
    let later = start + LINGER;
    assert!(!inventory.prune(later, |_| 1));
    assert!(inventory.prune(later, |_| 0));
    inventory.follow(&config(&web(&[(12, 2), (13, 3)])), later, none);
    assert_eq!(weights(&inventory), [Some((3, false)), Some((2, false))], "the number is used again");
}

#[test]
fn a_service_that_moves_to_another_address_leaves_its_flows_where_they_are() {
    let mut inventory = Inventory::default();
    let start = crate::clock::now();
    inventory.follow(&config(&web(&[(11, 1)])), start, none);
    inventory.follow(&config(&web(&[(11, 1)]).replace("10.0.0.100", "10.0.0.101")), start, none);
    let vips: Vec<_> =
        inventory.members().map(|(_, m)| m.map(|m| (m.vip.to_string(), m.has_left()))).collect();
    assert_eq!(vips, [Some(("10.0.0.100".to_owned(), true)), Some(("10.0.0.101".to_owned(), false))]);
}

#[test]
fn a_backend_that_comes_back_in_time_is_the_same() {
    let mut inventory = Inventory::default();
    let start = crate::clock::now();
    inventory.follow(&config(&web(&[(11, 1)])), start, none);
    inventory.follow(&config(&web(&[])), start, none);
    inventory.follow(&config(&web(&[(11, 1)])), start, none);
    assert_eq!(weights(&inventory), [Some((1, false))]);
}

#[test]
fn what_the_operator_set_by_hand_outlives_a_reload_until_the_file_says_otherwise() {
    let mut inventory = Inventory::default();
    let start = crate::clock::now();
    inventory.follow(&config(&web(&[(11, 1)])), start, none);
    let member = inventory.get_mut(BackendId(0)).unwrap();
    (member.weight, member.admin) = (7, Admin::Drain);
    inventory.follow(&config(&web(&[(11, 1)])), start, none);
    assert_eq!(weights(&inventory), [Some((7, false))]);
    inventory.follow(&config(&web(&[(11, 5)])), start, none);
    assert_eq!(weights(&inventory), [Some((5, false))]);
    assert_eq!(
        inventory.get(BackendId(0)).unwrap().standing(crate::clock::now()).weight,
        0,
        "still draining"
    );
}

#[test]
fn a_number_that_is_used_again_counts_from_zero() {
    let mut inventory = Inventory::default();
    let stats = BackendStats { total_flows: 9, packets_in: 90, ..BackendStats::default() };
    inventory.follow(&config(&web(&[(11, 1)])), crate::clock::now(), |_| stats);
    let later = BackendStats { total_flows: 10, packets_in: 95, active_flows: 1, ..stats };
    let own = inventory.get(BackendId(0)).unwrap().own(later);
    assert_eq!((own.total_flows, own.packets_in, own.active_flows), (1, 5, 1));
}

fn found(inventory: &mut Inventory, condition: Condition) -> (BackendState, u16) {
    let member = inventory.get(BackendId(0)).unwrap();
    let conditions = BTreeMap::from([(member.subject(), condition)]);
    inventory.take_in(&conditions, crate::clock::now());
    let member = inventory.get(BackendId(0)).unwrap();
    (member.state(), member.standing(crate::clock::now()).weight)
}

#[test]
fn checks_take_a_backend_out_and_what_the_operator_says_holds_over_them() {
    let mut inventory = Inventory::default();
    let checked = web(&[(11, 10)]).replace("weight = 10", "weight = 10\nhealth = { check = \"tcp\" }");
    inventory.follow(&config(&checked), crate::clock::now(), none);
    let (up, down) = (Condition::default(), Condition { up: false, weight: None });
    assert_eq!(found(&mut inventory, down), (BackendState::Down, 0));
    inventory.follow(&config(&checked), crate::clock::now(), none);
    assert_eq!(inventory.get(BackendId(0)).unwrap().state(), BackendState::Down, "after a reload");
    assert_eq!(found(&mut inventory, Condition { up: true, weight: Some(4) }), (BackendState::Up, 4));
    inventory.get_mut(BackendId(0)).unwrap().admin = Admin::Drain;
    assert_eq!(found(&mut inventory, up), (BackendState::Drain, 0));
    assert_eq!(found(&mut inventory, down), (BackendState::Drain, 0));
    inventory.get_mut(BackendId(0)).unwrap().admin = Admin::Enabled;
    inventory.follow(&config(&web(&[(11, 10)])), crate::clock::now(), none);
    assert_eq!(inventory.get(BackendId(0)).unwrap().state(), BackendState::Up, "it has no checks any more");
}

#[test]
fn a_weight_set_by_hand_holds_over_that_of_a_check_but_for_zero() {
    let mut inventory = Inventory::default();
    let checked = web(&[(11, 10)]).replace("weight = 10", "weight = 10\nhealth = { check = \"tcp\" }");
    inventory.follow(&config(&checked), crate::clock::now(), none);
    inventory.get_mut(BackendId(0)).unwrap().weight = 7;
    assert_eq!(found(&mut inventory, Condition { up: true, weight: Some(4) }).1, 7);
    assert_eq!(found(&mut inventory, Condition { up: true, weight: Some(0) }).1, 0);
    // A late word about a check that is no more.
    inventory.follow(&config(&web(&[(11, 10)])), crate::clock::now(), none);
    assert_eq!(found(&mut inventory, Condition { up: false, weight: None }).0, BackendState::Up);
}

#[test]
fn a_backend_that_has_to_prove_itself_first_begins_down() {
    let mut inventory = Inventory::default();
    let alpha = "weight = 10\nhealth = { check = \"tcp\", initial = \"down\" }";
    inventory.follow(&config(&web(&[(11, 10)]).replace("weight = 10", alpha)), crate::clock::now(), none);
    assert_eq!(inventory.get(BackendId(0)).unwrap().state(), BackendState::Down);
}

#[test]
fn a_backend_at_an_address_of_the_node_counts_as_down_until_the_address_is_elsewhere() {
    let (mut inventory, start) = (Inventory::default(), crate::clock::now());
    inventory.follow(&config(&web(&[(11, 1), (12, 2)])), start, none);
    let own: OwnAddresses = [("10.0.1.12".parse().unwrap(), "eth1".to_owned())].into_iter().collect();
    assert_eq!(inventory.take_own(&own, start), [BackendId(1)]);
    assert_eq!(inventory.take_own(&own, start), [], "it is told once");
    let is = |inventory: &Inventory| {
        [0, 1].map(|id| {
            let member = inventory.get(BackendId(id)).unwrap();
            (member.state(), member.standing(start).weight, member.fate(start))
        })
    };
    let up = (BackendState::Up, 1, Fate::Stays);
    assert_eq!(is(&inventory), [up, (BackendState::Down, 0, Fate::Leave)]);
    // What its checks say, by way of Linux, changes nothing.
    let member = inventory.get_mut(BackendId(1)).unwrap();
    member.change(start, |member| member.condition = Condition { up: true, weight: None });
    assert_eq!(is(&inventory)[1].0, BackendState::Down);
    assert_eq!(inventory.take_own(&OwnAddresses::default(), start), [BackendId(1)]);
    assert_eq!(is(&inventory), [up, (BackendState::Up, 2, Fate::Stays)]);
}
