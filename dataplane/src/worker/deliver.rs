//! Carrying out the verdicts of a batch, each counted exactly once.

use super::Worker;
use super::punt::{ControlFrame, Punt};
use crate::capture::{Became, Capture};
use crate::channel::Channel;
use crate::fragment::Fragments;
use crate::io::{Frame, PacketIo, Refused};
use crate::limits::BATCH;
use crate::packet::{Headers, Packet};
use crate::pipeline::{self, key_of_waiting};
use crate::recorder::Recorder;
use crate::stats::WorkerCounters;
use crate::types::InterfaceId;
use crate::types::Tick;
use crate::unresolved::{Held, Unresolved};
use crate::verdict::{DropReason, Verdict};

/// What became of a batch; added to the worker's counters at once.
struct Tally {
    forwarded: u64,
    punted: u64,
    originated: u64,
    drops: [u16; DropReason::COUNT],
}

impl Tally {
    fn add_to(&self, counters: &WorkerCounters, frames: u64) {
        counters.forwarded.add(self.forwarded);
        counters.punted.add(self.punted);
        counters.originated.add(self.originated);
        // Most batches lose nothing.
        if self.forwarded + self.punted < frames {
            for (counter, dropped) in counters.drops.iter().zip(self.drops).filter(|(_, n)| *n > 0) {
                counter.add(u64::from(dropped));
            }
        }
    }
}

/// All that it takes to carry out a verdict.
struct Delivery<'w, I> {
    io: &'w mut I,
    fragments: &'w mut Fragments,
    unresolved: &'w mut Unresolved,
    punts: &'w Channel<Punt>,
    recorder: &'w Recorder,
    capture: Option<&'w Capture>,
    nanos: u64,
    now: Tick,
    tally: Tally,
}

impl<I: PacketIo> Delivery<'_, I> {
    #[inline(always)]
    fn one(&mut self, Packet { frame, ingress, verdict, .. }: Packet, headers: &Headers) {
        if let Verdict::Transmit(interface) = verdict {
            match self.io.transmit(interface, frame) {
                Ok(()) => self.tally.forwarded += 1,
                Err((frame, refused)) => self.refused(interface, Held { ingress, frame }, refused),
            }
        } else {
            self.other(frame, ingress, verdict, headers);
        }
    }

    /// Packets to a next hop that is not resolved are refused as well, because no interface has that number: they
    /// wait. One that waits is counted when it leaves, or when its time is over.
    #[cold]
    fn refused(&mut self, egress: InterfaceId, held: Held, refused: Refused) {
        let dropped = match egress.unresolved_slot() {
            Some(slot) => (self.unresolved.hold(slot, held), DropReason::NeighbourMissing),
            None => (Some(held), reason_of(refused)),
        };
        if let (Some(Held { ingress, frame }), reason) = dropped {
            self.drop_after_all(frame, ingress, reason);
        }
    }

    #[inline(never)]
    fn other(&mut self, frame: Frame, ingress: InterfaceId, verdict: Verdict, headers: &Headers) {
        match verdict {
            Verdict::Punt => {
                let copy = ControlFrame::new(ingress, frame.bytes());
                if copy.is_some_and(|copy| self.punts.send(Punt::Frame(copy))) {
                    self.io.recycle(frame);
                    self.tally.punted += 1;
                } else {
                    self.drop_after_all(frame, ingress, DropReason::PuntQueueFull);
                }
            }
            Verdict::Drop(reason) => self.drop(frame, ingress, reason),
            Verdict::Answer(interface, reason) => {
                match self.io.transmit(interface, frame) {
                    Ok(()) => self.tally.originated += 1,
                    Err((frame, _)) => self.io.recycle(frame),
                }
                self.tally.drops[reason.index()] += 1;
            }
            Verdict::Hold => {
                let refused = match key_of_waiting(&frame, headers) {
                    Some(key) => self.fragments.hold(key, ingress, frame, self.now),
                    None => Some(frame),
                };
                // One that waits is counted when its time has come.
                if let Some(frame) = refused {
                    self.drop_after_all(frame, ingress, DropReason::Fragment);
                }
            }
            // The last stage decides about everything that reaches it.
            Verdict::Transmit(_) | Verdict::Undecided => self.drop(frame, ingress, DropReason::NotOurs),
        }
    }

    /// Who looks has been told of another fate.
    #[inline(never)]
    fn drop_after_all(&mut self, frame: Frame, ingress: InterfaceId, reason: DropReason) {
        if let Some(capture) = self.capture {
            capture.show(self.nanos, Some(ingress), Became::Dropped(reason), frame.bytes());
        }
        self.drop(frame, ingress, reason);
    }

    fn drop(&mut self, frame: Frame, ingress: InterfaceId, reason: DropReason) {
        self.recorder.record(reason, ingress, frame.bytes(), self.now);
        self.io.recycle(frame);
        self.tally.drops[reason.index()] += 1;
    }
}

