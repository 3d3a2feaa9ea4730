//! Putting a new flow in.

use super::bucket::Slot;
use super::entry::Direction;
use super::keeper::Keeper;
use super::key::{FlowHash, Tuple};
use super::kind::Kind;
use super::nat::Nat;
use super::slab::{EntryRef, Size};
use super::table::{Endpoints, FlowTable, Found};
use super::tcp_state::Seen;
use crate::limits::INSERT_TRIES;
use crate::sync::{Ordering, fence};
use crate::types::{BackendId, Protocol, Tick};
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
    /// Where the box makes the handshake: how that begins.
    pub(crate) handshake: Option<[u32; 5]>,
}

impl NewFlow<'_> {
    /// Whether it is met when it is closing already.
    pub(crate) fn is_closing(&self) -> bool {
        Seen::at_birth(self.tuple.protocol, self.flags).counts_as_closing()
    }
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
            if let Some(outcome) = self.try_insert(keeper, flow, endpoints, now) {
                return outcome;
            }
            if let Some(found) = self.find(flow.hash, flow.tuple, endpoints) {
                return Inserted::Existing(found);
            }
        }
        Inserted::Full
    }

    /// One try; `None`: the same tuple is in the table, or was when this came.
    fn try_insert(
        &self,
        keeper: &mut Keeper,
        flow: &NewFlow<'_>,
        endpoints: &impl Endpoints,
        now: Tick,
    ) -> Option<Inserted> {
        let kind = Kind::new(flow);
        let size = Size::of(kind);
        let Some(reference) = keeper.take(self, size) else { return Some(Inserted::Full) };
        let entry = self.entry(reference);
        entry.create(kind, flow, now);
        if flow.tuple.protocol == Protocol::Tcp {
            // Of the flow before in this entry.
            self.sequences.forget(reference);
        }
        // Its bucket loads while the other direction gets in.
        let back = flow.two_way.then(|| entry.return_tuple(endpoints)).flatten().map(|tuple| {
            let hash = self.hash(&tuple);
            self.index.prefetch(hash);
            (hash, tuple)
        });
        if flow.two_way && back.is_none() {
            keeper.give(self, reference, size);
            return Some(Inserted::TupleInUse);
        }
        let forward = Slot::new(Direction::Forward, reference);
        if !self.index.insert(flow.hash, forward) {
            keeper.give(self, reference, size);
            return Some(Inserted::Full);
        }
        if !self.is_alone(flow.hash, forward, flow.tuple, endpoints) {
            self.step_back(flow.hash, forward);
            keeper.retire(self, reference, size);
            return None;
        }
        if let Some((hash, tuple)) = back
            && let Err(why) = self.insert_return(reference, hash, &tuple, endpoints)
        {
            self.step_back(flow.hash, forward);
            keeper.retire(self, reference, size);
            return why;
        }
        keeper.began(reference, now);
        Some(Inserted::Created(reference))
    }

    /// An error as [`Self::try_insert`] tells it.
    fn insert_return(
        &self,
        reference: EntryRef,
        hash: FlowHash,
        tuple: &Tuple,
        endpoints: &impl Endpoints,
    ) -> Result<(), Option<Inserted>> {
        let slot = Slot::new(Direction::Return, reference);
        for _ in 0..INSERT_TRIES {
            if !self.index.insert(hash, slot) {
                return Err(Some(Inserted::Full));
            }
            let is_alone = self.is_alone(hash, slot, tuple, endpoints);
            // Read behind the fence of `is_alone`: who has ended the flow meanwhile either is seen here, or sees the
            // slot. Otherwise the slot would keep the tuple from others until the owner sweeps.
            let has_ended = self.entry(reference).seen().is_unlinked();
            if is_alone && !has_ended {
                return Ok(());
            }
            self.step_back(hash, slot);
            if has_ended {
                return Err(None);
            }
            match self.find(hash, tuple, endpoints) {
                Some(found) if self.gives_way(found.entry) => self.end(found.entry, endpoints),
                Some(_) => return Err(Some(Inserted::TupleInUse)),
                None => {}
            }
        }
        Err(Some(Inserted::TupleInUse))
    }

    /// Whether another flow than that of `tuple` has the return tuple `back`, and keeps it. An insert finds the same.
    pub(crate) fn is_in_use(&self, tuple: &Tuple, back: &Tuple, endpoints: &impl Endpoints) -> bool {
        self.find(self.hash(back), back, endpoints).is_some_and(|found| {
            !self.gives_way(found.entry) && self.entry(found.entry).forward_tuple() != *tuple
        })
    }

    /// A flow gives way that is proven to be over or was broken off in its handshake, as it does to a SYN of its own
    /// tuple; and so does one that has ended, half of which may still be there. One of which one side has finished does
    /// not, for the answer is still to come; nor one whose end can have been forged, for a segment to another virtual IP
    /// would end it then.
    fn gives_way(&self, reference: EntryRef) -> bool {
        let entry = self.entry(reference);
        let (seen, one_way) = (entry.seen(), !entry.is_two_way());
        let is_broken = seen.is_over(one_way) && (one_way || !seen.is_established());
        entry.is_over() || is_broken || seen.is_unlinked()
    }

    /// Takes a word out that others may have seen, before the tuple is looked for again: of two that step back from
    /// each other, the fence makes one at least see that the other has. Otherwise both might find the other's
    /// flow, and none be in the table.
    fn step_back(&self, hash: FlowHash, own: Slot) {
        self.index.remove(hash, own);
        fence(Ordering::SeqCst);
    }

    /// Whether no other word leads to the same tuple.
    ///
    /// Two workers that insert one tuple at the same moment each put their word in first and look
    /// second. The fence makes at least one of them see the other's word; whoever does steps back. If
    /// both do, both try again, a bounded number of times.
    fn is_alone(&self, hash: FlowHash, own: Slot, tuple: &Tuple, endpoints: &impl Endpoints) -> bool {
        fence(Ordering::SeqCst);
        !self.index.has(hash, |slot| slot != own && self.is_of(slot, tuple, endpoints))
    }
}
