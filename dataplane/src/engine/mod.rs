//! The data plane as its owner sees it: start, publish, ask, stop.

mod announce;
mod apportion;
mod capture;
mod ports;
mod questions;
mod setup;
mod tags;
mod threads;

pub(crate) use apportion::apportion;
pub use setup::Setup;

use std::ops::Add;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use crate::channel::Channel;
use crate::clock::Clock;
use crate::error::StartError;
use crate::flow::FlowInfo;
use crate::flow::FlowTable;
use crate::limits::{MAX_INTERFACES, MAX_WORKERS};
use crate::pipeline::trace::Tracer;
use crate::recorder::Recorded;
use crate::snapshot::{Publisher, Snapshot};
use crate::stats::{BackendStats, FlowStats, FrameStats, InterfaceStatus, WorkerStats};
use crate::syn_proxy::Secret;
use crate::sync;
use crate::types::{BackendId, InterfaceId, WorkerId};
use crate::verdict::DropReason;
use crate::worker::{ControlFrame, Punt};
use crate::xdp::RingStatus;
use crate::xdp::{OpenError, SteeringError};
use crate::xdp::{Program, Wake};

use capture::Running;
use ports::{Patience, Ports};
use threads::Thread;

/// The running data plane. Dropping it takes the steering program away and stops the workers.
#[derive(Debug)]
pub struct Dataplane {
    // Declared in the order of the end: no more frames, then no more workers.
    ports: Ports,
    threads: Vec<Thread>,
    publisher: Publisher,
    capture: Running,
    table: Arc<FlowTable>,
    punts: Arc<Channel<Punt>>,
    punt_event: Arc<Wake>,
    clock: Clock,
    /// Made when somebody asks.
    tracer: Option<Tracer>,
}

/// What takes its time at the start, and needs to know nothing of what is to be forwarded.
#[derive(Debug)]
pub struct Prepared {
    program: Program,
    table: FlowTable,
}

impl Dataplane {
    /// Allocates the table and loads the steering program: on another thread, while the first snapshot is made.
    pub fn prepare(setup: &Setup) -> Result<Prepared, StartError> {
        within("interfaces", setup.interfaces.len(), MAX_INTERFACES)?;
        within("workers", setup.cores.len(), MAX_WORKERS)?;
        let table = FlowTable::new(setup.flows, setup.cores.len(), setup.huge_pages)?;
        announce::pages(&table);
        Ok(Prepared { program: Program::load()?, table })
    }

    /// Attaches the steering program, opens the sockets and starts the workers, of the same setup as was prepared;
    /// nothing stays behind if any of it fails.
    pub fn start(setup: &Setup, prepared: Prepared, first: Snapshot) -> Result<Self, StartError> {
        let (mut program, table) = (prepared.program, Arc::new(prepared.table));
        let refused =
            |error: SteeringError| StartError::from(OpenError::Program { reason: error.to_string() });
        program.steering.add(&first).map_err(refused)?;
        apportion(&first, table.capacity());
        let publisher = Publisher::new(first);
        let punts = Channel::new();
        let punt_event = Arc::new(Wake::new().map_err(|error| worker_error(WorkerId(0), &error))?);
        let clock = Clock::start();

        let ties = threads::Ties {
            table: &table,
            publisher: &publisher,
            punts: &punts,
            punt_event: &punt_event,
            clock,
            secret: Arc::new(Secret::random()),
            poll: setup.poll,
        };
        let sockets = ports::queue_count(&setup.interfaces)?.div_ceil(setup.cores.len().max(1));
        let threads =
            (0..).zip(&setup.cores).map(|(id, core)| Thread::start(WorkerId(id), *core, sockets, &ties));
        let threads: Vec<_> = threads.collect::<Result<_, _>>()?;
        let mut ports = Ports::new(program, &setup.interfaces);
        for id in ports.ids() {
            ports.attach(id, &threads, Patience::Waits)?;
        }
        let capture = Running(None);
        Ok(Self { ports, threads, publisher, capture, table, punts, punt_event, clock, tracer: None })
    }

    /// Puts a new snapshot in force: what it adds is steered to the workers first, what it leaves
    /// out is steered away last, so that no frame meets a worker that does not know its service.
    pub fn publish(&mut self, next: Snapshot) -> Result<(), SteeringError> {
        self.ports.program.steering.add(&next)?;
        apportion(&next, self.table.capacity());
        self.publish_neighbours(next);
        self.ports.program.steering.remove_stale(&*self.publisher.current())
    }

    /// Puts a snapshot in force that differs from the present one in neighbours and stations alone: nothing is steered
    /// anew, and workers send at once what waits for a neighbour.
    pub fn publish_neighbours(&mut self, next: Snapshot) {
        next.fib.neighbours().inherit(self.publisher.current().fib.neighbours());
        self.publish_choice(next);
        self.threads.iter().for_each(Thread::wake);
    }

    /// Puts a snapshot in force that differs from the present one in the choice of backends and in what becomes
    /// of flows alone: nothing is steered anew.
    pub fn publish_choice(&mut self, mut next: Snapshot) {
        next.capture.clone_from(&self.capture.0);
        self.publisher.publish(next);
    }

    /// The snapshot in force.
    #[must_use]
    pub fn snapshot(&self) -> sync::Arc<Snapshot> {
        self.publisher.current()
    }

    /// Gives up an interface that has vanished: the others go on.
    pub fn detach(&mut self, id: InterfaceId) {
        self.ports.detach(id, &self.threads);
    }

