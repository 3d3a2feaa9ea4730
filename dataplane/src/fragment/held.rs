//! Fragments that wait for the first one of their packet.

use super::Key;
use crate::io::Frame;
use crate::limits::{FRAGMENTS_HELD, FRAGMENTS_HELD_PER_SOURCE};
use crate::types::InterfaceId;
use crate::types::Tick;

/// How long one waits. Networks reorder by milliseconds.
const MILLIS: u32 = 500;

#[derive(Debug)]
struct Waiting {
    key: Key,
    ingress: InterfaceId,
    frame: Frame,
    since: Tick,
}

/// Few enough to be looked through one by one.
#[derive(Debug)]
pub(super) struct Held(Vec<Waiting>);

impl Held {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(FRAGMENTS_HELD))
    }

    pub(super) fn hold(
        &mut self,
        key: Key,
        ingress: InterfaceId,
        frame: Frame,
        since: Tick,
    ) -> Option<Frame> {
        let source = key.addresses.source();
        let of_source = self.0.iter().filter(|waiting| waiting.key.addresses.source() == source).count();
        if self.0.len() >= FRAGMENTS_HELD || of_source >= FRAGMENTS_HELD_PER_SOURCE {
            return Some(frame);
        }
        self.0.push(Waiting { key, ingress, frame, since });
        None
    }

    pub(super) fn release(&mut self, key: &Key) -> Option<(InterfaceId, Frame)> {
        let place = self.0.iter().position(|waiting| waiting.key == *key)?;
        let waiting = self.0.remove(place);
        Some((waiting.ingress, waiting.frame))
    }

    pub(super) fn take_late(&mut self, now: Tick) -> Option<(InterfaceId, Frame)> {
        // The oldest is in front.
        let is_late = self.0.first().is_some_and(|waiting| now.millis_since(waiting.since) >= MILLIS);
        is_late.then(|| {
            let waiting = self.0.remove(0);
            (waiting.ingress, waiting.frame)
        })
    }
}
