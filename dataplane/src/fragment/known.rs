//! The packets whose first fragment has come.

use super::First;
use crate::flow::Addresses;
use crate::limits::{FRAGMENTED_PACKETS, FRAGMENTED_PER_SOURCE};
use crate::mem::KeyedHash;
use crate::types::Tick;

/// How long the first fragment is remembered: the others follow at its heels, or not at all. Hosts wait
/// for up to a minute (RFC 8200 section 4.5), but fast ones use an identification again much sooner
/// (RFC 4963).
const MILLIS: u32 = 500;
/// Places that a packet may be in.
const WAYS: usize = 4;
/// Counters of sources: several sources may share one, and its limit.
const SOURCES: usize = 1024;

/// What all fragments of one packet have (RFC 791 section 3.2, RFC 8200 section 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) addresses: Addresses,
    /// Its number.
    pub(crate) protocol: u8,
    pub(crate) identification: u32,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: Key,
    first: First,
    at: Tick,
}

/// A table of [`FRAGMENTED_PACKETS`] in sets of [`WAYS`].
#[derive(Debug)]
pub(super) struct Known {
    hash: KeyedHash,
    entries: Box<[Option<Entry>]>,
    of_source: Box<[u16]>,
    count: usize,
}

impl Known {
    pub(super) fn new(hash: KeyedHash) -> Self {
        Self {
            hash,
            entries: vec![None; FRAGMENTED_PACKETS].into_boxed_slice(),
            of_source: vec![0; SOURCES].into_boxed_slice(),
            count: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Remembers what a first fragment tells. One that comes twice changes nothing: whoever repeats it
    /// with other ports would lead the rest astray.
    pub(super) fn note(&mut self, key: &Key, first: First, now: Tick) -> Option<First> {
        if let Some(known) = self.find(key, now) {
            return Some(known);
        }
        self.forget_stale(key, now);
        let source = self.source(key);
        let place = self.place_for(key, self.of_source[source])?;
        self.forget(place);
        self.entries[place] = Some(Entry { key: *key, first, at: now });
        self.of_source[source] += 1;
        self.count += 1;
        Some(first)
    }

    pub(super) fn find(&self, key: &Key, now: Tick) -> Option<First> {
        let set = &self.entries[self.set(key)..][..WAYS];
        let entry = set.iter().flatten().find(|entry| entry.key == *key)?;
        (now.millis_since(entry.at) < MILLIS).then_some(entry.first)
    }

    /// A free place of the set for a packet of a source that has `own` others; or that of the source which
    /// has the most. `None`: the packet's own one has more, and makes way for the others.
    fn place_for(&self, key: &Key, own: u16) -> Option<usize> {
        let mut places = self.set(key)..self.set(key) + WAYS;
        let rivals = |entry: &Entry| self.of_source[self.source(&entry.key)];
        if own < FRAGMENTED_PER_SOURCE
            && let Some(free) = places.clone().find(|place| self.entries[*place].is_none())
        {
            return Some(free);
        }
        let heaviest = places.by_ref().max_by_key(|place| self.entries[*place].as_ref().map_or(0, rivals))?;
        let of_heaviest = self.entries[heaviest].as_ref().map_or(0, rivals);
        (own <= of_heaviest).then_some(heaviest)
    }

    fn forget_stale(&mut self, key: &Key, now: Tick) {
        let start = self.set(key);
        for place in start..start + WAYS {
            if self.entries[place].is_some_and(|entry| now.millis_since(entry.at) >= MILLIS) {
                self.forget(place);
            }
        }
    }

    fn forget(&mut self, place: usize) {
        if let Some(entry) = self.entries[place].take() {
            let source = self.source(&entry.key);
            self.of_source[source] -= 1;
            self.count -= 1;
        }
    }

    /// Looks through a part of the table for what is stale, so that nobody's share is taken up by it.
    pub(super) fn sweep(&mut self, from: usize, count: usize, now: Tick) {
        for place in from..from + count {
            let place = place % self.entries.len();
            if self.entries[place].is_some_and(|entry| now.millis_since(entry.at) >= MILLIS) {
                self.forget(place);
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "reduced to the table's size")]
    fn set(&self, key: &Key) -> usize {
        let rest = u128::from(key.identification) << 8 | u128::from(key.protocol);
        let hash = self.hash.three([bits(key.addresses.source()), bits(key.addresses.destination()), rest]);
        hash as usize % (FRAGMENTED_PACKETS / WAYS) * WAYS
    }

    #[expect(clippy::cast_possible_truncation, reason = "reduced to the table's size")]
    fn source(&self, key: &Key) -> usize {
        self.hash.one(bits(key.addresses.source())) as usize % SOURCES
    }
}

fn bits(address: std::net::IpAddr) -> u128 {
    match address {
        std::net::IpAddr::V4(v4) => v4.to_bits().into(),
        std::net::IpAddr::V6(v6) => v6.to_bits(),
    }
}
