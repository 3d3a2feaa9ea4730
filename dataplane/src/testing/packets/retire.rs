//! Flows of backends that are on their way out or have failed, and clients that are remembered.

use std::sync::Arc;
use std::time::Duration;

use super::way::{CLIENT_PORT, Way, ways};
use super::*;
use crate::persistence::{Clients, Persistence, Server};
use crate::schedule::{Candidate, Kind, Schedule};
use crate::snapshot::{ClientAddress, Fate, Forwarding, PoolPart, Snapshot};
use crate::testing::offer::{How, Offer, Pool};
use crate::testing::rig::network;
use crate::types::BackendId;

/// The first of two backends of router mode takes nothing new, and its flows have that fate.
fn retired(fate: Fate) -> Snapshot {
    let mut snapshot = snapshot(&[11, 12], &[]);
    for service in snapshot.services.iter_mut() {
        let ask = crate::schedule::Ask::new(Default::default(), 0);
        let Some(first) = service.schedule.others(&ask).min() else { continue };
        let second = [Candidate::new(BackendId(first.0 + 1), "second".into(), 1)];
        service.schedule = Arc::new(Schedule::compile(Kind::RoundRobin, &second, 1, "test"));
        snapshot.fates.set(first, fate);
    }
    snapshot
}

fn tcp(flags: u8) -> Vec<u8> {
    to_vip(Mode::Router, false).tcp(40_000, 80, flags).build()
}

fn destination(sent: &[(InterfaceId, Vec<u8>)]) -> u8 {
    assert_eq!(sent.len(), 1, "one frame out");
    sent[0].1[33]
}

fn established() -> Rig {
    let mut rig = Rig::new(snapshot(&[11, 12], &[]));
    assert_eq!(destination(&rig.receive(ETH0, &[tcp(SYN)])), 11);
    rig.receive(ETH1, &[from_backend(11, false).tcp(8080, 40_000, SYN_ACK).build()]);
    rig.receive(ETH0, &[tcp(ACK)]);
    rig
}

/// Of TCP over IPv4.
fn has_right_checksum(frame: &[u8]) -> bool {
    let length = usize::from(u16::from_be_bytes([frame[16], frame[17]]));
    let (addresses, segment) = (&frame[26..34], &frame[34..14 + length]);
    let pseudo = crate::wire::checksum::sum(6 + segment.len() as u64, addresses);
    crate::wire::checksum::fold(crate::wire::checksum::sum(pseudo, segment)) == 0xffff
}

#[test]
fn a_connection_is_left_to_a_backend_that_takes_nothing_new() {
    let mut rig = established();
    rig.publisher.publish(retired(Fate::Leave));
    assert_eq!(destination(&rig.receive(ETH0, &[tcp(ACK)])), 11);
    rig.receive(ETH0, &[tcp(FIN_ACK)]);
    assert_eq!(destination(&rig.receive(ETH0, &[tcp(SYN)])), 12, "its client uses the port again");
}

#[test]
fn a_handshake_that_is_not_answered_begins_anew_elsewhere() {
    let mut rig = Rig::new(snapshot(&[11, 12], &[]));
    assert_eq!(destination(&rig.receive(ETH0, &[tcp(SYN)])), 11);
    assert_eq!(destination(&rig.receive(ETH0, &[tcp(SYN)])), 11);
    rig.publisher.publish(retired(Fate::Leave));
    assert_eq!(destination(&rig.receive(ETH0, &[tcp(SYN)])), 12);
}

