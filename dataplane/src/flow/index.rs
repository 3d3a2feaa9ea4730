//! From a tuple's hash to the number of its entry.

use super::bucket::{Bucket, ONE_ELSEWHERE, PLACES, Slot, WORDS};
use super::key::FlowHash;
use crate::mem::{Words, prefetch};
use crate::sync::AtomicU64;
use crate::sync::Ordering::AcqRel;

/// Places of the index per flow of the table: two directions at half load. At that load about 2 % of the
/// buckets are full: in a thousand tuples two are in their second bucket, and one in a million in its third.
const PLACES_PER_FLOW: usize = 4;

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

    /// Whether one of [`Self::candidates`] is wanted, in the same order. Every new flow asks this, so it is written out:
    /// what the compiler makes of a chain of iterators changes with code elsewhere.
    #[inline(always)]
    pub(super) fn has(&self, hash: FlowHash, is_wanted: impl Fn(Slot) -> bool) -> bool {
        let Home { first, others } = self.home(hash);
        let first = self.bucket(first);
        first.matches(hash).any(&is_wanted)
            || !first.is_complete()
                && others.into_iter().any(|number| self.bucket(number).matches(hash).any(&is_wanted))
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
        buckets
            .flat_map(|bucket| (0..PLACES).map(move |place| bucket.slot(place)))
            .filter(|slot| slot.is_somebody())
    }
}

#[cfg(test)]
mod check;
