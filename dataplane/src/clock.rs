//! The data plane's only clock: coarse, read once per batch.

use crate::types::Tick;

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

    pub(crate) fn epoch(&self) -> std::time::Instant {
        self.start
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
