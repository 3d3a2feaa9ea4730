//! An AF_XDP socket: four rings on one queue of one interface.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use libc::{xdp_desc, xdp_mmap_offsets, xdp_ring_offset};

use super::ring::{Consumer, Layout, Producer};
use super::sys::{self, Mapping};
use super::umem::{Borrower, Chunk, Region, Registration, Umem};
use crate::engine::XdpPreference;
use crate::limits::{BATCH, CHUNK, RING};
use crate::types::{InterfaceId, QueueId};

/// How long a queue may stay busy before that is an error. The kernel frees the socket of a process
/// that has just ended a few milliseconds later, so a restart meets it now and then.
const BUSY_LIMIT: Duration = Duration::from_secs(2);

/// Which queue to open a socket on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queue {
    pub(crate) interface: InterfaceId,
    /// The kernel's number for the interface.
    pub(crate) index: u32,
    pub(crate) queue: QueueId,
}

/// See the module's head. Bound; serves frames once a worker has given it chunks.
#[derive(Debug)]
pub(crate) struct Socket {
    // The rings come first so that they are unmapped first: a mapping keeps the socket open.
    fill: Producer<u64>,
    completion: Consumer<u64>,
    rx: Consumer<xdp_desc>,
    tx: Producer<xdp_desc>,
    fd: Arc<OwnedFd>,
    interface: InterfaceId,
    queue: QueueId,
    zero_copy: bool,
    gone: bool,
}

/// A socket as other threads may see it. Does not keep it open.
#[derive(Debug, Clone)]
pub(crate) struct SocketHandle {
    pub(crate) interface: InterfaceId,
    pub(crate) queue: QueueId,
    pub(crate) zero_copy: bool,
    fd: Weak<OwnedFd>,
}

impl SocketHandle {
    /// The kernel's counters of its rings (`XDP_STATISTICS`); `None` when the socket is closed.
    pub(crate) fn statistics(&self) -> Option<libc::xdp_statistics> {
        sys::get_option(self.fd.upgrade()?.as_fd(), libc::XDP_STATISTICS).ok()
    }
}

impl Socket {
    /// Opens a socket on a queue and binds it, sharing the memory's registration with a socket that
    /// is bound already where there is one of the same mode. May wait for a busy queue: not for
    /// workers.
    pub(crate) fn open(region: &Arc<Region>, at: Queue, wanted: XdpPreference) -> io::Result<Self> {
        let modes: &[bool] = match wanted {
            XdpPreference::Auto => &[true, false],
            XdpPreference::ZeroCopy => &[true],
            XdpPreference::Copy | XdpPreference::Generic => &[false],
        };
        let mut registrations = region.registrations.lock().unwrap_or_else(PoisonError::into_inner);
        registrations.retain(|r| r.fd.strong_count() > 0);
        let mut refused = io::Error::from(io::ErrorKind::Unsupported);
        for &zero_copy in modes {
            // A socket whose device has vanished is no longer bound and lets nobody share: the next
            // one is tried, and in the end the memory is registered once more.
            let shared = registrations.iter().filter(|r| r.zero_copy == zero_copy);
            let shared: Vec<_> = shared.filter_map(|r| r.fd.upgrade()).collect();
            for with in shared.into_iter().map(Some).chain([None]) {
                match Self::try_open(region, at, zero_copy, with.as_deref()) {
                    Ok(socket) => {
                        let fd = Arc::downgrade(&socket.fd);
                        registrations.push(Registration { fd, zero_copy: socket.zero_copy });
                        return Ok(socket);
                    }
                    Err(error) if error.raw_os_error() == Some(libc::EBUSY) => return Err(error),
                    Err(error) => refused = error,
                }
            }
        }
        Err(refused)
    }

    fn try_open(region: &Region, at: Queue, zero_copy: bool, with: Option<&OwnedFd>) -> io::Result<Self> {
        let fd = sys::xdp_socket()?;
        if with.is_none() {
            let (addr, len) = region.range();
            #[expect(clippy::cast_possible_truncation, reason = "CHUNK is 2048")]
            let chunk_size = CHUNK as u32;
            // No headroom is asked for: the kernel leaves `limits::HEADROOM` free of its own accord
            // (`XDP_PACKET_HEADROOM`), and what is asked for comes on top of that.
            let memory =
                libc::xdp_umem_reg { addr, len, chunk_size, headroom: 0, flags: 0, tx_metadata_len: 0 };
            sys::set_option(fd.as_fd(), libc::XDP_UMEM_REG, &memory)?;
        }
        for ring in
            [libc::XDP_UMEM_FILL_RING, libc::XDP_UMEM_COMPLETION_RING, libc::XDP_RX_RING, libc::XDP_TX_RING]
        {
            sys::set_option(fd.as_fd(), ring, &RING)?;
        }
        // One call may then send the whole ring. Kernels before 6.17 do not know the option; there
        // a call sends 32 frames, and `kick` calls until the ring is empty.
        let _ = sys::set_option(fd.as_fd(), sys::XDP_MAX_TX_SKB_BUDGET, &RING);

        let offsets: xdp_mmap_offsets = sys::get_option(fd.as_fd(), libc::XDP_MMAP_OFFSETS)?;
        let (fill, completion) = (libc::XDP_UMEM_PGOFF_FILL_RING, libc::XDP_UMEM_PGOFF_COMPLETION_RING);
        let (fill, fill_layout) = map::<u64>(fd.as_fd(), offset(fill)?, &offsets.fr)?;
        let (completion, completion_layout) = map::<u64>(fd.as_fd(), offset(completion)?, &offsets.cr)?;
        let (rx, rx_layout) = map::<xdp_desc>(fd.as_fd(), libc::XDP_PGOFF_RX_RING, &offsets.rx)?;
        let (tx, tx_layout) = map::<xdp_desc>(fd.as_fd(), libc::XDP_PGOFF_TX_RING, &offsets.tx)?;

        bind(fd.as_fd(), at, zero_copy, with)?;
        let options: libc::xdp_options = sys::get_option(fd.as_fd(), libc::XDP_OPTIONS)?;
        Ok(Self {
            fill: Producer::new(fill, &fill_layout, RING),
            completion: Consumer::new(completion, &completion_layout, RING),
            rx: Consumer::new(rx, &rx_layout, RING),
            tx: Producer::new(tx, &tx_layout, RING),
            fd: Arc::new(fd),
            interface: at.interface,
            queue: at.queue,
            zero_copy: options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0,
            gone: false,
        })
    }

