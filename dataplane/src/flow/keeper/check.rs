//! What a keeper has in its hands.

use super::*;

impl Keeper {
    /// Entries that are not free: of flows, and of those that wait.
    pub(in crate::flow) fn used(&self) -> usize {
        let used = self.blocks.iter().map(|block| block.granted - block.free_count());
        used.sum::<u32>() as usize
    }

    /// Entries that wait until nobody can hold them.
    pub(in crate::flow) fn waiting(&self) -> usize {
        self.waiting.len() + self.unmarked.len()
    }
}
