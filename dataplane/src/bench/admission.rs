//! Whether a new flow may begin, alone; and the whole life of flows that nothing refuses.

use std::net::IpAddr;

use super::subject::{self, Subject};
use crate::admission::AccessList;
use crate::engine::apportion;
use crate::flow::HugePages;
use crate::flow::{Addresses, FlowHash, FlowTable, Inserted, Keeper, NewFlow, Timeouts, Tuple};
use crate::limits::BATCH;
use crate::pipeline::ended;
use crate::schedule::{Ask, Ends};
use crate::snapshot::{FlowTimeouts, Snapshot};
use crate::stats::WorkerCounters;
use crate::types::Tick;
use crate::types::{Port, Prefix, Protocol, WorkerId};
use crate::wire::tcp::Flags;

/// A list of so many prefixes of different lengths.
#[must_use]
pub fn access_list(prefixes: u32, v6: bool) -> AccessList {
    let prefix = |n: u32| {
        let spread = n.wrapping_mul(0x9e37_79b9);
        let (address, length) = match v6 {
            true => (IpAddr::V6((0x2001_u128 << 112 | u128::from(spread) << 64).into()), 48 + (n % 17) as u8),
            false => (IpAddr::V4(spread.into()), 16 + (n % 17) as u8),
        };
        Prefix::new(address, length)
    };
    let all: Vec<_> = (0..prefixes).filter_map(prefix).collect();
    let (allow, deny) = all.split_at(all.len() / 8);
    AccessList::new(allow, deny)
}

fn tuple(flow: u32) -> Tuple {
    let addresses = Addresses::V4 {
        source: std::net::Ipv4Addr::from_bits(0x1000_0000 + (flow >> 4)),
        destination: [10, 0, 0, 100].into(),
    };
    let source_port = Port(1024 + (flow & 15) as u16);
    Tuple { addresses, source_port, destination_port: Port(80), protocol: Protocol::Tcp }
}

/// A DSR service without limits, a table for its flows and the worker that has them.
#[derive(Debug)]
pub struct Flows {
    table: FlowTable,
    keeper: Keeper,
    snapshot: Snapshot,
    counters: WorkerCounters,
    now: Tick,
    next: u32,
}

impl Flows {
    /// Room for `capacity` flows.
    ///
    /// # Panics
    /// If there is not enough memory.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let snapshot = subject::snapshot(Subject::Dsr, false);
        apportion(&snapshot, capacity);
        let table = FlowTable::new(capacity, 1, HugePages::Auto).expect("memory for the table");
        let keeper = Keeper::new(&table, WorkerId(0));
        let counters = WorkerCounters::new(64);
        Self { table, keeper, snapshot, counters, now: Tick(0), next: 0 }
    }

    /// Begins a batch of flows as a worker does, whose look-up has loaded their buckets; returns for how many
    /// there was room.
    #[inline(never)]
    pub fn begin(&mut self) -> usize {
        let mut next = self.next;
        let flows: [(Tuple, FlowHash); BATCH] = std::array::from_fn(|_| {
            let tuple = tuple(next);
            next += 1;
            let hash = self.table.hash(&tuple);
            self.table.prefetch(hash);
            (tuple, hash)
        });
        self.next = next % (1 << 28);
        flows.iter().filter(|(tuple, hash)| self.begin_one(tuple, *hash)).count()
    }

    /// Admits a flow, chooses its backend and puts it in the table; whether there was room.
    fn begin_one(&mut self, tuple: &Tuple, hash: FlowHash) -> bool {
        let service = &self.snapshot.services[0];
        let (admission, source) = (&service.admission, tuple.addresses.source());
        let is_admitted = admission.access.allows(source)
            && admission.meter.keep_pace(&admission.limits, tuple, self.now).is_ok()
            && admission.meter.begin(admission.limits.flows, true).is_ok();
        let ends = Ends {
            source: (source, tuple.source_port),
            destination: (tuple.addresses.destination(), tuple.destination_port),
        };
        let id = service.schedule.choose(&Ask::of(0, service.hash_on, &ends), &self.snapshot);
        let (true, Some(id)) = (is_admitted, id) else { return false };
        let Some(backend) = self.snapshot.backend(id) else { return false };
        let takes = backend.meters.backend.begin(backend.meters.thresholds);
        let flags = Flags(Flags::SYN);
        let flow = NewFlow { tuple, hash, backend: id, two_way: false, flags, nat: None, handshake: None };
        let inserted = self.table.insert(&mut self.keeper, &flow, &self.snapshot, self.now);
        takes && matches!(inserted, Inserted::Created(_))
    }

    /// Lets all flows expire; returns how many the service has left.
    #[inline(never)]
    pub fn end_all(&mut self) -> u32 {
        let timeouts = Timeouts::from(&FlowTimeouts::default());
        self.now = Tick(self.now.0.wrapping_add(120_000));
        let mut behind = true;
        while behind {
            self.table.quiescence().pass(WorkerId(0));
            let (snapshot, counters) = (&self.snapshot, &self.counters);
            let over = |flow: crate::flow::Expired| ended(snapshot, counters, &flow);
            behind = self.keeper.sweep(&self.table, snapshot, &timeouts, self.now, over);
            self.keeper.reclaim(&self.table);
        }
        self.snapshot.services[0].admission.meter.flows()
    }
}
