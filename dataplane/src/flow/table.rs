//! Look up, insert, remove.

use std::net::IpAddr;
use std::sync::Arc;

use super::bucket::Slot;
use super::entry::{Direction, Entry};
use super::index::{Index, Peeked};
use super::key::{FlowHash, Tuple};
use super::memory;
use super::quiescence::Quiescence;
use super::sequences::Sequences;
use super::slab::{EntryRef, Slab};
use crate::error::StartError;
use crate::flow::{FlowInfo, HugePages};
use crate::mem::{KeyedHash, PageKind};
use crate::sync::{Ordering, fence};
use crate::types::Tick;
use crate::types::{BackendId, Port, SnatId};

/// Where backends are: a return tuple is kept as the number of its backend.
pub(crate) trait Endpoints {
    /// The address and port that the backend's replies come from; no port: the one that was asked for.
    fn endpoint(&self, backend: BackendId) -> Option<(IpAddr, Option<Port>)>;

    /// An address of a source-NAT pool.
    fn snat(&self, address: SnatId) -> Option<IpAddr>;

    /// Whether there is room for a flow of the backend, from a port of the pool if it has one, that is probably over.
    fn may_wait(&self, _: BackendId, _: Option<(SnatId, Port)>) -> bool {
        true
    }
}

/// See the module [`flow`](super).
#[derive(Debug)]
pub(crate) struct FlowTable {
    hash: KeyedHash,
    pub(super) index: Index,
    slab: Slab,
    pub(super) sequences: Sequences,
    quiescence: Quiescence,
    flows: usize,
    pages: PageKind,
}

/// A flow that a packet belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) entry: EntryRef,
    pub(crate) direction: Direction,
    /// Whose flow it is.
    pub(crate) backend: BackendId,
}

impl FlowTable {
    /// Allocates all memory of a table for `flows` flows and `workers` workers.
    pub(crate) fn new(flows: usize, workers: usize, huge_pages: HugePages) -> Result<Self, StartError> {
        Self::with_hash(flows, workers, huge_pages, KeyedHash::random())
    }

    pub(super) fn with_hash(
        flows: usize,
        workers: usize,
        huge_pages: HugePages,
        hash: KeyedHash,
    ) -> Result<Self, StartError> {
        let blocks = Slab::blocks(flows, workers);
        let index_bytes = Index::bytes(flows);
        let slab_offset = index_bytes.next_multiple_of(64);
        let bytes = slab_offset + Slab::bytes(blocks);
        let (mapping, pages) = memory::map(bytes, flows, huge_pages)?;
        let mapping = Arc::new(mapping);
        Ok(Self {
            hash,
            index: Index::new(mapping.words64(0, index_bytes / size_of::<u64>())),
            slab: Slab::new(mapping.words32(slab_offset, Slab::words(blocks)), flows, workers),
            sequences: Sequences::new(flows),
            quiescence: Quiescence::new(workers),
            flows,
            pages,
        })
    }

    pub(crate) fn capacity(&self) -> usize {
        self.flows
    }

    pub(crate) fn pages(&self) -> PageKind {
        self.pages
    }

    pub(crate) fn quiescence(&self) -> &Quiescence {
        &self.quiescence
    }

    pub(super) fn slab(&self) -> &Slab {
        &self.slab
    }

    /// The hash of a tuple.
    #[inline(always)]
    pub(crate) fn hash(&self, tuple: &Tuple) -> FlowHash {
        tuple.hash(&self.hash)
    }

    /// Numbers that nobody outside can guess, one for each `turn`.
    pub(crate) fn random(&self, turn: u64) -> u64 {
        self.hash.one(u128::from(turn) << 64)
    }

