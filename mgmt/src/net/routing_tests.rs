use dataplane::snapshot::{Hop, Query};
use dataplane::types::{InterfaceId, Prefix};

use super::*;
use crate::net::rules::Action;
use crate::net::{Event, Link, NetState, Port};

const PORTS: [Port<'_>; 3] = [
    Port { name: "eth0", bridge: None },
    Port { name: "eth1", bridge: None },
    Port { name: "eth2", bridge: Some("br0") },
];
const UPLINK: u32 = 100;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn link(index: u32, name: &str) -> Event {
    let mac = dataplane::types::Mac([2; 6]);
    let name = name.to_owned();
    Event::Link(Link {
        index,
        name,
        altnames: Vec::new(),
        mac,
        mtu: 1500,
        up: true,
        carrier: true,
        is_bridge: false,
        master: None,
        carrier_of_vlan: None,
        unfinished: false,
    })
}

fn hop(interface: u32, gateway: &str) -> RouteHop {
    RouteHop { interface, gateway: Some(ip(gateway)), weight: 1 }
}

fn route(table: u32, prefix: &str, target: Target) -> Route {
    let (prefix, length) = prefix.split_once('/').unwrap();
    let (prefix, length) = (ip(prefix), length.parse().unwrap());
    let is_sibling = prefix.is_ipv6() && has_gateways(&target);
    Route { key: RouteKey { table, prefix, length, metric: 0, tos: 0 }, target, is_sibling }
}

fn rule(priority: u32, table: u32) -> PolicyRule {
    PolicyRule {
        priority,
        is_v4: true,
        from: None,
        to: None,
        iif: None,
        never_matches: false,
        is_inverted: false,
        action: Action::LookUp { table, suppress: None },
        unknown: Vec::new(),
    }
}

fn from(text: &str) -> PolicyRule {
    PolicyRule { from: Some(Prefix::host(ip(text))), ..rule(500, UPLINK) }
}

/// Links 7 (eth0), 8 (eth1), 9 (eth2, of br0: 20) and 30, which is not the data plane's; the kernel's rules and
/// those given; main has a default by link 7, the uplink's table one by link 8.
fn state(rules: impl IntoIterator<Item = PolicyRule>) -> NetState {
    let mut state = NetState::default();
    for (index, name) in [(7, "eth0"), (8, "eth1"), (9, "eth2"), (20, "br0"), (30, "mgmt0")] {
        state.apply(link(index, name));
    }
    let own = [rule(0, TABLE_LOCAL), rule(32766, TABLE_MAIN), rule(32767, TABLE_DEFAULT)];
    for rule in own.into_iter().chain(rules) {
        state.apply(Event::Rule(rule));
    }
    for route in [
        route(TABLE_LOCAL, "10.0.0.1/32", Target::Own),
        route(TABLE_MAIN, "0.0.0.0/0", Target::One(hop(7, "10.0.0.254"))),
        route(UPLINK, "0.0.0.0/0", Target::One(hop(8, "10.0.1.254"))),
    ] {
        state.apply(Event::Route(route, false));
    }
    state
}

fn from_vip() -> Query {
    Query { source: Some(ip("10.0.0.100")), ..Query::towards(ip("192.0.2.1")) }
}

/// The neighbour that a packet of 10.0.0.100 is handed to.
fn of_vip(state: &NetState) -> Option<String> {
    by(state, &from_vip())
}

fn by(state: &NetState, query: &Query) -> Option<String> {
    state.fib(&PORTS, []).neighbour_for(query).map(|(_, address)| address.to_string())
}

// ---- rules

#[test]
fn the_kernel_s_own_rules_make_one_table_that_asks_for_no_source() {
    let state = state([]);
    assert!(!state.has_rules(&PORTS));
    let fib = state.fib(&PORTS, []);
    assert!(fib.is_same_for_all(ip("192.0.2.1")));
    assert_eq!(fib.lookup(ip("10.0.0.1")), Hop::NoRoute, "the node itself");
    assert_eq!(of_vip(&state).as_deref(), Some("10.0.0.254"));
}

