//! Packets whose next hop has no known MAC address: they wait for it on every way, in both directions.

use super::check::check_all;
use super::way::{BACKEND, CLIENT_PORT, Way, network, one_arm, ways};
use super::*;
use crate::Punt;
use crate::limits::{UNRESOLVED, UNRESOLVED_PACKETS, UNRESOLVED_PER_NEXT_HOP};
use crate::snapshot::{ClientAddress, Fib, NextHop, Route, Snapshot};
use crate::testing::offer::{How, INLINE};
use crate::testing::rig::backend_address;
use crate::types::Mac;
use crate::types::Tick;
use crate::unresolved::{ASK_AGAIN, DEADLINE};
use Protocol::{Tcp, Udp};
use std::net::IpAddr;
use std::sync::Arc;

const START: Tick = Tick(1_000_000);

fn clients() -> [IpAddr; 2] {
    [false, true].map(|v6| client(v6).parse().unwrap())
}

/// Neither the client nor the backend is resolved.
fn unresolved(way: &Way) -> Snapshot {
    let mut snapshot = way.snapshot();
    snapshot.backends.iter_mut().flatten().for_each(|backend| backend.next_hop = None);
    snapshot.fib = Arc::new(snapshot.fib.amended(clients().map(|address| (ETH0, address, None))));
    snapshot
}

/// The next snapshot of a rig: with the neighbours that are named.
fn resolve(rig: &mut Rig, changes: &[(InterfaceId, IpAddr, Option<Mac>)]) {
    let mut next = Snapshot::clone(&rig.publisher.current());
    let hop = |(interface, address, mac): &(InterfaceId, IpAddr, Option<Mac>)| {
        (*interface, *address, mac.map(|mac| NextHop { interface: *interface, mac }))
    };
    next.fib = Arc::new(next.fib.amended(changes.iter().map(hop)));
    next.generation += 1;
    rig.publisher.publish(next);
}

fn backend_here(way: &Way) -> (InterfaceId, IpAddr, Option<Mac>) {
    (ETH1, backend_address(BACKEND, way.server_v6), Some(backend_mac(BACKEND)))
}

fn client_here(way: &Way) -> (InterfaceId, IpAddr, Option<Mac>) {
    (ETH0, client(way.client_v6).parse().unwrap(), Some(CLIENT))
}

/// What a row sends, made of what has been sent.
fn looks(expect: &Expect, sent: &[(InterfaceId, Vec<u8>)]) -> (InterfaceId, Vec<u8>) {
    match expect {
        Expect::Sends(by, frame) => (*by, frame.clone()),
        Expect::Like(by, looks) => (*by, looks.on(&sent[0].1)),
        other => panic!("{other:?}"),
    }
}

fn syn(build: Build, source: u16, destination: u16) -> Build {
    build.tcp(source, destination, SYN)
}

fn syn_ack(build: Build, source: u16, destination: u16) -> Build {
    build.tcp(source, destination, SYN_ACK)
}

fn datagram(build: Build, source: u16, destination: u16) -> Build {
    build.udp(source, destination)
}

fn frames(rig: &Rig) -> (u64, u64, u64, u64) {
    let frames = rig.stats().frames;
    (frames.received, frames.forwarded, frames.originated, frames.dropped)
}