    pub(crate) fn interface(&self) -> InterfaceId {
        self.interface
    }

    pub(crate) fn queue(&self) -> QueueId {
        self.queue
    }

    /// Whether its device has vanished. Noticed by `kick` and `probe`.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    pub(crate) fn handle(&self) -> SocketHandle {
        let (interface, queue, zero_copy) = (self.interface, self.queue, self.zero_copy);
        SocketHandle { interface, queue, zero_copy, fd: Arc::downgrade(&self.fd) }
    }

    /// Takes at most `room` frames: gives each one's chunk, start and length to `take`.
    pub(crate) fn receive(
        &mut self,
        umem: &mut Umem,
        me: Borrower,
        room: usize,
        mut take: impl FnMut(Chunk, usize, usize),
    ) -> usize {
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

    /// Takes back what was sent, and gives the kernel chunks to receive into.
    pub(crate) fn exchange(&mut self, umem: &mut Umem, me: Borrower) {
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
    pub(crate) fn transmit(
        &mut self,
        umem: &mut Umem,
        me: Borrower,
        chunk: Chunk,
        (start, length): (usize, usize),
    ) -> Result<(), Chunk> {
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
    pub(crate) fn kick(&mut self) {
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
    pub(crate) fn probe(&mut self) {
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

    /// Closes the socket. What is left may still be open for a moment, while another thread reads
    /// the socket's statistics.
    pub(crate) fn close(self) -> Closing {
        // A driver in zero-copy mode can use its chunks until the kernel has taken the queue away
        // from the socket, some time after close; only a vanished device is surely done with them.
        let reusable = self.gone || !self.zero_copy;
        Closing { fd: self.fd, reusable }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// What is left of a socket that its worker has closed: its rings are unmapped already.
#[derive(Debug)]
pub(crate) struct Closing {
    fd: Arc<OwnedFd>,
    reusable: bool,
}

impl Closing {
    /// Frees the socket's chunks if nobody else holds it open any more.
    pub(crate) fn finish(self, umem: &mut Umem, me: Borrower) -> Result<(), Self> {
        let Self { fd, reusable } = self;
        match Arc::try_unwrap(fd) {
            Ok(fd) => {
                drop(fd);
                if reusable {
                    umem.reclaim_all(me);
                }
                Ok(())
            }
            Err(fd) => Err(Self { fd, reusable }),
        }
    }
}

/// Chunks that a FILL ring gets at least at a time, and that refilling leaves to the worker.
#[expect(clippy::cast_possible_truncation, reason = "BATCH is 64")]
const REFILL: u32 = BATCH as u32;
const RESERVE: usize = 2 * BATCH;

fn offset(ring: libc::c_ulonglong) -> io::Result<libc::off_t> {
    libc::off_t::try_from(ring).map_err(|_| io::ErrorKind::Unsupported.into())
}

fn map<T>(fd: BorrowedFd<'_>, ring: libc::off_t, offsets: &xdp_ring_offset) -> io::Result<(Mapping, Layout)> {
    let usize = |offset| usize::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::Unsupported));
    let layout = Layout {
        producer: usize(offsets.producer)?,
        consumer: usize(offsets.consumer)?,
        flags: usize(offsets.flags)?,
        entries: usize(offsets.desc)?,
    };
    let mapping = Mapping::ring(fd, ring, layout.entries + RING as usize * size_of::<T>())?;
    Ok((mapping, layout))
}

/// Binds, trying again while the queue is still taken.
#[expect(
    clippy::disallowed_methods,
    reason = "the kernel offers nothing to wait on for a queue to become free, so the condition is asked \
              for again, with a deadline; only at start and when an interface comes back"
)]
fn bind(fd: BorrowedFd<'_>, at: Queue, zero_copy: bool, with: Option<&OwnedFd>) -> io::Result<()> {
    let mode = if zero_copy { libc::XDP_ZEROCOPY } else { libc::XDP_COPY };
    let (flags, shared) = match with {
        // The kernel takes the mode and need-wakeup from the socket that is shared with.
        Some(with) => (libc::XDP_SHARED_UMEM, std::os::fd::AsRawFd::as_raw_fd(with).cast_unsigned()),
        None => (mode | libc::XDP_USE_NEED_WAKEUP, 0),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "AF_XDP is 44")]
    let address = libc::sockaddr_xdp {
        sxdp_family: libc::AF_XDP as u16,
        sxdp_flags: flags,
        sxdp_ifindex: at.index,
        sxdp_queue_id: u32::from(at.queue.0),
        sxdp_shared_umem_fd: shared,
    };
    let deadline = Instant::now() + BUSY_LIMIT;
    loop {
        match sys::bind(fd, &address) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}
