//! Services, their backends and flows.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use dataplane::FlowState;
use dataplane::types::Port;
use serde::{Deserialize, Serialize};

use super::check::{Change, Check};
use super::handshakes::Handshakes;
use crate::config;

/// An item of `GET /v1/services`; the body of `GET /v1/services/NAME`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The virtual IP, or the prefix: `10.0.0.0/28`.
    pub address: String,
    /// The virtual port; `null` if there are several.
    pub port: Option<u16>,
    /// The virtual ports: `80`, `8000-8099` or `any`.
    pub ports: String,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// `bridge`, `router`, `one-arm`, `dsr` or `tunnel`.
    pub mode: String,
    /// As in the configuration.
    pub scheduler: String,
    /// The sum of weights that must be up for the service to be up.
    pub quorum: u32,
    /// Whether it is.
    pub up: bool,
    /// What takes new flows while it is not; `null`: nothing else.
    pub backup: Option<Backup>,
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
    /// Flows that it always has room for in the table.
    pub guaranteed_flows: u64,
    /// TCP flows whose handshake is under way.
    pub half_open_flows: u64,
    /// Whether it has no room in the table for new flows that others do not make for it.
    pub pressure: bool,
    /// Packets that went on without a flow, because there was no room for one.
    pub stateless_packets: u64,
    /// Flows that were never established and have made way for others.
    pub recycled_flows: u64,
    /// Flows that began at another backend than the chosen one, which had no reply tuple left for them.
    pub clashed_flows: u64,
    /// Handshakes that the box makes itself; `null` where it never does.
    pub syn_proxy: Option<SynProxy>,
    /// Packets that would have begun a flow and were dropped, by the code of the reason.
    pub refused: BTreeMap<String, u64>,
    /// The addresses and ports that its flows come from; `null` where they keep the client's.
    pub snat: Option<SnatPool>,
    /// In the order of the configuration.
    pub backends: Vec<Backend>,
}

/// The SYN proxy of a [`Service`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SynProxy {
    /// As configured: "auto" or "always".
    pub setting: String,
    /// Whether new handshakes are answered by cookie now.
    pub active: bool,
    /// SYNs that were.
    pub cookies_sent: u64,
    /// Cookies that came back and began a flow.
    pub cookies_taken: u64,
    /// Of these, connections that did not come about: the backend refused or was silent, or the client left.
    pub not_taken: u64,
}

/// The source-NAT pool of a [`Service`]. A port counts once for each backend, towards which it is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnatPool {
    /// Addresses that new flows come from.
    pub addresses: usize,
    /// Ports that are taken, also by other services with the same address and backend.
    pub used: u64,
    /// Ports that there are.
    pub capacity: u64,
}

/// The backup of a [`Service`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Its address.
    pub address: IpAddr,
    /// Its port; `null`: whatever port the client has asked for.
    pub port: Option<u16>,
    /// Whether it takes the service's new flows now.
    pub in_use: bool,
    /// Flows in the table.
    pub active_flows: u64,
}

/// A backend of a [`Service`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backend {
    /// Its address.
    pub address: IpAddr,
    /// Its port; `null`: whatever port the client has asked for.
    pub port: Option<u16>,
    /// Its share, as it is now.
    pub weight: u16,
    /// Its share of new flows now: 0 if it is down, or in a priority group that waits; less than its weight
    /// while it warms up.
    pub effective_weight: u16,
    /// Lower groups come first.
    pub priority_group: u16,
    /// Flows that it takes at once; 0: any number.
    pub upper_threshold: u32,
    /// It takes more again below so many.
    pub lower_threshold: u32,
    /// Whether it has got as many as the upper one and is not below the lower one yet.
    pub overloaded: bool,
    /// Whether it takes flows.
    pub state: BackendState,
    /// What the operator says.
    pub admin: Admin,
    /// What is known of its drain; `null`: it is not drained.
    pub drain: Option<DrainView>,
    /// The kind of the check that `last_result` is of; `null` without one.
    pub check: Option<String>,
    /// What the check found last; of several, the first that is down.
    pub last_result: Option<String>,
    /// Its checks, in the order of the configuration.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// When it went up and down, the latest at the end.
    #[serde(default)]
    pub history: Vec<Change>,
    /// Since `state` changed last; since the start if it never did.
    pub last_change_seconds: Option<f64>,
    /// How it takes connections, as clients' packets show it.
    #[serde(default)]
    pub handshakes: Handshakes,
    /// Flows in the table.
    pub active_flows: u64,
    /// Of these, those that are closing.
    pub closing_flows: u64,
    /// Flows since the start.
    pub total_flows: u64,
    /// Packets sent to it.
    pub packets_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
}

impl Service {
    /// What clients connect to, in one word.
    #[must_use]
    pub fn endpoint(&self) -> String {
        config::endpoint(&self.address, &self.ports)
    }
}

impl Backend {
    /// Its name within the service.
    #[must_use]
    pub fn name(&self) -> String {
        config::backend_name(self.address, self.port.map(Port))
    }
}

/// A drain that is under way; flows that are left are the backend's `active_flows`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrainView {
    /// Since when.
    pub since_seconds: f64,
    /// The age of its oldest flow; `null`: none is left.
    pub oldest_flow_seconds: Option<f64>,
    /// Until its flows have had their time, 0 when they have; `null`: they have as long as they like.
    pub deadline_seconds: Option<f64>,
    /// What becomes of them then: `leave`, `reset` or `move`.
    pub then: String,
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
    /// Taken out of service: no new flows; those it has are left to themselves.
    Disabled,
    /// On its way out: no new flows; those it has go on to their end.
    Drain,
}

impl Admin {
    /// The word for it, in files and answers.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Drain => "drain",
        }
    }
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
    /// Whether the daemon's file is to say so, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub save: bool,
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
