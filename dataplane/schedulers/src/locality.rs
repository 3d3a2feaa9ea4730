//! By the destination's locality: `lblc` and `lblcr`, as `net/netfilter/ipvs/ip_vs_{lblc,lblcr}.c` of the Linux
//! kernel have them. They were made for caches behind one service that stands for many destinations, as a service
//! with a prefix of addresses or a range of ports is here; a destination is an address and a port.
//!
//! * `lblc`: a destination keeps its backend, unless that is down, full, or overloaded while another one
//!   has less than half its due: it has more active flows than its weight, and some backend's active flows
//!   are fewer than half its weight. Then, and for a new destination, the choice is that of `wlc`.
//! * `lblcr`: a destination has a set of backends. The least loaded one of these takes the flow; when it is
//!   overloaded in the same way, the choice of `wlc` joins the set. When a set has had no newcomer for a
//!   while, its most loaded backend leaves.
//!
//! Memory is fixed, unlike IPVS's: a destination that finds no place takes that of the one of two that has
//! been asked for less recently. Nothing is lost by it but locality. A line is read and written by all
//! workers without a lock: a mixture of two destinations' words is a choice like any other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::counting::Measure;
use super::{Ask, Load, Loads, Taker};
use crate::limits::DESTINATIONS;
use penstock_types::BackendId;
use penstock_types::Tick;

/// Backends of a destination.
const SET: usize = 12;
/// A set with no newcomer for so long loses a backend, in milliseconds. IPVS's default is a day.
const STALE: u32 = 24 * 60 * 60 * 1000;

/// What is remembered of the destinations of a service. It outlives snapshots.
#[derive(Debug)]
pub struct Destinations(Box<[Line]>);

/// A destination: a cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line {
    /// Of its hash; 0: none.
    tag: AtomicU32,
    /// When it was asked for last.
    used: AtomicU32,
    /// When somebody joined the set last.
    joined: AtomicU32,
    /// Numbers of backends, and 1; 0: none.
    set: [AtomicU32; SET],
}

impl Default for Destinations {
    /// Memory for none: for schedulers that remember nothing.
    fn default() -> Self {
        Self(Box::default())
    }
}

impl Destinations {
    /// Nothing is remembered.
    #[must_use]
    pub fn new() -> Self {
        Self(std::iter::repeat_with(Line::default).take(DESTINATIONS).collect())
    }

    /// The line of a destination, and whether it is its own already. `None`: no memory.
    #[expect(clippy::cast_possible_truncation, reason = "the low half of the hash is the tag")]
    fn line(&self, destination: u64, now: Tick) -> Option<(&Line, u32, bool)> {
        let tag = (destination as u32).max(1);
        let first = ((destination >> 32) * self.0.len() as u64) >> 32;
        let first = usize::try_from(first).ok()?;
        let [one, other] = [self.0.get(first)?, self.0.get(first ^ 1)?];
        let own = [one, other].into_iter().find(|line| line.tag.load(Relaxed) == tag);
        let idle = |line: &Line| match line.tag.load(Relaxed) {
            0 => u32::MAX,
            _ => now.millis_since(Tick(line.used.load(Relaxed))),
        };
        let older = if idle(other) > idle(one) { other } else { one };
        Some((own.unwrap_or(older), tag, own.is_some()))
    }
}

impl Line {
    fn begin(&self, tag: u32) {
        self.set.iter().for_each(|word| word.store(0, Relaxed));
        self.tag.store(tag, Relaxed);
    }

    fn members<'t>(&self, takers: &'t [Taker]) -> impl Iterator<Item = (usize, &'t Taker)> {
        let of = move |(place, word): (usize, &AtomicU32)| {
            let id = BackendId(word.load(Relaxed).checked_sub(1)?);
            takers.iter().find(|taker| taker.id == id).map(|taker| (place, taker))
        };
        self.set.iter().enumerate().filter_map(of)
    }

    /// Takes a backend in; who is not a taker any more makes way first.
    fn join(&self, id: BackendId, places: usize, takers: &[Taker], now: Tick) {
        let word = id.0.wrapping_add(1);
        let set = &self.set[..places.min(SET)];
        if set.iter().any(|own| own.load(Relaxed) == word) {
            return;
        }
        let is_free = |own: &&AtomicU32| {
            let own = own.load(Relaxed);
            own == 0 || !takers.iter().any(|taker| taker.id.0.wrapping_add(1) == own)
        };
        if let Some(free) = set.iter().find(is_free).or(set.last()) {
            free.store(word, Relaxed);
            self.joined.store(now.0, Relaxed);
        }
    }
}

#[derive(Debug)]
pub(super) struct Locality {
    destinations: Arc<Destinations>,
    is_replicated: bool,
}

impl Locality {
    pub(super) fn new(destinations: &Arc<Destinations>, is_replicated: bool) -> Self {
        Self { destinations: Arc::clone(destinations), is_replicated }
    }

    pub(super) fn choose(&self, takers: &[Taker], ask: &Ask, loads: &impl Loads) -> Option<BackendId> {
        let Some((line, tag, is_own)) = self.destinations.line(ask.destination, ask.now) else {
            return Measure::Weighted.choose(takers, loads);
        };
        let known = if is_own { self.known(line, takers, ask, loads) } else { None };
        if let Some(known) = known.filter(|known| !is_overloaded(known, takers, loads)) {
            if ask.is_remembered() {
                line.used.store(ask.now.0, Relaxed);
            }
            return Some(known.id);
        }
        let chosen = Measure::Weighted.choose(takers, loads)?;
        if ask.is_remembered() {
            if !is_own || !self.is_replicated {
                line.begin(tag);
            }
            line.used.store(ask.now.0, Relaxed);
            line.join(chosen, if self.is_replicated { SET } else { 1 }, takers, ask.now);
        }
        Some(chosen)
    }

    /// The least loaded backend of a destination's own.
    fn known<'t>(
        &self,
        line: &Line,
        takers: &'t [Taker],
        ask: &Ask,
        loads: &impl Loads,
    ) -> Option<&'t Taker> {
        let loaded = || {
            let of = |(place, taker): (usize, &'t Taker)| (place, taker, loads.load(taker.id));
            line.members(takers).map(of)
        };
        let able = loaded().filter(|(_, _, load)| !load.is_full);
        let least = able.reduce(|least, other| if is_lighter(&other, &least) { other } else { least })?;
        let is_stale = ask.now.millis_since(Tick(line.joined.load(Relaxed))) > STALE;
        if self.is_replicated && is_stale && ask.is_remembered() && loaded().count() > 1 {
            let most = loaded().reduce(|most, other| if is_lighter(&most, &other) { other } else { most });
            if let Some((place, ..)) = most {
                line.set[place].store(0, Relaxed);
            }
            line.joined.store(ask.now.0, Relaxed);
        }
        Some(least.1)
    }
}

fn is_lighter(one: &(usize, &Taker, Load), other: &(usize, &Taker, Load)) -> bool {
    one.2.overhead() * u64::from(other.1.weight) < other.2.overhead() * u64::from(one.1.weight)
}

/// Whether a backend has more flows than its weight, while another one has less than half its own.
fn is_overloaded(taker: &Taker, takers: &[Taker], loads: &impl Loads) -> bool {
    let has_half = |other: &Taker| u64::from(loads.load(other.id).active) * 2 < u64::from(other.weight);
    loads.load(taker.id).active > u32::from(taker.weight) && takers.iter().any(has_half)
}
