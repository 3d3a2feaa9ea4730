//! The data plane's only clock: coarse, read once per batch.

use std::time::Duration;

/// Milliseconds since the data plane began; wraps after 49 days, so only differences count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tick(pub(crate) u32);

impl Tick {
    /// Time passed since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::from(self.millis_since(earlier)))
    }

    /// The same in milliseconds.
    #[inline]
    pub(crate) fn millis_since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
}

/// Where time comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: std::time::Instant,
}

impl Clock {
    /// A clock that begins now.
    #[expect(clippy::disallowed_methods, reason = "the clock file")]
    pub(crate) fn start() -> Self {
        Self { start: std::time::Instant::now() }
    }

    /// Nanoseconds since the start.
    #[expect(clippy::disallowed_methods, reason = "the clock file")]
    pub(crate) fn nanos(&self) -> u64 {
        u64::try_from(std::time::Instant::now().duration_since(self.start).as_nanos()).unwrap_or(u64::MAX)
    }

    /// The tick of a reading of [`Self::nanos`].
    #[expect(clippy::cast_possible_truncation, reason = "ticks wrap")]
    pub(crate) fn tick(nanos: u64) -> Tick {
        Tick((nanos / 1_000_000) as u32)
    }
}
