//! The one shared pointer between management and workers.
//!
//! The management thread publishes, workers load once per batch. A worker reads one number as long as
//! nothing has changed. When it has, the worker takes the new snapshot from behind a lock, as one of
//! several readers; while the lock is being written to, it goes on with the snapshot that it has and
//! tries again in its next batch. So a worker never waits, and workers are never in each other's way.
//!
//! A snapshot that has been replaced is kept by the publisher until no worker holds it any more: the
//! publisher frees its memory, so a worker never does.
//!
//! The number is only a hint: what a worker holds has the number that stands beside it behind the lock.

use std::sync::PoisonError;

use super::Snapshot;
use crate::sync::{Arc, AtomicU64, Ordering, RwLock};

/// A snapshot and which one it is, from 0.
#[derive(Debug)]
struct Numbered<T> {
    number: u64,
    snapshot: Arc<T>,
}

impl<T> Clone for Numbered<T> {
    fn clone(&self) -> Self {
        Self { number: self.number, snapshot: Arc::clone(&self.snapshot) }
    }
}

#[derive(Debug)]
struct Shared<T> {
    newest: AtomicU64,
    current: RwLock<Numbered<T>>,
}

/// The writing end.
#[derive(Debug)]
pub struct Publisher<T = Snapshot> {
    shared: Arc<Shared<T>>,
    replaced: Vec<Arc<T>>,
}

impl<T> Publisher<T> {
    /// Starts with the snapshot that workers see first.
    #[must_use]
    pub fn new(first: T) -> Self {
        let current = RwLock::new(Numbered { number: 0, snapshot: Arc::new(first) });
        Self { shared: Arc::new(Shared { newest: AtomicU64::new(0), current }), replaced: Vec::new() }
    }

    /// Replaces the snapshot; each worker sees the new one from its next batch on.
    pub fn publish(&mut self, next: T) {
        let next = Arc::new(next);
        let mut current = self.shared.current.write().unwrap_or_else(PoisonError::into_inner);
        let number = current.number + 1;
        // What is replaced stays in this hand, so that whoever holds it besides is never the last.
        let replaced = std::mem::replace(&mut *current, Numbered { number, snapshot: next });
        drop(current);
        // Told only now: who is told finds it behind the lock.
        self.shared.newest.store(number, Ordering::Release);
        self.replaced.push(replaced.snapshot);
        self.free();
    }

    /// Frees what no worker holds any more.
    fn free(&mut self) {
        self.replaced.retain_mut(|old| Arc::get_mut(old).is_none());
    }

    /// The snapshot that is in force.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        self.numbered().snapshot
    }

    /// A reading end, for one worker.
    #[must_use]
    pub fn reader(&self) -> Reader<T> {
        Reader { held: self.numbered(), shared: Arc::clone(&self.shared) }
    }

    fn numbered(&self) -> Numbered<T> {
        self.shared.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The reading end: one atomic load when nothing has changed.
#[derive(Debug)]
pub struct Reader<T = Snapshot> {
    held: Numbered<T>,
    shared: Arc<Shared<T>>,
}

impl<T> Reader<T> {
    /// The snapshot in force, for one batch.
    #[inline]
    pub fn load(&mut self) -> &T {
        if self.shared.newest.load(Ordering::Acquire) != self.held.number {
            self.take_newest();
        }
        &self.held.snapshot
    }

    #[cold]
    fn take_newest(&mut self) {
        // Being written to, or a publisher that has panicked: the next batch tries again.
        if let Ok(current) = self.shared.current.try_read() {
            self.held = current.clone();
        }
    }
}

#[cfg(all(test, loom))]
mod models;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_the_newest_snapshot_and_the_publisher_frees_the_old_one() {
        let mut publisher = Publisher::new(Snapshot { generation: 1, ..Snapshot::default() });
        let mut reader = publisher.reader();
        assert_eq!(reader.load().generation, 1);
        publisher.publish(Snapshot { generation: 2, ..Snapshot::default() });
        assert_eq!(publisher.replaced.len(), 1, "the reader still holds it");
        assert_eq!(reader.load().generation, 2);
        publisher.publish(Snapshot { generation: 3, ..Snapshot::default() });
        assert_eq!(publisher.replaced.len(), 1, "only the one the reader holds now");
        assert_eq!(reader.load().generation, 3);
    }

    #[test]
    fn a_reader_goes_on_with_what_it_has_while_a_snapshot_is_put_in() {
        let publisher = Publisher::new(1);
        let mut reader = publisher.reader();
        let mut current = publisher.shared.current.write().unwrap();
        *current = Numbered { number: 1, snapshot: Arc::new(2) };
        publisher.shared.newest.store(1, Ordering::Release);
        assert_eq!(*reader.load(), 1, "it does not wait");
        drop(current);
        assert_eq!(*reader.load(), 2);
    }
}
