//! The sequence numbers that FINs and resets are held against: where each side of a connection has begun, and, of
//! connections that are ending, what is known of where each side goes on. A table of a fixed size beside the entries. A
//! place serves many entries: the latest one has it, and what another entry had there is forgotten, which costs that flow
//! the proof of its end and nothing else.

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

/// What is known of the numbers of one side. The mark is part of the word: two workers that see segments of both sides at
/// once must not take one for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing.
    Nothing,
    /// The other side has acknowledged all in front of this number.
    GoesOn(u32),
    /// A FIN has been sent, which ends with this number.
    Fin(u32),
    /// The same, but the side seemed to go on elsewhere.
    DoubtedFin(u32),
    /// A SYN has been sent, and this is the number behind it.
    Syn(u32),
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Sequences {
    /// Four for each of a power of two of entries: what is known of the client's numbers and of the server's, where the
    /// client has begun, and where the server has. Of the first two, see [`word`]. Of the others, upper half: the entry's
    /// number, which is not 0; lower half: the sequence number.
    places: Box<[AtomicU64]>,
}

const FIRST_NUMBERS: usize = 2;
const WORDS: usize = 4;

impl Sequences {
    /// For a table of `flows` flows.
    pub(super) fn new(flows: usize) -> Self {
        // Two at least: `tag` leaves the lowest bit to the place.
        let entries = if cfg!(loom) { 2 } else { flows.next_power_of_two().clamp(2, ENDINGS) };
        Self { places: std::iter::repeat_with(|| AtomicU64::new(0)).take(WORDS * entries).collect() }
    }

    fn place(&self, entry: EntryRef, word: usize) -> &AtomicU64 {
        &self.places[(entry.number() as usize * WORDS + word) & (self.places.len() - 1)]
    }

    /// What is known of the side that sends in the direction `of`.
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    pub(super) fn known(&self, entry: EntryRef, of: Direction) -> Known {
        let word = self.place(entry, side(of)).load(Relaxed);
        if word == 0 || word >> 34 != tag(entry) {
            return Known::Nothing;
        }
        let number = word as u32;
        match word >> 32 & 3 {
            0 => Known::GoesOn(number),
            1 => Known::Fin(number),
            2 => Known::DoubtedFin(number),
            _ => Known::Syn(number),
        }
    }

    /// Remembers it, whatever was known.
    pub(super) fn set(&self, entry: EntryRef, of: Direction, known: Known) {
        // A swap, as all that changes what is known: loom does not see that a store and a comparison have an order.
        self.place(entry, side(of)).swap(word(entry, known), Relaxed);
    }

    /// Remembers it if `before` is still what is known; whether it was. What another entry has at the place gives way.
    pub(super) fn replace(&self, entry: EntryRef, of: Direction, before: Known, known: Known) -> bool {
        let place = self.place(entry, side(of));
        let old = match before {
            Known::Nothing => {
                let old = place.load(Relaxed);
                if old != 0 && old >> 34 == tag(entry) {
                    return false;
                }
                old
            }
            before => word(entry, before),
        };
        place.compare_exchange(old, word(entry, known), Relaxed, Relaxed).is_ok()
    }

    /// Remembers where both sides have begun.
    pub(super) fn begin(&self, entry: EntryRef, client: u32, server: u32) {
        for (of, number) in [(Direction::Forward, client), (Direction::Return, server)] {
            let word = u64::from(entry.number()) << 32 | u64::from(number);
            self.place(entry, FIRST_NUMBERS + side(of)).store(word, Relaxed);
        }
    }

    /// How far a number is from where the side has begun that sends in the direction `of`; `None`: that is not known.
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    pub(super) fn distance(&self, entry: EntryRef, of: Direction, number: u32) -> Option<u32> {
        let word = self.place(entry, FIRST_NUMBERS + side(of)).load(Relaxed);
        (word >> 32 == u64::from(entry.number())).then(|| number.wrapping_sub(word as u32))
    }

    /// Forgets all of an entry: what comes is another connection.
    pub(super) fn forget(&self, entry: EntryRef) {
        let at = (entry.number() as usize * WORDS) & (self.places.len() - 1);
        let Some([known @ .., client, server]) = self.places.get(at..).and_then(<[_]>::first_chunk::<WORDS>)
        else {
            return;
        };
        let clear = |place: &AtomicU64, owner_at: u32, owner: u64| {
            if place.load(Relaxed) >> owner_at == owner {
                place.swap(0, Relaxed);
            }
        };
        known.iter().for_each(|place| clear(place, 34, tag(entry)));
        [client, server].into_iter().for_each(|place| clear(place, 32, entry.number().into()));
    }
}

fn side(of: Direction) -> usize {
    usize::from(of == Direction::Return)
}

/// What tells the entry from others that have the same place: its number has 31 bits, see `Slot`.
fn tag(entry: EntryRef) -> u64 {
    u64::from(entry.number() >> 1)
}

/// From the highest bit: 30 for the entry, 2 for the mark, 32 for the number. 0: nothing.
fn word(entry: EntryRef, known: Known) -> u64 {
    let (mark, number) = match known {
        Known::Nothing => return 0,
        Known::GoesOn(number) => (0, number),
        Known::Fin(number) => (1, number),
        Known::DoubtedFin(number) => (2, number),
        Known::Syn(number) => (3, number),
    };
    tag(entry) << 34 | mark << 32 | u64::from(number)
}
