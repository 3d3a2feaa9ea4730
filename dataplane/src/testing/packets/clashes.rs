//! A client port whose replies from a backend's endpoint belong to another flow already: another backend takes the
//! flow, and only where none can does the client get no answer.

use std::sync::Arc;
use std::time::Duration;

use super::way::{CLIENT_PORT, Way, one_arm, ways};
use super::*;
use crate::persistence::{Clients, Persistence, Server};
use crate::pipeline::trace::Outcome;
use crate::schedule::{Kind, Recipe, Schedule};
use crate::snapshot::{ClientAddress, Snapshot};
use crate::testing::offer::How;
use crate::testing::rig::{backend_address, network};
use crate::types::{BackendId, Prefix};

const LASTS: [u8; 3] = [11, 12, 13];
const KINDS: [Kind; 15] = [
    Kind::RoundRobin,
    Kind::WeightedRoundRobin,
    Kind::LeastConnections,
    Kind::WeightedLeastConnections,
    Kind::ShortestDelay,
    Kind::NeverQueue,
    Kind::Failover,
    Kind::Overflow,
    Kind::SourceHash,
    Kind::DestinationHash,
    Kind::Locality,
    Kind::LocalityReplicated,
    Kind::Maglev,
    Kind::Random,
    Kind::TwoChoices,
];

/// The ways whose replies are told apart by the backend's endpoint and the client's.
fn clashing() -> impl Iterator<Item = Way> {
    ways().into_iter().filter(|way| matches!(way.how, How::Router | How::Bridge))
}

/// The VIP of the service with that number.
fn vip_of(way: &Way, number: usize) -> String {
    let start = if way.client_v6 { "fd00::15" } else { "10.0.0.15" };
    format!("{start}{number}")
}

/// Services that have VIPs of their own and backends in common.
fn services(way: &Way, protocol: Protocol, kind: Kind, (count, lasts): (usize, &[u8])) -> Snapshot {
    let mut snapshot = network();
    for number in 0..count {
        let mut offer = way.offer(protocol);
        offer.backends.0 = lasts.to_vec();
        offer.vip = Prefix::host(vip_of(way, number).parse().unwrap());
        offer.scheduler = Some(kind);
        offer.add_to(&mut snapshot);
    }
    snapshot
}

/// The first packet of a flow to a service.
fn first(way: &Way, number: usize, protocol: Protocol, port: u16) -> Vec<u8> {
    let build = way.ask().destination(&vip_of(way, number));
    match protocol {
        Protocol::Tcp => build.tcp(port, 80, SYN).build(),
        Protocol::Udp => build.udp(port, 53).build(),
    }
}

/// The backend that one frame went to, which a trace must have said as well.
fn taken(rig: &mut Rig, frame: &[u8], sentence: &str) -> u8 {
    let foretold = rig.trace(ETH0, frame).outcome;
    let sent = rig.receive(ETH0, &[frame.to_vec()]);
    let [(interface, sent)] = &*sent else { panic!("{sentence}: {sent:x?}") };
    let told = Outcome::Forwarded { interface: *interface, frame: sent.clone() };
    // Of full NAT, the port is the worker's to choose.
    let is_drawn = sent.get(26..30) == Some(&[10, 0, 1, way::POOL][..]);
    assert!(foretold == told || is_drawn, "{sentence}: traced as {foretold:x?}, sent {sent:x?}");
    sent[5]
}

fn dropped(rig: &mut Rig, frame: &[u8], sentence: &str, reason: DropReason) {
    check(rig, sentence, ETH0, frame, &Expect::Drops(reason));
}

/// No meter counts a flow that there is not, nor misses one.
fn meters_are_right(rig: &Rig, flows: u32) {
    let snapshot = rig.publisher.current();
    let of_backends: u32 = snapshot.backends.iter().flatten().map(|b| b.meters.backend.flows()).sum();
    let of_services: u32 = snapshot.services.iter().map(|service| service.admission.meter.flows()).sum();
    assert_eq!((of_backends, of_services), (flows, flows));
}