    /// First pass over a batch: starts loading the bucket.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: FlowHash) {
        self.index.prefetch(hash);
    }

    /// Second pass: reads the bucket and starts loading what the third will read.
    #[inline(always)]
    pub(crate) fn peek(&self, hash: FlowHash) -> Peeked {
        let peeked = self.index.peek(hash);
        match peeked {
            Peeked::Somebody(slot) => self.slab.prefetch(slot.entry()),
            Peeked::Elsewhere => self.index.prefetch_second(hash),
            Peeked::Nobody => {}
        }
        peeked
    }

    /// Third pass: compares the exact tuple. `None`: who was peeked at is not it, which says nothing of others.
    #[inline(always)]
    pub(crate) fn confirm(&self, peeked: Peeked, tuple: &Tuple, endpoints: &impl Endpoints) -> Option<Found> {
        match peeked {
            Peeked::Somebody(slot) if self.is_of(slot, tuple, endpoints) => Some(self.found(slot)),
            Peeked::Nobody | Peeked::Somebody(_) | Peeked::Elsewhere => None,
        }
    }

    #[inline(always)]
    fn found(&self, slot: Slot) -> Found {
        let (entry, direction) = (slot.entry(), slot.direction());
        Found { entry, direction, backend: self.slab.entry(entry).backend() }
    }

    /// Looks a single tuple up.
    #[inline(never)]
    pub(crate) fn find(&self, hash: FlowHash, tuple: &Tuple, endpoints: &impl Endpoints) -> Option<Found> {
        let mut slots = self.index.candidates(hash);
        slots.find(|slot| self.is_of(*slot, tuple, endpoints)).map(|slot| self.found(slot))
    }

    #[inline(always)]
    pub(super) fn is_of(&self, slot: Slot, tuple: &Tuple, endpoints: &impl Endpoints) -> bool {
        let entry = self.slab.entry(slot.entry());
        match slot.direction() {
            Direction::Forward => entry.is_forward(tuple),
            Direction::Return => entry.is_return(tuple, endpoints),
        }
    }

    /// The entry of a number that was found in this batch.
    #[inline(always)]
    pub(crate) fn entry(&self, entry: EntryRef) -> Entry<'_> {
        self.slab.entry(entry)
    }

    /// Starts loading the buckets that an entry is in.
    #[inline(always)]
    pub(super) fn prefetch_places(&self, reference: EntryRef, endpoints: &impl Endpoints) {
        let entry = self.entry(reference);
        self.index.prefetch(self.hash(&entry.forward_tuple()));
        if entry.is_two_way()
            && let Some(tuple) = entry.return_tuple(endpoints)
        {
            self.index.prefetch(self.hash(&tuple));
        }
    }

    /// Takes an entry's words out of the index. Any worker may, also twice.
    pub(super) fn unlink(&self, reference: EntryRef, endpoints: &impl Endpoints) {
        let entry = self.entry(reference);
        let tuple = entry.forward_tuple();
        let hash = self.hash(&tuple);
        self.index.remove(hash, Slot::new(Direction::Forward, reference));
        if entry.is_two_way()
            && let Some(tuple) = entry.return_tuple(endpoints)
        {
            let hash = self.hash(&tuple);
            self.index.remove(hash, Slot::new(Direction::Return, reference));
        }
    }

    /// Ends a flow at once: its owner reuses the entry when it next sweeps past it. Any worker may, also twice.
    pub(crate) fn end(&self, reference: EntryRef, endpoints: &impl Endpoints) {
        // Memory is not reused before this worker has passed a quiescent state, however early the owner sweeps.
        self.mark_ended(reference);
        self.let_see();
        self.unlink(reference, endpoints);
    }

    /// Says that a flow has ended. That comes first, and then [`Self::let_see`]: for the owner, who may still be
    /// putting the return tuple in, and for who puts the same flow in anew while a half of this one is still there: see
    /// `insert_return`.
    pub(super) fn mark_ended(&self, reference: EntryRef) {
        self.entry(reference).mark_unlinked();
    }

    /// What has been said of any number of flows is seen before they leave the index.
    pub(super) fn let_see(&self) {
        fence(Ordering::SeqCst);
    }

    /// All flows, for listing; what changes while it is read is left out.
    pub(crate) fn flows(&self, now: Tick) -> impl Iterator<Item = FlowInfo> {
        self.index.slots().filter(|slot| slot.direction() == Direction::Forward).filter_map(move |slot| {
            let entry = self.entry(slot.entry());
            let info = entry.describe(now);
            fence(Ordering::Acquire);
            let again = entry.describe(now);
            let same = (info.client, info.vip, info.backend) == (again.client, again.vip, again.backend);
            (entry.is_live() && same).then_some(info)
        })
    }
}

#[cfg(test)]
mod check;
#[cfg(all(test, loom))]
mod crowd;
