//! Virtual routers: their addresses are answered for while the box is master, and no longer than it says so.

use std::sync::Arc;

use super::*;
use crate::snapshot::{Snapshot, Tenancy, Tenure};
use crate::types::Mac;

const VIRTUAL: Mac = Mac([0, 0, 0x5e, 0, 1, 51]);

/// With the VIP of router mode in the hands of a virtual router.
fn elected(v6: bool) -> (Snapshot, Arc<Tenure>) {
    let (mut snapshot, tenure) = (snapshot(&[11], &[21]), Arc::new(Tenure::new()));
    let tenancy = Tenancy { tenure: Arc::clone(&tenure), mac: Some(VIRTUAL), interfaces: vec![ETH0] };
    snapshot.tenancies.add(tenancy, [vip(Mode::Router, v6).parse().unwrap()]);
    (snapshot, tenure)
}

#[test]
fn a_backup_takes_nothing_and_a_master_all() {
    for v6 in [false, true] {
        let (snapshot, tenure) = elected(v6);
        let mut rig = Rig::new(snapshot);
        let syn = to_vip(Mode::Router, v6).tcp(40000, 80, SYN).build();
        let echo = to_vip(Mode::Router, v6).icmp(if v6 { 128 } else { 8 }).build();
        let out = to_backend(11, v6).tcp(40000, 8080, SYN).ttl(63).build();
        let drops = Expect::Drops(DropReason::NotMaster);
        check(&mut rig, "a backup has no service", ETH0, &syn, &drops);
        check(&mut rig, "and no echo", ETH0, &echo, &drops);
        tenure.hold_until(u32::MAX >> 1);
        check(&mut rig, "a master has", ETH0, &syn, &Expect::Sends(ETH1, out));
        tenure.give_up();
        check(&mut rig, "a flow does not outlast it", ETH0, &syn, &drops);
        let other = to_vip(Mode::Dsr, v6).tcp(40000, 80, SYN).build();
        assert_eq!(rig.receive(ETH0, &[other]).len(), 1, "the VIP of no virtual router is the box's always");
    }
}

#[test]
fn what_is_sent_to_the_virtual_mac_of_another_master_is_not_forwarded_twice() {
    let (snapshot, tenure) = elected(false);
    let mut rig = Rig::new(snapshot);
    let way = to_vip(Mode::Dsr, false).tcp(40000, 80, SYN);
    let mut frame = way.build();
    frame[..6].copy_from_slice(&VIRTUAL.0);
    check(&mut rig, "flooded", ETH0, &frame, &Expect::Drops(DropReason::NotMaster));
    tenure.hold_until(u32::MAX >> 1);
    assert_eq!(rig.receive(ETH0, &[frame]).len(), 1, "as master it is the box's own");
}

/// Switches learn where an address is from what it sends: also from one that was master a moment ago.
#[test]
fn what_the_box_answers_leaves_with_its_own_mac() {
    for v6 in [false, true] {
        let (snapshot, tenure) = elected(v6);
        let mut rig = Rig::new(snapshot);
        let (echo, stray) = (
            to_vip(Mode::Router, v6).icmp(if v6 { 128 } else { 8 }).build(),
            to_vip(Mode::Router, v6).tcp(40000, 80, SYN).ttl(1).build(),
        );
        for hold in [Tenure::hold_until, Tenure::linger_until] {
            hold(&tenure, u32::MAX >> 1);
            for mut frame in [echo.clone(), stray.clone()] {
                frame[..6].copy_from_slice(&VIRTUAL.0);
                let sent = rig.receive(ETH0, &[frame]);
                assert_eq!(sent.len(), 1);
                assert_eq!((&sent[0].1[..6], &sent[0].1[6..12]), (&CLIENT.0[..], &BOX0.0[..]));
            }
        }
    }
}
