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
use crate::limits::{HEADROOM, MAX_INTERFACES};
use crate::stats::Counter;
use crate::types::{InterfaceId, QueueId};
use crate::worker::Channel;
use crate::xdp::{Borrower, Closing, Socket, Umem, Wake, Watched, poll};

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

/// A socket's place. Its number is what its chunks are lent to, so a place is empty only when the
/// chunks are back.
#[derive(Debug)]
enum Slot {
    Empty,
    Open(Socket),
    /// Closed, but another thread reads its statistics at this moment.
    Closing(Closing),
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct XskIo {
    umem: Umem,
    slots: Vec<Slot>,
    /// Per interface: the queues and slots to send by.
    egress: [Vec<(QueueId, usize)>; MAX_INTERFACES],
    /// The queue that was received from last; a frame leaves by the same one where it can, so that
    /// the queues' load stays spread as the network card has spread it.
    queue: QueueId,
    traffic: Arc<[Traffic; MAX_INTERFACES]>,
    wake: Arc<Wake>,
    commands: Arc<Channel<Command>>,
    /// The wake event, then one place per slot.
    watched: Vec<Watched>,
}

impl XskIo {
    /// Without sockets yet: they come as `commands`. `wake` ends a `wait`.
    pub(crate) fn new(umem: Umem, wake: Arc<Wake>, commands: Arc<Channel<Command>>) -> Self {
        let watched = vec![Watched::new(wake.as_fd())];
        Self {
            umem,
            slots: Vec::new(),
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
        self.finish_closing();
        for mut socket in sockets {
            let place = self.slots.iter().position(|slot| matches!(slot, Slot::Empty));
            let place = place.unwrap_or_else(|| {
                self.slots.push(Slot::Empty);
                self.watched.push(Watched::nothing());
                self.slots.len() - 1
            });
            socket.exchange(&mut self.umem, borrower(place));
            self.watched[place + 1] = Watched::new(socket.as_fd());
            let interface = socket.interface().index();
            self.egress[interface].push((socket.queue(), place));
            self.traffic[interface].gone.store(false, Ordering::Relaxed);
            self.slots[place] = Slot::Open(socket);
        }
    }

    /// Closes the sockets of an interface. Frames for it are refused as [`Refused::Gone`].
    pub(crate) fn detach(&mut self, interface: InterfaceId) {
        self.egress[interface.index()].clear();
        for (slot, watched) in self.slots.iter_mut().zip(&mut self.watched[1..]) {
            if matches!(slot, Slot::Open(socket) if socket.interface() == interface)
                && let Slot::Open(socket) = std::mem::replace(slot, Slot::Empty)
            {
                *slot = Slot::Closing(socket.close());
                *watched = Watched::nothing();
            }
        }
        self.finish_closing();
    }

    fn finish_closing(&mut self) {
        for (place, slot) in self.slots.iter_mut().enumerate() {
            if matches!(slot, Slot::Closing(_))
                && let Slot::Closing(closing) = std::mem::replace(slot, Slot::Empty)
            {
                let left = closing.finish(&mut self.umem, borrower(place));
                *slot = left.err().map_or(Slot::Empty, Slot::Closing);
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "MAX_INTERFACES * MAX_QUEUES places at most")]
fn borrower(place: usize) -> Borrower {
    Borrower(place as u16)
}

impl PacketIo for XskIo {
    fn rings(&self) -> usize {
        self.slots.len()
    }

    fn receive(&mut self, ring: usize, room: usize, mut take: impl FnMut(InterfaceId, Frame)) -> usize {
        let Some(Slot::Open(socket)) = self.slots.get_mut(ring) else { return 0 };
        let (me, interface) = (borrower(ring), socket.interface());
        self.queue = socket.queue();
        let taken = socket.receive(&mut self.umem, me, room, |chunk, start, length| {
            take(interface, Frame::new(chunk, start, length));
        });
        socket.exchange(&mut self.umem, me);
        self.traffic[interface.index()].received.add(taken as u64);
        taken
    }

    fn transmit(&mut self, interface: InterfaceId, frame: Frame) -> Result<(), (Frame, Refused)> {
        let Some(egress) = self.egress.get(interface.index()) else { return Err((frame, Refused::Gone)) };
        let place = egress.iter().find(|(queue, _)| *queue == self.queue).or(egress.first());
        let Some(&(_, place)) = place else { return Err((frame, Refused::Gone)) };
        let Some(Slot::Open(socket)) = self.slots.get_mut(place) else { return Err((frame, Refused::Gone)) };
        if socket.is_gone() {
            return Err((frame, Refused::Gone));
        }
        let range = (frame.start(), frame.len());
        match socket.transmit(&mut self.umem, borrower(place), frame.into_chunk(), range) {
            Ok(()) => {
                self.traffic[interface.index()].transmitted.add(1);
                Ok(())
            }
            Err(chunk) => Err((Frame::new(chunk, range.0, range.1), Refused::Full)),
        }
    }

    fn flush(&mut self) {
        for slot in &mut self.slots {
            if let Slot::Open(socket) = slot {
                socket.kick();
                if socket.is_gone() {
                    self.traffic[socket.interface().index()].gone.store(true, Ordering::Relaxed);
                }
            }
        }
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
        for (slot, watched) in self.slots.iter_mut().zip(&mut self.watched[1..]) {
            // A failed descriptor ends every later poll at once, so a dead one leaves the list.
            if watched.is_failed()
                && let Slot::Open(socket) = slot
            {
                socket.probe();
                if socket.is_gone() {
                    *watched = Watched::nothing();
                    self.traffic[socket.interface().index()].gone.store(true, Ordering::Relaxed);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
