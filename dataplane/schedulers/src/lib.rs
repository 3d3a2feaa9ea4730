//! Schedulers: which backend takes a new flow. Named as IPVS names them, and choosing as it does.
//!
//! A scheduler is compiled from a [`Recipe`]: the backends and the weights that they have now. It is then
//! immutable, but for a place in the order that each worker keeps for itself, and for what `lblc` and
//! `lblcr` remember. What changes with every flow, the backends' [`Load`], is asked for when a flow begins:
//! all workers count in the same words, so no scheduler ever sees a part of the box.
//!
//! | scheduler | steps for a new flow |
//! | --- | --- |
//! | `rr` `wrr` `sh` `dh` `maglev` `random` `twos` | a few, whatever the number of backends |
//! | `lc` `wlc` `sed` `nq` `fo` `ovf` | all backends of the service, as in IPVS: a cache line each |
//! | `lblc` `lblcr` | a few for a known destination, else as `wlc` |

#![forbid(unsafe_code)]

mod counting;
mod hashed;
mod key;
pub mod limits;
mod locality;
mod maglev;
mod ordered;
mod random;
mod recipe;
mod round_robin;

use std::sync::Arc;

use crate::limits::BACKEND_TRIES;
use counting::Measure;
use hashed::Hashed;
use locality::Locality;
use maglev::Maglev;
use ordered::Ordered;
use penstock_types::BackendId;
use random::Random;
use round_robin::{RoundRobin, WeightedRoundRobin};

use key::rehash;
pub use key::{Ask, HashOn, cluster_seed};
pub use key::{Ends, hash as address_hash};
pub use locality::Destinations;
pub use recipe::{Candidate, Kind, Recipe};

/// What a backend has to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Flows that are not closing: IPVS's active connections. All of UDP are.
    pub active: u32,
    /// Flows that are closing: IPVS's inactive connections.
    pub inactive: u32,
    /// It has as many flows as it may: IPVS's overloaded.
    pub is_full: bool,
}

impl Load {
    /// What IPVS calls the overhead of a destination's connections: an active one weighs as much as 256
    /// that are closing.
    #[inline]
    fn overhead(self) -> u64 {
        (u64::from(self.active) << 8) + u64::from(self.inactive)
    }
}

/// Who knows the loads.
pub trait Loads {
    /// That of a backend; of one that nobody knows, a full one.
    fn load(&self, id: BackendId) -> Load;
}

/// A backend that takes new flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Taker {
    id: BackendId,
    /// Above 0.
    weight: u16,
}

/// A compiled scheduler.
#[derive(Debug, Default)]
pub struct Schedule {
    /// Those that take new flows, in the order of their names.
    takers: Box<[Taker]>,
    way: Way,
}

#[derive(Debug, Default)]
enum Way {
    /// No backend takes new flows.
    #[default]
    Nobody,
    RoundRobin(RoundRobin),
    WeightedRoundRobin(WeightedRoundRobin),
    Counting(Measure),
    Ordered(Ordered),
    Hashed(Hashed),
    Maglev(Maglev),
    Random(Random),
    Locality(Locality),
}

impl Schedule {
    /// Compiles a recipe. `destinations`: what `lblc` and `lblcr` remember, which outlives a schedule.
    #[must_use]
    pub fn new(recipe: &Recipe, destinations: &Arc<Destinations>) -> Self {
        let mut candidates: Vec<_> = recipe.candidates.iter().filter(|c| c.at_best() > 0).cloned().collect();
        candidates.sort_by(|a, b| a.name.cmp(&b.name));
        let able = candidates.iter().filter(|c| c.weight > 0);
        let takers: Box<[_]> = able.map(|c| Taker { id: c.id, weight: c.weight }).collect();
        if takers.is_empty() {
            return Self::default();
        }
        let workers = recipe.workers;
        let way = match recipe.kind {
            Kind::RoundRobin => Way::RoundRobin(RoundRobin::new(takers.len(), workers)),
            Kind::WeightedRoundRobin => Way::WeightedRoundRobin(WeightedRoundRobin::new(&takers, workers)),
            Kind::LeastConnections => Way::Counting(Measure::Least),
            Kind::WeightedLeastConnections => Way::Counting(Measure::Weighted),
            Kind::ShortestDelay => Way::Counting(Measure::Delay),
            Kind::NeverQueue => Way::Counting(Measure::NeverQueue),
            Kind::Failover => Way::Ordered(Ordered::new(&takers, false)),
            Kind::Overflow => Way::Ordered(Ordered::new(&takers, true)),
            Kind::SourceHash => Way::Hashed(Hashed::new(&candidates, true, recipe.fallback)),
            Kind::DestinationHash => Way::Hashed(Hashed::new(&candidates, false, recipe.fallback)),
            Kind::Maglev => Way::Maglev(Maglev::new(&candidates, recipe)),
            Kind::Random => Way::Random(Random::new(&takers, recipe, false)),
            Kind::TwoChoices => Way::Random(Random::new(&takers, recipe, true)),
            Kind::Locality => Way::Locality(Locality::new(destinations, false)),
            Kind::LocalityReplicated => Way::Locality(Locality::new(destinations, true)),
        };
        Self { takers, way }
    }

