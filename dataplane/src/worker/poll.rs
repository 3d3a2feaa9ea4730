//! How a worker waits for frames.

/// What an idle worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// Never sleeps.
    Busy,
    /// Spins for a while, then sleeps in poll(2) until a frame arrives.
    Adaptive,
}
