//! The management side's only clock; everything below the supervisor gets the time passed in.

use std::time::Instant;

/// Now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the clock file")]
pub fn now() -> Instant {
    Instant::now()
}