    /// Goes on where another one of its kind has come to: a change of a weight must not begin the order anew, for
    /// weights may change more often than flows begin.
    #[must_use]
    pub fn following(self, before: &Self) -> Self {
        match (&self.way, &before.way) {
            (Way::RoundRobin(own), Way::RoundRobin(before)) => own.follow(before),
            (Way::WeightedRoundRobin(own), Way::WeightedRoundRobin(before)) => own.follow(before),
            (Way::Random(own), Way::Random(before)) => own.follow(before),
            _ => {}
        }
        self
    }

    /// Compiles `kind` over `candidates` for `workers` workers, with nothing remembered.
    #[must_use]
    pub fn compile(kind: Kind, candidates: &[Candidate], workers: usize, cluster: &str) -> Self {
        let recipe = Recipe {
            kind,
            candidates: candidates.to_vec(),
            workers,
            cluster: cluster.to_owned(),
            fallback: true,
        };
        Self::new(&recipe, &Arc::default())
    }

    /// The backend for a new flow. `None`: none that was asked takes it; others may, see [`Self::others`].
    #[must_use]
    #[inline]
    pub fn choose(&self, ask: &Ask, loads: &impl Loads) -> Option<BackendId> {
        let takers = &*self.takers;
        let has_room = |id: &BackendId| !loads.load(*id).is_full;
        match &self.way {
            Way::Nobody => None,
            Way::RoundRobin(rr) => tries(takers, || rr.choose(takers, ask)).find(has_room),
            Way::WeightedRoundRobin(wrr) => tries(takers, || wrr.choose(takers, ask)).find(has_room),
            Way::Counting(measure) => measure.choose(takers, loads),
            Way::Ordered(ordered) => ordered.choose(takers, loads),
            Way::Hashed(hashed) => hashed.choose(ask.hash, loads),
            Way::Maglev(maglev) => maglev.choose(ask.hash).filter(has_room),
            Way::Random(random) => random.choose(takers, ask, loads),
            Way::Locality(locality) => locality.choose(takers, ask, loads),
        }
    }

    /// The backend that the packet alone says, whatever its load: for a flow that is not remembered.
    #[must_use]
    #[inline]
    pub fn choose_stateless(&self, hash: u64) -> Option<BackendId> {
        match &self.way {
            Way::Maglev(maglev) => maglev.choose(hash),
            _ => None,
        }
    }

    /// Backends that take new flows, for a flow whose own one does not: with consistent hashing those that the hash
    /// of its hash leads to, so that weights are kept; then all, from a place on that `hash` says. None where a flow
    /// is one backend's or nobody's. Some may be named twice.
    #[inline]
    pub fn others(&self, ask: &Ask) -> impl Iterator<Item = BackendId> {
        let maglev = match &self.way {
            Way::Maglev(maglev) if maglev.falls_back() => Some(maglev),
            _ => None,
        };
        let hashes = std::iter::successors(Some(rehash(ask.hash)), |hash| Some(rehash(*hash)));
        let rehashed = hashes.take(BACKEND_TRIES).map_while(move |hash| Some(maglev?.choose(hash)));
        rehashed.flatten().chain(self.all_from(ask.hash).take(BACKEND_TRIES))
    }

    #[inline]
    fn all_from(&self, hash: u64) -> impl Iterator<Item = BackendId> {
        let is_bound = match &self.way {
            Way::Hashed(hashed) => !hashed.falls_back(),
            Way::Maglev(maglev) => !maglev.falls_back(),
            // Whoever it leaves out has as many as its weight says.
            Way::Ordered(ordered) => ordered.overflows(),
            _ => false,
        };
        let count = if is_bound { 0 } else { self.takers.len() };
        let start = usize::try_from((u128::from(hash) * count as u128) >> 64).unwrap_or(0);
        (start..count).chain(0..start).filter_map(|place| self.takers.get(place).map(|taker| taker.id))
    }

    /// Whether nobody takes new flows.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.takers.is_empty()
    }

    /// Whether the choice follows from the packet alone, so that a flow that is not remembered
    /// still finds its backend.
    #[must_use]
    #[inline]
    pub fn is_consistent(&self) -> bool {
        matches!(self.way, Way::Maglev(_))
    }
}

/// As many backends as are tried when the first ones are full.
#[inline]
fn tries(takers: &[Taker], mut next: impl FnMut() -> BackendId) -> impl Iterator<Item = BackendId> {
    (0..takers.len().min(BACKEND_TRIES)).map(move |_| next())
}

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests;