#[test]
fn a_client_port_reaches_as_many_services_as_there_are_backends() {
    for way in clashing() {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            for kind in KINDS {
                let sentence = format!("{} {protocol:?} {kind:?}", way.name());
                let mut rig = Rig::new(services(&way, protocol, kind, (4, &LASTS)));
                // A backend of `ovf` takes two flows at most here.
                let ports = if kind == Kind::Overflow { 1 } else { 6 };
                for port in CLIENT_PORT..CLIENT_PORT + ports {
                    let mut lasts = Vec::new();
                    for number in 0..3 {
                        let frame = first(&way, number, protocol, port);
                        lasts.push(taken(&mut rig, &frame, &sentence));
                        assert_eq!(taken(&mut rig, &frame, &sentence), lasts[number], "{sentence}: again");
                    }
                    let reply = |last: u8| {
                        let from = backend_address(last, way.client_v6).to_string();
                        let build = way.reply().source(&from);
                        match protocol {
                            Protocol::Tcp => build.tcp(8080, port, SYN_ACK).build(),
                            Protocol::Udp => build.udp(5353, port).build(),
                        }
                    };
                    for (number, last) in lasts.iter().enumerate() {
                        let sent = rig.receive(ETH1, &[reply(*last)]);
                        let vip: std::net::IpAddr = vip_of(&way, number).parse().unwrap();
                        let source = match vip {
                            std::net::IpAddr::V4(v4) => (26, v4.octets().to_vec()),
                            std::net::IpAddr::V6(v6) => (22, v6.octets().to_vec()),
                        };
                        assert_eq!(sent[0].1[source.0..][..source.1.len()], source.1, "{sentence}");
                    }
                    lasts.sort_unstable();
                    assert_eq!(lasts, LASTS, "{sentence}");
                    let fourth = first(&way, 3, protocol, port);
                    dropped(&mut rig, &fourth, &sentence, DropReason::TupleInUse);
                }
                meters_are_right(&rig, 3 * u32::from(ports));
            }
        }
    }
}

#[test]
fn what_moved_aside_is_counted_once_and_limits_are_taken_once() {
    for way in clashing() {
        let mut snapshot = services(&way, Protocol::Tcp, Kind::Maglev, (3, &LASTS));
        for service in snapshot.services.iter_mut() {
            service.admission.limits.flows = Some(1);
            service.admission.limits.new_per_second = Some(2);
        }
        let mut rig = Rig::new(snapshot);
        for number in 0..3 {
            taken(&mut rig, &first(&way, number, Protocol::Tcp, CLIENT_PORT), &way.name());
        }
        meters_are_right(&rig, 3);
        let snapshot = rig.publisher.current();
        let clashed = [0, 1, 2].map(|n| snapshot.services[n].admission.meter.counts().clashed_flows);
        assert_eq!(clashed, [0, 1, 1], "{}", way.name());
        let next = first(&way, 1, Protocol::Tcp, CLIENT_PORT + 1);
        dropped(&mut rig, &next, &way.name(), DropReason::ServiceFull);
    }
}

/// The next flow of a client whose server cannot take one of its ports goes to its server again.
#[test]
fn a_clash_does_not_change_which_server_a_client_is_remembered_with() {
    for way in clashing() {
        let mut snapshot = services(&way, Protocol::Tcp, Kind::RoundRobin, (2, &LASTS));
        let clients = Arc::new(Clients::new(64));
        let servers = [(11, 3), (12, 4), (13, 5)]
            .map(|(last, id)| (Server::new(backend_address(last, false), None), BackendId(id)));
        let masks = (32, 128);
        let remembered = Persistence::new(clients, 1, Duration::from_secs(60), masks, &servers);
        snapshot.services[1].persistence = Some(remembered);
        let mut rig = Rig::new(snapshot);
        // A port that is not in use says where the client is at home.
        let home = taken(&mut rig, &first(&way, 1, Protocol::Tcp, 1), &way.name());
        let port =
            (2..9).find(|port| taken(&mut rig, &first(&way, 0, Protocol::Tcp, *port), &way.name()) == home);
        let port = port.expect("the first service goes there in its turn");
        let aside = taken(&mut rig, &first(&way, 1, Protocol::Tcp, port), &way.name());
        assert_ne!(aside, home, "{}", way.name());
        for port in 20..23 {
            assert_eq!(taken(&mut rig, &first(&way, 1, Protocol::Tcp, port), &way.name()), home);
        }
    }
}