#[test]
fn a_packet_waits_for_its_next_hop_and_leaves_as_it_would_have_left() {
    for way in ways() {
        let name = way.name();
        let mut rig = Rig::new(unresolved(&way));
        let row = way.inward("the first packet", Tcp, Moves::OPENS, syn);
        check_all(&mut rig, &name, (row.ingress, &row.frame), &Expect::Holds, row.moves);
        assert_eq!(rig.receive(ETH0, &[]), [], "{name}");
        resolve(&mut rig, &[backend_here(&way)]);
        let sent = rig.receive(ETH0, &[]);
        assert_eq!(sent, [looks(&row.expect, &sent)], "{name}");
        assert_eq!((frames(&rig), rig.stats().flows_created), ((1, 1, 0, 0), 1), "{name}");
        if !way.is_two_way() {
            continue;
        }
        // Across a bridge, replies go where the backend has addressed them.
        let row = way.outward("the reply", Tcp, syn_ack);
        if way.mode() == Mode::Bridge {
            check(&mut rig, &name, row.ingress, &row.frame, &row.expect);
            continue;
        }
        check_all(&mut rig, &name, (row.ingress, &row.frame), &Expect::Holds, row.moves);
        resolve(&mut rig, &[client_here(&way)]);
        let sent = rig.receive(ETH0, &[]);
        assert_eq!(sent, [looks(&row.expect, &sent)], "{name}");
        assert_eq!(frames(&rig), (2, 2, 0, 0), "{name}");
        // Both are known from now on.
        let row = way.inward("a segment", Tcp, Moves::INWARD, |b: Build, s, d| b.tcp(s, d, ACK));
        rig.publisher.publish(Snapshot { generation: 9, ..way.snapshot() });
        check_all(&mut rig, &name, (row.ingress, &row.frame), &row.expect, row.moves);
    }
}

#[test]
fn both_neighbours_are_asked_for_with_the_first_packet_and_no_other() {
    for way in ways() {
        let name = way.name();
        let mut rig = Rig::new(unresolved(&way));
        let row = way.inward("a datagram", Udp, Moves::OPENS, datagram);
        rig.receive(row.ingress, &[row.frame.clone(), row.frame.clone()]);
        rig.receive(row.ingress, std::slice::from_ref(&row.frame));
        let mut asked: Vec<_> = std::iter::from_fn(|| rig.punts.receive())
            .map(|punt| match punt {
                Punt::NeighbourMissing { interface, address } => (interface, address),
                other => panic!("{name}: {other:?}"),
            })
            .collect();
        asked.sort_unstable();
        let (backend, client) = (backend_here(&way), client_here(&way));
        // One-way backends answer by themselves, and what crosses a bridge is addressed by its sender.
        let expected = match way.is_two_way() && way.mode() != Mode::Bridge {
            true => vec![(client.0, client.1), (backend.0, backend.1)],
            false => vec![(backend.0, backend.1)],
        };
        assert_eq!(asked, expected, "{name}");
    }
}

#[test]
fn what_waits_for_a_bridges_station_leaves_by_its_port_or_by_all() {
    for v6 in [false, true] {
        for knows in [true, false] {
            let way = Way { how: How::Bridge, client_v6: v6, server_v6: v6 };
            let mut snapshot = unresolved(&way);
            if !knows {
                Arc::make_mut(&mut snapshot.stations).remove(&(INLINE, backend_mac(BACKEND)));
            }
            let mut rig = Rig::new(snapshot);
            let row = way.inward("a segment", Tcp, Moves::OPENS, syn);
            rig.receive(row.ingress, std::slice::from_ref(&row.frame));
            resolve(&mut rig, &[backend_here(&way)]);
            let sent = rig.receive(ETH0, &[]);
            let (_, frame) = looks(&row.expect, &sent);
            let ports: Vec<_> = sent.iter().map(|(port, _)| *port).collect();
            let all = [ETH1, crate::testing::rig::ETH2];
            assert_eq!(ports, if knows { &all[..1] } else { &all[..] }, "not back where it came from");
            assert!(sent.iter().all(|(_, bytes)| *bytes == frame));
            assert_eq!(frames(&rig), (1, 1, u64::from(!knows), 0));
        }
    }
}

