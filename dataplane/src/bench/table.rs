//! The flow table alone.

use std::net::IpAddr;

use crate::flow::HugePages;
use crate::flow::{Addresses, Endpoints, FlowHash, FlowTable, Keeper, NewFlow, Peeked, Timeouts, Tuple};
use crate::limits::BATCH;
use crate::snapshot::FlowTimeouts;
use crate::types::Tick;
use crate::types::{BackendId, Port, Protocol, SnatId, WorkerId};
use crate::wire::tcp::Flags;

struct OneBackend;

impl Endpoints for OneBackend {
    fn snat(&self, _: SnatId) -> Option<IpAddr> {
        None
    }

    fn endpoint(&self, _: BackendId) -> Option<(IpAddr, Option<Port>)> {
        Some((IpAddr::from([10, 0, 1, 11]), Some(Port(8080))))
    }
}

/// A table and the worker that fills it.
#[derive(Debug)]
pub struct Table {
    table: FlowTable,
    keeper: Keeper,
    now: Tick,
    next: u32,
}

fn tuple(flow: u32) -> Tuple {
    let addresses = Addresses::V4 {
        source: std::net::Ipv4Addr::from_bits(0x1000_0000 + (flow >> 4)),
        destination: [10, 0, 0, 100].into(),
    };
    let source_port = Port(1024 + (flow & 15) as u16);
    Tuple { addresses, source_port, destination_port: Port(80), protocol: Protocol::Udp }
}

impl Table {
    /// A table for `capacity` flows with `filled` in it.
    ///
    /// # Panics
    /// If there is not enough memory.
    #[must_use]
    pub fn new(capacity: usize, filled: u32) -> Self {
        let table = FlowTable::new(capacity, 1, HugePages::Auto).expect("memory for the table");
        let keeper = Keeper::new(&table, WorkerId(0));
        let mut bench = Self { table, keeper, now: Tick(0), next: 0 };
        for _ in 0..filled {
            bench.insert(false);
        }
        bench
    }

    /// Looks up a batch of flows as a worker does; returns how many were found.
    #[inline(never)]
    pub fn look_up(&self, flows: &[u32; BATCH]) -> usize {
        let tuples = flows.map(tuple);
        let mut hashes = [FlowHash::default(); BATCH];
        let mut peeked = [Peeked::Nobody; BATCH];
        for (hash, tuple) in hashes.iter_mut().zip(&tuples) {
            *hash = self.table.hash(tuple);
            self.table.prefetch(*hash);
        }
        for (slot, hash) in peeked.iter_mut().zip(hashes) {
            *slot = self.table.peek(hash);
        }
        let is_known = |i: &usize| {
            let (peeked, hash, tuple) = (peeked[*i], hashes[*i], &tuples[*i]);
            self.table.confirm(peeked, tuple, &OneBackend).is_some()
                || peeked != Peeked::Nobody && self.table.find(hash, tuple, &OneBackend).is_some()
        };
        (0..BATCH).filter(is_known).count()
    }

    /// Inserts a new flow, with one word or two in the index.
    #[inline(never)]
    pub fn insert(&mut self, two_way: bool) {
        let tuple = tuple(self.next);
        let hash = self.table.hash(&tuple);
        let (backend, flags) = (BackendId(0), Flags::default());
        let flow = NewFlow { tuple: &tuple, hash, backend, two_way, flags, nat: None, handshake: None };
        self.table.insert(&mut self.keeper, &flow, &OneBackend, self.now);
        self.next = self.next.wrapping_add(1) % (1 << 28);
    }

    /// Lets all flows expire; returns how many there were.
    #[inline(never)]
    pub fn expire_all(&mut self) -> usize {
        let timeouts = Timeouts::from(&FlowTimeouts::default());
        let mut expired = 0;
        let mut behind = true;
        self.now = Tick(self.now.0.wrapping_add(120_000));
        while behind {
            self.table.quiescence().pass(WorkerId(0));
            behind = self.keeper.sweep(&self.table, &OneBackend, &timeouts, self.now, |_| expired += 1);
            self.keeper.reclaim(&self.table);
        }
        expired
    }
}
