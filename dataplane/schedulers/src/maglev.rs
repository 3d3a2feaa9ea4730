//! Maglev's consistent hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network
//! Load Balancer", NSDI 2016, section 3.4), with weights.
//!
//! Every backend has its own permutation of the slots; in turn each takes its next free one until
//! none is left. With weights a backend's turn comes when its weights of the rounds so far add up
//! to the largest weight, so that heavy and light backends interleave. The permutation depends on the
//! backend's name and the cluster's name alone, and backends are ordered by name: every box of a
//! group builds the same table whatever the order in its file.
//!
//! The table is first filled with all backends as they are when they are up and warm. Who is down then gives
//! its slots away, and who is warming up a part of them; they are taken in turn as before. So a backend that
//! goes, or comes back, moves the flows of its own slots and no others. When one leaves the file,
//! about one flow in a hundred moves beside its own.

use super::{Candidate, Recipe};
use crate::limits::MAGLEV_SLOTS;
use penstock_types::BackendId;

/// A filled table.
pub(super) struct Maglev {
    members: Box<[(BackendId, bool)]>,
    slots: Slots,
    fallback: bool,
}

/// Places in `members`, as small as they can be: a table is to stay in a core's caches.
enum Slots {
    Narrow(Box<[u8]>),
    Wide(Box<[u16]>),
}

const EMPTY: u16 = u16::MAX;

/// Between the last free slots a walk passes thousands of taken ones. When so few are left that sorting them for each
/// backend is less, they are taken in the order in which its walk would come to them: of this many slots for each
/// backend, one.
const SORTED: usize = 12;

/// Slots of a walk that are looked at at once: a power of two, of which each half is looked at by itself.
const LOOK: usize = 32;

impl Maglev {
    /// `candidates` are ordered by name, have weights above 0 when they are warm, and one of them has now.
    pub(super) fn new(candidates: &[Candidate], recipe: &Recipe) -> Self {
        let candidates = &candidates[..candidates.len().min(usize::from(EMPTY))];
        let fits = MAGLEV_SLOTS.iter().find(|(backends, _)| candidates.len() <= *backends);
        let mut slots = vec![EMPTY; fits.map_or(MAGLEV_SLOTS[0].1, |(_, slots)| *slots)];
        let seed = stable_hash(0, recipe.cluster.as_bytes());
        let mut turns: Vec<_> = candidates.iter().map(|c| Turns::new(seed, slots.len(), c)).collect();
        let everything = slots.len();
        fill(&mut slots, everything, &mut turns, |turn| turn.full);
        if recipe.fallback {
            let given = (0..).zip(&turns).map(|(own, turn)| turn.give(&mut slots, own)).sum();
            turns.iter_mut().for_each(|turn| turn.credit = 0);
            fill(&mut slots, given, &mut turns, |turn| turn.weight);
        }
        let is_narrow = candidates.len() <= usize::from(u8::MAX) + 1;
        Self {
            members: candidates.iter().map(|c| (c.id, c.weight > 0)).collect(),
            slots: match is_narrow {
                true => Slots::Narrow(slots.iter().map(|slot| slot.to_le_bytes()[0]).collect()),
                false => Slots::Wide(slots.into()),
            },
            fallback: recipe.fallback,
        }
    }

    pub(super) fn falls_back(&self) -> bool {
        self.fallback
    }

    fn place(&self, slot: usize) -> usize {
        match &self.slots {
            Slots::Narrow(slots) => usize::from(slots[slot]),
            Slots::Wide(slots) => usize::from(slots[slot]),
        }
    }

    fn len(&self) -> usize {
        match &self.slots {
            Slots::Narrow(slots) => slots.len(),
            Slots::Wide(slots) => slots.len(),
        }
    }

    /// The backend of `hash`: its high bits pick the slot by multiplication, no division. `None`: it is down, and
    /// nobody stands in for it.
    #[expect(clippy::cast_possible_truncation, reason = "below the number of slots")]
    pub(super) fn choose(&self, hash: u64) -> Option<BackendId> {
        let slot = (u128::from(hash) * self.len() as u128) >> 64;
        let (id, is_up) = self.members[self.place(slot as usize)];
        is_up.then_some(id)
    }
}

impl std::fmt::Debug for Maglev {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Maglev({} backends, {} slots)", self.members.len(), self.len())
    }
}

/// Fills `free` empty slots, each in its turn.
fn fill(slots: &mut [u16], mut free: usize, turns: &mut [Turns], weight: impl Fn(&Turns) -> u32) {
    let heaviest = turns.iter().map(&weight).max().unwrap_or(0);
    let few = slots.len() / (SORTED * turns.len().max(1));
    turns.iter_mut().for_each(Turns::begin);
    while free > 0 && heaviest > 0 {
        if free <= few && turns[0].last.is_none() {
            let empty: Vec<_> = (0..slots.len()).filter(|slot| slots[*slot] == EMPTY).collect();
            turns.iter_mut().for_each(|turn| turn.last = Some(turn.order(&empty, slots.len()).into_iter()));
        }
        for (place, turn) in (0_u16..).zip(&mut *turns) {
            turn.credit += weight(turn);
            if turn.credit < heaviest || free == 0 {
                continue;
            }
            turn.credit -= heaviest;
            let slot = turn.next_free(slots);
            slots[slot] = place;
            turn.taken += 1;
            free -= 1;
        }
    }
    turns.iter_mut().for_each(|turn| turn.last = None);
}

