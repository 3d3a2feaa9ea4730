//! The interfaces: the steering program on them, and sockets on each of their queues.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;

use super::tags::leave_tags;
use super::threads::Thread;
use crate::error::StartError;
use crate::io::xsk::Command;
use crate::limits::MAX_QUEUES;
use crate::stats::InterfaceStatus;
use crate::types::{InterfaceId, QueueId, WorkerId};
use crate::xdp::{
    InterfaceSetup, OpenError, Program, Queue, RingStatus, Socket, SocketHandle, TagsLeft, VlanTags,
    XdpAttachment, XdpPreference, queues, zero_copy_loses_frames,
};

/// What to do about a queue that another socket still has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Wait a little: at the start, when nobody needs this thread.
    Waits,
    /// Fail: who calls has more to do, and tries again later.
    TriesOnce,
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) program: Program,
    pub(super) ports: Vec<Port>,
}

#[derive(Debug)]
pub(super) struct Port {
    pub(super) setup: InterfaceSetup,
    attachment: Option<XdpAttachment>,
    pub(super) tags: Option<VlanTags>,
    /// What was switched off at the device, and is switched on again at the end.
    pub(super) left: TagsLeft,
    sockets: Vec<SocketHandle>,
}

/// Sockets that all interfaces together need.
pub(super) fn queue_count(interfaces: &[InterfaceSetup]) -> Result<usize, StartError> {
    interfaces.iter().map(|setup| queues_of(setup).map(usize::from)).sum()
}

fn queues_of(setup: &InterfaceSetup) -> Result<u16, StartError> {
    let refused = |reason| StartError::from(OpenError::Attach { interface: setup.name.clone(), reason });
    let count = queues(&setup.name).map_err(|error| refused(error.to_string()))?;
    if usize::from(count) > MAX_QUEUES {
        return Err(refused(format!(
            "it has {count} queues, at most {MAX_QUEUES} are possible: 'ethtool -L {} combined {MAX_QUEUES}'",
            setup.name
        )));
    }
    Ok(count)
}

/// Queues are dealt out to the workers in turn.
fn owner(queue: u16, workers: usize) -> usize {
    usize::from(queue) % workers.max(1)
}

