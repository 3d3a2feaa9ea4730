//! Over veth pairs with two queues each, in a namespace per test. Needs root.
//!
//! `ga` and `gb` are the far ends of `la` and `lb`, where frames are put in and looked at. The
//! worker's sockets are on `la` and `lb`.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::limits::{BATCH, MAX_FRAME, RING, UNRESOLVED_PACKETS};
use crate::snapshot::{Snapshot, Vip};
use crate::testing::classifier::BOX_INTERFACE;
use crate::types::Prefix;
use crate::xdp::XdpAttachment;
use crate::xdp::testing::{Tap, address, in_namespace, index_of, ip, udp4, veth};
use crate::xdp::{
    InterfaceSetup, OpenError, Program, Queue, Region, SocketHandle, VlanTags, XdpPreference, queues,
};

const A: InterfaceId = InterfaceId(0);
const B: InterfaceId = InterfaceId(1);
const VIP: &str = "10.0.0.100";
const SOON: Duration = Duration::from_secs(5);
const CHUNKS: usize = Umem::chunks_for(4, UNRESOLVED_PACKETS);

fn frame(number: u16) -> Vec<u8> {
    udp4("192.0.2.7", VIP, 1000 + number, 9, &[7; 40])
}

struct Bench {
    program: Program,
    io: XskIo,
    region: Arc<Region>,
    wake: Arc<Wake>,
}

impl Bench {
    fn new(xdp: XdpPreference) -> Self {
        veth("la", "ga");
        veth("lb", "gb");
        let mut program = Program::load().unwrap();
        let mut snapshot = Snapshot::default();
        snapshot.vips.insert(Prefix::host(address(VIP)), Vip::default());
        snapshot.interfaces = vec![BOX_INTERFACE; 2];
        program.steering.add(&snapshot).unwrap();
        let umem = Umem::new(CHUNKS).unwrap();
        let (region, wake) = (Arc::clone(umem.region()), Arc::new(Wake::new().unwrap()));
        let io = XskIo::new(umem, Arc::clone(&wake), Channel::new());
        let mut bench = Self { program, io, region, wake };
        bench.attach(A, "la", xdp);
        bench.attach(B, "lb", xdp);
        bench
    }

    /// As the engine does it when an interface is there.
    fn attach(&mut self, id: InterfaceId, name: &str, xdp: XdpPreference) -> Vec<SocketHandle> {
        let setup = InterfaceSetup { name: name.into(), index: index_of(name), xdp };
        let (attachment, _) = self.program.attach(&setup, id).unwrap();
        let generic = xdp == XdpPreference::Generic;
        assert_eq!(attachment == XdpAttachment::Generic, generic);
        let sockets: Vec<_> = (0..queues(name).unwrap())
            .map(|queue| {
                let at = Queue { interface: id, index: setup.index, queue: QueueId(queue) };
                Socket::open_when_free(&self.region, at, xdp).unwrap()
            })
            .collect();
        for socket in &sockets {
            self.program.set_socket(id, socket.queue(), socket.as_fd()).unwrap();
        }
        let handles = sockets.iter().map(Socket::handle).collect();
        self.io.attach(sockets);
        handles
    }

    /// What a worker does, without the packet engine: all that comes in by one interface leaves by
    /// the other. Returns how many there were, by ring.
    fn forward(&mut self) -> Vec<usize> {
        let mut batch = Vec::new();
        let mut taken = Vec::new();
        for ring in 0..self.io.rings() {
            taken.push(self.io.receive(ring, BATCH, |interface, frame| batch.push((interface, frame))));
        }
        for (interface, frame) in batch {
            let out = if interface == A { B } else { A };
            if let Err((frame, _)) = self.io.transmit(out, frame) {
                self.io.recycle(frame);
            }
        }
        self.io.flush();
        taken
    }

