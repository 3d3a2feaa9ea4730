//! What the driver of virtual routers is told, and what it has to do.

use std::net::IpAddr;
use std::sync::Arc;

use dataplane::snapshot::Tenure;
use dataplane::types::Mac;

use super::Priority;
use super::counters::Remark;
use super::router::{Incident, Repeats, Standing, State};
use crate::config::Vrrp;

/// Where a virtual router speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The kernel's number of the link.
    pub link: u32,
    /// The link's MAC address.
    pub mac: Mac,
    /// What it sends from.
    pub own: IpAddr,
}

/// A virtual router that is to be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// As the operator wants it.
    pub config: Arc<Vrrp>,
    /// `None`: the link is not there, is down, or has no address to send from.
    pub place: Option<Place>,
    /// What is left of its priority.
    pub standing: Standing,
    /// Where workers read whether its addresses are here.
    pub tenure: Arc<Tenure>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A frame to all, by this link.
    Frame(u32, Vec<u8>),
    /// A message to one.
    Packet {
        /// The link.
        link: u32,
        /// From.
        own: IpAddr,
        /// To.
        peer: IpAddr,
        /// The payload of the IP packet.
        message: Vec<u8>,
    },
    /// Say by this link, so often, that these addresses are at that MAC address.
    Announce(u32, Mac, Arc<Vrrp>, Repeats),
    /// What was to be announced is no longer true.
    Hush,
    /// The state is another one.
    State(State, Priority),
    /// The operator should know.
    Incident(Incident),
    /// The same of an advert.
    Remark(IpAddr, Remark),
}
