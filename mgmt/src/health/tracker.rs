//! From single results to up and down. No I/O and no clock: the time is passed in.
//!
//! ```text
//!                 fall failures in a row
//!          ┌──────────────────────────────────▶┐
//!        Up{failures}                      Down{successes}
//!          └◀──────────────────────────────────┘
//!                 rise successes in a row
//! ```
//!
//! A result that agrees with the state resets the count: with `retry` + 1 for `fall` and 1 for `rise` that is
//! what Keepalived does, with `rise` and `fall` as they are what HAProxy does.

mod outcome;

use std::time::{Duration, Instant};

pub use outcome::{Admin, Outcome, Share, Verdict};

use crate::config::health::{Initial, Rules};

/// When a check that the node could not run is tried again, at the latest.
const RUN_AGAIN: Duration = Duration::from_secs(1);

/// Where a check stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is known, and the first result decides alone.
    Unchecked { counts_as_up: bool },
    /// Up, with so many failures since the last success.
    Up { failures: u32 },
    /// Down, with so many successes since the last failure.
    Down { successes: u32 },
}

/// A change that a result has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// Whether it is up now.
    pub up: bool,
    /// When.
    pub at: Instant,
}

/// One check of one backend.
#[derive(Debug, Clone)]
pub struct Tracker {
    rules: Rules,
    state: State,
    /// Failed tries of the check that is under way.
    tries: u32,
    share: Share,
    admin: Admin,
    since: Instant,
    is_checked: bool,
    has_run: bool,
    /// It could not be set up, and has never run. Nothing would ever end an assumption that the server is well.
    is_hindered: bool,
    /// What it counts as then: what was known of the backend before.
    without_run: bool,
}

impl Tracker {
    /// Before the first check.
    #[must_use]
    pub fn new(rules: Rules, now: Instant) -> Self {
        let state = match rules.initial {
            Initial::Up => State::Up { failures: 0 },
            Initial::Down => State::Down { successes: 0 },
            Initial::UpUntilChecked => State::Unchecked { counts_as_up: true },
            Initial::DownUntilChecked => State::Unchecked { counts_as_up: false },
        };
        Self {
            rules,
            state,
            tries: 0,
            share: Share::Configured,
            admin: Admin::Ready,
            since: now,
            is_checked: false,
            has_run: false,
            is_hindered: false,
            without_run: false,
        }
    }

    /// The same, of a backend that other checks have found up.
    #[must_use]
    pub fn of_known_backend(self, is_up: bool) -> Self {
        Self { without_run: is_up, ..self }
    }

    /// Goes on by other rules: what is known stays known, and counts go on.
    pub fn follow(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Takes in a result; gives the change that it makes, if it makes one.
    pub fn on_result(&mut self, now: Instant, outcome: &Outcome) -> Option<Transition> {
        if outcome.share != Share::Unsaid {
            self.share = outcome.share;
        }
        let was_up = self.is_up();
        if let Some(admin) = outcome.admin {
            (self.admin, self.is_checked) = (admin, true);
        }
        if outcome.verdict.has_run() {
            (self.has_run, self.is_hindered) = (true, false);
        }
        match outcome.verdict {
            Verdict::Pass => self.succeeded(),
            Verdict::Fail => self.failed(),
            Verdict::NoNews => self.tries = 0,
            Verdict::NotRun => {}
            Verdict::CannotRun => self.is_hindered = !self.has_run,
        }
        if self.is_up() == was_up {
            return None;
        }
        self.since = now;
        Some(Transition { up: self.is_up(), at: now })
    }

    /// Takes in a failure that was seen without asking: there is nothing to try again.
    pub fn on_observed(&mut self, now: Instant, outcome: &Outcome) {
        self.tries = self.rules.retries;
        self.on_result(now, outcome);
    }

    fn succeeded(&mut self) {
        (self.tries, self.is_checked) = (0, true);
        self.state = match self.state {
            State::Unchecked { .. } | State::Up { .. } => State::Up { failures: 0 },
            State::Down { successes } if successes + 1 >= self.rules.rise => State::Up { failures: 0 },
            State::Down { successes } => State::Down { successes: successes + 1 },
        };
    }

    fn failed(&mut self) {
        if self.tries < self.rules.retries && self.is_found_up() {
            self.tries += 1;
            return;
        }
        (self.tries, self.is_checked) = (0, true);
        self.state = match self.state {
            State::Unchecked { .. } | State::Down { .. } => State::Down { successes: 0 },
            State::Up { failures } if failures + 1 >= self.rules.fall => State::Down { successes: 0 },
            State::Up { failures } => State::Up { failures: failures + 1 },
        };
    }

    /// Whether it counts as up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.admin != Admin::Maintenance && self.is_found_up()
    }

    /// The same, with maintenance left out.
    fn is_found_up(&self) -> bool {
        if self.is_hindered {
            return self.without_run;
        }
        match self.state {
            State::Unchecked { counts_as_up } => counts_as_up,
            State::Up { .. } => true,
            State::Down { .. } => false,
        }
    }

    /// Whether any result has counted.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        self.is_checked
    }

    /// Results in a row that contradict the state.
    #[must_use]
    pub fn contradictions(&self) -> u32 {
        match self.state {
            State::Unchecked { .. } => 0,
            State::Up { failures } => failures,
            State::Down { successes } => successes,
        }
    }

    /// When it became what it is.
    #[must_use]
    pub fn since(&self) -> Instant {
        self.since
    }

    /// What it wants the weight to be, if that is not the configured one.
    #[must_use]
    pub fn weight(&self, configured: u16) -> Option<u16> {
        if self.admin == Admin::Drain {
            return Some(0);
        }
        match self.share {
            Share::Unsaid | Share::Configured => None,
            Share::Weight(weight) => Some(weight),
            Share::Percent(percent) => {
                let weight = (u32::from(configured) * u32::from(percent)).div_ceil(100);
                Some(u16::try_from(weight).unwrap_or(u16::MAX))
            }
        }
    }

    /// From the start of the last check to that of the next one.
    #[must_use]
    pub fn pause(&self) -> Duration {
        if self.tries > 0 {
            return Duration::ZERO;
        }
        match self.state {
            State::Unchecked { .. } | State::Up { failures: 0 } => self.rules.interval,
            State::Down { successes: 0 } => self.rules.down_interval,
            State::Up { .. } | State::Down { .. } => self.rules.fast_interval,
        }
    }

    /// The same after a check that the node could not run. Not immediately: that would be a busy loop.
    #[must_use]
    pub fn pause_after_not_run(&self) -> Duration {
        self.rules.fast_interval.min(self.rules.interval).min(RUN_AGAIN)
    }
}

#[cfg(test)]
#[path = "tracker_tests.rs"]
mod tests;