#[test]
fn a_rule_for_a_virtual_address_leads_to_its_table_and_asks_for_a_fresh_dump() {
    let mut state = state([from("10.0.0.100")]);
    assert!(state.has_rules(&PORTS));
    assert_eq!(of_vip(&state).as_deref(), Some("10.0.1.254"));
    assert_eq!(by(&state, &Query::towards(ip("192.0.2.1"))).as_deref(), Some("10.0.0.254"));
    assert_eq!(state.apply(Event::Rule(from("10.0.0.100"))), Effect::Nothing, "it is known");
    assert_eq!(state.apply(Event::RuleGone(from("10.0.0.100"))), Effect::Incomplete);
    assert_eq!(of_vip(&state).as_deref(), Some("10.0.0.254"));
    let other = PolicyRule { action: Action::LookUp { table: 101, suppress: None }, ..from("10.0.0.100") };
    assert_eq!(state.apply(Event::Rule(other)), Effect::Incomplete, "table 101 has not been read");
}

#[test]
fn the_only_default_may_be_in_another_table() {
    let mut state = state([rule(32765, UPLINK)]);
    state.apply(Event::RouteGone(route(TABLE_MAIN, "0.0.0.0/0", Target::One(hop(7, "10.0.0.254")))));
    assert_eq!(of_vip(&state).as_deref(), Some("10.0.1.254"));
}

#[test]
fn rules_are_asked_in_the_order_of_priorities() {
    let refuse = PolicyRule { action: Action::Refuse, ..from("10.0.0.100") };
    for (priority, expected) in [(499, None), (501, Some("10.0.1.254"))] {
        let state = state([from("10.0.0.100"), PolicyRule { priority, ..refuse.clone() }]);
        assert_eq!(of_vip(&state).as_deref(), expected, "priority {priority}");
    }
}

#[test]
fn rules_for_marks_sockets_and_vrfs_match_nothing_of_the_data_plane() {
    let never = PolicyRule { never_matches: true, ..rule(10, UPLINK) };
    let state_ = state([never.clone()]);
    assert!(!state_.has_rules(&PORTS));
    assert_eq!(of_vip(&state_).as_deref(), Some("10.0.0.254"));
    // As WireGuard has it: all but what carries its mark.
    let inverted = PolicyRule { is_inverted: true, ..never };
    assert_eq!(of_vip(&state([inverted])).as_deref(), Some("10.0.1.254"));
}

#[test]
fn interfaces_of_rules_are_found_by_name_and_by_bridge() {
    let coming = |name: &str| state([PolicyRule { iif: Some(name.into()), ..rule(500, UPLINK) }]);
    let forwarded = |id| Query { ingress: Some(InterfaceId(id)), ..from_vip() };
    let by = |name: &str, query| by(&coming(name), &query);
    assert_eq!(by("eth0", forwarded(0)).as_deref(), Some("10.0.1.254"));
    assert_eq!(by("eth0", forwarded(1)).as_deref(), Some("10.0.0.254"));
    assert_eq!(by("br0", forwarded(2)).as_deref(), Some("10.0.1.254"));
    assert_eq!(by("lo", from_vip()).as_deref(), Some("10.0.1.254"));
    assert_eq!(by("lo", forwarded(0)).as_deref(), Some("10.0.0.254"));
    assert!(!coming("mgmt0").has_rules(&PORTS), "no packet of the data plane comes in there");
}

#[test]
fn a_table_of_management_for_the_node_s_own_packets_is_not_the_data_plane_s() {
    let own = |table| PolicyRule { iif: Some("lo".into()), ..rule(101, table) };
    let mut state = state([own(7), own(8)]);
    state.apply(Event::Route(route(7, "0.0.0.0/0", Target::One(hop(30, "10.3.0.254"))), false));
    assert!(!state.has_rules(&PORTS));
    assert_eq!(of_vip(&state).as_deref(), Some("10.0.0.254"));
    // Also one that is for other packets, too: what it says counts.
    state.apply(Event::Route(route(8, "192.0.2.0/24", Target::One(hop(8, "10.0.1.3"))), false));
    assert_eq!(of_vip(&state).as_deref(), Some("10.0.1.3"));
    let mut strict = self::state([PolicyRule {
        action: Action::LookUp { table: 7, suppress: None },
        ..from("10.0.0.100")
    }]);
    strict.apply(Event::Route(route(7, "0.0.0.0/0", Target::One(hop(30, "10.3.0.254"))), false));
    assert_eq!(of_vip(&strict), None, "an operator's rule out of a foreign interface is not bypassed");
}

