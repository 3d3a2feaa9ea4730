//! Sessions of BFD, as checks, trackers and virtual routers ask for them.

use std::net::IpAddr;
use std::time::Duration;

use super::Bind;
use crate::bfd::auth::Auth;
use crate::bfd::fleet::{Hops, Peer, Wanted};

/// Keys of `bfd`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bfd {
    /// Between two packets, either way. Default: 300ms.
    pub interval: Duration,
    /// So many packets missed are too many. Default: 3.
    pub multiplier: u8,
    /// Whether there may be routers in between. Default: no.
    pub multihop: bool,
    /// What both ends know. Default: nothing.
    pub auth: Option<Auth>,
}

impl Bfd {
    /// Whom the session is with.
    #[must_use]
    pub fn peer(&self, address: IpAddr, bind: Option<Bind>) -> Peer {
        let hops = if self.multihop { Hops::Multi } else { Hops::Single };
        Peer { address, hops, bind }
    }

    /// The session.
    #[must_use]
    pub fn wanted(&self, peer: Peer) -> Wanted {
        let Self { interval, multiplier, auth, .. } = self;
        Wanted { peer, interval: *interval, multiplier: *multiplier, auth: auth.clone() }
    }
}
