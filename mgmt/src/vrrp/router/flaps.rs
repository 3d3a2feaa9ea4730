//! A router that fails again and again lets a worse one be master for a while, instead of moving the addresses to and
//! fro. Nobody waits for it: it only takes over later from a master that lives.

use std::time::{Duration, Instant};

/// So long without a failure, and all is forgotten.
const CALM: Duration = Duration::from_secs(300);
/// So many failures are bad luck.
const BAD_LUCK: u32 = 2;
/// After the first that is more; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How often a router failed while it was master.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flaps {
    count: u32,
    last: Option<Instant>,
}

impl Flaps {
    pub(super) fn failed(&mut self, now: Instant) {
        self.count = if self.is_calm(now) { 1 } else { self.count.saturating_add(1) };
        self.last = Some(now);
    }

    /// How much longer it hears a worse master before it takes over.
    pub(super) fn pause(&self, now: Instant) -> Duration {
        match self.count.checked_sub(BAD_LUCK + 1) {
            Some(more) if !self.is_calm(now) => {
                FIRST_PAUSE.saturating_mul(1 << more.min(16)).min(LONGEST_PAUSE)
            }
            Some(_) | None => Duration::ZERO,
        }
    }

    fn is_calm(&self, now: Instant) -> bool {
        self.last.is_none_or(|last| now.saturating_duration_since(last) >= CALM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_the_third_failure_on_it_waits_twice_as_long_each_time_until_it_was_calm() {
        let (start, mut flaps) = (crate::clock::now(), Flaps::default());
        let second = Duration::from_secs(1);
        for (failure, pause) in [(1, 0), (2, 0), (3, 1), (4, 2), (5, 4), (6, 8), (9, 60)] {
            while flaps.count < failure {
                flaps.failed(start);
            }
            assert_eq!(flaps.pause(start + second), second * pause, "{failure}");
        }
        assert_eq!(flaps.pause(start + CALM), Duration::ZERO);
        flaps.failed(start + CALM);
        assert_eq!(flaps.count, 1);
    }
}