/// One backend's walk over its permutation of the slots.
struct Turns {
    weight: u32,
    full: u32,
    credit: u32,
    first: usize,
    slot: usize,
    skip: usize,
    taken: usize,
    /// What its walk comes to next.
    ahead: Ahead,
    /// The last free slots, in the order in which it comes to them.
    last: Option<std::vec::IntoIter<usize>>,
}

impl Turns {
    fn new(seed: u64, slots: usize, candidate: &Candidate) -> Self {
        let reduce = |hash: u64, n: usize| usize::try_from(hash % n as u64).unwrap_or(0);
        let offset = stable_hash(seed ^ 0x6f66_6673_6574, candidate.name.as_bytes());
        let skip = stable_hash(seed ^ 0x736b_6970, candidate.name.as_bytes());
        let first = reduce(offset, slots);
        Self {
            weight: u32::from(candidate.weight),
            full: u32::from(candidate.at_best()),
            credit: 0,
            first,
            slot: first,
            skip: reduce(skip, slots - 1) + 1,
            taken: 0,
            ahead: Ahead::default(),
            last: None,
        }
    }

    /// Before a fill: slots may have been given away.
    fn begin(&mut self) {
        self.ahead = Ahead { slot: self.slot, ..Ahead::default() };
    }

    fn step(&self, slot: usize, slots: usize) -> usize {
        let next = slot + self.skip;
        if next >= slots { next - slots } else { next }
    }

    /// Ends, because the number of slots is prime (the walk visits every slot) and one is free.
    fn next_free(&mut self, slots: &[u16]) -> usize {
        let is_free = |slot: &usize| slots[*slot] == EMPTY;
        let sorted = self.last.as_mut().and_then(|last| last.find(is_free));
        let slot = sorted.unwrap_or_else(|| {
            loop {
                match self.ahead.next() {
                    Some(slot) if is_free(&slot) => break slot,
                    Some(_) => {}
                    None => self.ahead.look(slots, self.skip),
                }
            }
        });
        self.slot = self.step(slot, slots.len());
        slot
    }

    /// Slots in the order in which the walk comes to them. Its n-th step from here is to `slot + n * skip` modulo the
    /// number of slots, so that n is the way to a slot times the inverse of `skip`.
    fn order(&self, of: &[usize], slots: usize) -> Vec<usize> {
        let inverse = power(self.skip, slots - 2, slots);
        let step = |slot: usize| {
            let way = if slot < self.slot { slot + slots - self.slot } else { slot - self.slot };
            way * inverse % slots
        };
        // Step and slot in one word, which sorts faster than a pair.
        let mut order: Vec<_> = of.iter().map(|slot| step(*slot) << 32 | slot).collect();
        order.sort_unstable();
        order.iter_mut().for_each(|word| *word &= 0xffff_ffff);
        order
    }

    /// Empties those of its slots that it took last, as many as it has too many for its weight; how many.
    fn give(&self, slots: &mut [u16], own: u16) -> usize {
        let kept = self.taken * self.weight as usize / self.full.max(1) as usize;
        let (mut slot, mut passed, mut given) = (self.first, 0, 0);
        for _ in 0..slots.len() {
            if given + kept >= self.taken {
                break;
            }
            if slots[slot] == own {
                passed += 1;
                if passed > kept {
                    slots[slot] = EMPTY;
                    given += 1;
                }
            }
            slot = self.step(slot, slots.len());
        }
        given
    }
}

/// Slots of a walk that were free when it was looked at last. Looking at several at once has no branch that could be
/// guessed wrong, which is most of what a walk slot by slot takes.
struct Ahead {
    /// Where the walk is to be looked at next.
    slot: usize,
    free: [u32; LOOK],
    next: usize,
    found: usize,
}

impl Default for Ahead {
    fn default() -> Self {
        Self { slot: 0, free: [0; LOOK], next: 0, found: 0 }
    }
}

impl Ahead {
    fn next(&mut self) -> Option<usize> {
        let slot = *self.free[..self.found].get(self.next)?;
        self.next += 1;
        Some(slot as usize)
    }

    fn look(&mut self, slots: &[u16], skip: usize) {
        (self.next, self.found) = (0, 0);
        // Two walks of every other slot: neither waits for the other's place.
        let step = |slot: usize, by: usize| (slot + by).min((slot + by).wrapping_sub(slots.len()));
        let double = step(skip, skip);
        let mut places = [self.slot, step(self.slot, skip)];
        for _ in 0..LOOK / 2 {
            for slot in &mut places {
                // Never beyond the end: as many looks as there is room.
                #[expect(clippy::cast_possible_truncation, reason = "there are less than a million slots")]
                let place = *slot as u32;
                self.free[self.found % LOOK] = place;
                self.found += usize::from(slots[*slot] == EMPTY);
                *slot = step(*slot, double);
            }
        }
        self.slot = places[0];
    }
}

/// `base` to the power of `exponent`, modulo `prime`: with `prime - 2`, the inverse (Fermat).
fn power(mut base: usize, mut exponent: usize, prime: usize) -> usize {
    let mut power = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = power * base % prime;
        }
        base = base * base % prime;
        exponent >>= 1;
    }
    power
}

/// A hash that never changes between versions or machines: FNV-1a, its bits then spread.
pub(super) fn stable_hash(seed: u64, bytes: &[u8]) -> u64 {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    spread(seed.to_le_bytes().iter().chain(bytes).fold(0xcbf2_9ce4_8422_2325, fnv))
}

/// Makes every bit of the result depend on every bit of `word`: the finaliser of SplitMix64.
#[inline(always)]
pub(super) fn spread(word: u64) -> u64 {
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[cfg(test)]
mod tests;
