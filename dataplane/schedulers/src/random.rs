//! At random: `random` and `twos`.
//!
//! * `random`: each backend by the share of its weight.
//! * `twos`, as `net/netfilter/ipvs/ip_vs_twos.c` of the Linux kernel has it: two at random by their weights, and of
//!   these the one with the smaller overhead for its weight. With two choices the fullest backend is hardly
//!   fuller than the others (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001),
//!   nobody looks at all of them, and a backend that has just come is not run over.
//!
//! A worker's numbers come from a SplitMix64 generator of its own.

use super::maglev::{spread, stable_hash};
use super::round_robin::Places;
use super::{Ask, Loads, Recipe, Taker};
use crate::limits::BACKEND_TRIES;
use penstock_types::BackendId;

#[derive(Debug)]
pub(super) struct Random {
    /// Sums of the weights up to each taker and with it.
    sums: Box<[u64]>,
    states: Places,
    is_of_two: bool,
}

impl Random {
    pub(super) fn new(takers: &[Taker], recipe: &Recipe, is_of_two: bool) -> Self {
        let sums = takers.iter().scan(0, |sum, taker| {
            *sum += u64::from(taker.weight);
            Some(*sum)
        });
        let seed = stable_hash(0, recipe.cluster.as_bytes());
        let states = Places::new(recipe.workers, |worker| spread(seed ^ worker as u64));
        Self { sums: sums.collect(), states, is_of_two }
    }

    /// Draws on from where another one has come to.
    pub(super) fn follow(&self, before: &Self) {
        self.states.follow(&before.states, |state| state);
    }

    fn draw<'t>(&self, takers: &'t [Taker], ask: &Ask) -> Option<&'t Taker> {
        let word = self.states.step(ask, |state| {
            let next = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            (next, spread(next))
        });
        let below = (u128::from(word) * u128::from(*self.sums.last()?)) >> 64;
        takers.get(self.sums.partition_point(|sum| u128::from(*sum) <= below))
    }

    pub(super) fn choose(&self, takers: &[Taker], ask: &Ask, loads: &impl Loads) -> Option<BackendId> {
        let mut draws = (0..=BACKEND_TRIES).filter_map(|_| {
            let taker = self.draw(takers, ask)?;
            let load = loads.load(taker.id);
            (!load.is_full).then_some((taker, load.overhead()))
        });
        let (one, of_one) = draws.next()?;
        let second = if self.is_of_two { draws.next() } else { None };
        let Some((other, of_other)) = second else { return Some(one.id) };
        let is_lighter = u64::from(other.weight) * of_one > u64::from(one.weight) * of_other;
        Some(if is_lighter { other.id } else { one.id })
    }
}