/// `ip rule add lookup main suppress_prefixlength 0`: main's specific routes first, its default not.
#[test]
fn a_suppressed_default_leads_to_the_next_rule_whatever_its_interface() {
    let specific =
        PolicyRule { action: Action::LookUp { table: TABLE_MAIN, suppress: Some(0) }, ..rule(400, 0) };
    let with = |target: Target, prefix: &str| {
        let mut state = state([specific.clone(), rule(500, UPLINK)]);
        state.apply(Event::RouteGone(route(TABLE_MAIN, "0.0.0.0/0", Target::One(hop(7, "10.0.0.254")))));
        state.apply(Event::Route(route(TABLE_MAIN, prefix, target), false));
        of_vip(&state)
    };
    let foreign = hop(30, "10.3.0.254");
    let other = RouteHop { gateway: Some(ip("10.3.0.253")), ..foreign };
    let leads = [
        Target::One(hop(7, "10.0.0.254")),
        Target::One(foreign),
        Target::Many(vec![foreign, other]),
        Target::Object(3),
        Target::Own,
        Target::Throw,
    ];
    for target in leads {
        let name = format!("{target:?}");
        assert_eq!(with(target, "0.0.0.0/0").as_deref(), Some("10.0.1.254"), "{name}");
    }
    assert_eq!(with(Target::Nowhere, "0.0.0.0/0"), None, "an error is final");
    assert_eq!(with(Target::One(foreign), "192.0.2.0/24"), None, "a specific route is not suppressed");
}

#[test]
fn what_is_not_followed_is_named() {
    let unknown = PolicyRule { unknown: vec!["ipproto", "dport"], ..from("10.0.0.100") };
    let state_ = state([unknown]);
    assert_eq!(of_vip(&state_).as_deref(), Some("10.0.0.254"), "as if it were not there");
    assert_eq!(left(&state_), ["IPv4 rule 500 (from 10.0.0.100 lookup 100) has ipproto, dport"]);
    assert!(left(&state([from("10.0.0.100")])).is_empty());

    let mut objects = state([]);
    objects.apply(Event::Route(route(TABLE_MAIN, "198.51.100.0/24", Target::Object(3)), false));
    assert!(left(&objects)[0].contains("nexthop_compat_mode"), "{:?}", left(&objects));
}

#[test]
fn rules_tables_and_routes_are_bounded() {
    let many = (0..200_u32).map(|n| PolicyRule {
        action: Action::LookUp { table: 1000 + n, suppress: None },
        ..rule(1000 + n, 0)
    });
    let state_ = state(many);
    let words = left(&state_).join("\n");
    assert!(
        words.contains("168 rules lead to tables beyond the 32 that are followed, the first is"),
        "{words}"
    );
    assert_eq!(state_.routing().tables.len(), MAX_TABLES);

    let many = (0..3000_u32).map(|n| lookup(n, "10.0.0.9", UPLINK));
    let state_ = state(many);
    assert!(left(&state_).contains(&"there are more than 2048 IPv4 rules".to_owned()), "{:?}", left(&state_));

    let mut state = state([from("10.0.0.100")]);
    for n in 0..u32::try_from(MAX_ROUTES).unwrap() + 10 {
        let prefix = format!("{}/32", std::net::Ipv4Addr::from_bits(0x0b00_0000 + n));
        state.apply(Event::Route(route(UPLINK, &prefix, Target::Nowhere), false));
        let unnamed = Event::Route(route(77, &prefix, Target::Nowhere), false);
        assert_eq!(state.apply(unnamed), Effect::Nothing, "no rule leads there");
    }
    assert_eq!(state.routing().routes.len(), MAX_ROUTES + 2);
    assert!(left(&state)[0].contains("more than 131072 routes"));
}

/// The words on what is not followed.
fn left(state: &NetState) -> Vec<String> {
    state.not_followed(&PORTS)
}

fn lookup(priority: u32, from: &str, table: u32) -> PolicyRule {
    PolicyRule { from: Some(Prefix::host(ip(from))), ..rule(priority, table) }
}

