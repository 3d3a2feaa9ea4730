//! Carrying out the verdicts of a batch, each counted exactly once.

use super::Worker;
use super::punt::{ControlFrame, Punt};
use crate::io::{Frame, PacketIo, Refused};
use crate::limits::BATCH;
use crate::pipeline::{DropReason, Packet, Verdict, key_of_waiting};
use crate::tick::Tick;
use crate::types::InterfaceId;

/// What became of a batch; added to the worker's counters at once.
struct Tally {
    forwarded: u64,
    punted: u64,
    originated: u64,
    drops: [u16; DropReason::COUNT],
}

impl<I: PacketIo> Worker<I> {
    /// Sends, punts or drops every frame of the batch.
    pub(super) fn deliver(&mut self, now: Tick) {
        let mut tally = Tally { forwarded: 0, punted: 0, originated: 0, drops: [0; DropReason::COUNT] };
        let mut batch = std::mem::replace(&mut self.batch, crate::pipeline::Batch::none());
        for packet in batch.drain() {
            self.deliver_one(packet, now, &mut tally);
        }
        self.batch = batch;
        let counters = &self.links.counters;
        counters.forwarded.add(tally.forwarded);
        counters.punted.add(tally.punted);
        counters.originated.add(tally.originated);
        for (counter, dropped) in counters.drops.iter().zip(tally.drops).filter(|(_, dropped)| *dropped > 0) {
            counter.add(u64::from(dropped));
        }
    }

    #[inline(always)]
    fn deliver_one(&mut self, packet: Packet, now: Tick, tally: &mut Tally) {
        let reason = match packet.verdict {
            Verdict::Transmit(interface) => match self.io.transmit(interface, packet.frame) {
                Ok(()) => {
                    tally.forwarded += 1;
                    return;
                }
                Err((frame, refused)) => {
                    self.io.recycle(frame);
                    reason_of(refused)
                }
            },
            Verdict::Punt => {
                let sent = self.punt(packet.ingress, &packet.frame);
                self.io.recycle(packet.frame);
                if sent {
                    tally.punted += 1;
                    return;
                }
                DropReason::PuntQueueFull
            }
            Verdict::Drop(reason) => {
                self.io.recycle(packet.frame);
                reason
            }
            Verdict::Answer(interface, reason) => {
                match self.io.transmit(interface, packet.frame) {
                    Ok(()) => tally.originated += 1,
                    Err((frame, _)) => self.io.recycle(frame),
                }
                reason
            }
            Verdict::Hold => match self.hold(packet, now) {
                // It is counted when its time has come.
                None => return,
                Some(frame) => {
                    self.io.recycle(frame);
                    DropReason::Fragment
                }
            },
            // The last stage decides about everything that reaches it.
            Verdict::Undecided => {
                self.io.recycle(packet.frame);
                DropReason::NotOurs
            }
        };
        tally.drops[reason.index()] += 1;
    }

    /// Keeps a fragment until the first one of its packet comes; gives it back if it can't.
    fn hold(&mut self, packet: Packet, now: Tick) -> Option<Frame> {
        match key_of_waiting(&packet) {
            Some(key) => self.fragments.hold(key, packet.ingress, packet.frame, now),
            None => Some(packet.frame),
        }
    }

    fn punt(&mut self, ingress: InterfaceId, frame: &Frame) -> bool {
        let frame = ControlFrame::new(ingress, frame.bytes());
        let sent = frame.is_some_and(|frame| self.links.punts.send(Punt::Frame(frame)));
        self.punted |= sent;
        sent
    }

    /// Sends the copies that the stages have made.
    pub(super) fn send_copies(&mut self) {
        while let Some((interface, copy)) = self.spares.take_copy() {
            match self.io.transmit(interface, copy) {
                Ok(()) => self.links.counters.originated.add(1),
                Err((frame, _)) => self.io.recycle(frame),
            }
        }
    }

    /// Gives up fragments that have waited for long enough.
    pub(super) fn drop_late_fragments(&mut self, now: Tick) {
        while let Some(frame) = self.fragments.take_late(now) {
            self.io.recycle(frame);
            self.links.counters.drops[DropReason::Fragment.index()].add(1);
        }
    }

    /// Sends what management has handed over, at most a batch at a time.
    pub(super) fn send_control_frames(&mut self) {
        for _ in 0..BATCH {
            if self.links.outbox.is_empty() {
                return;
            }
            // The chunk first: without one, what waits goes on waiting.
            let Some(mut frame) = self.io.allocate() else { return };
            let Some(control) = self.links.outbox.receive() else { return self.io.recycle(frame) };
            frame.fill(control.bytes());
            match self.io.transmit(control.interface, frame) {
                Ok(()) => self.links.counters.originated.add(1),
                Err((frame, _)) => self.io.recycle(frame),
            }
        }
    }
}

fn reason_of(refused: Refused) -> DropReason {
    match refused {
        Refused::Full => DropReason::TxRingFull,
        Refused::Gone => DropReason::InterfaceGone,
    }
}
