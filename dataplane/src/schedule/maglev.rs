//! Maglev's consistent hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network
//! Load Balancer", NSDI 2016, section 3.4), with weights.
//!
//! Every backend has its own permutation of the slots; in turn each takes its next free one until
//! none is left. With weights a backend's turn comes when its weights of the rounds so far add up
//! to the largest weight, so that heavy and light backends interleave. The permutation depends on the
//! backend's name and the cluster's name alone, and backends are ordered by name: every box of a
//! group builds the same table whatever the order in its file.

use super::Candidate;
use crate::limits::MAGLEV_SLOTS;
use crate::types::BackendId;

/// A filled table.
pub struct Maglev {
    backends: Box<[BackendId]>,
    /// Places in `backends`: two bytes, so that a table stays in a core's L2 cache.
    slots: Box<[u16]>,
}

const EMPTY: u16 = u16::MAX;

impl Maglev {
    /// `candidates` are ordered by name and have weights above 0.
    pub(super) fn new(candidates: &[Candidate], cluster: &str) -> Self {
        let candidates = &candidates[..candidates.len().min(usize::from(EMPTY))];
        let heaviest = candidates.iter().map(|c| u32::from(c.weight)).max().unwrap_or(1);
        let seed = stable_hash(0, cluster.as_bytes());
        let mut turns: Vec<_> = candidates.iter().map(|c| Turns::new(seed, c)).collect();
        let mut slots = vec![EMPTY; MAGLEV_SLOTS].into_boxed_slice();
        let mut free = MAGLEV_SLOTS;
        while free > 0 {
            for (place, turn) in (0_u16..).zip(&mut turns) {
                turn.credit += turn.weight;
                if turn.credit < heaviest || free == 0 {
                    continue;
                }
                turn.credit -= heaviest;
                slots[turn.next_free(&slots)] = place;
                free -= 1;
            }
        }
        Self { backends: candidates.iter().map(|c| c.id).collect(), slots }
    }

    pub(super) fn count(&self) -> usize {
        self.backends.len()
    }

    pub(super) fn get(&self, place: usize) -> Option<BackendId> {
        self.backends.get(place).copied()
    }

    /// The backend of `hash`: its high bits pick the slot by multiplication, no division.
    #[expect(clippy::cast_possible_truncation, reason = "below MAGLEV_SLOTS")]
    pub(super) fn choose(&self, hash: u64) -> BackendId {
        let slot = (u128::from(hash) * MAGLEV_SLOTS as u128) >> 64;
        self.backends[usize::from(self.slots[slot as usize])]
    }
}

impl std::fmt::Debug for Maglev {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Maglev({} backends)", self.backends.len())
    }
}

/// One backend's walk over its permutation of the slots.
struct Turns {
    weight: u32,
    credit: u32,
    slot: usize,
    skip: usize,
}

impl Turns {
    fn new(seed: u64, candidate: &Candidate) -> Self {
        let reduce = |hash: u64, n: usize| usize::try_from(hash % n as u64).unwrap_or(0);
        let offset = stable_hash(seed ^ 0x6f66_6673_6574, candidate.name.as_bytes());
        let skip = stable_hash(seed ^ 0x736b_6970, candidate.name.as_bytes());
        Self {
            weight: u32::from(candidate.weight),
            credit: 0,
            slot: reduce(offset, MAGLEV_SLOTS),
            skip: reduce(skip, MAGLEV_SLOTS - 1) + 1,
        }
    }

    /// Ends, because the number of slots is prime (the walk visits every slot) and one is free.
    fn next_free(&mut self, slots: &[u16]) -> usize {
        loop {
            let slot = self.slot;
            self.slot += self.skip;
            if self.slot >= MAGLEV_SLOTS {
                self.slot -= MAGLEV_SLOTS;
            }
            if slots[slot] == EMPTY {
                return slot;
            }
        }
    }
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
mod tests {
    use super::*;
    use crate::schedule::{Kind, Schedule};

    fn candidates(weights: &[u16]) -> Vec<Candidate> {
        let name = |i| format!("10.0.1.{i}:80");
        let one = |(i, &weight)| Candidate { id: BackendId(i), name: name(i), weight };
        (0_u32..).zip(weights).map(one).collect()
    }

    fn table(candidates: &[Candidate], cluster: &str) -> Vec<u32> {
        let schedule = Schedule::compile(Kind::Maglev, candidates, 1, cluster);
        let Schedule::Maglev(maglev) = schedule else { panic!("not a Maglev table") };
        maglev.slots.iter().map(|slot| maglev.backends[usize::from(*slot)].0).collect()
    }

    fn shares(table: &[u32], backends: usize) -> Vec<f64> {
        let count = |id| table.iter().filter(|slot| **slot as usize == id).count();
        (0..backends).map(|id| count(id) as f64 / table.len() as f64).collect()
    }

    #[test]
    fn shares_are_within_one_per_cent_of_the_weights() {
        for share in shares(&table(&candidates(&[100; 10]), "edge"), 10) {
            assert!((share - 0.1).abs() < 0.001, "{share}");
        }
        let weighted = shares(&table(&candidates(&[80, 20]), "edge"), 2);
        assert!((weighted[0] - 0.8).abs() < 0.008, "{weighted:?}");
    }

    #[test]
    fn when_one_of_n_leaves_few_other_flows_move() {
        let all = candidates(&[1; 10]);
        let fewer: Vec<_> = all.iter().filter(|c| c.id != BackendId(3)).cloned().collect();
        let (before, after) = (table(&all, "edge"), table(&fewer, "edge"));
        let moved = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        assert!(moved as f64 / before.len() as f64 <= 0.1 + 0.05, "{moved} slots moved");
    }

    #[test]
    fn the_order_in_the_file_does_not_matter_and_the_cluster_does() {
        let ordered = candidates(&[3, 1, 2]);
        let reversed: Vec<_> = ordered.iter().rev().cloned().collect();
        assert_eq!(table(&ordered, "edge"), table(&reversed, "edge"));
        assert_ne!(table(&ordered, "edge"), table(&ordered, "core"));
    }

    /// Known answer: fails when a change of the code would make two versions of the box disagree.
    #[test]
    fn the_table_is_the_same_in_every_version() {
        let slots = table(&candidates(&[1, 1, 2]), "edge");
        let digest = slots.iter().fold(0, |sum, slot| stable_hash(sum, &slot.to_le_bytes()));
        assert_eq!(digest, KNOWN, "{digest:#x}");
    }
    const KNOWN: u64 = 0xa9ad_44f0_ec95_cb95;
}
