//! Blocks that go from one worker to another.

use std::sync::Arc;

use loom::thread;

use crate::flow::slab::{BlockId, Size, Slab};
use crate::mem::{Mapping, PageKind};
use crate::sync::explore;

/// A slab of so many blocks.
fn slab(blocks: u32) -> Arc<Slab> {
    let flows = (blocks * Size::Narrow.per_block()) as usize;
    let mapping = Arc::new(Mapping::new(0, PageKind::Ordinary).unwrap());
    let words = mapping.words32(0, Slab::words(Slab::blocks(flows, 1)));
    Arc::new(Slab::new(words, flows, 1))
}

/// Takes a block, finds it unused, uses it, and gives it back.
fn use_a_block(slab: &Slab, size: Size) -> bool {
    let Some(block) = slab.take_block() else { return false };
    let entry = slab.entry(block.entry(0, size));
    assert_eq!(entry.word(0), 0, "somebody else's still");
    entry.set(0, 1);
    assert_eq!(entry.word(0), 1, "somebody else's by now");
    entry.set(0, 0);
    slab.give_block(block);
    true
}

/// All that can be taken at once.
fn room(slab: &Slab) -> Vec<BlockId> {
    std::iter::from_fn(|| slab.take_block()).collect()
}

#[test]
fn a_block_has_one_worker_at_a_time_and_none_is_lost() {
    explore(3, || {
        let slab = slab(2);
        let other = {
            let slab = Arc::clone(&slab);
            thread::spawn(move || {
                assert!(use_a_block(&slab, Size::Wide));
                assert!(use_a_block(&slab, Size::Narrow));
            })
        };
        assert!(use_a_block(&slab, Size::Narrow), "there is room for both");
        assert!(use_a_block(&slab, Size::Wide), "there is room for both");
        other.join().unwrap();
        assert_eq!(room(&slab).len(), 2);
    });
}

#[test]
fn the_last_block_goes_to_one_worker() {
    explore(3, || {
        let slab = slab(1);
        let other = {
            let slab = Arc::clone(&slab);
            thread::spawn(move || slab.take_block())
        };
        let taken = [slab.take_block(), other.join().unwrap()];
        let taken: Vec<_> = taken.into_iter().flatten().collect();
        let [block] = taken[..] else { panic!("{taken:?}") };
        slab.give_block(block);
        assert_eq!(room(&slab), [block]);
    });
}
