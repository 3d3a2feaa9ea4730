//! All that a worker reads: an immutable picture of the configuration, the backends' health and
//! the neighbours, built whole by the management side and swapped in by one pointer.

mod backend;
mod fib;
mod publish;
mod service;
mod tunnel;
mod vip_map;

pub use backend::{Backend, NextHop};
pub use fib::{Fib, Hop, Route};
pub use publish::{Publisher, Reader};
pub use service::Service;
pub use tunnel::{GueVariant, Tunnel, TunnelKind};
pub use vip_map::{Endpoint, EndpointMap};

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashSet;

use crate::types::{BackendId, InterfaceId, Mac, ServiceId};

/// See the module's head.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Counts published snapshots; visible as `config_generation`.
    pub generation: u64,
    /// The data plane's interfaces, by [`InterfaceId`].
    pub interfaces: Vec<Interface>,
    /// The services, by [`ServiceId`].
    pub services: Vec<Service>,
    /// The backends, by [`BackendId`]. A backend that has left the configuration stays until its
    /// last flow is gone; `None` is a number that nothing refers to.
    pub backends: Vec<Option<Backend>>,
    /// VIP endpoint to service.
    pub vips: EndpointMap<ServiceId>,
    /// The virtual addresses alone: who asks for an unknown port of one gets a named drop.
    pub vip_addresses: HashSet<std::net::IpAddr>,
    /// Endpoints of router-mode backends: what they send belongs to a flow.
    pub return_endpoints: EndpointMap<()>,
    /// The box's own addresses: what is sent to them is Linux's, even from a backend's endpoint.
    pub local_addresses: Vec<std::net::IpAddr>,
    /// Routes and neighbours.
    pub fib: Arc<Fib>,
    /// What hashing schedulers start from, see [`cluster_seed`](crate::schedule::cluster_seed).
    pub hash_seed: u64,
    /// How long an idle flow is remembered.
    pub timeouts: FlowTimeouts,
}

impl Snapshot {
    /// The backend of that number.
    #[must_use]
    pub fn backend(&self, id: BackendId) -> Option<&Backend> {
        self.backends.get(id.index())?.as_ref()
    }

    /// The interface of that number.
    #[must_use]
    pub fn interface(&self, id: InterfaceId) -> Option<&Interface> {
        self.interfaces.get(id.index())
    }
}

/// What changes about an interface while the data plane runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// Its own MAC address: the source of what the box sends.
    pub mac: Mac,
    /// The largest IP packet that may leave by it.
    pub mtu: u16,
}

/// Idle times after which a flow is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowTimeouts {
    /// TCP, handshake not finished.
    pub tcp_syn: Duration,
    /// TCP, established.
    pub tcp_established: Duration,
    /// TCP, a FIN or RST was seen.
    pub tcp_fin: Duration,
    /// UDP.
    pub udp: Duration,
    /// ICMP echo.
    pub icmp: Duration,
}

impl Default for FlowTimeouts {
    fn default() -> Self {
        Self {
            tcp_syn: Duration::from_secs(10),
            tcp_established: Duration::from_secs(15 * 60),
            tcp_fin: Duration::from_secs(30),
            udp: Duration::from_secs(60),
            icmp: Duration::from_secs(10),
        }
    }
}
