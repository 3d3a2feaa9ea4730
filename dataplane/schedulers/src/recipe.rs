//! What a schedule is compiled from.

use penstock_types::BackendId;

/// A backend as a scheduler sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which backend.
    pub id: BackendId,
    /// A name that is the same on every box of a group (address and port): schedulers order and
    /// hash by it, so that all boxes choose alike.
    pub name: String,
    /// Its share now, relative to the others; 0 takes no new flows.
    pub weight: u16,
    /// The same when it is up and warm: hashing schedulers keep its place by it while it is not.
    pub full: u16,
}

impl Candidate {
    /// One that is up and warm.
    #[must_use]
    pub fn new(id: BackendId, name: String, weight: u16) -> Self {
        Self { id, name, weight, full: weight }
    }

    /// What it has at most.
    pub(super) fn at_best(&self) -> u16 {
        self.full.max(self.weight)
    }
}

/// What a new flow is chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One after the other (`rr`).
    RoundRobin,
    /// One after the other, by weight (`wrr`).
    WeightedRoundRobin,
    /// The one with the fewest flows (`lc`).
    LeastConnections,
    /// The one with the fewest flows for its weight (`wlc`).
    WeightedLeastConnections,
    /// The one that would have the fewest flows for its weight with this one (`sed`).
    ShortestDelay,
    /// The first one that is idle, or else as `sed` (`nq`).
    NeverQueue,
    /// The heaviest one (`fo`).
    Failover,
    /// The heaviest one that has no more flows than its weight (`ovf`).
    Overflow,
    /// By the client (`sh`).
    SourceHash,
    /// By the destination (`dh`).
    DestinationHash,
    /// The one that the destination has had, while it is not overloaded (`lblc`).
    Locality,
    /// One of those that the destination has had (`lblcr`).
    LocalityReplicated,
    /// Consistent hashing of the client (`maglev`, IPVS's `mh`).
    Maglev,
    /// At random, by weight (`random`).
    Random,
    /// The less loaded of two at random, by weight (`twos`).
    TwoChoices,
}

/// See the module's head. Equal recipes make equal schedules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Which scheduler.
    pub kind: Kind,
    /// The backends, in any order.
    pub candidates: Vec<Candidate>,
    /// Worker threads.
    pub workers: usize,
    /// Seeds the hashing, so that every box of a group chooses alike.
    pub cluster: String,
    /// Hashing schedulers: whether a flow whose backend takes none goes to another one.
    pub fallback: bool,
}

impl Recipe {
    /// Whether anybody takes new flows.
    #[must_use]
    pub fn has_takers(&self) -> bool {
        self.candidates.iter().any(|candidate| candidate.weight > 0)
    }
}