    /// Forwards until `frames` came in; returns how many, by ring.
    fn forward_all(&mut self, frames: usize) -> Vec<usize> {
        let mut total = vec![0; self.io.rings()];
        let mut idle = 0;
        while total.iter().sum::<usize>() < frames {
            let taken = self.forward();
            total.iter_mut().zip(&taken).for_each(|(sum, n)| *sum += n);
            if taken.iter().sum::<usize>() == 0 {
                assert!(idle < 3, "only {total:?} of {frames} frames came");
                idle += 1;
                self.io.wait(Duration::from_secs(1));
            }
        }
        total
    }

    /// The frames that a worker gets, until none comes for a while.
    fn all(&mut self) -> Vec<Vec<u8>> {
        let (mut all, mut before) = (Vec::new(), usize::MAX);
        while before != all.len() {
            before = all.len();
            self.io.flush();
            self.io.wait(Duration::from_millis(200));
            let mut frames = Vec::new();
            for ring in 0..self.io.rings() {
                self.io.receive(ring, BATCH, |_, frame| frames.push(frame));
            }
            all.extend(frames.iter().map(|frame| frame.bytes().to_vec()));
            frames.into_iter().for_each(|frame| self.io.recycle(frame));
        }
        all
    }

    /// A frame that the box itself has to send.
    fn own_frame(&mut self, number: u16) -> Frame {
        let empty = self.io.allocate().unwrap();
        Frame::copied(empty.into_chunk(), &frame(number))
    }

    fn counters(&self, interface: InterfaceId) -> (u64, u64, bool) {
        let traffic = &self.io.traffic()[interface.index()];
        (traffic.received.get(), traffic.transmitted.get(), traffic.gone.load(Ordering::Relaxed))
    }

    /// Deletes the devices and takes every socket out; whatever is not free then is lost.
    fn lost_chunks(mut self) -> usize {
        ip("link del la");
        ip("link del lb");
        self.io.detach(A);
        self.io.detach(B);
        CHUNKS - self.io.umem.free()
    }
}

fn arrived(tap: &Tap, count: usize) -> BTreeSet<Vec<u8>> {
    (0..count).map(|n| tap.receive(SOON).unwrap_or_else(|| panic!("{n} of {count} frames arrived"))).collect()
}

fn frames_cross(xdp: XdpPreference) {
    in_namespace(move || {
        let mut bench = Bench::new(xdp);
        let (ga, gb) = (Tap::open("ga"), Tap::open("gb"));
        for round in 0..5 {
            let sent: BTreeSet<_> = (0..200).map(|n| frame(round * 200 + n)).collect();
            sent.iter().for_each(|frame| ga.send(frame));
            let taken = bench.forward_all(200);
            // Without XDP in the driver, veth brings everything to its first queue.
            assert!(taken[1] > 0 || xdp == XdpPreference::Generic, "both queues of la: {taken:?}");
            assert!(taken[0] > 0 && taken[2..] == [0, 0], "the queues of la alone: {taken:?}");
            assert_eq!(arrived(&gb, 200), sent);
        }
        gb.send(&frame(0));
        bench.forward_all(1);
        assert_eq!(arrived(&ga, 1), BTreeSet::from([frame(0)]));
        assert_eq!(bench.counters(A), (1000, 1, false));
        assert_eq!(bench.counters(B), (1, 1000, false));
        assert_eq!(bench.program.steered(A).redirected, 1000);
        assert_eq!(bench.lost_chunks(), 0);
    });
}

#[test]
fn frames_cross_between_all_queues_of_two_interfaces() {
    frames_cross(XdpPreference::Auto);
}

#[test]
fn frames_cross_with_the_program_behind_the_driver() {
    frames_cross(XdpPreference::Generic);
}

#[test]
fn more_frames_than_the_rings_are_long_cross_without_loss_of_a_chunk() {
    in_namespace(|| {
        let mut bench = Bench::new(XdpPreference::Copy);
        let (ga, gb) = (Tap::open("ga"), Tap::open("gb"));
        let rounds = u16::try_from(3 * RING / 100).unwrap();
        for round in 0..rounds {
            let sent: BTreeSet<_> = (0..100).map(|n| frame(round * 100 + n)).collect();
            sent.iter().for_each(|frame| ga.send(frame));
            bench.forward_all(100);
            assert_eq!(arrived(&gb, 100), sent, "round {round}");
        }
        assert_eq!(bench.lost_chunks(), 0);
    });
}

