use std::sync::Arc;

use super::*;
use crate::snapshot::Snapshot;
use crate::testing::frames::frame;
use crate::testing::rig::{BOX0, BOX1, CLIENT, ETH0, ETH1, Rig, backend_mac, snapshot, vip};
use crate::types::{Mode, Port};
use crate::wire::tcp::Flags;

fn capture(filter: Filter) -> Arc<Capture> {
    Arc::new(Capture::new(filter, 1))
}

fn with(capture: &Arc<Capture>) -> Snapshot {
    Snapshot { capture: Some(Arc::clone(capture)), ..snapshot(&[11], &[12]) }
}

fn to_vip(from: &str, port: u16) -> Vec<u8> {
    let syn = Flags::SYN;
    frame((CLIENT, from), (BOX0, vip(Mode::Router, false))).tcp(40_000, port, syn).build()
}

fn reply() -> Vec<u8> {
    let flags = Flags::SYN | Flags::ACK;
    frame((backend_mac(11), "10.0.1.11"), (BOX1, "10.0.0.2")).tcp(8080, 40_000, flags).build()
}

fn shots(capture: &Capture) -> Vec<Shot> {
    std::iter::from_fn(|| capture.next(Shot::clone)).collect()
}

fn service() -> (Prefix, Protocol, PortRange) {
    let vip = Prefix::host(vip(Mode::Router, false).parse().unwrap());
    (vip, Protocol::Tcp, PortRange::one(Port(80)))
}

#[test]
fn a_packet_is_shown_as_it_came_and_as_it_left() {
    let all = capture(Filter::default());
    let mut rig = Rig::new(with(&all));
    let (syn, stray) = (to_vip("10.0.0.2", 80), to_vip("10.0.0.2", 81));
    let sent = rig.receive(ETH0, &[syn.clone(), stray.clone()]);
    let shots = shots(&all);
    let [forwarded, dropped] = &shots[..] else { panic!("{} shots", shots.len()) };
    assert_eq!((forwarded.became, forwarded.ingress), (Became::Sent(ETH1), Some(ETH0)));
    assert_eq!((forwarded.before(), forwarded.after()), (&syn[..], &sent[0].1[..]));
    assert_eq!((dropped.before(), dropped.after()), (&stray[..], &[][..]));
    assert_eq!(dropped.became, Became::Dropped(DropReason::UnknownPort));
    assert_eq!(all.lost(), 0);
}

#[test]
fn what_is_asked_for_is_shown_in_both_directions_and_nothing_else() {
    let frames = [to_vip("10.0.0.2", 80), to_vip("10.0.0.3", 80), to_vip("10.0.0.2", 81)];
    let count = |filter| {
        let capture = capture(filter);
        let mut rig = Rig::new(with(&capture));
        rig.receive(ETH0, &frames);
        rig.receive(ETH1, &[reply()]);
        shots(&capture).len()
    };
    let client = Some("10.0.0.2".parse().unwrap());
    assert_eq!(count(Filter::default()), 4);
    assert_eq!(count(Filter { client, ..Filter::default() }), 3);
    // A reply bears the virtual address only when it is translated.
    assert_eq!(count(Filter { service: Some(service()), ..Filter::default() }), 3);
    assert_eq!(count(Filter { service: Some(service()), client, ..Filter::default() }), 2);
    let drop = Some(DropReason::UnknownPort);
    assert_eq!(count(Filter { drop, ..Filter::default() }), 1);
    assert_eq!(count(Filter { drop, service: Some(service()), ..Filter::default() }), 0);
}

#[test]
fn what_there_is_no_room_for_is_lost_and_counted_and_packets_go_on() {
    let all = capture(Filter::default());
    let mut rig = Rig::new(with(&all));
    let mut sent = 0;
    for _ in 0..SHOTS / 64 + 4 {
        sent += rig.receive(ETH0, &vec![to_vip("10.0.0.2", 80); 64]).len();
    }
    assert_eq!(sent, (SHOTS / 64 + 4) * 64);
    let shown = shots(&all).len();
    assert_eq!((shown, all.lost()), (SHOTS, 4 * 64));
    // What was read makes room again.
    rig.receive(ETH0, &[to_vip("10.0.0.2", 80)]);
    assert_eq!((shots(&all).len(), all.lost()), (1, 4 * 64));
}

#[test]
fn what_finds_no_room_in_a_ring_is_shown_as_dropped_for_that() {
    let full = capture(Filter { drop: Some(DropReason::TxRingFull), ..Filter::default() });
    let mut rig = Rig::new(with(&full));
    rig.worker.io().tx_room = 0;
    rig.receive(ETH0, &[to_vip("10.0.0.2", 80)]);
    assert_eq!(rig.dropped(DropReason::TxRingFull), 1);
    let shots = shots(&full);
    assert_eq!(shots.len(), 1);
    assert_eq!(shots[0].became, Became::Dropped(DropReason::TxRingFull));
}

#[test]
fn nobody_is_shown_anything_after_the_end() {
    let all = capture(Filter::default());
    let mut rig = Rig::new(with(&all));
    all.end();
    rig.receive(ETH0, &[to_vip("10.0.0.2", 80)]);
    assert_eq!((shots(&all).len(), all.lost()), (0, 0));
}
