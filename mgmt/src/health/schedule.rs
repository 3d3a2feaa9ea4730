//! When each check is due. No I/O and no clock.
//!
//! A heap by time: taking out one of ten thousand costs a dozen comparisons. No more than a bounded
//! number run at once; what is due meanwhile waits in its order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// A check's place, and which of the checks that have had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId {
    /// Used again after a check has left.
    pub place: usize,
    /// Counts the checks of all places.
    pub generation: u64,
}

/// See the module's head.
#[derive(Debug)]
pub struct Schedule {
    due: BinaryHeap<Reverse<(Instant, CheckId)>>,
    running: usize,
    limit: usize,
}

impl Schedule {
    /// At most `limit` run at once.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { due: BinaryHeap::new(), running: 0, limit }
    }

    /// Has a check run at a time.
    pub fn add(&mut self, id: CheckId, at: Instant) {
        self.due.push(Reverse((at, id)));
    }

    /// When [`Schedule::take`] will give something; `None`: not before something ends or is added.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        let Reverse((at, _)) = self.due.peek()?;
        (self.running < self.limit).then_some(*at)
    }

    /// The check that has been due for the longest, with the time when it was. It runs from now on, until
    /// [`Schedule::ended`].
    pub fn take(&mut self, now: Instant) -> Option<(CheckId, Instant)> {
        if self.next()? > now {
            return None;
        }
        let Reverse((at, id)) = self.due.pop()?;
        self.running += 1;
        Some((id, at))
    }

    /// One that was taken has ended.
    pub fn ended(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// How many run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running
    }
}

/// When a check begins that is the `nth`: spread over `warmup` by steps of the golden ratio, so that any
/// number of checks is spread evenly, and stays so while others come.
#[must_use]
pub fn first_due(start: Instant, warmup: Duration, nth: u64) -> Instant {
    /// 2^64 over the golden ratio.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let fraction = u128::from(nth.wrapping_mul(STEP));
    let nanos = (warmup.as_nanos().min(u128::from(u64::MAX)) * fraction) >> 64;
    start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// When a check is due again that was due at `due`, began at `began` and ends `now`. It keeps its beat, and with
/// it the spread, unless it was held up for longer than a pause.
#[must_use]
pub fn next_due(due: Instant, began: Instant, now: Instant, pause: Duration) -> Instant {
    let on_beat = due + pause;
    if on_beat < began { now } else { on_beat.max(now) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn id(place: usize) -> CheckId {
        CheckId { place, generation: 0 }
    }

    #[test]
    fn what_is_due_comes_in_its_order_and_no_more_than_the_limit_at_once() {
        let start = crate::clock::now();
        let mut schedule = Schedule::new(2);
        for (place, millis) in [(0, 30), (1, 10), (2, 20)] {
            schedule.add(id(place), start + Duration::from_millis(millis));
        }
        assert_eq!(schedule.take(start), None);
        assert_eq!(schedule.next(), Some(start + Duration::from_millis(10)));
        let later = start + SECOND;
        assert_eq!([0, 1].map(|_| schedule.take(later).unwrap().0), [id(1), id(2)]);
        assert_eq!((schedule.take(later), schedule.next(), schedule.running()), (None, None, 2));
        schedule.ended();
        assert_eq!(schedule.take(later).unwrap(), (id(0), start + Duration::from_millis(30)));
    }

    #[test]
    fn starts_are_spread_evenly_whatever_their_number() {
        let start = crate::clock::now();
        for count in [2_u64, 7, 100, 10_000] {
            let mut dues: Vec<_> =
                (0..count).map(|n| first_due(start, SECOND, n).duration_since(start)).collect();
            dues.sort_unstable();
            assert!(dues.iter().all(|due| *due < SECOND));
            let widest = dues.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
            let fair = SECOND / u32::try_from(count).unwrap();
            assert!(widest <= fair * 3, "{count}: {widest:?} beside {fair:?}");
        }
        assert_eq!(first_due(start, Duration::ZERO, 5), start);
    }

    #[test]
    fn a_check_keeps_its_beat_and_does_not_make_up_for_what_it_missed() {
        let due = crate::clock::now();
        let at = |millis| due + Duration::from_millis(millis);
        assert_eq!(next_due(due, at(5), at(20), SECOND), at(1000));
        assert_eq!(next_due(due, at(5), at(1500), SECOND), at(1500), "it took longer than its interval");
        assert_eq!(next_due(due, at(5000), at(5010), SECOND), at(5010), "it began late");
        assert_eq!(next_due(due, at(0), at(3), Duration::ZERO), at(3), "a retry");
    }
}
