//! The flows of a backend, over all workers, and whether it takes more.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};

use crossbeam_utils::CachePadded;

use super::handshakes::{HandshakeCounts, Handshakes};
use crate::flow::Reception;

/// How many flows a backend takes at once, as IPVS has it: one that has got as many as `upper` is overloaded,
/// and stays so until it has fewer than `lower`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    upper: u32,
    lower: u32,
}

impl Thresholds {
    /// `None`: `upper` is 0, so that there is no limit. A `lower` of 0 is three quarters of `upper`, the
    /// default of IPVS.
    #[must_use]
    pub fn new(upper: u32, lower: u32) -> Option<Self> {
        let quarters = u64::from(upper) * 3 / 4;
        let default = u32::try_from(quarters).unwrap_or(upper).max(1);
        (upper > 0).then_some(Self { upper, lower: if lower == 0 { default } else { lower.min(upper) } })
    }

    /// What it takes at most.
    #[must_use]
    pub fn upper(self) -> u32 {
        self.upper
    }

    /// It takes more again when it has fewer.
    #[must_use]
    pub fn lower(self) -> u32 {
        self.lower
    }
}

/// A backend's flows. All workers share it, so what counting schedulers see is true of the box.
#[derive(Debug, Default)]
pub struct BackendMeter {
    words: CachePadded<Words>,
    handshakes: Handshakes,
}

#[derive(Debug, Default)]
struct Words {
    /// Flows in the table; the highest bit: overloaded.
    flows: AtomicU32,
    /// Of these, those that are closing. Who sees a flow close adds it after the fact, and its owner may be
    /// quicker to take it away: for a moment it may be below zero.
    closing: AtomicI32,
}

const OVERLOADED: u32 = 1 << 31;

impl BackendMeter {
    /// Takes a flow in, unless the backend has as many as it may.
    pub(crate) fn begin(&self, thresholds: Option<Thresholds>) -> bool {
        let Some(thresholds) = thresholds else {
            self.words.flows.fetch_add(1, Relaxed);
            return true;
        };
        if !self.has_room(Some(thresholds)) {
            return false;
        }
        let before = self.words.flows.fetch_add(1, Relaxed) & !OVERLOADED;
        if before >= thresholds.upper {
            self.words.flows.fetch_sub(1, Relaxed);
            return false;
        }
        if before + 1 == thresholds.upper {
            self.words.flows.fetch_or(OVERLOADED, Relaxed);
        }
        true
    }

    /// Whether it takes another flow. That it is no longer overloaded shows here, not where flows end: who
    /// ends a flow knows no thresholds.
    #[inline]
    pub(crate) fn has_room(&self, thresholds: Option<Thresholds>) -> bool {
        let Some(thresholds) = thresholds else { return true };
        let word = self.words.flows.load(Relaxed);
        let flows = word & !OVERLOADED;
        if word & OVERLOADED != 0 && flows < thresholds.lower {
            self.forgive();
            return true;
        }
        word & OVERLOADED == 0 && flows < thresholds.upper
    }

    /// Whether it has less than half of the flows that it may have.
    pub(crate) fn has_plenty(&self, thresholds: Option<Thresholds>) -> bool {
        thresholds.is_none_or(|thresholds| self.flows() < thresholds.upper / 2)
    }

    /// Whether it is overloaded, for people.
    #[must_use]
    pub fn is_overloaded(&self, thresholds: Option<Thresholds>) -> bool {
        let word = self.words.flows.load(Relaxed);
        let is_above = |t: Thresholds| word & !OVERLOADED >= t.lower && word & OVERLOADED != 0;
        thresholds.is_some_and(is_above)
    }

    /// Its thresholds have changed: what it was by the old ones says nothing.
    pub fn forgive(&self) {
        self.words.flows.fetch_and(!OVERLOADED, Relaxed);
    }

    /// A flow has begun to close.
    pub(crate) fn closes(&self) {
        self.words.closing.fetch_add(1, Relaxed);
    }

    /// What seemed to close a flow was taken back.
    pub(crate) fn reopens(&self) {
        self.words.closing.fetch_sub(1, Relaxed);
    }

    /// A flow has ended, or has not begun after all.
    pub(crate) fn end(&self, closing: bool) {
        if closing {
            self.words.closing.fetch_sub(1, Relaxed);
        }
        self.words.flows.fetch_sub(1, Relaxed);
    }

    /// A client's handshake has come to something, or to nothing.
    pub(crate) fn received(&self, reception: Reception) {
        self.handshakes.note(reception);
    }

    /// How it takes connections.
    #[must_use]
    pub fn handshakes(&self) -> HandshakeCounts {
        self.handshakes.read()
    }

    /// Flows in the table.
    #[must_use]
    pub fn flows(&self) -> u32 {
        self.words.flows.load(Relaxed) & !OVERLOADED
    }

    /// Of these, those that are closing.
    #[must_use]
    pub fn closing(&self) -> u32 {
        u32::try_from(self.words.closing.load(Relaxed)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(meter: &BackendMeter, thresholds: Option<Thresholds>) -> usize {
        (0..20).filter(|_| meter.begin(thresholds)).count()
    }

    #[test]
    fn an_overloaded_backend_takes_no_more_until_it_is_below_its_lower_threshold() {
        let (meter, thresholds) = (BackendMeter::default(), Thresholds::new(8, 3));
        assert_eq!(fill(&meter, thresholds), 8);
        for left in (3..8).rev() {
            meter.end(false);
            assert_eq!((meter.flows(), meter.has_room(thresholds)), (left, false));
        }
        meter.end(false);
        assert!(meter.has_room(thresholds));
        assert_eq!(fill(&meter, thresholds), 6);
    }

    #[test]
    fn without_a_lower_threshold_it_is_three_quarters_of_the_upper_one() {
        assert_eq!(Thresholds::new(8, 0).map(Thresholds::lower), Some(6));
        assert_eq!(Thresholds::new(1, 0).map(Thresholds::lower), Some(1), "or it would never take one again");
        assert_eq!(Thresholds::new(0, 5), None);
    }

    #[test]
    fn other_thresholds_begin_anew() {
        let meter = BackendMeter::default();
        assert_eq!(fill(&meter, Thresholds::new(4, 1)), 4);
        meter.forgive();
        assert_eq!(fill(&meter, Thresholds::new(6, 1)), 2);
        assert_eq!(fill(&meter, None), 20);
    }

    #[test]
    fn closing_flows_are_counted_whoever_is_first() {
        let meter = BackendMeter::default();
        meter.begin(None);
        meter.end(true);
        assert_eq!((meter.flows(), meter.closing()), (0, 0));
        meter.closes();
        meter.begin(None);
        meter.closes();
        assert_eq!((meter.flows(), meter.closing()), (1, 1));
    }
}
