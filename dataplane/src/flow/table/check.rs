//! What must hold of a table while nobody changes it.

use std::collections::HashSet;

use super::*;
use crate::flow::bucket::PLACES;

/// A place that leads nowhere, for whoever is in a bucket only to fill it.
fn filler() -> Slot {
    Slot::new(Direction::Return, EntryRef::from_number(0))
}

/// What belongs into the same bucket first, under another tag.
fn beside(hash: FlowHash) -> FlowHash {
    FlowHash(hash.0 ^ 1 << 60)
}

impl FlowTable {
    /// Fills the bucket that `tuple` belongs into first.
    pub(in crate::flow) fn crowd(&self, tuple: &Tuple) {
        let hash = beside(self.hash(tuple));
        assert!((0..PLACES).all(|_| self.index.insert(hash, filler())));
    }

    /// Takes out one of those who fill the bucket.
    pub(in crate::flow) fn uncrowd(&self, tuple: &Tuple) -> bool {
        self.index.remove(beside(self.hash(tuple)), filler())
    }

    /// Panics unless each place of the index leads to a live entry, no two to one tuple, and each entry has all
    /// its places. Returns how many flows there are.
    pub(in crate::flow) fn check(&self, endpoints: &impl Endpoints) -> usize {
        let tuple_of = |slot: Slot| {
            let entry = self.entry(slot.entry());
            match slot.direction() {
                Direction::Forward => entry.forward_tuple(),
                Direction::Return => entry.return_tuple(endpoints).unwrap(),
            }
        };
        self.index.check(|slot| self.hash(&tuple_of(slot)));
        let (mut tuples, mut flows, mut places) = (HashSet::new(), 0, 0);
        for slot in self.index.slots() {
            let (tuple, entry) = (tuple_of(slot), self.entry(slot.entry()));
            assert!(entry.is_live(), "{slot:?} leads nowhere");
            assert!(!entry.seen().is_unlinked(), "{slot:?} leads to a flow that has ended");
            assert!(tuples.insert(tuple), "{tuple:?} is in the table twice");
            assert_eq!(self.find(self.hash(&tuple), &tuple, endpoints), Some(self.found(slot)));
            if slot.direction() == Direction::Forward {
                flows += 1;
                places += if entry.is_two_way() { 2 } else { 1 };
            }
        }
        assert_eq!(tuples.len(), places, "places of {flows} flows");
        flows
    }
}
