//! Routes of one prefix length.

use hashbrown::HashTable;

use crate::mem::KeyedHash;

/// As many routes of a length are compared one by one.
const FEW: usize = 4;

/// Routes of one prefix length.
#[derive(Debug, Clone)]
pub(super) struct Prefixes<T> {
    pub(super) length: u8,
    pub(super) mask: u128,
    /// All of them, or none if they are more than [`FEW`].
    few: Vec<(u128, T)>,
    filter: Filter,
    many: HashTable<(u128, T)>,
}

impl<T> Prefixes<T> {
    pub(super) fn new(length: u8) -> Self {
        let (few, filter, many) = (Vec::new(), Filter::default(), HashTable::new());
        Self { length, mask: mask(length), few, filter, many }
    }

    #[inline(always)]
    pub(super) fn find(&self, prefix: u128, hash: &KeyedHash) -> Option<&T> {
        let is_it = |(known, _): &&(u128, T)| *known == prefix;
        if !self.few.is_empty() {
            return self.few.iter().find(is_it).map(|(_, value)| value);
        }
        let hashed = hash.one(prefix);
        if !self.filter.may_have(hashed) {
            return None;
        }
        self.many.find(hashed, |entry| is_it(&entry)).map(|(_, value)| value)
    }

    /// One that is not there.
    pub(super) fn insert(&mut self, prefix: u128, value: T, hash: &KeyedHash) {
        self.few.push((prefix, value));
        if self.few.len() > FEW || !self.many.is_empty() {
            for entry in self.few.drain(..) {
                let hashed = hash.one(entry.0);
                self.filter.add(hashed);
                self.many.insert_unique(hashed, entry, |(prefix, _)| hash.one(*prefix));
            }
        }
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.few.iter().chain(&self.many).map(|(_, value)| value)
    }
}

/// Where a bit is not set, no route has that hash. A node has few routes of a length: of the lengths that have no
/// route to a destination, most need no look into their table.
#[derive(Debug, Clone, Copy, Default)]
struct Filter([u64; 4]);

impl Filter {
    /// By bits of the hash that do not choose the place in a table.
    #[inline(always)]
    fn place(hash: u64) -> (usize, u64) {
        ((hash >> 62) as usize, 1 << (hash >> 56 & 63))
    }

    fn add(&mut self, hash: u64) {
        let (word, bit) = Self::place(hash);
        self.0[word] |= bit;
    }

    #[inline(always)]
    fn may_have(&self, hash: u64) -> bool {
        let (word, bit) = Self::place(hash);
        self.0[word] & bit != 0
    }
}

/// The bits of a prefix of that length.
fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(length))).unwrap_or(0)
}
