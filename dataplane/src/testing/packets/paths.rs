//! Paths that depend on the packet: next hops of equal cost, and policy rules. In every mode, towards clients and
//! backends; a trace shows the same path as the worker takes.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::way::{BACKEND, POOL, Way, ways};
use super::*;
use crate::pipeline::trace::Outcome;
use crate::snapshot::{
    Fib, Forwarding, Ingress, NextHop, Path, Route, Rule, RuleAction, Rules, Snapshot, Target,
};
use crate::testing::offer::{How, pool_address, tunnel_source};
use crate::types::{Mac, Prefix};

/// Workers with a hash of their own each. That all of them choose the same of two next hops comes to pass once in
/// 2^39 runs.
const TRIES: usize = 40;
const FIRST: Mac = Mac([2, 0, 0, 0, 9, 1]);
const SECOND: Mac = Mac([2, 0, 0, 0, 9, 2]);

fn router(interface: InterfaceId, last: u8, v6: bool) -> IpAddr {
    let text =
        if v6 { format!("fe80::{}:{last}", interface.0) } else { format!("10.9.{}.{last}", interface.0) };
    text.parse().expect("an address")
}

/// Everything of a family by one of two routers on an interface.
fn both(interface: InterfaceId, v6: bool) -> Route {
    let path = |last| Path::new(interface, Some(router(interface, last, v6)));
    Route { target: Target::Many(vec![path(1), path(2)]), ..default(interface, 1, v6) }
}

/// Everything of a family by one router.
fn default(interface: InterfaceId, last: u8, v6: bool) -> Route {
    let prefix = if v6 { "::" } else { "0.0.0.0" };
    Route::single(prefix.parse().unwrap(), 0, Some(interface), Some(router(interface, last, v6)))
}

/// The MACs of the routers, but for those without an answer.
fn answering(silent: &[u8]) -> Vec<(InterfaceId, IpAddr, NextHop)> {
    let mut known = Vec::new();
    for (interface, v6) in [(ETH0, false), (ETH0, true), (ETH1, false), (ETH1, true)] {
        for (last, mac) in [(1, FIRST), (2, SECOND)].into_iter().filter(|(last, _)| !silent.contains(last)) {
            known.push((interface, router(interface, last, v6), NextHop { interface, mac }));
        }
    }
    known
}

fn with_fib(mut snapshot: Snapshot, fib: Fib) -> Snapshot {
    snapshot.fib = Arc::new(fib);
    snapshot
}

/// As management leaves it where the path depends on the packet.
fn resolved_by_packet(mut snapshot: Snapshot) -> Snapshot {
    snapshot.backends.iter_mut().flatten().for_each(|backend| backend.next_hop = None);
    snapshot
}

/// What the worker sends, which a trace must have foretold.
fn sent(rig: &mut Rig, way: &Way, ingress: InterfaceId, frame: &[u8]) -> (InterfaceId, Mac) {
    let foretold = rig.trace(ingress, frame);
    let sent = rig.receive(ingress, &[frame.to_vec()]);
    let [(interface, bytes)] = &sent[..] else { panic!("{}: sent {sent:?}", way.name()) };
    let mac = |bytes: &[u8]| Mac(*bytes.first_chunk().unwrap());
    let Outcome::Forwarded { interface: by, frame } = &foretold.outcome else { panic!("{foretold:?}") };
    assert_eq!((*by, mac(frame)), (*interface, mac(bytes)), "{}: traced and sent", way.name());
    (*interface, mac(bytes))
}

fn syn(way: &Way) -> Vec<u8> {
    way.ask().tcp(way::CLIENT_PORT, 80, SYN).build()
}

fn reply(way: &Way, flags: u8) -> Vec<u8> {
    let (_, (source, server)) = way.ports(Protocol::Tcp);
    way.reply().tcp(server, source, flags).build()
}

/// Ways whose replies are routed.
fn replying() -> impl Iterator<Item = Way> {
    ways().into_iter().filter(|way| way.is_two_way() && way.is_hop())
}

