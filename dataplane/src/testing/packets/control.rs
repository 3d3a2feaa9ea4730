//! Control frames go to management; echo requests are answered; what management sends goes out.

use super::way::{Way, network, ways};
use super::wrap::wrap;
use super::*;
use crate::testing::offer::How;
use crate::types::{BackendId, Mac};
use crate::{ControlFrame, Punt};

fn rig() -> Rig {
    Rig::new(snapshot(&[11], &[21]))
}

#[test]
fn control_frames_go_to_management_with_their_interface() {
    let mut rig = rig();
    let mut arp = vec![0xff; 6];
    arp.extend(CLIENT.0);
    arp.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    let rows = [
        ("ARP", arp),
        ("neighbour solicitation", to_vip(Mode::Router, true).icmp(135).build()),
        ("neighbour advertisement", to_vip(Mode::Router, true).icmp(136).build()),
        ("VRRP", to_vip(Mode::Router, false).protocol(112).build()),
        ("VRRP in IPv6", to_vip(Mode::Router, true).protocol(112).build()),
    ];
    for (sentence, frame) in rows {
        check(&mut rig, sentence, ETH1, &frame, &Expect::Punts);
        let Some(Punt::Frame(punted)) = rig.punts.receive() else { panic!("{sentence} was not handed over") };
        assert_eq!((punted.interface, punted.bytes()), (ETH1, &frame[..]), "{sentence}");
    }
}

#[test]
fn a_full_channel_drops_and_counts() {
    let mut rig = rig();
    let vrrp = to_vip(Mode::Router, false).protocol(112).build();
    for _ in 0..crate::limits::PUNT_QUEUE {
        rig.receive(ETH0, std::slice::from_ref(&vrrp));
    }
    check(&mut rig, "one too many", ETH0, &vrrp, &Expect::Drops(DropReason::PuntQueueFull));
}

#[test]
fn an_echo_request_to_a_vip_is_answered() {
    for (v6, request, reply) in [(false, 8, 0), (true, 128, 129)] {
        let mut rig = rig();
        for mode in [Mode::Router, Mode::Dsr] {
            for payload in [&b""[..], b"odd", b"sixteen bytes..."] {
                let input = to_vip(mode, v6).icmp(request).ttl(3).payload(payload).build();
                let output = from_vip(mode, v6).icmp(reply).ttl(64).payload(payload).build();
                check(&mut rig, "ping", ETH0, &input, &Expect::Sends(ETH0, output));
            }
        }
        let other = to_backend(11, v6).icmp(request).build();
        check(&mut rig, "ping of a backend", ETH0, &other, &Expect::Drops(DropReason::NotOurs));
    }
}

#[test]
fn other_icmp_is_dropped_by_name() {
    let mut rig = rig();
    let rows = [
        ("unreachable, and no packet quoted", false, 3, DropReason::Truncated),
        ("redirect", false, 5, DropReason::IcmpError),
        ("too big, and no packet quoted", true, 2, DropReason::Truncated),
        ("an unknown error", true, 100, DropReason::IcmpError),
        ("echo reply", false, 0, DropReason::UnknownProtocol),
        ("timestamp", false, 13, DropReason::UnknownProtocol),
        ("router solicitation", true, 133, DropReason::UnknownProtocol),
    ];
    for (sentence, v6, kind, reason) in rows {
        let input = to_vip(Mode::Router, v6).icmp(kind).build();
        check(&mut rig, sentence, ETH0, &input, &Expect::Drops(reason));
    }
}

#[test]
fn what_management_sends_leaves_by_its_interface_and_counts_as_originated() {
    let mut rig = rig();
    let bytes = [Mac::BROADCAST.0, BOX1.0].concat();
    assert!(rig.outbox.send(ControlFrame::new(ETH1, &bytes).unwrap()));
    assert_eq!(rig.receive(ETH0, &[]), [(ETH1, bytes)]);
    let frames = rig.stats().frames;
    assert_eq!((frames.originated, frames.received, frames.forwarded), (1, 0, 0));
}

