//! Idle flows end: a worker walks through its blocks, a few steps between two batches.

use super::block::STEP;
use super::entry::Entry;
use super::keeper::{Expired, Keeper, Timeouts};
use super::table::{Endpoints, FlowTable};
use crate::limits::SWEEP_STEPS_PER_ROUND;
use crate::types::Tick;

impl Keeper {
    /// Expires idle flows, a few steps at a time: as many as are due so that a whole round takes
    /// half the smallest timeout. Tells `expired` of each flow; returns whether steps that
    /// are due are left for the next call.
    pub(crate) fn sweep(
        &mut self,
        table: &FlowTable,
        endpoints: &impl Endpoints,
        timeouts: &Timeouts,
        now: Tick,
        mut expired: impl FnMut(Expired),
    ) -> bool {
        let elapsed = u64::from(now.millis_since(self.last_sweep));
        self.last_sweep = now;
        let pace = self.steps.max(self.round_steps);
        self.sweep_credit += ((pace * elapsed) << 16) / u64::from(timeouts.smallest().div_ceil(2));
        self.sweep_credit = self.sweep_credit.min(self.steps << 16);
        for _ in 0..SWEEP_STEPS_PER_ROUND {
            // A step retires at most STEP entries; beyond that the grace period has to end first.
            if self.sweep_credit < 1 << 16 || !self.has_limbo_for(STEP as usize) {
                break;
            }
            self.sweep_credit -= 1 << 16;
            self.sweep_step(table, endpoints, timeouts, now, &mut expired);
        }
        self.sweep_credit >= 1 << 16
    }

    /// Starts loading what the step after the one to `place` will look at.
    fn prefetch_step(&self, table: &FlowTable, at: usize, place: u32) {
        let is_next_block = self.blocks.get(at).is_none_or(|block| place >= block.size.per_block());
        let (at, place) = if is_next_block { (at.wrapping_sub(1), 0) } else { (at, place) };
        let Some(block) = self.blocks.get(at) else { return };
        for place in place..(place + STEP).min(block.size.per_block()) {
            table.slab().prefetch(block.id.entry(place, block.size));
        }
    }

    fn sweep_step(
        &mut self,
        table: &FlowTable,
        endpoints: &impl Endpoints,
        timeouts: &Timeouts,
        now: Tick,
        expired: &mut impl FnMut(Expired),
    ) {
        // From the last block to the first: a block that is given back is replaced by the last one,
        // which has had its turn then.
        if self.sweep_block == usize::MAX && self.sweep_place == 0 {
            self.round_steps = self.steps;
        }
        let at = self.sweep_block.min(self.blocks.len() - 1);
        let (id, size) = (self.blocks[at].id, self.blocks[at].size);
        let end = (self.sweep_place + STEP).min(size.per_block());
        self.prefetch_step(table, at, end);
        // A bit for each that is over. Their buckets load while the others are looked at: most are in
        // nobody's cache any more.
        let mut over = 0_u64;
        for place in (self.sweep_place..end).filter(|place| self.blocks[at].is_used(*place)) {
            let reference = id.entry(place, size);
            if is_over(table.entry(reference), endpoints, timeouts, now) {
                table.prefetch_places(reference, endpoints);
                table.mark_ended(reference);
                over |= 1 << (place - self.sweep_place);
            }
        }
        if over != 0 {
            table.let_see();
        }
        while over != 0 {
            let place = self.sweep_place + over.trailing_zeros();
            over &= over - 1;
            expired(self.take_out(table, endpoints, id.entry(place, size), size));
        }
        self.sweep_place = end;
        if end >= size.per_block() {
            self.sweep_place = 0;
            self.sweep_block = at.checked_sub(1).unwrap_or(usize::MAX);
        }
    }
}

/// Whether a flow has been ended, or silent for too long.
fn is_over(entry: Entry<'_>, endpoints: &impl Endpoints, timeouts: &Timeouts, now: Tick) -> bool {
    let idle = now.millis_since(entry.last_packet());
    let (least, most) = timeouts.of(entry.life());
    // A packet on another worker may be a little ahead of this worker's clock.
    let is_idle = idle >= least && idle < u32::MAX / 2;
    // A flow waits for longer than it has to only in room that no other needs.
    let has_waited = |entry: Entry<'_>| idle >= most || !endpoints.may_wait(entry.backend(), entry.snat());
    entry.is_live() && (entry.seen().is_unlinked() || is_idle && has_waited(entry))
}
