//! From a tuple's hash to the number of its entry.
//!
//! A bucket is a cache line of eight words with twelve places:
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

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::entry::Direction;
use super::key::FlowHash;
use super::slab::EntryRef;
use crate::mem::{Words, equal_bytes, prefetch};

/// Words of a bucket: one cache line.
const WORDS: usize = 8;
/// Tags in the words that have some.
const TAGS: [u32; 2] = [8, 4];
/// The first word of slots.
const SLOTS: usize = 2;
/// Places of a bucket.
const PLACES: usize = 2 * (WORDS - SLOTS);
/// One tuple that is elsewhere, in the word that counts them.
const ONE_ELSEWHERE: u64 = 1 << 32;
/// Places of the index per flow of the table: two directions at half load. At that load about 2 % of the
/// buckets are full: in a thousand tuples two are in their second bucket, and one in a million in its third.
const PLACES_PER_FLOW: usize = 4;
/// How often a word is changed anew because another worker has changed it.
const TRIES: usize = 64;

const _: () = assert!(PLACES == (TAGS[0] + TAGS[1]) as usize, "a tag for each place");

/// What the first bucket of a hash says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Peeked {
    /// Nobody has that hash.
    #[default]
    Nobody,
    /// Nobody has that hash here.
    Elsewhere,
    /// This one may.
    Somebody(Slot),
}

/// What a place of the index says. Zero: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(u32);

impl Slot {
    const RETURN: u32 = 1 << 31;

    pub(super) fn new(direction: Direction, entry: EntryRef) -> Self {
        let direction = if direction == Direction::Return { Self::RETURN } else { 0 };
        Self(direction | entry.number())
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

/// See the module's head.
#[derive(Debug)]
pub(super) struct Index {
    words: Words<AtomicU64>,
}

/// The buckets that a hash may be in, in this order: one, another, and that one's neighbour in memory, which
/// processors tend to load along with it.
#[derive(Debug, Clone, Copy)]
struct Home {
    first: usize,
    others: [usize; 2],
}

impl Index {
    /// Bytes for a table of `flows` flows.
    pub(super) fn bytes(flows: usize) -> usize {
        // An even number of buckets, so that each has its neighbour; and another pair beside it.
        let buckets = (flows * PLACES_PER_FLOW).div_ceil(PLACES).next_multiple_of(2).max(4);
        buckets * WORDS * size_of::<u64>()
    }

    pub(super) fn new(words: Words<AtomicU64>) -> Self {
        Self { words }
    }

    #[inline(always)]
    fn buckets(&self) -> &[[AtomicU64; WORDS]] {
        self.words.as_chunks().0
    }

    #[inline(always)]
    fn bucket(&self, number: usize) -> Bucket<'_> {
        Bucket(&self.buckets()[number])
    }

    /// Scaling by multiplication needs no power of two.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a half of the hash")]
    fn scaled(&self, bits: u64) -> usize {
        ((u64::from(bits as u32) * self.buckets().len() as u64) >> 32) as usize
    }

    #[inline(always)]
    fn first(&self, hash: FlowHash) -> usize {
        self.scaled(hash.0)
    }

    fn home(&self, hash: FlowHash) -> Home {
        let first = self.first(hash);
        let second = self.scaled(hash.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32);
        // Never the first one twice: a slot that is looked for twice would be found twice.
        let second = if second / 2 == first / 2 { (second + 2) % self.buckets().len() } else { second };
        Home { first, others: [second, second ^ 1] }
    }

    /// Starts loading the first bucket of `hash`.
    #[inline(always)]
    pub(super) fn prefetch(&self, hash: FlowHash) {
        prefetch(&self.buckets()[self.first(hash)]);
    }

    /// Starts loading the bucket that is to be looked at when the first one has not answered.
    pub(super) fn prefetch_second(&self, hash: FlowHash) {
        prefetch(&self.buckets()[self.home(hash).others[0]]);
    }

    /// Reads the first bucket of `hash`.
    #[inline(always)]
    pub(super) fn peek(&self, hash: FlowHash) -> Peeked {
        let bucket = self.bucket(self.first(hash));
        match bucket.matches(hash).next() {
            Some(slot) => Peeked::Somebody(slot),
            None if bucket.is_complete() => Peeked::Nobody,
            None => Peeked::Elsewhere,
        }
    }

    /// All slots with the tag of `hash`.
    pub(super) fn candidates(&self, hash: FlowHash) -> impl Iterator<Item = Slot> {
        let Home { first, others } = self.home(hash);
        let first = self.bucket(first);
        // Read after the first bucket's slots: who has gone elsewhere has said so before.
        let elsewhere = std::iter::once_with(move || !first.is_complete()).filter(|elsewhere| *elsewhere);
        let others = elsewhere.flat_map(move |_| others.map(|number| self.bucket(number).matches(hash)));
        first.matches(hash).chain(others.flatten())
    }

    /// Puts a slot in; `false`: all its buckets are full.
    pub(super) fn insert(&self, hash: FlowHash, slot: Slot) -> bool {
        let Home { first, others } = self.home(hash);
        let first = self.bucket(first);
        if first.insert(hash, slot) {
            return true;
        }
        // Told before it is so: nobody may look for it here alone.
        first.elsewhere().fetch_add(ONE_ELSEWHERE, AcqRel);
        let inserted = others.into_iter().any(|number| self.bucket(number).insert(hash, slot));
        if !inserted {
            first.elsewhere().fetch_sub(ONE_ELSEWHERE, AcqRel);
        }
        inserted
    }

    /// Takes a slot out; `false`: it was not there.
    pub(super) fn remove(&self, hash: FlowHash, slot: Slot) -> bool {
        let Home { first, others } = self.home(hash);
        let first = self.bucket(first);
        if first.remove(slot) {
            return true;
        }
        let removed = others.into_iter().any(|number| self.bucket(number).remove(slot));
        if removed {
            first.elsewhere().fetch_sub(ONE_ELSEWHERE, AcqRel);
        }
        removed
    }

    /// All slots, for listing.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        let buckets = self.buckets().iter().map(Bucket);
        buckets.flat_map(|bucket| (0..PLACES).map(move |place| bucket.slot(place))).filter(|slot| slot.0 != 0)
    }
}

