//! A bucket of the index: a cache line of eight words with twelve places.
//!
//! | words | |
//! | --- | --- |
//! | 0, and the lower half of 1 | tags, a byte each: bits of the hash; 0 is a free place |
//! | the upper half of 1 | how many tuples belong here first and are elsewhere, because the bucket was full when they came |
//! | 2 to 7 | slots, two in a word: a direction and an entry's number; 0 is free |
//!
//! All tags are compared at once, without a branch per place; where none fits and nobody went elsewhere,
//! one line has said that the tuple is unknown.
//!
//! A place is taken by putting its tag in, by compare-and-swap, and says something from when its slot is
//! stored. Who takes it out empties the slot first, by compare-and-swap, so that one alone does, and frees the
//! place by clearing the tag. A tag is only a hint: who follows it compares the exact tuple.

use super::entry::Direction;
use super::key::FlowHash;
use super::slab::EntryRef;
use crate::mem::equal_bytes;
use crate::sync::AtomicU64;
use crate::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Words of a bucket: one cache line.
pub(super) const WORDS: usize = 8;
/// Tags in the words that have some.
const TAGS: [u32; 2] = [8, 4];
/// The first word of slots.
const SLOTS: usize = 2;
/// Places of a bucket.
pub(super) const PLACES: usize = 2 * (WORDS - SLOTS);
/// One tuple that is elsewhere, in the word that counts them.
pub(super) const ONE_ELSEWHERE: u64 = 1 << 32;
/// How often a word is changed anew because another worker has changed it.
const TRIES: usize = 64;

const _: () = assert!(PLACES == (TAGS[0] + TAGS[1]) as usize, "a tag for each place");

/// What a place of the index says. Zero: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(u32);

impl Slot {
    const RETURN: u32 = 1 << 31;

    pub(super) fn new(direction: Direction, entry: EntryRef) -> Self {
        let direction = if direction == Direction::Return { Self::RETURN } else { 0 };
        Self(direction | entry.number())
    }

    pub(super) fn is_somebody(self) -> bool {
        self.0 != 0
    }

    #[inline(always)]
    pub(super) fn direction(self) -> Direction {
        if self.0 & Self::RETURN != 0 { Direction::Return } else { Direction::Forward }
    }

    #[inline(always)]
    pub(super) fn entry(self) -> EntryRef {
        EntryRef::from_number(self.0 & (Self::RETURN - 1))
    }
}

/// A view of a bucket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket<'i>(pub(super) &'i [AtomicU64; WORDS]);

impl<'i> Bucket<'i> {
    /// The tag of a hash; never 0.
    #[inline(always)]
    pub(super) fn tag(hash: FlowHash) -> u8 {
        ((hash.0 >> 56) as u8).max(1)
    }

    pub(super) fn elsewhere(self) -> &'i AtomicU64 {
        &self.0[1]
    }

    /// Whether whatever belongs here is here.
    #[inline(always)]
    pub(super) fn is_complete(self) -> bool {
        self.elsewhere().load(Acquire) < ONE_ELSEWHERE
    }

    /// The slots under the tag of `hash`.
    #[inline(always)]
    pub(super) fn matches(self, hash: FlowHash) -> impl Iterator<Item = Slot> {
        let [low, high] = [0, 1].map(|word| self.0[word].load(Acquire));
        let found = equal_bytes(low, high, Self::tag(hash)) & ((1 << PLACES) - 1);
        Places(found).map(move |place| self.slot(place))
    }

    /// Acquire pairs with the Release of `insert`: who sees the slot sees the entry behind it.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a half of the word")]
    pub(super) fn slot(self, place: usize) -> Slot {
        let word = self.0[(SLOTS + place / 2) & (WORDS - 1)].load(Acquire);
        Slot((word >> half(place)) as u32)
    }

    pub(super) fn insert(self, hash: FlowHash, slot: Slot) -> bool {
        let tag = Self::tag(hash);
        let Some(place) = (0..TAGS.len()).find_map(|word| self.take_place(word, tag)) else { return false };
        // The half of a free place is 0.
        self.0[SLOTS + place / 2].fetch_or(u64::from(slot.0) << half(place), Release);
        true
    }

    /// A place whose tag is in that word.
    fn take_place(self, word: usize, tag: u8) -> Option<usize> {
        let mut tags = self.0[word].load(Relaxed);
        for _ in 0..TRIES {
            let at = (0..TAGS[word]).find(|at| tags >> (8 * at) & 0xff == 0)?;
            // Acquire pairs with the Release of `remove`: the slot of a free place is empty.
            match self.0[word].compare_exchange(tags, tags | u64::from(tag) << (8 * at), AcqRel, Relaxed) {
                Ok(_) => return Some(8 * word + at as usize),
                Err(now) => tags = now,
            }
        }
        None
    }

    pub(super) fn remove(self, slot: Slot) -> bool {
        let Some(place) = (0..PLACES).find(|place| self.slot(*place) == slot && self.empty(*place, slot))
        else {
            return false;
        };
        self.0[place / 8].fetch_and(!(0xff << (8 * (place % 8))), Release);
        true
    }

    /// Empties a slot; `false`: another worker has done so.
    fn empty(self, place: usize, slot: Slot) -> bool {
        let word = &self.0[SLOTS + place / 2];
        let without = |word: u64| {
            let is_there = word >> half(place) & 0xffff_ffff == u64::from(slot.0);
            is_there.then_some(word & !(0xffff_ffff << half(place)))
        };
        word.fetch_update(AcqRel, Relaxed, without).is_ok()
    }
}

/// Where in its word the slot of a place is.
#[inline(always)]
fn half(place: usize) -> u32 {
    if place.is_multiple_of(2) { 0 } else { 32 }
}

/// The places that are set.
#[derive(Debug, Clone, Copy)]
struct Places(u32);

impl Iterator for Places {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        (self.0 != 0).then(|| {
            let place = self.0.trailing_zeros() as usize;
            self.0 &= self.0 - 1;
            place
        })
    }
}
