//! The life of a source-NAT pool: ports come back, whatever becomes of their flows.

use super::way::{CLIENT_PORT, Way, ways};
use super::*;
use crate::snapshot::{Forwarding, OneArm, Snapshot};
use crate::testing::offer::How;

fn one_arm_ways() -> impl Iterator<Item = Way> {
    ways().into_iter().filter(|way| way.mode() == Mode::OneArm)
}

fn with_all_ports(way: &Way) -> Snapshot {
    way.snapshot_with(|offer| match &mut offer.how {
        How::OneArm(pool) => pool.free = None,
        _ => panic!("one-arm"),
    })
}

/// The pool of the TCP service.
fn pool(snapshot: &mut Snapshot) -> &mut OneArm {
    match snapshot.backends[0].as_mut().map(|backend| &mut backend.forwarding) {
        Some(Forwarding::OneArm(one_arm)) => one_arm,
        _ => panic!("one-arm"),
    }
}

#[test]
fn what_finds_no_room_in_the_table_takes_no_port() {
    for way in one_arm_ways() {
        let mut snapshot = with_all_ports(&way);
        let ports = std::sync::Arc::clone(&pool(&mut snapshot).pool[0].ports);
        let mut rig = Rig::with_flows(snapshot, 100);
        for n in 0..400 {
            rig.receive(ETH0, &[way.ask().tcp(CLIENT_PORT + n, 80, SYN).build()]);
        }
        let stats = rig.stats();
        assert_eq!(stats.flows_created + stats.flows_refused, 400, "{}", way.name());
        assert!(stats.flows_refused > 0, "{}", way.name());
        assert_eq!(u64::from(ports.used()), stats.flows_created, "{}", way.name());
    }
}

/// An address that has left the configuration serves the flows that it has.
#[test]
fn a_closed_address_takes_no_new_flows() {
    for way in one_arm_ways() {
        let mut snapshot = with_all_ports(&way);
        let mut rig = Rig::new(snapshot.clone());
        let segment = |port, flags| way.ask().tcp(port, 80, flags).build();
        assert_eq!(rig.receive(ETH0, &[segment(CLIENT_PORT, SYN)]).len(), 1);
        let one_arm = pool(&mut snapshot);
        one_arm.pool = one_arm
            .pool
            .iter()
            .map(|part| crate::snapshot::PoolPart { open: false, ..part.clone() })
            .collect();
        rig.publisher.publish(snapshot);
        assert_eq!(rig.receive(ETH0, &[segment(CLIENT_PORT, ACK)]).len(), 1, "{}", way.name());
        let new = segment(CLIENT_PORT + 1, SYN);
        check(&mut rig, &way.name(), ETH0, &new, &Expect::Drops(DropReason::SnatExhausted));
    }
}

/// The port of a flow that is over comes back when its entry is swept, and not before: who sends again
/// from the same port gets another one.
#[test]
fn a_port_comes_back_with_its_flow() {
    for way in one_arm_ways() {
        let mut rig = Rig::new(way.snapshot());
        let segment = |port, flags| way.ask().tcp(port, 80, flags).build();
        assert_eq!(rig.receive(ETH0, &[segment(CLIENT_PORT, SYN)]).len(), 1);
        rig.receive(ETH0, &[segment(CLIENT_PORT, RST)]);
        let again = segment(CLIENT_PORT, SYN);
        let row = Row::drops("its own port", ETH0, again.clone(), DropReason::SnatExhausted);
        check(&mut rig, row.name, ETH0, &row.frame, &row.expect);
        let began = rig.stats().total_nanos;
        while rig.receive(ETH0, std::slice::from_ref(&again)).is_empty() {
            let waited = rig.stats().total_nanos - began;
            assert!(waited < 60_000_000_000, "{}: the port does not come back", way.name());
        }
        assert_eq!(rig.stats().flows_created, 2, "{}", way.name());
    }
}
