//! How a socket comes to be: memory, rings, queue.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use libc::{xdp_desc, xdp_mmap_offsets, xdp_ring_offset};

use super::ring::{Consumer, Layout, Producer};
use super::socket::Socket;
use super::sys::{self, Mapping};
use super::umem::{Region, Registration};
use crate::XdpPreference;
use crate::limits::{CHUNK, RING};
use penstock_types::{InterfaceId, QueueId};

/// How often a busy queue is tried, and how long after one another: two seconds in all.
const BUSY_TRIES: usize = 400;
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// Which queue to open a socket on.
#[derive(Debug, Clone, Copy)]
pub struct Queue {
    /// The user's number of the interface.
    pub interface: InterfaceId,
    /// The kernel's number for the interface.
    pub index: u32,
    /// The queue of the interface.
    pub queue: QueueId,
}

impl Socket {
    /// Opens a socket on a queue and binds it, sharing the memory's registration with a socket that
    /// is bound already where there is one of the same mode. `EBUSY`: somebody else has that queue.
    pub fn open(region: &Arc<Region>, at: Queue, wanted: XdpPreference) -> io::Result<Self> {
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

    /// Opens a socket, trying again while the queue is still taken. The kernel frees the socket of a
    /// process that has just ended a few milliseconds later, so a restart meets it now and then.
    #[expect(
        clippy::disallowed_methods,
        reason = "the kernel offers nothing to wait on for a queue to become free, so the condition is asked \
                  for again, a limited number of times; only at start"
    )]
    pub fn open_when_free(region: &Arc<Region>, at: Queue, wanted: XdpPreference) -> io::Result<Self> {
        for _ in 1..BUSY_TRIES {
            match Self::open(region, at, wanted) {
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => std::thread::sleep(BUSY_PAUSE),
                result => return result,
            }
        }
        Self::open(region, at, wanted)
    }

    fn try_open(
        region: &Arc<Region>,
        at: Queue,
        zero_copy: bool,
        with: Option<&OwnedFd>,
    ) -> io::Result<Self> {
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
            region: Arc::clone(region),
            borrower: None,
            interface: at.interface,
            queue: at.queue,
            zero_copy: options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0,
            gone: false,
        })
    }
}

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

fn bind(fd: BorrowedFd<'_>, at: Queue, zero_copy: bool, with: Option<&OwnedFd>) -> io::Result<()> {
    let mode = if zero_copy { libc::XDP_ZEROCOPY } else { libc::XDP_COPY };
    let (flags, shared) = match with {
        // The kernel takes the mode and need-wakeup from the socket that is shared with.
        Some(with) => (libc::XDP_SHARED_UMEM, with.as_raw_fd().cast_unsigned()),
        None => (mode | libc::XDP_USE_NEED_WAKEUP, 0),
    };
    #[expect(clippy::cast_possible_truncation, reason = "AF_XDP is 44")]
    let address = libc::sockaddr_xdp {
        sxdp_family: libc::AF_XDP as u16,
        sxdp_flags: flags,
        sxdp_ifindex: at.index,
        sxdp_queue_id: u32::from(at.queue.0),
        sxdp_shared_umem_fd: shared,
    };
    sys::bind(fd, &address)
}
