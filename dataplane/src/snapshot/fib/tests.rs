use super::*;
use crate::types::{Mac, Prefix};

const ETH0: InterfaceId = InterfaceId(0);
const ETH1: InterfaceId = InterfaceId(1);
const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn route(prefix: &str, length: u8, interface: Option<InterfaceId>, gateway: Option<&str>) -> Route {
    Route::single(ip(prefix), length, interface, gateway.map(ip))
}

/// A neighbour whose MAC ends in `last`.
fn known(interface: InterfaceId, address: &str, last: u8) -> (InterfaceId, IpAddr, NextHop) {
    (interface, ip(address), NextHop { interface, mac: Mac([2, 0, 0, 0, 0, last]) })
}

fn fib() -> Fib {
    let routes = [
        route("0.0.0.0", 0, Some(ETH0), Some("10.0.0.1")),
        route("10.0.0.0", 24, Some(ETH0), None),
        route("10.0.1.0", 24, Some(ETH1), None),
        route("10.0.1.0", 24, Some(ETH0), None),
        route("10.9.0.0", 16, None, None),
        route("::", 0, Some(ETH0), Some("fe80::1")),
    ];
    let gateway = |a: &str| (ETH0, a.parse().unwrap(), NextHop { interface: ETH0, mac: MAC });
    Fib::new(routes, [gateway("10.0.0.1"), gateway("fe80::1"), gateway("10.0.0.7")])
}

fn hop(address: &str) -> Hop {
    fib().lookup(address.parse().unwrap())
}

#[test]
fn the_longest_prefix_decides_and_a_gateway_stands_for_what_is_behind_it() {
    let known = Hop::Known(NextHop { interface: ETH0, mac: MAC });
    assert_eq!(hop("10.0.0.7"), known);
    assert_eq!(hop("192.0.2.1"), known);
    assert_eq!(hop("2001:db8::1"), known);
    let address = "10.0.1.11".parse().unwrap();
    assert_eq!(hop("10.0.1.11"), Hop::NeighbourMissing { interface: ETH1, address });
    assert_eq!(fib().neighbour_towards(address), Some((ETH1, address)));
    assert_eq!(fib().gateways().count(), 2);
}

#[test]
fn a_route_of_a_foreign_interface_hides_the_default_route() {
    assert_eq!(hop("10.9.1.1"), Hop::NoRoute);
}

// ---- next hops of equal cost

const R1: &str = "10.0.0.21";
const R2: &str = "10.0.0.22";

fn path(interface: InterfaceId, gateway: &str, weight: u16) -> Path {
    Path { weight, ..Path::new(interface, Some(ip(gateway))) }
}

fn many(paths: &[Path]) -> Route {
    Route { prefix: ip("192.0.2.0"), length: 24, target: Target::Many(paths.to_vec()) }
}

