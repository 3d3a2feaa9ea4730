//! How fast each source begins flows: memory of a fixed size, whatever the number of sources.
//!
//! Sets of four cells, a cache line each. A cell is a source's name, hashed by a secret together with
//! its service, and when its next flow is due ([`Rate`](super::Rate)). A source that is new to a full set takes the
//! place of the one that is due first: that is who has been silent for the longest, so that a flood of
//! invented sources never makes the box forget one that has used up its rate.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::rate::{moment, next};
use crate::limits::RATE_TRIES;
use crate::mem::KeyedHash;
use crate::types::Tick;

/// Cells of a set.
const CELLS: usize = 4;

#[derive(Debug, Default)]
struct Cell {
    name: AtomicU64,
    due: AtomicU64,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Set([Cell; CELLS]);

/// See the module's head.
#[derive(Debug)]
pub(super) struct Sources {
    sets: Box<[Set]>,
    hash: KeyedHash,
}

impl Sources {
    pub(super) fn new(sets: usize) -> Self {
        let sets = std::iter::repeat_with(Set::default).take(sets.max(1)).collect();
        Self { sets, hash: KeyedHash::random() }
    }

    /// Whether one more flow of that source to that service is within the rate; it then counts.
    pub(super) fn take(&self, service: u32, source: IpAddr, per_second: u32, now: Tick) -> bool {
        let name = self.name(service, source);
        let now = moment(now);
        let cell = self.cell(name, now);
        let mut due = cell.due.load(Relaxed);
        for _ in 0..RATE_TRIES {
            let Some(next) = next(due, per_second, now) else { return false };
            match cell.due.compare_exchange_weak(due, next, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(other) => due = other,
            }
        }
        false
    }

    /// Never 0, which is the name of a cell that nobody has.
    fn name(&self, service: u32, source: IpAddr) -> u64 {
        let (family, address) = match source {
            IpAddr::V4(v4) => (4, u64::from(v4.to_bits())),
            // A host has a whole /64 to choose from (RFC 7421).
            IpAddr::V6(v6) => (6, u64::try_from(v6.to_bits() >> 64).unwrap_or(0)),
        };
        self.hash.one(u128::from(address) << 64 | u128::from(service) << 32 | family) | 1
    }

    /// The source's cell, or the one that it takes from another. Two workers that take the same one at
    /// the same moment have a flow more or less between them.
    fn cell(&self, name: u64, now: u64) -> &Cell {
        let place = (u128::from(name) * self.sets.len() as u128) >> 64;
        let set = &self.sets[usize::try_from(place).unwrap_or(0)].0;
        if let Some(cell) = set.iter().find(|cell| cell.name.load(Relaxed) == name) {
            return cell;
        }
        // How far ahead of the clock a cell is, as a signed number: the smallest is the stalest.
        let ahead = |cell: &&Cell| match cell.name.load(Relaxed) {
            0 => i64::MIN,
            _ => cell.due.load(Relaxed).wrapping_sub(now).cast_signed(),
        };
        let cell = set.iter().min_by_key(ahead).unwrap_or(&set[0]);
        cell.name.store(name, Relaxed);
        cell.due.store(now, Relaxed);
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    fn taken(sources: &Sources, source: IpAddr, tries: usize, now: Tick) -> usize {
        (0..tries).filter(|_| sources.take(1, source, 10, now)).count()
    }

    #[test]
    fn each_source_has_its_own_rate_with_each_service() {
        let sources = Sources::new(1024);
        assert_eq!(taken(&sources, v4(1), 100, Tick(5)), 10);
        assert_eq!(taken(&sources, v4(2), 100, Tick(5)), 10);
        assert!(sources.take(2, v4(1), 10, Tick(5)), "another service");
        assert_eq!(taken(&sources, v4(1), 100, Tick(1005)), 10);
    }

    #[test]
    fn a_host_of_ipv6_is_its_network() {
        let sources = Sources::new(1024);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let within = (0..50_u128).map(|n| IpAddr::V6((0xfd00_u128 << 112 | n).into()));
        assert_eq!(within.filter(|source| sources.take(1, *source, 10, Tick(5))).count(), 10);
        assert_eq!(taken(&sources, address("fd00:0:0:1::1"), 20, Tick(5)), 10, "the next network");
    }

    #[test]
    fn a_flood_of_invented_sources_does_not_make_a_busy_one_forgotten() {
        let sources = Sources::new(8);
        assert_eq!(taken(&sources, v4(1), 20, Tick(5)), 10);
        let invented = (1000..3000).filter(|n| sources.take(1, v4(*n), 10, Tick(6))).count();
        assert_eq!(invented, 2000);
        assert_eq!(taken(&sources, v4(1), 20, Tick(6)), 0, "its cell is the last to go");
    }
}
