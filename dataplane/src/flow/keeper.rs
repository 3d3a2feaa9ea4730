//! One worker's share of the table: the blocks it has taken, whose entries it alone gives out,
//! expires and reuses. Nothing here is shared, so nothing here is atomic; all its memory is
//! allocated at start.

use std::time::Duration;

use super::block::Block;
use super::nat::Nat;
use super::quiescence::Marks;
use super::slab::{EntryRef, Size};
use super::table::{Endpoints, FlowTable};
use super::tcp_state::Life;
use super::young::Young;
use crate::flow::FlowTimeouts;
use crate::limits::{LIMBO, LIMBO_OF_BEGINNERS, YOUNG};
use crate::types::Tick;
use crate::types::{BackendId, WorkerId};

/// Idle times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    syn: u32,
    established: u32,
    fin: u32,
    /// Not below `fin`, and not above `established` if that is more.
    reset: u32,
    udp: u32,
}

impl From<&FlowTimeouts> for Timeouts {
    fn from(timeouts: &FlowTimeouts) -> Self {
        let millis = |d: Duration| u32::try_from(d.as_millis()).unwrap_or(u32::MAX / 2);
        let (established, fin) = (millis(timeouts.tcp_established), millis(timeouts.tcp_fin));
        Self {
            syn: millis(timeouts.tcp_syn),
            established,
            fin,
            reset: millis(timeouts.tcp_reset).min(established).max(fin),
            udp: millis(timeouts.udp),
        }
    }
}

impl Timeouts {
    /// How long a flow may be idle in any case, and how long where there is room for it.
    #[inline(always)]
    pub(super) fn of(&self, life: Life) -> (u32, u32) {
        match life {
            Life::Handshake => (self.syn, self.syn),
            // Ended, it must not last longer than it would have otherwise.
            Life::BrokenHandshake => (self.syn.min(self.fin), self.syn.min(self.fin)),
            Life::Open => (self.established, self.established),
            Life::Over => (self.fin, self.fin),
            Life::InDoubt => (self.fin, self.reset),
            Life::Datagrams => (self.udp, self.udp),
        }
    }

    pub(super) fn smallest(&self) -> u32 {
        self.syn.min(self.established).min(self.fin).min(self.udp).max(1)
    }
}

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
    unmarked: Vec<(EntryRef, Size)>,
    pub(super) young: Young,
    /// The block whose turn it is; beyond the last one: the last one.
    pub(super) sweep_block: usize,
    pub(super) sweep_place: u32,
    pub(super) last_sweep: Tick,
    /// Steps of a whole round, as many blocks as there are.
    pub(super) steps: u64,
    /// Those there were when the present round began: blocks that are given back on the way must not
    /// slow it down.
    pub(super) round_steps: u64,
    /// Steps due, in units of 1/65536.
    pub(super) sweep_credit: u64,
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
    pub(super) fn take_out(
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

    /// Whether that many flows may end and wait.
    pub(super) fn has_limbo_for(&self, flows: usize) -> bool {
        self.unmarked.len() + flows <= LIMBO - LIMBO_OF_BEGINNERS
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
}

#[cfg(test)]
mod check;
