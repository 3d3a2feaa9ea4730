//! Flows that were never established make way for others.

use super::entry::Entry;
use super::keeper::{Expired, Keeper};
use super::slab::{EntryRef, Size};
use super::table::{Endpoints, FlowTable};
use crate::limits::RECYCLE_TRIES;
use crate::types::BackendId;
use crate::types::Tick;

impl Keeper {
    /// Ends the oldest of the worker's flows that was never established and whose backend is one of
    /// `those`; what has been established meanwhile, or is not theirs, is not asked again.
    pub(crate) fn recycle(
        &mut self,
        table: &FlowTable,
        endpoints: &impl Endpoints,
        those: impl Fn(BackendId) -> bool,
    ) -> Option<Expired> {
        if !self.has_limbo_for(1) {
            return None;
        }
        for _ in 0..RECYCLE_TRIES {
            let (reference, birth) = self.young.pop()?;
            let Some((entry, size)) = self.still(table, reference, birth) else { continue };
            if entry.is_young() && those(entry.backend()) {
                return Some(self.expire(table, endpoints, reference, size));
            }
        }
        None
    }

    /// A flow that this worker has begun, if it has not ended: its place may be another one's by now.
    pub(crate) fn own<'t>(&self, table: &'t FlowTable, flow: EntryRef, birth: Tick) -> Option<Entry<'t>> {
        self.still(table, flow, birth).map(|(entry, _)| entry)
    }

    /// The same, with its size.
    fn still<'t>(&self, table: &'t FlowTable, reference: EntryRef, birth: Tick) -> Option<(Entry<'t>, Size)> {
        let size = self.size_of(reference)?;
        let entry = table.entry(reference);
        let is_same = entry.is_live() && entry.birth() == birth && !entry.seen().is_unlinked();
        is_same.then_some((entry, size))
    }

    /// The size of an entry in one of this worker's blocks; `None`: it is not, or is none.
    fn size_of(&self, entry: EntryRef) -> Option<Size> {
        let at = *self.place_of.get(entry.block().index())? as usize;
        let block = self.blocks.get(at).filter(|block| block.id == entry.block())?;
        let (id, place) = entry.place(block.size);
        let is_whole = id.entry(place, block.size) == entry;
        (is_whole && block.is_used(place)).then_some(block.size)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