/// Ways to backends behind a router: all but bridge mode, which has none, and plain DSR, which does not work so.
fn routing() -> impl Iterator<Item = Way> {
    ways().into_iter().filter(|way| !matches!(way.how, How::Bridge | How::Dsr(None)))
}

#[test]
fn replies_use_both_of_two_routers_and_each_flow_one() {
    for way in replying() {
        let mut used = BTreeSet::new();
        for _ in 0..TRIES {
            let fib = Fib::new([both(ETH0, way.client_v6)], answering(&[]));
            let mut rig = Rig::new(with_fib(way.snapshot(), fib));
            rig.receive(ETH0, &[syn(&way)]);
            let first = sent(&mut rig, &way, ETH1, &reply(&way, SYN_ACK));
            assert_eq!(sent(&mut rig, &way, ETH1, &reply(&way, ACK)), first, "{}: one flow", way.name());
            used.insert(first);
        }
        assert_eq!(used, [(ETH0, FIRST), (ETH0, SECOND)].into(), "{}", way.name());
    }
}

#[test]
fn a_router_that_does_not_answer_gets_nothing() {
    for way in replying() {
        for _ in 0..8 {
            let fib = Fib::new([both(ETH0, way.client_v6)], answering(&[1]));
            let mut rig = Rig::new(with_fib(way.snapshot(), fib));
            rig.receive(ETH0, &[syn(&way)]);
            assert_eq!(sent(&mut rig, &way, ETH1, &reply(&way, SYN_ACK)), (ETH0, SECOND), "{}", way.name());
        }
        let fib = Fib::new([both(ETH0, way.client_v6)], answering(&[1, 2]));
        let mut rig = Rig::new(with_fib(way.snapshot(), fib));
        rig.receive(ETH0, &[syn(&way)]);
        let reply = reply(&way, SYN_ACK);
        check(&mut rig, "none answers", ETH1, &reply, &Expect::Holds);
        let routers = [1, 2].map(|last| router(ETH0, last, way.client_v6));
        match rig.punts.receive() {
            Some(crate::Punt::NeighbourMissing { interface: ETH0, address })
                if routers.contains(&address) => {}
            other => panic!("{}: management was asked for {other:?}", way.name()),
        }
    }
}

#[test]
fn backends_behind_two_routers_are_reached_by_both() {
    for way in routing() {
        let mut used = BTreeSet::new();
        for _ in 0..TRIES {
            let fib = Fib::new([both(ETH1, way.server_v6)], answering(&[]));
            let mut rig = Rig::new(with_fib(resolved_by_packet(way.snapshot()), fib));
            let first = sent(&mut rig, &way, ETH0, &syn(&way));
            let data = way.ask().tcp(way::CLIENT_PORT, 80, ACK).build();
            assert_eq!(sent(&mut rig, &way, ETH0, &data), first, "{}: one flow", way.name());
            used.insert(first);
        }
        assert_eq!(used, [(ETH1, FIRST), (ETH1, SECOND)].into(), "{}", way.name());
    }
}

#[test]
fn what_a_backend_sends_by_itself_is_spread_too() {
    for v6 in [false, true] {
        let fib = Fib::new([both(ETH0, v6)], answering(&[]));
        let mut rig = Rig::new(with_fib(snapshot(&[11], &[21]), fib));
        let to = if v6 { "2001:db8::7" } else { "192.0.2.7" };
        let frame =
            |port| frame((backend_mac(11), &backend(11, v6)), (BOX1, to)).tcp(8080, port, ACK).build();
        let used: BTreeSet<_> =
            (2000..2040).map(|port| rig.receive(ETH1, &[frame(port)]).remove(0).1[..6].to_vec()).collect();
        assert_eq!(used, [FIRST.0.to_vec(), SECOND.0.to_vec()].into());
    }
}

// ---- policy rules

