//! The box's place in the network: what the kernel knows of links, addresses, routes and
//! neighbours ([`Netlink`] keeps [`NetState`] current), who resolves next hops ([`Resolver`]),
//! and the answers for virtual addresses that Linux does not have ([`arp`], [`ndp`]).
//!
//! [`NetState`] and the responders do no I/O; sockets are in `netlink.rs`, `altnames.rs`, `link_watch.rs`,
//! `resolver.rs` and `bridges.rs` only.

mod altnames;
pub mod arp;
pub mod bridges;
pub(crate) mod frame;
mod groups;
mod link_watch;
mod links;
pub mod ndp;
mod neighbours;
mod netlink;
mod resolver;
mod routes;
mod side_device;
mod state;
mod stations;

pub use altnames::altnames;
pub use bridges::BridgeError;
pub use groups::{GroupId, Groups, solicited_node};
pub use link_watch::{LinkNews, LinkWatch};
pub use links::Link;
pub use neighbours::{Neighbour, NeighbourState};
pub use netlink::Netlink;
pub use resolver::{NeighbourId, Resolver};
pub use routes::{Route, RouteKey, Target};
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
    fn request(what: impl Into<String>) -> impl FnOnce(rtnetlink::Error) -> Self {
        let what = what.into();
        move |source| Self::Request { what, source }
    }
}
