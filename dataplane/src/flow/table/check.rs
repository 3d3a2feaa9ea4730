//! What must hold of a table while nobody changes it.

use std::collections::HashSet;

use super::*;

impl FlowTable {
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
