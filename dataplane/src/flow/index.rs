//! From a tuple's hash to the number of its entry.
//!
//! A bucket is a cache line of eight words; a word holds 32 bits of the hash as a tag, a direction
//! and the entry's number. Zero is a free word: no entry has the number 0. One compare-and-swap puts
//! a word in, one takes it out, and a reader sees a word whole or not at all.

use std::sync::atomic::{AtomicU64, Ordering};

use super::entry::Direction;
use super::key::FlowHash;
use super::slab::EntryRef;
use crate::mem::{Words, prefetch};

/// Words of a bucket.
const WORDS: usize = 8;
/// Words of the index per flow of the table: two directions at half load. At that load about 2 % of
/// the buckets are full, so in a hundred thousand tuples about one meets three full ones.
pub(super) const WORDS_PER_FLOW: usize = 4;

/// A word of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(u64);

impl Slot {
    const RETURN: u64 = 1 << 31;

    pub(super) fn new(hash: FlowHash, direction: Direction, entry: EntryRef) -> Self {
        let direction = if direction == Direction::Return { Self::RETURN } else { 0 };
        Self(hash.0 & !0xffff_ffff | direction | u64::from(entry.number()))
    }

    #[inline(always)]
    pub(super) fn direction(self) -> Direction {
        if self.0 & Self::RETURN != 0 { Direction::Return } else { Direction::Forward }
    }

    #[inline(always)]
    pub(super) fn entry(self) -> EntryRef {
        EntryRef::from_number((self.0 & (Self::RETURN - 1)) as u32)
    }
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Index {
    words: Words<AtomicU64>,
}

impl Index {
    /// Bytes for a table of `flows` flows.
    pub(super) fn bytes(flows: usize) -> usize {
        // An even number of buckets, so that each has its neighbour; and another pair beside it.
        (flows * WORDS_PER_FLOW).next_multiple_of(2 * WORDS).max(4 * WORDS) * size_of::<u64>()
    }

    pub(super) fn new(words: Words<AtomicU64>) -> Self {
        Self { words }
    }

    #[inline(always)]
    fn buckets(&self) -> &[[AtomicU64; WORDS]] {
        self.words.as_chunks().0
    }

    /// The buckets that a hash may be in, in this order: one, another, and that one's neighbour in
    /// memory, which processors tend to load along with it. Scaling by multiplication needs no power
    /// of two.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "halves of the hash")]
    fn places(&self, hash: FlowHash) -> [usize; 3] {
        let count = self.buckets().len() as u64;
        let (low, tag) = (hash.0 as u32, (hash.0 >> 32) as u32);
        let scaled = |bits: u32| ((u64::from(bits) * count) >> 32) as usize;
        let first = scaled(low);
        let second = scaled(low.rotate_left(16) ^ tag.wrapping_mul(0x9e37_79b1));
        // Never the first one twice: a word that is looked for twice would be found twice.
        let second = if second / 2 == first / 2 { (second + 2) % self.buckets().len() } else { second };
        [first, second, second ^ 1]
    }

    /// Starts loading the first bucket of `hash`.
    #[inline(always)]
    pub(super) fn prefetch_first(&self, hash: FlowHash) {
        prefetch(&self.buckets()[self.places(hash)[0]]);
    }

    /// Starts loading the second bucket of `hash`.
    #[inline(always)]
    pub(super) fn prefetch_second(&self, hash: FlowHash) {
        prefetch(&self.buckets()[self.places(hash)[1]]);
    }

    /// The first word with the tag of `hash` in its first bucket.
    #[inline(always)]
    pub(super) fn peek(&self, hash: FlowHash) -> Option<Slot> {
        Self::matching(&self.buckets()[self.places(hash)[0]], hash).next()
    }

    /// All words with the tag of `hash`.
    #[inline(always)]
    pub(super) fn candidates(&self, hash: FlowHash) -> impl Iterator<Item = Slot> {
        self.places(hash).into_iter().flat_map(move |place| Self::matching(&self.buckets()[place], hash))
    }

    #[inline(always)]
    fn matching(bucket: &[AtomicU64; WORDS], hash: FlowHash) -> impl Iterator<Item = Slot> {
        // Acquire pairs with the Release of `insert`: who sees the word sees the entry behind it.
        bucket
            .iter()
            .map(|word| word.load(Ordering::Acquire))
            .filter(move |word| (word ^ hash.0) >> 32 == 0 && *word != 0)
            .map(Slot)
    }

    /// Puts a word in; `false`: all its buckets are full.
    pub(super) fn insert(&self, hash: FlowHash, slot: Slot) -> bool {
        let words = self.places(hash).into_iter().flat_map(|place| &self.buckets()[place]);
        words.into_iter().any(|word| {
            word.load(Ordering::Relaxed) == 0
                && word.compare_exchange(0, slot.0, Ordering::Release, Ordering::Relaxed).is_ok()
        })
    }

    /// Takes a word out; `false`: it was not there.
    pub(super) fn remove(&self, hash: FlowHash, slot: Slot) -> bool {
        let words = self.places(hash).into_iter().flat_map(|place| &self.buckets()[place]);
        words.into_iter().any(|word| {
            word.load(Ordering::Relaxed) == slot.0
                && word.compare_exchange(slot.0, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })
    }

    /// All words, for listing.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.words.iter().map(|word| word.load(Ordering::Acquire)).filter(|word| *word != 0).map(Slot)
    }
}
