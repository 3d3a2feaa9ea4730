//! When memory that was taken out of the index may be used again: after every worker has passed a
//! quiescent state, a moment at which it holds no entry. A worker passes one after every batch, so a
//! look-up needs no fence and no hazard pointer (quiescent-state based reclamation: Hart et al.,
//! "Performance of memory reclamation for lockless synchronization", 2007).

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicU64, Ordering, fence};
use crate::types::WorkerId;

/// One counter per worker: of quiescent states passed; odd while it is away and holds nothing.
#[derive(Debug)]
pub(crate) struct Quiescence(Box<[CachePadded<AtomicU64>]>);

/// The counters at one moment.
#[derive(Debug)]
pub(super) struct Marks(Box<[u64]>);

impl Quiescence {
    /// All workers are away at first.
    pub(super) fn new(workers: usize) -> Self {
        Self((0..workers.max(1)).map(|_| CachePadded::new(AtomicU64::new(1))).collect())
    }

    /// The worker is at work and holds nothing from before.
    ///
    /// The fence orders this before the worker's next look-up. Together with the one in `mark` it
    /// rules out that a worker still finds a word that was removed before the marks were taken while
    /// the marks still miss its latest counter.
    pub(crate) fn pass(&self, worker: WorkerId) {
        let counter = &self.0[worker.index()];
        let next = (counter.load(Ordering::Relaxed) | 1) + 1;
        counter.store(next, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// The worker goes away, to sleep or for good, and holds nothing.
    pub(crate) fn leave(&self, worker: WorkerId) {
        let counter = &self.0[worker.index()];
        counter.store(counter.load(Ordering::Relaxed) | 1, Ordering::Release);
    }

    /// How many workers there are.
    pub(crate) fn workers(&self) -> usize {
        self.0.len()
    }

    pub(super) fn marks(&self) -> Marks {
        Marks(vec![0; self.0.len()].into_boxed_slice())
    }

    /// Takes the counters after words were removed from the index.
    pub(super) fn mark(&self, marks: &mut Marks) {
        fence(Ordering::SeqCst);
        for (mark, counter) in marks.0.iter_mut().zip(&self.0) {
            *mark = counter.load(Ordering::Acquire);
        }
    }

    /// Whether every worker was away at the marks or has passed a quiescent state since.
    pub(super) fn all_passed(&self, marks: &Marks) -> bool {
        marks
            .0
            .iter()
            .zip(&self.0)
            .all(|(mark, counter)| mark & 1 == 1 || counter.load(Ordering::Acquire) != *mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_at_work_holds_memory_back_until_it_passes_or_leaves() {
        let quiescence = Quiescence::new(2);
        let mut marks = quiescence.marks();
        quiescence.mark(&mut marks);
        assert!(quiescence.all_passed(&marks), "all are away");
        quiescence.pass(WorkerId(0));
        quiescence.pass(WorkerId(1));
        quiescence.mark(&mut marks);
        assert!(!quiescence.all_passed(&marks));
        quiescence.pass(WorkerId(0));
        assert!(!quiescence.all_passed(&marks), "worker 1 may still hold an entry");
        quiescence.leave(WorkerId(1));
        assert!(quiescence.all_passed(&marks));
    }
}
