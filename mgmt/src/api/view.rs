//! The bodies of the control socket: what the server sends, the CLI reads and scripts rely on.
//!
//! Fields may be added, never renamed or taken away. Words are those of the configuration file.

use std::net::{IpAddr, SocketAddr};

use dataplane::{FlowState, FrameStats, XdpAttachment};
use serde::{Deserialize, Serialize};

use crate::config::Diagnostic;
use crate::config::plan::Plan;

/// `GET /v1/status`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The node's name.
    pub node: String,
    /// Of the daemon.
    pub version: String,
    /// Since the daemon started.
    pub uptime_seconds: f64,
    /// Counts the configurations that were put in force, from 1.
    pub config_generation: u64,
    /// As in `GET /v1/interfaces`.
    pub interfaces: Vec<Interface>,
    /// One per core.
    pub workers: Vec<Worker>,
    /// The flow table.
    pub flows: FlowTable,
    /// How many there are.
    pub services: usize,
    /// Names and states.
    pub vrrp: Vec<VrrpState>,
}

/// An interface that carries service traffic: an item of `GET /v1/interfaces`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// The kernel's name.
    pub name: String,
    /// Its address; `null` while the interface is not there.
    pub mac: Option<String>,
    /// How the steering program runs: see [`xdp_word`].
    pub xdp: String,
    /// Whether frames reach the workers without a copy.
    pub zero_copy: bool,
    /// Queues with a worker's socket on them.
    pub queues: u16,
    /// Frames that workers took from it.
    pub rx_packets: u64,
    /// Frames that workers sent by it.
    pub tx_packets: u64,
    /// Frames that the kernel dropped before a worker could take them.
    pub rx_dropped: u64,
}

/// A worker, as in `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    /// Its number.
    pub id: u16,
    /// The core it is pinned to.
    pub core: usize,
    /// `busy` or `adaptive`.
    pub poll: String,
    /// Frames that it took.
    pub packets: u64,
    /// Batches that it took them in.
    pub batches: u64,
    /// The part of its time that it spent on frames: 0 to 1.
    pub busy_ratio: f64,
}

/// The flow table, as in `GET /v1/status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowTable {
    /// Flows in it.
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

/// A VRRP instance, as in `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VrrpState {
    /// Its name.
    pub name: String,
    /// `init`, `backup`, `master` or `fault`.
    pub state: String,
}

/// An item of `GET /v1/vrrp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vrrp {
    /// Its name.
    pub name: String,
    /// The interface it speaks on.
    pub interface: String,
    /// Its number on that segment.
    pub vrid: u8,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// 2 or 3.
    pub version: u8,
    /// `init`, `backup`, `master` or `fault`.
    pub state: String,
    /// As configured.
    pub priority: u8,
    /// After tracking.
    pub effective_priority: u8,
    /// The virtual MAC address.
    pub mac: String,
    /// The virtual addresses.
    pub addresses: Vec<IpAddr>,
    /// Who holds them, if that is known.
    pub master: Option<IpAddr>,
    /// Time between two adverts.
    pub advert_interval_ms: u64,
    /// Changes of state since the start.
    pub transitions: u64,
    /// Since the last one.
    pub last_transition_seconds: Option<f64>,
}

/// An item of `GET /v1/services`; the body of `GET /v1/services/NAME`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The virtual IP.
    pub address: IpAddr,
    /// The virtual port.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// `router` or `dsr`.
    pub mode: String,
    /// As in the configuration.
    pub scheduler: String,
    /// How many backends must be up for the service to be up.
    pub quorum: u32,
    /// Whether so many are.
    pub up: bool,
    /// Flows in the table.
    pub active_flows: u64,
    /// Packets from clients.
    pub packets_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Packets to clients, where they pass through the box.
    pub packets_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// In the order of the configuration.
    pub backends: Vec<Backend>,
}

/// A backend of a [`Service`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backend {
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Its share, as it is now.
    pub weight: u16,
    /// Whether it takes flows.
    pub state: BackendState,
    /// What the operator says.
    pub admin: Admin,
    /// The kind of its health check; `null` without one.
    pub check: Option<String>,
    /// What the check found last.
    pub last_result: Option<String>,
    /// Since `state` changed last; since the start if it never did.
    pub last_change_seconds: Option<f64>,
    /// Flows in the table.
    pub active_flows: u64,
    /// Flows since the start.
    pub total_flows: u64,
    /// Packets sent to it.
    pub packets_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
}

/// Whether a backend takes flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendState {
    /// Takes flows.
    Up,
    /// Its check says no.
    Down,
    /// Keeps its flows, takes no new ones.
    Drain,
    /// Switched off.
    Disabled,
    /// Not checked yet.
    Unknown,
}