#[test]
fn both_sides_of_a_connection_are_reset_by_the_next_packet_of_either() {
    for fate in [Fate::Reset, Fate::Move] {
        for from_client in [true, false] {
            let mut rig = established();
            rig.publisher.publish(retired(fate));
            let data = match from_client {
                true => tcp(ACK),
                false => from_backend(11, false).tcp(8080, 40_000, ACK).build(),
            };
            let mut sent = rig.receive(if from_client { ETH0 } else { ETH1 }, &[data]);
            sent.sort_by_key(|(interface, _)| interface.index());
            let flags: Vec<_> = sent.iter().map(|(to, bytes)| (to.index(), bytes[47] & RST != 0)).collect();
            assert_eq!(flags, [(0, true), (1, true)], "{fate:?}");
            for (_, bytes) in &sent {
                assert!(has_right_checksum(bytes), "{bytes:x?}");
            }
            // Whoever has not understood it hears it again.
            let late = from_backend(11, false).tcp(8080, 40_000, ACK).build();
            let sent = rig.receive(ETH1, &[late]);
            assert!(sent.len() == 2 && sent.iter().all(|(_, bytes)| bytes[47] & RST != 0), "{sent:?}");
            assert_eq!(destination(&rig.receive(ETH0, &[tcp(SYN)])), 12);
        }
    }
}

#[test]
fn datagrams_move_at_once_and_late_answers_arrive() {
    for fate in [Fate::Reset, Fate::Move] {
        let ask = to_vip(Mode::Router, false).udp(5000, 53).build();
        let mut rig = Rig::new(snapshot(&[11, 12], &[]));
        assert_eq!(destination(&rig.receive(ETH0, std::slice::from_ref(&ask))), 11);
        rig.publisher.publish(retired(fate));
        let late = from_backend(11, false).udp(5353, 5000).build();
        assert_eq!(rig.receive(ETH1, &[late]).len(), 1);
        assert_eq!(destination(&rig.receive(ETH0, &[ask])), 12);
    }
}

/// A client that never pauses would keep an address that has left the pool, and may be another machine's by now.
#[test]
fn datagrams_leave_an_address_that_has_left_the_pool_and_connections_keep_it() {
    let two = |v6, free: &[u16]| {
        let addresses = [200, 201].map(|last| crate::testing::offer::pool_address(last, v6)).to_vec();
        How::OneArm(Pool { addresses, client_address: ClientAddress::None, free: Some(free.to_vec()) })
    };
    for way in ways().into_iter().filter(|way| way.mode() == Mode::OneArm) {
        let way = Way { how: two(way.server_v6, &[61_000, 61_001]), ..way };
        let source = |sent: &[(InterfaceId, Vec<u8>)]| {
            assert_eq!(sent.len(), 1, "{}", way.name());
            sent[0].1[if way.server_v6 { 37 } else { 29 }]
        };
        let mut snapshot = way.snapshot();
        let mut rig = Rig::new(snapshot.clone());
        let (ask, segment) = (way.ask().udp(5000, 53).build(), way.ask().tcp(5000, 80, SYN).build());
        let [own, of_connection] =
            [&ask, &segment].map(|frame| source(&rig.receive(ETH0, std::slice::from_ref(frame))));
        for (number, own) in [(1, own), (0, of_connection)] {
            let Some(Forwarding::OneArm(arm)) =
                snapshot.backends[number].as_mut().map(|backend| &mut backend.forwarding)
            else {
                panic!("one-arm")
            };
            let is_own =
                |part: &PoolPart| snapshot.snat[part.address.index()].is_some_and(|a| last(a) == own);
            let open = |part: &PoolPart| PoolPart { open: !is_own(part), ..part.clone() };
            arm.pool = arm.pool.iter().map(open).collect();
            snapshot.fates.set(BackendId(u32::try_from(number).unwrap()), Fate::Review);
        }
        rig.publisher.publish(snapshot);
        let now = source(&rig.receive(ETH0, std::slice::from_ref(&ask)));
        assert_ne!(now, own, "{}", way.name());
        assert_eq!(source(&rig.receive(ETH0, &[ask])), now);
        let data = way.ask().tcp(5000, 80, ACK).build();
        assert_eq!(source(&rig.receive(ETH0, &[data])), of_connection, "{}", way.name());
    }
}

