//! What a keeper has in its hands.

use super::*;

impl Keeper {
    /// Entries that are not free: of flows, and of those that wait.
    pub(in crate::flow) fn used(&self) -> usize {
        let used = self.blocks.iter().map(|block| block.size.per_block() - block.free_count());
        used.sum::<u32>() as usize
    }

    /// Flows, those that have been ended and are not yet swept among them or not.
    #[cfg(not(loom))]
    pub(in crate::flow) fn flows(&self, table: &FlowTable, with_ended: bool) -> usize {
        let entries = self.blocks.iter().flat_map(|block| {
            let used = (0..block.size.per_block()).filter(|place| block.is_used(*place));
            used.map(|place| table.entry(block.id.entry(place, block.size)))
        });
        entries.filter(|entry| entry.is_live() && (with_ended || !entry.seen().is_unlinked())).count()
    }

    #[cfg(not(loom))]
    pub(in crate::flow) fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// Entries that wait until nobody can hold them.
    pub(in crate::flow) fn waiting(&self) -> usize {
        self.waiting.len() + self.unmarked.len()
    }
}
