//! Frames at hand for what a stage has to copy, and copies on their way out.

use std::collections::VecDeque;

use crate::io::Frame;
use crate::limits::SPARES;
use crate::types::InterfaceId;

/// See the module's head. The worker fills it up between batches.
#[derive(Debug)]
pub(crate) struct Spares {
    free: Vec<Frame>,
    copies: VecDeque<(InterfaceId, Frame)>,
}

impl Spares {
    pub(crate) fn new() -> Self {
        Self { free: Vec::with_capacity(SPARES), copies: VecDeque::with_capacity(SPARES) }
    }

    /// Whether the worker should give one.
    pub(crate) fn wants_more(&self) -> bool {
        self.free.len() < SPARES
    }

    pub(crate) fn give(&mut self, frame: Frame) {
        if self.wants_more() {
            self.free.push(frame);
        }
    }

    /// An empty frame.
    pub(super) fn take(&mut self) -> Option<Frame> {
        self.free.pop()
    }

    /// Sends a copy after the batch, in the order of the calls. There are no more copies than there were spares.
    pub(super) fn send(&mut self, interface: InterfaceId, copy: Frame) {
        self.copies.push_back((interface, copy));
    }

    pub(crate) fn take_copy(&mut self) -> Option<(InterfaceId, Frame)> {
        self.copies.pop_front()
    }
}
