//! More next hops than a worker remembers: what waits keeps its place, and control frames theirs.

use std::net::IpAddr;
use std::sync::Arc;

use super::way::Way;
use super::*;
use crate::Punt;
use crate::limits::{BATCH, PUNT_QUEUE, UNRESOLVED, UNRESOLVED_PACKETS};
use crate::snapshot::{NextHop, Snapshot};
use crate::testing::offer::How;
use crate::types::Mac;
use crate::types::Tick;

const START: Tick = Tick(1_000_000);

fn after(millis: u32) -> Tick {
    Tick(START.0 + millis)
}

fn way() -> Way {
    Way { how: How::Router, client_v6: true, server_v6: true }
}

fn rig() -> Rig {
    let mut snapshot = way().snapshot();
    let client: IpAddr = client(true).parse().unwrap();
    snapshot.fib = Arc::new(snapshot.fib.amended([(ETH0, client, None)]));
    Rig::with_room(snapshot, 16_384, UNRESOLVED_PACKETS + 512)
}

fn host(number: u32) -> String {
    format!("fd00::1:{number:x}")
}

/// A backend's own packet to a host that is not resolved.
fn waits_for(number: u32) -> Vec<u8> {
    way().reply().destination(&host(number)).tcp(8080, 41_000, ACK).build()
}

/// The SYN of a client on the segment that is not resolved. The backend is.
fn begins(number: u32) -> Vec<u8> {
    way().ask().source(&host(number)).tcp(41_000, 80, SYN).build()
}

fn resolve(rig: &mut Rig, number: u32) {
    let mut next = Snapshot::clone(&rig.publisher.current());
    let hop = NextHop { interface: ETH0, mac: CLIENT };
    next.fib = Arc::new(next.fib.amended([(ETH0, host(number).parse().unwrap(), Some(hop))]));
    next.generation += 1;
    rig.publisher.publish(next);
}

/// One batch.
fn batch(rig: &mut Rig, now: Tick, ingress: InterfaceId, frames: impl IntoIterator<Item = Vec<u8>>) -> usize {
    frames.into_iter().for_each(|frame| rig.worker.io().arrive(ingress, &frame));
    rig.at(now, None).len()
}

fn all() -> std::ops::Range<u32> {
    0..u32::try_from(UNRESOLVED).unwrap()
}

/// Whether a packet that has waited for that host leaves once the host is resolved.
fn leaves(rig: &mut Rig, now: Tick, number: u32) -> bool {
    resolve(rig, number);
    !rig.at(now, None).is_empty()
}

#[test]
fn next_hops_that_are_wanted_all_the_time_keep_no_other_one_out() {
    for wanted in [1, BATCH - 1] {
        let mut rig = rig();
        for number in all() {
            batch(&mut rig, START, ETH1, [waits_for(number)]);
        }
        let old = (0..u32::try_from(wanted).unwrap()).map(waits_for);
        batch(&mut rig, after(1000), ETH1, old.chain([waits_for(2000)]));
        assert!(leaves(&mut rig, after(1001), 2000), "beside {wanted} that are older");
        assert!(leaves(&mut rig, after(1001), 0), "the packets of the batch are held");
    }
    // Those of an earlier batch of the same millisecond are held already.
    let mut rig = rig();
    for number in all() {
        batch(&mut rig, START, ETH1, [waits_for(number)]);
    }
    for first in (0..512).step_by(BATCH) {
        batch(&mut rig, after(1000), ETH1, (first..first + 64).map(waits_for));
    }
    batch(&mut rig, after(1000), ETH1, [waits_for(2000)]);
    assert!(leaves(&mut rig, after(1001), 2000));
}

