//! A whole worker over frames in memory: every check, counter and clock reading of the real one;
//! the network card alone is missing.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::subject::{self, Subject};
use crate::channel::Channel;
use crate::clock::Clock;
use crate::flow::FlowTable;
use crate::flow::HugePages;
use crate::io::{Frame, PacketIo, Refused};
use crate::limits::{BATCH, HEADROOM};
use crate::snapshot::{Publisher, Snapshot};
use crate::stats::WorkerCounters;
use crate::syn_proxy::Secret;
use crate::testing::frames::frame;
use crate::testing::rig::{BOX0, CLIENT, ETH0};
use crate::types::{InterfaceId, WorkerId};
use crate::wire::tcp::Flags;
use crate::worker::{Links, Worker};
use crate::xdp::{Umem, Wake};

/// Frames that are under way: as many as a network card has in its rings.
const POOL: usize = 4096;
/// New flows before their clients come round again: 16 ports on each address of a network of 2^24.
const NEW_FLOWS: u32 = 1 << 28;

/// Rings that hand out prepared frames and take sent ones back.
#[derive(Debug)]
struct BenchIo {
    umem: Umem,
    ready: Vec<(InterfaceId, Frame)>,
    sent: u64,
}

impl PacketIo for BenchIo {
    fn rings(&self) -> usize {
        1
    }

    fn receive(&mut self, _: usize, room: usize, mut take: impl FnMut(InterfaceId, Frame)) -> usize {
        let count = room.min(self.ready.len());
        for (interface, frame) in self.ready.drain(..count) {
            take(interface, frame);
        }
        count
    }

    fn waiting(&self, _: usize) -> usize {
        0
    }

    fn transmit(&mut self, _: InterfaceId, frame: Frame) -> Result<(), (Frame, Refused)> {
        self.sent += 1;
        self.recycle(frame);
        Ok(())
    }

    fn flush(&mut self) {}

    fn recycle(&mut self, frame: Frame) {
        self.umem.give(frame.into_chunk());
    }

    fn allocate(&mut self) -> Option<Frame> {
        self.umem.take().map(|chunk| Frame::new(chunk, HEADROOM, 0))
    }

    fn maintain(&mut self) {}

    fn wait(&mut self, _: Duration) {}
}

/// See the module's head.
#[derive(Debug)]
pub struct Engine {
    worker: Worker<BenchIo>,
    counters: Arc<WorkerCounters>,
    table: Arc<FlowTable>,
    id: WorkerId,
    /// Frames of the forward path, whose client is written over.
    syn: Vec<u8>,
    ack: Vec<u8>,
    v6: bool,
    /// The number of the next flow that is new.
    next: u32,
    _publisher: Arc<Publisher>,
}

/// What workers share.
struct Setting {
    v6: bool,
    table: Arc<FlowTable>,
    publisher: Arc<Publisher>,
}

impl Setting {
    fn new(v6: bool, snapshot: Snapshot, flows: u32, workers: usize) -> Self {
        let capacity = flows as usize + flows as usize / 8 + 4096;
        let table = FlowTable::new(capacity, workers, HugePages::Auto).expect("memory for the table");
        Self { v6, table: Arc::new(table), publisher: Arc::new(Publisher::new(snapshot)) }
    }
}

impl Engine {
    /// A worker with one TCP service and `flows` established flows in its table.
    ///
    /// # Panics
    /// If there is not enough memory.
    #[must_use]
    pub fn new(subject: Subject, v6: bool, flows: u32) -> Self {
        let setting = Setting::new(v6, subject::snapshot(subject, v6), flows, 1);
        let mut engine = Self::worker(&setting, WorkerId(0));
        engine.establish(0..flows);
        engine
    }

    /// Two workers with one table, into which each has put half of the flows. Packets of any flow may
    /// come to either.
    ///
    /// # Panics
    /// If there is not enough memory.
    #[must_use]
    pub fn pair(subject: Subject, v6: bool, flows: u32) -> [Self; 2] {
        let setting = Setting::new(v6, subject::snapshot(subject, v6), flows, 2);
        let mut engines = [0, 1].map(|id| Self::worker(&setting, WorkerId(id)));
        let [first, second] = &mut engines;
        first.establish(0..flows / 2);
        first.leave();
        second.establish(flows / 2..flows);
        second.leave();
        engines
    }

    /// A worker with an empty table for `flows` flows, which end when they have been silent for `life`.
    ///
    /// # Panics
    /// If there is not enough memory.
    #[must_use]
    pub fn for_new_flows(subject: Subject, v6: bool, flows: u32, life: Duration) -> Self {
        let mut snapshot = subject::snapshot(subject, v6);
        snapshot.timeouts.tcp_syn = life;
        Self::worker(&Setting::new(v6, snapshot, flows, 1), WorkerId(0))
    }

