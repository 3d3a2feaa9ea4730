//! Whole frames of one interface beside the workers' rings: what must get through whatever they are at.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use libc::c_int;

use super::sys;
use penstock_types::Mac;

/// A packet socket. It hears what the steering program passes on to Linux, and what it sends passes no ring of a
/// worker.
#[derive(Debug)]
pub struct LinkSocket {
    fd: OwnedFd,
    interface: u32,
}

impl LinkSocket {
    /// Of the interface with that number. It hears nothing before [`Self::listen`], so that a filter can be set.
    ///
    /// # Errors
    /// Not permitted.
    pub fn open(interface: u32) -> io::Result<Self> {
        Ok(Self { fd: packet_socket()?, interface })
    }

    /// Hears frames of that `EtherType` from now on; 0: only sends.
    ///
    /// # Errors
    /// The interface is gone.
    pub fn listen(&self, ethertype: u16) -> io::Result<()> {
        bind_packet(self.fd.as_fd(), self.interface, ethertype)
    }

    /// Makes the interface take frames to this address too, one of a station or of a group, for as long as the
    /// socket is open.
    ///
    /// # Errors
    /// The interface is gone.
    pub fn accept(&self, mac: Mac) -> io::Result<()> {
        packet_member(self.fd.as_fd(), self.interface, mac)
    }
}

impl AsFd for LinkSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<LinkSocket> for OwnedFd {
    fn from(socket: LinkSocket) -> Self {
        socket.fd
    }
}

/// Lets the calling thread go before all that is not of real time, and after the kernel's own threads. What it
/// starts does not inherit that.
///
/// # Errors
/// Not permitted.
pub fn go_first() -> io::Result<()> {
    real_time(20)
}

/// A packet socket that hears nothing yet.
fn packet_socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes no pointers.
    let fd = sys::check(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
    // SAFETY: just opened, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Binds a packet socket to an interface and an `EtherType`.
fn bind_packet(fd: BorrowedFd<'_>, interface: u32, ethertype: u16) -> io::Result<()> {
    #[expect(clippy::cast_possible_truncation, reason = "a small number of the kernel's")]
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: ethertype.to_be(),
        sll_ifindex: interface.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = sys::length_of::<libc::sockaddr_ll>();
    // SAFETY: pointer and length are those of `address`, which outlives the call.
    sys::check(unsafe { libc::bind(fd.as_raw_fd(), ptr::from_ref(&address).cast(), length) }).map(drop)
}

/// Adds an address to those that an interface takes, until the socket is closed.
fn packet_member(fd: BorrowedFd<'_>, interface: u32, mac: Mac) -> io::Result<()> {
    let kind = if mac.is_multicast() { libc::PACKET_MR_MULTICAST } else { libc::PACKET_MR_UNICAST };
    let mut address = [0; 8];
    address[..6].copy_from_slice(&mac.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "one of two small numbers")]
    let request = libc::packet_mreq {
        mr_ifindex: interface.cast_signed(),
        mr_type: kind as u16,
        mr_alen: 6,
        mr_address: address,
    };
    let (option, length) = (libc::PACKET_ADD_MEMBERSHIP, sys::length_of::<libc::packet_mreq>());
    // SAFETY: pointer and length are those of `request`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(fd.as_raw_fd(), libc::SOL_PACKET, option, ptr::from_ref(&request).cast(), length)
    };
    sys::check(result).map(drop)
}

/// Gives the calling thread a priority of real time.
fn real_time(priority: c_int) -> io::Result<()> {
    let parameter = libc::sched_param { sched_priority: priority };
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: `parameter` outlives the call; 0 is the calling thread.
    sys::check(unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) }).map(drop)
}
