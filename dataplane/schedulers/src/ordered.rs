//! The heaviest first: `fo` and `ovf`, as `net/netfilter/ipvs/ip_vs_{fo,ovf}.c` of the Linux kernel have them.
//!
//! * `fo`, failover: the heaviest backend that is not full. All others wait for it to fail.
//! * `ovf`, overflow: the heaviest backend that is not full and has no more active flows than its weight;
//!   what it has too many spills over to the next. A backend so gets one flow more than its weight. When all
//!   have theirs, the flow is refused.
//!
//! Of equals the first one takes the flow.

use super::{Loads, Taker};
use penstock_types::BackendId;

#[derive(Debug)]
pub(super) struct Ordered {
    /// Places of the takers, the heaviest first.
    places: Box<[u32]>,
    overflows: bool,
}

impl Ordered {
    pub(super) fn new(takers: &[Taker], overflows: bool) -> Self {
        let mut order: Vec<_> = (0..).zip(takers).collect();
        order.sort_by_key(|(_, taker)| std::cmp::Reverse(taker.weight));
        Self { places: order.into_iter().map(|(place, _)| place).collect(), overflows }
    }

    pub(super) fn overflows(&self) -> bool {
        self.overflows
    }

    pub(super) fn choose(&self, takers: &[Taker], loads: &impl Loads) -> Option<BackendId> {
        let in_order = self.places.iter().filter_map(|place| takers.get(*place as usize));
        let takes = |taker: &&Taker| {
            let load = loads.load(taker.id);
            let has_its_due = self.overflows && load.active > u32::from(taker.weight);
            !load.is_full && !has_its_due
        };
        in_order.into_iter().find(takes).map(|taker| taker.id)
    }
}
