//! What all services have in common: one half of the flow table, and the memory of sources.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use crossbeam_utils::CachePadded;

use super::sources::Sources;

/// See the module's head.
#[derive(Debug)]
pub struct Commons {
    /// Flows that are beyond the own rooms of their services.
    used: CachePadded<AtomicI64>,
    /// How many there may be.
    room: AtomicU64,
    sources: Sources,
}

impl Default for Commons {
    fn default() -> Self {
        Self::new(1)
    }
}

impl Commons {
    /// Room without a bound, until somebody says how large the table is. Memory for `source_sets` times
    /// four sources, see [`SOURCE_SETS`](crate::limits::SOURCE_SETS).
    #[must_use]
    pub fn new(source_sets: usize) -> Self {
        Self {
            used: CachePadded::default(),
            room: AtomicU64::new(u64::MAX),
            sources: Sources::new(source_sets),
        }
    }

    /// Flows that are beyond the own rooms of their services.
    #[must_use]
    pub fn used(&self) -> u64 {
        // Somebody may be about to add what somebody else has already taken away.
        u64::try_from(self.used.load(Relaxed)).unwrap_or(0)
    }

    /// How many of them the table has room for.
    #[must_use]
    pub fn room(&self) -> u64 {
        self.room.load(Relaxed)
    }

    pub(crate) fn set_room(&self, room: u64) {
        self.room.store(room, Relaxed);
    }

    pub(super) fn sources(&self) -> &Sources {
        &self.sources
    }

    pub(super) fn is_full(&self) -> bool {
        self.used() >= self.room()
    }

    /// Adds a flow; whether there was room for it. The caller takes it away again if not.
    pub(super) fn add(&self) -> bool {
        let before = self.used.fetch_add(1, Relaxed);
        u64::try_from(before).unwrap_or(0) < self.room()
    }

    pub(super) fn remove(&self) {
        self.used.fetch_sub(1, Relaxed);
    }

    pub(super) fn change(&self, by: i64) {
        self.used.fetch_add(by, Relaxed);
    }
}
