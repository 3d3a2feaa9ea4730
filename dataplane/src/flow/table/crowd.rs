//! Buckets that are full, without as many flows.

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
}
