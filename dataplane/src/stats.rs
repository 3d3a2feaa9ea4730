//! Counters: each worker writes its own, padded apart; readers sum them.
//!
//! Only the owning worker writes a [`Counter`], so an increment is a plain load and store and
//! costs no locked instruction; readers on other threads see each value whole, if a little late.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::MAX_BACKENDS;
use crate::recorder::Recorder;
use crate::types::{BackendId, InterfaceId, WorkerId};
use crate::verdict::DropReason;
use crate::xdp::{VlanTags, XdpAttachment};

/// A number that one thread writes and all may read.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds, on the owning worker only.
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.get().wrapping_add(n), Ordering::Relaxed);
    }

    /// Takes away, on the owning worker only.
    pub(crate) fn sub(&self, n: u64) {
        self.0.store(self.get().wrapping_sub(n), Ordering::Relaxed);
    }

    /// Replaces, on the owning worker only.
    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one worker counts.
#[derive(Debug)]
pub(crate) struct WorkerCounters {
    pub(crate) received: Counter,
    pub(crate) forwarded: Counter,
    pub(crate) punted: Counter,
    pub(crate) originated: Counter,
    pub(crate) drops: [Counter; DropReason::COUNT],
    /// The last frames that these counters have counted.
    pub(crate) recorder: Recorder,
    pub(crate) batches: Counter,
    /// Nanoseconds spent on batches, and since the worker began.
    pub(crate) busy_nanos: Counter,
    pub(crate) total_nanos: Counter,
    pub(crate) flows_created: Counter,
    pub(crate) flows_expired: Counter,
    pub(crate) flows_refused: Counter,
    /// First segments that had no room for the client's address.
    pub(crate) toa_omitted: Counter,
    backends: Box<[BackendCounters]>,
    nobody: BackendCounters,
}

/// What one worker counts per backend. A cache line, so that a packet touches one.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct BackendCounters {
    pub(crate) active_flows: Counter,
    pub(crate) total_flows: Counter,
    pub(crate) packets_in: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) packets_out: Counter,
    pub(crate) bytes_out: Counter,
}

impl WorkerCounters {
    /// Room for `backends` backends.
    pub(crate) fn new(backends: usize) -> Self {
        Self {
            received: Counter::default(),
            forwarded: Counter::default(),
            punted: Counter::default(),
            originated: Counter::default(),
            drops: std::array::from_fn(|_| Counter::default()),
            recorder: Recorder::new(),
            batches: Counter::default(),
            busy_nanos: Counter::default(),
            total_nanos: Counter::default(),
            flows_created: Counter::default(),
            flows_expired: Counter::default(),
            flows_refused: Counter::default(),
            toa_omitted: Counter::default(),
            backends: std::iter::repeat_with(BackendCounters::default).take(backends).collect(),
            nobody: BackendCounters::default(),
        }
    }

    /// The counters of one backend.
    #[inline(always)]
    pub(crate) fn backend(&self, id: BackendId) -> &BackendCounters {
        // An id beyond the table cannot come from a snapshot.
        self.backends.get(id.index()).unwrap_or(&self.nobody)
    }

    pub(crate) fn read(&self, id: WorkerId) -> WorkerStats {
        let drops = std::array::from_fn(|i| self.drops[i].get());
        WorkerStats {
            id,
            frames: FrameStats {
                received: self.received.get(),
                forwarded: self.forwarded.get(),
                to_linux: 0,
                to_management: self.punted.get(),
                dropped: drops.iter().sum(),
                originated: self.originated.get(),
            },
            drops,
            batches: self.batches.get(),
            busy_nanos: self.busy_nanos.get(),
            total_nanos: self.total_nanos.get(),
            flows_created: self.flows_created.get(),
            flows_expired: self.flows_expired.get(),
            flows_refused: self.flows_refused.get(),
            toa_omitted: self.toa_omitted.get(),
        }
    }
}

