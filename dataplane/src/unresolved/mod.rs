//! Next hops whose MAC address is not known, and the packets that wait for it.
//!
//! RFC 1122 section 2.3.2.2 and RFC 4861 section 7.2.2 ask that a packet waits for the resolution of its next
//! hop. A packet that waits has passed all stages and is counted and rewritten: only its destination MAC address
//! is missing. So nothing of it happens twice. It leaves when a snapshot has the neighbour, or is dropped when
//! [`DEADLINE`] has passed.
//!
//! The memory is allocated at start. A next hop keeps its newest packets and displaces none of another one. When
//! there are too many next hops, one that has not answered for [`REPLACEABLE`] is given up for a new one: a live
//! neighbour answers within that time, so a flood to addresses that no host has does not keep others out.
//!
//! A next hop that is expected only (a flow has begun, its replies will need it) is remembered to be reported once.
//! Its slot is the first that makes way, and it displaces no next hop that packets wait for.

mod index;
mod reports;

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::io::Frame;
use crate::limits::{
    BATCH, SPARES, UNRESOLVED, UNRESOLVED_EXPECTED, UNRESOLVED_MORE, UNRESOLVED_PACKETS,
    UNRESOLVED_PER_NEXT_HOP,
};
use crate::snapshot::{Neighbours, NextHop};
use crate::types::{InterfaceId, Tick};
use index::{Index, Kind, NEXT_HOPS, NONE};

/// How long a packet waits at most, in milliseconds. The kernel gives up after three requests, a second apart.
pub(crate) const DEADLINE: u32 = 2000;
/// How long a next hop is kept in any case, in milliseconds.
pub(crate) const REPLACEABLE: u32 = 100;
/// When management is asked once more, in milliseconds: the first report may have found no room.
pub(crate) const ASK_AGAIN: u32 = 500;
/// Next hops that the packets of one batch, and the copies that are made of them, want.
const MOST_WANTED: usize = BATCH + SPARES;
const KINDS: [Kind; 2] = [Kind::Waiting, Kind::Expected];

/// A neighbour whose MAC address is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Missing {
    pub(crate) interface: InterfaceId,
    pub(crate) address: IpAddr,
}

/// A packet that waits, with the interface that it came in by.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) ingress: InterfaceId,
    pub(crate) frame: Frame,
}

/// A next hop.
#[derive(Debug)]
struct Slot {
    missing: Missing,
    /// When it was first expected, or its first packet began to wait.
    since: Tick,
    /// When a packet last asked for it, and in which batch: that packet may not be held yet.
    wanted: Tick,
    batch: u32,
    is_reported: bool,
    packets: VecDeque<Held>,
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Unresolved {
    slots: Box<[Slot]>,
    index: Index,
    /// Packets beyond the first of each next hop.
    more: usize,
    /// Next hops of each kind that management has not been asked for.
    unreported: [usize; 2],
    /// The number of the batch at hand. Number 0 is of no batch until it comes round again.
    batch: u32,
    asked: Tick,
    /// The generation of the snapshot that was last looked at.
    generation: u64,
    ready: VecDeque<(NextHop, Held)>,
    given_up: VecDeque<Held>,
    moved: Option<Missing>,
    moved_at: Tick,
    /// A route of a snapshot whose router is known: the routers of most clients are few.
    pub(crate) known: Option<KnownRouter>,
}

/// The generation of a snapshot, and where a route of its is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownRouter {
    pub(crate) generation: u64,
    pub(crate) route: usize,
}

impl Unresolved {
    pub(crate) fn new() -> Self {
        let nowhere = Missing { interface: InterfaceId::NOWHERE, address: IpAddr::from([0; 4]) };
        let slot = || Slot {
            missing: nowhere,
            since: Tick::default(),
            wanted: Tick::default(),
            batch: 0,
            is_reported: true,
            packets: VecDeque::with_capacity(UNRESOLVED_PER_NEXT_HOP),
        };
        Self {
            slots: std::iter::repeat_with(slot).take(UNRESOLVED).collect(),
            index: Index::new(UNRESOLVED),
            more: 0,
            unreported: [0; 2],
            batch: 1,
            asked: Tick::default(),
            generation: u64::MAX,
            ready: VecDeque::with_capacity(UNRESOLVED_PACKETS),
            given_up: VecDeque::with_capacity(UNRESOLVED_PACKETS + BATCH * UNRESOLVED_PER_NEXT_HOP),
            moved: None,
            moved_at: Tick::default(),
            known: None,
        }
    }

    /// Whether no next hop is unresolved, and nothing is left to be done for one.
    #[inline(always)]
    pub(crate) fn is_idle(&self) -> bool {
        self.index.is_empty() && self.given_up.is_empty() && self.moved.is_none()
    }

