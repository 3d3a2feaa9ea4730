//! The entries that a worker has made last, the oldest first: those that were never established are the
//! first to make way.

use super::slab::EntryRef;
use crate::types::Tick;

/// A ring of a fixed size. When it is full the oldest is forgotten; its timeout ends it all the same.
#[derive(Debug)]
pub(super) struct Young {
    items: Box<[(EntryRef, Tick)]>,
    oldest: usize,
    count: usize,
}

impl Young {
    pub(super) fn new(room: usize) -> Self {
        let nobody = (EntryRef::from_number(0), Tick(0));
        Self { items: vec![nobody; room.max(1)].into_boxed_slice(), oldest: 0, count: 0 }
    }

    /// `birth`: what tells the entry from a later one in the same place.
    #[inline]
    pub(super) fn push(&mut self, entry: EntryRef, birth: Tick) {
        let room = self.items.len();
        let end = self.oldest + self.count;
        self.items[if end >= room { end - room } else { end }] = (entry, Tick(birth.0 & !0xff));
        match self.count < room {
            true => self.count += 1,
            false => self.oldest = self.after_oldest(),
        }
    }

    pub(super) fn pop(&mut self) -> Option<(EntryRef, Tick)> {
        self.count = self.count.checked_sub(1)?;
        let item = self.items[self.oldest];
        self.oldest = self.after_oldest();
        Some(item)
    }

    fn after_oldest(&self) -> usize {
        if self.oldest + 1 == self.items.len() { 0 } else { self.oldest + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_comes_first_and_is_forgotten_first() {
        let mut young = Young::new(3);
        for n in 1..=5 {
            young.push(EntryRef::from_number(n), Tick(n * 256 + 7));
        }
        let popped: Vec<_> = std::iter::from_fn(|| young.pop()).map(|(e, t)| (e.number(), t.0)).collect();
        assert_eq!(popped, [(3, 768), (4, 1024), (5, 1280)]);
        young.push(EntryRef::from_number(9), Tick(0));
        assert_eq!(young.pop().map(|(entry, _)| entry.number()), Some(9));
        assert_eq!(young.pop(), None);
    }
}
