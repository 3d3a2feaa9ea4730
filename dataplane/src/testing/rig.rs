//! A worker over vectors, in a small network:
//!
//! ```text
//! client 10.0.0.2 ── eth0 [box] eth1 ── backends 10.0.1.11, .12, …
//!        fd00::2           eth2                  fd01::11, ::12, …
//! ```

use std::net::IpAddr;
use std::sync::Arc;

use super::offer::{How, Offer};
use crate::channel::Channel;
use crate::clock::Clock;
use crate::flow::FlowTable;
use crate::flow::HugePages;
use crate::io::memory::MemoryIo;
#[cfg(test)]
use crate::pipeline::trace::{Traced, Tracer};
use crate::snapshot::{Fib, Interface, NextHop, Publisher, Route, Snapshot};
use crate::stats::{WorkerCounters, WorkerStats};
use crate::syn_proxy::Secret;
use crate::types::Tick;
use crate::types::{InterfaceId, Mac, Mode, Protocol, WorkerId};
use crate::verdict::DropReason;
use crate::worker::{ControlFrame, Links, Punt, Worker};
use crate::xdp::Wake;

pub(crate) const ETH0: InterfaceId = InterfaceId(0);
pub(crate) const ETH1: InterfaceId = InterfaceId(1);
/// Frames that there is memory for.
pub(crate) const CHUNKS: usize = 256;
/// Nobody is known to be there.
pub(crate) const ETH2: InterfaceId = InterfaceId(2);
pub(crate) const BOX0: Mac = Mac([2, 0, 0, 0, 0, 0xb0]);
pub(crate) const BOX1: Mac = Mac([2, 0, 0, 0, 0, 0xb1]);
pub(crate) const BOX2: Mac = Mac([2, 0, 0, 0, 0, 0xb2]);
/// That of the bridge, where the interfaces are its ports.
pub(crate) const BRIDGE: Mac = Mac([2, 0, 0, 0, 0, 0xbb]);
pub(crate) const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 2]);
/// The MAC of the backend with that last byte in its address.
pub(crate) const fn backend_mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 1, last])
}

/// VIP of the services of one mode.
pub(crate) fn vip(mode: Mode, v6: bool) -> &'static str {
    match (mode, v6) {
        (Mode::Router, false) => "10.0.0.100",
        (Mode::Router, true) => "fd00::100",
        (Mode::Dsr, false) => "10.0.0.200",
        (Mode::Dsr, true) => "fd00::200",
        (Mode::Bridge, false) => "10.0.0.101",
        (Mode::Bridge, true) => "fd00::101",
        (Mode::OneArm, false) => "10.0.0.102",
        (Mode::OneArm, true) => "fd00::102",
        (Mode::Tunnel, false) => "10.0.0.103",
        (Mode::Tunnel, true) => "fd00::103",
    }
}

/// A snapshot of services on the VIPs of both modes and families, TCP 80 and UDP 53, each with the
/// given backends (last bytes of their addresses), which listen on 8080 and 5353 in router mode.
pub(crate) fn snapshot(router: &[u8], dsr: &[u8]) -> Snapshot {
    let mut snapshot = network();
    for v6 in [false, true] {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            Offer::new(How::Router, v6, protocol, (router, v6)).add_to(&mut snapshot);
            Offer::new(How::Dsr(None), v6, protocol, (dsr, v6)).add_to(&mut snapshot);
        }
    }
    snapshot
}

/// The network without a service.
pub(crate) fn network() -> Snapshot {
    Snapshot {
        interfaces: [BOX0, BOX1, BOX2]
            .map(|mac| Interface { mac, mtu: 1500, bridge: None, bridge_mac: None })
            .into(),
        fib: Arc::new(fib()),
        ..Snapshot::default()
    }
}

