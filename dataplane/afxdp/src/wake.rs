//! An event that ends another thread's sleep.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::sys;

/// An eventfd: readable from `wake` until `clear`, however often it was woken in between.
#[derive(Debug)]
pub struct Wake(OwnedFd);

impl Wake {
    /// A new eventfd.
    ///
    /// # Errors
    /// The kernel's: no descriptor is free.
    pub fn new() -> io::Result<Self> {
        sys::event_fd().map(Self)
    }

    /// Ends the sleep of whoever polls it.
    pub fn wake(&self) {
        sys::event_add(self.0.as_fd());
    }

    /// Lets the next poll sleep again.
    pub fn clear(&self) {
        sys::event_clear(self.0.as_fd());
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sys::{Watched, poll};

    fn is_readable(wake: &Wake) -> bool {
        let mut watched = [Watched::new(wake.as_fd())];
        poll(&mut watched, Duration::ZERO);
        watched[0].is_ready()
    }

    #[test]
    fn it_is_readable_from_the_first_wake_until_it_is_cleared() {
        let wake = Wake::new().unwrap();
        assert!(!is_readable(&wake));
        wake.wake();
        wake.wake();
        assert!(is_readable(&wake));
        wake.clear();
        assert!(!is_readable(&wake));
        wake.clear();
    }
}
