//! What management is asked for: next hops to resolve, and neighbours to verify.

use super::{KINDS, Missing, Unresolved};
use crate::limits::UNRESOLVED_REPORTS;
use crate::types::Tick;

/// Milliseconds between two reports of neighbours that seem to have moved.
pub(super) const MOVED_EVERY: u32 = 10;

impl Unresolved {
    /// Reports next hops that management has not been asked for, those that packets wait for first: `send` says
    /// whether there was room. Those without room are reported the next time.
    pub(crate) fn report(&mut self, mut send: impl FnMut(Missing) -> bool) {
        self.end_batch();
        let mut room = UNRESOLVED_REPORTS;
        for kind in KINDS {
            // New ones are at the end.
            let mut number = self.index.newest(kind);
            while self.unreported[kind as usize] > 0
                && let Some(missed) = self.slots.get_mut(usize::from(number))
            {
                if !missed.is_reported {
                    if room == 0 || !send(missed.missing) {
                        return;
                    }
                    missed.is_reported = true;
                    self.unreported[kind as usize] -= 1;
                    room -= 1;
                }
                number = self.index.older(number);
            }
        }
    }

    /// Notes that a neighbour has sent from another MAC address than the one that is known.
    pub(crate) fn note_moved(&mut self, neighbour: Missing, now: Tick) {
        if now.millis_since(self.moved_at) >= MOVED_EVERY {
            (self.moved, self.moved_at) = (Some(neighbour), now);
        }
    }

    pub(crate) fn take_moved(&mut self) -> Option<Missing> {
        self.moved.take()
    }
}
