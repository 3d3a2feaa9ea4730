//! A backend: a real server of one service.

use std::net::IpAddr;
use std::sync::Arc;

use super::snat::{CAPACITY, PoolPart};
use super::tunnel::Tunnel;
use crate::admission::Meters;
use crate::types::{ClientAddress, InterfaceId, Mac, Mode, Port, Protocol, SnatId};

/// What a worker needs to send a flow's packets to a real server and to know its replies.
#[derive(Debug, Clone)]
pub struct Backend {
    /// The server's own address.
    pub address: IpAddr,
    /// The server's port; `None`: whatever port the client has asked for.
    pub port: Option<Port>,
    /// The service's protocol.
    pub protocol: Protocol,
    /// How packets get there: a flow keeps it even when its service has left the configuration.
    pub forwarding: Forwarding,
    /// Where frames for it leave; `None` while the route or the neighbour is not known.
    pub next_hop: Option<NextHop>,
    /// The largest TCP segment that either side may announce; `None`: what they like.
    pub mss_clamp: Option<u16>,
    /// Its flows, and those of its service.
    pub meters: Meters,
}

/// What becomes of a backend's flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fate {
    /// It is there, and may have new ones.
    #[default]
    Stays,
    /// It has no new ones. Those it has go on, but for handshakes that it does not answer.
    Leave,
    /// Each ends with its next packet: TCP by a reset to both sides.
    Reset,
    /// Each begins anew at another backend with its client's next packet; where connections cannot, as `Reset`.
    Move,
    /// It is there. Flows of datagrams that could not begin as they are, because their service has given up their port
    /// or the address that they come from has left its pool, begin anew with their client's next packet.
    Review,
}

/// A mode with what belongs to it.
#[derive(Debug, Clone)]
pub enum Forwarding {
    /// See [`Mode::Bridge`].
    Bridge,
    /// See [`Mode::Router`].
    Router,
    /// See [`Mode::OneArm`].
    OneArm(OneArm),
    /// See [`Mode::Dsr`]; with a code point, the destination is rewritten and the DSCP names the VIP.
    Dsr(Option<Dscp>),
    /// See [`Mode::Tunnel`].
    Tunnel(Tunnel),
}

impl Forwarding {
    /// The mode alone.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self {
            Self::Bridge => Mode::Bridge,
            Self::Router => Mode::Router,
            Self::OneArm(_) => Mode::OneArm,
            Self::Dsr(_) => Mode::Dsr,
            Self::Tunnel(_) => Mode::Tunnel,
        }
    }
}

/// Full NAT.
#[derive(Debug, Clone)]
pub struct OneArm {
    /// The addresses and ports that flows to this backend come from.
    pub pool: Arc<[PoolPart]>,
    /// How the backend is told who the client is.
    pub client_address: ClientAddress,
}

impl OneArm {
    /// Whether more than half of an address's ports towards the backend are free.
    pub(crate) fn has_plenty_of_ports(&self, address: SnatId) -> bool {
        let part = self.pool.iter().find(|part| part.address == address);
        part.is_some_and(|part| part.ports.used() < CAPACITY / 2)
    }
}

/// A differentiated services code point, 1 to 63 (RFC 2474).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dscp(u8);

impl Dscp {
    /// `None`: not one of 1 to 63.
    #[must_use]
    pub fn new(code_point: u8) -> Option<Self> {
        (1..64).contains(&code_point).then_some(Self(code_point))
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

/// The way to a neighbour on a directly connected segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextHop {
    /// The interface that leads there.
    pub interface: InterfaceId,
    /// The neighbour's MAC address.
    pub mac: Mac,
}