/// Rules for hosts that are no clients of anything here.
fn of_others(count: u32, table: u32) -> impl Iterator<Item = PolicyRule> {
    (0..count).map(move |n| lookup(1000 + n, &format!("10.77.{}.{}", n / 250, n % 250), table))
}

#[test]
fn rules_beyond_the_limits_never_cost_those_for_all_packets() {
    for count in [124, 126, 127, 128, 200, 2046, 2048, 5000] {
        let state = state(of_others(count, UPLINK));
        assert_eq!(of_vip(&state).as_deref(), Some("10.0.0.254"), "{count} rules before the main table");
        let first = Query { source: Some(ip("10.77.0.0")), ..from_vip() };
        assert_eq!(by(&state, &first).as_deref(), Some("10.0.1.254"), "the first of {count} is followed");
        // Local and main take two of the places.
        assert_eq!(left(&state).is_empty(), count <= 126, "{count}: {:?}", left(&state));
        let more = count.min(2045).saturating_sub(126);
        let words = format!("{more} rules are more than the 128");
        assert_eq!(left(&state).iter().any(|left| left.starts_with(&words)), more > 0, "{:?}", left(&state));
    }
    // The kernel reports the main table's rule after them, and IPv6's after all of IPv4.
    let mut late = NetState::default();
    late.apply(link(7, "eth0"));
    let kernels =
        |is_v4| [rule(0, TABLE_LOCAL), rule(32766, TABLE_MAIN)].map(|rule| PolicyRule { is_v4, ..rule });
    let [local, main] = kernels(true);
    for rule in [local].into_iter().chain(of_others(3000, UPLINK)).chain([main]).chain(kernels(false)) {
        late.apply(Event::Rule(rule));
    }
    let v6 = PolicyRule { is_v4: false, ..lookup(500, "fd00::100", UPLINK) };
    late.apply(Event::Rule(v6));
    for (table, prefix, gateway) in [
        (TABLE_MAIN, "0.0.0.0/0", "10.0.0.254"),
        (TABLE_MAIN, "::/0", "fd00::fe"),
        (UPLINK, "::/0", "fd00:1::fe"),
    ] {
        late.apply(Event::Route(route(table, prefix, Target::One(hop(7, gateway))), false));
    }
    assert_eq!(of_vip(&late).as_deref(), Some("10.0.0.254"));
    let v6 = |source| Query { source: Some(ip(source)), ..Query::towards(ip("2001:db8::1")) };
    assert_eq!(by(&late, &v6("fd00::100")).as_deref(), Some("fd00:1::fe"));
    assert_eq!(by(&late, &v6("fd00::101")).as_deref(), Some("fd00::fe"));
    assert!(left(&late).contains(&"there are more than 2048 IPv4 rules".to_owned()), "{:?}", left(&late));
}

#[test]
fn rules_without_effect_take_no_place_of_others() {
    let vip = PolicyRule { priority: 30000, ..from("10.0.0.100") };
    let elsewhere = |n: u32| PolicyRule { iif: Some("mgmt0".into()), ..rule(3000 + n, UPLINK) };
    let nothing =
        of_others(500, 900).chain((0..500).map(elsewhere)).chain((0..500_u32).map(|n| rule(4000 + n, 901)));
    let state_ = state(nothing.chain([vip.clone()]));
    assert_eq!(of_vip(&state_).as_deref(), Some("10.0.1.254"), "tables 900 and 901 are empty");
    assert_eq!(left(&state_), [""; 0]);
    // Once more for all packets, what led nowhere before.
    let again = (0..200_u32).map(|n| rule(5000 + n, TABLE_MAIN));
    let mut state_ = state(again.chain([vip]));
    state_.apply(Event::RouteGone(route(TABLE_MAIN, "0.0.0.0/0", Target::One(hop(7, "10.0.0.254")))));
    state_
        .apply(Event::Route(route(TABLE_MAIN, "198.51.100.0/24", Target::One(hop(7, "10.0.0.254"))), false));
    assert_eq!(of_vip(&state_).as_deref(), Some("10.0.1.254"));
    assert_eq!(left(&state_), [""; 0]);
    // Marks and sockets are matched by nothing, and are the first to be forgotten.
    let marked = (0..3000).map(|n| PolicyRule { never_matches: true, ..rule(n, 0) });
    let state_ = state(marked.chain([from("10.0.0.100")]));
    assert_eq!(of_vip(&state_).as_deref(), Some("10.0.1.254"));
    assert_eq!(left(&state_), [""; 0]);
}

