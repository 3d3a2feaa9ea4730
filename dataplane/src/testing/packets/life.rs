//! The life of flows: begun, spread, kept over changes of the configuration, ended.

use super::way::{Way, ways};
use super::*;
use crate::testing::rig::without_services;
use crate::types::BackendId;

fn syn(port: u16) -> Vec<u8> {
    to_vip(Mode::Router, false).tcp(port, 80, SYN).build()
}

fn destination(sent: &[(InterfaceId, Vec<u8>)]) -> u8 {
    assert_eq!(sent.len(), 1, "one frame out");
    sent[0].1[33]
}

#[test]
fn new_flows_are_spread_and_packets_of_one_flow_stay_together() {
    let mut rig = Rig::new(snapshot(&[11, 12], &[]));
    let first: Vec<_> = (0..4).map(|n| destination(&rig.receive(ETH0, &[syn(40000 + n)]))).collect();
    assert_eq!(first, [11, 12, 11, 12]);
    let again: Vec<_> = (0..4).map(|n| destination(&rig.receive(ETH0, &[syn(40000 + n)]))).collect();
    assert_eq!(first, again, "a retransmitted SYN is of the same flow");
    assert_eq!(rig.stats().flows_created, 4);
}

#[test]
fn packets_of_one_new_flow_in_one_batch_make_one_flow() {
    let mut rig = Rig::new(snapshot(&[11, 12], &[]));
    let datagram = to_vip(Mode::Router, false).udp(5000, 53).build();
    let sent = rig.receive(ETH0, &vec![datagram; 64]);
    assert_eq!(sent.len(), 64);
    assert!(sent.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(rig.stats().flows_created, 1);
}

#[test]
fn counters_of_a_backend_tell_packets_and_bytes_of_both_directions() {
    let mut rig = Rig::new(snapshot(&[11], &[]));
    rig.receive(ETH0, &[syn(40000), syn(40001)]);
    rig.receive(ETH1, &[from_backend(11, false).tcp(8080, 40000, SYN_ACK).payload(b"").build()]);
    let stats = rig.counters.backend(BackendId(0)).read();
    let expected = crate::BackendStats {
        active_flows: 2,
        total_flows: 2,
        packets_in: 2,
        bytes_in: 2 * 48,
        packets_out: 1,
        bytes_out: 40,
    };
    assert_eq!(stats, expected);
}

#[test]
fn a_flow_outlives_its_backends_weight_and_its_service() {
    let mut rig = Rig::new(snapshot(&[11, 12], &[]));
    assert_eq!(destination(&rig.receive(ETH0, &[syn(40000)])), 11);
    let data = to_vip(Mode::Router, false).tcp(40000, 80, ACK).build();
    let mut drained = snapshot(&[11, 12], &[]);
    for service in drained.services.iter_mut() {
        service.schedule = std::sync::Arc::new(crate::schedule::Schedule::default());
    }
    rig.publisher.publish(drained);
    assert_eq!(
        destination(&rig.receive(ETH0, std::slice::from_ref(&data))),
        11,
        "no new flows, but this one"
    );
    check(&mut rig, "a new flow", ETH0, &syn(40001), &Expect::Drops(DropReason::NoBackend));
    rig.publisher.publish(without_services(snapshot(&[11, 12], &[])));
    assert_eq!(destination(&rig.receive(ETH0, &[data])), 11, "its service is gone");
    check(&mut rig, "a new flow", ETH0, &syn(40001), &Expect::Drops(DropReason::UnknownPort));
}

#[test]
fn a_syn_on_a_closing_flow_begins_a_new_one() {
    let mut rig = Rig::new(snapshot(&[11, 12], &[]));
    assert_eq!(destination(&rig.receive(ETH0, &[syn(40000)])), 11);
    rig.receive(ETH0, &[to_vip(Mode::Router, false).tcp(40000, 80, FIN_ACK).build()]);
    assert_eq!(destination(&rig.receive(ETH0, &[syn(40000)])), 12, "the next in turn");
    assert_eq!(rig.stats().flows_created, 2);
    let reply = from_backend(12, false).tcp(8080, 40000, SYN_ACK).build();
    let output = from_vip(Mode::Router, false).tcp(80, 40000, SYN_ACK).ttl(63).build();
    check(&mut rig, "the new backend's reply", ETH1, &reply, &Expect::Sends(ETH0, output));
}

/// Where nobody has apportioned it: the index is what is full first.
#[test]
fn a_full_table_refuses_new_flows_and_keeps_the_old_ones() {
    let mut rig = Rig::with_flows(snapshot(&[11, 12], &[]), 100);
    let sent: Vec<_> = (0..300).map(|n| rig.receive(ETH0, &[syn(40000 + n)]).len()).collect();
    let created = sent.iter().sum::<usize>() as u64;
    assert!((100..300).contains(&created), "{created}");
    assert_eq!(rig.dropped(DropReason::TableFull), 300 - created);
    assert_eq!((rig.stats().flows_created, rig.stats().flows_refused), (created, 300 - created));
    let again = (40000..).zip(sent).filter(|(_, sent)| *sent == 1);
    assert!(again.into_iter().all(|(port, _)| rig.receive(ETH0, &[syn(port)]).len() == 1));
}

#[test]
fn two_services_on_one_backend_endpoint_cannot_share_a_client_port() {
    let mut shared = snapshot(&[11], &[]);
    // A second VIP in front of the same backend endpoint.
    let service = shared.services[0].clone();
    let vip = crate::types::Prefix::host("10.0.0.101".parse().unwrap());
    shared.endpoints.insert(vip, service.protocol, service.ports, crate::types::ServiceId(0));
    shared.vips.insert(vip, crate::snapshot::Vip::default());
    let mut rig = Rig::new(shared);
    rig.receive(ETH0, &[syn(40000)]);
    let other = |port| frame((CLIENT, "10.0.0.2"), (BOX0, "10.0.0.101")).tcp(port, 80, SYN).build();
    check(&mut rig, "the same client port", ETH0, &other(40000), &Expect::Drops(DropReason::TupleInUse));
    assert_eq!(destination(&rig.receive(ETH0, &[other(40001)])), 11, "another port is no problem");
    rig.receive(ETH0, &[to_vip(Mode::Router, false).tcp(40000, 80, RST).build()]);
    assert_eq!(destination(&rig.receive(ETH0, &[other(40000)])), 11, "the first flow is over");
}

/// Rows of a way, one after another, on a worker that has met others before.
fn go_on(rig: &mut Rig, way: &Way, rows: &[Row]) {
    for row in rows {
        check(rig, &format!("{}: {}", way.name(), row.name), row.ingress, &row.frame, &row.expect);
    }
}

#[test]
fn a_flow_of_any_mode_goes_on_without_its_service_and_ends_with_its_backend() {
    for way in ways() {
        let segment = |flags| move |build: Build, s, d| build.tcp(s, d, flags);
        let snapshot = way.snapshot();
        let mut rig = Rig::new(snapshot.clone());
        let mut rows = vec![way.inward("SYN", Protocol::Tcp, Moves::OPENS, segment(SYN))];
        let data = way.inward("data", Protocol::Tcp, Moves::INWARD, segment(ACK));
        if way.is_two_way() {
            rows.push(way.outward("data back", Protocol::Tcp, segment(ACK)));
        }
        rows.push(data.clone());
        go_on(&mut rig, &way, &rows);
        let mut left = without_services(snapshot);
        rig.publisher.publish(left.clone());
        go_on(&mut rig, &way, &rows[1..]);
        let new = way.ask().tcp(40_001, 80, SYN).build();
        check(&mut rig, "a new flow", ETH0, &new, &Expect::Drops(DropReason::UnknownPort));
        left.backends.iter_mut().for_each(|backend| *backend = None);
        rig.publisher.publish(left);
        check(&mut rig, &way.name(), ETH0, &data.frame, &Expect::Drops(DropReason::NoBackend));
    }
}

#[test]
fn answers_have_a_limit_and_what_is_not_answered_is_counted_all_the_same() {
    for way in ways().iter().filter(|way| way.is_hop()) {
        let mut rig = Rig::new(way.snapshot());
        let frame = way.ask().udp(40_000, 53).ttl(1).build();
        let flood = vec![frame; 64];
        let began = rig.stats().total_nanos;
        let sent: usize = (0..40).map(|_| rig.receive(ETH0, &flood).len()).sum();
        let millis = (rig.stats().total_nanos - began) / 1_000_000;
        let allowed = 100 + usize::try_from(millis).expect("soon") + 1;
        assert!((100..=allowed).contains(&sent), "{}: {sent} answers in {millis} ms", way.name());
        let frames = rig.stats().frames;
        assert_eq!((frames.dropped, frames.originated), (40 * 64, sent as u64), "{}", way.name());
    }
}

#[test]
fn management_is_asked_for_a_client_whose_address_is_not_known() {
    for way in ways().iter().filter(|way| way.is_two_way() && way.is_hop()) {
        let mut snapshot = way.snapshot();
        let routes = ["10.0.0.0", "fd00::"]
            .map(|prefix| crate::snapshot::Route::single(prefix.parse().unwrap(), 16, Some(ETH0), None));
        snapshot.fib = std::sync::Arc::new(crate::snapshot::Fib::new(routes, []));
        let mut rig = Rig::new(snapshot);
        rig.receive(ETH0, &[way.ask().tcp(way::CLIENT_PORT, 80, SYN).build()]);
        // With the flow's first packet: while the backend answers, the neighbour is resolved.
        let asked = rig.punts.receive();
        let (_, (source, server)) = way.ports(Protocol::Tcp);
        let reply = way.reply().tcp(server, source, SYN_ACK).build();
        check(&mut rig, "a reply", ETH1, &reply, &Expect::Holds);
        assert!(rig.punts.receive().is_none(), "{}: once is enough", way.name());
        match asked {
            Some(crate::Punt::NeighbourMissing { interface, address }) => {
                assert_eq!((interface, address), (ETH0, client(way.client_v6).parse().unwrap()));
            }
            other => panic!("management was told {other:?}"),
        }
    }
}
