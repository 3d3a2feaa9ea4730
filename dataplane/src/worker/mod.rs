//! The poll loop of a worker: receive, run the stages, deliver, and a little housekeeping.
//!
//! After its start a worker takes no lock, allocates no memory and writes no log. It makes a system
//! call per batch where the driver needs to be told of frames to send, and none per frame.

mod deliver;
mod end;
mod poll;
mod punt;
mod wait;

use end::AtEnd;
pub use poll::Poll;
pub use punt::{ControlFrame, Punt};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::capture::Lens;
use crate::channel::Channel;
use crate::clock::Clock;
use crate::flow::{FlowTable, Keeper, Timeouts};
use crate::fragment::Fragments;
use crate::io::PacketIo;
use crate::limits::{BATCH, OVERLOAD};
use crate::packet::Batch;
use crate::pipeline::{self, Budget, Context, Draws, Openings, Spares, Station};
use crate::snapshot::{FlowTimeouts, Reader};
use crate::stats::WorkerCounters;
use crate::syn_proxy::Secret;
use crate::types::Tick;
use crate::types::WorkerId;
use crate::unresolved::Unresolved;
use crate::xdp::Wake;

/// How long an adaptive worker spins without a frame before it sleeps: a few looks. Below full load frames come
/// in batches, as far apart as a NIC pauses between interrupts, and a longer spin, which would hardly ever
/// meet the next batch, would be paid for each.
const SPIN_NANOS: u64 = 1_000;
/// How long it sleeps at most: idle flows still have to expire.
const SLEEP: Duration = Duration::from_millis(100);

/// A worker's ties to the rest of the box.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) table: Arc<FlowTable>,
    pub(crate) counters: Arc<WorkerCounters>,
    pub(crate) snapshots: Reader,
    /// To management, with the event that wakes it.
    pub(crate) punts: Arc<Channel<Punt>>,
    pub(crate) punt_event: Arc<Wake>,
    /// Whether this worker serves nobody any more.
    pub(crate) has_ended: Arc<AtomicBool>,
    /// From management.
    pub(crate) outbox: Arc<Channel<ControlFrame>>,
    pub(crate) clock: Clock,
    /// Of the cookies that answer handshakes: one for all workers.
    pub(crate) secret: Arc<Secret>,
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Worker<I> {
    io: I,
    links: Links,
    batch: Batch,
    lens: Lens,
    own: Own,
    began: u64,
    last_frame: u64,
    last_round: u64,
    was_busy: bool,
    sweep_is_behind: bool,
    punted: bool,
    /// Of the snapshot of that generation.
    timeouts: (u64, Timeouts),
}

/// What the stages keep from batch to batch.
#[derive(Debug)]
struct Own {
    keeper: Keeper,
    fragments: Fragments,
    answers: Budget,
    spares: Spares,
    openings: Openings,
    draws: Draws,
    unresolved: Unresolved,
    /// See [`Context`].
    is_overloaded: bool,
}

impl Own {
    fn context<'a>(&'a mut self, links: &'a mut Links, now: Tick) -> Context<'a> {
        let Links { table, counters, snapshots, secret, .. } = links;
        Context {
            snapshot: snapshots.load(),
            table,
            keeper: &mut self.keeper,
            counters,
            now,
            fragments: &mut self.fragments,
            answers: &mut self.answers,
            spares: &mut self.spares,
            openings: &mut self.openings,
            draws: &mut self.draws,
            unresolved: &mut self.unresolved,
            secret,
            is_overloaded: self.is_overloaded,
            asked: None,
            station: None,
        }
    }
}

impl<I: PacketIo> Worker<I> {
    pub(crate) fn new(id: WorkerId, io: I, links: Links) -> Self {
        let now = links.clock.nanos();
        Self {
            own: Own {
                keeper: Keeper::new(&links.table, id),
                fragments: Fragments::new(),
                answers: Budget::new(),
                spares: Spares::new(),
                openings: Openings::new(),
                draws: Draws::new(id),
                unresolved: Unresolved::new(),
                is_overloaded: false,
            },
            io,
            links,
            batch: Batch::new(),
            lens: Lens::new(),
            began: now,
            last_frame: now,
            last_round: now,
            was_busy: false,
            sweep_is_behind: false,
            punted: false,
            timeouts: (u64::MAX, Timeouts::from(&FlowTimeouts::default())),
        }
    }

    #[cfg(any(test, feature = "bench"))]
    pub(crate) fn io(&mut self) -> &mut I {
        &mut self.io
    }

    #[cfg(test)]
    fn signs_of_life(&self) -> (Arc<AtomicBool>, Arc<Wake>) {
        (Arc::clone(&self.links.has_ended), Arc::clone(&self.links.punt_event))
    }