/// Resolution that begins with a flow is a precaution: no packet waits for it yet.
#[test]
fn clients_that_are_not_there_displace_no_packet() {
    let mut rig = rig();
    batch(&mut rig, START, ETH1, [waits_for(5000)]);
    for millis in 1..=10_u32 {
        for part in 0..8 {
            let numbers = (0..64).map(|n| millis * 512 + part * 64 + n);
            assert_eq!(batch(&mut rig, after(millis * 50), ETH0, numbers.map(begins)), 64, "they begin");
            while rig.punts.receive().is_some() {}
        }
    }
    assert_eq!(rig.dropped(DropReason::NeighbourMissing), 0);
    // A packet that is to wait finds room beside them at once.
    batch(&mut rig, after(500), ETH1, [waits_for(6000)]);
    assert_eq!(rig.dropped(DropReason::NeighbourMissing), 0);
    assert!(leaves(&mut rig, after(501), 5000) && leaves(&mut rig, after(501), 6000));
}

/// As many packets may wait as where no flow begins.
#[test]
fn packets_that_wait_have_the_room_of_those_that_may_come() {
    let mut rig = rig();
    for first in all().step_by(BATCH) {
        batch(&mut rig, START, ETH0, (first..first + 64).map(begins));
    }
    for first in all().step_by(BATCH) {
        batch(&mut rig, START, ETH1, (first..first + 64).map(|n| waits_for(n + 9000)));
    }
    assert_eq!(rig.dropped(DropReason::NeighbourMissing), 0);
    for first in all().step_by(BATCH) {
        batch(&mut rig, after(1000), ETH0, (first..first + 64).map(|n| begins(n + 2000)));
    }
    rig.at(after(1001), None);
    assert_eq!(rig.dropped(DropReason::NeighbourMissing), 0);
    assert!(leaves(&mut rig, after(1002), 9000) && leaves(&mut rig, after(1002), 10_023));
}

fn control_frames_find_room(rig: &mut Rig) {
    let vrrp = to_vip(Mode::Router, false).protocol(112).build();
    for _ in 0..PUNT_QUEUE / 2 / BATCH {
        batch(rig, after(2), ETH0, std::iter::repeat_n(vrrp.clone(), BATCH));
    }
    assert_eq!(rig.dropped(DropReason::PuntQueueFull), 0);
    let frames = std::iter::from_fn(|| rig.punts.receive()).filter(|punt| matches!(punt, Punt::Frame(_)));
    assert_eq!(frames.count(), PUNT_QUEUE / 2);
}

#[test]
fn reports_of_next_hops_leave_room_for_control_frames() {
    let mut rig = rig();
    for first in all().step_by(BATCH) {
        batch(&mut rig, START, ETH1, (first..first + 64).map(waits_for));
    }
    control_frames_find_room(&mut rig);
    // What found no room is reported now.
    let mut reported = 0;
    for _ in 0..PUNT_QUEUE / BATCH {
        rig.at(after(3), None);
        reported += std::iter::from_fn(|| rig.punts.receive()).count();
    }
    assert_eq!(reported, UNRESOLVED - PUNT_QUEUE / 2);
}

#[test]
fn reports_of_stations_and_moved_neighbours_leave_room_for_control_frames() {
    let way = Way { how: How::Bridge, client_v6: false, server_v6: false };
    let mut rig = Rig::new(way.snapshot());
    let count = u16::try_from(PUNT_QUEUE).unwrap() + 8;
    for number in 0..count {
        let [high, low] = number.to_be_bytes();
        let mut frame = way.ask().tcp(41_000, 80, ACK).build();
        frame[6..12].copy_from_slice(&Mac([2, 0, 0, 9, high, low]).0);
        rig.at(after(1), Some((ETH0, &frame)));
    }
    control_frames_find_room(&mut rig);

    let way = Way { how: How::Router, client_v6: false, server_v6: false };
    let mut rig = Rig::with_flows(way.snapshot(), 4096);
    for number in 0..count {
        let mut frame = way.ask().tcp(20_000 + number, 80, SYN).build();
        frame[6..12].copy_from_slice(&[2, 0, 0, 0, 7, 7]);
        rig.at(Tick(START.0 - 100_000 + u32::from(number) * 50), Some((ETH0, &frame)));
    }
    control_frames_find_room(&mut rig);
}
