//! What was written: the file's keys with their places, each readable by itself, not yet checked
//! against each other. `None` is a key that is absent, or was refused when it was read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use dataplane::admission::SynProxy;
use dataplane::schedule::{HashOn, Kind};
use dataplane::snapshot::{ClientAddress, FlowTimeouts, MissingState};
use dataplane::types::{Mode, PortRange, Prefix, Protocol, VlanId};
use dataplane::{HugePages, Poll, XdpPreference};
use hickory_proto::rr::{Name, RecordType};
use toml::Spanned;

use super::choice::Then;
use super::diagnostic::Span;
use super::health::{Initial, Needs, Transport, Via};
use super::service::Ping;
use super::value::AddressRange;
use super::vrrp::MacMode;
use crate::api::view::Admin;
use crate::vrrp::Version;
use crate::vrrp::advert::Coverage;

mod checks;

pub(super) use checks::{BfdKeys, HttpCheck, PeerWatch, TlsKeys};

#[derive(Debug)]
pub(super) struct Model {
    pub(super) node: Node,
    pub(super) dataplane: Dataplane,
    /// `[metrics]`
    pub(super) listen: Option<SocketAddr>,
    pub(super) interfaces: Vec<Interface>,
    pub(super) vrrp: Vec<Vrrp>,
    pub(super) services: Vec<Service>,
}

#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) name: Option<Spanned<String>>,
    pub(super) run_dir: Option<Spanned<String>>,
    pub(super) state_dir: Option<Spanned<String>>,
    pub(super) cluster: Option<Spanned<String>>,
}

#[derive(Debug)]
pub(super) struct Dataplane {
    pub(super) cores: Option<Spanned<Vec<Spanned<usize>>>>,
    pub(super) poll: Poll,
    pub(super) flows: usize,
    pub(super) huge_pages: HugePages,
    pub(super) flow_timeouts: FlowTimeouts,
    pub(super) persistence: usize,
}

impl Default for Dataplane {
    fn default() -> Self {
        Self {
            cores: None,
            poll: Poll::Adaptive,
            flows: 1_048_576,
            huge_pages: HugePages::Auto,
            flow_timeouts: FlowTimeouts::default(),
            persistence: 131_072,
        }
    }
}

#[derive(Debug)]
pub(super) struct Interface {
    pub(super) name: Option<Spanned<String>>,
    pub(super) xdp: XdpPreference,
    pub(super) bridge: Option<Spanned<String>>,
}

#[derive(Debug)]
pub(super) struct Vrrp {
    pub(super) name: Option<Spanned<String>>,
    pub(super) interface: Option<Spanned<String>>,
    pub(super) is_ipv4: Option<Spanned<bool>>,
    pub(super) vrid: Option<Spanned<u8>>,
    pub(super) version: Version,
    pub(super) priority: u8,
    pub(super) advert_interval: Option<Spanned<Duration>>,
    pub(super) preempt: bool,
    pub(super) preempt_delay: Duration,
    pub(super) start_delay: Duration,
    pub(super) mac: MacMode,
    pub(super) addresses: Option<Spanned<Vec<Spanned<IpAddr>>>>,
    pub(super) unicast_peers: Option<Spanned<Vec<Spanned<IpAddr>>>>,
    pub(super) min_ttl: Option<Spanned<u8>>,
    pub(super) max_ttl: Option<Spanned<u8>>,
    pub(super) checksum: Coverage,
    pub(super) password: Option<Spanned<String>>,
    pub(super) garp: Garp,
    pub(super) bfd: Option<PeerWatch>,
    pub(super) track: Vec<Track>,
    pub(super) sync_group: Option<Spanned<String>>,
    pub(super) notify: Option<Spanned<String>>,
    pub(super) span: Span,
}

/// `garp = { … }`
#[derive(Debug)]
pub(super) struct Garp {
    pub(super) repeat: u8,
    pub(super) delay: Duration,
    pub(super) refresh: Duration,
}

/// An item of `track`.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) interface: Option<Spanned<String>>,
    pub(super) script: Option<Spanned<String>>,
    pub(super) file: Option<Spanned<String>>,
    pub(super) service: Option<Spanned<String>>,
    pub(super) bfd: Option<Spanned<IpAddr>>,
    pub(super) session: BfdKeys,
    pub(super) weight: i16,
    pub(super) interval: Option<Spanned<Duration>>,
    pub(super) timeout: Option<Spanned<Duration>>,
    pub(super) rise: Option<Spanned<u32>>,
    pub(super) fall: Option<Spanned<u32>>,
    pub(super) user: Option<Spanned<String>>,
    pub(super) span: Span,
}

#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: Option<Spanned<String>>,
    pub(super) address: Option<Spanned<Prefix>>,
    /// `port` or `ports`.
    pub(super) ports: Option<Spanned<PortRange>>,
    pub(super) protocol: Protocol,
    pub(super) mode: Option<Spanned<Mode>>,
    pub(super) choice: Choice,
    pub(super) snat_pool: Option<Spanned<Vec<Spanned<AddressRange>>>>,
    pub(super) tunnel: Option<Tunnel>,
    pub(super) client_address: Option<Spanned<ClientAddress>>,
    pub(super) dscp: Option<Spanned<u8>>,
    pub(super) missing_state: Option<Spanned<MissingState>>,
    pub(super) mss_clamp: Option<Spanned<u16>>,
    pub(super) vlan: VlanId,
    pub(super) ping: Ping,
    pub(super) allow: Prefixes,
    pub(super) deny: Prefixes,
    pub(super) limits: Limits,
    pub(super) syn_proxy: Option<Spanned<SynProxy>>,
    pub(super) health: Health,
    pub(super) backends: Vec<Backend>,
    pub(super) span: Span,
}

