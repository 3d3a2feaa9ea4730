//! The one shared pointer between management and workers.
//!
//! The management thread stores, workers load once per batch. A snapshot that has been replaced is
//! kept by the publisher until no worker holds it any more: the publisher frees its memory, so a
//! worker never does.

use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use super::Snapshot;

/// The writing end.
#[derive(Debug)]
pub struct Publisher {
    current: Arc<ArcSwap<Snapshot>>,
    replaced: Vec<Arc<Snapshot>>,
}

impl Publisher {
    /// Starts with the snapshot that workers see first.
    #[must_use]
    pub fn new(first: Snapshot) -> Self {
        Self { current: Arc::new(ArcSwap::from_pointee(first)), replaced: Vec::new() }
    }

    /// Replaces the snapshot; each worker sees the new one from its next batch on.
    pub fn publish(&mut self, next: Snapshot) {
        self.replaced.push(self.current.swap(Arc::new(next)));
        self.replaced.retain(|old| Arc::strong_count(old) > 1);
    }

    /// The snapshot that is in force.
    #[must_use]
    pub fn current(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// A reading end, for one worker.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader { cache: Cache::new(Arc::clone(&self.current)) }
    }
}

/// The reading end: one atomic load when nothing has changed.
#[derive(Debug)]
pub struct Reader {
    cache: Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>,
}

impl Reader {
    /// The snapshot in force, for one batch.
    pub fn load(&mut self) -> &Snapshot {
        self.cache.load()
    }
}

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
}