/// Whichever backend the schedulers would choose; and no flow comes of it.
#[test]
fn a_packet_of_a_check_takes_a_clients_way_to_the_backend_that_it_is_for() {
    for v6 in [false, true] {
        let mut rig = Rig::new(snapshot(&[], &[21, 22, 23]));
        for (id, last) in [(0, 21), (1, 22), (2, 23)] {
            let asked = to_vip(Mode::Dsr, v6).tcp(40000, 80, SYN).build();
            let mut sent = asked.clone();
            sent[..6].copy_from_slice(&backend_mac(last).0);
            sent[6..12].copy_from_slice(&BOX1.0);
            let frame = ControlFrame::to_backend(ETH1, BackendId(id), &asked[14..]).unwrap();
            assert!(rig.outbox.send(frame));
            assert_eq!(rig.receive(ETH0, &[]), [(ETH1, sent)]);
        }
        let stats = rig.stats();
        assert_eq!((stats.frames.originated, stats.flows_created), (3, 0));
    }
    for way in ways().into_iter().filter(Way::is_tunnel) {
        let mut rig = Rig::new(way.snapshot());
        let asked = way.ask().tcp(40000, 80, SYN).build();
        let frame = ControlFrame::to_backend(ETH1, BackendId(0), &asked[network(&asked)..]).unwrap();
        assert!(rig.outbox.send(frame));
        let sent = rig.receive(ETH0, &[]);
        let How::Tunnel(kind) = way.how else { unreachable!("a tunnel") };
        assert_eq!(sent.len(), 1, "{}", way.name());
        let wrapped = wrap(kind, way.server_v6, &asked[network(&asked)..], &sent[0].1);
        assert_eq!(sent[0].1, wrapped, "{}", way.name());
    }
}

#[test]
fn a_packet_of_a_check_that_nobody_can_send_is_given_up() {
    let mut rig = Rig::new(snapshot(&[], &[21]));
    let asked = to_vip(Mode::Dsr, false).tcp(40000, 80, SYN).build();
    assert!(ControlFrame::to_backend(ETH1, BackendId(0), &[]).is_none());
    assert!(ControlFrame::to_backend(ETH1, BackendId(0), &[0x50; 40]).is_none());
    for (backend, packet) in [(9, &asked[14..]), (0, &asked[14..30])] {
        assert!(rig.outbox.send(ControlFrame::to_backend(ETH1, BackendId(backend), packet).unwrap()));
        assert_eq!(rig.receive(ETH0, &[]), []);
    }
    assert_eq!(rig.stats().frames.originated, 0);
}

#[test]
fn a_full_or_missing_way_out_is_a_counted_drop() {
    let mut rig = rig();
    rig.worker.io().tx_room = 0;
    let input = to_vip(Mode::Router, false).tcp(40000, 80, SYN).build();
    check(&mut rig, "full TX ring", ETH0, &input, &Expect::Drops(DropReason::TxRingFull));
    let mut gone = snapshot(&[11], &[21]);
    gone.backends.iter_mut().flatten().for_each(|b| {
        b.next_hop = b.next_hop.map(|hop| crate::snapshot::NextHop { interface: InterfaceId(7), ..hop });
    });
    rig = Rig::new(gone);
    check(&mut rig, "no such interface", ETH0, &input, &Expect::Drops(DropReason::InterfaceGone));
    let mut gone = snapshot(&[11], &[21]);
    gone.interfaces.push(gone.interfaces[0]);
    gone.backends.iter_mut().flatten().for_each(|b| {
        b.next_hop = b.next_hop.map(|hop| crate::snapshot::NextHop { interface: InterfaceId(3), ..hop });
    });
    rig = Rig::new(gone);
    check(&mut rig, "no socket on it", ETH0, &input, &Expect::Drops(DropReason::InterfaceGone));
}