    /// A worker with `flows` established flows that never expire, and room for as many new ones. The
    /// sweep has no steps to take, so the instructions of a pass do not depend on the time it takes.
    ///
    /// # Panics
    /// If there is not enough memory.
    #[must_use]
    pub fn without_expiry(subject: Subject, v6: bool, flows: u32) -> Self {
        const NEVER: Duration = Duration::from_secs(30 * 24 * 3600);
        let mut snapshot = subject::snapshot(subject, v6);
        let timeouts = &mut snapshot.timeouts;
        (timeouts.tcp_syn, timeouts.tcp_established) = (NEVER, NEVER);
        (timeouts.tcp_fin, timeouts.udp) = (NEVER, NEVER);
        let setting = Setting::new(v6, snapshot, 2 * flows, 1);
        let mut engine = Self::worker(&setting, WorkerId(0));
        engine.establish(0..flows);
        engine.next = flows;
        engine
    }

    fn worker(setting: &Setting, id: WorkerId) -> Self {
        let counters = Arc::new(WorkerCounters::new(256));
        let links = Links {
            table: Arc::clone(&setting.table),
            counters: Arc::clone(&counters),
            snapshots: setting.publisher.reader(),
            punts: Channel::new(),
            punt_event: Arc::new(Wake::new().expect("an event")),
            has_ended: Arc::default(),
            outbox: Channel::new(),
            clock: Clock::start(),
            secret: Arc::new(Secret::random()),
        };
        let io =
            BenchIo { umem: Umem::new(POOL).expect("memory"), ready: Vec::with_capacity(BATCH), sent: 0 };
        let vip = subject::vip(setting.v6).to_string();
        let to_vip = |flags| -> Vec<u8> {
            let client = if setting.v6 { "fd10::1" } else { "16.0.0.1" };
            frame((CLIENT, client), (BOX0, &vip)).tcp(1024, 80, flags).payload(b"").build()
        };
        Self {
            worker: Worker::new(id, io, links),
            counters,
            table: Arc::clone(&setting.table),
            id,
            syn: to_vip(Flags::SYN),
            ack: to_vip(Flags::ACK),
            v6: setting.v6,
            next: 0,
            _publisher: Arc::clone(&setting.publisher),
        }
    }

    /// Frames that the worker has sent.
    #[must_use]
    pub fn sent(&mut self) -> u64 {
        self.worker.io().sent
    }

    /// Flows that have ended.
    #[must_use]
    pub fn expired(&self) -> u64 {
        self.counters.flows_expired.get()
    }

    /// Prepares a batch of packets, each of the flow that `pick` says.
    pub fn prepare(&mut self, mut pick: impl FnMut() -> u32) {
        for _ in 0..BATCH {
            self.prepare_one(pick(), false);
        }
    }

    /// Prepares a batch of packets of flows that have not been before.
    pub fn prepare_new(&mut self) {
        for _ in 0..BATCH {
            self.prepare_one(self.next, true);
            self.next = (self.next + 1) % NEW_FLOWS;
        }
    }

    /// Lets the worker take the batch: the part to be timed. Returns the number of packets.
    #[inline(never)]
    pub fn pass(&mut self) -> usize {
        self.worker.round();
        BATCH
    }

    /// Lets the other worker of a pair go on alone: one that passes no quiescent states would keep it from
    /// reusing memory.
    pub fn leave(&self) {
        self.table.quiescence().leave(self.id);
    }

    fn establish(&mut self, flows: Range<u32>) {
        for is_new in [true, false] {
            for flow in flows.clone() {
                self.prepare_one(flow, is_new);
                if self.worker.io().ready.len() == BATCH || flow + 1 == flows.end {
                    self.worker.round();
                }
            }
        }
    }

    /// Writes a flow's client into a fresh copy of the template. In IPv4 the address and the port
    /// change so that their sum stays as it was, and the header's checksum stays right; what else
    /// is summed is nobody's concern before the last hop.
    fn prepare_one(&mut self, flow: u32, is_new: bool) {
        let io = self.worker.io();
        let Some(mut frame) = io.allocate() else { return };
        frame.fill(if is_new { &self.syn } else { &self.ack });
        let bytes = frame.bytes_mut();
        let [a, b, c, d] = flow.to_be_bytes();
        if self.v6 {
            bytes[32..36].copy_from_slice(&[a, b, c, d]);
        } else {
            // 16 ports on each address.
            let host = (flow >> 4).to_be_bytes();
            bytes[27..30].copy_from_slice(&host[1..]);
            bytes[35] = d & 15;
            let sum = crate::wire::checksum::sum(0, &bytes[14..24]);
            let sum = !crate::wire::checksum::fold(crate::wire::checksum::sum(sum, &bytes[26..34]));
            bytes[24..26].copy_from_slice(&sum.to_be_bytes());
        }
        io.ready.push((ETH0, frame));
    }
}
