//! `[[service]]` and what is in it, checked.

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use dataplane::admission::{Limits, SynProxy, Thresholds};
use dataplane::schedule::Kind;
use dataplane::snapshot::{ClientAddress, Dscp, MissingState, TunnelKind};
use dataplane::types::{Mode, Port, PortRange, Prefix, Protocol, VlanId};

use super::choice::{Backup, Choice};
use super::health::Health;
use crate::api::view::Admin;

/// `[[service]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Unique.
    pub name: String,
    /// The virtual IP, or all of a prefix; unique together with protocol and ports.
    pub address: Prefix,
    /// `port` or `ports`: the virtual ports.
    pub ports: PortRange,
    /// Default: TCP.
    pub protocol: Protocol,
    /// `mode`, which has no default, for which one is right depends on the network around the box; and
    /// the keys that belong to it.
    pub forwarding: Forwarding,
    /// Default: Maglev, which keeps flows where they are when backends come and go, and chooses
    /// alike on every box of a group.
    pub scheduler: Kind,
    /// Which backends take new flows.
    pub choice: Choice,
    /// Default: drop.
    pub missing_state: MissingState,
    /// `None`, the default: segments may be as large as both ends like.
    pub mss_clamp: Option<u16>,
    /// `None`, the default: clients come by whatever VLAN, or none.
    pub vlan: Option<VlanId>,
    /// Default: while a backend takes flows.
    pub ping: Ping,
    /// `allow` and `deny`.
    pub access: Access,
    /// `limits`. Default: none.
    pub limits: Limits,
    /// Default: off.
    pub syn_proxy: SynProxy,
    /// `[[service.backend]]`, in the order of the file.
    pub backends: Vec<Backend>,
}

impl Service {
    /// How packets reach the backends.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.forwarding.mode()
    }

    /// All that it may have flows at: its backends, and its backup if it is none of them.
    pub fn members(&self) -> impl Iterator<Item = Backend> {
        let is_backend = |backup: &Backend| {
            let mut backends = self.backends.iter();
            backends.any(|backend| (backend.address, backend.port) == (backup.address, backup.port))
        };
        let backup = self.choice.backup.map(|Backup { address, port }| Backend {
            address,
            port,
            weight: 1,
            admin: Admin::Enabled,
            priority_group: 1,
            thresholds: None,
            health: None,
        });
        self.backends.iter().cloned().chain(backup.filter(|backup| !is_backend(backup)))
    }

    /// What clients connect to: `10.0.0.100:80`, `[2001:db8::/64]:8000-8099`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        endpoint(self.address, self.ports)
    }
}

/// Which clients may use a service, as prefixes of their addresses. The longest that fits decides; of two that
/// are as long, the one in `deny`. Where none fits: only if `allow` is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Default: everybody.
    pub allow: Arc<[Prefix]>,
    /// Default: nobody.
    pub deny: Arc<[Prefix]>,
}

/// A mode with the keys that belong to it alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forwarding {
    /// `bridge`
    Bridge,
    /// `router`
    Router,
    /// `one-arm`
    OneArm {
        /// `snat_pool`, each address once.
        pool: Arc<[IpAddr]>,
        /// Default: none.
        client_address: ClientAddress,
    },
    /// `dsr`; with `dsr = { dscp = … }` the destination is rewritten.
    Dsr(Option<Dscp>),
    /// `tunnel`
    Tunnel(Tunnel),
}

impl Forwarding {
    /// The mode alone.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self {
            Self::Bridge => Mode::Bridge,
            Self::Router => Mode::Router,
            Self::OneArm { .. } => Mode::OneArm,
            Self::Dsr(_) => Mode::Dsr,
            Self::Tunnel(_) => Mode::Tunnel,
        }
    }
}

/// `tunnel = { … }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// `kind`, and for GUE `port` (default: 6080) and `variant` (default: 0).
    pub kind: TunnelKind,
    /// The outer source towards IPv4 backends. Default: the interface's address.
    pub source4: Option<Ipv4Addr>,
    /// The same towards IPv6 backends.
    pub source6: Option<Ipv6Addr>,
}

/// When an echo request to the virtual IP is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ping {
    /// While at least one backend takes flows.
    #[default]
    Up,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `[[service.backend]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// Of the same family as the service's address, but in one-arm and tunnel mode.
    pub address: IpAddr,
    /// Default: the service's port. `None`, the default where the service has several: whatever port the
    /// client has asked for.
    pub port: Option<Port>,
    /// Default: 100.
    pub weight: u16,
    /// What the operator wants of it when the file is read. Default: enabled.
    pub admin: Admin,
    /// Those of the lowest group take flows first. Default: 1.
    pub priority_group: u16,
    /// `upper_threshold` and `lower_threshold`. `None`, the default: any number of flows at once.
    pub thresholds: Option<Thresholds>,
    /// Its own checks, or else the service's. `None`: it counts as up.
    pub health: Option<Arc<Health>>,
}

impl Backend {
    /// Its name within a service, see [`backend_name`].
    #[must_use]
    pub fn name(&self) -> String {
        backend_name(self.address, self.port)
    }
}

/// `10.0.1.11:8080`, `[2001:db8::11]:80`; the address alone where the client's port is kept.
#[must_use]
pub fn backend_name(address: IpAddr, port: Option<Port>) -> String {
    port.map_or_else(|| address.to_string(), |port| endpoint(address, port))
}

/// Address and port as one word; an IPv6 address is put in brackets.
#[must_use]
pub fn endpoint(address: impl Display, port: impl Display) -> String {
    let address = address.to_string();
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

impl Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use dataplane::snapshot::GueVariant;
        match self.kind {
            TunnelKind::Ipip => f.write_str("ipip")?,
            TunnelKind::Gre => f.write_str("gre")?,
            TunnelKind::Gue { port, variant } => {
                let variant = if variant == GueVariant::Zero { 0 } else { 1 };
                write!(f, "gue variant {variant} to port {port}")?;
            }
        }
        let sources = [self.source4.map(IpAddr::V4), self.source6.map(IpAddr::V6)];
        sources.into_iter().flatten().try_for_each(|source| write!(f, " from {source}"))
    }
}
