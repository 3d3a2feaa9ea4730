//! Worker threads: started, pinned, stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::worker_error;
use crate::channel::Channel;
use crate::clock::Clock;
use crate::error::StartError;
use crate::flow::FlowTable;
use crate::io::xsk::{Command, Traffic, XskIo};
use crate::limits::{MAX_INTERFACES, UNRESOLVED_PACKETS};
use crate::snapshot::Publisher;
use crate::stats::{BACKEND_ROOM, WorkerCounters, WorkerStats};
use crate::syn_proxy::Secret;
use crate::types::WorkerId;
use crate::worker::{ControlFrame, Links, Poll, Punt, Worker};
use crate::xdp::{Region, Umem, Wake};

/// What all workers have in common.
pub(super) struct Ties<'a> {
    pub(super) table: &'a Arc<FlowTable>,
    pub(super) publisher: &'a Publisher,
    pub(super) punts: &'a Arc<Channel<Punt>>,
    pub(super) punt_event: &'a Arc<Wake>,
    pub(super) clock: Clock,
    pub(super) secret: Arc<Secret>,
    pub(super) poll: Poll,
}

/// A worker's thread and the ends that its owner holds.
#[derive(Debug)]
pub(super) struct Thread {
    id: WorkerId,
    counters: Arc<WorkerCounters>,
    outbox: Arc<Channel<ControlFrame>>,
    commands: Arc<Channel<Command>>,
    wake: Arc<Wake>,
    traffic: Arc<[Traffic; MAX_INTERFACES]>,
    region: Arc<Region>,
    stop: Arc<AtomicBool>,
    has_ended: Arc<AtomicBool>,
    handle: Option<JoinHandle<()>>,
}

impl Thread {
    /// Starts a worker without sockets; memory is for `sockets` of them.
    pub(super) fn start(
        id: WorkerId,
        core: usize,
        sockets: usize,
        ties: &Ties<'_>,
    ) -> Result<Self, StartError> {
        let refused = |error: std::io::Error| worker_error(id, &error);
        let wake = Arc::new(Wake::new().map_err(refused)?);
        let umem = Umem::new(Umem::chunks_for(sockets, UNRESOLVED_PACKETS)).map_err(refused)?;
        let region = Arc::clone(umem.region());
        let commands = Channel::new();
        let io = XskIo::new(umem, Arc::clone(&wake), Arc::clone(&commands));
        let traffic = io.traffic();
        let counters = Arc::new(WorkerCounters::new(BACKEND_ROOM));
        let outbox = Channel::new();
        let has_ended = Arc::default();
        let links = Links {
            table: Arc::clone(ties.table),
            counters: Arc::clone(&counters),
            snapshots: ties.publisher.reader(),
            punts: Arc::clone(ties.punts),
            punt_event: Arc::clone(ties.punt_event),
            has_ended: Arc::clone(&has_ended),
            outbox: Arc::clone(&outbox),
            clock: ties.clock,
            secret: Arc::clone(&ties.secret),
        };
        let worker = Worker::new(id, io, links);
        let stop = Arc::new(AtomicBool::new(false));
        let handle = spawn(id, core, worker, ties.poll, Arc::clone(&stop))?;
        let handle = Some(handle);
        Ok(Self { id, counters, outbox, commands, wake, traffic, region, stop, has_ended, handle })
    }

    pub(super) fn id(&self) -> WorkerId {
        self.id
    }

    pub(super) fn counters(&self) -> &WorkerCounters {
        &self.counters
    }

    pub(super) fn stats(&self) -> WorkerStats {
        self.counters.read(self.id)
    }

    pub(super) fn traffic(&self) -> &[Traffic; MAX_INTERFACES] {
        &self.traffic
    }

    pub(super) fn region(&self) -> &Arc<Region> {
        &self.region
    }

    pub(super) fn is_dead(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// Lets the worker send a frame.
    pub(super) fn send(&self, frame: ControlFrame) -> bool {
        let sent = self.outbox.send(frame);
        self.wake.wake();
        sent
    }

    /// Ends the worker's sleep.
    pub(super) fn wake(&self) {
        self.wake.wake();
    }

    /// Lets the worker change its sockets.
    pub(super) fn command(&self, command: Command) -> bool {
        let sent = self.commands.send(command);
        self.wake.wake();
        sent
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wake.wake();
        if let Some(handle) = self.handle.take() {
            // A worker that panicked has said so on standard error; there is nothing to add.
            let _ = handle.join();
        }
    }
}

/// Starts the thread, and waits until it is pinned to its core.
fn spawn(
    id: WorkerId,
    core: usize,
    mut worker: Worker<XskIo>,
    poll: Poll,
    stop: Arc<AtomicBool>,
) -> Result<JoinHandle<()>, StartError> {
    let (pinned, answer) = std::sync::mpsc::channel();
    let run = move || {
        let is_pinned = core_affinity::set_for_current(core_affinity::CoreId { id: core });
        let heard = pinned.send(is_pinned).is_ok();
        if is_pinned && heard {
            worker.run(poll, &stop);
        }
    };
    let thread = std::thread::Builder::new().name(format!("worker-{id}")).spawn(run);
    let handle = thread.map_err(|error| worker_error(id, &error))?;
    match answer.recv() {
        Ok(true) => Ok(handle),
        _ => {
            Err(worker_error(id, &format!("cannot be pinned to core {core}: is the core there and allowed?")))
        }
    }
}
