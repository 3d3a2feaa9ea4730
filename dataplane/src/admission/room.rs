//! A service's flows and the room that is its own, as one word.
//!
//! One word, so that whoever adds or removes a flow learns at the same moment whether that flow was
//! beyond the service's own room. The flows beyond it are therefore counted exactly in the room that
//! all services have in common, also while management changes the own room under the workers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Upper half: the own room. Lower half: flows.
#[derive(Debug, Default)]
pub(super) struct Room(AtomicU64);

/// A moment of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) own: u32,
    pub(super) flows: u32,
}

impl Level {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the word")]
    fn of(word: u64) -> Self {
        Self { own: (word >> 32) as u32, flows: word as u32 }
    }

    fn word(self) -> u64 {
        u64::from(self.own) << 32 | u64::from(self.flows)
    }

    /// Flows that are in the common room.
    pub(super) fn beyond(self) -> u32 {
        self.flows.saturating_sub(self.own)
    }
}

impl Room {
    pub(super) fn level(&self) -> Level {
        Level::of(self.0.load(Relaxed))
    }

    /// Adds a flow; the level before.
    pub(super) fn add(&self) -> Level {
        Level::of(self.0.fetch_add(1, Relaxed))
    }

    /// Removes a flow; the level before.
    pub(super) fn remove(&self) -> Level {
        Level::of(self.0.fetch_sub(1, Relaxed))
    }

    /// Gives it another room of its own. By how much that changes the flows in the common room.
    pub(super) fn resize(&self, own: u32) -> i64 {
        let mut before = self.level();
        loop {
            let after = Level { own, ..before };
            match self.0.compare_exchange_weak(before.word(), after.word(), Relaxed, Relaxed) {
                Ok(_) => return i64::from(after.beyond()) - i64::from(before.beyond()),
                Err(now) => before = Level::of(now),
            }
        }
    }
}
