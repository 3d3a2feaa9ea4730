//! Services of every mode, put into a snapshot one by one.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use super::rig::{BRIDGE, CLIENT, ETH0, ETH1, backend_address, backend_mac, vip};
use crate::admission::{AccessList, Admission, Limits, Meters, ServiceMeter, SynProxy, Thresholds};
use crate::persistence::Persistence;
use crate::schedule::{Candidate, HashOn, Kind, Schedule};
use crate::snapshot::{
    Backend, CLASSES, ClientAddress, Dscp, Endpoint, Forwarding, MissingState, NextHop, OneArm, PoolPart,
    PortClasses, PortSet, Service, Snapshot, Tunnel, TunnelKind, Vip,
};
use crate::types::{BackendId, BridgeId, Mode, Port, PortRange, Prefix, Protocol, ServiceId, SnatId, VlanId};

/// The bridge that all interfaces are ports of, where there is one.
pub(crate) const INLINE: BridgeId = BridgeId(0);

/// How a service's packets get to its backends.
#[derive(Debug, Clone)]
pub(crate) enum How {
    Bridge,
    Router,
    OneArm(Pool),
    Dsr(Option<Dscp>),
    Tunnel(TunnelKind),
}

/// Where flows of one-arm mode come from, and what their backends are told.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) client_address: ClientAddress,
    /// The ports that are left; `None`: all.
    pub(crate) free: Option<Vec<u16>>,
}

/// A service to be, and its backends.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) vip: Prefix,
    pub(crate) ports: PortRange,
    pub(crate) protocol: Protocol,
    pub(crate) how: How,
    /// Last bytes of the backends' addresses, and whether these are of IPv6.
    pub(crate) backends: (Vec<u8>, bool),
    /// Where they listen; `None`: where the client has asked for.
    pub(crate) inner: Option<Port>,
    pub(crate) vlan: Option<VlanId>,
    pub(crate) missing_state: MissingState,
    pub(crate) mss_clamp: Option<u16>,
    pub(crate) echo: bool,
    /// Prefixes that are allowed, and denied.
    pub(crate) access: (Vec<Prefix>, Vec<Prefix>),
    pub(crate) limits: Limits,
    pub(crate) upper_threshold: Option<u32>,
    pub(crate) syn_proxy: SynProxy,
    /// `None`: as befits the mode.
    pub(crate) scheduler: Option<Kind>,
    pub(crate) persistence: Option<Persistence>,
}

/// An address of a source-NAT pool, on the backends' side of the box.
pub(crate) fn pool_address(last: u8, v6: bool) -> IpAddr {
    backend_address(last, v6)
}

/// The box, as the outer source of tunnels.
pub(crate) fn tunnel_source(v6: bool) -> IpAddr {
    backend_address(1, v6)
}

impl How {
    pub(crate) fn mode(&self) -> Mode {
        match self {
            Self::Bridge => Mode::Bridge,
            Self::Router => Mode::Router,
            Self::OneArm(_) => Mode::OneArm,
            Self::Dsr(_) => Mode::Dsr,
            Self::Tunnel(_) => Mode::Tunnel,
        }
    }
}

/// The port that clients of a service ask for, and the one that its backends listen on where that is
/// translated.
pub(crate) fn ports(protocol: Protocol) -> (Port, Port) {
    match protocol {
        Protocol::Tcp => (Port(80), Port(8080)),
        Protocol::Udp => (Port(53), Port(5353)),
    }
}

impl Offer {
    /// TCP 80 or UDP 53 on the mode's VIP.
    pub(crate) fn new(how: How, v6: bool, protocol: Protocol, backends: (&[u8], bool)) -> Self {
        let vip: IpAddr = vip(how.mode(), v6).parse().expect("an address");
        let (port, inner) = ports(protocol);
        let inner = if how.mode().is_two_way() { inner } else { port };
        Self {
            vip: Prefix::host(vip),
            ports: PortRange::one(port),
            protocol,
            how,
            backends: (backends.0.to_vec(), backends.1),
            inner: Some(inner),
            vlan: None,
            missing_state: MissingState::Drop,
            mss_clamp: None,
            echo: true,
            access: Default::default(),
            limits: Limits::default(),
            upper_threshold: None,
            syn_proxy: SynProxy::Off,
            scheduler: None,
            persistence: None,
        }
    }

