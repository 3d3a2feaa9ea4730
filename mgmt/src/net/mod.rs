//! The box's place in the network: what the kernel knows of links, addresses, routes and
//! neighbours ([`Netlink`] keeps [`NetState`] current), who resolves next hops ([`Resolver`]),
//! and the answers for virtual addresses that Linux does not have ([`arp`], [`ndp`]).
//!
//! [`NetState`] and the responders do no I/O; sockets are in `netlink.rs`, `altnames.rs`, `dump.rs`, `link_watch.rs`,
//! `nexthop_watch.rs`, `resolver.rs` and `bridges.rs` only.

mod altnames;
pub mod arp;
pub mod bridges;
mod dump;
pub(crate) mod frame;
mod groups;
mod learn;
mod link_watch;
mod links;
pub mod ndp;
mod neighbours;
mod netlink;
mod next_hops;
mod nexthop_watch;
mod own;
mod policy;
mod resolver;
mod routes;
mod routing;
mod rules;
mod side_device;
mod state;
mod stations;

pub use altnames::altnames;
pub use bridges::BridgeError;
pub use groups::{GroupId, Groups, solicited_node};
pub use learn::{Heard, Lesson, Place, lesson};
pub use link_watch::{LinkNews, LinkWatch};
pub use links::Link;
pub use neighbours::{Neighbour, NeighbourState};
pub use netlink::{Change, Netlink, Touched};
pub use own::{own_addresses, own_addresses_now};
pub use resolver::{NeighbourId, NeighbourRequest, Resolver};
pub use routes::{Route, RouteHop, RouteKey, TABLE_LOCAL, TABLE_MAIN, Target};
pub use rules::PolicyRule;
pub use side_device::{SideDevice, SideDeviceError};
pub use state::{Effect, Event, NetState, Port, numbered_bridges};
pub use stations::Station;

/// Who asks for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// A host that has an address itself.
    Host,
    /// One that would like to have the address, and asks from none whether it is free (RFC 5227 section
    /// 2.1.1, RFC 4862 section 5.4).
    Claimant,
}

/// The kernel refused, or its socket is gone.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// No netlink socket.
    #[error("cannot open a netlink socket: {0}")]
    Open(#[from] std::io::Error),
    /// The kernel's answer was an error.
    #[error("netlink: {what}: {source}")]
    Request {
        /// What was asked for.
        what: String,
        /// The kernel's answer.
        source: rtnetlink::Error,
    },
    /// The connection ended, which it never does by itself.
    #[error("the netlink socket was closed: restart the daemon")]
    Closed,
}

impl NetError {
    /// The kernel's number of the error, as `errno` has it.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Request { source: rtnetlink::Error::NetlinkError(error), .. } => Some(-error.raw_code()),
            _ => None,
        }
    }

    fn request(what: impl Into<String>) -> impl FnOnce(rtnetlink::Error) -> Self {
        let what = what.into();
        move |source| Self::Request { what, source }
    }
}
