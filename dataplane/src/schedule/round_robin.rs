//! One after the other: `rr` and `wrr`, with IPVS's order.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use super::Candidate;
use crate::types::{BackendId, WorkerId};

/// Each worker's place in the order. Only its worker writes it, so relaxed load and store do.
#[derive(Debug)]
struct Places(Box<[CachePadded<AtomicU64>]>);

impl Places {
    fn new(workers: usize, start: impl Fn(usize) -> u64) -> Self {
        Self((0..workers.max(1)).map(|w| CachePadded::new(AtomicU64::new(start(w)))).collect())
    }

    fn step<T>(&self, worker: WorkerId, advance: impl FnOnce(u64) -> (u64, T)) -> T {
        let place = &self.0[worker.index().min(self.0.len() - 1)];
        let (next, chosen) = advance(place.load(Ordering::Relaxed));
        place.store(next, Ordering::Relaxed);
        chosen
    }
}

/// `rr`: every backend in turn. Workers start at different places, so that together they spread
/// the first flows after a change too.
#[derive(Debug)]
pub struct RoundRobin {
    order: Box<[BackendId]>,
    places: Places,
}

impl RoundRobin {
    pub(super) fn new(candidates: &[Candidate], workers: usize) -> Self {
        let order: Box<[_]> = candidates.iter().map(|c| c.id).collect();
        let start = |worker: usize| (worker * order.len() / workers.max(1)) as u64;
        Self { places: Places::new(workers, start), order }
    }

    pub(super) fn count(&self) -> usize {
        self.order.len()
    }

    pub(super) fn get(&self, place: usize) -> Option<BackendId> {
        self.order.get(place).copied()
    }

    pub(super) fn choose(&self, worker: WorkerId) -> BackendId {
        self.places.step(worker, |place| {
            let index = usize::try_from(place).unwrap_or(0);
            let next = if index + 1 >= self.order.len() { 0 } else { place + 1 };
            (next, self.order[index.min(self.order.len() - 1)])
        })
    }
}

/// `wrr`: in each round the backends whose weight is at least the round's threshold take one flow
/// in turn; the threshold falls from the largest weight in steps of the weights' greatest common
/// divisor (the order that `ip_vs_wrr` and the LVS documentation describe).
#[derive(Debug)]
pub struct WeightedRoundRobin {
    order: Box<[(BackendId, u16)]>,
    heaviest: u32,
    step: u32,
    places: Places,
}

impl WeightedRoundRobin {
    pub(super) fn new(candidates: &[Candidate], workers: usize) -> Self {
        let order: Box<[_]> = candidates.iter().map(|c| (c.id, c.weight)).collect();
        let weights = || order.iter().map(|(_, weight)| u32::from(*weight));
        let heaviest = weights().max().unwrap_or(1);
        let step = weights().fold(0, gcd).max(1);
        // "Before the first backend, threshold used up": the next step begins a round at the top.
        let before_first = pack(u32::try_from(order.len()).unwrap_or(u32::MAX), 0);
        Self { places: Places::new(workers, |_| before_first), heaviest, step, order }
    }

    pub(super) fn count(&self) -> usize {
        self.order.len()
    }

    pub(super) fn get(&self, place: usize) -> Option<BackendId> {
        self.order.get(place).map(|(backend, _)| *backend)
    }

    pub(super) fn choose(&self, worker: WorkerId) -> BackendId {
        self.places.step(worker, |place| {
            let (mut index, mut threshold) = unpack(place);
            loop {
                index += 1;
                if index as usize >= self.order.len() {
                    index = 0;
                    threshold = match threshold.saturating_sub(self.step) {
                        0 => self.heaviest,
                        lower => lower,
                    };
                }
                let (backend, weight) = self.order[index as usize];
                // The heaviest backend passes every threshold, so one round finds somebody.
                if u32::from(weight) >= threshold {
                    return (pack(index, threshold), backend);
                }
            }
        })
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn pack(index: u32, threshold: u32) -> u64 {
    u64::from(index) << 32 | u64::from(threshold)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of the word")]
fn unpack(place: u64) -> (u32, u32) {
    ((place >> 32) as u32, place as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Kind, Schedule};

    fn sequence(kind: Kind, weights: &[u16], workers: usize, worker: u16, length: usize) -> String {
        let name = |i: usize| char::from(b'A' + u8::try_from(i).unwrap()).to_string();
        let candidates: Vec<_> = weights
            .iter()
            .enumerate()
            .map(|(i, &weight)| Candidate { id: BackendId(u32::try_from(i).unwrap()), name: name(i), weight })
            .collect();
        let schedule = Schedule::compile(kind, &candidates, workers, "test");
        (0..length).map(|_| name(schedule.choose(WorkerId(worker), 0).unwrap().index())).collect()
    }

    #[test]
    fn rr_takes_each_in_turn_and_leaves_out_weight_zero() {
        assert_eq!(sequence(Kind::RoundRobin, &[1, 1, 9], 1, 0, 7), "ABCABCA");
        assert_eq!(sequence(Kind::RoundRobin, &[1, 0, 1], 1, 0, 4), "ACAC");
    }

    #[test]
    fn rr_workers_start_apart() {
        assert_eq!(sequence(Kind::RoundRobin, &[1, 1, 1, 1], 2, 1, 4), "CDAB");
    }

    #[test]
    fn wrr_has_the_order_that_lvs_documents() {
        assert_eq!(sequence(Kind::WeightedRoundRobin, &[4, 3, 2], 1, 0, 18), "AABABCABCAABABCABC");
        assert_eq!(sequence(Kind::WeightedRoundRobin, &[1, 1], 1, 0, 4), "ABAB");
        assert_eq!(sequence(Kind::WeightedRoundRobin, &[100, 50], 1, 0, 6), "AABAAB");
        assert_eq!(sequence(Kind::WeightedRoundRobin, &[65535, 1], 1, 0, 5), "AAAAA");
    }
}
