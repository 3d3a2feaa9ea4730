//! One service's flood and the other services; what is seen of it; flows over changes of the limits.

use super::way::{CLIENT_PORT, Way, ways};
use super::*;
use crate::admission::{Limits, SynProxy};
use crate::engine::apportion;
use crate::limits::{BATCH, OVERLOAD};

use crate::schedule::Kind;
use crate::snapshot::Snapshot;
use crate::testing::offer::{How, Offer};
use crate::testing::rig::network;
use crate::types::{Prefix, ServiceId};

const CAPACITY: usize = 400;

fn way(how: How) -> Way {
    Way { how, client_v6: false, server_v6: false }
}

/// A TCP and a UDP service, and a table for so many flows.
fn two_services(how: How) -> Snapshot {
    let snapshot = way(how).snapshot();
    apportion(&snapshot, CAPACITY);
    snapshot
}

/// From a source of its own for each `n`.
fn flood(how: &How, n: u16, flags: u8) -> Vec<u8> {
    let [high, low] = n.to_be_bytes();
    let source = format!("16.1.{high}.{low}");
    way(how.clone()).ask().source(&source).tcp(CLIENT_PORT, 80, flags).build()
}

#[test]
fn a_flood_of_one_service_never_refuses_a_new_flow_of_another() {
    for how in [How::Router, How::Dsr(None)] {
        let mut rig = Rig::with_flows(two_services(how.clone()), CAPACITY);
        let way = way(how.clone());
        for n in 0..4000 {
            assert_eq!(rig.receive(ETH0, &[flood(&how, n, SYN)]).len(), 1, "SYN {n}: the oldest makes way");
            if n % 40 == 0 {
                let asked = way.ask().udp(CLIENT_PORT + n / 40, 53).build();
                assert_eq!(rig.receive(ETH0, &[asked]).len(), 1, "new flow {n} of the other service");
            }
        }
        let snapshot = rig.publisher.current();
        let [web, dns] = [0, 1].map(|n: usize| &snapshot.services[n].admission.meter);
        assert_eq!((web.own_room(), dns.own_room()), (100, 100));
        assert_eq!((web.flows(), dns.flows()), (300, 100), "own room and all of the common one");
        assert_eq!(web.half_open(), 300);
        assert_eq!(web.counts().recycled_flows, 4000 - 300);
        assert_eq!((web.counts().pressed() > 0, dns.counts().pressed()), (true, 0));
    }
}

/// All of the flood is established by its own ACKs: nothing of it makes way.
#[test]
fn established_flows_of_a_service_beyond_its_share_stay_and_what_follows_needs_no_flow() {
    let how = How::Dsr(None);
    let mut rig = Rig::with_flows(two_services(how.clone()), CAPACITY);
    for n in 0..400 {
        rig.receive(ETH0, &[flood(&how, n, SYN), flood(&how, n, ACK)]);
    }
    let snapshot = rig.publisher.current();
    let web = &snapshot.services[0].admission.meter;
    assert_eq!((web.flows(), web.half_open(), rig.stats().flows_created), (300, 0, 300));
    assert_eq!(web.counts().stateless_packets, 2 * 100);
    assert_eq!(rig.stats().frames.forwarded, 2 * 400);
}

#[test]
fn packets_without_a_flow_all_find_one_backend_whatever_the_scheduler() {
    for (how, scheduler) in [
        (How::Dsr(None), Kind::RoundRobin),
        (How::Dsr(None), Kind::WeightedRoundRobin),
        (How::Dsr(None), Kind::Maglev),
        (How::Tunnel(crate::snapshot::TunnelKind::Ipip), Kind::RoundRobin),
    ] {
        let mut snapshot = network();
        let mut offer = Offer::new(how.clone(), false, Protocol::Tcp, (&[11, 12, 13], false));
        offer.scheduler = Some(scheduler);
        offer.add_to(&mut snapshot);
        apportion(&snapshot, 0);
        let mut rig = Rig::new(snapshot);
        let mut reached = std::collections::HashSet::new();
        for n in 0..50 {
            let macs: Vec<_> = [SYN, SYN, ACK, ACK, FIN_ACK]
                .iter()
                .map(|flags| rig.receive(ETH0, &[flood(&how, n, *flags)]).remove(0).1[..6].to_vec())
                .collect();
            assert!(macs.windows(2).all(|pair| pair[0] == pair[1]), "{scheduler:?}: {macs:?}");
            reached.insert(macs[0].clone());
        }
        assert_eq!((reached.len(), rig.stats().flows_created), (3, 0), "{scheduler:?}");
    }
}

