//! The data plane as its owner sees it: start, publish, ask, stop.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::error::{StartError, SteeringError};
use crate::snapshot::Snapshot;
use crate::stats::{BackendStats, FlowStats, FrameStats, InterfaceStatus, RingStatus, WorkerStats};
use crate::types::{BackendId, Protocol};
use crate::worker::{ControlFrame, Punt};

/// What is fixed from start to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// One worker per core, pinned to it.
    pub cores: Vec<usize>,
    /// What an idle worker does.
    pub poll: Poll,
    /// Flows that the table holds.
    pub flows: usize,
    /// Whether the table's memory comes in huge pages.
    pub huge_pages: HugePages,
    /// The interfaces, in the order of their [`InterfaceId`](crate::types::InterfaceId)s.
    pub interfaces: Vec<InterfaceSetup>,
}

/// An interface to receive from and send by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceSetup {
    /// Its name.
    pub name: String,
    /// The kernel's number for it.
    pub index: u32,
    /// What is asked of its driver.
    pub xdp: XdpPreference,
}

/// What an idle worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// Never sleeps.
    Busy,
    /// Spins for a while, then sleeps in poll(2) until a frame arrives.
    Adaptive,
}

/// Where the flow table's memory comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HugePages {
    /// Reserved huge pages if there are enough, else transparent ones, else ordinary ones.
    Auto,
    /// Reserved huge pages, or no start.
    Require,
    /// Ordinary pages.
    Off,
}

/// What is asked of an interface's driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XdpPreference {
    /// The best that the driver has: zero-copy, else copy, else generic.
    Auto,
    /// Zero-copy, or no start.
    ZeroCopy,
    /// The driver's XDP, frames copied.
    Copy,
    /// XDP behind the driver.
    Generic,
}

/// Where a flow is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowState {
    /// TCP: the handshake is not finished.
    Syn,
    /// TCP: established.
    Established,
    /// TCP: a FIN was seen.
    Fin,
    /// TCP: a RST was seen.
    Closed,
    /// UDP.
    Udp,
}

/// One flow, read from the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowInfo {
    /// The backend that has it.
    pub backend: BackendId,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The client's end.
    pub client: SocketAddr,
    /// The end that the client talks to.
    pub vip: SocketAddr,
    /// Where it is in its life.
    pub state: FlowState,
    /// Since its first packet.
    pub age: Duration,
    /// Since its last packet.
    pub idle: Duration,
    /// Packets towards the backend.
    pub packets_in: u32,
    /// Packets back, where they pass through the box.
    pub packets_out: u32,
}

/// The running data plane. Dropping it stops the workers and takes the steering program away.
#[derive(Debug)]
pub struct Dataplane {}

impl Dataplane {
    /// Allocates the table, loads and attaches the steering program, opens the sockets and starts
    /// the workers; nothing stays behind if any of it fails.
    pub fn start(_setup: &Setup, _first: Snapshot) -> Result<Self, StartError> {
        todo!()
    }

    /// Puts a new snapshot in force: steering maps first for what is added, last for what is gone.
    pub fn publish(&mut self, _next: Snapshot) -> Result<(), SteeringError> {
        todo!()
    }

    /// Hands a frame to a worker, which sends it at once. `false`: no room, or nobody owns a queue
    /// of that interface.
    pub fn transmit(&self, _frame: ControlFrame) -> bool {
        todo!()
    }

    /// The next thing that workers handed over.
    pub fn punted(&self) -> Option<Punt> {
        todo!()
    }

    /// Readable (an eventfd; read 8 bytes to clear) after workers have handed something over.
    pub fn punt_event(&self) -> BorrowedFd<'_> {
        todo!()
    }

    /// Each worker's counters.
    pub fn workers(&self) -> Vec<WorkerStats> {
        todo!()
    }

    /// All frames, those that the steering program passed to Linux included.
    pub fn frames(&self) -> FrameStats {
        todo!()
    }

    /// One backend's counters.
    pub fn backend(&self, _id: BackendId) -> BackendStats {
        todo!()
    }

    /// The flow table's figures.
    pub fn flow_stats(&self) -> FlowStats {
        todo!()
    }

    /// Up to `limit` flows for which `wanted` says yes.
    pub fn flows(&self, _limit: usize, _wanted: impl Fn(&FlowInfo) -> bool) -> Vec<FlowInfo> {
        todo!()
    }

    /// The interfaces.
    pub fn interfaces(&self) -> Vec<InterfaceStatus> {
        todo!()
    }

    /// The sockets' rings.
    pub fn rings(&self) -> Vec<RingStatus> {
        todo!()
    }
}
