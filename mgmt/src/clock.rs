//! The management side's only clock; everything below the supervisor gets the time passed in.

use std::time::{Instant, SystemTime};

/// Now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the clock file")]
pub fn now() -> Instant {
    Instant::now()
}

/// Now, as calendars have it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the clock file")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}
