//! Changes of nexthop objects (ip-nexthop(8)): routes that name one change with it, and the kernel does not report
//! them again when a member leaves a group.

use std::io;

use rtnetlink::MulticastGroup;
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// See the module's head. What has changed is not read, only that something has.
pub(super) struct NexthopWatch(AsyncFd<Socket>);

impl NexthopWatch {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.set_non_blocking(true)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        socket.add_membership(MulticastGroup::Nexthop as u32)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe for descriptors that may close; this one is owned"
        )]
        let socket = AsyncFd::with_interest(socket, Interest::READABLE)?;
        Ok(Self(socket))
    }

    /// Waits for a change. May be cancelled at any point.
    pub(super) async fn changed(&self) {
        loop {
            let Ok(mut guard) = self.0.readable().await else { return std::future::pending().await };
            let has_come = self.forget();
            guard.clear_ready();
            if has_come {
                return;
            }
        }
    }

    /// Forgets what has come so far; whether there was anything. A socket that overflows was one change more.
    pub(super) fn forget(&self) -> bool {
        let mut has_come = false;
        loop {
            match self.0.get_ref().recv_from_full() {
                Ok(_) => has_come = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return has_come,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => has_come = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return has_come,
            }
        }
    }
}
