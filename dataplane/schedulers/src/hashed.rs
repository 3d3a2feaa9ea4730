//! By a table: `sh` and `dh`, as `net/netfilter/ipvs/ip_vs_{sh,dh}.c` of the Linux kernel have them.
//!
//! A table of 256 slots is dealt out to the backends in turn; a hash picks the slot. With `sh` a backend
//! takes as many slots in a row as its weight, with `dh` one. Unlike IPVS's, the weights are divided by their
//! greatest common divisor first, and where their sum is larger than the table, the table is larger: 100 and
//! 100 are dealt out as 1 and 1. Backends that are down keep their slots, so that nobody else's flows move; what
//! hashes to them is refused or, with fallback, hashed again until it finds somebody who is up. While a backend
//! warms up, a part of its slots' flows is treated in this way.
//!
//! When a backend leaves the file, nearly all flows move: use `maglev` where that matters.

use super::key::rehash;
use super::round_robin::gcd;
use super::{Candidate, Loads};
use crate::limits::{BACKEND_TRIES, HASH_SLOTS, MAX_HASH_SLOTS};
use penstock_types::BackendId;

#[derive(Debug, Clone, Copy)]
struct Member {
    id: BackendId,
    weight: u16,
    full: u16,
}

impl Member {
    /// Whether it takes the flow: all while it is warm, a part of them while it warms up.
    fn takes(&self, hash: u64) -> bool {
        let part = ((hash & 0xffff) * u64::from(self.full.max(self.weight))) >> 16;
        part < u64::from(self.weight)
    }
}

#[derive(Debug)]
pub(super) struct Hashed {
    members: Box<[Member]>,
    /// Places in `members`.
    slots: Box<[u32]>,
    fallback: bool,
}

impl Hashed {
    /// `candidates` are ordered by name, and have weights above 0 when they are warm.
    pub(super) fn new(candidates: &[Candidate], by_weight: bool, fallback: bool) -> Self {
        let turns: Vec<_> =
            candidates.iter().map(|c| if by_weight { u32::from(c.at_best()) } else { 1 }).collect();
        let divisor = turns.iter().fold(0, |sum, turn| gcd(sum, *turn)).max(1);
        let sum: usize = turns.iter().map(|turn| (turn / divisor) as usize).sum();
        let count = sum.next_power_of_two().clamp(HASH_SLOTS, MAX_HASH_SLOTS);
        // Beyond the largest table turns are cut short, though nobody's to nothing.
        let shortened = |turn: &u32| ((turn / divisor) as usize * count / sum.max(count)).max(1);
        let round = (0..).zip(&turns).flat_map(|(place, turn)| std::iter::repeat_n(place, shortened(turn)));
        let slots = round.collect::<Vec<u32>>().into_iter().cycle().take(count).collect();
        let member = |c: &Candidate| Member { id: c.id, weight: c.weight, full: c.full };
        Self { members: candidates.iter().map(member).collect(), slots, fallback }
    }

    pub(super) fn falls_back(&self) -> bool {
        self.fallback
    }

    fn member(&self, hash: u64) -> Option<&Member> {
        let slot = (u128::from(hash) * self.slots.len() as u128) >> 64;
        self.members.get(*self.slots.get(usize::try_from(slot).ok()?)? as usize)
    }

    pub(super) fn choose(&self, hash: u64, loads: &impl Loads) -> Option<BackendId> {
        let is_free = |member: &&Member| !loads.load(member.id).is_full;
        if !self.fallback {
            return self
                .member(hash)
                .filter(|member| member.weight > 0)
                .filter(is_free)
                .map(|member| member.id);
        }
        let mut hash = hash;
        for _ in 0..BACKEND_TRIES {
            let found = self.member(hash).filter(|member| member.takes(hash)).filter(is_free);
            if let Some(member) = found {
                return Some(member.id);
            }
            hash = rehash(hash);
        }
        None
    }
}