#[test]
fn a_table_for_all_packets_is_followed_before_those_of_some() {
    let many = (0..40_u32).map(|n| lookup(1000 + n, &format!("10.77.0.{n}"), 1000 + n));
    let mut state = state(many.chain([rule(32765, UPLINK)]));
    state.apply(Event::RouteGone(route(TABLE_MAIN, "0.0.0.0/0", Target::One(hop(7, "10.0.0.254")))));
    assert_eq!(of_vip(&state).as_deref(), Some("10.0.1.254"));
    let words = left(&state).join("; ");
    assert!(
        words.contains("9 rules lead to tables beyond the 32 that are followed, the first is"),
        "{words}"
    );
    assert!(words.contains("lookup 1031)"), "{words}");
}

#[test]
fn a_table_that_no_rule_leads_to_any_more_is_not_asked() {
    let mut state_ = state([]);
    assert_eq!(state_.apply(Event::RuleGone(rule(32766, TABLE_MAIN))), Effect::Incomplete);
    assert_eq!(of_vip(&state_), None, "ip rule del lookup main");
    state_.apply(Event::Rule(rule(100, TABLE_MAIN)));
    assert_eq!(of_vip(&state_).as_deref(), Some("10.0.0.254"));
    assert!(!state_.has_rules(&PORTS), "local before main is the kernel's order");
    // Before the local table, main's default decides about the node's own address as well.
    state_.apply(Event::RuleGone(rule(0, TABLE_LOCAL)));
    state_.apply(Event::Rule(rule(200, TABLE_LOCAL)));
    let own = Query { source: Some(ip("10.0.0.100")), ..Query::towards(ip("10.0.0.1")) };
    assert_eq!(by(&state_, &own).as_deref(), Some("10.0.0.254"));
    // Nothing but a mark's rule is there.
    let mut bare = state([PolicyRule { never_matches: true, ..rule(10, UPLINK) }]);
    for own in [rule(0, TABLE_LOCAL), rule(32766, TABLE_MAIN), rule(32767, TABLE_DEFAULT)] {
        bare.apply(Event::RuleGone(own));
    }
    assert_eq!(of_vip(&bare), None);
}

// ---- next hops of equal cost

fn gateways(state: &NetState, destination: &str) -> BTreeSet<String> {
    let fib = state.fib(&PORTS, []);
    let hash = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let query = |n| Query { hash: hash(n), ..Query::towards(ip(destination)) };
    (0..200).filter_map(|n| Some(fib.neighbour_for(&query(n))?.1.to_string())).collect()
}

fn set<const N: usize>(addresses: [&str; N]) -> BTreeSet<String> {
    addresses.map(str::to_owned).into()
}

fn two() -> Target {
    Target::Many(vec![hop(7, "10.0.0.21"), hop(8, "10.0.1.22")])
}

#[test]
fn all_next_hops_of_a_route_are_kept_and_leave_with_their_link() {
    let mut state = state([]);
    let wide = route(TABLE_MAIN, "198.51.100.0/24", two());
    assert_eq!(state.apply(Event::Route(wide.clone(), false)), Effect::Changed);
    assert_eq!(gateways(&state, "198.51.100.1"), set(["10.0.0.21", "10.0.1.22"]));
    assert!(state.gateways().contains(&ip("10.0.1.22")));
    let less = route(TABLE_MAIN, "198.51.100.0/24", Target::One(hop(8, "10.0.1.22")));
    assert_eq!(state.apply(Event::Route(less, true)), Effect::Changed);
    assert_eq!(gateways(&state, "198.51.100.1"), set(["10.0.1.22"]));
    state.apply(Event::Route(wide.clone(), true));
    state.apply(Event::LinkGone(8));
    assert_eq!(gateways(&state, "198.51.100.1"), set(["10.0.0.21"]));
    assert_eq!(state.apply(Event::RouteGone(wide)), Effect::Incomplete, "it is another route now");
}

