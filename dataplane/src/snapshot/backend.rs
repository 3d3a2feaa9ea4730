//! A backend: a real server of one service.

use std::net::IpAddr;

use crate::types::{InterfaceId, Mac, Mode, Port, Protocol};

/// What a worker needs to send a flow's packets to a real server and to know its replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// The server's own address.
    pub address: IpAddr,
    /// The server's port.
    pub port: Port,
    /// The service's protocol.
    pub protocol: Protocol,
    /// The service's mode: a flow keeps it even when its service has left the configuration.
    pub mode: Mode,
    /// Where frames for it leave; `None` while the route or the neighbour is not known.
    pub next_hop: Option<NextHop>,
}

/// The way to a neighbour on a directly connected segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextHop {
    /// The interface that leads there.
    pub interface: InterfaceId,
    /// The neighbour's MAC address.
    pub mac: Mac,
}
