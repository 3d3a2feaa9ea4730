//! The box: status, interfaces, VRRP, neighbours, counters.

use std::collections::BTreeMap;
use std::net::IpAddr;

use dataplane::{FrameStats, VlanTags, XdpAttachment};
use serde::{Deserialize, Serialize};

/// `GET /v1/status`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
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
    /// Addresses of this box that another station claims.
    #[serde(default)]
    pub disputes: Vec<Dispute>,
    /// Lines of the log that were lost, since whatever reads it took no more.
    #[serde(default)]
    pub log_lines_lost: u64,
    /// Whether the thread of the health checks hangs, so that backends stay up or down as they are.
    #[serde(default)]
    pub checks_stalled: bool,
}

/// An address of this box that another station has claimed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dispute {
    /// The virtual IP, or one of a pool.
    pub address: IpAddr,
    /// Who did last.
    pub mac: String,
    /// How often.
    pub claims: u64,
    /// When last.
    pub last_seconds: f64,
}

/// An interface that carries service traffic: an item of `GET /v1/interfaces`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// The kernel's name.
    pub name: String,
    /// Its address; `null` while the interface is not there.
    pub mac: Option<String>,
    /// The bridge that it is a port of.
    pub bridge: Option<String>,
    /// How the steering program runs: see [`xdp_word`].
    pub xdp: String,
    /// Whether frames reach the workers without a copy.
    pub zero_copy: bool,
    /// Where VLAN tags of received frames are: see [`tags_word`].
    pub vlan_tags: String,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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
    /// Adverts sent.
    pub adverts_sent: u64,
    /// Adverts listened to.
    pub adverts_received: u64,
    /// Adverts that were refused, by reason.
    pub adverts_refused: BTreeMap<String, u64>,
    /// Adverts with other addresses than those configured here.
    pub other_addresses: u64,
    /// Adverts with another interval.
    pub other_interval: u64,
    /// Adverts whose checksum is over something else.
    pub other_checksum: u64,
    /// Adverts of worse masters, while this box was master.
    pub second_masters: u64,
    /// Times that this box, as master, was not scheduled for so long that another must have taken over.
    pub stalls: u64,
    /// Sessions of BFD that it asks for.
    #[serde(default)]
    pub bfd: Vec<BfdSession>,
}

/// A session of BFD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdSession {
    /// Whom it is with.
    pub peer: IpAddr,
    /// `admin-down`, `down`, `init` or `up`.
    pub state: String,
    /// The same in words: `no packets for 30ms`.
    pub said: String,
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Of all workers, and what the steering program gave to Linux.
    pub frames: Frames,
    /// Each reason once, count 0 included.
    pub drops: Vec<Drop>,
    /// Each worker's frames.
    pub workers: Vec<WorkerFrames>,
    /// Each socket's rings.
    pub rings: Vec<Ring>,
    /// First segments of flows with `client_address = "toa"` that had no room for the option: their
    /// backends take the box for the client.
    pub client_address_omitted: u64,
    /// Packets of BFD that were not listened to, by reason.
    #[serde(default)]
    pub bfd_refused: BTreeMap<String, u64>,
}

/// Where frames went: received = forwarded + to Linux + to management + dropped, those in flight
/// aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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

/// Where the steering program runs: `native`, `generic`, or `gone` when the interface has vanished.
#[must_use]
pub fn xdp_word(attachment: Option<XdpAttachment>) -> &'static str {
    match attachment {
        Some(XdpAttachment::Native) => "native",
        Some(XdpAttachment::Generic) => "generic",
        None => "gone",
    }
}

impl From<FrameStats> for Frames {
    fn from(stats: FrameStats) -> Self {
        let FrameStats { received, forwarded, to_linux, to_management, dropped, originated } = stats;
        Self { received, forwarded, to_linux, to_management, dropped, originated }
    }
}

/// `in-frame`, `put-back` (the device takes them out, the steering program puts them back), `hidden` (workers do not see
/// them), or `gone`.
#[must_use]
pub fn tags_word(tags: Option<VlanTags>) -> &'static str {
    match tags {
        Some(VlanTags::InFrame) => "in-frame",
        Some(VlanTags::PutBack) => "put-back",
        Some(VlanTags::Hidden) => "hidden",
        None => "gone",
    }
}