    /// Runs until `stop`.
    pub(crate) fn run(&mut self, poll: Poll, stop: &AtomicBool) {
        let _end = AtEnd::of(&self.links, self.own.keeper.worker());
        while !stop.load(Ordering::Relaxed) {
            self.round();
            let idle = self.last_round.saturating_sub(self.last_frame) > SPIN_NANOS;
            if poll == Poll::Adaptive && idle && !self.sweep_is_behind && self.links.outbox.is_empty() {
                self.links.table.quiescence().leave(self.own.keeper.worker());
                self.io.wait(SLEEP);
            }
        }
    }

    /// One pass over all rings.
    pub(crate) fn round(&mut self) {
        let nanos = self.account_time();
        self.round_at(Clock::tick(nanos));
    }

    /// The same, at a time.
    pub(crate) fn round_at(&mut self, now: Tick) {
        self.links.table.quiescence().pass(self.own.keeper.worker());
        self.io.maintain();
        self.send_resolved(now);
        // First: where there is too little room in a ring, others have to do without.
        self.send_control_frames(now);
        for ring in 0..self.io.rings() {
            self.one_batch(ring, now);
        }
        self.repeat_handshakes(now);
        self.io.flush();
        self.housekeeping(now);
    }

    /// The time of the round before was spent on frames if there were any.
    fn account_time(&mut self) -> u64 {
        let now = self.links.clock.nanos();
        let counters = &self.links.counters;
        if self.was_busy {
            counters.busy_nanos.add(now.saturating_sub(self.last_round));
            self.last_frame = now;
        }
        counters.total_nanos.set(now.saturating_sub(self.began));
        self.was_busy = false;
        self.last_round = now;
        now
    }

    fn one_batch(&mut self, ring: usize, now: Tick) {
        let batch = &mut self.batch;
        let received = self.io.receive(ring, BATCH, |ingress, frame| batch.push(ingress, frame));
        if received == 0 {
            return;
        }
        self.was_busy = true;
        self.links.counters.received.add(received as u64);
        self.links.counters.batches.add(1);
        self.own.is_overloaded = received == BATCH && self.io.waiting(ring) >= OVERLOAD;
        // A new snapshot may have the next hop of packets that came before these.
        self.send_resolved(now);
        self.run_stages(now);
        // Fragments that have waited for one of this batch.
        while let Some((ingress, frame)) = self.own.fragments.take_ready() {
            self.batch.push(ingress, frame);
            while let Some((ingress, frame)) = self.own.fragments.take_ready() {
                self.batch.push(ingress, frame);
            }
            self.run_stages(now);
        }
    }

    fn run_stages(&mut self, now: Tick) {
        self.fill_spares();
        let mut context = self.own.context(&mut self.links, now);
        // Nearly always nobody looks.
        let capture = context.snapshot.capture.as_deref();
        if let Some(capture) = capture {
            self.lens.before(&self.batch, capture);
        }
        pipeline::run(&mut self.batch, &mut context);
        if let Some(capture) = capture {
            self.lens.after(&self.batch, capture, self.last_round);
        }
        let station = context.station;
        self.deliver(now);
        self.send_copies(now);
        self.report(station);
    }

    fn fill_spares(&mut self) {
        while self.own.spares.wants_more()
            && let Some(frame) = self.io.allocate()
        {
            self.own.spares.give(frame);
        }
    }

    /// Handshakes that backends have not answered in time.
    fn repeat_handshakes(&mut self, now: Tick) {
        if self.own.openings.is_due(now) {
            self.fill_spares();
            let mut context = self.own.context(&mut self.links, now);
            pipeline::run_due(&mut context);
            self.send_copies(now);
            self.report(None);
        }
    }

    /// Reports neighbours to resolve and a station to learn to management, and wakes it for that and for
    /// control frames.
    fn report(&mut self, station: Option<Station>) {
        if !self.own.unresolved.is_idle() {
            self.report_neighbours();
        }
        if let Some(Station { interface, mac }) = station {
            self.punted |= self.links.punts.report(Punt::Station { interface, mac });
        }
        if std::mem::take(&mut self.punted) {
            self.links.punt_event.wake();
        }
    }

    fn housekeeping(&mut self, now: Tick) {
        let (table, counters) = (&self.links.table, &self.links.counters);
        let snapshot = self.links.snapshots.load();
        if self.timeouts.0 != snapshot.generation {
            self.timeouts = (snapshot.generation, Timeouts::from(&snapshot.timeouts));
        }
        let timeouts = self.timeouts.1;
        self.sweep_is_behind = self.own.keeper.sweep(table, snapshot, &timeouts, now, |flow| {
            pipeline::ended(snapshot, counters, &flow);
        });
        self.own.keeper.reclaim(table);
        self.own.fragments.sweep(now);
        self.drop_late_fragments(now);
        if !self.own.unresolved.is_idle() {
            self.drop_unresolved(now);
        }
    }
}