#[test]
fn the_longest_frame_crosses_whole_and_a_longer_one_is_counted_by_the_kernel() {
    in_namespace(|| {
        let mut bench = Bench::new(XdpPreference::Copy);
        for device in ["la", "ga", "lb", "gb"] {
            ip(&format!("link set {device} mtu 2000"));
        }
        let (ga, gb) = (Tap::open("ga"), Tap::open("gb"));
        let payload = |length: usize| udp4("192.0.2.7", VIP, 1, 2, &vec![9; length - 42]);
        ga.send(&payload(MAX_FRAME + 1));
        ga.send(&payload(MAX_FRAME));
        bench.forward_all(1);
        assert_eq!(arrived(&gb, 1), BTreeSet::from([payload(MAX_FRAME)]));
        let sockets = bench.io.sockets.iter().flatten();
        let dropped: u64 = sockets.map(|socket| socket.handle().statistics().unwrap().rx_dropped).sum();
        assert_eq!(dropped, 1);
    });
}

#[test]
fn what_the_box_sends_itself_leaves_from_allocated_chunks() {
    in_namespace(|| {
        let mut bench = Bench::new(XdpPreference::Copy);
        let gb = Tap::open("gb");
        let own = bench.own_frame(1);
        bench.io.transmit(B, own).unwrap();
        bench.io.flush();
        assert_eq!(arrived(&gb, 1), BTreeSet::from([frame(1)]));
        let unknown = bench.own_frame(0);
        let Err((unknown, reason)) = bench.io.transmit(InterfaceId(2), unknown) else { panic!("sent") };
        assert_eq!(reason, Refused::Gone);
        bench.io.recycle(unknown);
        assert_eq!(bench.lost_chunks(), 0);
    });
}

#[test]
fn a_stopped_device_fills_the_ring_and_sends_all_of_it_when_it_is_up_again() {
    in_namespace(|| {
        let mut bench = Bench::new(XdpPreference::Copy);
        let gb = Tap::open("gb");
        ip("link set lb down");
        let length = u16::try_from(RING).unwrap();
        for number in 0..length {
            let own = bench.own_frame(number);
            bench.io.transmit(B, own).unwrap();
        }
        bench.io.flush();
        let extra = bench.own_frame(0);
        let Err((extra, reason)) = bench.io.transmit(B, extra) else { panic!("no room is left") };
        assert_eq!(reason, Refused::Full);
        bench.io.recycle(extra);
        ip("link set lb up");
        bench.io.flush();
        let sent = std::iter::from_fn(|| gb.receive(Duration::from_millis(200))).count();
        assert!(sent > 0 && bench.counters(B) == (0, u64::from(length), false), "{sent} frames");
        assert_eq!(bench.lost_chunks(), 0);
    });
}

#[test]
fn a_sleeping_worker_is_woken_by_a_frame_or_by_another_thread() {
    in_namespace(|| {
        let mut bench = Bench::new(XdpPreference::Copy);
        let ga = Tap::open("ga");
        ga.send(&frame(1));
        bench.io.wait(Duration::MAX);
        assert_eq!(bench.forward_all(1).iter().sum::<usize>(), 1);
        let wake = Arc::clone(&bench.wake);
        let other = std::thread::spawn(move || wake.wake());
        bench.io.wait(Duration::MAX);
        other.join().unwrap();
        bench.io.wait(Duration::from_millis(1));
        assert!(!bench.io.watched[0].is_ready(), "the event was cleared");
    });
}

