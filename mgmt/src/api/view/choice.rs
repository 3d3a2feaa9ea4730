//! Which backend a client gets, and who is remembered.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// An item of `GET /v1/persistence`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// The services that remember it so.
    pub services: Vec<String>,
    /// The client, or the network that it is taken for: `192.0.2.7`, `192.0.2.0/24`.
    pub client: String,
    /// Its server: address and port, or the address alone where services share their clients.
    pub server: String,
    /// How long it is remembered without a new flow.
    pub left_seconds: f64,
}

/// The answer to `DELETE /v1/persistence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// Clients that were remembered.
    pub forgotten: usize,
}

/// The answer to `GET /v1/services/NAME/explain`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// The service that the flow would be of: a more specific one may lie in the asked one's range.
    pub service: String,
    /// The client, with the port that was asked about.
    pub client: SocketAddr,
    /// What it would connect to.
    #[serde(rename = "virtual")]
    pub vip: SocketAddr,
    /// The backend that it would get; `null`: none.
    pub backend: Option<String>,
    /// The code of the drop reason, where it would get none.
    pub refused: Option<String>,
    /// Why, a sentence each, the deciding one last.
    pub why: Vec<String>,
    /// Each backend and why it takes new flows or does not.
    pub backends: Vec<Candidate>,
}

/// A backend, for [`Explained`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name within the service.
    pub backend: String,
    /// Its share of new flows now.
    pub weight: u16,
    /// Flows in the table.
    pub active_flows: u64,
    /// What is to be said of it.
    pub note: String,
}

/// What is to be forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlushQuery {
    /// Of this service, and those that share its clients.
    pub service: Option<String>,
    /// This client.
    pub client: Option<IpAddr>,
}
