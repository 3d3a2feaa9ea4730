//! The end of a worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Links;
use crate::flow::FlowTable;
use crate::types::WorkerId;
use crate::xdp::Wake;

/// A worker that ends, in whatever way, holds no memory back, and management hears of it at once.
pub(super) struct AtEnd {
    table: Arc<FlowTable>,
    worker: WorkerId,
    has_ended: Arc<AtomicBool>,
    punt_event: Arc<Wake>,
}

impl AtEnd {
    pub(super) fn of(links: &Links, worker: WorkerId) -> Self {
        Self {
            table: Arc::clone(&links.table),
            worker,
            has_ended: Arc::clone(&links.has_ended),
            punt_event: Arc::clone(&links.punt_event),
        }
    }
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.table.quiescence().leave(self.worker);
        self.has_ended.store(true, Ordering::Release);
        self.punt_event.wake();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::os::fd::AsFd;
    use std::time::Duration;

    use super::*;
    use crate::testing::rig::{Rig, snapshot};
    use crate::worker::Poll;
    use crate::xdp::{Watched, poll};

    #[test]
    fn a_worker_that_ends_by_a_panic_too_says_so_and_wakes_management() {
        let rig = Rig::new(snapshot(&[11], &[21]));
        let (has_ended, event) = rig.worker.signs_of_life();
        let is_ready = || {
            let mut watched = [Watched::new(event.as_fd())];
            poll(&mut watched, Duration::ZERO);
            watched[0].is_ready()
        };
        assert!(!has_ended.load(Ordering::Acquire) && !is_ready());
        let worker = std::thread::spawn(move || {
            let _end = AtEnd::of(&rig.worker.links, WorkerId(0));
            panic!("as a defect would");
        });
        assert!(worker.join().is_err());
        assert!(has_ended.load(Ordering::Acquire) && is_ready());
        let mut rig = Rig::new(snapshot(&[11], &[21]));
        let (has_ended, _) = rig.worker.signs_of_life();
        rig.worker.run(Poll::Busy, &AtomicBool::new(true));
        assert!(has_ended.load(Ordering::Acquire));
    }
}
