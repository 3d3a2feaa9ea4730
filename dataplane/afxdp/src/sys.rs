//! The system calls, each behind a safe function, and what the `libc` crate has no names for.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::time::Duration;

use libc::{c_int, c_void};

/// Frames that one send call may take from the TX ring in copy mode (linux/if_xdp.h, 6.17).
pub(crate) const XDP_MAX_TX_SKB_BUDGET: c_int = 9;

/// A value that the kernel reads or writes as plain bytes.
///
/// # Safety
///
/// Every bit pattern is a value of the type.
pub(crate) unsafe trait Plain: Copy {}
// SAFETY: integers, and structures of nothing but integers.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for libc::xdp_umem_reg {}
// SAFETY: as above.
unsafe impl Plain for libc::xdp_mmap_offsets {}
// SAFETY: as above.
unsafe impl Plain for libc::xdp_statistics {}
// SAFETY: as above.
unsafe impl Plain for libc::xdp_options {}

/// An `AF_XDP` socket that is bound to nothing yet.
pub(crate) fn xdp_socket() -> io::Result<OwnedFd> {
    // SAFETY: takes no pointers.
    let fd = check(unsafe { libc::socket(libc::AF_XDP, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: just opened, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// An event counter that never blocks.
pub(crate) fn event_fd() -> io::Result<OwnedFd> {
    // SAFETY: takes no pointers.
    let fd = check(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })?;
    // SAFETY: just opened, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets an option of level `SOL_XDP`.
pub(crate) fn set_option<T: Plain>(fd: BorrowedFd<'_>, option: c_int, value: &T) -> io::Result<()> {
    // SAFETY: pointer and length are those of `value`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(fd.as_raw_fd(), libc::SOL_XDP, option, ptr::from_ref(value).cast(), length_of::<T>())
    };
    check(result).map(drop)
}

/// Reads an option of level `SOL_XDP`. A kernel that knows fewer fields than we leaves them zero.
pub(crate) fn get_option<T: Plain>(fd: BorrowedFd<'_>, option: c_int) -> io::Result<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    let mut length = length_of::<T>();
    // SAFETY: pointer and length are those of `value`; the kernel writes at most `length` bytes.
    let result = unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_XDP, option, value.as_mut_ptr().cast(), &raw mut length)
    };
    check(result)?;
    // SAFETY: zeroed or written by the kernel, and `Plain` allows any bits.
    Ok(unsafe { value.assume_init() })
}

#[expect(clippy::cast_possible_truncation, reason = "option values are a few dozen bytes")]
pub(crate) fn length_of<T>() -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}

/// Binds a socket to a queue.
pub(crate) fn bind(fd: BorrowedFd<'_>, address: &libc::sockaddr_xdp) -> io::Result<()> {
    let length = length_of::<libc::sockaddr_xdp>();
    // SAFETY: pointer and length are those of `address`, which outlives the call.
    check(unsafe { libc::bind(fd.as_raw_fd(), ptr::from_ref(address).cast(), length) }).map(drop)
}

