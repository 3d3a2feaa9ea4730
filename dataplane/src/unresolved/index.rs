//! Which slot a next hop is in, and the slots of each kind in the order of their age.

use std::net::IpAddr;

use super::Missing;
use crate::limits::UNRESOLVED;
use crate::mem::KeyedHash;
use crate::snapshot::NextHop;
use crate::types::{InterfaceId, Mac};

/// No slot.
pub(super) const NONE: u16 = u16::MAX;

/// The next hops that packets leave by which wait, by slot.
pub(super) static NEXT_HOPS: [NextHop; UNRESOLVED] = {
    let mut all = [NextHop { interface: InterfaceId::NOWHERE, mac: Mac([0; 6]) }; UNRESOLVED];
    let mut slot = 0;
    while slot < UNRESOLVED {
        #[expect(clippy::cast_possible_truncation, reason = "limits.rs says that it fits")]
        let number = slot as u16;
        all[slot].interface = InterfaceId::unresolved(number);
        slot += 1;
    }
    all
};

/// What a next hop is remembered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Packets may have to leave by it.
    Expected,
    /// Packets wait for it.
    Waiting,
}

/// Where a slot stands: in the chain of its hash, or of the free ones, and among the others of its kind by age.
#[derive(Debug, Clone, Copy)]
struct Links {
    next: u16,
    older: u16,
    newer: u16,
    kind: Kind,
}

/// The slots of one kind.
#[derive(Debug, Clone, Copy)]
struct Ages {
    oldest: u16,
    newest: u16,
    count: usize,
}

/// Lists over numbers of slots, in memory that is allocated once. Keyed, so that no sender chooses addresses which
/// meet in one chain.
#[derive(Debug)]
pub(super) struct Index {
    chains: Box<[u16]>,
    links: Box<[Links]>,
    free: u16,
    ages: [Ages; 2],
    hash: KeyedHash,
}

impl Index {
    pub(super) fn new(slots: usize) -> Self {
        let slots = u16::try_from(slots).unwrap_or(NONE - 1);
        let link = |slot: u16| {
            let next = if slot + 1 < slots { slot + 1 } else { NONE };
            Links { next, older: NONE, newer: NONE, kind: Kind::Expected }
        };
        Self {
            chains: vec![NONE; usize::from(slots).next_power_of_two()].into(),
            links: (0..slots).map(link).collect(),
            free: 0,
            ages: [Ages { oldest: NONE, newest: NONE, count: 0 }; 2],
            hash: KeyedHash::random(),
        }
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.ages.iter().all(|ages| ages.oldest == NONE)
    }

    pub(super) fn is_full(&self) -> bool {
        self.free == NONE
    }

    /// What a slot in use is.
    pub(super) fn kind(&self, slot: u16) -> Kind {
        self.links.get(usize::from(slot)).map_or(Kind::Expected, |links| links.kind)
    }

    /// Slots of a kind.
    pub(super) fn count(&self, kind: Kind) -> usize {
        self.ages[kind as usize].count
    }

    pub(super) fn oldest(&self, kind: Kind) -> u16 {
        self.ages[kind as usize].oldest
    }

    pub(super) fn newest(&self, kind: Kind) -> u16 {
        self.ages[kind as usize].newest
    }

    pub(super) fn newer(&self, slot: u16) -> u16 {
        self.links.get(usize::from(slot)).map_or(NONE, |links| links.newer)
    }

    pub(super) fn older(&self, slot: u16) -> u16 {
        self.links.get(usize::from(slot)).map_or(NONE, |links| links.older)
    }

    pub(super) fn find(&self, missing: Missing, is_it: impl Fn(u16) -> bool) -> Option<u16> {
        let mut slot = *self.chains.get(self.chain(missing))?;
        while slot != NONE && !is_it(slot) {
            slot = self.links.get(usize::from(slot))?.next;
        }
        (slot != NONE).then_some(slot)
    }

    /// Takes a free slot, as the newest of its kind.
    pub(super) fn insert(&mut self, missing: Missing, kind: Kind) -> Option<u16> {
        let (slot, chain) = (self.free, self.chain(missing));
        let links = self.links.get_mut(usize::from(slot))?;
        let head = self.chains.get_mut(chain)?;
        self.free = links.next;
        links.next = *head;
        *head = slot;
        self.append(slot, kind);
        Some(slot)
    }

    /// Makes a slot the newest of a kind.
    pub(super) fn turn(&mut self, slot: u16, kind: Kind) {
        self.unlink(slot);
        self.append(slot, kind);
    }

    /// Frees a slot.
    pub(super) fn remove(&mut self, slot: u16, missing: Missing) {
        let Some(&Links { next, .. }) = self.links.get(usize::from(slot)) else { return };
        let chain = self.chain(missing);
        self.unlink(slot);
        match self.chains.get_mut(chain) {
            Some(head) if *head == slot => *head = next,
            head => {
                let mut at = head.map_or(NONE, |head| *head);
                while let Some(links) = self.links.get_mut(usize::from(at)) {
                    if links.next == slot {
                        links.next = next;
                        break;
                    }
                    at = links.next;
                }
            }
        }
        if let Some(links) = self.links.get_mut(usize::from(slot)) {
            links.next = self.free;
            self.free = slot;
        }
    }

    fn append(&mut self, slot: u16, kind: Kind) {
        let ages = &mut self.ages[kind as usize];
        let before = std::mem::replace(&mut ages.newest, slot);
        ages.count += 1;
        match self.links.get_mut(usize::from(before)) {
            Some(before) => before.newer = slot,
            None => ages.oldest = slot,
        }
        if let Some(links) = self.links.get_mut(usize::from(slot)) {
            *links = Links { older: before, newer: NONE, kind, ..*links };
        }
    }

    fn unlink(&mut self, slot: u16) {
        let Some(&Links { older, newer, kind, .. }) = self.links.get(usize::from(slot)) else { return };
        let ages = &mut self.ages[kind as usize];
        ages.count -= 1;
        match self.links.get_mut(usize::from(older)) {
            Some(older) => older.newer = newer,
            None => ages.oldest = newer,
        }
        match self.links.get_mut(usize::from(newer)) {
            Some(newer) => newer.older = older,
            None => ages.newest = older,
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "reduced to the number of chains, a power of two")]
    fn chain(&self, Missing { interface, address }: Missing) -> usize {
        let bits = match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let hash = self.hash.one(bits ^ u128::from(interface.0) << 64);
        hash as usize & (self.chains.len() - 1)
    }
}
