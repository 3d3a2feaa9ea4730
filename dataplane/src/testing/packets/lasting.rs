//! What a flow, or a network, goes through in a longer life: streams of gigabytes, reloads, other traffic.

use super::way::{CLIENT_PORT, SNAT_PORT, Way, one_arm};
use super::*;
use crate::snapshot::{ClientAddress, Forwarding, NextHop};
use crate::testing::offer::{How, Offer};
use crate::testing::rig::network;
use crate::types::Mac;

/// Sequence and acknowledgement number of an IPv4 frame.
fn numbers(frame: &[u8]) -> (u32, u32) {
    let word = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
    (word(38), word(42))
}

fn way() -> Way {
    Way { how: one_arm(false, ClientAddress::ProxyV2), client_v6: false, server_v6: false }
}

const HEADER: u32 = 28;

fn ask(flags: u8, sequence: u32, acknowledgement: u32, payload: &[u8]) -> Vec<u8> {
    way().ask().tcp(CLIENT_PORT, 80, flags).numbers(sequence, acknowledgement).payload(payload).build()
}

fn reply(flags: u8, sequence: u32, acknowledgement: u32) -> Vec<u8> {
    way().reply().tcp(8080, SNAT_PORT, flags).numbers(sequence, acknowledgement).build()
}

/// A PROXY flow whose header the backend has acknowledged; the client's stream begins at 100.
fn established(rig: &mut Rig) {
    rig.receive(ETH0, &[ask(SYN, 99, 0, b"")]);
    rig.receive(ETH1, &[reply(SYN_ACK, 499, 100)]);
    rig.receive(ETH0, &[ask(ACK, 100, 500, b"")]);
    let acknowledged = rig.receive(ETH1, &[reply(ACK, 500, 100 + HEADER)]);
    assert_eq!(numbers(&acknowledged[0].1).1, 100);
}

#[test]
fn a_proxied_stream_goes_on_beyond_two_and_four_gigabytes() {
    let mut rig = Rig::new(way().snapshot());
    established(&mut rig);
    for far in [1 << 30, (1 << 31) - 200, (1 << 31) + 1000, 3 << 30, u32::MAX - 10, 0, 5, 1 << 20] {
        let sequence = 100_u32.wrapping_add(far);
        let sent = rig.receive(ETH0, &[ask(ACK, sequence, 500, b"x")]);
        assert_eq!(numbers(&sent[0].1).0, sequence.wrapping_add(HEADER), "{far:#x}: there");
        let sent = rig.receive(ETH1, &[reply(ACK, 500, sequence.wrapping_add(HEADER))]);
        assert_eq!(numbers(&sent[0].1).1, sequence, "{far:#x}: back");
    }
}

#[test]
fn a_flow_keeps_its_way_of_telling_the_client_over_a_reload() {
    for now in [ClientAddress::None, ClientAddress::Toa, ClientAddress::ProxyV1] {
        let first = way().snapshot();
        let mut rig = Rig::new(first.clone());
        established(&mut rig);
        let mut next = first;
        for backend in next.backends.iter_mut().flatten() {
            let Forwarding::OneArm(one_arm) = &mut backend.forwarding else { continue };
            one_arm.client_address = now;
        }
        rig.publisher.publish(next);
        let sent = rig.receive(ETH0, &[ask(ACK, 100, 500, b"GET")]);
        assert_eq!(numbers(&sent[0].1).0, 100 + HEADER, "{now:?}");
        assert_eq!(sent[0].1.len(), ask(ACK, 100, 500, b"GET").len(), "{now:?}: nothing is put in");
    }
}

#[test]
fn fragments_of_a_servers_other_traffic_go_on_as_they_are() {
    for v6 in [false, true] {
        let mut rig = Rig::new(snapshot(&[11], &[]));
        // Whole datagrams from port 700 are Linux's; fragments of any are steered here.
        let whole = from_backend(11, v6).udp(700, 2049).payload(&[7; 64]).build();
        for piece in pieces::cut(&whole, &[40], 9) {
            let sent = rig.receive(ETH1, &[piece]);
            assert_eq!(sent.len(), 1, "v6: {v6}");
        }
    }
}

#[test]
fn a_client_from_elsewhere_is_routed_to_a_bridge_services_backend() {
    let mut snapshot = network();
    Offer::new(How::Bridge, false, Protocol::Tcp, (&[11], false)).add_to(&mut snapshot);
    // The client's interface is no port of the bridge.
    snapshot.interfaces[0].bridge = None;
    snapshot.interfaces[0].bridge_mac = None;
    let mut rig = Rig::new(snapshot);
    let sent = rig.receive(ETH0, &[to_vip(Mode::Bridge, false).tcp(40000, 80, SYN).build()]);
    let output = to_backend(11, false).tcp(40000, 8080, SYN).ttl(63).build();
    assert_eq!(sent, [(ETH1, output)]);
}

#[test]
fn a_backend_whose_port_nobody_knows_is_reached_by_all_others() {
    let way = Way { how: How::Bridge, client_v6: false, server_v6: false };
    let mut snapshot = way.snapshot();
    snapshot.stations = std::sync::Arc::default();
    for backend in snapshot.backends.iter_mut().flatten() {
        backend.next_hop = backend.next_hop.map(|hop| NextHop { interface: ETH0, ..hop });
    }
    let mut rig = Rig::new(snapshot);
    let sent = rig.receive(ETH0, &[way.ask().tcp(CLIENT_PORT, 80, SYN).build()]);
    let ports: std::collections::BTreeSet<_> = sent.iter().map(|(port, _)| *port).collect();
    assert!(!ports.contains(&ETH0) && ports.contains(&ETH1) && ports.len() == 2, "{ports:?}");
    assert!(sent.iter().all(|(_, frame)| frame[..] == sent[0].1[..]), "the same by each");
}

#[test]
fn nobody_answers_many_or_begins_a_flow_for_them() {
    let mut rig = Rig::new(snapshot(&[11], &[]));
    let echo = |mac, source: &str| frame((mac, source), (BOX0, vip(Mode::Router, false))).icmp(8).build();
    let syn = frame((CLIENT, "224.0.0.1"), (BOX0, vip(Mode::Router, false))).tcp(1, 80, SYN).build();
    for (sentence, input) in [
        ("an echo request from a broadcast address", echo(CLIENT, "255.255.255.255")),
        ("one from a group of stations", echo(Mac([0xff; 6]), "10.0.0.2")),
        ("a SYN from a multicast group", syn),
    ] {
        check(&mut rig, sentence, ETH0, &input, &Expect::Drops(DropReason::MartianSource));
    }
    assert_eq!(rig.stats().flows_created, 0);
}