impl Ports {
    pub(super) fn new(program: Program, interfaces: &[InterfaceSetup]) -> Self {
        let port = |setup: &InterfaceSetup| Port {
            setup: setup.clone(),
            attachment: None,
            tags: None,
            left: TagsLeft::default(),
            sockets: Vec::new(),
        };
        Self { program, ports: interfaces.iter().map(port).collect() }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = InterfaceId> + use<> {
        (0..).take(self.ports.len()).map(InterfaceId)
    }

    pub(super) fn renumber(&mut self, id: InterfaceId, index: u32) {
        if let Some(port) = self.ports.get_mut(id.index()) {
            port.setup.index = index;
        }
    }

    /// Puts the program on an interface, opens a socket on each queue and gives them to their workers:
    /// all of it or nothing. The program comes first, for it is what is refused most often, and
    /// passes to Linux what comes to a queue without a socket.
    pub(super) fn attach(
        &mut self,
        id: InterfaceId,
        threads: &[Thread],
        patience: Patience,
    ) -> Result<(), StartError> {
        let Some(port) = self.ports.get_mut(id.index()) else { return Ok(()) };
        let queues = queues_of(&port.setup)?;
        if usize::from(queues) < threads.len() {
            return Err(too_few_queues(&port.setup, queues, threads.len()));
        }
        // What was said of the device before is no longer true; the workers learn it with the sockets.
        threads.iter().for_each(|thread| thread.traffic()[id.index()].gone.store(false, Ordering::Relaxed));
        port.left = leave_tags(&port.setup.name);
        let (attachment, tags) = self.program.attach(&port.setup, id).inspect_err(|_| {
            port.left = TagsLeft::default();
        })?;
        (port.attachment, port.tags) = (Some(attachment), Some(tags));
        let served = self.open(id, queues, threads, patience).and_then(|sockets| hand_over(sockets, threads));
        if served.is_err() {
            self.detach(id, threads);
        } else {
            announce(&self.ports[id.index()]);
        }
        served
    }

    /// A socket on each queue, dealt out to the workers.
    fn open(
        &mut self,
        id: InterfaceId,
        queues: u16,
        threads: &[Thread],
        patience: Patience,
    ) -> Result<Vec<Vec<Socket>>, StartError> {
        let port = &mut self.ports[id.index()];
        let setup = &port.setup;
        let wanted = mode(setup);
        let mut dealt: Vec<Vec<Socket>> = threads.iter().map(|_| Vec::new()).collect();
        port.sockets.clear();
        for queue in 0..queues {
            let owner = owner(queue, threads.len());
            let at = Queue { interface: id, index: setup.index, queue: QueueId(queue) };
            let refused =
                |reason| StartError::from(OpenError::Socket { interface: setup.name.clone(), queue, reason });
            let open = match patience {
                Patience::Waits => Socket::open_when_free,
                Patience::TriesOnce => Socket::open,
            };
            let socket =
                open(threads[owner].region(), at, wanted).map_err(|error| refused(explain(&error, setup)))?;
            let placed = self.program.set_socket(id, QueueId(queue), socket.as_fd());
            placed.map_err(|error| refused(error.to_string()))?;
            port.sockets.push(socket.handle());
            dealt[owner].push(socket);
        }
        Ok(dealt)
    }

    /// Takes the program off an interface and closes its sockets.
    pub(super) fn detach(&mut self, id: InterfaceId, threads: &[Thread]) {
        self.program.detach(id);
        if let Some(port) = self.ports.get_mut(id.index()) {
            (port.attachment, port.tags, port.left) = (None, None, TagsLeft::default());
            port.sockets.clear();
        }
        for thread in threads {
            // Refused only by a worker that has ended, whose sockets are no longer in use.
            thread.command(Command::Detach(id));
        }
    }

    /// Whether a socket of an interface in use was told that its device is gone.
    pub(super) fn has_lost(&self, id: InterfaceId, threads: &[Thread]) -> bool {
        let in_use = self.ports.get(id.index()).is_some_and(|port| port.attachment.is_some());
        in_use && threads.iter().any(|thread| thread.traffic()[id.index()].gone.load(Ordering::Relaxed))
    }

    /// A worker with a queue of that interface.
    pub(super) fn an_owner_of(&self, id: InterfaceId) -> Option<WorkerId> {
        let port = self.ports.get(id.index())?;
        // Queue 0 is always dealt to the first worker.
        port.sockets.first().map(|_| WorkerId(0))
    }

    pub(super) fn status(&self, id: InterfaceId, threads: &[Thread]) -> InterfaceStatus {
        let port = &self.ports[id.index()];
        let traffic = || threads.iter().map(|thread| &thread.traffic()[id.index()]);
        InterfaceStatus {
            id,
            name: port.setup.name.clone(),
            attachment: port.attachment,
            tags: port.tags,
            zero_copy: !port.sockets.is_empty() && port.sockets.iter().all(|socket| socket.zero_copy),
            queues: u16::try_from(port.sockets.len()).unwrap_or(u16::MAX),
            rx_packets: traffic().map(|t| t.received.get()).sum(),
            tx_packets: traffic().map(|t| t.transmitted.get()).sum(),
        }
    }

    pub(super) fn rings(&self) -> Vec<RingStatus> {
        let sockets = self.ports.iter().flat_map(|port| &port.sockets);
        sockets.filter_map(SocketHandle::statistics).collect()
    }
}

fn hand_over(dealt: Vec<Vec<Socket>>, threads: &[Thread]) -> Result<(), StartError> {
    for (thread, sockets) in threads.iter().zip(dealt) {
        if !thread.command(Command::Attach(sockets)) {
            return Err(super::worker_error(thread.id(), &"does not take its sockets: it hangs"));
        }
    }
    Ok(())
}

/// Every worker needs a queue on every interface to send by: a queue takes sockets of one UMEM only.
fn too_few_queues(setup: &InterfaceSetup, queues: u16, workers: usize) -> StartError {
    let name = &setup.name;
    let reason = format!(
        "it has {queues} queues for {workers} workers, and each worker needs one: \
         'ethtool -L {name} combined {workers}', or name at most {queues} cores in [dataplane] cores"
    );
    OpenError::Attach { interface: name.clone(), reason }.into()
}

/// What is asked of the driver: not what loses frames, unless the operator insists.
fn mode(setup: &InterfaceSetup) -> XdpPreference {
    if !zero_copy_loses_frames(&setup.name) {
        return setup.xdp;
    }
    let interface = &setup.name;
    match setup.xdp {
        XdpPreference::Auto => {
            tracing::warn!(interface, "this virtio_net loses frames with zero-copy, which is left alone");
            XdpPreference::Copy
        }
        XdpPreference::ZeroCopy => {
            tracing::error!(
                interface,
                "this virtio_net may lose all frames with zero-copy: see `penstock doctor`"
            );
            XdpPreference::ZeroCopy
        }
        other => other,
    }
}

fn explain(error: &io::Error, setup: &InterfaceSetup) -> String {
    let name = &setup.name;
    match error.raw_os_error() {
        Some(libc::EBUSY) => format!(
            "another program has an AF_XDP socket on it: a second penstockd with {name}, or one that has not ended"
        ),
        Some(libc::EOPNOTSUPP) if setup.xdp == XdpPreference::ZeroCopy => {
            format!("the driver of {name} has no zero-copy: set xdp = \"auto\" to run in copy mode")
        }
        Some(libc::EPERM | libc::EACCES) => "this needs root or CAP_NET_RAW".into(),
        Some(libc::ENOBUFS) => {
            "its memory may not be locked: this needs CAP_IPC_LOCK or a larger memlock limit".into()
        }
        _ => error.to_string(),
    }
}

fn announce(port: &Port) {
    let (interface, queues) = (&port.setup.name, port.sockets.len());
    let zero_copy = port.sockets.iter().all(|socket| socket.zero_copy);
    match port.attachment {
        Some(XdpAttachment::Native) if zero_copy => {
            tracing::info!(interface, queues, "AF_XDP in the driver, zero-copy");
        }
        Some(XdpAttachment::Native) => {
            tracing::warn!(
                interface,
                queues,
                "AF_XDP in the driver with copies: its zero-copy was not asked for, or it has none; expect a tenth of the rate"
            );
        }
        _ => tracing::warn!(interface, queues, "AF_XDP behind the driver (generic): the slowest way"),
    }
}