impl<I: PacketIo> Worker<I> {
    /// Sends, punts or drops every frame of the batch.
    pub(super) fn deliver(&mut self, now: Tick) {
        let tally = Tally { forwarded: 0, punted: 0, originated: 0, drops: [0; DropReason::COUNT] };
        let (io, fragments, punts) = (&mut self.io, &mut self.own.fragments, &*self.links.punts);
        let unresolved = &mut self.own.unresolved;
        let (capture, nanos) = (self.links.snapshots.load().capture.as_deref(), self.last_round);
        let recorder = &self.links.counters.recorder;
        let mut delivery =
            Delivery { io, fragments, unresolved, punts, recorder, capture, nanos, now, tally };
        let mut frames = 0;
        for (packet, headers) in self.batch.drain() {
            delivery.one(packet, headers);
            frames += 1;
        }
        let tally = delivery.tally;
        self.punted |= tally.punted > 0;
        tally.add_to(&self.links.counters, frames);
    }

    /// Sends the copies that the stages have made.
    pub(super) fn send_copies(&mut self, now: Tick) {
        while let Some((interface, copy)) = self.own.spares.take_copy() {
            self.send_own(interface, copy, now);
        }
    }

    /// Sends a frame that the node has made, or lets it wait for its next hop. One that cannot leave is lost, as any
    /// may be: it was not received, so no drop is counted.
    pub(super) fn send_own(&mut self, egress: InterfaceId, frame: Frame, now: Tick) {
        if let Some(slot) = egress.unresolved_slot() {
            let ingress = InterfaceId::NOWHERE;
            if let Some(replaced) = self.own.unresolved.hold(slot, Held { ingress, frame }) {
                self.drop_held(replaced, DropReason::NeighbourMissing, now);
            }
            return;
        }
        if let Some(capture) = &self.links.snapshots.load().capture {
            capture.show(self.last_round, None, Became::Made(egress), frame.bytes());
        }
        match self.io.transmit(egress, frame) {
            Ok(()) => self.links.counters.originated.add(1),
            Err((frame, _)) => self.io.recycle(frame),
        }
    }

    /// Gives up fragments that have waited for long enough.
    pub(super) fn drop_late_fragments(&mut self, now: Tick) {
        while let Some((ingress, frame)) = self.own.fragments.take_late(now) {
            let reason = DropReason::Fragment;
            self.links.counters.recorder.record(reason, ingress, frame.bytes(), now);
            if let Some(capture) = &self.links.snapshots.load().capture {
                capture.show(self.last_round, Some(ingress), Became::Dropped(reason), frame.bytes());
            }
            self.io.recycle(frame);
            self.links.counters.drops[reason.index()].add(1);
        }
    }

    /// Sends what management has handed over, at most a batch at a time.
    pub(super) fn send_control_frames(&mut self, now: Tick) {
        for _ in 0..BATCH {
            if self.links.outbox.is_empty() {
                return;
            }
            // The chunk first: without one, what waits goes on waiting.
            let Some(mut frame) = self.io.allocate() else { return };
            let Some(control) = self.links.outbox.receive() else { return self.io.recycle(frame) };
            frame.fill(control.bytes());
            let mut interface = control.interface;
            if let Some(backend) = control.backend() {
                let mut context = self.own.context(&mut self.links, now);
                match pipeline::probe(frame, &mut context, backend) {
                    Ok((egress, rewritten)) => (interface, frame) = (egress, rewritten),
                    Err(frame) => {
                        self.io.recycle(frame);
                        continue;
                    }
                }
            }
            if interface.unresolved_slot().is_some() {
                self.send_own(interface, frame, now);
                continue;
            }
            match self.io.transmit(interface, frame) {
                Ok(()) => self.links.counters.originated.add(1),
                Err((frame, _)) => self.io.recycle(frame),
            }
        }
    }
}

pub(super) fn reason_of(refused: Refused) -> DropReason {
    match refused {
        Refused::Full => DropReason::TxRingFull,
        Refused::Gone => DropReason::InterfaceGone,
    }
}
