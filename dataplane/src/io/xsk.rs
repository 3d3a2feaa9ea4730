//! [`PacketIo`] over AF_XDP.
//!
//! Owns the worker's chunks and its sockets. An interface may leave and come back while the worker
//! runs: its sockets are taken out with [`XskIo::detach`], and new ones, opened by another thread
//! because that may take a while, are put in with [`XskIo::attach`].

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Frame, PacketIo, Refused};
use crate::channel::Channel;
use crate::limits::{HEADROOM, MAX_INTERFACES};
use crate::stats::Counter;
use crate::types::{InterfaceId, QueueId};
use crate::xdp::{Socket, Umem, Wake, Watched, poll};

/// What a worker counts per interface. Written by the worker, read by anyone.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Traffic {
    /// Frames taken from RX rings.
    pub(crate) received: Counter,
    /// Frames put into TX rings.
    pub(crate) transmitted: Counter,
    /// A socket was told that its device is gone; until the next `attach`.
    pub(crate) gone: AtomicBool,
}

/// What the owner of the data plane asks of a worker's sockets.
#[derive(Debug)]
pub(crate) enum Command {
    /// Take these sockets, opened on the worker's memory.
    Attach(Vec<Socket>),
    /// Close the sockets of an interface.
    Detach(InterfaceId),
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct XskIo {
    umem: Umem,
    /// By ring; empty where an interface has left.
    sockets: Vec<Option<Socket>>,
    /// Per interface: the queues to send by, and their sockets' places.
    egress: [Vec<(QueueId, usize)>; MAX_INTERFACES],
    /// The queue that was received from last; a frame leaves by the same one where it can, so that
    /// the queues' load stays spread as the network card has spread it.
    queue: QueueId,
    traffic: Arc<[Traffic; MAX_INTERFACES]>,
    wake: Arc<Wake>,
    commands: Arc<Channel<Command>>,
    /// The wake event, then one place per socket.
    watched: Vec<Watched>,
}

impl XskIo {
    /// Without sockets yet: they come as `commands`. `wake` ends a `wait`.
    pub(crate) fn new(umem: Umem, wake: Arc<Wake>, commands: Arc<Channel<Command>>) -> Self {
        let watched = vec![Watched::new(wake.as_fd())];
        Self {
            umem,
            sockets: Vec::new(),
            egress: std::array::from_fn(|_| Vec::new()),
            queue: QueueId(0),
            traffic: Arc::new(std::array::from_fn(|_| Traffic::default())),
            wake,
            commands,
            watched,
        }
    }

    /// The worker's counters per interface.
    pub(crate) fn traffic(&self) -> Arc<[Traffic; MAX_INTERFACES]> {
        Arc::clone(&self.traffic)
    }

    /// Takes sockets that were opened on this worker's memory and fills their rings. Allocates: for
    /// the start and for the rare moment when an interface comes back.
    pub(crate) fn attach(&mut self, sockets: impl IntoIterator<Item = Socket>) {
        for mut socket in sockets {
            let place = self.sockets.iter().position(Option::is_none).unwrap_or(self.sockets.len());
            if place == self.sockets.len() {
                self.sockets.push(None);
                self.watched.push(Watched::nothing());
            }
            socket.join(&mut self.umem);
            self.watched[place + 1] = Watched::new(socket.as_fd());
            let interface = socket.interface().index();
            self.egress[interface].push((socket.queue(), place));
            self.traffic[interface].gone.store(false, Ordering::Relaxed);
            self.sockets[place] = Some(socket);
        }
    }

    /// Closes the sockets of an interface that has vanished. Frames for it are refused as
    /// [`Refused::Gone`] from then on.
    pub(crate) fn detach(&mut self, interface: InterfaceId) {
        self.egress[interface.index()].clear();
        for (place, watched) in self.sockets.iter_mut().zip(&mut self.watched[1..]) {
            if let Some(socket) = place.take_if(|socket| socket.interface() == interface) {
                socket.close(&mut self.umem);
                *watched = Watched::nothing();
            }
        }
    }

    /// An interface of which one socket has lost the device is gone as a whole: says so to other
    /// threads, and refuses frames for it.
    fn note_vanished(&mut self) {
        for socket in self.sockets.iter().flatten().filter(|socket| socket.is_gone()) {
            let interface = socket.interface().index();
            self.traffic[interface].gone.store(true, Ordering::Relaxed);
            self.egress[interface].clear();
        }
    }
}

impl PacketIo for XskIo {
    fn rings(&self) -> usize {
        self.sockets.len()
    }

    fn receive(&mut self, ring: usize, room: usize, mut take: impl FnMut(InterfaceId, Frame)) -> usize {
        let Some(Some(socket)) = self.sockets.get_mut(ring) else { return 0 };
        let interface = socket.interface();
        self.queue = socket.queue();
        let taken = socket.receive(&mut self.umem, room, |chunk, start, length| {
            take(interface, Frame::new(chunk, start, length));
        });
        socket.exchange(&mut self.umem);
        self.traffic[interface.index()].received.add(taken as u64);
        taken
    }

    fn waiting(&self, ring: usize) -> usize {
        self.sockets.get(ring).and_then(Option::as_ref).map_or(0, Socket::waiting)
    }

    fn transmit(&mut self, interface: InterfaceId, frame: Frame) -> Result<(), (Frame, Refused)> {
        let Some(egress) = self.egress.get(interface.index()) else { return Err((frame, Refused::Gone)) };
        let place = egress.iter().find(|(queue, _)| *queue == self.queue).or(egress.first());
        let Some(&(_, place)) = place else { return Err((frame, Refused::Gone)) };
        let Some(Some(socket)) = self.sockets.get_mut(place) else { return Err((frame, Refused::Gone)) };
        let range = (frame.start(), frame.len());
        match socket.transmit(&mut self.umem, frame.into_chunk(), range) {
            Ok(()) => {
                self.traffic[interface.index()].transmitted.add(1);
                Ok(())
            }
            Err(chunk) => Err((Frame::new(chunk, range.0, range.1), Refused::Full)),
        }
    }

    fn flush(&mut self) {
        self.sockets.iter_mut().flatten().for_each(Socket::kick);
        self.note_vanished();
    }

    fn recycle(&mut self, frame: Frame) {
        self.umem.give(frame.into_chunk());
    }

    fn allocate(&mut self) -> Option<Frame> {
        self.umem.take().map(|chunk| Frame::new(chunk, HEADROOM, 0))
    }

    fn maintain(&mut self) {
        while let Some(command) = self.commands.receive() {
            match command {
                Command::Attach(sockets) => self.attach(sockets),
                Command::Detach(interface) => self.detach(interface),
            }
        }
    }

    fn wait(&mut self, timeout: Duration) {
        poll(&mut self.watched, timeout);
        if self.watched[0].is_ready() {
            self.wake.clear();
        }
        if self.watched.iter().any(Watched::is_ready) {
            return;
        }
        // poll(2) says nothing of a device that has vanished, so an idle worker asks.
        self.sockets.iter_mut().flatten().for_each(Socket::probe);
        self.note_vanished();
    }
}

#[cfg(test)]
mod tests;
