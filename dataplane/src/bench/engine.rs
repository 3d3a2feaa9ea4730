//! A whole worker over frames in memory: every check, counter and clock reading of the real one;
//! the network card alone is missing.

use std::sync::Arc;
use std::time::Duration;

use super::subject::{self, Subject};
use crate::clock::Clock;
use crate::engine::HugePages;
use crate::flow::FlowTable;
use crate::io::{Frame, PacketIo, Refused};
use crate::limits::{BATCH, HEADROOM};
use crate::snapshot::Publisher;
use crate::stats::WorkerCounters;
use crate::testing::frames::{Build, frame};
use crate::testing::rig::{BOX0, CLIENT, ETH0};
use crate::types::{InterfaceId, WorkerId};
use crate::wire::tcp::Flags;
use crate::worker::{Channel, Links, Worker};
use crate::xdp::{Umem, Wake};

/// Frames that are under way: as many as a network card has in its rings.
const POOL: usize = 4096;

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
    /// A frame of the forward path, whose client is written over.
    template: Vec<u8>,
    v6: bool,
    flows: u32,
    random: u64,
    _publisher: Publisher,
}

impl Engine {
    /// A worker with one TCP service and `flows` established flows in its table.
    ///
    /// # Panics
    /// If there is not enough memory.
    #[must_use]
    pub fn new(subject: Subject, v6: bool, flows: u32) -> Self {
        let capacity = flows as usize + flows as usize / 8 + 4096;
        let table = Arc::new(FlowTable::new(capacity, 1, HugePages::Auto).expect("memory for the table"));
        let publisher = Publisher::new(subject::snapshot(subject, v6));
        let links = Links {
            table,
            counters: Arc::new(WorkerCounters::new(256)),
            snapshots: publisher.reader(),
            punts: Channel::new(),
            punt_event: Arc::new(Wake::new().expect("an event")),
            outbox: Channel::new(),
            clock: Clock::start(),
        };
        let io =
            BenchIo { umem: Umem::new(POOL).expect("memory"), ready: Vec::with_capacity(BATCH), sent: 0 };
        let mut engine = Self {
            worker: Worker::new(WorkerId(0), io, links),
            template: Vec::new(),
            v6,
            flows,
            random: 0x9e37_79b9_7f4a_7c15,
            _publisher: publisher,
        };
        let vip = subject::vip(v6).to_string();
        let to_vip = |flags| -> Build {
            let client = if v6 { "fd10::1" } else { "16.0.0.1" };
            frame((CLIENT, client), (BOX0, &vip)).tcp(1024, 80, flags).payload(b"")
        };
        for flags in [Flags::SYN, Flags::ACK] {
            engine.template = to_vip(flags).build();
            engine.pass_all();
        }
        engine
    }

    /// Frames that the worker has sent.
    #[must_use]
    pub fn sent(&mut self) -> u64 {
        self.worker.io().sent
    }

    /// Prepares a batch of packets of random flows.
    pub fn prepare(&mut self) {
        for _ in 0..BATCH {
            // xorshift64 (Marsaglia 2003), scaled to the number of flows.
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            let flow = ((self.random >> 32) * u64::from(self.flows)) >> 32;
            self.prepare_one(u32::try_from(flow).unwrap_or(0));
        }
    }

    /// Lets the worker take the batch: the part to be timed. Returns the number of packets.
    #[inline(never)]
    pub fn pass(&mut self) -> usize {
        self.worker.round();
        BATCH
    }

    fn pass_all(&mut self) {
        for flow in 0..self.flows {
            self.prepare_one(flow);
            if self.worker.io().ready.len() == BATCH || flow + 1 == self.flows {
                self.worker.round();
            }
        }
    }

    /// Writes a flow's client into a fresh copy of the template. In IPv4 the address and the port
    /// change so that their sum stays as it was, and the header's checksum stays right; what else
    /// is summed is nobody's concern before the last hop.
    fn prepare_one(&mut self, flow: u32) {
        let io = self.worker.io();
        let Some(mut frame) = io.allocate() else { return };
        frame.fill(&self.template);
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
