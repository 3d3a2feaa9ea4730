//! The number that each end of a connection goes on with, of connections that are ending: what FINs and resets are held
//! against. A table of a fixed size beside the entries. A place serves many entries: the latest one has it, and what
//! another entry had there is forgotten, which costs that flow the proof of its end and nothing else.

use super::entry::Direction;
use super::slab::EntryRef;
use crate::limits::ENDINGS;
use crate::sync::AtomicU64;
use crate::sync::Ordering::Relaxed;

/// The numbers of a segment, as the backend counts them, whatever the client calls them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// That of its first byte.
    pub(crate) start: u32,
    /// That behind its last byte, or its FIN.
    pub(crate) end: u32,
    /// What it acknowledges.
    pub(crate) acknowledged: Option<u32>,
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Sequences {
    /// Two for each of a power of two of entries. Upper half: the entry; no entry is 0. Lower half: the number.
    places: Box<[AtomicU64]>,
}

impl Sequences {
    /// For a table of `flows` flows.
    pub(super) fn new(flows: usize) -> Self {
        let entries = if cfg!(loom) { 1 } else { flows.next_power_of_two().min(ENDINGS) };
        Self { places: std::iter::repeat_with(|| AtomicU64::new(0)).take(2 * entries).collect() }
    }

    fn place(&self, entry: EntryRef, of: Direction) -> &AtomicU64 {
        let at = entry.number() as usize * 2 + usize::from(of == Direction::Return);
        &self.places[at & (self.places.len() - 1)]
    }

    /// The number that the side which sends in the direction `of` goes on with, if it is remembered.
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    pub(super) fn get(&self, entry: EntryRef, of: Direction) -> Option<u32> {
        let word = self.place(entry, of).load(Relaxed);
        ((word >> 32) as u32 == entry.number()).then_some(word as u32)
    }

    /// Remembers it.
    pub(super) fn set(&self, entry: EntryRef, of: Direction, number: u32) {
        self.place(entry, of).store(u64::from(entry.number()) << 32 | u64::from(number), Relaxed);
    }

    /// Forgets it.
    pub(super) fn forget(&self, entry: EntryRef, of: Direction) {
        if self.get(entry, of).is_some() {
            self.place(entry, of).store(0, Relaxed);
        }
    }
}
