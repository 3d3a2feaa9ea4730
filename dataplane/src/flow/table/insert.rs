//! Puts a flow in: both its places, or none, and no second flow of one tuple.
//!
//! A worker puts its place in first and looks for others second. If another worker does the same at the same
//! moment, at least one of the two sees the other, steps back, and tries again.

use super::{Endpoints, FlowTable, Found};
use crate::flow::bucket::Slot;
use crate::flow::entry::Direction;
use crate::flow::keeper::Keeper;
use crate::flow::key::{Addresses, FlowHash, Tuple};
use crate::flow::nat::Nat;
use crate::flow::slab::{EntryRef, Size};
use crate::limits::INSERT_TRIES;
use crate::sync::{Ordering, fence};
use crate::tick::Tick;
use crate::types::BackendId;
use crate::wire::tcp::Flags;

/// A flow to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewFlow<'a> {
    /// The client's packet.
    pub(crate) tuple: &'a Tuple,
    /// Its hash.
    pub(crate) hash: FlowHash,
    /// Who takes it.
    pub(crate) backend: BackendId,
    /// Whether replies come back through the box and are translated.
    pub(crate) two_way: bool,
    /// Of its first packet.
    pub(crate) flags: Flags,
    /// With full NAT: the source that it gets.
    pub(crate) nat: Option<Nat>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// It is in the table.
    Created(EntryRef),
    /// It was there already: an earlier packet of the same batch, or another worker, was first.
    Existing(Found),
    /// No room.
    Full,
    /// The return tuple belongs to another flow.
    TupleInUse,
}

impl FlowTable {
    /// Puts a new flow in, unless it is there.
    pub(crate) fn insert(
        &self,
        keeper: &mut Keeper,
        flow: &NewFlow<'_>,
        endpoints: &impl Endpoints,
        now: Tick,
    ) -> Inserted {
        for _ in 0..INSERT_TRIES {
            if let Some(found) = self.find(flow.hash, flow.tuple, endpoints) {
                return Inserted::Existing(found);
            }
            if let Some(outcome) = self.try_insert(keeper, flow, endpoints, now) {
                return outcome;
            }
        }
        Inserted::Full
    }

    /// One try; `None`: another worker put the same tuple in at the same moment.
    fn try_insert(
        &self,
        keeper: &mut Keeper,
        flow: &NewFlow<'_>,
        endpoints: &impl Endpoints,
        now: Tick,
    ) -> Option<Inserted> {
        let size = Size::of(matches!(flow.tuple.addresses, Addresses::V6 { .. }), flow.nat);
        let Some(reference) = keeper.take(self, size) else { return Some(Inserted::Full) };
        self.entry(reference).create(flow, now);
        let forward = Slot::new(Direction::Forward, reference);
        if !self.index.insert(flow.hash, forward) {
            keeper.give(self, reference, size);
            return Some(Inserted::Full);
        }
        let outcome = if !self.is_alone(flow.hash, forward, flow.tuple, endpoints) {
            Err(None)
        } else if flow.two_way {
            self.insert_return(reference, endpoints)
        } else {
            Ok(())
        };
        let Err(why) = outcome else { return Some(Inserted::Created(reference)) };
        self.index.remove(flow.hash, forward);
        keeper.retire(self, reference, size);
        // Before the tuple is looked for again: of two that step back from each other, one sees at least that
        // the other has. Otherwise both might find the other's flow, which is gone.
        fence(Ordering::SeqCst);
        why
    }

    /// An error as [`Self::try_insert`] tells it.
    fn insert_return(&self, reference: EntryRef, endpoints: &impl Endpoints) -> Result<(), Option<Inserted>> {
        let entry = self.entry(reference);
        let Some(tuple) = entry.return_tuple(endpoints) else { return Err(Some(Inserted::TupleInUse)) };
        let hash = self.hash(&tuple);
        if let Some(found) = self.find(hash, &tuple, endpoints) {
            // A flow that is closing gives way, as it does to a SYN of its own tuple; so does one that has ended.
            let other = self.entry(found.entry);
            if !other.state().is_closing() && !other.seen().is_unlinked() {
                return Err(Some(Inserted::TupleInUse));
            }
            self.end(found.entry, endpoints);
        }
        let slot = Slot::new(Direction::Return, reference);
        if !self.index.insert(hash, slot) {
            return Err(Some(Inserted::Full));
        }
        // Read behind the fence of `is_alone`: who has ended the flow meanwhile either is seen here, or sees
        // the slot. Otherwise the slot would keep the tuple from others until the owner sweeps.
        if !self.is_alone(hash, slot, &tuple, endpoints) || entry.seen().is_unlinked() {
            self.index.remove(hash, slot);
            return Err(None);
        }
        Ok(())
    }

    /// Whether no other word leads to the same tuple.
    ///
    /// Two workers that insert one tuple at the same moment each put their word in first and look
    /// second. The fence makes at least one of them see the other's word; whoever does steps back. If
    /// both do, both try again, a bounded number of times.
    fn is_alone(&self, hash: FlowHash, own: Slot, tuple: &Tuple, endpoints: &impl Endpoints) -> bool {
        fence(Ordering::SeqCst);
        !self.index.candidates(hash).any(|slot| slot != own && self.is_of(slot, tuple, endpoints))
    }
}
