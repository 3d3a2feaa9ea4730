//! Showing packets to who asks, and no longer.

use std::sync::Arc;

use super::Dataplane;
use crate::capture::{Capture, Filter};
use crate::snapshot::Snapshot;

/// The capture under way. Ends with its owner, so that who reads it notices.
#[derive(Debug)]
pub(super) struct Running(pub(super) Option<Arc<Capture>>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(capture) = &self.0 {
            capture.end();
        }
    }
}

impl Dataplane {
    /// Shows packets from the workers' next batches on. `None`: one capture is under way already.
    pub fn capture(&mut self, filter: Filter) -> Option<Arc<Capture>> {
        self.end_capture_that_is_over();
        if self.capture.0.is_some() {
            return None;
        }
        let capture = Arc::new(Capture::new(filter, self.threads.len()));
        self.capture.0 = Some(Arc::clone(&capture));
        self.publish_again();
        Some(capture)
    }

    /// To be called now and then: workers ask for nobody's sake after that.
    pub fn end_capture_that_is_over(&mut self) {
        if self.capture.0.as_ref().is_some_and(|capture| capture.is_over()) {
            self.capture.0 = None;
            self.publish_again();
        }
    }

    fn publish_again(&mut self) {
        let next = Snapshot::clone(&self.publisher.current());
        self.publish_choice(next);
    }
}
