//! A bounded lock-free channel between workers and the management thread.

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;

use crate::limits::{PUNT_QUEUE, PUNT_REPORTS};

/// A bounded channel.
#[derive(Debug)]
pub(crate) struct Channel<T>(ArrayQueue<T>);

impl<T> Channel<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(ArrayQueue::new(PUNT_QUEUE)))
    }

    /// Whether there was room; the caller counts what there was none for.
    pub(crate) fn send(&self, item: T) -> bool {
        self.0.push(item).is_ok()
    }

    /// Whether there is room for a report, which is repeated if there is none. Frames have the rest of the channel
    /// for themselves: each of them comes once.
    pub(crate) fn takes_reports(&self) -> bool {
        self.0.len() < PUNT_REPORTS
    }

    /// Sends a report; whether there was room.
    pub(crate) fn report(&self, item: T) -> bool {
        self.takes_reports() && self.send(item)
    }

    pub(crate) fn receive(&self) -> Option<T> {
        self.0.pop()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
