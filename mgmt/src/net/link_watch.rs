//! Links that come and go, for a thread that waits by `poll` and cannot wait for [`Netlink`](super::Netlink): that one
//! collects what comes in a burst, and its thread may be busy with a reload.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rtnetlink::constants::RTMGRP_LINK;
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::Link;

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkNews {
    /// Frames can pass a link, or not: of this number.
    Is(u32, bool),
    /// Something was missed: any link may be otherwise now.
    Missed,
}

/// See the module's head.
pub struct LinkWatch(Socket);

impl LinkWatch {
    /// In the network namespace of the calling thread.
    ///
    /// # Errors
    /// No socket.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.set_non_blocking(true)?;
        socket.bind(&SocketAddr::new(0, RTMGRP_LINK))?;
        Ok(Self(socket))
    }

    /// What has come since the last call; `None`: nothing more.
    pub fn next(&self) -> Option<LinkNews> {
        loop {
            match self.0.recv_from_full() {
                Ok((datagram, _)) => {
                    if let Some(news) = read(&datagram) {
                        return Some(news);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Some(LinkNews::Missed),
            }
        }
    }
}

impl AsFd for LinkWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl std::fmt::Debug for LinkWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkWatch")
    }
}

/// The kernel sends each message of a group by itself.
fn read(datagram: &[u8]) -> Option<LinkNews> {
    let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(datagram).ok()?;
    match message.payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => {
            let link = (link.header.interface_family == AddressFamily::Unspec)
                .then(|| Link::from_message(link))??;
            Some(LinkNews::Is(link.index, link.usable()))
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(link))
            if link.header.interface_family == AddressFamily::Unspec =>
        {
            Some(LinkNews::Is(link.header.index, false))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};

    use super::*;

    fn message(flags: LinkFlags, family: AddressFamily) -> LinkMessage {
        let mut link = LinkMessage::default();
        link.header.index = 7;
        link.header.flags = flags;
        link.header.interface_family = family;
        link.attributes.push(LinkAttribute::IfName("eth0".to_owned()));
        link
    }

    fn news(message: RouteNetlinkMessage) -> Option<LinkNews> {
        let mut message = NetlinkMessage::from(message);
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        read(&bytes)
    }

    #[test]
    fn what_the_kernel_says_of_a_link_is_whether_frames_can_pass() {
        let is = |flags| news(RouteNetlinkMessage::NewLink(message(flags, AddressFamily::Unspec)));
        assert_eq!(is(LinkFlags::Up | LinkFlags::LowerUp), Some(LinkNews::Is(7, true)));
        assert_eq!(is(LinkFlags::Up), Some(LinkNews::Is(7, false)), "no carrier");
        assert_eq!(is(LinkFlags::LowerUp), Some(LinkNews::Is(7, false)), "switched off");
        let gone = message(LinkFlags::Up | LinkFlags::LowerUp, AddressFamily::Unspec);
        assert_eq!(news(RouteNetlinkMessage::DelLink(gone)), Some(LinkNews::Is(7, false)));
    }

    #[test]
    fn a_bridge_that_speaks_of_its_port_and_what_is_no_message_say_nothing() {
        let port = || message(LinkFlags::Up, AddressFamily::Bridge);
        assert_eq!(news(RouteNetlinkMessage::NewLink(port())), None);
        assert_eq!(news(RouteNetlinkMessage::DelLink(port())), None);
        for bytes in [&[][..], &[0; 3], &[0xff; 64]] {
            assert_eq!(read(bytes), None);
        }
    }
}
