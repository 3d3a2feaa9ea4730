//! One worker's share of the table: the blocks it has taken, whose entries it alone gives out,
//! expires and reuses. Nothing here is shared, so nothing here is atomic; all its memory is
//! allocated at start.

use super::block::{Block, STEP};
use super::entry::Entry;
use super::nat::Nat;
use super::quiescence::Marks;
use super::slab::{EntryRef, Size};
use super::table::{Endpoints, FlowTable};
use super::timeouts::Timeouts;
use super::young::Young;
use crate::limits::{LIMBO, SWEEP_STEPS_PER_ROUND, YOUNG};
use crate::tick::Tick;
use crate::types::{BackendId, WorkerId};

/// A flow that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expired {
    pub(crate) backend: BackendId,
    pub(crate) nat: Option<Nat>,
    /// Its handshake was under way.
    pub(crate) half_open: bool,
    /// It was counted as closing.
    pub(crate) closing: bool,
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Keeper {
    worker: WorkerId,
    pub(super) blocks: Vec<Block>,
    /// Where in `blocks` a block of the slab is.
    pub(super) place_of: Box<[u32]>,
    /// Where the last free entry of each size was found.
    cursor: [usize; Size::COUNT],
    free_entries: [u32; Size::COUNT],
    /// Entries out of the index: those that wait for `marks`, and those that came later.
    waiting: Vec<(EntryRef, Size)>,
    marks: Marks,
    pub(super) unmarked: Vec<(EntryRef, Size)>,
    pub(super) young: Young,
    /// The block whose turn it is; beyond the last one: the last one.
    sweep_block: usize,
    sweep_place: u32,
    last_sweep: Tick,
    /// Steps of a whole round, as many blocks as there are.
    steps: u64,
    /// Those there were when the present round began: blocks that are given back on the way must not
    /// slow it down.
    round_steps: u64,
    /// Steps due, in units of 1/65536.
    sweep_credit: u64,
}

impl Keeper {
    pub(crate) fn new(table: &FlowTable, worker: WorkerId) -> Self {
        let blocks = table.slab().block_count();
        Self {
            worker,
            blocks: Vec::with_capacity(blocks),
            place_of: vec![0; blocks].into_boxed_slice(),
            cursor: [0; Size::COUNT],
            free_entries: [0; Size::COUNT],
            waiting: Vec::with_capacity(LIMBO),
            marks: table.quiescence().marks(),
            unmarked: Vec::with_capacity(LIMBO),
            young: Young::new(YOUNG.min(table.capacity())),
            sweep_block: usize::MAX,
            sweep_place: 0,
            last_sweep: Tick::default(),
            steps: 0,
            round_steps: 0,
            sweep_credit: 0,
        }
    }

    pub(crate) fn worker(&self) -> WorkerId {
        self.worker
    }

    /// A free entry; `None`: the table is full.
    pub(super) fn take(&mut self, table: &FlowTable, size: Size) -> Option<EntryRef> {
        let class = size as usize;
        // Whoever takes an entry may have to retire it, and that must not allocate.
        if self.unmarked.len() >= LIMBO {
            return None;
        }
        if self.free_entries[class] == 0 {
            let id = table.slab().take_block()?;
            self.place_of[id.index()] = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX);
            self.cursor[class] = self.blocks.len();
            self.blocks.push(Block::new(id, size));
            self.steps += size.sweep_steps();
            self.free_entries[class] = size.per_block();
        }
        // From the cursor on, round about: mostly the block that it stands on.
        let count = self.blocks.len();
        for step in 0..count {
            let place = (self.cursor[class] + step) % count;
            let block = &mut self.blocks[place];
            if block.size == size
                && let Some(entry) = block.take()
            {
                self.cursor[class] = place;
                self.free_entries[class] -= 1;
                return Some(entry);
            }
        }
        None
    }

    /// Gives back an entry that never got into the index.
    pub(super) fn give(&mut self, table: &FlowTable, entry: EntryRef, size: Size) {
        table.entry(entry).end();
        self.free(table, entry, size);
    }

    /// Nobody can hold it any more. It has ended as a flow, and whoever takes it next writes all of it anew.
    fn free(&mut self, table: &FlowTable, entry: EntryRef, size: Size) {
        let (id, place) = entry.place(size);
        let at = self.place_of[id.index()] as usize;
        self.blocks[at].give(place);
        // In a full table nearly all blocks are: what is free is remembered, not searched for.
        self.cursor[size as usize] = at;
        self.free_entries[size as usize] += 1;
        // Keep one block's worth in hand, so that a few flows coming and going move no blocks.
        if self.blocks[at].is_empty() && self.free_entries[size as usize] >= 2 * size.per_block() {
            self.give_block(table, at);
        }
    }

    fn give_block(&mut self, table: &FlowTable, at: usize) {
        let block = self.blocks.swap_remove(at);
        self.steps -= block.size.sweep_steps();
        self.free_entries[block.size as usize] -= block.size.per_block();
        table.slab().give_block(block.id);
        if let Some(moved) = self.blocks.get(at) {
            self.place_of[moved.id.index()] = u32::try_from(at).unwrap_or(u32::MAX);
        }
    }

    /// Remembers an entry that has just got into the index as one that may have to make way.
    pub(super) fn began(&mut self, entry: EntryRef, now: Tick) {
        self.young.push(entry, now);
    }

    /// Takes a flow out of the index for good.
    pub(super) fn expire(
        &mut self,
        table: &FlowTable,
        endpoints: &impl Endpoints,
        reference: EntryRef,
        size: Size,
    ) -> Expired {
        table.mark_ended(reference);
        table.let_see();
        self.take_out(table, endpoints, reference, size)
    }

    /// The same of a flow that others can see has ended.
    fn take_out(
        &mut self,
        table: &FlowTable,
        endpoints: &impl Endpoints,
        reference: EntryRef,
        size: Size,
    ) -> Expired {
        let entry = table.entry(reference);
        let was = entry.settle();
        let ended = Expired {
            backend: entry.backend(),
            nat: entry.nat(),
            half_open: was.is_half_open(entry.protocol()),
            closing: was.counts_as_closing(),
        };
        table.unlink(reference, endpoints);
        self.retire(table, reference, size);
        ended
    }

    /// Lets an entry that has left the index wait until nobody can hold it any more.
    pub(super) fn retire(&mut self, table: &FlowTable, entry: EntryRef, size: Size) {
        table.entry(entry).end();
        self.unmarked.push((entry, size));
    }

    /// Takes back what nobody can hold any more. Once per batch.
    pub(crate) fn reclaim(&mut self, table: &FlowTable) {
        if !self.waiting.is_empty() {
            if !table.quiescence().all_passed(&self.marks) {
                return;
            }
            while let Some((entry, size)) = self.waiting.pop() {
                self.free(table, entry, size);
            }
        }
        if !self.unmarked.is_empty() {
            std::mem::swap(&mut self.waiting, &mut self.unmarked);
            table.quiescence().mark(&mut self.marks);
        }
    }

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
            if self.sweep_credit < 1 << 16 || self.unmarked.len() + STEP as usize > LIMBO {
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
            if is_over(table.entry(reference), timeouts, now) {
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
fn is_over(entry: Entry<'_>, timeouts: &Timeouts, now: Tick) -> bool {
    let idle = now.millis_since(entry.last_packet());
    // A packet on another worker may be a little ahead of this worker's clock.
    let is_idle = idle >= timeouts.of(entry.state()) && idle < u32::MAX / 2;
    entry.is_live() && (entry.seen().is_unlinked() || is_idle)
}

#[cfg(test)]
mod check;
