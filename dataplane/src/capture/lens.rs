//! A worker's view of a capture: what its batch looked like before the stages.

use super::{Became, Capture, Shot};
use crate::limits::BATCH;
use crate::packet::Batch;
use crate::types::InterfaceId;
use crate::verdict::Verdict;

/// Shots in a worker's hand. They stay there when a capture is over, for the next one: a worker frees no memory.
#[derive(Debug)]
pub(crate) struct Lens(Vec<Box<Shot>>);

impl Lens {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(BATCH))
    }

    /// Copies what has come.
    #[cold]
    pub(crate) fn before(&mut self, batch: &Batch, capture: &Capture) {
        while self.0.len() < BATCH
            && let Some(shot) = capture.empty.pop()
        {
            self.0.push(shot);
        }
        for (packet, shot) in batch.packets().zip(&mut self.0) {
            shot.before.fill(packet.frame.bytes());
        }
    }

    /// Shows what is wanted of it, with what is about to become of it.
    #[cold]
    pub(crate) fn after(&mut self, batch: &Batch, capture: &Capture, nanos: u64) {
        if capture.is_over() {
            return;
        }
        for (place, packet) in batch.packets().enumerate() {
            let became = became(packet.verdict);
            let after = if became.has_left() { packet.frame.bytes() } else { &[] };
            let before = self.0.get(place).map_or(&[][..], |shot| shot.before());
            if !capture.filter.wants(became.reason(), before, after) {
                continue;
            }
            let next = capture.empty.pop();
            let (Some(shot), Some(next)) = (self.0.get_mut(place), next) else {
                capture.lose();
                continue;
            };
            let mut full = std::mem::replace(shot, next);
            full.nanos = nanos;
            full.ingress = Some(packet.ingress).filter(|id| *id != InterfaceId::NOWHERE);
            full.became = became;
            full.after.fill(after);
            // Room is left for all that there are.
            let _: Result<(), _> = capture.full.push(full);
        }
    }
}

fn became(verdict: Verdict) -> Became {
    match verdict {
        Verdict::Transmit(egress) if egress.unresolved_slot().is_some() => Became::WaitsForNextHop,
        Verdict::Transmit(interface) => Became::Sent(interface),
        Verdict::Answer(interface, reason) => Became::Answered(interface, reason),
        Verdict::Drop(reason) => Became::Dropped(reason),
        Verdict::Punt => Became::Punted,
        Verdict::Hold => Became::Waits,
        // The last stage decides about everything that reaches it.
        Verdict::Undecided => Became::Dropped(crate::verdict::DropReason::NotOurs),
    }
}
