//! All that a worker reads: an immutable picture of the configuration, the backends' health and
//! the neighbours, built whole by the management side and swapped in by one pointer.

mod backend;
mod fib;
mod interface_set;
mod neighbours;
mod publish;
mod service;
mod shared;
mod snat;
mod steered;
mod tenure;
mod tunnel;
mod vip_map;

pub use crate::flow::FlowTimeouts;
pub use crate::types::{ClientAddress, Endpoint};
pub use crate::xdp::{CLASSES, PortClasses, Rss};
pub use backend::{Backend, Dscp, Fate, Forwarding, NextHop, OneArm};
pub use fib::{Fib, Hop, Ingress, Interfaces, Path, Query, Route, Rule, RuleAction, Rules, Target};
pub use interface_set::InterfaceSet;
pub use neighbours::Neighbours;
pub use publish::{Publisher, Reader};
pub use service::{MissingState, Service};
pub use shared::{Fates, Shared};
pub use snat::{CAPACITY, FIRST_PORT, PoolPart, PortSet};
pub use tenure::{Tenancies, Tenancy, Tenure};
pub use tunnel::{GueVariant, Tunnel, TunnelKind};
pub use vip_map::{ReturnEndpoints, ServiceMap, Vip, VipSet};

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::capture::Capture;
use crate::schedule::{Load, Loads};
use crate::types::{BackendId, BridgeId, InterfaceId, Mac};
#[cfg(doc)]
use crate::types::{ServiceId, SnatId};

/// See the module's head.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Counts published snapshots; visible as `config_generation`.
    pub generation: u64,
    /// The data plane's interfaces, by [`InterfaceId`].
    pub interfaces: Vec<Interface>,
    /// Interfaces whose frames may come with unfinished checksums.
    pub unfinished: InterfaceSet,
    /// The services, by [`ServiceId`].
    pub services: Shared<Vec<Service>>,
    /// The backends, by [`BackendId`]. A backend that has left the configuration stays until its
    /// last flow is gone; `None` is a number that nothing refers to.
    pub backends: Shared<Vec<Option<Backend>>>,
    /// Virtual endpoint to service.
    pub endpoints: Shared<ServiceMap>,
    /// The virtual addresses alone, those of source-NAT pools among them: who asks for an unknown port
    /// of one gets a named drop.
    pub vips: Shared<VipSet>,
    /// Whose master this box may be or not.
    pub tenancies: Tenancies,
    /// The addresses of source-NAT pools, by [`SnatId`]; `None` is a number that nothing refers to.
    pub snat: Vec<Option<IpAddr>>,
    /// Endpoints of backends whose replies pass through the box without being addressed to it (bridge
    /// and router mode): what they send may belong to a flow.
    pub return_endpoints: Shared<ReturnEndpoints>,
    /// Endpoints of one-arm backends whose service answers segments of unknown connections with a RST: those of the
    /// backends as well.
    pub reset_endpoints: Shared<ReturnEndpoints>,
    /// The box's own addresses: what is sent to them is Linux's, even from a backend's endpoint.
    pub local_addresses: Vec<IpAddr>,
    /// Which port of a bridge a station is behind, as the kernel's bridge has learned it.
    pub stations: Arc<HashMap<(BridgeId, Mac), InterfaceId>>,
    /// Routes and neighbours.
    pub fib: Arc<Fib>,
    /// What hashing schedulers start from, see [`cluster_seed`](crate::schedule::cluster_seed).
    pub hash_seed: u64,
    /// How long an idle flow is remembered.
    pub timeouts: FlowTimeouts,
    /// What becomes of flows whose backend is on its way out.
    pub fates: Fates,
    /// Who wants to see packets.
    pub capture: Option<Arc<Capture>>,
}

impl Snapshot {
    /// The backend of that number.
    #[must_use]
    pub fn backend(&self, id: BackendId) -> Option<&Backend> {
        self.backends.get(id.index())?.as_ref()
    }

    /// An interface that leads to a backend: of several paths, one.
    pub(crate) fn interface_towards(&self, id: BackendId) -> Option<InterfaceId> {
        let backend = self.backend(id)?;
        match backend.next_hop {
            Some(next_hop) => Some(next_hop.interface),
            None => self.fib.neighbour_towards(backend.address).map(|(interface, _)| interface),
        }
    }

    /// What becomes of a backend's flows.
    #[inline(always)]
    #[must_use]
    pub fn fate(&self, id: BackendId) -> Fate {
        self.fates.of(id)
    }

    /// The ports of a bridge.
    pub fn ports_of(&self, bridge: BridgeId) -> impl Iterator<Item = InterfaceId> {
        let numbered = (0..).map(InterfaceId).zip(&self.interfaces);
        numbered.filter(move |(_, interface)| interface.bridge == Some(bridge)).map(|(id, _)| id)
    }

    /// The interface of that number.
    #[must_use]
    pub fn interface(&self, id: InterfaceId) -> Option<&Interface> {
        self.interfaces.get(id.index())
    }
}

impl Loads for Snapshot {
    fn load(&self, id: BackendId) -> Load {
        let nobody = Load { is_full: true, ..Load::default() };
        self.backend(id).map_or(nobody, |backend| backend.meters.load())
    }
}

/// What changes about an interface while the data plane runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// Its own MAC address: the source of what the box sends.
    pub mac: Mac,
    /// The largest IP packet that may leave by it.
    pub mtu: u16,
    /// The bridge that it is a port of.
    pub bridge: Option<BridgeId>,
    /// That bridge's own MAC address: hosts know the box by it, too.
    pub bridge_mac: Option<Mac>,
}
