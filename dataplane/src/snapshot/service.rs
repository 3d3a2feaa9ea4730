//! A service: what clients connect to.

use std::net::IpAddr;
use std::sync::Arc;

use crate::schedule::Schedule;
use crate::types::{Mode, Port, Protocol};

/// A virtual IP, protocol and port, and how its new flows find a backend.
#[derive(Debug, Clone)]
pub struct Service {
    /// The virtual IP.
    pub vip: IpAddr,
    /// The virtual port.
    pub port: Port,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// How packets are forwarded.
    pub mode: Mode,
    /// The compiled scheduler over the backends that take new flows. Shared with earlier
    /// snapshots while the backends are the same, so that its place in the order is kept.
    pub schedule: Arc<Schedule>,
}