#[test]
fn a_link_without_a_carrier_takes_its_next_hop_out() {
    let mut state = state([]);
    state.apply(Event::Route(route(TABLE_MAIN, "198.51.100.0/24", two()), false));
    let neighbour = |interface, address: &str| {
        let mac = dataplane::types::Mac([2; 6]);
        let state = crate::net::NeighbourState::Reachable;
        let mac = Some(mac);
        Event::Neighbour(crate::net::Neighbour {
            interface,
            address: ip(address),
            mac,
            state,
            router: false,
            managed: false,
        })
    };
    state.apply(neighbour(7, "10.0.0.21"));
    state.apply(neighbour(8, "10.0.1.22"));
    assert_eq!(gateways(&state, "198.51.100.1"), set(["10.0.0.21", "10.0.1.22"]));
    let Event::Link(up) = link(8, "eth1") else { unreachable!() };
    state.apply(Event::Link(Link { carrier: false, ..up }));
    assert_eq!(gateways(&state, "198.51.100.1"), set(["10.0.0.21"]));
}

#[test]
fn next_hops_by_foreign_interfaces_are_left_out_and_alone_they_hide_the_default() {
    let mut state = state([]);
    let mixed = Target::Many(vec![hop(7, "10.0.0.21"), hop(30, "10.3.0.21")]);
    state.apply(Event::Route(route(TABLE_MAIN, "198.51.100.0/24", mixed), false));
    assert_eq!(gateways(&state, "198.51.100.1"), set(["10.0.0.21"]));
    let foreign = Target::Many(vec![hop(30, "10.3.0.22"), hop(30, "10.3.0.21")]);
    state.apply(Event::Route(route(TABLE_MAIN, "198.51.101.0/24", foreign), false));
    assert_eq!(gateways(&state, "198.51.101.1"), set([]));
}

#[test]
fn a_better_metric_wins_over_a_route_with_several_next_hops() {
    let mut state = state([]);
    let mut worse = route(TABLE_MAIN, "198.51.100.0/24", two());
    worse.key.metric = 200;
    let mut better = route(TABLE_MAIN, "198.51.100.0/24", Target::One(hop(7, "10.0.0.9")));
    better.key.metric = 100;
    state.apply(Event::Route(worse, false));
    state.apply(Event::Route(better.clone(), false));
    assert_eq!(gateways(&state, "198.51.100.1"), set(["10.0.0.9"]));
    state.apply(Event::RouteGone(better));
    assert_eq!(gateways(&state, "198.51.100.1"), set(["10.0.0.21", "10.0.1.22"]));
}

#[test]
fn sibling_routes_of_ipv6_are_one_route_whatever_they_come_as() {
    const NET: &str = "2001:db8::/32";
    let single = |gateway| route(TABLE_MAIN, NET, Target::One(hop(7, gateway)));
    let both = set(["fd00::21", "fd00::22"]);
    let mut state = state([]);
    state.apply(Event::Route(single("fd00::21"), false));
    assert_eq!(state.apply(Event::Route(single("fd00::22"), false)), Effect::Changed);
    assert_eq!(gateways(&state, "2001:db8::1"), both);
    // As a kernel tells of an appended one: all of them.
    let all = Target::Many(vec![hop(7, "fd00::22"), hop(7, "fd00::21")]);
    assert_eq!(state.apply(Event::Route(route(TABLE_MAIN, NET, all), false)), Effect::Nothing);
    assert_eq!(state.apply(Event::RouteGone(single("fd00::21"))), Effect::Changed);
    assert_eq!(gateways(&state, "2001:db8::1"), set(["fd00::22"]));
    assert_eq!(state.apply(Event::RouteGone(single("fd00::9"))), Effect::Incomplete);
    assert_eq!(state.apply(Event::RouteGone(single("fd00::22"))), Effect::Changed);
    assert_eq!(gateways(&state, "2001:db8::1"), set([]));

    // Routers that advertise themselves are alternatives: the first decides.
    let advertised = |gateway| Route { is_sibling: false, ..single(gateway) };
    state.apply(Event::Route(advertised("fe80::1"), false));
    state.apply(Event::Route(advertised("fe80::2"), false));
    assert_eq!(gateways(&state, "2001:db8::1"), set(["fe80::1"]));
}