/// Main has a default by the first router, the uplink's table one by the second; one rule leads there.
fn ruled(interface: InterfaceId, v6: bool, rule: Rule) -> Fib {
    let main = Rule { from: None, ingress: Ingress::Any, action: look_up(0), ..rule };
    let rules = vec![rule, main];
    let rules =
        if v6 { Rules { v6: rules, ..Rules::default() } } else { Rules { v4: rules, ..Rules::default() } };
    Fib::with_rules(rules, [(0, default(interface, 1, v6)), (1, default(interface, 2, v6))], answering(&[]))
}

fn look_up(table: usize) -> RuleAction {
    RuleAction::LookUp { table, suppress: None }
}

fn from(source: &str) -> Rule {
    let from = Some(Prefix::host(source.parse().unwrap()));
    Rule { from, ..coming(Ingress::Any) }
}

fn coming(ingress: Ingress) -> Rule {
    Rule { from: None, to: None, ingress, is_inverted: false, action: look_up(1) }
}

fn forwarded_from(id: InterfaceId) -> Rule {
    coming(Ingress::From([id].into_iter().collect()))
}

#[test]
fn a_reply_is_looked_up_as_a_packet_of_the_virtual_address() {
    for way in replying() {
        let by = |rule| {
            let fib = ruled(ETH0, way.client_v6, rule);
            let mut rig = Rig::new(with_fib(way.snapshot(), fib));
            rig.receive(ETH0, &[syn(&way)]);
            sent(&mut rig, &way, ETH1, &reply(&way, SYN_ACK)).1
        };
        let vip = vip(way.mode(), way.client_v6);
        assert_eq!(by(from(vip)), SECOND, "{}: from the virtual IP", way.name());
        assert_eq!(by(from(client(way.client_v6))), FIRST, "{}: from another address", way.name());
        assert_eq!(by(coming(Ingress::Own)), SECOND, "{}: iif lo", way.name());
        assert_eq!(by(forwarded_from(ETH1)), FIRST, "{}: iif of the backend's interface", way.name());
    }
}

#[test]
fn a_packet_to_a_backend_is_looked_up_with_the_source_that_it_leaves_with() {
    for way in routing() {
        let by = |rule| {
            let fib = ruled(ETH1, way.server_v6, rule);
            let mut rig = Rig::new(with_fib(resolved_by_packet(way.snapshot()), fib));
            sent(&mut rig, &way, ETH0, &syn(&way)).1
        };
        let (source, is_own) = match way.how {
            How::OneArm(_) => (pool_address(POOL, way.server_v6), true),
            How::Tunnel(_) => (tunnel_source(way.server_v6), true),
            _ => (client(way.client_v6).parse().unwrap(), false),
        };
        assert_eq!(by(from(&source.to_string())), SECOND, "{}: from {source}", way.name());
        assert_eq!(by(from(&backend(BACKEND, way.server_v6))), FIRST, "{}", way.name());
        let expected = if is_own { [SECOND, FIRST] } else { [FIRST, SECOND] };
        assert_eq!([by(coming(Ingress::Own)), by(forwarded_from(ETH0))], expected, "{}: iif", way.name());
    }
}

#[test]
fn a_check_on_the_data_path_is_a_packet_of_the_node() {
    let way = ways().into_iter().find(Way::is_tunnel).unwrap();
    let fib = ruled(ETH1, way.server_v6, from(&tunnel_source(way.server_v6).to_string()));
    let mut rig = Rig::new(with_fib(resolved_by_packet(way.snapshot()), fib));
    let tunnel = |b: &crate::snapshot::Backend| matches!(b.forwarding, Forwarding::Tunnel(_));
    assert!(rig.publisher.current().backends.iter().flatten().all(tunnel));
    let packet = &syn(&way)[14..];
    let frame = crate::ControlFrame::to_backend(ETH1, crate::types::BackendId(0), packet).unwrap();
    assert!(rig.outbox.send(frame));
    let sent = rig.receive(ETH0, &[]);
    assert_eq!(sent[0].1[..6], SECOND.0);
}
