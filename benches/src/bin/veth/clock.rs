//! Real time: what a throughput is measured by.

use std::time::{Duration, Instant};

/// A moment that has a distance to now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "the clock file")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Between two looks at something that another process does.
pub(crate) fn pause() {
    sleep(Duration::from_millis(10));
}

/// While frames flow.
#[expect(clippy::disallowed_methods, reason = "a window is time that passes")]
pub(crate) fn sleep(time: Duration) {
    std::thread::sleep(time);
}
