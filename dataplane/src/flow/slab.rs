//! The entries' memory, and the blocks in which workers take it.
//!
//! A block holds 256 narrow entries, 128 wide ones or 64 extended ones (see [`entry`](super::entry) for what flows
//! have which); it becomes one of these when a worker takes it, and can change when it comes back empty: an ended flow's room serves its own size at once, and others when its whole
//! block is free. Free blocks are bits of a bitmap,
//! the lowest taken first, so that a table that is little used stays dense. Taking or giving back a
//! block happens once in a few hundred flows.
//!
//! How many flows there may be is not for the slab to say (see [`admission`](crate::admission)); it has room for
//! all of them and for what is in no flow's hands. That is, for each worker and size, a block that is
//! being filled and up to two free blocks' worth that the worker keeps; and the entries in limbo, of
//! flows that have ended and of which somebody may still hold a number. Not in this sum are blocks
//! that a few flows keep from being given back to other workers, or from being cut to another size: where
//! IPv4 flows fill the table, they have the room twice over; where more than half of it are of the
//! extended size, or load moves between workers or families faster than flows end, the slab may be
//! full before the table is.

use super::entry::{EXTENDED, Entry, NARROW, WIDE};
use super::kind::Kind;
use crate::limits::LIMBO;
use crate::mem::{Words, prefetch};
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Units of 32 bytes in a block. In models as few as there can be: each word costs time there.
const BLOCK_UNITS: u32 = if cfg!(loom) { 4 } else { 256 };
/// Words after the last block, so that a view of the largest entry fits behind the last narrow one.
const PADDING: usize = EXTENDED;

/// An entry that is not in use.
fn nobody<'n>() -> &'n [AtomicU32; EXTENDED] {
    #[cfg(not(loom))]
    static NOBODY: [AtomicU32; EXTENDED] = [const { AtomicU32::new(0) }; EXTENDED];
    #[cfg(loom)]
    loom::lazy_static! {
        static ref NOBODY: [AtomicU32; EXTENDED] = std::array::from_fn(|_| AtomicU32::new(0));
    }
    &NOBODY
}

/// The number of an entry: its place in units of 32 bytes. Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryRef(u32);

impl EntryRef {
    #[cfg(test)]
    pub(crate) const NOBODY: Self = Self(0);

    #[inline(always)]
    pub(super) fn from_number(number: u32) -> Self {
        Self(number)
    }

    #[inline(always)]
    pub(super) fn number(self) -> u32 {
        self.0
    }

    pub(super) fn block(self) -> BlockId {
        BlockId(self.0 / BLOCK_UNITS)
    }

    /// The block it is in, and its place there.
    pub(super) fn place(self, size: Size) -> (BlockId, u32) {
        (BlockId(self.0 / BLOCK_UNITS), self.0 % BLOCK_UNITS / size.units())
    }
}

/// The number of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockId(u32);

impl BlockId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }

    pub(super) fn entry(self, place: u32, size: Size) -> EntryRef {
        EntryRef(self.0 * BLOCK_UNITS + place * size.units())
    }
}

/// What a block is cut into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Narrow,
    Wide,
    Extended,
}

impl Size {
    /// How many sizes there are.
    pub(super) const COUNT: usize = 3;

    /// What a flow of that kind needs.
    #[inline(always)]
    pub(super) fn of(kind: Kind) -> Self {
        let words = kind.words();
        if words <= NARROW {
            Self::Narrow
        } else if words <= WIDE {
            Self::Wide
        } else {
            Self::Extended
        }
    }

    fn units(self) -> u32 {
        match self {
            Self::Narrow => 1,
            Self::Wide => 2,
            Self::Extended => 4,
        }
    }

    /// Entries of a block.
    pub(super) fn per_block(self) -> u32 {
        BLOCK_UNITS / self.units()
    }
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Slab {
    words: Words<AtomicU32>,
    free_blocks: Box<[AtomicU64]>,
    blocks: usize,
}

impl Slab {
    /// Blocks for `flows` flows, and for what workers have in hand beside them: see the module's head.
    /// Block 0 is left out, so that no entry has the number 0.
    pub(super) fn blocks(flows: usize, workers: usize) -> usize {
        const IN_HAND: usize = 3;
        if cfg!(loom) {
            // Enough for narrow entries, and one block for each worker.
            return flows.div_ceil(Size::Narrow.per_block() as usize).max(workers) + 1;
        }
        let per_block = Size::Wide.per_block() as usize;
        // Those that wait for a grace period, and those that came after it had begun.
        let limbo = (2 * LIMBO).div_ceil(per_block);
        flows.div_ceil(per_block) + (IN_HAND * Size::COUNT + limbo) * workers.max(1) + 1
    }

    /// Bytes of that.
    pub(super) fn bytes(blocks: usize) -> usize {
        (blocks * BLOCK_UNITS as usize * NARROW + PADDING) * size_of::<u32>()
    }

    /// Words of that.
    pub(super) fn words(blocks: usize) -> usize {
        Self::bytes(blocks) / size_of::<u32>()
    }

    pub(super) fn new(words: Words<AtomicU32>, flows: usize, workers: usize) -> Self {
        let blocks = Self::blocks(flows, workers);
        let free = |word: usize| {
            let bits = blocks.saturating_sub(word * 64).min(64);
            u64::MAX.checked_shr(64 - u32::try_from(bits).unwrap_or(64)).unwrap_or(0)
        };
        let free_blocks: Box<[_]> = (0..blocks.div_ceil(64)).map(|w| AtomicU64::new(free(w))).collect();
        free_blocks[0].fetch_and(!1, Ordering::Relaxed);
        Self { words, free_blocks, blocks }
    }

    pub(super) fn block_count(&self) -> usize {
        self.blocks
    }

    /// The entry of that number; a number that nobody gave out reads as an entry not in use.
    #[inline(always)]
    pub(super) fn entry(&self, entry: EntryRef) -> Entry<'_> {
        let start = entry.0 as usize * NARROW;
        let words = self.words.get(start..start + EXTENDED);
        Entry(words.and_then(|words| words.try_into().ok()).unwrap_or_else(nobody))
    }

    /// Starts loading an entry.
    #[inline(always)]
    pub(super) fn prefetch(&self, entry: EntryRef) {
        if let Some(word) = self.words.get(entry.0 as usize * NARROW) {
            prefetch(word);
        }
    }

    /// Takes a free block.
    pub(super) fn take_block(&self) -> Option<BlockId> {
        for (place, word) in (0_u32..).zip(&self.free_blocks) {
            let mut bits = word.load(Ordering::Relaxed);
            while bits != 0 {
                let bit = bits.trailing_zeros();
                // Acquire pairs with the Release of `give_block`: the former owner is done with it.
                let before = word.fetch_and(!(1 << bit), Ordering::Acquire);
                if before & 1 << bit != 0 {
                    return Some(BlockId(place * 64 + bit));
                }
                bits = before & !(1 << bit);
            }
        }
        None
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn free_block_count(&self) -> usize {
        self.free_blocks.iter().map(|word| word.load(Ordering::Relaxed).count_ones() as usize).sum()
    }

    /// Gives an empty block back.
    pub(super) fn give_block(&self, block: BlockId) {
        self.free_blocks[block.index() / 64].fetch_or(1 << (block.0 % 64), Ordering::Release);
    }
}
