//! An AF_XDP socket: four rings on one queue of one interface.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Weak};

use libc::xdp_desc;

use super::ring::{Consumer, Producer};
use super::sys;
use super::umem::{Borrower, Chunk, Region, Umem};
use crate::RingStatus;
use crate::limits::{BATCH, CHUNK};
use penstock_types::{InterfaceId, QueueId};

/// See the module's head. Bound; serves frames once a worker has given it chunks.
#[derive(Debug)]
pub struct Socket {
    pub(crate) fill: Producer<u64>,
    pub(crate) completion: Consumer<u64>,
    pub(crate) rx: Consumer<xdp_desc>,
    pub(crate) tx: Producer<xdp_desc>,
    pub(crate) fd: Arc<OwnedFd>,
    /// The memory that its descriptors are about.
    pub(crate) region: Arc<Region>,
    /// `None` until a worker has taken it.
    pub(crate) borrower: Option<Borrower>,
    pub(crate) interface: InterfaceId,
    pub(crate) queue: QueueId,
    pub(crate) zero_copy: bool,
    pub(crate) gone: bool,
}

/// A socket as other threads may see it. Does not keep it open.
#[derive(Debug, Clone)]
pub struct SocketHandle {
    /// The user's number of the interface.
    pub interface: InterfaceId,
    /// The queue of the interface.
    pub queue: QueueId,
    /// Whether the driver reads and writes the chunks itself.
    pub zero_copy: bool,
    fd: Weak<OwnedFd>,
}

impl SocketHandle {
    /// The kernel's counters of its rings (`XDP_STATISTICS`); `None` when the socket is closed.
    pub fn statistics(&self) -> Option<RingStatus> {
        let fd = self.fd.upgrade()?;
        let counted: libc::xdp_statistics = sys::get_option(fd.as_fd(), libc::XDP_STATISTICS).ok()?;
        Some(RingStatus {
            interface: self.interface,
            queue: self.queue,
            rx_ring_full: counted.rx_ring_full,
            fill_ring_empty: counted.rx_fill_ring_empty_descs,
            tx_ring_empty: counted.tx_ring_empty_descs,
            rx_dropped: counted.rx_dropped,
        })
    }
}

impl Socket {
    /// The user's number of its interface.
    #[must_use]
    #[inline]
    pub fn interface(&self) -> InterfaceId {
        self.interface
    }

    /// Its queue.
    #[must_use]
    #[inline]
    pub fn queue(&self) -> QueueId {
        self.queue
    }

    /// Whether its device has vanished. Noticed by `kick` and `probe`.
    #[inline]
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// The socket as seen by other threads: to read its counters, and to keep it open.
    #[must_use]
    pub fn handle(&self) -> SocketHandle {
        let (interface, queue, zero_copy) = (self.interface, self.queue, self.zero_copy);
        SocketHandle { interface, queue, zero_copy, fd: Arc::downgrade(&self.fd) }
    }

    /// Puts it into service: fills its FILL ring from the memory that it was opened on.
    pub fn join(&mut self, umem: &mut Umem) {
        self.borrower = self.borrower.or_else(|| umem.admit());
        self.exchange(umem);
    }

    /// What chunks are lent to. A socket of another memory would let the kernel write to chunks
    /// that are not lent at all.
    fn borrower(&self, umem: &Umem) -> Option<Borrower> {
        let is_own = Arc::ptr_eq(&self.region, umem.region());
        debug_assert!(is_own, "a socket is used with the memory it was opened on");
        self.borrower.filter(|_| is_own)
    }

    /// Takes at most `room` frames: gives each one's chunk, start and length to `take`.
    #[inline]
    pub fn receive(
        &mut self,
        umem: &mut Umem,
        room: usize,
        mut take: impl FnMut(Chunk, usize, usize),
    ) -> usize {
        let Some(me) = self.borrower(umem) else { return 0 };
        let mut taken = 0;
        while taken < room {
            let Some(descriptor) = self.rx.pop() else { break };
            let Some(chunk) = umem.reclaim(descriptor.addr, me) else { continue };
            // Both fit: the address was inside the memory, and a frame is shorter than its chunk.
            let start = usize::try_from(descriptor.addr).unwrap_or(0) % CHUNK;
            take(chunk, start, descriptor.len as usize);
            taken += 1;
        }
        self.rx.release();
        taken
    }

