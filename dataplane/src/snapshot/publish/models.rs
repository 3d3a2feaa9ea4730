//! The shared pointer, in all ways in which a publisher and its readers can meet.
//!
//! What was broken to see them fail, and what they showed:
//!
//! | broken | shown |
//! | --- | --- |
//! | the number told before the snapshot is put in, and a reader notes what it was told | a reader that stays with an old snapshot for good |
//! | a snapshot that has been replaced is not kept | a reader frees it |

use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use loom::thread;

use super::*;
use crate::sync::explore;

/// A snapshot that tells when it is freed, and by whom.
#[derive(Debug)]
struct Traced {
    number: usize,
    freed: StdArc<Freed>,
}

#[derive(Debug, Default)]
struct Freed {
    snapshots: AtomicUsize,
    by_a_reader: AtomicBool,
}

loom::thread_local! {
    static IS_READER: std::cell::Cell<bool> = std::cell::Cell::new(false);
}

impl Drop for Traced {
    fn drop(&mut self) {
        self.freed.snapshots.fetch_add(1, Ordering::Relaxed);
        if IS_READER.with(std::cell::Cell::get) {
            self.freed.by_a_reader.store(true, Ordering::Relaxed);
        }
    }
}

/// Loads so often as for so many batches, and hands back the reader: it is the publisher that ends last.
fn read(mut reader: Reader<Traced>, batches: usize) -> thread::JoinHandle<Reader<Traced>> {
    thread::spawn(move || {
        IS_READER.with(|is_reader| is_reader.set(true));
        let mut last = 0;
        for _ in 0..batches {
            let number = reader.load().number;
            assert!(number >= last, "back from {last} to {number}");
            last = number;
        }
        reader
    })
}

#[test]
fn readers_go_forward_alone_and_the_publisher_frees() {
    explore(3, || {
        let freed = StdArc::<Freed>::default();
        let traced = |number| Traced { number, freed: StdArc::clone(&freed) };
        let mut publisher = Publisher::new(traced(0));
        let readers = [read(publisher.reader(), 2), read(publisher.reader(), 2)];
        publisher.publish(traced(1));
        publisher.publish(traced(2));
        let [mut first, mut second] = readers.map(|reader| reader.join().unwrap());
        // What was published before a batch began is seen in it.
        assert_eq!((first.load().number, second.load().number), (2, 2));
        publisher.free();
        assert_eq!(publisher.replaced.len(), 0, "nobody holds them");
        assert_eq!(freed.snapshots.load(Ordering::Relaxed), 2);
        assert!(!freed.by_a_reader.load(Ordering::Relaxed), "a reader never frees");
    });
}
