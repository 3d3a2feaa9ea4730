//! Packets that are described in words. That frames are traced as workers treat them, all tables say.

use std::net::SocketAddr;

use super::*;
use crate::clock::Clock;
use crate::pipeline::Why;
use crate::pipeline::trace::{Outcome, Question, Step, Traced, Tracer};

fn ask(rig: &Rig, source: &str, destination: &str, protocol: Option<Protocol>) -> Option<Traced> {
    let [source, destination] = [source, destination].map(|end| end.parse::<SocketAddr>().unwrap());
    let now = Clock::tick(rig.clock.nanos());
    let mut tracer = Tracer::new(&rig.table).unwrap();
    let known = (&*rig.publisher.current(), &*rig.table);
    tracer.described(known, None, &Question { source, destination, protocol }, now)
}

#[test]
fn a_described_packet_is_what_a_client_would_send_and_leaves_no_trace() {
    for (v6, source, destination) in
        [(false, "10.0.0.2:40000", "10.0.0.100:80"), (true, "[fd00::2]:40000", "[fd00::100]:80")]
    {
        let mut rig = Rig::new(snapshot(&[11], &[21]));
        let before = rig.stats();
        let traced = ask(&rig, source, destination, Some(Protocol::Tcp)).unwrap();
        let Outcome::Forwarded { interface, frame } = &traced.outcome else { panic!("{traced:?}") };
        assert!(traced.steps.contains(&Step::NoFlow));
        let is_chosen = |step: &Step| matches!(step, Step::Chosen { why: Some(Why::Schedule), .. });
        assert!(traced.steps.iter().any(is_chosen), "{:?}", traced.steps);
        assert_eq!((rig.stats(), rig.table.flows(crate::types::Tick(0)).count()), (before, 0));
        // Its checksums are right, too: the worker makes the same of it.
        let sent = rig.receive(ETH0, std::slice::from_ref(&traced.frame));
        assert_eq!(sent, [(*interface, frame.clone())], "v6: {v6}");

        let again = ask(&rig, source, destination, Some(Protocol::Tcp)).unwrap();
        let is_flow = |step: &Step| matches!(step, Step::Flow { is_reply: false, .. });
        assert!(again.steps.iter().any(is_flow), "{:?}", again.steps);
        assert!(matches!(again.steps[1], Step::Parsed { kind: "segment", .. }), "{:?}", again.steps);
    }
}

#[test]
fn the_node_is_no_client_of_its_own_virtual_addresses() {
    use crate::snapshot::{Tenancy, Tenure};

    for way in super::way::ways() {
        let mut snapshot = way.snapshot();
        let (own, other) =
            if way.client_v6 { ("[fd00::1]", "[fd00::9]:80") } else { ("10.0.0.1", "10.0.0.9:80") };
        let vip: std::net::IpAddr = vip(way.mode(), way.client_v6).parse().unwrap();
        let to = SocketAddr::new(vip, 80).to_string();
        let source = format!("{own}:40000");
        snapshot.local_addresses.push(source.parse::<SocketAddr>().unwrap().ip());
        let outcome = |rig: &Rig, to: &str| {
            let traced = ask(rig, &source, to, Some(Protocol::Tcp)).unwrap();
            assert_eq!(traced.steps[0], Step::OwnAddress, "{}", way.name());
            (traced.outcome, traced.steps.get(1).cloned())
        };
        let rig = Rig::new(snapshot.clone());
        assert_eq!(outcome(&rig, &to), (Outcome::NotServed, None), "{}", way.name());
        assert_eq!(outcome(&rig, other), (Outcome::SentByLinux, None), "{}", way.name());

        // A backup is a client of the master as any host is.
        let tenure = std::sync::Arc::new(Tenure::new());
        let tenancy = Tenancy { tenure: std::sync::Arc::clone(&tenure), mac: None, interfaces: vec![ETH0] };
        snapshot.tenancies.add(tenancy, [vip]);
        let rig = Rig::new(snapshot);
        assert_eq!(outcome(&rig, &to), (Outcome::SentByLinux, Some(Step::Master(false))), "{}", way.name());
        tenure.hold_until(u32::MAX >> 1);
        assert_eq!(outcome(&rig, &to), (Outcome::NotServed, Some(Step::Master(true))), "{}", way.name());
    }
}

#[test]
fn echo_requests_and_datagrams_may_be_described_and_two_families_may_not() {
    let mut rig = Rig::new(snapshot(&[11], &[21]));
    let echo = ask(&rig, "[fd00::2]:0", "[fd00::100]:0", None).unwrap();
    assert_eq!(echo.outcome, Outcome::Answered);
    assert_eq!(rig.receive(ETH0, &[echo.frame]).len(), 1);
    let datagram = ask(&rig, "10.0.0.2:40000", "10.0.0.200:53", Some(Protocol::Udp)).unwrap();
    let Outcome::Forwarded { frame, .. } = datagram.outcome else { panic!("{datagram:?}") };
    assert_eq!(rig.receive(ETH0, &[datagram.frame])[0].1, frame);
    assert_eq!(ask(&rig, "10.0.0.2:1", "[fd00::100]:80", None), None);
    let elsewhere = ask(&rig, "10.0.0.2:1", "10.0.9.9:80", None).unwrap();
    assert_eq!(elsewhere.outcome, Outcome::ToLinux);
}