/// Makes the kernel look at the TX ring.
pub(crate) fn send(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no data and no address are passed.
    let sent = unsafe { libc::sendto(fd.as_raw_fd(), ptr::null(), 0, libc::MSG_DONTWAIT, ptr::null(), 0) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Makes the kernel look at the FILL ring.
pub(crate) fn receive(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no buffer and no address are passed.
    let received = unsafe {
        libc::recvfrom(
            fd.as_raw_fd(),
            ptr::null_mut(),
            0,
            libc::MSG_DONTWAIT,
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
    if received < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Adds one to an event counter.
pub(crate) fn event_add(fd: BorrowedFd<'_>) {
    let one = 1_u64;
    // SAFETY: writes 8 bytes from `one`. The only failure, a counter at its end, leaves it readable,
    // which is all that is wanted.
    unsafe { libc::write(fd.as_raw_fd(), ptr::from_ref(&one).cast(), size_of::<u64>()) };
}

/// Sets an event counter to zero.
pub(crate) fn event_clear(fd: BorrowedFd<'_>) {
    let mut count = 0_u64;
    // SAFETY: reads 8 bytes into `count`. The only failure is that it was zero already.
    unsafe { libc::read(fd.as_raw_fd(), ptr::from_mut(&mut count).cast(), size_of::<u64>()) };
}

/// A descriptor in the list for [`poll`].
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Watched(libc::pollfd);

impl Watched {
    /// Waits for something to read from `fd`.
    #[must_use]
    pub fn new(fd: BorrowedFd<'_>) -> Self {
        Self(libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 })
    }

    /// A place in the list that poll(2) skips.
    #[must_use]
    pub fn nothing() -> Self {
        Self(libc::pollfd { fd: -1, events: 0, revents: 0 })
    }

    /// Whether [`poll`] found something to read.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.revents & libc::POLLIN != 0
    }
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Watched({}, {:#x})", self.0.fd, self.0.revents)
    }
}

/// Sleeps until one of `watched` is readable or has failed, a signal came, or `timeout` has passed.
pub fn poll(watched: &mut [Watched], timeout: Duration) {
    let timeout = libc::timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(timeout.subsec_nanos()),
    };
    let count = libc::nfds_t::try_from(watched.len()).unwrap_or(0);
    // SAFETY: `Watched` is a transparent `pollfd` and there are `count` of them; the other pointers
    // are to a local, and null for "no signal mask".
    let ready = unsafe { libc::ppoll(watched.as_mut_ptr().cast(), count, &raw const timeout, ptr::null()) };
    if ready < 0 {
        // Interrupted: the events of the call before must not be taken for new ones.
        watched.iter_mut().for_each(|w| w.0.revents = 0);
    }
}

/// Memory from mmap(2), unmapped when dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<c_void>,
    length: usize,
}

// SAFETY: only an address range; whoever puts references into it answers for them.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Fresh zeroed memory, in huge pages where the kernel has some, present before this returns.
    pub(crate) fn anonymous(length: usize) -> io::Result<Self> {
        let mapping = Self::map(length, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)?;
        // SAFETY: the range is this mapping's. Huge pages are a wish: a refusal changes nothing.
        unsafe { libc::madvise(mapping.start.as_ptr(), length, libc::MADV_HUGEPAGE) };
        // SAFETY: the range is this mapping's.
        check(unsafe { libc::madvise(mapping.start.as_ptr(), length, libc::MADV_POPULATE_WRITE) })?;
        Ok(mapping)
    }

    /// One of a socket's rings.
    pub(crate) fn ring(fd: BorrowedFd<'_>, ring: libc::off_t, length: usize) -> io::Result<Self> {
        Self::map(length, libc::MAP_SHARED | libc::MAP_POPULATE, fd.as_raw_fd(), ring)
    }

    fn map(length: usize, flags: c_int, fd: c_int, offset: libc::off_t) -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let start = unsafe { libc::mmap(ptr::null_mut(), length, access, flags, fd, offset) };
        match NonNull::new(start) {
            Some(start) if start.as_ptr() != libc::MAP_FAILED => Ok(Self { start, length }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The address `offset` bytes into it.
    ///
    /// # Panics
    ///
    /// If that, with a `T` there, lies beyond its end.
    pub(crate) fn at<T>(&self, offset: usize) -> NonNull<T> {
        assert!(offset + size_of::<T>() <= self.length, "inside the mapping");
        // SAFETY: just checked that it stays inside.
        unsafe { self.start.byte_add(offset) }.cast()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is this mapping's, and its owner is going.
        unsafe { libc::munmap(self.start.as_ptr(), self.length) };
    }
}

/// Asks a network driver something through `SIOCETHTOOL`.
pub(crate) fn ethtool<T: Plain>(interface: &str, request: &mut T) -> io::Result<()> {
    let data = libc::__c_anonymous_ifr_ifru { ifru_data: ptr::from_mut(request).cast() };
    // The request is as large as its command says: that is what its type, private to this folder, is
    // made for.
    interface_ioctl(interface, libc::SIOCETHTOOL, data).map(drop)
}

/// The largest IP packet that an interface carries.
pub(crate) fn mtu(interface: &str) -> io::Result<u32> {
    let empty = libc::__c_anonymous_ifr_ifru { ifru_mtu: 0 };
    let answer = interface_ioctl(interface, libc::SIOCGIFMTU, empty)?;
    // SAFETY: this request answers with an MTU.
    Ok(unsafe { answer.ifr_ifru.ifru_mtu }.cast_unsigned())
}

/// Asks the kernel for what fits an `ifreq` about an interface.
pub(crate) fn interface_ioctl(
    interface: &str,
    request: libc::Ioctl,
    argument: libc::__c_anonymous_ifr_ifru,
) -> io::Result<libc::ifreq> {
    let mut name = [0; libc::IFNAMSIZ];
    let bytes = interface.as_bytes();
    if bytes.len() >= name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in name.iter_mut().zip(bytes) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    let mut ifreq = libc::ifreq { ifr_name: name, ifr_ifru: argument };
    // SAFETY: takes no pointers. Any kind of socket serves these requests.
    let fd = check(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: just opened, and nobody else knows it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: `ifreq` outlives the call, and so does what its argument points to, which its
    // callers answer for.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request, &raw mut ifreq) })?;
    Ok(ifreq)
}

pub(crate) fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
