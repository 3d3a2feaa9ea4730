//! By the number of flows: `lc`, `wlc`, `sed` and `nq`, each as its module of the Linux kernel has it
//! (`net/netfilter/ipvs/ip_vs_{lc,wlc,sed,nq}.c`).
//!
//! * `lc`: the smallest overhead, which is 256 times the active flows and the closing ones.
//! * `wlc`: the smallest overhead divided by the weight.
//! * `sed`, shortest expected delay: the smallest (active flows + 1) divided by the weight.
//! * `nq`, never queue: the first backend without an active flow; if there is none, as `sed`.
//!
//! Of equals the first one takes the flow. Who is full is left out. Quotients are compared by
//! multiplication across: nothing is divided.

use super::{Load, Loads, Taker};
use penstock_types::BackendId;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    Least,
    Weighted,
    Delay,
    NeverQueue,
}

impl Measure {
    fn of(self, load: Load) -> u64 {
        match self {
            Self::Least | Self::Weighted => load.overhead(),
            Self::Delay | Self::NeverQueue => u64::from(load.active) + 1,
        }
    }

    pub(super) fn choose(self, takers: &[Taker], loads: &impl Loads) -> Option<BackendId> {
        let mut least: Option<(u64, u64, BackendId)> = None;
        for taker in takers {
            let load = loads.load(taker.id);
            if load.is_full {
                continue;
            }
            if self == Self::NeverQueue && load.active == 0 {
                return Some(taker.id);
            }
            let weight = if self == Self::Least { 1 } else { u64::from(taker.weight) };
            let own = self.of(load);
            // 2^40 times 2^16 fits.
            if least.is_none_or(|(least, of_least, _)| least * weight > own * of_least) {
                least = Some((own, weight, taker.id));
            }
        }
        least.map(|(_, _, id)| id)
    }
}
