//! Health checks, checked: `[service.health]` and `[service.backend.health]`.

mod bfd;
mod page;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dataplane::types::Port;
use hickory_proto::rr::{Name, RecordType};

pub use self::bfd::Bfd;
pub use page::{Body, Digest, Http, HttpVersion, StatusSet};

/// How it is found out whether a backend lives. A backend without one counts as up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// At least one.
    pub checks: Vec<Check>,
    /// `health_needs`
    pub needs: Needs,
    /// Whether one that fails is kept with weight 0 instead of being taken out.
    pub inhibit_on_failure: bool,
    /// So many handshakes of clients in a row that come to nothing are one failed result; 0: none are.
    pub observe: u32,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Check { kind, rules, .. }) in self.checks.iter().enumerate() {
            let and = if place == 0 { "" } else { " and " };
            let interval = match kind {
                Kind::Bfd(bfd) => bfd.interval,
                _ => rules.interval,
            };
            let interval = humantime::format_duration(interval);
            write!(f, "{and}{} every {interval}, rise {}, fall {}", kind.word(), rules.rise, rules.fall)?;
        }
        Ok(())
    }
}

/// How many of several checks have to be up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Needs {
    /// Each of them.
    #[default]
    All,
    /// One of them.
    Any,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// `check`, and the keys that belong to it alone.
    pub kind: Kind,
    /// How often, and how many results make a change.
    pub rules: Rules,
    /// Whom it asks. Default: the backend.
    pub address: Option<IpAddr>,
    /// Default: the backend's port.
    pub port: Option<Port>,
    /// Where its packets come from. Default: as the kernel routes.
    pub bind: Option<Bind>,
    /// How its packets get to the backend.
    pub via: Via,
}

/// `via`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Via {
    /// As the kernel routes them, to the backend's own address.
    #[default]
    Socket,
    /// To the virtual IP, as the workers send a client's packets there.
    DataPath,
}

/// `bind`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bind {
    /// An address of the box.
    Address(IpAddr),
    /// An interface.
    Interface(String),
}

/// How often a check runs, and how many results make a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// From one start to the next.
    pub interval: Duration,
    /// The same while results contradict the state. Default: `interval`.
    pub fast_interval: Duration,
    /// The same while it is down and nothing contradicts that. Default: `interval`.
    pub down_interval: Duration,
    /// What takes longer has failed.
    pub timeout: Duration,
    /// So many successes in a row make it up.
    pub rise: u32,
    /// So many failures in a row make it down.
    pub fall: u32,
    /// A failure counts only after it was tried so many times again at once.
    pub retries: u32,
    /// What counts before the first results.
    pub initial: Initial,
    /// The first checks are spread over this time. Default: `interval`.
    pub warmup: Duration,
}

/// What counts before there are results enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initial {
    /// Up, until `fall` failures.
    Up,
    /// Down, until `rise` successes.
    Down,
    /// Up, and the first result decides alone.
    UpUntilChecked,
    /// Down, and the first result decides alone.
    DownUntilChecked,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A connection is taken.
    Tcp,
    /// An echo request is answered.
    Ping,
    /// A page is as it should be.
    Http(Arc<Http>),
    /// The same over TLS.
    Https(Arc<Http>, Arc<Tls>),
    /// A program ends with status 0.
    Script(Arc<Script>),
    /// A mail server greets.
    Smtp(Arc<Smtp>),
    /// A name server answers.
    Dns(Arc<Dns>),
    /// A datagram is answered, or at least not refused.
    Udp(Arc<Udp>),
    /// A file says so.
    File(PathBuf),
    /// An agent on the backend says so.
    Agent(Arc<Agent>),
    /// A session of BFD is up.
    Bfd(Arc<Bfd>),
}

impl Kind {
    /// What operators write for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Ping => "ping",
            Self::Http(_) => "http",
            Self::Https(..) => "https",
            Self::Script(_) => "script",
            Self::Smtp(_) => "smtp",
            Self::Dns(_) => "dns",
            Self::Udp(_) => "udp",
            Self::File(_) => "file",
            Self::Agent(_) => "agent",
            Self::Bfd(_) => "bfd",
        }
    }
}

/// Keys of `https` alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The name that is asked for and that the certificate must have. Default: `host`, else the address.
    pub sni: Option<String>,
    /// Default: true.
    pub verify: bool,
    /// Whom to trust. Default: whom the system trusts.
    pub ca: Option<PathBuf>,
    /// What the check shows of itself: certificate and key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// A certificate that ends within this time is told of. Default: 14 days.
    pub warn_before: Duration,
}

/// Keys of `script`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Program and arguments; no shell reads it.
    pub command: Vec<String>,
    /// Whether a status of 2 to 255 is a weight.
    pub dynamic: bool,
    /// Whom it runs as. Default: `nobody` where the daemon is root.
    pub user: Option<String>,
}

/// Keys of `smtp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// How the check introduces itself. Default: the node's name.
    pub helo: String,
    /// Whether TLS has to begin, too.
    pub starttls: Option<Arc<Tls>>,
}

/// Keys of `dns`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// `name`: what is asked. Default: the root.
    pub name: Name,
    /// `type`: which records. Default: SOA.
    pub record: RecordType,
    /// One of the records that have to be in the answer.
    pub answer: Option<String>,
    /// Default: UDP.
    pub transport: Transport,
}

/// `transport`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// `udp`
    #[default]
    Udp,
    /// `tcp`
    Tcp,
}

/// Keys of `udp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Udp {
    /// What is sent. Default: nothing, in a datagram.
    pub payload: Vec<u8>,
    /// What the reply has to begin with.
    pub expect: Option<Vec<u8>>,
    /// Whether silence is a failure: always, where something is expected.
    pub require_reply: bool,
}

/// Keys of `agent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// What is sent first. Default: nothing.
    pub send: Option<String>,
}
