//! A block of entries in a worker's hands.

use super::slab::{BlockId, EntryRef, Size};

/// A block and which of its entries are free, as bits.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) id: BlockId,
    pub(super) size: Size,
    free: [u64; 4],
}

/// Places that one step of the sweep looks at.
pub(super) const STEP: u32 = u64::BITS;

impl Size {
    /// Steps over a block.
    pub(super) fn sweep_steps(self) -> u64 {
        u64::from(self.per_block().div_ceil(STEP))
    }
}

impl Block {
    /// All of its entries free.
    pub(super) fn new(id: BlockId, size: Size) -> Self {
        let bits = |word: u32| {
            let places = size.per_block().saturating_sub(word * 64).min(64);
            u64::MAX.checked_shr(64 - places).unwrap_or(0)
        };
        Self { id, size, free: [bits(0), bits(1), bits(2), bits(3)] }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.free_count() == self.size.per_block()
    }

    pub(super) fn free_count(&self) -> u32 {
        self.free.iter().map(|bits| bits.count_ones()).sum()
    }

    pub(super) fn take(&mut self) -> Option<EntryRef> {
        let (word, bits) = (0_u32..).zip(&mut self.free).find(|(_, bits)| **bits != 0)?;
        let place = word * 64 + bits.trailing_zeros();
        *bits &= *bits - 1;
        Some(self.id.entry(place, self.size))
    }

    pub(super) fn give(&mut self, place: u32) {
        self.free[(place / 64) as usize] |= 1 << (place % 64);
    }

    pub(super) fn is_used(&self, place: u32) -> bool {
        place < self.size.per_block() && self.free[(place / 64) as usize] >> (place % 64) & 1 == 0
    }
}