    /// Puts the service into a snapshot.
    pub(crate) fn add_to(&self, snapshot: &mut Snapshot) {
        let (lasts, v6) = &self.backends;
        let before = snapshot.services.first().map(|service| service.admission.meter.commons());
        let commons = before.map_or_else(Arc::default, Arc::clone);
        let number = u32::try_from(snapshot.services.len()).expect("few services");
        let meter = Arc::new(ServiceMeter::new(number, commons, 1));
        meter.note_limit(self.limits.flows);
        let mut candidates = Vec::new();
        for &last in lasts {
            let id = BackendId(u32::try_from(snapshot.backends.len()).expect("few backends"));
            let address = backend_address(last, *v6);
            let next_hop = Some(NextHop { interface: ETH1, mac: backend_mac(last) });
            let forwarding = self.forwarding(snapshot, address);
            let (port, protocol, mss_clamp) = (self.inner, self.protocol, self.mss_clamp);
            let is_proxied = self.syn_proxy != SynProxy::Off;
            let service = Arc::clone(&meter);
            let thresholds = self.upper_threshold.and_then(|upper| Thresholds::new(upper, upper));
            let meters = Meters { service, backend: Arc::default(), thresholds, is_proxied };
            let backend = Backend { address, port, protocol, forwarding, next_hop, mss_clamp, meters };
            snapshot.backends.push(Some(backend));
            candidates.push(Candidate::new(id, format!("{address}:{:?}", self.inner), 1));
            let endpoint = Endpoint { address, protocol, port: self.inner.unwrap_or(Port(0)) };
            match self.how {
                How::Bridge | How::Router => snapshot.return_endpoints.insert(endpoint),
                How::OneArm(_) if self.missing_state == MissingState::Reset => {
                    snapshot.reset_endpoints.insert(endpoint);
                }
                How::OneArm(_) | How::Dsr(_) | How::Tunnel(_) => {}
            }
        }
        let mode = self.how.mode();
        if mode == Mode::Bridge {
            bridge(snapshot, lasts);
        }
        let befitting = if mode.is_two_way() { Kind::RoundRobin } else { Kind::Maglev };
        let compiled = |kind| Arc::new(Schedule::compile(kind, &candidates, 1, "test"));
        let schedule = compiled(self.scheduler.unwrap_or(befitting));
        let needs_another = !mode.is_two_way() && !schedule.is_consistent();
        let admission = Admission {
            access: Arc::new(AccessList::new(&self.access.0, &self.access.1)),
            limits: self.limits,
            meter,
            fallback: needs_another.then(|| compiled(Kind::Maglev)),
        };
        let id = ServiceId(number);
        let (vip, ports, protocol) = (self.vip, self.ports, self.protocol);
        let (vlan, missing_state) = (self.vlan, self.missing_state);
        let client_address = match &self.how {
            How::OneArm(pool) => pool.client_address,
            _ => ClientAddress::None,
        };
        snapshot.services.push(Service {
            vip,
            ports,
            protocol,
            mode,
            vlan,
            missing_state,
            schedule,
            hash_on: HashOn::default(),
            persistence: self.persistence.clone(),
            admission,
            syn_proxy: self.syn_proxy,
            largest_segment: self.mss_clamp.unwrap_or(1460),
            client_address,
        });
        snapshot.endpoints.insert(vip, protocol, ports, id);
        snapshot.vips.insert(vip, Vip { echo: self.echo, bridge: mode == Mode::Bridge, pool: false });
    }

    fn forwarding(&self, snapshot: &mut Snapshot, backend: IpAddr) -> Forwarding {
        match &self.how {
            How::Bridge => Forwarding::Bridge,
            How::Router => Forwarding::Router,
            How::Dsr(code_point) => Forwarding::Dsr(*code_point),
            How::Tunnel(kind) => {
                let source = tunnel_source(backend.is_ipv6());
                Forwarding::Tunnel(Tunnel { kind: *kind, source, destination: backend })
            }
            How::OneArm(pool) => {
                let parts = pool.addresses.iter().map(|address| PoolPart {
                    address: snat_id(snapshot, *address),
                    ports: Arc::new(port_set(pool.free.as_deref())),
                    owners: None,
                    open: true,
                });
                Forwarding::OneArm(OneArm { pool: parts.collect(), client_address: pool.client_address })
            }
        }
    }
}

/// The number of a pool's address, which is a virtual one from now on.
fn snat_id(snapshot: &mut Snapshot, address: IpAddr) -> SnatId {
    snapshot.vips.insert(Prefix::host(address), Vip { pool: true, ..Vip::default() });
    let place = snapshot.snat.iter().position(|known| *known == Some(address)).unwrap_or_else(|| {
        snapshot.snat.push(Some(address));
        snapshot.snat.len() - 1
    });
    SnatId(u16::try_from(place).expect("few addresses"))
}

fn port_set(free: Option<&[u16]>) -> PortSet {
    static CLASSES_BY_PORT: LazyLock<Arc<PortClasses>> = LazyLock::new(Arc::default);
    let set = PortSet::new(Arc::clone(&CLASSES_BY_PORT));
    if let Some(free) = free {
        for class in 0..CLASSES {
            while set.take(class, 0).is_some() {}
        }
        free.iter().for_each(|port| set.give(Port(*port)));
    }
    set
}

/// Makes all interfaces ports of one bridge, on which the client and the backends are known.
fn bridge(snapshot: &mut Snapshot, lasts: &[u8]) {
    for interface in &mut snapshot.interfaces {
        (interface.bridge, interface.bridge_mac) = (Some(INLINE), Some(BRIDGE));
    }
    let stations = Arc::make_mut(&mut snapshot.stations);
    stations.insert((INLINE, CLIENT), ETH0);
    stations.extend(lasts.iter().map(|last| ((INLINE, backend_mac(*last)), ETH1)));
}
