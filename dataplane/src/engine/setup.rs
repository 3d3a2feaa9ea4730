//! What the data plane is told at its start, and what it tells of a flow.

use std::net::SocketAddr;
use std::time::Duration;

use crate::types::{BackendId, Port, Protocol, SnatId};

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

impl FlowState {
    /// Whether the connection is ending: its client may use the port for another one.
    pub(crate) fn is_closing(self) -> bool {
        matches!(self, Self::Fin | Self::Closed)
    }
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
    /// With full NAT: the end that the backend sees as its client.
    pub snat: Option<(SnatId, Port)>,
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
