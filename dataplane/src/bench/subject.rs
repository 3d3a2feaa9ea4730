//! What a bench of the whole worker is about: one service in one mode, and the network around it.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use crate::admission::{Admission, Meters, ServiceMeter, SynProxy};
use crate::schedule::{Candidate, HashOn, Kind, Schedule};
use crate::snapshot::{
    Backend, ClientAddress, Fib, Forwarding, GueVariant, Interface, MissingState, NextHop, OneArm, PoolPart,
    PortClasses, PortSet, Route, Service, Snapshot, Tunnel, TunnelKind, Vip,
};
use crate::testing::rig::{BOX0, BOX1, CLIENT, ETH0, ETH1, backend_mac};
use crate::types::{BackendId, BridgeId, Port, PortRange, Prefix, Protocol, ServiceId, SnatId};

/// A mode with what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Bridge mode.
    Bridge,
    /// Router mode.
    Router,
    /// Full NAT within the family.
    OneArm,
    /// Full NAT to the other family.
    OneArmAcross,
    /// MAC addresses alone.
    Dsr,
    /// IP in IP.
    Ipip,
    /// GRE.
    Gre,
    /// GUE, variant 1.
    Gue,
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Dsr,
        Self::Bridge,
        Self::Router,
        Self::OneArm,
        Self::OneArmAcross,
        Self::Ipip,
        Self::Gre,
        Self::Gue,
    ];

    /// What figures are filed under.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Router => "router",
            Self::OneArm => "one-arm",
            Self::OneArmAcross => "one-arm-other-family",
            Self::Dsr => "dsr",
            Self::Ipip => "tunnel-ipip",
            Self::Gre => "tunnel-gre",
            Self::Gue => "tunnel-gue",
        }
    }

    fn tunnel(self) -> Option<TunnelKind> {
        match self {
            Self::Ipip => Some(TunnelKind::Ipip),
            Self::Gre => Some(TunnelKind::Gre),
            Self::Gue => Some(TunnelKind::Gue { port: Port(6080), variant: GueVariant::One }),
            Self::Bridge | Self::Router | Self::OneArm | Self::OneArmAcross | Self::Dsr => None,
        }
    }
}

/// Backends of the service.
const BACKENDS: u8 = 16;
/// Addresses of the pool: an address has a million ports towards 16 backends, and ten million flows are
/// not spread evenly over them.
const POOL: u16 = 16;

/// The VIP that a subject's clients talk to.
pub(super) fn vip(v6: bool) -> IpAddr {
    if v6 { [0xfd00, 0, 0, 0, 0, 0, 0, 0x64].into() } else { [10, 0, 0, 100].into() }
}

fn backend(last: u8, v6: bool) -> IpAddr {
    if v6 { [0xfd01, 0, 0, 0, 0, 0, 0, last.into()].into() } else { [10, 0, 1, last].into() }
}

fn pool(place: u16, v6: bool) -> IpAddr {
    let last = 200 + place;
    if v6 { [0xfd00, 0, 0, 0, 0, 0, 0, last].into() } else { [10, 0, 0, last.to_be_bytes()[1]].into() }
}

/// One TCP service on port 80 in the subject's mode, Maglev over [`BACKENDS`].
pub(super) fn snapshot(subject: Subject, v6: bool) -> Snapshot {
    let bridge = (subject == Subject::Bridge).then_some(BridgeId(0));
    let backends_v6 = v6 != (subject == Subject::OneArmAcross);
    let mut snapshot = Snapshot {
        interfaces: [BOX0, BOX1].map(|mac| Interface { mac, mtu: 1500, bridge, bridge_mac: None }).into(),
        snat: (0..POOL).map(|place| Some(pool(place, backends_v6))).collect(),
        return_endpoints: Default::default(),
        fib: Arc::new(fib()),
        ..Snapshot::default()
    };
    // Nobody answers here, so that flows stay half open.
    snapshot.timeouts.tcp_syn = snapshot.timeouts.tcp_established;
    let meter = Arc::new(ServiceMeter::default());
    let mut candidates = Vec::new();
    for last in 1..=BACKENDS {
        let address = backend(last, backends_v6);
        let id = BackendId(u32::from(last) - 1);
        candidates.push(Candidate::new(id, address.to_string(), 1));
        snapshot.backends.push(Some(Backend {
            address,
            port: Some(Port(if subject == Subject::Dsr { 80 } else { 8080 })),
            protocol: Protocol::Tcp,
            forwarding: forwarding(subject, address),
            next_hop: Some(NextHop { interface: ETH1, mac: backend_mac(last) }),
            mss_clamp: None,
            meters: Meters { service: Arc::clone(&meter), ..Meters::default() },
        }));
    }
    let stations = (1..=BACKENDS).map(|last| ((BridgeId(0), backend_mac(last)), ETH1));
    snapshot.stations = Arc::new(stations.collect());
    let (vip, ports, protocol) = (Prefix::host(vip(v6)), PortRange::one(Port(80)), Protocol::Tcp);
    let mode = snapshot.backends[0].as_ref().map_or(crate::types::Mode::Dsr, |b| b.forwarding.mode());
    snapshot.services.push(Service {
        vip,
        ports,
        protocol,
        mode,
        vlan: None,
        missing_state: MissingState::Drop,
        schedule: Arc::new(Schedule::compile(Kind::Maglev, &candidates, 1, "bench")),
        hash_on: HashOn::default(),
        persistence: None,
        admission: Admission { meter, ..Admission::default() },
        syn_proxy: SynProxy::Off,
        largest_segment: 1460,
        client_address: ClientAddress::None,
    });
    snapshot.endpoints.insert(vip, protocol, ports, ServiceId(0));
    snapshot.vips.insert(vip, Vip::default());
    snapshot
}

fn forwarding(subject: Subject, destination: IpAddr) -> Forwarding {
    if let Some(kind) = subject.tunnel() {
        let source = pool(0, destination.is_ipv6());
        return Forwarding::Tunnel(Tunnel { kind, source, destination });
    }
    match subject {
        Subject::Bridge => Forwarding::Bridge,
        Subject::Router => Forwarding::Router,
        Subject::OneArm | Subject::OneArmAcross => {
            // One layout for all, as management has it: that of the NIC.
            static LAYOUT: LazyLock<Arc<PortClasses>> = LazyLock::new(Arc::default);
            let ports = |_| Arc::new(PortSet::new(Arc::clone(&LAYOUT)));
            let part =
                |place| PoolPart { address: SnatId(place), ports: ports(place), owners: None, open: true };
            let client_address = ClientAddress::None;
            Forwarding::OneArm(OneArm { pool: (0..POOL).map(part).collect(), client_address })
        }
        Subject::Dsr | Subject::Ipip | Subject::Gre | Subject::Gue => Forwarding::Dsr(None),
    }
}

/// A router in front of all clients.
fn fib() -> Fib {
    let gateway = IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1]);
    let prefix = IpAddr::from([0_u16; 8]);
    let route = Route::single(prefix, 0, Some(ETH0), Some(gateway));
    Fib::new([route], [(ETH0, gateway, NextHop { interface: ETH0, mac: CLIENT })])
}