#[test]
fn a_next_hop_that_does_not_answer_is_a_drop_counted_once_when_time_is_over() {
    for way in ways() {
        let name = way.name();
        let mut rig = Rig::new(unresolved(&way));
        let row = way.inward("a segment", Tcp, Moves::OPENS, syn);
        rig.at(START, Some((row.ingress, &row.frame)));
        let at = |millis: u32| Tick(START.0 + millis);
        rig.at(at(DEADLINE - 1), None);
        assert_eq!(frames(&rig), (1, 0, 0, 0), "{name}");
        for _ in 0..2 {
            assert_eq!(rig.at(at(DEADLINE), None), [], "{name}");
            assert_eq!(frames(&rig), (1, 0, 0, 1), "{name}");
            assert_eq!(rig.dropped(DropReason::NeighbourMissing), 1, "{name}");
        }
        assert_eq!(rig.worker.io().free(), crate::testing::rig::CHUNKS - crate::limits::SPARES, "{name}");
        resolve(&mut rig, &[backend_here(&way)]);
        assert_eq!(rig.at(at(DEADLINE + 1), None), [], "{name}");
        assert_eq!(frames(&rig), (1, 0, 0, 1), "{name}");
    }
}

#[test]
fn a_next_hop_keeps_its_newest_packets_and_others_keep_theirs() {
    let way = Way { how: How::Router, client_v6: false, server_v6: false };
    let mut snapshot = way.snapshot();
    snapshot.fib = Arc::new(snapshot.fib.amended(clients().map(|address| (ETH0, address, None))));
    let mut rig = Rig::new(snapshot);
    let host = |last: u8| format!("10.0.0.{last}");
    let own =
        |last: u8, mark: u8| way.reply().destination(&host(last)).tcp(8080, 41_000, ACK).payload(&[mark]);
    rig.at(START, Some((ETH1, &own(7, 70).build())));
    let many = u8::try_from(UNRESOLVED_PER_NEXT_HOP).unwrap() + 3;
    for mark in 0..many {
        assert_eq!(rig.at(START, Some((ETH1, &own(8, mark).build()))), []);
    }
    assert_eq!(rig.dropped(DropReason::NeighbourMissing), 3);
    let mac = Some(CLIENT);
    resolve(&mut rig, &[(ETH0, host(8).parse().unwrap(), mac), (ETH0, host(7).parse().unwrap(), mac)]);
    let sent = rig.at(START, None);
    let marks: Vec<u8> = sent.iter().map(|(_, frame)| frame[54]).collect();
    let newest: Vec<u8> = std::iter::once(70).chain(3..many).collect();
    assert_eq!(marks, newest);
    let (received, forwarded, _, dropped) = frames(&rig);
    assert_eq!(received, forwarded + dropped);
}

/// More hosts that do not exist than there is room for, and one that does.
#[test]
fn a_flood_to_hosts_that_are_not_there_keeps_nobody_else_waiting() {
    let way = Way { how: How::Router, client_v6: true, server_v6: true };
    let chunks = UNRESOLVED_PACKETS + 256;
    let mut rig = Rig::with_room(unresolved(&way), 1024, chunks);
    let own = |host: u32| way.reply().destination(&format!("fd00::1:{host:x}")).tcp(8080, 41_000, ACK);
    let flood = u32::try_from(UNRESOLVED * 4).unwrap();
    for host in 0..flood {
        // 10 ms for 64 hosts.
        let now = Tick(START.0 + host / 64 * 10);
        for _ in 0..2 {
            assert_eq!(rig.at(now, Some((ETH1, &own(host).build()))), []);
        }
        while rig.punts.receive().is_some() {}
    }
    let now = Tick(START.0 + flood / 64 * 10);
    let row = way.inward("a segment", Tcp, Moves::OPENS, syn);
    rig.at(now, Some((row.ingress, &row.frame)));
    resolve(&mut rig, &[backend_here(&way)]);
    let sent = rig.at(now, None);
    assert_eq!(sent, [looks(&row.expect, &sent)]);
    assert!(rig.worker.io().free() >= chunks - UNRESOLVED_PACKETS - crate::limits::SPARES);
    rig.at(Tick(now.0 + DEADLINE), None);
    let (received, forwarded, _, dropped) = frames(&rig);
    assert_eq!((received, forwarded, dropped), (u64::from(flood) * 2 + 1, 1, u64::from(flood) * 2));
    assert_eq!(rig.dropped(DropReason::NeighbourMissing), dropped);
}