/// A flow that began without room is remembered later by the backend that it has.
#[test]
fn a_stray_of_a_round_robin_service_goes_where_the_hash_says() {
    let how = How::Dsr(None);
    let mut snapshot = network();
    let mut offer = Offer::new(how.clone(), false, Protocol::Tcp, (&[11, 12, 13], false));
    offer.scheduler = Some(Kind::RoundRobin);
    offer.add_to(&mut snapshot);
    apportion(&snapshot, 0);
    let mut rig = Rig::new(snapshot.clone());
    for n in 0..20 {
        apportion(&snapshot, 0);
        let began = rig.receive(ETH0, &[flood(&how, n, SYN)]).remove(0).1[..6].to_vec();
        apportion(&snapshot, CAPACITY);
        let goes_on = rig.receive(ETH0, &[flood(&how, n, ACK)]).remove(0).1[..6].to_vec();
        assert_eq!((began, u64::from(n) + 1), (goes_on, rig.stats().flows_created));
    }
}

#[test]
fn another_backend_is_chosen_when_one_is_full() {
    for scheduler in [Kind::RoundRobin, Kind::WeightedRoundRobin, Kind::Maglev] {
        let mut snapshot = network();
        let mut offer = Offer::new(How::Router, false, Protocol::Tcp, (&[11, 12, 13], false));
        (offer.scheduler, offer.upper_threshold) = (Some(scheduler), Some(2));
        offer.add_to(&mut snapshot);
        let mut rig = Rig::new(snapshot);
        let mut flows = [0; 3];
        for n in 0..6 {
            let sent = rig.receive(ETH0, &[flood(&How::Router, n, SYN)]);
            flows[usize::from(sent[0].1[33]) - 11] += 1;
        }
        assert_eq!(flows, [2, 2, 2], "{scheduler:?}");
        let one_more = flood(&How::Router, 6, SYN);
        check(&mut rig, "one more", ETH0, &one_more, &Expect::Drops(DropReason::BackendsFull));
        let snapshot = rig.publisher.current();
        let refused = snapshot.services[0].admission.meter.counts().refused;
        assert!(refused.contains(&(DropReason::BackendsFull, 1)));
        assert_eq!(snapshot.services[0].admission.meter.flows(), 6);
    }
}

#[test]
fn limits_and_lists_that_come_later_cut_no_flow() {
    for way in ways() {
        let first = way.snapshot();
        let mut rig = Rig::new(first.clone());
        let segment = |port, flags| way.ask().tcp(port, 80, flags).build();
        assert_eq!(rig.receive(ETH0, &[segment(CLIENT_PORT, SYN)]).len(), 1);
        let mut next = first;
        let vip = if way.client_v6 { "::" } else { "0.0.0.0" };
        let everybody = Prefix::new(vip.parse().unwrap(), 0).unwrap();
        for service in next.services.iter_mut() {
            service.admission.access =
                std::sync::Arc::new(crate::admission::AccessList::new(&[], &[everybody]));
            service.admission.limits = Limits { flows: Some(1), ..Limits::default() };
        }
        rig.publisher.publish(next);
        assert_eq!(rig.receive(ETH0, &[segment(CLIENT_PORT, ACK)]).len(), 1, "{}", way.name());
        let new = segment(CLIENT_PORT + 1, SYN);
        check(&mut rig, &way.name(), ETH0, &new, &Expect::Drops(DropReason::Denied));
    }
}