/// Hashes as a good hash function gives them.
fn hashes() -> impl Iterator<Item = u64> {
    (1..=4000_u64).map(|n| {
        let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (n ^ n >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ n >> 17
    })
}

fn query(hash: u64) -> Query {
    Query { hash, ..Query::towards(ip("192.0.2.77")) }
}

fn gateway_of(fib: &Fib, hash: u64) -> IpAddr {
    fib.neighbour_for(&query(hash)).expect("a path").1
}

/// Flows of 4000 that go by this router.
fn share(fib: &Fib, gateway: &str) -> usize {
    hashes().filter(|hash| gateway_of(fib, *hash) == ip(gateway)).count()
}

fn two_routers(weights: [u16; 2], answering: &[&str]) -> Fib {
    let route = many(&[path(ETH0, R1, weights[0]), path(ETH0, R2, weights[1])]);
    Fib::new([route], answering.iter().map(|address| known(ETH0, address, 1)))
}

#[test]
fn flows_are_spread_over_next_hops_of_equal_cost_by_weight() {
    let even = two_routers([1, 1], &[R1, R2]);
    assert!((1800..2200).contains(&share(&even, R1)), "{}", share(&even, R1));
    let uneven = two_routers([3, 1], &[R1, R2]);
    assert!((2850..3150).contains(&share(&uneven, R1)), "{}", share(&uneven, R1));
    assert_eq!(share(&uneven, R1) + share(&uneven, R2), 4000);
    assert_eq!(even.gateways().map(|(_, address)| address).collect::<Vec<_>>(), [ip(R1), ip(R2)]);
    assert!(!even.is_same_for_all(ip("192.0.2.77")) && even.is_same_for_all(ip("198.51.100.1")));
}

#[test]
fn a_router_without_a_mac_is_skipped_and_flows_of_the_others_stay() {
    let three = |answering: &[&str]| {
        let paths = [path(ETH0, R1, 1), path(ETH0, R2, 1), path(ETH0, "10.0.0.23", 2)];
        Fib::new([many(&paths)], answering.iter().map(|address| known(ETH0, address, 1)))
    };
    let (before, after) = (three(&[R1, R2, "10.0.0.23"]), three(&[R1, "10.0.0.23"]));
    for hash in hashes() {
        let (was, is) = (gateway_of(&before, hash), gateway_of(&after, hash));
        assert!(is != ip(R2), "nothing goes to the router that does not answer");
        assert!(was == is || was == ip(R2), "a flow of a living router has moved");
    }
    // Its quarter is divided by the others' weights.
    let r1 = share(&after, R1);
    assert!((1233..1433).contains(&r1), "{r1}");
}

#[test]
fn of_routers_that_are_all_unknown_the_chosen_one_is_asked_for() {
    let fib = two_routers([1, 1], &[]);
    let asked = |hash| match fib.next_hop(&query(hash)) {
        Err(Hop::NeighbourMissing { interface: ETH0, address }) => address,
        other => panic!("{other:?}"),
    };
    let first = hashes().filter(|hash| asked(*hash) == ip(R1)).count();
    assert!((1800..2200).contains(&first), "{first}");
}

#[test]
fn a_next_hop_without_a_carrier_is_skipped_unless_all_are() {
    let with = |up: [bool; 2]| {
        let paths = [Path { is_up: up[0], ..path(ETH0, R1, 1) }, Path { is_up: up[1], ..path(ETH1, R2, 1) }];
        Fib::new([many(&paths)], [known(ETH0, R1, 1), known(ETH1, R2, 2)])
    };
    assert_eq!(share(&with([false, true]), R2), 4000);
    assert_eq!(share(&with([true, false]), R1), 4000);
    assert!((1800..2200).contains(&share(&with([false, false]), R1)));
}

#[test]
fn the_kernel_s_order_of_next_hops_moves_no_flow() {
    let paths = [path(ETH0, R1, 2), path(ETH0, R2, 1), path(ETH1, "10.0.1.21", 1)];
    let mut turned = paths;
    turned.rotate_left(1);
    let (one, other) = (Fib::new([many(&paths)], []), Fib::new([many(&turned)], []));
    assert!(hashes().all(|hash| gateway_of(&one, hash) == gateway_of(&other, hash)));
}

#[test]
fn of_two_links_a_flow_has_one_and_its_neighbour_is_the_destination() {
    let paths = vec![Path::new(ETH0, None), Path::new(ETH1, None)];
    let route = Route { prefix: ip("2001:db8::"), length: 32, target: Target::Many(paths) };
    let fib = Fib::new([route], []);
    let interface = |hash| {
        let query = Query { hash, ..Query::towards(ip("2001:db8::1")) };
        let (interface, neighbour) = fib.neighbour_for(&query).unwrap();
        assert_eq!(neighbour, ip("2001:db8::1"));
        interface
    };
    let first = hashes().filter(|hash| interface(*hash) == ETH0).count();
    assert!((1800..2200).contains(&first), "{first}");
}

// ---- policy rules

const LOCAL: usize = 0;
const MAIN: usize = 1;
const UPLINK: usize = 2;

fn look_up(table: usize) -> Rule {
    let action = RuleAction::LookUp { table, suppress: None };
    Rule { from: None, to: None, ingress: Ingress::Any, is_inverted: false, action }
}

fn prefix(text: &str) -> Option<Prefix> {
    let (address, length) = text.split_once('/').unwrap();
    Prefix::new(ip(address), length.parse().unwrap())
}

/// Rule 0 for the local table, those given, and the main table: 10.0.0.0/24 and a default by R1 in main,
/// a default by R2 in the uplink's table.
fn ruled(rules: impl IntoIterator<Item = Rule>) -> Fib {
    let mut v4 = vec![look_up(LOCAL)];
    v4.extend(rules);
    v4.push(look_up(MAIN));
    let routes = [
        (LOCAL, route("10.0.0.100", 32, None, None)),
        (MAIN, route("10.0.0.0", 24, Some(ETH0), None)),
        (MAIN, route("0.0.0.0", 0, Some(ETH0), Some(R1))),
        (UPLINK, route("0.0.0.0", 0, Some(ETH1), Some(R2))),
        (UPLINK, route("203.0.113.0", 24, None, None)),
        (UPLINK, Route { target: Target::Throw, ..route("198.51.100.0", 24, None, None) }),
    ];
    Fib::with_rules(Rules { v4, v6: Vec::new() }, routes, [])
}

fn from_vip(destination: &str) -> Query {
    Query { source: Some(ip("10.0.0.100")), ..Query::towards(ip(destination)) }
}

fn path_of(fib: &Fib, query: &Query) -> Option<String> {
    fib.neighbour_for(query).map(|(_, address)| address.to_string())
}

#[test]
fn a_rule_for_a_source_leads_to_its_table_and_others_to_main() {
    let fib = ruled([Rule { from: prefix("10.0.0.100/32"), ..look_up(UPLINK) }]);
    let by = |query: Query| path_of(&fib, &query);
    assert_eq!(by(from_vip("192.0.2.1")).as_deref(), Some(R2));
    assert_eq!(by(Query { source: Some(ip("10.0.0.101")), ..from_vip("192.0.2.1") }).as_deref(), Some(R1));
    assert_eq!(by(Query::towards(ip("192.0.2.1"))).as_deref(), Some(R1), "no source is chosen yet");
    assert_eq!(by(from_vip("10.0.0.100")), None, "the local table comes first");
    assert_eq!(by(from_vip("203.0.113.1")), None, "unreachable in the table of the rule");
    assert_eq!(by(from_vip("198.51.100.1")).as_deref(), Some(R1), "thrown back to the next rule");
    assert!(!fib.is_same_for_all(ip("192.0.2.1")));
    assert_eq!(fib.gateways().count(), 2);
}

#[test]
fn rules_match_by_destination_ingress_and_what_they_do_not_match() {
    let by = |rule: Rule, query: Query| path_of(&ruled([rule]), &query);
    let to = Rule { to: prefix("192.0.2.0/24"), ..look_up(UPLINK) };
    assert_eq!(by(to, from_vip("192.0.2.1")).as_deref(), Some(R2));
    assert_eq!(by(to, from_vip("192.0.3.1")).as_deref(), Some(R1));

    let forwarded = |id| Query { ingress: Some(id), ..from_vip("192.0.2.1") };
    let own = Rule { ingress: Ingress::Own, ..look_up(UPLINK) };
    assert_eq!(by(own, from_vip("192.0.2.1")).as_deref(), Some(R2));
    assert_eq!(by(own, forwarded(ETH1)).as_deref(), Some(R1));
    let from = Rule { ingress: Ingress::From([ETH1].into_iter().collect()), ..look_up(UPLINK) };
    assert_eq!(by(from, forwarded(ETH1)).as_deref(), Some(R2));
    assert_eq!(by(from, forwarded(ETH0)).as_deref(), Some(R1));
    assert_eq!(by(from, from_vip("192.0.2.1")).as_deref(), Some(R1));
    assert_eq!(by(from, forwarded(InterfaceId::NOWHERE)).as_deref(), Some(R1));

    let not = Rule { from: prefix("10.0.0.0/24"), is_inverted: true, ..look_up(UPLINK) };
    assert_eq!(by(not, from_vip("192.0.2.1")).as_deref(), Some(R1));
    assert_eq!(by(not, Query::towards(ip("192.0.2.1"))).as_deref(), Some(R2));
}

#[test]
fn a_rule_refuses_or_suppresses_short_prefixes() {
    let refuse = Rule { from: prefix("10.0.0.100/32"), action: RuleAction::Refuse, ..look_up(MAIN) };
    assert_eq!(path_of(&ruled([refuse]), &from_vip("192.0.2.1")), None);

    let specific = Rule { action: RuleAction::LookUp { table: MAIN, suppress: Some(0) }, ..look_up(MAIN) };
    let fib = ruled([specific, look_up(UPLINK)]);
    assert_eq!(path_of(&fib, &from_vip("192.0.2.1")).as_deref(), Some(R2), "main's default does not count");
    assert_eq!(path_of(&fib, &from_vip("10.0.0.7")).as_deref(), Some("10.0.0.7"));
}

/// As ip-rule(8) of a node whose main table has the default route of management.
#[test]
fn suppression_skips_foreign_routes_and_no_errors() {
    let specific = Rule { action: RuleAction::LookUp { table: MAIN, suppress: Some(24) }, ..look_up(MAIN) };
    let by = |target: Target, prefix: (&str, u8), destination: &str| {
        let v4 = vec![look_up(LOCAL), specific, look_up(UPLINK)];
        let routes = [
            (MAIN, Route { target, ..route(prefix.0, prefix.1, None, None) }),
            (UPLINK, route("0.0.0.0", 0, Some(ETH1), Some(R2))),
        ];
        path_of(&Fib::with_rules(Rules { v4, v6: Vec::new() }, routes, []), &from_vip(destination))
    };
    let (default, long) = (("0.0.0.0", 0), ("192.0.2.0", 25));
    for short in [default, ("192.0.2.0", 24)] {
        assert_eq!(by(Target::Foreign, short, "192.0.2.1").as_deref(), Some(R2));
        assert_eq!(by(Target::Throw, short, "192.0.2.1").as_deref(), Some(R2));
        assert_eq!(by(Target::Nowhere, short, "192.0.2.1"), None, "an error is final");
    }
    assert_eq!(by(Target::Foreign, long, "192.0.2.1"), None, "a longer prefix counts");
    assert_eq!(by(Target::Foreign, long, "192.0.2.129").as_deref(), Some(R2));
    assert_eq!(by(Target::Nowhere, long, "192.0.2.1"), None);
}

#[test]
fn a_table_may_spread_and_the_other_family_has_rules_of_its_own() {
    let v4 = vec![Rule { from: prefix("10.0.0.100/32"), ..look_up(1) }];
    let routes = [
        (1, many(&[path(ETH0, R1, 1), path(ETH0, R2, 1)])),
        (0, route("::", 0, Some(ETH0), Some("fe80::1"))),
    ];
    let fib = Fib::with_rules(Rules { v4, v6: Vec::new() }, routes, [known(ETH0, R1, 1), known(ETH0, R2, 2)]);
    let by = |hash| fib.neighbour_for(&Query { hash, ..from_vip("192.0.2.1") }).unwrap().1;
    let first = hashes().filter(|hash| by(*hash) == ip(R1)).count();
    assert!((1800..2200).contains(&first), "{first}");
    assert_eq!(fib.neighbour_for(&Query::towards(ip("192.0.2.1"))), None, "no rule is left");
    assert_eq!(fib.neighbour_towards(ip("2001:db8::1")), Some((ETH0, ip("fe80::1"))));
}

/// A table of many lengths and prefixes says what a list of them says.
#[test]
fn the_longest_of_many_prefixes_is_found_whatever_else_is_there() {
    let mut random = 7_u64;
    let mut below = |n: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u8::try_from((random >> 33) % n).unwrap()
    };
    for lengths in [&[0, 8, 16, 24, 31, 32][..], &[0, 16, 64, 65, 112, 127, 128]] {
        let is_v4 = lengths.ends_with(&[32]);
        let mut address = || {
            let [a, b, c] = [below(8), below(4), below(4)];
            if is_v4 {
                IpAddr::from([10, a, b, c])
            } else {
                IpAddr::from([0xfd, 0, 0, 0, 0, 0, 0, a, b << 6, 0, 0, 0, 0, 0, b, c])
            }
        };
        let addresses: Vec<IpAddr> = (0..400).map(|_| address()).collect();
        let route = |(n, address): (usize, &IpAddr)| {
            let prefix = Prefix::new(*address, lengths[n % lengths.len()]).unwrap();
            (prefix, IpAddr::from([192, 0, 2, u8::try_from(n).unwrap()]))
        };
        let routes: Vec<(Prefix, IpAddr)> = addresses[..120].iter().enumerate().map(route).collect();
        let by = |(prefix, gateway): &(Prefix, IpAddr)| {
            Route::single(prefix.address(), prefix.length(), Some(ETH0), Some(*gateway))
        };
        let fib = Fib::new(routes.iter().map(by), []);
        for address in addresses {
            // Of one prefix the first stays.
            let matching = routes.iter().rev().filter(|(prefix, _)| prefix.contains(address));
            let longest = matching.max_by_key(|(prefix, _)| prefix.length());
            let expected = longest.map(|(_, gateway)| (ETH0, *gateway));
            assert_eq!(fib.neighbour_towards(address), expected, "{address}");
        }
    }
}
