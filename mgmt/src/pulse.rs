//! Signs of life of a thread that must not hang, and the look at them from another one. Pure: time is passed in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Time between two looks. The watched thread turns at least once in it.
pub const LOOK: Duration = Duration::from_secs(1);
/// Looks in a row without a turn, after which the thread counts as stalled. Compiling ten thousand services takes a
/// second and a half.
pub const PATIENCE: u32 = 5;

/// A count of turns that the watched thread increments.
#[derive(Debug, Default)]
pub struct Beat(AtomicU32);

impl Beat {
    /// The thread has come round once more.
    pub fn turn(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a look has found that the one before had not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// No turn for [`PATIENCE`] looks.
    Stalled,
    /// It turns again.
    GoesOn,
}

/// The look at one thread from another.
#[derive(Debug)]
pub struct Watch {
    beat: Arc<Beat>,
    count: u32,
    looked: Option<Instant>,
    missed: u32,
}

impl Watch {
    /// Begins with a thread that is well.
    #[must_use]
    pub fn new(beat: Arc<Beat>) -> Self {
        Self { beat, count: 0, looked: None, missed: 0 }
    }

    /// Looks. May be called as often as wanted: a turn is noticed immediately, and a missing one once a [`LOOK`].
    /// Looks are counted instead of time, since a process that was stopped as a whole has lost time in all threads.
    pub fn look(&mut self, now: Instant) -> Option<Change> {
        let count = self.beat.count();
        if count != std::mem::replace(&mut self.count, count) || self.looked.is_none() {
            let was_stalled = self.is_stalled();
            (self.looked, self.missed) = (Some(now), 0);
            return was_stalled.then_some(Change::GoesOn);
        }
        if self.next().is_some_and(|next| now < next) {
            return None;
        }
        self.looked = Some(now);
        self.missed = self.missed.saturating_add(1);
        (self.missed == PATIENCE).then_some(Change::Stalled)
    }

    /// When the next look is due.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.looked.map(|looked| looked + LOOK)
    }

    /// Whether the thread counts as stalled.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.missed >= PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> (Arc<Beat>, Watch, Instant) {
        let beat = Arc::<Beat>::default();
        (Arc::clone(&beat), Watch::new(beat), crate::clock::now())
    }

    #[test]
    fn a_thread_without_a_turn_for_five_looks_is_stalled_until_its_next_turn() {
        let (beat, mut watch, start) = watch();
        assert_eq!(watch.look(start), None);
        for second in 1..PATIENCE {
            assert_eq!(watch.look(start + LOOK * second), None, "{second}");
        }
        assert!(!watch.is_stalled());
        assert_eq!(watch.look(start + LOOK * PATIENCE), Some(Change::Stalled));
        assert_eq!(watch.look(start + LOOK * PATIENCE * 2), None, "reported once");
        assert!(watch.is_stalled());
        beat.turn();
        assert_eq!(
            watch.look(start + LOOK * PATIENCE * 2),
            Some(Change::GoesOn),
            "without waiting for the next look"
        );
        assert!(!watch.is_stalled());
        assert_eq!(watch.look(start + LOOK * PATIENCE * 2 + LOOK), None);
    }

    #[test]
    fn looks_in_between_do_not_count() {
        let (beat, mut watch, start) = watch();
        for millis in 0..4990 {
            assert_eq!(watch.look(start + Duration::from_millis(millis)), None, "{millis}");
        }
        beat.turn();
        let turned = start + Duration::from_millis(4990);
        assert_eq!(watch.look(turned), None);
        assert_eq!(watch.next(), Some(turned + LOOK));
        for millis in 0..4999 {
            assert_eq!(watch.look(turned + Duration::from_millis(millis)), None, "{millis}");
        }
        assert_eq!(watch.look(turned + Duration::from_secs(5)), Some(Change::Stalled));
    }

    #[test]
    fn time_in_which_nothing_of_the_process_ran_counts_as_one_look() {
        let (beat, mut watch, start) = watch();
        assert_eq!(watch.look(start), None);
        assert_eq!(watch.look(start + Duration::from_secs(3600)), None);
        beat.turn();
        assert_eq!(watch.look(start + Duration::from_secs(3601)), None);
        assert!(!watch.is_stalled());
    }

    #[test]
    fn a_count_that_wraps_is_a_turn() {
        let beat = Arc::new(Beat(AtomicU32::new(u32::MAX)));
        let (mut watch, start) = (Watch::new(Arc::clone(&beat)), crate::clock::now());
        assert_eq!(watch.look(start), None);
        beat.turn();
        assert_eq!(watch.look(start + LOOK), None);
        assert_eq!(watch.missed, 0);
    }
}
