//! Real time: what a throughput is measured by.

use std::time::{Duration, Instant};

/// A moment that has a distance to now.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// From now on.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the clock file")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// The moment so long after the start.
    #[must_use]
    pub fn after(self, time: Duration) -> Instant {
        self.0 + time
    }
}

/// Between two looks at something that another process does.
pub fn pause() {
    sleep(Duration::from_millis(10));
}

/// While traffic flows.
#[expect(clippy::disallowed_methods, reason = "a window is time that passes")]
pub fn sleep(time: Duration) {
    std::thread::sleep(time);
}
