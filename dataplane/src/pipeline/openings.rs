//! Handshakes with backends that the box has begun and that nobody has answered yet: in the order in which they
//! are due.
//!
//! All SYNs of one try wait equally long, so a queue for each try is in order. What a full queue has no room for
//! is not lost: the client sends again, and so does the box then.

use std::collections::VecDeque;

use super::context::Context;
use super::rewrite;
use crate::flow::{EntryRef, Handshake};
use crate::limits::{OPENINGS, OPENINGS_PER_ROUND};
use crate::syn_proxy::Opening;
use crate::types::Tick;
use crate::types::VlanId;

/// SYNs that a backend gets.
const TRIES: usize = 3;

/// Who waits, and until when.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    flow: EntryRef,
    birth: Tick,
    due: Tick,
    /// Of the client's frames.
    vlan: VlanId,
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Openings([VecDeque<Waiting>; TRIES]);

impl Openings {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| VecDeque::with_capacity(OPENINGS)))
    }

    /// Remembers a flow that has just begun.
    pub(super) fn begin(&mut self, flow: EntryRef, birth: Tick, vlan: VlanId, now: Tick) {
        // The first SYN leaves in this batch.
        let due = Tick(now.0.wrapping_add(SECOND));
        self.push(0, Waiting { flow, birth, due, vlan });
    }

    fn push(&mut self, queue: usize, waiting: Waiting) {
        if let Some(queue) = self.0.get_mut(queue).filter(|queue| queue.len() < OPENINGS) {
            queue.push_back(waiting);
        }
    }

    /// Whether somebody has waited for long enough.
    #[inline(always)]
    pub(crate) fn is_due(&self, now: Tick) -> bool {
        self.0.iter().any(|queue| queue.front().is_some_and(|waiting| waiting.is_due(now)))
    }

    fn pop(&mut self, now: Tick) -> Option<Waiting> {
        self.0.iter_mut().find_map(|queue| queue.pop_front_if(|waiting| waiting.is_due(now)))
    }
}

/// Milliseconds until the second SYN, and a step of the clock that handshakes are timed by.
const SECOND: u32 = 1016;

impl Waiting {
    fn is_due(&self, now: Tick) -> bool {
        now.0.wrapping_sub(self.due.0) < u32::MAX / 2
    }
}

/// Sends again, or gives up, what is due: a few at a time. The worker sends the frames behind it.
pub(crate) fn run_due(context: &mut Context<'_>) {
    for _ in 0..OPENINGS_PER_ROUND {
        let Some(waiting) = context.openings.pop(context.now) else { return };
        again(context, waiting);
    }
}

fn again(context: &mut Context<'_>, waiting: Waiting) {
    let Waiting { flow, birth, vlan, .. } = waiting;
    let Some(entry) = context.keeper.own(context.table, flow, birth) else { return };
    let Some(Handshake::Opening(words)) = entry.handshake() else { return };
    let mut opening = Opening::from_words(words);
    let step = opening.on_timer(context.now);
    if step.is_some() && !entry.goes_on(words, opening.to_words()) {
        return;
    }
    let due = opening.next_deadline(context.now);
    if let Some(step) = step {
        rewrite::on_time(context, flow, vlan, step);
    }
    // What has ended is not found again.
    let queue = usize::from(opening.tries()).saturating_sub(1);
    context.openings.push(queue, Waiting { due: Tick(due.0.wrapping_add(SECOND % 1000)), ..waiting });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_when_they_are_due_and_a_full_queue_takes_no_more() {
        let mut openings = Openings::new();
        let flow = EntryRef::NOBODY;
        for n in 0..u32::try_from(OPENINGS).unwrap() + 5 {
            openings.begin(flow, Tick(0), VlanId(0), Tick(n));
        }
        assert!(!openings.is_due(Tick(SECOND - 1)) && openings.pop(Tick(SECOND - 1)).is_none());
        assert!(openings.is_due(Tick(SECOND)));
        assert_eq!(openings.pop(Tick(SECOND)).map(|waiting| waiting.due), Some(Tick(SECOND)));
        assert!(openings.pop(Tick(SECOND)).is_none());
        let late = Tick(1 << 30);
        assert_eq!(std::iter::from_fn(|| openings.pop(late)).count(), OPENINGS - 1);
    }
}
