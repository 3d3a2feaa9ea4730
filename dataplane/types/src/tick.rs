//! The data plane's time stamp. It is passed in; no code of the pipeline reads a clock.

use std::time::Duration;

/// Milliseconds since the data plane started. Wraps after 49 days, so only differences have a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tick(pub u32);

impl Tick {
    /// The time since `earlier`.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::from(self.millis_since(earlier)))
    }

    /// The milliseconds since `earlier`.
    #[inline]
    pub fn millis_since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
}