fn fib() -> Fib {
    let route = |prefix: &str, length, interface| {
        Route::single(prefix.parse().expect("an address"), length, Some(interface), None)
    };
    let routes = [
        route("10.0.0.0", 24, ETH0),
        route("fd00::", 64, ETH0),
        route("10.0.1.0", 24, ETH1),
        route("fd01::", 64, ETH1),
    ];
    let hop = NextHop { interface: ETH0, mac: CLIENT };
    let client = |address: &str| (ETH0, address.parse().expect("an address"), hop);
    Fib::new(routes, [client("10.0.0.2"), client("fd00::2")])
}

/// The address of the backend with that last byte.
pub(crate) fn backend_address(last: u8, v6: bool) -> IpAddr {
    let text = if v6 { format!("fd01::{last}") } else { format!("10.0.1.{last}") };
    text.parse().expect("an address")
}

/// Removes all services but leaves their backends: as after a reload that removed them.
pub(crate) fn without_services(mut snapshot: Snapshot) -> Snapshot {
    snapshot.services.clear();
    snapshot.endpoints = Default::default();
    snapshot
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) worker: Worker<MemoryIo>,
    pub(crate) publisher: Publisher,
    pub(crate) counters: Arc<WorkerCounters>,
    pub(crate) punts: Arc<Channel<Punt>>,
    pub(crate) outbox: Arc<Channel<ControlFrame>>,
    pub(crate) table: Arc<FlowTable>,
    pub(crate) clock: Clock,
}

impl Rig {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self::with_flows(snapshot, 1024)
    }

    pub(crate) fn with_flows(snapshot: Snapshot, flows: usize) -> Self {
        Self::with_room(snapshot, flows, CHUNKS)
    }

    /// With memory for so many frames.
    pub(crate) fn with_room(snapshot: Snapshot, flows: usize, chunks: usize) -> Self {
        let table = Arc::new(FlowTable::new(flows, 1, HugePages::Off).expect("memory"));
        let publisher = Publisher::new(snapshot);
        let counters = Arc::new(WorkerCounters::new(64));
        let (punts, outbox) = (Channel::new(), Channel::new());
        let clock = Clock::start();
        let links = Links {
            table: Arc::clone(&table),
            counters: Arc::clone(&counters),
            snapshots: publisher.reader(),
            punts: Arc::clone(&punts),
            punt_event: Arc::new(Wake::new().expect("an event")),
            has_ended: Arc::default(),
            outbox: Arc::clone(&outbox),
            clock,
            secret: Arc::new(Secret::random()),
        };
        let io = MemoryIo::new(chunks, 3).expect("memory");
        Self { worker: Worker::new(WorkerId(0), io, links), publisher, counters, punts, outbox, table, clock }
    }

    /// Lets frames arrive and the worker make one round; gives what it sent.
    pub(crate) fn receive(
        &mut self,
        ingress: InterfaceId,
        frames: &[Vec<u8>],
    ) -> Vec<(InterfaceId, Vec<u8>)> {
        for frame in frames {
            self.worker.io().arrive(ingress, frame);
        }
        self.worker.round();
        std::mem::take(&mut self.worker.io().outgoing)
    }

    /// The same at a time, with a frame or none.
    pub(crate) fn at(
        &mut self,
        now: Tick,
        frame: Option<(InterfaceId, &[u8])>,
    ) -> Vec<(InterfaceId, Vec<u8>)> {
        if let Some((ingress, frame)) = frame {
            self.worker.io().arrive(ingress, frame);
        }
        self.worker.round_at(now);
        std::mem::take(&mut self.worker.io().outgoing)
    }

    /// What would happen to a frame.
    #[cfg(test)]
    pub(crate) fn trace(&self, ingress: InterfaceId, frame: &[u8]) -> Traced {
        let now = Clock::tick(self.clock.nanos());
        let mut tracer = Tracer::new(&self.table).expect("memory");
        tracer.frame((&self.publisher.current(), &self.table), ingress, frame, now)
    }

    pub(crate) fn stats(&self) -> WorkerStats {
        self.counters.read(WorkerId(0))
    }

    /// How often a reason was counted.
    pub(crate) fn dropped(&self, reason: DropReason) -> u64 {
        self.stats().drops[reason.index()]
    }
}