/// Deletes `la`, lets the worker meet that, and checks that it comes back to life with `la`.
fn interface_returns(bench: &mut Bench) {
    ip("link del la");
    let last = bench.own_frame(9);
    bench.io.transmit(A, last).unwrap();
    bench.forward();
    assert!(bench.counters(A).2, "the loss is visible to other threads");
    let late = bench.own_frame(9);
    let Err((late, reason)) = bench.io.transmit(A, late) else { panic!("la is gone") };
    assert_eq!(reason, Refused::Gone);
    bench.io.recycle(late);

    bench.program.detach(A);
    bench.io.detach(A);
    veth("la", "ga");
    bench.attach(A, "la", XdpPreference::Auto);
    assert!(!bench.counters(A).2);
    let (ga, gb) = (Tap::open("ga"), Tap::open("gb"));
    ga.send(&frame(1));
    gb.send(&frame(2));
    bench.forward_all(2);
    assert_eq!(arrived(&gb, 1), BTreeSet::from([frame(1)]));
    assert_eq!(arrived(&ga, 1), BTreeSet::from([frame(2)]));
}

#[test]
fn an_interface_that_vanished_is_refused_and_serves_again_when_it_is_back() {
    in_namespace(|| {
        let mut bench = Bench::new(XdpPreference::Auto);
        // Twice: the sockets on la were the first of the memory, then the last.
        interface_returns(&mut bench);
        interface_returns(&mut bench);
        assert_eq!(bench.io.rings(), 4, "places are used again");
        assert_eq!(bench.lost_chunks(), 0);
    });
}

#[test]
fn an_idle_worker_notices_that_an_interface_has_vanished() {
    in_namespace(|| {
        let mut bench = Bench::new(XdpPreference::Copy);
        bench.io.wait(Duration::from_millis(1));
        assert!(!bench.counters(A).2);
        ip("link del la");
        bench.io.wait(Duration::from_millis(1));
        assert!(bench.counters(A).2 && !bench.counters(B).2);
    });
}

#[test]
fn all_interfaces_may_vanish_and_come_back() {
    in_namespace(|| {
        let mut bench = Bench::new(XdpPreference::Auto);
        ip("link del la");
        ip("link del lb");
        for id in [A, B] {
            bench.program.detach(id);
            bench.io.detach(id);
        }
        veth("la", "ga");
        veth("lb", "gb");
        bench.attach(A, "la", XdpPreference::Auto);
        bench.attach(B, "lb", XdpPreference::Auto);
        let (ga, gb) = (Tap::open("ga"), Tap::open("gb"));
        ga.send(&frame(1));
        bench.forward_all(1);
        assert_eq!(arrived(&gb, 1), BTreeSet::from([frame(1)]));
        assert_eq!(bench.lost_chunks(), 0);
    });
}

#[test]
fn chunks_that_the_kernel_may_still_write_to_are_not_used_again() {
    in_namespace(|| {
        let mut bench = Bench::new(XdpPreference::Copy);
        let free = bench.io.umem.free();
        bench.io.detach(A);
        assert_eq!(bench.io.umem.free(), free);
    });
}

#[test]
fn statistics_are_read_from_another_thread_and_end_with_the_socket() {
    in_namespace(|| {
        let mut bench = Bench::new(XdpPreference::Copy);
        bench.program.detach(B);
        bench.io.detach(B);
        let handles = bench.attach(B, "lb", XdpPreference::Copy);
        let read = {
            let handles = handles.clone();
            std::thread::spawn(move || handles.iter().all(|h| h.statistics().is_some()))
        };
        assert!(read.join().unwrap());
        assert_eq!(handles.iter().map(|h| (h.interface, h.queue.0)).collect::<Vec<_>>(), [(B, 0), (B, 1)]);
        bench.io.detach(B);
        assert!(handles.iter().all(|h| h.statistics().is_none()));
    });
}

#[test]
fn a_driver_without_zero_copy_refuses_it_and_gets_copy_mode_when_it_may() {
    in_namespace(|| {
        veth("la", "ga");
        let umem = Umem::new(64).unwrap();
        let at = Queue { interface: A, index: index_of("la"), queue: QueueId(0) };
        let error = Socket::open(umem.region(), at, XdpPreference::ZeroCopy).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP));
        let socket = Socket::open(umem.region(), at, XdpPreference::Auto).unwrap();
        assert!(!socket.handle().zero_copy);
    });
}