/// What the operator wants of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Admin {
    /// Flows, as its health allows.
    Enabled,
    /// No new flows, and those it has end.
    Disabled,
    /// No new flows; those it has go on.
    Drain,
}

/// The body of `PATCH /v1/services/NAME/backends/ADDRESS:PORT`: one of the two, or both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackendChange {
    /// What the operator wants of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<Admin>,
    /// Its new weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u16>,
}

/// An item of `GET /v1/flows`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// The service's name; `null` once it has left the configuration.
    pub service: Option<String>,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The client's end.
    pub client: SocketAddr,
    /// The end that the client talks to.
    #[serde(rename = "virtual")]
    pub vip: SocketAddr,
    /// The box's own end towards the backend, in modes that have one.
    pub snat: Option<SocketAddr>,
    /// The backend's end.
    pub backend: SocketAddr,
    /// See [`flow_state_word`].
    pub state: String,
    /// Since its first packet.
    pub age_seconds: f64,
    /// Since its last packet.
    pub idle_seconds: f64,
    /// Packets towards the backend.
    pub packets_in: u64,
    /// Packets back, where they pass through the box.
    pub packets_out: u64,
}

/// An item of `GET /v1/neighbours`: a next hop that the data plane needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// The interface it is behind.
    pub interface: String,
    /// Its address.
    pub address: IpAddr,
    /// Its MAC address, once it is known.
    pub mac: Option<String>,
    /// The kernel's word for it: `reachable`, `stale`, `incomplete`, `failed` …
    pub state: String,
    /// What it is needed for: services' names, `gateway` …
    pub used_for: Vec<String>,
}

/// `GET /v1/stats`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Of all workers, and what the steering program gave to Linux.
    pub frames: Frames,
    /// Each reason once, count 0 included.
    pub drops: Vec<Drop>,
    /// Each worker's frames.
    pub workers: Vec<WorkerFrames>,
    /// Each socket's rings.
    pub rings: Vec<Ring>,
}

/// Where frames went: received = forwarded + to Linux + to management + dropped, those in flight
/// aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    /// Came in by a service interface.
    pub received: u64,
    /// Came in and left again.
    pub forwarded: u64,
    /// Passed on to Linux.
    pub to_linux: u64,
    /// Handed to the management thread.
    pub to_management: u64,
    /// Dropped.
    pub dropped: u64,
    /// Sent by the box itself.
    pub originated: u64,
}

/// Frames dropped for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drop {
    /// The reason's stable name.
    pub code: String,
    /// How many.
    pub count: u64,
    /// The reason as a sentence.
    pub meaning: String,
}

/// One worker's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerFrames {
    /// Its number.
    pub id: u16,
    /// Its frames.
    pub frames: Frames,
}

/// One socket's rings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    /// The interface's name.
    pub interface: String,
    /// The queue's number.
    pub queue: u16,
    /// Frames dropped because the worker was too slow.
    pub rx_ring_full: u64,
    /// Times the kernel found no chunk to receive into.
    pub fill_ring_empty: u64,
    /// Times the kernel found nothing to send.
    pub tx_ring_empty: u64,
    /// Frames dropped for other reasons.
    pub rx_dropped: u64,
}

/// The answer of `POST /v1/config/check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// How many services the file has.
    pub services: usize,
    /// How many backends, over all services.
    pub backends: usize,
    /// Warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// The answer of `POST /v1/config/plan` and `/apply`, and of `POST /v1/reload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// What would change, or has changed.
    #[serde(flatten)]
    pub plan: Plan,
    /// The configuration in force when the answer was written.
    pub config_generation: u64,
    /// Warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// The body of every answer that is a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What, where, and what to do, in one line.
    pub error: String,
    /// The single findings, where there are several.
    pub details: Vec<Diagnostic>,
}

/// Where the steering program runs: `native`, `generic`, or `none` when the interface has vanished.
#[must_use]
pub fn xdp_word(attachment: Option<XdpAttachment>) -> &'static str {
    match attachment {
        Some(XdpAttachment::Native) => "native",
        Some(XdpAttachment::Generic) => "generic",
        None => "none",
    }
}

/// Where a flow is in its life: `syn`, `established`, `fin`, `closed`, `udp`.
#[must_use]
pub fn flow_state_word(state: FlowState) -> &'static str {
    match state {
        FlowState::Syn => "syn",
        FlowState::Established => "established",
        FlowState::Fin => "fin",
        FlowState::Closed => "closed",
        FlowState::Udp => "udp",
    }
}

impl From<FrameStats> for Frames {
    fn from(stats: FrameStats) -> Self {
        let FrameStats { received, forwarded, to_linux, to_management, dropped, originated } = stats;
        Self { received, forwarded, to_linux, to_management, dropped, originated }
    }
}
