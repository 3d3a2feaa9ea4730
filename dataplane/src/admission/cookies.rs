//! What a service's handshakes have shown, for those that are answered by cookie.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::syn_proxy::{COOKIE_LIFE, Promise};
use crate::types::Tick;

/// Shared by all workers.
#[derive(Debug, Default)]
pub(crate) struct Cookies {
    promise: Promise,
    /// When the last one was issued, with the lowest bit set; 0: none was.
    issued: AtomicU32,
}

impl Cookies {
    /// What clients are promised.
    pub(crate) fn promise(&self) -> &Promise {
        &self.promise
    }

    /// A cookie has been issued. The line is written once a second.
    pub(crate) fn issue(&self, now: Tick) {
        let last = self.issued.load(Relaxed);
        if last == 0 || now.0.wrapping_sub(last) >= 1000 {
            self.issued.store(now.0 | 1, Relaxed);
        }
    }

    /// Whether an acknowledgement out of the blue may be that of a cookie: otherwise it is not worth a hash.
    pub(crate) fn may_come_back(&self, now: Tick) -> bool {
        let last = self.issued.load(Relaxed);
        // What another worker has issued may be a little ahead of this worker's clock.
        last != 0 && now.0.wrapping_sub(last).wrapping_add(1000) <= COOKIE_LIFE + 2000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_come_back_for_as_long_as_they_live() {
        let cookies = Cookies::default();
        assert!(!cookies.may_come_back(Tick(0)));
        for start in [0, 7, u32::MAX - 500] {
            let at = |millis: u32| Tick(start.wrapping_add(millis));
            cookies.issue(at(0));
            cookies.issue(at(900));
            assert!(cookies.may_come_back(at(0)) && cookies.may_come_back(Tick(start.wrapping_sub(3))));
            assert!(cookies.may_come_back(at(900 + COOKIE_LIFE)), "of the last one");
            assert!(!cookies.may_come_back(at(COOKIE_LIFE + 2000)));
        }
    }
}
