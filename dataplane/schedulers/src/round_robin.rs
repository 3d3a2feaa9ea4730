//! One after the other: `rr` and `wrr`, with IPVS's order.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use super::{Ask, Taker};
use penstock_types::BackendId;

/// Each worker's place in the order. Only its worker writes it, so relaxed load and store do.
#[derive(Debug)]
pub(super) struct Places(Box<[CachePadded<AtomicU64>]>);

impl Places {
    pub(super) fn new(workers: usize, start: impl Fn(usize) -> u64) -> Self {
        Self((0..workers.max(1)).map(|w| CachePadded::new(AtomicU64::new(start(w)))).collect())
    }

    /// Goes on where another one has come to, as far as `fit` says that it fits.
    pub(super) fn follow(&self, before: &Self, fit: impl Fn(u64) -> u64) {
        for (own, before) in self.0.iter().zip(&before.0) {
            own.store(fit(before.load(Ordering::Relaxed)), Ordering::Relaxed);
        }
    }

    pub(super) fn step<T>(&self, ask: &Ask, advance: impl FnOnce(u64) -> (u64, T)) -> T {
        let place = &self.0[ask.worker.index().min(self.0.len() - 1)];
        let (next, chosen) = advance(ask.place(|| place.load(Ordering::Relaxed)));
        ask.move_on(next, |next| place.store(next, Ordering::Relaxed));
        chosen
    }
}

/// `rr`: every backend in turn. Workers start at different places, so that together they spread
/// the first flows after a change too.
#[derive(Debug)]
pub(super) struct RoundRobin {
    places: Places,
}

impl RoundRobin {
    pub(super) fn new(takers: usize, workers: usize) -> Self {
        let start = |worker: usize| (worker * takers / workers.max(1)) as u64;
        Self { places: Places::new(workers, start) }
    }

    /// Goes on where the order was before a change.
    pub(super) fn follow(&self, before: &Self) {
        self.places.follow(&before.places, |place| place);
    }

    /// There is a taker.
    pub(super) fn choose(&self, takers: &[Taker], ask: &Ask) -> BackendId {
        self.places.step(ask, |place| {
            let index = usize::try_from(place).unwrap_or(0);
            let next = if index + 1 >= takers.len() { 0 } else { place + 1 };
            (next, takers[index.min(takers.len() - 1)].id)
        })
    }
}

/// `wrr`: in each round the backends whose weight is at least the round's threshold take one flow
/// in turn; the threshold falls from the largest weight in steps of the weights' greatest common
/// divisor (the order that `ip_vs_wrr` and the LVS documentation describe).
#[derive(Debug)]
pub(super) struct WeightedRoundRobin {
    heaviest: u32,
    step: u32,
    places: Places,
}

impl WeightedRoundRobin {
    pub(super) fn new(takers: &[Taker], workers: usize) -> Self {
        let weights = || takers.iter().map(|taker| u32::from(taker.weight));
        let heaviest = weights().max().unwrap_or(1);
        let step = weights().fold(0, gcd).max(1);
        // "Before the first backend, threshold used up": the next step begins a round at the top.
        let before_first = pack(u32::try_from(takers.len()).unwrap_or(u32::MAX), 0);
        Self { places: Places::new(workers, |_| before_first), heaviest, step }
    }

    /// The same.
    pub(super) fn follow(&self, before: &Self) {
        self.places.follow(&before.places, |place| {
            let (index, threshold) = unpack(place);
            // Above the heaviest there is nobody to be found.
            pack(index, threshold.min(self.heaviest))
        });
    }

    /// There is a taker.
    pub(super) fn choose(&self, takers: &[Taker], ask: &Ask) -> BackendId {
        self.places.step(ask, |place| {
            let (mut index, mut threshold) = unpack(place);
            loop {
                index += 1;
                if index as usize >= takers.len() {
                    index = 0;
                    threshold = match threshold.saturating_sub(self.step) {
                        0 => self.heaviest,
                        lower => lower,
                    };
                }
                let taker = takers[index as usize];
                // The heaviest backend passes every threshold, so one round finds somebody.
                if u32::from(taker.weight) >= threshold {
                    return (pack(index, threshold), taker.id);
                }
            }
        })
    }
}

pub(super) fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn pack(index: u32, threshold: u32) -> u64 {
    u64::from(index) << 32 | u64::from(threshold)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of the word")]
fn unpack(place: u64) -> (u32, u32) {
    ((place >> 32) as u32, place as u32)
}
