//! Events a second, by the generic cell rate algorithm (ITU-T I.371): one word says when the next event
//! would be due if all came evenly. What comes before that is let through as long as it is less than a
//! second early, so that a second's worth may come at once.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::limits::RATE_TRIES;
use crate::types::Tick;

/// A second, in parts of 2^-32 milliseconds: a moment then wraps when the tick does.
const SECOND: u64 = 1000 << 32;
/// More than any limiter is ever ahead: what seems to be, is the past, half a turn of the clock ago.
const FAR: u64 = 4 * SECOND;

/// When the next event is due. New: now.
#[derive(Debug, Default)]
pub struct Rate(AtomicU64);

/// A moment on the wrapping scale of [`Rate`].
pub(super) fn moment(now: Tick) -> u64 {
    u64::from(now.0) << 32
}

/// When the next event after this one is due; `None`: it comes too early.
#[inline]
pub(super) fn next(due: u64, per_second: u32, now: u64) -> Option<u64> {
    let interval = SECOND / u64::from(per_second.max(1));
    // How far the limiter is ahead of the clock. The past is far ahead on a scale that wraps.
    let ahead = due.wrapping_sub(now);
    let ahead = if ahead > FAR { 0 } else { ahead };
    (ahead + interval <= SECOND).then(|| now.wrapping_add(ahead + interval))
}

impl Rate {
    /// Whether one more event is within the rate; it then counts. Who loses the word to others again and
    /// again is refused: they were let through.
    pub(crate) fn take(&self, per_second: u32, now: Tick) -> bool {
        let mut due = self.0.load(Relaxed);
        for _ in 0..RATE_TRIES {
            let Some(next) = next(due, per_second, moment(now)) else { return false };
            match self.0.compare_exchange_weak(due, next, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(other) => due = other,
            }
        }
        false
    }
}
