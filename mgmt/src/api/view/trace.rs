//! What would happen to a packet.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The answer to `GET /v1/trace`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// What the stages find out, in their order.
    pub steps: Vec<TraceStep>,
    /// `forwarded`, `answered`, `dropped`, `to_linux`, `to_management`, `waits`, `not_served`.
    pub verdict: String,
    /// The code of the drop reason, where it is dropped.
    pub reason: Option<String>,
    /// The interface that it would leave by.
    pub interface: Option<String>,
    /// The frame that was asked about, in hexadecimal.
    pub frame: String,
    /// The frame that would leave; `null`: none.
    pub sent: Option<String>,
}

/// A step of a [`Trace`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    /// `parse`, `steering`, `vrrp`, `lookup`, `service`, `access`, `choose`, `rewrite`, `verdict`.
    pub stage: String,
    /// What it finds, and why.
    pub finding: String,
}

/// The packet that is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TraceQuery {
    /// In words.
    Described {
        /// Who sends it.
        source: IpAddr,
        /// Whom to; without a port, that of the service there if there is one alone.
        destination: (IpAddr, Option<u16>),
        /// `tcp`, `udp`, `icmp`.
        protocol: TraceProtocol,
        /// Of the source.
        port: u16,
        /// The interface that it comes by; without it, the one that its source is behind.
        interface: Option<String>,
    },
    /// As a frame.
    Frame {
        /// From the Ethernet header on.
        bytes: Vec<u8>,
        /// The interface that it comes by; without it, the first one.
        interface: Option<String>,
    },
}

/// What a described packet is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TraceProtocol {
    /// A segment.
    Tcp,
    /// A datagram.
    Udp,
    /// An echo request.
    Icmp,
}

impl TraceProtocol {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
        }
    }
}