#[test]
fn a_queue_that_stays_busy_is_an_error_in_the_end() {
    in_namespace(|| {
        veth("la", "ga");
        let at = Queue { interface: A, index: index_of("la"), queue: QueueId(0) };
        let (first, second) = (Umem::new(64).unwrap(), Umem::new(64).unwrap());
        let _owner = Socket::open(first.region(), at, XdpPreference::Copy).unwrap();
        for open in [Socket::open, Socket::open_when_free] {
            let error = open(second.region(), at, XdpPreference::Copy).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EBUSY));
        }
    });
}

#[test]
fn an_attachment_that_is_refused_says_what_is_in_the_way() {
    in_namespace(|| {
        veth("la", "ga");
        let setup = |xdp| InterfaceSetup { name: "la".into(), index: index_of("la"), xdp };
        let refused = |program: &mut Program, xdp| {
            let Err(OpenError::Attach { interface, reason }) = program.attach(&setup(xdp), A) else {
                panic!("attached")
            };
            assert_eq!(interface, "la");
            reason
        };
        let (mut first, mut second) = (Program::load().unwrap(), Program::load().unwrap());
        ip("link set la mtu 9000");
        let reason = refused(&mut first, XdpPreference::Auto);
        assert!(reason.contains("9000") && reason.contains("1774"), "{reason}");
        ip("link set la mtu 1500");
        assert_eq!(first.attach(&setup(XdpPreference::Auto), A).unwrap().0, XdpAttachment::Native);
        let reason = refused(&mut second, XdpPreference::Auto);
        assert!(reason.contains("another XDP program is on la"), "{reason}");
        first.detach(A);
        let (attachment, tags) = second.attach(&setup(XdpPreference::Generic), A).unwrap();
        assert_eq!((attachment, tags), (XdpAttachment::Generic, VlanTags::Hidden), "the other end has them");
        let reason = refused(&mut first, XdpPreference::Copy);
        assert!(reason.contains("another XDP program is on la"), "{reason}");
    });
}

/// A bridge takes the tag out of a frame and hands it to its port beside it.
#[test]
fn a_vlan_tag_that_travels_beside_the_frame_is_put_back_for_a_worker() {
    in_namespace(|| {
        let mut bench = Bench::new(XdpPreference::Auto);
        veth("near", "far");
        ip("link set near address 02:00:00:00:00:77");
        ip("link add bridge type bridge mcast_snooping 0");
        for port in ["near", "ga"] {
            ip(&format!("link set {port} master bridge"));
        }
        ip("link set bridge up");
        // Where bridges hand packets to netfilter, that refuses the headers of this test.
        let _ = std::fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", "0");
        let tap = Tap::open("far");
        let plain = udp4("192.0.2.7", VIP, 1, 2, b"payload");
        let with = |tags: &[u16]| {
            let tags = tags.iter().flat_map(|tag| [0x8100_u16.to_be_bytes(), tag.to_be_bytes()].concat());
            plain[..12].iter().copied().chain(tags).chain(plain[12..].iter().copied()).collect::<Vec<u8>>()
        };
        // A bridge needs a moment until its ports forward.
        let has_come = |_| {
            tap.send(&plain);
            !bench.all().is_empty()
        };
        assert!((0..20).any(has_come), "frames cross the bridge");
        // Priority 5, VLAN 77: all of the tag is kept.
        for frame in [with(&[]), with(&[5 << 13 | 77]), with(&[77, 5 << 13 | 12])] {
            tap.send(&frame);
            assert_eq!(bench.all(), [frame]);
        }
    });
}

#[test]
fn the_queues_of_an_interface_are_counted() {
    in_namespace(|| {
        veth("la", "ga");
        assert_eq!(queues("la").unwrap(), 2);
        assert_eq!(queues("lo").unwrap(), 1);
        assert!(queues("nowhere").is_err());
    });
}