fn last(address: std::net::IpAddr) -> u8 {
    match address {
        std::net::IpAddr::V4(v4) => v4.octets()[3],
        std::net::IpAddr::V6(v6) => v6.octets()[15],
    }
}

#[test]
fn datagrams_leave_a_service_that_has_given_up_their_port_and_connections_stay() {
    for way in ways() {
        let mut rig = Rig::new(way.snapshot());
        let frames = [way.ask().udp(5000, 53).build(), way.ask().tcp(CLIENT_PORT, 80, SYN).build()];
        for frame in &frames {
            assert_eq!(rig.receive(ETH0, std::slice::from_ref(frame)).len(), 1, "{}", way.name());
        }
        let mut next = rig.publisher.current().as_ref().clone();
        next.endpoints = Default::default();
        (0..2).for_each(|id| next.fates.set(BackendId(id), Fate::Review));
        rig.publisher.publish(next);
        check(&mut rig, &way.name(), ETH0, &frames[0], &Expect::Drops(DropReason::UnknownPort));
        let data = way.ask().tcp(CLIENT_PORT, 80, ACK).build();
        assert_eq!(rig.receive(ETH0, &[data]).len(), 1, "{}", way.name());
    }
}

/// What becomes of connections depends on the mode alone; here in each of them.
#[test]
fn connections_move_where_nothing_is_translated() {
    for way in ways().iter().filter(|way: &&Way| !way.is_two_way()) {
        let mut rig = Rig::new(way.snapshot());
        let segment = |flags| way.ask().tcp(CLIENT_PORT, 80, flags).build();
        rig.receive(ETH0, &[segment(SYN)]);
        rig.receive(ETH0, &[segment(ACK)]);
        let mut next = way.snapshot();
        (0..).map(BackendId).take(next.backends.len()).for_each(|id| next.fates.set(id, Fate::Move));
        rig.publisher.publish(next);
        let created = rig.stats().flows_created;
        assert_eq!(rig.receive(ETH0, &[segment(ACK)]).len(), 1, "{}", way.name());
        assert_eq!(rig.stats().flows_created, created + 1, "{}", way.name());
    }
}

#[test]
fn a_client_stays_with_its_server_until_that_takes_nothing_new() {
    let clients = Arc::new(Clients::new(64));
    let server = |last: u8| (Server::new(crate::testing::rig::backend_address(last, false), None), ());
    let with = |lasts: &[(u8, u32)]| {
        let takers: Vec<_> = lasts.iter().map(|(last, id)| (server(*last).0, BackendId(*id))).collect();
        let mut offer = Offer::new(How::Router, false, Protocol::Tcp, (&[11, 12, 13], false));
        let clients = Arc::clone(&clients);
        offer.persistence = Some(Persistence::new(clients, 1, Duration::from_secs(60), (32, 128), &takers));
        let mut snapshot = network();
        offer.add_to(&mut snapshot);
        snapshot
    };
    let mut rig = Rig::new(with(&[(11, 0), (12, 1), (13, 2)]));
    let syn = |port| to_vip(Mode::Router, false).tcp(port, 80, SYN).build();
    let chosen = |rig: &mut Rig, ports: std::ops::Range<u16>| -> Vec<u8> {
        ports.map(|port| destination(&rig.receive(ETH0, &[syn(port)]))).collect()
    };
    let first = chosen(&mut rig, 1000..1005);
    assert_eq!(first, [first[0]; 5]);
    let others: Vec<_> =
        [(11, 0), (12, 1), (13, 2)].into_iter().filter(|(last, _)| *last != first[0]).collect();
    rig.publisher.publish(with(&others));
    let moved = chosen(&mut rig, 2000..2005);
    assert!(moved[1..].iter().all(|last| *last == moved[1]) && moved[1] != first[0], "{moved:?}");
    rig.publisher.publish(with(&[(11, 0), (12, 1), (13, 2)]));
    assert_eq!(chosen(&mut rig, 3000..3003), [moved[1]; 3], "it does not go back by itself");
}
