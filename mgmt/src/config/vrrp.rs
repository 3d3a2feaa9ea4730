//! Virtual routers, checked: `[[vrrp]]`.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use dataplane::types::Mac;

use super::health::Bfd;
use crate::vrrp::advert::{Addresses, Coverage, Password};
use crate::vrrp::group::Weight;
use crate::vrrp::router::AnnouncePlan;
use crate::vrrp::timing::AdvertInterval;
use crate::vrrp::{Priority, Vrid, virtual_mac};

/// `[[vrrp]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vrrp {
    /// Its name.
    pub name: String,
    /// The kernel's name of the interface that it speaks on.
    pub interface: String,
    /// Its number on that segment.
    pub vrid: Vrid,
    /// Between two adverts; says the version too. Default: 1s, version 3.
    pub interval: AdvertInterval,
    /// Before anything tracked is counted in. Default: 100.
    pub priority: Priority,
    /// Default: true.
    pub preempt: bool,
    /// Default: none.
    pub preempt_delay: Duration,
    /// Default: none.
    pub start_delay: Duration,
    /// Default: virtual.
    pub mac: MacMode,
    /// All of them.
    pub addresses: Vec<IpAddr>,
    /// Those that adverts have room for.
    pub advertised: Addresses,
    /// None: multicast.
    pub peers: Vec<IpAddr>,
    /// The least and the greatest TTL or hop limit of their adverts. Default: any.
    pub peer_ttl: (u8, u8),
    /// What its checksums are over in version 3 over IPv4. Default: rfc5798.
    pub coverage: Coverage,
    /// Of version 2.
    pub password: Option<Password>,
    /// `garp`
    pub announce: AnnouncePlan,
    /// Finds out sooner than by adverts that the master has gone.
    pub bfd: Option<PeerWatch>,
    /// What moves its priority.
    pub track: Vec<Track>,
    /// The instances that it moves with.
    pub sync_group: Option<String>,
    /// Called whenever its state changes.
    pub notify: Option<PathBuf>,
}

impl Vrrp {
    /// Of its addresses and its adverts.
    #[must_use]
    pub fn is_ipv4(&self) -> bool {
        self.advertised.is_ipv4()
    }

    /// What hosts know its addresses by; `None`: whatever the interface has.
    #[must_use]
    pub fn virtual_mac(&self) -> Option<Mac> {
        (self.mac == MacMode::Virtual).then(|| virtual_mac(self.is_ipv4(), self.vrid))
    }
}

/// `mac`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacMode {
    /// RFC 9568 section 7.3: the same one whoever is master.
    Virtual,
    /// The interface's own; neighbours are told when it changes.
    Interface,
}

/// `bfd`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerWatch {
    /// The other boxes, by the addresses that their adverts come from. Default: `unicast_peers`.
    pub peers: Vec<IpAddr>,
    /// How they are watched.
    pub session: Bfd,
}

/// An item of `track`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// What is looked at.
    pub what: Tracking,
    /// What it does to the priority.
    pub weight: Weight,
}

/// What is tracked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tracking {
    /// Whether an interface carries frames.
    Interface(String),
    /// Whether a program ends with status 0.
    Script {
        /// Its words.
        command: Vec<String>,
        /// From one start to the next.
        interval: Duration,
        /// It is killed after this.
        timeout: Duration,
        /// Successes in a row that make it well.
        rise: u32,
        /// Failures in a row that make it fail.
        fall: u32,
        /// Whom it runs as.
        user: Option<String>,
    },
    /// Whether a file can be read and does not say `down`.
    File {
        /// Its path.
        path: PathBuf,
        /// How often it is read.
        interval: Duration,
    },
    /// Whether a service has its quorum.
    Service(String),
    /// Whether a session of BFD with that address is up.
    Bfd(IpAddr, Bfd),
}

impl fmt::Display for Tracking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => write!(f, "interface {name}"),
            Self::Script { command, .. } => write!(f, "script {}", command.join(" ")),
            Self::File { path, .. } => write!(f, "file {}", path.display()),
            Self::Service(name) => write!(f, "service {name}"),
            Self::Bfd(peer, _) => write!(f, "bfd {peer}"),
        }
    }
}
