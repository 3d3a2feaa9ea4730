//! Schedulers: which backend takes a new flow.
//!
//! A scheduler is compiled from the backends that take new flows, and is then immutable but for a
//! place in the order that each worker keeps for itself: no worker waits for another.

mod client;
mod maglev;
mod round_robin;

use crate::types::{BackendId, WorkerId};

pub use client::{client_hash, cluster_seed};
pub use maglev::Maglev;
pub use round_robin::{RoundRobin, WeightedRoundRobin};

/// A backend as a scheduler sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which backend.
    pub id: BackendId,
    /// A name that is the same on every box of a group (address and port): Maglev orders and
    /// hashes by it, so that all boxes build the same table.
    pub name: String,
    /// Its share, relative to the others; 0 takes no new flows.
    pub weight: u16,
}

/// What a new flow is chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One after the other (`rr`).
    RoundRobin,
    /// One after the other, by weight (`wrr`).
    WeightedRoundRobin,
    /// Consistent hashing (`maglev`).
    Maglev,
}

/// A compiled scheduler.
#[derive(Debug)]
pub enum Schedule {
    /// No backend takes new flows.
    Empty,
    /// See [`RoundRobin`].
    RoundRobin(RoundRobin),
    /// See [`WeightedRoundRobin`].
    WeightedRoundRobin(WeightedRoundRobin),
    /// See [`Maglev`].
    Maglev(Maglev),
}

impl Schedule {
    /// Compiles `kind` over `candidates` for `workers` workers. `cluster` seeds the hashing, so
    /// that every box of a group chooses alike. Candidates of weight 0 are left out.
    #[must_use]
    pub fn compile(kind: Kind, candidates: &[Candidate], workers: usize, cluster: &str) -> Self {
        let mut able: Vec<_> = candidates.iter().filter(|c| c.weight > 0).cloned().collect();
        able.sort_by(|a, b| a.name.cmp(&b.name));
        if able.is_empty() {
            return Self::Empty;
        }
        match kind {
            Kind::RoundRobin => Self::RoundRobin(RoundRobin::new(&able, workers)),
            Kind::WeightedRoundRobin => Self::WeightedRoundRobin(WeightedRoundRobin::new(&able, workers)),
            Kind::Maglev => Self::Maglev(Maglev::new(&able, cluster)),
        }
    }

    /// The backend for a new flow; `hash` is that of its client, from
    /// [`client_hash`]. `None`: no backend takes new flows.
    #[must_use]
    pub fn choose(&self, worker: WorkerId, hash: u64) -> Option<BackendId> {
        match self {
            Self::Empty => None,
            Self::RoundRobin(rr) => Some(rr.choose(worker)),
            Self::WeightedRoundRobin(wrr) => Some(wrr.choose(worker)),
            Self::Maglev(maglev) => Some(maglev.choose(hash)),
        }
    }

    /// All backends that take new flows, from a place on that `hash` says.
    pub(crate) fn all_from(&self, hash: u64) -> impl Iterator<Item = BackendId> {
        let count = match self {
            Self::Empty => 0,
            Self::RoundRobin(rr) => rr.count(),
            Self::WeightedRoundRobin(wrr) => wrr.count(),
            Self::Maglev(maglev) => maglev.count(),
        };
        let start = usize::try_from((u128::from(hash) * count as u128) >> 64).unwrap_or(0);
        (start..count).chain(0..start).filter_map(|place| match self {
            Self::Empty => None,
            Self::RoundRobin(rr) => rr.get(place),
            Self::WeightedRoundRobin(wrr) => wrr.get(place),
            Self::Maglev(maglev) => maglev.get(place),
        })
    }

    /// Whether the choice follows from the packet alone, so that a flow that is not remembered
    /// still finds its backend.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        matches!(self, Self::Maglev(_))
    }
}