/// A report that finds no room in the channel is not lost.
#[test]
fn what_management_was_not_asked_for_is_asked_for_again() {
    let way = Way { how: How::Dsr(None), client_v6: false, server_v6: false };
    let mut rig = Rig::new(unresolved(&way));
    let arp = to_vip(Mode::Router, false).protocol(112).build();
    for _ in 0..crate::limits::PUNT_QUEUE {
        rig.at(START, Some((ETH0, &arp)));
    }
    let row = way.inward("a segment", Tcp, Moves::OPENS, syn);
    rig.at(START, Some((row.ingress, &row.frame)));
    while let Some(punt) = rig.punts.receive() {
        assert!(matches!(punt, Punt::Frame(_)), "{punt:?}");
    }
    let asked = |rig: &mut Rig, now| {
        rig.at(now, None);
        std::iter::from_fn(|| rig.punts.receive()).count()
    };
    assert_eq!(asked(&mut rig, START), 1);
    assert_eq!(asked(&mut rig, Tick(START.0 + ASK_AGAIN - 1)), 0);
    assert_eq!(asked(&mut rig, Tick(START.0 + ASK_AGAIN)), 1, "the kernel may have been busy");
}

/// What is put into the stream, and what the node says for itself, waits like all else and is not done twice.
#[test]
fn a_header_in_the_stream_is_put_in_once() {
    for v6 in [false, true] {
        let way = Way { how: one_arm(v6, ClientAddress::ProxyV1), client_v6: v6, server_v6: v6 };
        let mut rig = Rig::new(way.snapshot());
        rig.receive(ETH0, &[way.ask().tcp(CLIENT_PORT, 80, SYN).numbers(100, 0).payload(b"").build()]);
        let (_, (source, server)) = way.ports(Tcp);
        rig.receive(ETH1, &[way.reply().tcp(server, source, SYN_ACK).numbers(7, 101).payload(b"").build()]);
        let mut gone = Snapshot { generation: 5, ..Snapshot::clone(&rig.publisher.current()) };
        gone.backends.iter_mut().flatten().for_each(|backend| backend.next_hop = None);
        rig.publisher.publish(gone);
        let ask = way.ask().tcp(CLIENT_PORT, 80, ACK).numbers(101, 8).payload(b"GET /").build();
        assert_eq!(rig.receive(ETH0, &[ask]), []);
        resolve(&mut rig, &[backend_here(&way)]);
        let sent = rig.receive(ETH0, &[]);
        assert_eq!(sent.len(), 1);
        let text = String::from_utf8_lossy(&sent[0].1).into_owned();
        assert_eq!(text.matches("PROXY TCP").count(), 1, "{text}");
        assert!(text.ends_with("GET /"), "{text}");
    }
}

/// A packet that is cut on its way waits in all its parts.
#[test]
fn the_parts_of_a_packet_that_was_cut_wait_together() {
    let way = Way { how: How::Router, client_v6: false, server_v6: false };
    let mut snapshot = unresolved(&way);
    snapshot.interfaces[1].mtu = 600;
    let mut rig = Rig::new(snapshot);
    let long = way.ask().udp(CLIENT_PORT, 53).fragment(0).payload(&[7; 1000]).build();
    assert_eq!(rig.receive(ETH0, &[long]), []);
    resolve(&mut rig, &[backend_here(&way)]);
    let sent = rig.receive(ETH0, &[]);
    assert_eq!(sent.len(), 2);
    for (by, frame) in &sent {
        assert_eq!((*by, &frame[..6], network(frame)), (ETH1, &backend_mac(BACKEND).0[..], 14));
    }
    assert_eq!(frames(&rig), (1, 1, 1, 0));
}

