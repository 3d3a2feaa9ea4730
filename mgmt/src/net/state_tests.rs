use super::*;
use crate::net::{NeighbourState, RouteKey, TABLE_MAIN, Target, Touched};
use dataplane::snapshot::{Hop, NextHop};
use dataplane::types::Mac;

const INTERFACES: [Port<'_>; 2] = [Port { name: "eth0", bridge: None }, Port { name: "eth1", bridge: None }];
const PEER: Mac = Mac([2, 0, 0, 0, 0, 9]);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn link(index: u32, name: &str) -> Link {
    Link { index, name: name.into(), mac: Mac([2; 6]), mtu: 1500, up: true, carrier: true, ..Link::default() }
}

fn route(prefix: &str, metric: u32, interface: Option<u32>, gateway: Option<&str>) -> Route {
    let (address, length) = prefix.split_once('/').unwrap();
    let length = length.parse().unwrap();
    let key = RouteKey { table: TABLE_MAIN, metric, prefix: ip(address), length, tos: 0 };
    Route { key, target: Target::single(interface, gateway.map(ip)), is_sibling: false }
}

fn neighbour(interface: u32, address: &str, state: NeighbourState) -> Neighbour {
    Neighbour { interface, address: ip(address), mac: Some(PEER), state, managed: false, router: false }
}

fn known(id: u16) -> Hop {
    Hop::Known(NextHop { interface: InterfaceId(id), mac: PEER })
}

/// Two data-plane links (numbers 7 and 8) and a management link (9) with the default route.
fn state() -> NetState {
    let mut state = NetState::default();
    for (index, name) in [(7, "eth0"), (8, "eth1"), (9, "mgmt0")] {
        state.apply(Event::Link(link(index, name)));
    }
    state.apply(Event::Route(route("10.0.0.0/24", 0, Some(7), None), false));
    state.apply(Event::Route(route("10.0.1.0/24", 0, Some(8), None), false));
    state.apply(Event::Route(route("0.0.0.0/0", 0, Some(9), Some("192.0.2.1")), false));
    state.apply(Event::Neighbour(neighbour(7, "10.0.0.2", NeighbourState::Reachable)));
    state
}

fn hop(state: &NetState, address: &str) -> Hop {
    state.fib(&INTERFACES, []).lookup(ip(address))
}

#[test]
fn the_fib_knows_neighbours_by_interface_and_refuses_foreign_routes() {
    let state = state();
    assert_eq!(hop(&state, "10.0.0.2"), known(0));
    let missing = Hop::NeighbourMissing { interface: InterfaceId(1), address: ip("10.0.1.11") };
    assert_eq!(hop(&state, "10.0.1.11"), missing);
    assert_eq!(hop(&state, "198.51.100.1"), Hop::NoRoute);
}

#[test]
fn the_lower_metric_wins_whatever_the_order_of_arrival() {
    let mut state = state();
    state.apply(Event::Route(route("172.16.0.0/16", 100, Some(9), None), false));
    assert_eq!(hop(&state, "172.16.0.1"), Hop::NoRoute);
    let better = route("172.16.0.0/16", 10, Some(7), Some("10.0.0.2"));
    assert_eq!(state.apply(Event::Route(better.clone(), false)), Effect::Changed);
    assert_eq!(hop(&state, "172.16.0.1"), known(0));
    assert_eq!(state.apply(Event::RouteGone(better)), Effect::Changed);
    assert_eq!(hop(&state, "172.16.0.1"), Hop::NoRoute);
}

#[test]
fn a_blackhole_hides_the_wider_route() {
    let mut state = state();
    state.apply(Event::Route(route("10.0.0.2/32", 0, None, None), false));
    assert_eq!(hop(&state, "10.0.0.2"), Hop::NoRoute);
}

#[test]
fn a_replaced_route_leaves_nothing_of_the_old_one_and_an_appended_one_waits_its_turn() {
    let mut state = state();
    let (old, new) =
        (route("10.9.0.0/16", 0, Some(9), None), route("10.9.0.0/16", 0, Some(7), Some("10.0.0.2")));
    state.apply(Event::Route(old.clone(), false));
    assert_eq!(state.apply(Event::Route(new.clone(), false)), Effect::Nothing);
    assert_eq!(hop(&state, "10.9.0.1"), Hop::NoRoute);
    assert_eq!(state.apply(Event::Route(new, true)), Effect::Changed);
    assert_eq!(hop(&state, "10.9.0.1"), known(0));
    assert_eq!(state.apply(Event::RouteGone(old)), Effect::Incomplete);
}

#[test]
fn only_usable_neighbours_count_and_a_state_alone_changes_nothing() {
    use NeighbourState::*;
    for usable in [Reachable, Stale, Delay, Probe, Noarp, Permanent] {
        let mut state = state();
        assert_eq!(state.apply(Event::Neighbour(neighbour(7, "10.0.0.2", usable))), Effect::Nothing);
        assert_eq!(hop(&state, "10.0.0.2"), known(0), "{usable}");
    }
    for useless in [Incomplete, Failed, None] {
        let mut state = state();
        assert_eq!(state.apply(Event::Neighbour(neighbour(7, "10.0.0.2", useless))), Effect::Changed);
        assert_ne!(hop(&state, "10.0.0.2"), known(0), "{useless}");
    }
}

#[test]
fn a_deleted_link_takes_its_routes_along_and_comes_back_under_another_number() {
    let mut state = state();
    state.apply(Event::Address(7, ip("10.0.0.1")));
    assert_eq!(state.apply(Event::LinkGone(7)), Effect::Incomplete);
    assert!(state.link("eth0").is_none() && state.local_addresses().is_empty());
    assert_eq!(hop(&state, "10.0.0.2"), Hop::NoRoute);
    state.apply(Event::Link(link(12, "eth0")));
    state.apply(Event::Route(route("10.0.0.0/24", 0, Some(12), None), false));
    state.apply(Event::Neighbour(neighbour(12, "10.0.0.2", NeighbourState::Stale)));
    assert_eq!(hop(&state, "10.0.0.2"), known(0));
}

#[test]
fn losing_carrier_or_an_address_asks_for_a_fresh_dump() {
    let mut state = state();
    let mut down = link(7, "eth0");
    down.carrier = false;
    assert_eq!(state.apply(Event::Link(down.clone())), Effect::Incomplete);
    assert_eq!(state.apply(Event::Link(down)), Effect::Nothing);
    assert_eq!(state.apply(Event::Address(7, ip("10.0.0.1"))), Effect::Changed);
    assert_eq!(state.apply(Event::AddressGone(7, ip("10.0.0.1"))), Effect::Incomplete);
    assert_eq!(state.apply(Event::AddressGone(7, ip("10.0.0.1"))), Effect::Nothing);
}

/// The two data-plane links as ports of a bridge (number 20), which has the address.
fn bridged() -> NetState {
    let mut state = NetState::default();
    for (index, name) in [(7, "eth0"), (8, "eth1"), (20, "br0")] {
        state.apply(Event::Link(Link { is_bridge: index == 20, ..link(index, name) }));
    }
    state.apply(Event::Route(route("10.0.0.0/24", 0, Some(20), None), false));
    state.apply(Event::Neighbour(neighbour(20, "10.0.0.2", NeighbourState::Reachable)));
    state
}

const INLINE: [Port<'_>; 2] =
    [Port { name: "eth0", bridge: Some("br0") }, Port { name: "eth1", bridge: Some("br0") }];

fn station(port: u32, vlan: u16) -> Station {
    Station { bridge: 20, port, mac: PEER, vlan }
}

fn behind(state: &NetState) -> Hop {
    state.fib(&INLINE, []).lookup(ip("10.0.0.2"))
}

#[test]
fn a_neighbour_on_a_bridge_is_reached_through_the_port_that_it_was_learned_behind_or_all() {
    let mut state = bridged();
    assert_eq!(behind(&state), known(0), "the first port stands for all while its own is not known");
    assert_eq!(state.apply(Event::Station(station(8, 0))), Effect::Changed);
    assert_eq!(state.apply(Event::Station(station(8, 0))), Effect::Nothing);
    assert_eq!(behind(&state), known(1));
    assert_eq!(state.apply(Event::Station(station(7, 0))), Effect::Changed);
    assert_eq!(behind(&state), known(0), "it has moved");
    assert_eq!(state.apply(Event::StationGone(station(8, 0))), Effect::Nothing, "told too late");
    state.apply(Event::Station(station(8, 0)));
    assert_eq!(state.apply(Event::StationGone(station(8, 0))), Effect::Changed);
    assert_eq!(behind(&state), known(0), "flushed");
    state.apply(Event::NeighbourGone(20, ip("10.0.0.2")));
    let missing = Hop::NeighbourMissing { interface: InterfaceId(0), address: ip("10.0.0.2") };
    assert_eq!(behind(&state), missing, "nobody knows its MAC");
}

#[test]
fn stations_are_known_by_bridge_and_leave_with_their_port() {
    let mut state = bridged();
    state.apply(Event::Station(station(8, 5)));
    state.apply(Event::Station(Station { bridge: 21, ..station(7, 0) }));
    let expected = HashMap::from_iter([((BridgeId(0), PEER), InterfaceId(1))]);
    assert_eq!(state.stations(&INLINE), expected);
    assert!(state.stations(&INTERFACES).is_empty(), "of no bridge of the configuration");
    state.apply(Event::LinkGone(8));
    assert!(state.stations(&INLINE).is_empty());
}

#[test]
fn an_interface_has_the_addresses_of_its_bridge() {
    let state = bridged();
    assert_eq!(state.ip_link(INLINE[1]).map(|link| link.index), Some(20));
    assert_eq!(state.ip_link(INTERFACES[1]).map(|link| link.index), Some(8));
}

/// Whatever has changed, the neighbours are as if all had been read again.
#[test]
fn changed_neighbours_are_those_that_all_would_be() {
    let mut state = bridged();
    state.apply(Event::Neighbour(neighbour(20, "10.0.0.3", NeighbourState::Stale)));
    let before = state.fib(&INLINE, []);
    let mut touched = Touched::default();
    state.apply(Event::NeighbourGone(20, ip("10.0.0.3")));
    state.apply(Event::Neighbour(neighbour(20, "10.0.0.4", NeighbourState::Stale)));
    state.apply(Event::Neighbour(neighbour(9, "192.0.2.1", NeighbourState::Stale)));
    touched.neighbours.extend([(20, ip("10.0.0.3")), (20, ip("10.0.0.4")), (9, ip("192.0.2.1"))]);
    let amended = before.amended(state.changed_next_hops(&INLINE, &touched));
    let expected = [("10.0.0.2", known(0)), ("10.0.0.4", known(0))];
    for (address, hop) in expected {
        assert_eq!(amended.lookup(ip(address)), hop, "{address}");
    }
    let missing = Hop::NeighbourMissing { interface: InterfaceId(0), address: ip("10.0.0.3") };
    assert_eq!(amended.lookup(ip("10.0.0.3")), missing);
    // A station behind another port takes its neighbours along, those that have not changed themselves too.
    state.apply(Event::Station(station(8, 0)));
    let touched = Touched { stations: [(20, PEER)].into(), ..Touched::default() };
    let amended = amended.amended(state.changed_next_hops(&INLINE, &touched));
    for (address, _) in expected {
        assert_eq!(amended.lookup(ip(address)), known(1), "{address}");
    }
}

#[test]
fn a_link_has_several_names_and_a_vlan_s_frames_are_those_of_its_carrier() {
    let mut state = NetState::default();
    let altnames = vec!["enp3s0f0".to_owned(), "front".to_owned()];
    state.apply(Event::Link(Link { altnames, unfinished: true, ..link(7, "eth0") }));
    state.apply(Event::Link(link(8, "eth1")));
    state.apply(Event::Link(Link { carrier_of_vlan: Some(7), ..link(9, "eth0.7") }));
    for name in ["eth0", "enp3s0f0", "front"] {
        assert_eq!(state.link(name).map(|link| link.index), Some(7), "{name}");
    }
    assert!(state.link("enp3s0f1").is_none());
    let names: Vec<_> = state.names().filter(|(_, others)| !others.is_empty()).collect();
    assert_eq!(names, [("eth0", &["enp3s0f0".to_owned(), "front".to_owned()][..])]);
    state.apply(Event::Link(link(10, "front")));
    assert_eq!(state.link("front").map(|link| link.index), Some(10), "a main name stands for itself");
    state.apply(Event::LinkGone(10));
    assert_eq!(state.link("eth0").map(Link::names).as_deref(), Some("eth0 (enp3s0f0, front)"));
    let unfinished = |name| state.link(name).is_some_and(|link| state.is_unfinished(link));
    assert_eq!(["eth0", "eth1", "eth0.7"].map(unfinished), [true, false, true]);
    assert_eq!(state.vlans_on(7).map(|link| link.index).collect::<Vec<_>>(), [9]);
}
