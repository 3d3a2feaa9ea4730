//! Backends, tuples, and a worker that has nothing but its share of a table.

use std::net::IpAddr;
use std::sync::Arc;

use super::*;
use crate::flow::HugePages;
use crate::mem::KeyedHash;
use crate::types::Tick;
use crate::types::{BackendId, Port, Protocol, SnatId, WorkerId};
use crate::wire::tcp::Flags;

/// Backend n is at 10.0.1.n or fd01::n, by the family of who asks: here by its lowest bit.
#[derive(Debug)]
pub(super) struct Backends;

impl Endpoints for Backends {
    fn snat(&self, _: SnatId) -> Option<IpAddr> {
        None
    }

    fn endpoint(&self, backend: BackendId) -> Option<(IpAddr, Option<Port>)> {
        let last = u8::try_from(backend.0).ok()?;
        let v6 = [0xfd01, 0, 0, 0, 0, 0, 0, u16::from(last)];
        let address = if last & 1 == 1 { IpAddr::from(v6) } else { IpAddr::from([10, 0, 1, last]) };
        Some((address, Some(Port(8080))))
    }
}

pub(super) fn tuple(client: u16, v6: bool, protocol: Protocol) -> Tuple {
    let [high, low] = client.to_be_bytes();
    let addresses = if v6 {
        let source = [0xfd00, 0, 0, 0, 0, 0, 0, client].into();
        Addresses::V6 { source, destination: [0xfd00, 0, 0, 0, 0, 0, 1, 0].into() }
    } else {
        Addresses::V4 { source: [10, 1, high, low].into(), destination: [10, 0, 0, 100].into() }
    };
    Tuple { addresses, source_port: Port(40000), destination_port: Port(80), protocol }
}

pub(super) fn table(flows: usize, workers: usize) -> FlowTable {
    // Models repeat what they do, so there the hash must be the same each time.
    let hash = if cfg!(loom) { KeyedHash::fixed() } else { KeyedHash::random() };
    FlowTable::with_hash(flows, workers, HugePages::Off, hash).unwrap()
}

/// What a worker has of a table.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) table: Arc<FlowTable>,
    pub(super) keeper: Keeper,
}

impl Share {
    pub(super) fn new(table: &Arc<FlowTable>, worker: u16) -> Self {
        Self { table: Arc::clone(table), keeper: Keeper::new(table, WorkerId(worker)) }
    }

    /// Begins a batch: what was found before is not held any more.
    pub(super) fn pass(&self) {
        self.table.quiescence().pass(self.keeper.worker());
    }

    pub(super) fn leave(&self) {
        self.table.quiescence().leave(self.keeper.worker());
    }

    pub(super) fn insert(&mut self, tuple: &Tuple, backend: u32, two_way: bool, now: Tick) -> Inserted {
        let flow = NewFlow {
            tuple,
            hash: self.table.hash(tuple),
            backend: BackendId(backend),
            two_way,
            flags: Flags(Flags::SYN),
            nat: None,
            handshake: None,
        };
        self.table.insert(&mut self.keeper, &flow, &Backends, now)
    }

    pub(super) fn find(&self, tuple: &Tuple) -> Option<Found> {
        self.table.find(self.table.hash(tuple), tuple, &Backends)
    }

    pub(super) fn end(&self, entry: EntryRef) {
        self.table.end(entry, &Backends);
    }

    /// Lets flows go that have ended or are idle, as far as steps are due; returns how many.
    pub(super) fn sweep(&mut self, timeouts: &Timeouts, now: Tick) -> usize {
        let mut expired = 0;
        self.keeper.sweep(&self.table, &Backends, timeouts, now, |_| expired += 1);
        expired
    }

    /// Ends the oldest flow that was never established: whether there was one.
    #[cfg(not(loom))]
    pub(super) fn recycle(&mut self) -> bool {
        self.keeper.recycle(&self.table, &Backends, |_| true).is_some()
    }

    pub(super) fn reclaim(&mut self) {
        self.keeper.reclaim(&self.table);
    }
}
