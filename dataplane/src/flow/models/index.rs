//! Places of the index, without entries behind them.

use std::sync::Arc;

use loom::thread;

use crate::flow::bucket::{PLACES, Slot};
use crate::flow::entry::Direction;
use crate::flow::index::{Index, Peeked};
use crate::flow::key::FlowHash;
use crate::flow::slab::EntryRef;
use crate::mem::{Mapping, PageKind};
use crate::sync::explore;

/// What belongs into the first bucket of four, under this tag.
fn hash(tag: u8) -> FlowHash {
    FlowHash(u64::from(tag) << 56)
}

/// A slot that belongs to `hash` of that tag.
fn slot(tag: u8) -> Slot {
    Slot::new(Direction::Forward, EntryRef::from_number(u32::from(tag)))
}

/// An index of four buckets, and in the first of them the slots of `tags`.
fn index(tags: impl IntoIterator<Item = u8>) -> Arc<Index> {
    let mapping = Arc::new(Mapping::new(0, PageKind::Ordinary).unwrap());
    let index = Index::new(mapping.words64(0, Index::bytes(1) / size_of::<u64>()));
    for tag in tags {
        assert!(insert(&index, tag));
    }
    Arc::new(index)
}

fn insert(index: &Index, tag: u8) -> bool {
    index.insert(hash(tag), slot(tag))
}

fn remove(index: &Index, tag: u8) -> bool {
    index.remove(hash(tag), slot(tag))
}

/// As a worker looks up: the first bucket alone if that answers.
fn finds(index: &Index, tag: u8) -> bool {
    match index.peek(hash(tag)) {
        Peeked::Nobody => false,
        Peeked::Somebody(found) if found == slot(tag) => true,
        Peeked::Somebody(_) | Peeked::Elsewhere => index.candidates(hash(tag)).any(|s| s == slot(tag)),
    }
}

/// The index has these and no other.
fn check(index: &Index, tags: &[u8]) {
    index.check(|slot| hash(u8::try_from(slot.entry().number()).unwrap()));
    assert!(tags.iter().all(|tag| finds(index, *tag)), "not all of {tags:?}");
    assert_eq!(index.slots().count(), tags.len());
}

/// As many as fit a bucket.
fn bucketful() -> std::ops::RangeInclusive<u8> {
    1..=u8::try_from(PLACES).unwrap()
}

#[test]
fn what_is_present_is_found_while_its_neighbours_come_and_go() {
    explore(3, || {
        let index = index([1, 2]);
        let other = {
            let index = Arc::clone(&index);
            thread::spawn(move || {
                assert!(remove(&index, 1));
                assert!(insert(&index, 3));
                assert!(remove(&index, 3));
            })
        };
        assert!(finds(&index, 2));
        assert!(finds(&index, 2));
        other.join().unwrap();
        check(&index, &[2]);
    });
}

#[test]
fn what_is_elsewhere_is_found_while_others_go_elsewhere_and_come_back() {
    explore(3, || {
        let all = bucketful();
        let (last, mine, others) = (*all.end(), all.end() + 1, all.end() + 2);
        let index = index(all.clone().chain([mine]));
        let other = {
            let index = Arc::clone(&index);
            thread::spawn(move || {
                assert!(insert(&index, others));
                assert!(remove(&index, last));
                assert!(insert(&index, last));
                assert!(remove(&index, others));
            })
        };
        assert!(finds(&index, mine));
        assert!(finds(&index, mine));
        other.join().unwrap();
        check(&index, &all.chain([mine]).collect::<Vec<_>>());
    });
}

#[test]
fn a_place_that_two_take_out_and_a_third_takes_has_one_owner() {
    explore(2, || {
        // But for one the bucket is full, so the third gets its place or goes elsewhere.
        let all = bucketful();
        let (last, next) = (*all.end(), all.end() + 1);
        let index = index(all.clone());
        let removers = [(); 2].map(|()| {
            let index = Arc::clone(&index);
            thread::spawn(move || remove(&index, last))
        });
        assert!(insert(&index, next));
        let removed = removers.map(|remover| remover.join().unwrap());
        assert_eq!(removed.iter().filter(|removed| **removed).count(), 1);
        check(&index, &all.filter(|tag| *tag != last).chain([next]).collect::<Vec<_>>());
    });
}

#[test]
fn two_that_take_out_what_is_elsewhere_are_counted_once() {
    explore(2, || {
        let all = bucketful();
        let (mine, others) = (all.end() + 1, all.end() + 2);
        let index = index(all.clone().chain([mine, others]));
        let removers = [(); 2].map(|()| {
            let index = Arc::clone(&index);
            thread::spawn(move || remove(&index, others))
        });
        assert!(finds(&index, mine));
        let removed = removers.map(|remover| remover.join().unwrap());
        assert_eq!(removed.iter().filter(|removed| **removed).count(), 1);
        check(&index, &all.chain([mine]).collect::<Vec<_>>());
    });
}

#[test]
fn two_that_take_the_last_place_of_a_bucket_both_get_in() {
    explore(3, || {
        let all = bucketful();
        let (last, next) = (*all.end(), all.end() + 1);
        let index = index(1..last);
        let other = {
            let index = Arc::clone(&index);
            thread::spawn(move || assert!(insert(&index, next)))
        };
        assert!(insert(&index, last));
        other.join().unwrap();
        check(&index, &all.chain([next]).collect::<Vec<_>>());
    });
}
