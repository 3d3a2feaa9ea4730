//! Checks that could not run because of the node, and when that is worth a line in the log. No I/O and no clock.

use std::time::{Duration, Instant};

/// Between two lines about it, and before it is reported as over and as begun again.
const PAUSE: Duration = Duration::from_secs(60);

/// See the module's head.
#[derive(Debug, Default)]
pub struct Shortage {
    /// Checks whose last run came to nothing for such a reason.
    checks: usize,
    /// When it was reported last.
    reported: Option<Instant>,
    /// Whether it was not reported as over since then.
    is_open: bool,
}

impl Shortage {
    /// A check's run came to nothing; `before`: the one before did, too. Gives the number of such checks where that is
    /// to be reported.
    pub fn did_not_run(&mut self, before: bool, now: Instant) -> Option<usize> {
        self.checks += usize::from(!before);
        let is_fresh = |at: Instant| now.saturating_duration_since(at) < PAUSE;
        if self.reported.is_some_and(is_fresh) {
            return None;
        }
        (self.reported, self.is_open) = (Some(now), true);
        Some(self.checks)
    }

    /// A check has left; `before`: its last run came to nothing.
    pub fn left(&mut self, before: bool) {
        self.checks -= usize::from(before && self.checks > 0);
    }

    /// A check has run; `before`: its last run came to nothing. Whether it is to be reported that there is
    /// no such check any more.
    pub fn ran(&mut self, before: bool) -> bool {
        self.left(before);
        self.checks == 0 && std::mem::take(&mut self.is_open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_reported_once_a_minute_and_its_end_once() {
        let start = crate::clock::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut shortage = Shortage::default();
        assert!(!shortage.ran(false), "there was none");
        assert_eq!(shortage.did_not_run(false, at(0)), Some(1));
        assert_eq!(shortage.did_not_run(false, at(1)), None);
        assert_eq!(shortage.did_not_run(true, at(59)), None);
        assert_eq!(shortage.did_not_run(true, at(60)), Some(2));
        assert!(!shortage.ran(true), "one is left");
        assert!(shortage.ran(true));
        assert!(!shortage.ran(false));
        assert_eq!(shortage.did_not_run(false, at(61)), None, "it flaps");
        assert!(!shortage.ran(true));
        assert_eq!(shortage.did_not_run(false, at(121)), Some(1));
        assert!(shortage.ran(true));
    }
}