/// A client that is new is remembered with the server that it has got.
#[test]
fn a_new_client_is_remembered_with_the_backend_that_took_its_flow() {
    for way in clashing() {
        let mut snapshot = services(&way, Protocol::Tcp, Kind::Maglev, (2, &LASTS));
        let clients = Arc::new(Clients::new(64));
        let servers = [(11, 3), (12, 4), (13, 5)]
            .map(|(last, id)| (Server::new(backend_address(last, false), None), BackendId(id)));
        let remembered = Persistence::new(clients, 1, Duration::from_secs(60), (32, 128), &servers);
        snapshot.services[1].persistence = Some(remembered);
        let mut rig = Rig::new(snapshot);
        taken(&mut rig, &first(&way, 0, Protocol::Tcp, CLIENT_PORT), &way.name());
        let got = taken(&mut rig, &first(&way, 1, Protocol::Tcp, CLIENT_PORT), &way.name());
        for port in 20..23 {
            assert_eq!(taken(&mut rig, &first(&way, 1, Protocol::Tcp, port), &way.name()), got);
        }
    }
}

/// With `hash_fallback = false` a flow is one backend's or has none.
#[test]
fn a_flow_that_is_bound_to_one_backend_does_not_move_aside() {
    for way in clashing() {
        let mut snapshot = services(&way, Protocol::Tcp, Kind::Maglev, (2, &LASTS));
        for (number, service) in (0..).zip(snapshot.services.iter_mut()) {
            let candidate = |n: u32| {
                let name = LASTS[n as usize].to_string();
                crate::schedule::Candidate::new(BackendId(3 * number + n), name, 1)
            };
            let recipe = Recipe {
                kind: Kind::Maglev,
                candidates: [0, 1, 2].map(candidate).to_vec(),
                workers: 1,
                cluster: "test".into(),
                fallback: false,
            };
            service.schedule = Arc::new(Schedule::new(&recipe, &Arc::default()));
        }
        let mut rig = Rig::new(snapshot);
        taken(&mut rig, &first(&way, 0, Protocol::Tcp, CLIENT_PORT), &way.name());
        let other = first(&way, 1, Protocol::Tcp, CLIENT_PORT);
        dropped(&mut rig, &other, &way.name(), DropReason::TupleInUse);
        meters_are_right(&rig, 1);
    }
}

/// Ports of a pool are counted for each backend: where those towards one are used up, another one takes the flow.
#[test]
fn a_pool_that_is_used_up_towards_one_backend_has_ports_towards_others() {
    for v6 in [false, true] {
        for kind in KINDS {
            let how = one_arm(v6, ClientAddress::None);
            let way = Way { how, client_v6: v6, server_v6: v6 };
            let sentence = format!("{} {kind:?}", way.name());
            let mut rig = Rig::new(services(&way, Protocol::Tcp, kind, (1, &LASTS)));
            let mut lasts: Vec<_> = (CLIENT_PORT..CLIENT_PORT + 3)
                .map(|port| {
                    let sent = rig.receive(ETH0, &[first(&way, 0, Protocol::Tcp, port)]);
                    assert_eq!(sent.len(), 1, "{sentence}");
                    sent[0].1[5]
                })
                .collect();
            lasts.sort_unstable();
            assert_eq!(lasts, LASTS, "{sentence}");
            meters_are_right(&rig, 3);
        }
    }
}
