//! Answers about configurations, and refusals.

use serde::{Deserialize, Serialize};

use crate::config::Diagnostic;
use crate::config::plan::Plan;

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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// What would change, or has changed.
    #[serde(flatten)]
    pub plan: Plan,
    /// What it would mean for the traffic; only of a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// It is taken back after so long, unless it is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_within_seconds: Option<u64>,
    /// The configuration in force when the answer was written.
    pub config_generation: u64,
    /// Warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// What a plan would mean for the traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// The services that would choose otherwise.
    pub services: Vec<ServiceForecast>,
    /// Flows there are.
    pub flows: u64,
    /// Of them those that would be ended: all by a restart, else those of backends whose flows are to end.
    pub flows_cut: u64,
    /// Of them those whose backend would leave the configuration; they go on.
    pub flows_of_leaving_backends: u64,
    /// Bytes of the flow table as it is.
    pub table_bytes: u64,
    /// As it would be after a restart.
    pub table_bytes_planned: u64,
    /// The source-NAT pools.
    pub snat: Vec<SnatForecast>,
    /// Services whose clients may send longer packets than fit.
    #[serde(default)]
    pub mtu: Vec<MtuForecast>,
}

/// A service whose clients may send longer packets than its narrowest way takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MtuForecast {
    /// The service.
    pub service: String,
    /// The address of the backend at the end of that way.
    pub backend: String,
    /// The interface that the way begins at.
    pub interface: String,
    /// What that carries.
    pub mtu: u16,
    /// What the box adds to a packet.
    pub overhead: u16,
    /// The longest packet that fits.
    pub fits: u16,
    /// The `mss_clamp` with which TCP's packets fit.
    pub mss_clamp: u16,
}

/// What a plan would mean for the new flows of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceForecast {
    /// The service.
    pub service: String,
    /// Per cent of new flows that would get another backend than now.
    pub moved_percent: f64,
    /// Whether that is read off the scheduler's table: where flows are dealt in turn or by load, it is by how much
    /// the backends' shares differ.
    pub exact: bool,
}

/// The room of a service's source-NAT pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnatForecast {
    /// The service.
    pub service: String,
    /// Flows that the pool would hold towards each of its backends.
    pub capacity: u64,
    /// Flows that there are now towards the backend that has most.
    pub used: u64,
}

/// The answer of `POST /v1/config/confirm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// Its number in the history.
    pub number: u64,
    /// What the file was called.
    pub name: String,
}

/// A configuration that was put in force: an entry of `GET /v1/config/history`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Counted from 1, never given twice.
    pub number: u64,
    /// When, by RFC 3339.
    pub at: String,
    /// Who, where it was asked for over the control socket.
    pub uid: Option<u32>,
    /// Their name, if they have one.
    pub user: Option<String>,
    /// By what: `start`, `apply`, `reload`, `rollback to 7`.
    pub how: String,
    /// What the file was called.
    pub name: String,
    /// Whether it is the one in force.
    pub in_force: bool,
    /// It is taken back after so long, unless it is confirmed.
    pub confirm_within_seconds: Option<u64>,
}

/// The body of every answer that is a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What, where, and what to do, in one line.
    pub error: String,
    /// The single findings, where there are several.
    pub details: Vec<Diagnostic>,
}
