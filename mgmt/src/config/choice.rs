//! How a service chooses among its backends, checked.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use dataplane::schedule::HashOn;
use dataplane::types::Port;

/// The keys of `[[service]]` that say which backends take new flows, and what a hash looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Default: the client's address and port.
    pub hash_on: HashOn,
    /// `hash_fallback`. Default: yes.
    pub fallback: bool,
    /// How many backends have to be up before the next priority group stays out. Default: 1.
    pub group_minimum: u32,
    /// Default: 1, as Keepalived has it.
    pub quorum: Quorum,
    /// Run when the quorum is lost or found. Default: nothing.
    pub notify: Option<PathBuf>,
    /// The 'sorry server'. Default: none.
    pub backup: Option<Backup>,
    /// Over so long a backend's weight grows after it has come up. Default: at once.
    pub slow_start: Duration,
    /// Default: none.
    pub persistence: Option<Persistence>,
    /// `on_backend_failure`. Default: they are kept.
    pub on_failure: Then,
    /// Default: no deadline.
    pub drain: Drain,
}

/// `persistence = { … }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persistence {
    /// How long a client is remembered after its last new flow. Default: five minutes, as in Keepalived.
    pub timeout: Duration,
    /// `mask4` and `mask6`: lengths of the prefixes that clients are taken for. Default: one address each.
    pub masks: (u8, u8),
    /// Services with the same word here share their clients. Default: the service is alone.
    pub group: Option<String>,
}

/// What becomes of a backend's flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Then {
    /// They go on as they can: `keep`, or `leave` at the end of a drain.
    #[default]
    Leave,
    /// `reset`
    Reset,
    /// `move`
    Move,
}

/// `drain = { … }`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drain {
    /// How long a drained backend's flows have. Default: as long as they like.
    pub deadline: Option<Duration>,
    /// What becomes of them then. Default: nothing.
    pub then: Then,
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            hash_on: HashOn::default(),
            fallback: true,
            group_minimum: 1,
            quorum: Quorum { weight: 1, hysteresis: 0 },
            notify: None,
            backup: None,
            slow_start: Duration::ZERO,
            persistence: None,
            on_failure: Then::default(),
            drain: Drain::default(),
        }
    }
}

/// How much has to be up, as Keepalived has it: sums of the weights of backends that are up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quorum {
    /// `quorum`.
    pub weight: u32,
    /// `hysteresis`: so much above it is lost, so much below it is found again.
    pub hysteresis: u32,
}

/// `backup = { address = …, port = … }`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// May be that of a backend.
    pub address: IpAddr,
    /// Default: as for a backend.
    pub port: Option<Port>,
}
