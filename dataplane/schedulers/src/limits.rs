//! Compile-time bounds of the schedulers.

/// Slots of a Maglev table: primes, each for services of up to so many backends, so that the shares are within
/// one per cent of the weights (Eisenbud et al., NSDI 2016, section 5.3), and at most one per cent of the flows
/// move beside those of a backend that leaves the file. A service that grows beyond a step gets another table.
pub const MAGLEV_SLOTS: [(usize, usize); 4] =
    [(8, 8_191), (20, 16_381), (600, 65_537), (usize::MAX, 655_357)];

/// Slots of a table of `sh` or `dh`: those of IPVS, and more where weights need them.
pub const HASH_SLOTS: usize = 256;
/// Never more than this.
pub const MAX_HASH_SLOTS: usize = 65_536;

/// Destinations that a service with `lblc` or `lblcr` remembers: a cache line each.
pub const DESTINATIONS: usize = 1024;

/// Backends that a new flow asks at most when the one that was chosen has as many as it may.
pub const BACKEND_TRIES: usize = 16;