    /// Whether a worker was told that the interface under its sockets is gone.
    #[must_use]
    pub fn has_lost(&self, id: InterfaceId) -> bool {
        self.ports.has_lost(id, &self.threads)
    }

    /// Takes an interface in use again that had vanished and is back, as number `index` of the kernel.
    /// Does not wait for anything; nothing stays behind if it fails, and it may be tried again.
    pub fn attach(&mut self, id: InterfaceId, index: u32) -> Result<(), StartError> {
        self.ports.renumber(id, index);
        self.ports.attach(id, &self.threads, Patience::TriesOnce)
    }

    /// Hands a frame to a worker, which sends it at once. `false`: no room, or nobody has a queue of
    /// that interface.
    #[must_use]
    pub fn transmit(&self, frame: ControlFrame) -> bool {
        let Some(owner) = self.ports.an_owner_of(frame.interface) else { return false };
        self.threads.get(owner.index()).is_some_and(|thread| thread.send(frame))
    }

    /// Sends a packet of a health check to a backend as a worker sends a client's: the mode's rewrite and all. No
    /// flow comes of it. `false`: nobody knows the way, or there is no room.
    #[must_use]
    pub fn probe(&self, id: BackendId, packet: &[u8]) -> bool {
        let snapshot = self.snapshot();
        let towards = snapshot.interface_towards(id);
        let frame = towards.and_then(|interface| ControlFrame::to_backend(interface, id, packet));
        frame.is_some_and(|frame| self.transmit(frame))
    }

    /// The next thing that workers handed over.
    #[must_use]
    pub fn punted(&self) -> Option<Punt> {
        self.punts.receive()
    }

    /// Readable after workers have handed something over; [`Self::clear_punt_event`] ends that.
    #[must_use]
    pub fn punt_event(&self) -> BorrowedFd<'_> {
        self.punt_event.as_fd()
    }

    /// To be called before [`Self::punted`] is asked until it has nothing more.
    pub fn clear_punt_event(&self) {
        self.punt_event.clear();
    }

    /// Makes the event readable again, for whoever has not taken everything.
    pub fn ring_punt_event(&self) {
        self.punt_event.wake();
    }

    /// Each worker's counters.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerStats> {
        self.threads.iter().map(Thread::stats).collect()
    }

    /// The last frames that workers dropped for a reason, the latest first; of each worker a few.
    #[must_use]
    pub fn recorded(&self, reason: DropReason) -> Vec<Recorded> {
        let now = Clock::tick(self.clock.nanos());
        let of_workers = self.threads.iter().flat_map(|thread| thread.counters().recorder.read(reason, now));
        let mut recorded: Vec<_> = of_workers.collect();
        recorded.sort_by_key(|frame| frame.age);
        recorded
    }

    /// Workers that have ended, which only a defect makes them do.
    #[must_use]
    pub fn dead_workers(&self) -> Vec<WorkerId> {
        self.threads.iter().filter(|thread| thread.is_dead()).map(Thread::id).collect()
    }

    /// All frames, those that the steering program passed to Linux included.
    #[must_use]
    pub fn frames(&self) -> FrameStats {
        let to_linux = self.ports.program.passed();
        let seed = FrameStats { received: to_linux, to_linux, ..FrameStats::default() };
        self.workers().iter().fold(seed, |sum, worker| sum + worker.frames)
    }

    /// One backend's counters.
    #[must_use]
    pub fn backend(&self, id: BackendId) -> BackendStats {
        let of_workers = self.threads.iter().map(|thread| thread.counters().backend(id).read());
        of_workers.fold(BackendStats::default(), Add::add)
    }

    /// The flow table's figures.
    #[must_use]
    pub fn flow_stats(&self) -> FlowStats {
        let workers = self.workers();
        let sum = |of: fn(&WorkerStats) -> u64| workers.iter().map(of).sum::<u64>();
        let (created, expired) = (sum(|w| w.flows_created), sum(|w| w.flows_expired));
        FlowStats {
            active: created.saturating_sub(expired),
            capacity: self.table.capacity() as u64,
            created,
            expired,
            refused: sum(|w| w.flows_refused),
        }
    }

    /// Up to `limit` flows for which `wanted` says yes.
    pub fn flows(&self, limit: usize, wanted: impl Fn(&FlowInfo) -> bool) -> Vec<FlowInfo> {
        let now = Clock::tick(self.clock.nanos());
        self.table.flows(now).filter(wanted).take(limit).collect()
    }

    /// When [`Self::millis`] were zero.
    #[must_use]
    pub fn epoch(&self) -> std::time::Instant {
        self.clock.epoch()
    }

    /// The data plane's clock, in milliseconds: what remembered clients are asked about with.
    #[must_use]
    pub fn millis(&self) -> u32 {
        Clock::tick(self.clock.nanos()).0
    }

    /// The interfaces.
    #[must_use]
    pub fn interfaces(&self) -> Vec<InterfaceStatus> {
        self.ports.ids().map(|id| self.ports.status(id, &self.threads)).collect()
    }

    /// The sockets' rings.
    #[must_use]
    pub fn rings(&self) -> Vec<RingStatus> {
        self.ports.rings()
    }
}

fn within(what: &'static str, found: usize, limit: usize) -> Result<(), StartError> {
    if found > limit { Err(StartError::Limit { what, found, limit }) } else { Ok(()) }
}

fn worker_error(worker: WorkerId, error: &dyn std::fmt::Display) -> StartError {
    StartError::Worker { worker: worker.0, reason: error.to_string() }
}