/// The default room: every backend that the table can name.
pub(crate) const BACKEND_ROOM: usize = MAX_BACKENDS;

/// Where frames went: received = forwarded + to Linux + to management + dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameStats {
    /// Came in by a service interface.
    pub received: u64,
    /// Came in and left again.
    pub forwarded: u64,
    /// Passed on to Linux by the steering program.
    pub to_linux: u64,
    /// Handed to the management thread.
    pub to_management: u64,
    /// Dropped, for one of the [`DropReason`]s.
    pub dropped: u64,
    /// Sent by the box itself.
    pub originated: u64,
}

impl std::ops::Add for FrameStats {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            forwarded: self.forwarded + other.forwarded,
            to_linux: self.to_linux + other.to_linux,
            to_management: self.to_management + other.to_management,
            dropped: self.dropped + other.dropped,
            originated: self.originated + other.originated,
        }
    }
}

/// One worker's counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerStats {
    /// Which worker.
    pub id: WorkerId,
    /// Its frames; it never sees those that the steering program gave to Linux.
    pub frames: FrameStats,
    /// Dropped frames, by [`DropReason::index`].
    pub drops: [u64; DropReason::COUNT],
    /// Batches with at least one frame.
    pub batches: u64,
    /// Nanoseconds spent on batches.
    pub busy_nanos: u64,
    /// Nanoseconds since the worker began.
    pub total_nanos: u64,
    /// New flows.
    pub flows_created: u64,
    /// Flows that were forgotten after their idle time.
    pub flows_expired: u64,
    /// New flows that found no room.
    pub flows_refused: u64,
    /// First segments of flows with `client_address = "toa"` that had no room for the option.
    pub toa_omitted: u64,
}

/// One backend's counters, summed over the workers. In: towards the backend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BackendStats {
    /// Flows in the table.
    pub active_flows: u64,
    /// Flows since the start.
    pub total_flows: u64,
    /// Packets sent to the backend.
    pub packets_in: u64,
    /// Their bytes, from the IP header on.
    pub bytes_in: u64,
    /// Packets sent by the backend to clients, where they pass through the box.
    pub packets_out: u64,
    /// Their bytes, from the IP header on.
    pub bytes_out: u64,
}

impl BackendCounters {
    pub(crate) fn read(&self) -> BackendStats {
        BackendStats {
            active_flows: self.active_flows.get(),
            total_flows: self.total_flows.get(),
            packets_in: self.packets_in.get(),
            bytes_in: self.bytes_in.get(),
            packets_out: self.packets_out.get(),
            bytes_out: self.bytes_out.get(),
        }
    }
}

impl std::ops::Add for BackendStats {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            active_flows: self.active_flows + other.active_flows,
            total_flows: self.total_flows + other.total_flows,
            packets_in: self.packets_in + other.packets_in,
            bytes_in: self.bytes_in + other.bytes_in,
            packets_out: self.packets_out + other.packets_out,
            bytes_out: self.bytes_out + other.bytes_out,
        }
    }
}

/// The flow table's figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FlowStats {
    /// Flows in the table.
    pub active: u64,
    /// Flows that fit.
    pub capacity: u64,
    /// New flows since the start.
    pub created: u64,
    /// Flows forgotten after their idle time.
    pub expired: u64,
    /// New flows that found no room.
    pub refused: u64,
}

/// An interface as the data plane has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceStatus {
    /// Its number.
    pub id: InterfaceId,
    /// Its name.
    pub name: String,
    /// How the program is attached; `None`: the interface has vanished.
    pub attachment: Option<XdpAttachment>,
    /// Where VLAN tags are; `None`: the interface has vanished.
    pub tags: Option<VlanTags>,
    /// Whether frames reach the workers without a copy.
    pub zero_copy: bool,
    /// Queues with a worker's socket on them.
    pub queues: u16,
    /// Frames that workers took from it.
    pub rx_packets: u64,
    /// Frames that workers sent by it.
    pub tx_packets: u64,
}