    /// Frames that have arrived and have not been taken.
    #[inline]
    pub fn waiting(&self) -> usize {
        self.rx.waiting()
    }

    /// Takes back what was sent, and gives the kernel chunks to receive into.
    #[inline]
    pub fn exchange(&mut self, umem: &mut Umem) {
        let Some(me) = self.borrower(umem) else { return };
        while let Some(address) = self.completion.pop() {
            if let Some(chunk) = umem.reclaim(address, me) {
                umem.give(chunk);
            }
        }
        self.completion.release();
        self.refill(umem, me);
    }

    fn refill(&mut self, umem: &mut Umem, me: Borrower) {
        // Small refills would bounce the ring's cache line between the cores for each frame.
        if self.gone || (self.fill.room(REFILL) < REFILL) {
            return;
        }
        while umem.free() > RESERVE && self.fill.room(1) == 1 {
            let Some(chunk) = umem.take() else { break };
            self.fill.push(umem.lend(chunk, me));
        }
        self.fill.publish();
        if self.fill.needs_wakeup() {
            self.note(sys::receive(self.fd.as_fd()));
        }
    }

    /// Puts a frame into the TX ring, to be seen by the kernel at the next `kick`; gives the chunk
    /// back if the ring is full.
    #[inline]
    pub fn transmit(
        &mut self,
        umem: &mut Umem,
        chunk: Chunk,
        (start, length): (usize, usize),
    ) -> Result<(), Chunk> {
        // The kernel skips an empty descriptor without ever completing it: the chunk would be lost.
        debug_assert!(length > 0, "an empty frame cannot be sent");
        let Some(me) = self.borrower(umem) else { return Err(chunk) };
        if self.tx.room(1) == 0 {
            return Err(chunk);
        }
        let addr = umem.lend(chunk, me) + start as u64;
        #[expect(clippy::cast_possible_truncation, reason = "a frame is shorter than its chunk")]
        self.tx.push(xdp_desc { addr, len: length as u32, options: 0 });
        Ok(())
    }

    /// Makes the kernel send what is in the TX ring, for as long as it gets on with it: in copy mode
    /// a call sends only so many frames, in zero-copy mode one call starts the driver.
    #[inline]
    pub fn kick(&mut self) {
        let mut pending = self.tx.pending();
        if pending == 0 {
            return;
        }
        self.tx.publish();
        while pending > 0 && !self.gone && self.tx.needs_wakeup() {
            self.note(sys::send(self.fd.as_fd()));
            let left = self.tx.pending();
            if left >= pending {
                break;
            }
            pending = left;
        }
    }

    /// Finds out whether the device is still there.
    pub fn probe(&mut self) {
        self.note(sys::receive(self.fd.as_fd()));
    }

    /// A full ring, a busy or stopped device: what was not sent stays in the ring for the next
    /// call. Only "there is no such device" is final; the kernel says it of a socket that its
    /// device has left.
    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.gone |= matches!(error.raw_os_error(), Some(libc::ENXIO | libc::ENODEV));
        }
    }

    /// Closes the socket. Its chunks are free again if its device has vanished. If not, they are
    /// lost: nothing tells when the kernel is done with them, for a driver in zero-copy mode goes on
    /// for a while after the last descriptor is closed, and the last one may be in a child process
    /// between fork and exec.
    pub fn close(mut self, umem: &mut Umem) {
        self.probe();
        if let Some(me) = self.borrower(umem)
            && self.gone
        {
            umem.dismiss(me);
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Chunks that a FILL ring gets at least at a time, and that refilling leaves to the worker.
#[expect(clippy::cast_possible_truncation, reason = "BATCH is 64")]
const REFILL: u32 = BATCH as u32;
const RESERVE: usize = 2 * BATCH;