/// Not believed, and asked about.
#[test]
fn a_host_that_begins_a_flow_by_another_mac_is_reported() {
    const OTHER: Mac = Mac([2, 0, 0, 0, 7, 7]);
    for way in ways() {
        let mut rig = Rig::new(way.snapshot());
        let from = |mac: Mac, port| {
            let mut frame = way.ask().udp(port, 53).build();
            frame[6..12].copy_from_slice(&mac.0);
            frame
        };
        rig.at(START, Some((ETH0, &from(OTHER, 41_000))));
        let moved = rig.punts.receive().filter(|punt| matches!(punt, Punt::NeighbourMoved { .. }));
        // Where the node does not look neighbours of clients up, it need not know.
        assert_eq!(moved.is_some(), way.is_two_way() && way.mode() != Mode::Bridge, "{}", way.name());
        let mut rig = Rig::new(way.snapshot());
        rig.at(START, Some((ETH0, &from(CLIENT, 41_000))));
        assert!(rig.punts.receive().is_none(), "{}", way.name());
    }
}

/// Management has the kernel verify them.
#[test]
fn neighbours_that_packets_leave_by_are_marked() {
    let way = Way { how: How::Router, client_v6: false, server_v6: false };
    let mut rig = Rig::new(way.snapshot());
    let used = |rig: &Rig| rig.publisher.current().fib.neighbours().take_used().collect::<Vec<_>>();
    rig.receive(ETH0, &[way.ask().tcp(CLIENT_PORT, 80, SYN).build()]);
    assert_eq!(used(&rig), []);
    let row = way.outward("a reply", Tcp, syn_ack);
    check(&mut rig, "a reply", row.ingress, &row.frame, &row.expect);
    assert_eq!(used(&rig), [(ETH0, clients()[0])]);
    assert_eq!(used(&rig), []);
}

/// That a router is known is remembered for as long as a snapshot, and for what goes by that route alone.
#[test]
fn a_router_that_is_not_known_any_more_is_asked_for_with_the_next_flow() {
    const ROUTERS: [&str; 2] = ["10.0.0.1", "10.0.0.9"];
    let way = Way { how: How::Router, client_v6: false, server_v6: false };
    let route = |prefix: &str, length, gateway: Option<&str>| {
        let gateway = gateway.map(|address| address.parse().unwrap());
        Route::single(prefix.parse().unwrap(), length, Some(ETH0), gateway)
    };
    let routes = [
        route("0.0.0.0", 0, Some(ROUTERS[0])),
        route("198.51.100.0", 24, Some(ROUTERS[1])),
        route("10.0.0.0", 24, None),
    ];
    let hop = NextHop { interface: ETH0, mac: CLIENT };
    let mut snapshot = way.snapshot();
    let known = ROUTERS.map(|address| (ETH0, address.parse().unwrap(), hop));
    snapshot.fib = Arc::new(Fib::new(routes, known));
    let mut rig = Rig::new(snapshot);
    let mut port = 20_000;
    let mut asked = |rig: &mut Rig, client: &str| {
        port += 1;
        rig.receive(ETH0, &[way.ask().source(client).tcp(port, 80, SYN).build()]);
        std::iter::from_fn(|| rig.punts.receive())
            .map(|punt| match punt {
                Punt::NeighbourMissing { address, .. } => address.to_string(),
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    for _ in 0..2 {
        assert!(asked(&mut rig, "192.0.2.1").is_empty() && asked(&mut rig, "198.51.100.1").is_empty());
    }
    resolve(&mut rig, &[(ETH0, ROUTERS[1].parse().unwrap(), None)]);
    assert!(asked(&mut rig, "192.0.2.1").is_empty());
    assert_eq!(asked(&mut rig, "198.51.100.1"), [ROUTERS[1]]);
    assert_eq!(asked(&mut rig, "10.0.0.2"), ["10.0.0.2"]);
    resolve(&mut rig, &[(ETH0, ROUTERS[0].parse().unwrap(), None)]);
    assert_eq!(asked(&mut rig, "192.0.2.2"), [ROUTERS[0]]);
}
