//! How many checks may run at once: as many as the process has descriptors for, with some left to the control socket and
//! to all else that the daemon opens later. What is due meanwhile waits for its turn. No I/O.

/// Sockets at once, however many descriptors there are.
pub const MAX_SOCKETS: usize = 16_384;
/// Processes at once.
pub const MAX_PROCESSES: usize = 64;
/// What checks never take, at least: connections to the control socket and the metrics, captures, sockets of virtual
/// routers and BFD sessions, rings of an interface that comes back.
pub const RESERVE: usize = 64;

/// See the module's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Checks that open a socket or a file.
    pub sockets: usize,
    /// Checks that start a process, which is a descriptor, too.
    pub processes: usize,
}

impl Room {
    /// `limit`: descriptors that the process may have; `open`: those that it has already.
    #[must_use]
    pub fn of(limit: usize, open: usize) -> Self {
        let left = limit.saturating_sub(open).saturating_sub(RESERVE.max(limit / 8));
        let processes = (left / 4).clamp(1, MAX_PROCESSES);
        Self { sockets: left.saturating_sub(processes).clamp(1, MAX_SOCKETS), processes }
    }
}

impl Default for Room {
    /// Where descriptors are no question.
    fn default() -> Self {
        Self { sockets: MAX_SOCKETS, processes: MAX_PROCESSES }
    }
}

/// The limit with which that many checks can all run at once, beside `open` descriptors.
#[must_use]
pub fn needed(checks: usize, open: usize) -> usize {
    let wanted = open + checks.min(MAX_SOCKETS) + MAX_PROCESSES;
    // An eighth of the limit is left to others.
    (wanted + RESERVE).max((wanted * 8).div_ceil(7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_leave_descriptors_to_the_rest_of_the_daemon() {
        let of = |limit, open| {
            let Room { sockets, processes } = Room::of(limit, open);
            (sockets, processes)
        };
        assert_eq!(of(524_288, 100), (16_384, 64));
        assert_eq!(of(1024, 100), (732, 64));
        assert_eq!(of(256, 60), (99, 33));
        assert_eq!(of(256, 250), (1, 1), "one at a time still runs");
        for limit in [128, 256, 1024, 4096] {
            let Room { sockets, processes } = Room::of(limit, 40);
            assert!(sockets + processes + 40 + RESERVE <= limit, "{limit}");
        }
    }

    #[test]
    fn what_is_needed_is_enough() {
        for checks in [1, 100, 1000, 16_384, 100_000] {
            let Room { sockets, .. } = Room::of(needed(checks, 80), 80);
            assert!(sockets >= checks.min(MAX_SOCKETS), "{checks}: {sockets}");
        }
    }
}