#[test]
fn packets_of_one_flow_in_one_batch_are_asked_for_their_flow_once() {
    let limits = Limits { flows: Some(1), new_per_second: Some(1), new_per_second_per_source: Some(1) };
    for way in ways() {
        let mut rig = Rig::new(way.snapshot_with(|offer| offer.limits = limits));
        let datagram = way.ask().udp(CLIENT_PORT, 53).build();
        assert_eq!(rig.receive(ETH0, &vec![datagram; 20]).len(), 20, "{}", way.name());
        let snapshot = rig.publisher.current();
        assert_eq!(snapshot.services[1].admission.meter.flows(), 1, "{}", way.name());
    }
}

#[test]
fn half_open_flows_are_counted_until_the_handshake_ends_in_either_direction() {
    for way in ways() {
        let snapshot = way.snapshot();
        let meter = std::sync::Arc::clone(&snapshot.services[0].admission.meter);
        let segment = |flags| move |build: Build, s, d| build.tcp(s, d, flags);
        let mut rig = Rig::new(snapshot);
        let mut step = |row: Row| {
            check(&mut rig, row.name, row.ingress, &row.frame, &row.expect);
            meter.half_open()
        };
        assert_eq!(step(way.inward("SYN", Protocol::Tcp, Moves::OPENS, segment(SYN))), 1);
        assert_eq!(step(way.inward("again", Protocol::Tcp, Moves::INWARD, segment(SYN))), 1);
        if way.is_two_way() {
            assert_eq!(step(way.outward("SYN-ACK", Protocol::Tcp, segment(SYN_ACK))), 1);
        }
        assert_eq!(step(way.inward("ACK", Protocol::Tcp, Moves::INWARD, segment(ACK))), 0, "{}", way.name());
        assert_eq!(step(way.inward("RST", Protocol::Tcp, Moves::INWARD, segment(RST))), 0);
    }
}

#[test]
fn cookies_are_for_a_service_that_is_flooded_and_has_asked_for_them() {
    let mut snapshot = two_services(How::Router);
    for (syn_proxy, expected) in [(SynProxy::Off, false), (SynProxy::Auto, false), (SynProxy::Always, true)] {
        snapshot.services[0].syn_proxy = syn_proxy;
        assert_eq!(snapshot.services[0].answers_by_cookie(), expected, "{syn_proxy:?}");
    }
    snapshot.services[0].syn_proxy = SynProxy::Auto;
    let mut rig = Rig::with_flows(snapshot, CAPACITY);
    let answers = |rig: &Rig| rig.publisher.current().services[ServiceId(0).index()].answers_by_cookie();
    for n in 0..25 {
        rig.receive(ETH0, &[flood(&How::Router, n, SYN)]);
    }
    assert!(!answers(&rig), "a quarter of its own room of 100");
    rig.receive(ETH0, &[flood(&How::Router, 25, SYN)]);
    assert!(answers(&rig));
}

/// A worker that is far behind has its hands full with those who are connected.
#[test]
fn an_overloaded_worker_begins_no_flow_and_forwards_those_there_are() {
    for how in [How::Router, How::Dsr(None)] {
        let way = way(how);
        let mut rig = Rig::with_room(way.snapshot(), 4096, OVERLOAD + 2 * BATCH);
        let segment = |port, flags| way.ask().tcp(port, 80, flags).build();
        assert_eq!(rig.receive(ETH0, &[segment(1, SYN)]).len(), 1);
        let frames: Vec<_> =
            (0..OVERLOAD + BATCH).map(|n| segment(1, if n % 2 == 0 { ACK } else { SYN })).collect();
        let mut waiting = frames;
        for (n, frame) in (2..).zip(waiting.iter_mut().skip(1).step_by(2)) {
            *frame = segment(n, SYN);
        }
        waiting[3] = way.ask().udp(7, 53).build();
        let sent = rig.receive(ETH0, &waiting);
        assert_eq!((sent.len(), rig.dropped(DropReason::Overload)), (BATCH / 2, BATCH as u64 / 2));
        // The next batch leaves less waiting than that.
        let sent = rig.receive(ETH0, &[]);
        assert_eq!((sent.len(), rig.dropped(DropReason::Overload)), (BATCH, BATCH as u64 / 2));
    }
}