/// A view of a bucket.
#[derive(Debug, Clone, Copy)]
struct Bucket<'i>(&'i [AtomicU64; WORDS]);

impl<'i> Bucket<'i> {
    /// The tag of a hash; never 0.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the highest byte")]
    fn tag(hash: FlowHash) -> u8 {
        ((hash.0 >> 56) as u8).max(1)
    }

    fn elsewhere(self) -> &'i AtomicU64 {
        &self.0[1]
    }

    /// Whether whatever belongs here is here.
    #[inline(always)]
    fn is_complete(self) -> bool {
        self.elsewhere().load(Acquire) < ONE_ELSEWHERE
    }

    /// The slots under the tag of `hash`.
    #[inline(always)]
    fn matches(self, hash: FlowHash) -> impl Iterator<Item = Slot> {
        let [low, high] = [0, 1].map(|word| self.0[word].load(Acquire));
        let found = equal_bytes(low, high, Self::tag(hash)) & ((1 << PLACES) - 1);
        Places(found).map(move |place| self.slot(place))
    }

    /// Acquire pairs with the Release of `insert`: who sees the slot sees the entry behind it.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a half of the word")]
    fn slot(self, place: usize) -> Slot {
        let word = self.0[(SLOTS + place / 2) & (WORDS - 1)].load(Acquire);
        Slot((word >> half(place)) as u32)
    }

    fn insert(self, hash: FlowHash, slot: Slot) -> bool {
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

    fn remove(self, slot: Slot) -> bool {
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
