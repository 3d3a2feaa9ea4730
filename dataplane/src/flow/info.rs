//! The table as its users see it: where its memory comes from, and one flow read from it.

use std::net::SocketAddr;
use std::time::Duration;

use crate::types::{BackendId, Port, Protocol, SnatId};

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