/// Which backends take new flows.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) scheduler: Kind,
    pub(super) hash_on: Option<Spanned<HashOn>>,
    pub(super) fallback: Option<Spanned<bool>>,
    pub(super) group_minimum: u32,
    pub(super) quorum: Option<Spanned<u32>>,
    pub(super) hysteresis: Option<Spanned<u32>>,
    pub(super) notify: Option<Spanned<String>>,
    pub(super) backup: Option<Backup>,
    pub(super) slow_start: Duration,
    pub(super) persistence: Option<Persistence>,
    pub(super) on_failure: Then,
    pub(super) drain: Option<Drain>,
}

/// `persistence = { … }`
#[derive(Debug)]
pub(super) struct Persistence {
    pub(super) timeout: Duration,
    pub(super) masks: (u8, u8),
    pub(super) group: Option<Spanned<String>>,
}

/// `drain = { … }`
#[derive(Debug)]
pub(super) struct Drain {
    pub(super) deadline: Option<Spanned<Duration>>,
    pub(super) then: Option<Spanned<Then>>,
}

/// `backup = { … }`
#[derive(Debug)]
pub(super) struct Backup {
    pub(super) address: Option<Spanned<IpAddr>>,
    pub(super) port: Option<Spanned<u16>>,
}

/// A list of prefixes, each with its place.
pub(super) type Prefixes = Option<Spanned<Vec<Spanned<Prefix>>>>;

/// `limits = { … }`
#[derive(Debug, Default)]
pub(super) struct Limits {
    pub(super) flows: Option<Spanned<u32>>,
    pub(super) new_per_second: Option<Spanned<u32>>,
    pub(super) new_per_second_per_source: Option<Spanned<u32>>,
}

/// A word of `tunnel.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TunnelWord {
    Ipip,
    Gre,
    Gue,
}

/// Without anything where it was no table.
#[derive(Debug, Default)]
pub(super) struct Tunnel {
    pub(super) kind: Option<Spanned<TunnelWord>>,
    pub(super) port: Option<Spanned<u16>>,
    pub(super) variant: Option<Spanned<u8>>,
    pub(super) source4: Option<Spanned<Ipv4Addr>>,
    pub(super) source6: Option<Spanned<Ipv6Addr>>,
    pub(super) span: Span,
}

#[derive(Debug)]
pub(super) struct Backend {
    pub(super) address: Option<Spanned<IpAddr>>,
    pub(super) port: Option<Spanned<u16>>,
    pub(super) weight: Option<Spanned<u16>>,
    pub(super) admin: Admin,
    pub(super) priority_group: u16,
    pub(super) upper_threshold: u32,
    pub(super) lower_threshold: Option<Spanned<u32>>,
    pub(super) health: Health,
    pub(super) span: Span,
}

/// `health`, and the keys beside it that say how several checks go together.
#[derive(Debug, Default)]
pub(super) struct Health {
    pub(super) checks: Option<Vec<Check>>,
    pub(super) needs: Option<Needs>,
    pub(super) inhibit_on_failure: Option<bool>,
    pub(super) observe: Option<Spanned<u32>>,
}

/// A table of `health`.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) kind: Option<CheckKind>,
    pub(super) interval: Option<Duration>,
    pub(super) fast_interval: Option<Duration>,
    pub(super) down_interval: Option<Duration>,
    pub(super) timeout: Option<Duration>,
    pub(super) rise: Option<u32>,
    pub(super) fall: Option<u32>,
    pub(super) retries: u32,
    pub(super) initial: Option<Initial>,
    pub(super) warmup: Option<Duration>,
    pub(super) address: Option<Spanned<IpAddr>>,
    pub(super) port: Option<Spanned<u16>>,
    pub(super) bind: Option<Spanned<String>>,
    pub(super) via: Option<Spanned<Via>>,
    pub(super) span: Span,
}

/// `check`, with the keys that belong to it alone.
#[derive(Debug)]
pub(super) enum CheckKind {
    Tcp,
    Ping,
    Http(HttpCheck),
    Https(HttpCheck, TlsKeys),
    Script { command: Option<Spanned<Vec<Spanned<String>>>>, dynamic: bool, user: Option<Spanned<String>> },
    Smtp { helo: Option<Spanned<String>>, starttls: bool, tls: TlsKeys },
    Dns { name: Name, record: RecordType, answer: Option<String>, transport: Transport },
    Udp { payload: Vec<u8>, expect: Option<Spanned<Vec<u8>>>, require_reply: Option<Spanned<bool>> },
    File { path: Option<Spanned<String>> },
    Agent { send: Option<String> },
    Bfd(BfdKeys),
}
