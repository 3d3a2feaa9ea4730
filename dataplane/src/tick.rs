//! A moment, as the data plane has it: passed in, never asked for.

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