    /// The way of a packet to such a next hop, which is remembered from now on. `None`: there are too many.
    pub(crate) fn want(&mut self, missing: Missing, now: Tick) -> Option<&'static NextHop> {
        let number = match self.find(missing) {
            Some(number) => number,
            None => {
                if self.index.is_full() {
                    let replaced = self.replaceable(Kind::Expected, now, 0);
                    let replaced = replaced.or_else(|| self.replaceable(Kind::Waiting, now, REPLACEABLE))?;
                    self.give_up(replaced);
                }
                self.begin(missing, now)?
            }
        };
        let slot = self.slots.get_mut(usize::from(number))?;
        (slot.wanted, slot.batch) = (now, self.batch);
        NEXT_HOPS.get(usize::from(number))
    }

    /// Remembers a next hop that packets will leave by, if there is room beside those that packets wait for.
    pub(crate) fn foresee(&mut self, missing: Missing, now: Tick) {
        if self.find(missing).is_some() {
            return;
        }
        if self.index.is_full() || self.index.count(Kind::Expected) >= UNRESOLVED_EXPECTED {
            // The age is the pace of the reports.
            let Some(replaced) = self.replaceable(Kind::Expected, now, REPLACEABLE) else { return };
            self.give_up(replaced);
        }
        self.begin(missing, now);
    }

    fn find(&self, missing: Missing) -> Option<u16> {
        let is_it = |slot: u16| self.slots.get(usize::from(slot)).is_some_and(|s| s.missing == missing);
        self.index.find(missing, is_it)
    }

    /// The oldest slot of a kind and an age that no packet of the batch at hand is to be held in.
    fn replaceable(&self, kind: Kind, now: Tick, age: u32) -> Option<u16> {
        let mut number = self.index.oldest(kind);
        for _ in 0..=MOST_WANTED {
            let slot = self.slots.get(usize::from(number))?;
            if now.millis_since(slot.since) < age {
                return None;
            }
            if slot.batch != self.batch {
                return Some(number);
            }
            number = self.index.newer(number);
        }
        None
    }

    fn begin(&mut self, missing: Missing, now: Tick) -> Option<u16> {
        let number = self.index.insert(missing, Kind::Expected)?;
        let slot = self.slots.get_mut(usize::from(number))?;
        (slot.missing, slot.since, slot.is_reported) = (missing, now, false);
        self.unreported[Kind::Expected as usize] += 1;
        Some(number)
    }

    /// Keeps a packet whose egress is the next hop in slot `number`. What has to make way for it comes back.
    pub(crate) fn hold(&mut self, number: u16, held: Held) -> Option<Held> {
        let Some(slot) = self.slots.get_mut(usize::from(number)) else { return Some(held) };
        let is_first = slot.packets.is_empty();
        let has_room = slot.packets.len() < UNRESOLVED_PER_NEXT_HOP && self.more < UNRESOLVED_MORE;
        let replaced = if is_first || has_room { None } else { slot.packets.pop_front() };
        if !is_first && replaced.is_none() {
            self.more += 1;
        }
        slot.packets.push_back(held);
        if is_first {
            // Its time begins now: the packet waits as long as any.
            slot.since = slot.wanted;
            if !slot.is_reported {
                self.unreported[Kind::Expected as usize] -= 1;
                self.unreported[Kind::Waiting as usize] += 1;
            }
            self.index.turn(number, Kind::Waiting);
        }
        replaced
    }

    /// Looks at the neighbours of a snapshot, once for each generation: packets whose next hop is among them are
    /// ready to leave.
    pub(crate) fn look(&mut self, generation: u64, neighbours: &Neighbours) {
        if std::mem::replace(&mut self.generation, generation) == generation {
            return;
        }
        for kind in KINDS {
            let mut slot = self.index.oldest(kind);
            while slot != NONE {
                let next = self.index.newer(slot);
                let missing = self.slots.get(usize::from(slot)).map(|slot| slot.missing);
                let known = missing.and_then(|missing| neighbours.get(missing.interface, missing.address));
                if let Some(next_hop) = known {
                    while let Some(held) = self.end(slot) {
                        self.ready.push_back((*next_hop, held));
                    }
                }
                slot = next;
            }
        }
    }

    /// A packet whose next hop is known now.
    pub(crate) fn take_ready(&mut self) -> Option<(NextHop, Held)> {
        self.ready.pop_front()
    }

    /// Gives up the next hops that have not answered in time, and asks once more for the others.
    pub(crate) fn pass_time(&mut self, now: Tick) {
        self.end_batch();
        for kind in KINDS {
            while let Some(oldest) = self.slots.get(usize::from(self.index.oldest(kind)))
                && now.millis_since(oldest.since) >= DEADLINE
            {
                self.give_up(self.index.oldest(kind));
            }
        }
        if now.millis_since(self.asked) >= ASK_AGAIN {
            self.asked = now;
            let mut slot = self.index.oldest(Kind::Waiting);
            while let Some(missed) = self.slots.get_mut(usize::from(slot)) {
                let is_due = now.millis_since(missed.since) >= ASK_AGAIN;
                if is_due && std::mem::replace(&mut missed.is_reported, false) {
                    self.unreported[Kind::Waiting as usize] += 1;
                }
                slot = self.index.newer(slot);
            }
        }
    }

    /// What was wanted until now is held, or has found another end.
    fn end_batch(&mut self) {
        self.batch = self.batch.wrapping_add(1);
    }

    /// A packet that waits no longer.
    pub(crate) fn take_given_up(&mut self) -> Option<Held> {
        self.given_up.pop_front()
    }

    fn give_up(&mut self, slot: u16) {
        while let Some(held) = self.end(slot) {
            self.given_up.push_back(held);
        }
    }

    /// The next packet of a next hop that is over; without one, it is forgotten.
    fn end(&mut self, number: u16) -> Option<Held> {
        let slot = self.slots.get_mut(usize::from(number))?;
        if let Some(held) = slot.packets.pop_front() {
            if !slot.packets.is_empty() {
                self.more -= 1;
            }
            return Some(held);
        }
        if !std::mem::replace(&mut slot.is_reported, true) {
            self.unreported[self.index.kind(number) as usize] -= 1;
        }
        self.index.remove(number, slot.missing);
        None
    }
}

#[cfg(test)]
mod tests;
