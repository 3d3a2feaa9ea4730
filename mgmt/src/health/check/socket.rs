//! Sockets of checks, and what their errors are called.

use std::borrow::Cow;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use super::Target;
use crate::config::health::Bind;
use crate::health::tracker::Outcome;
use crate::health::ways::{MARK, Way, own_address};

const NO_ADDRESS: &str = "no address or port to send from";

/// A connection to the target. Closing it sends a reset: a box that checks thousands of servers would
/// otherwise fill its own table, and theirs, with ended connections that linger.
pub(super) async fn connect(target: &Target) -> Result<TcpStream, Outcome> {
    let open = || {
        let socket = open(target, Type::STREAM, Protocol::TCP)?;
        socket.set_linger(Some(Duration::ZERO))?;
        Ok(TcpSocket::from_std_stream(socket.into()))
    };
    let socket = open().map_err(|error| not_opened(target, error))?;
    socket.connect(target.socket_address()).await.map_err(failed)
}

/// A socket whose datagrams go to the target, and that hears from nobody else.
pub(super) async fn datagrams(target: &Target) -> Result<UdpSocket, Outcome> {
    let open = || UdpSocket::from_std(open(target, Type::DGRAM, Protocol::UDP)?.into());
    let socket = open().map_err(|error| not_opened(target, error))?;
    socket.connect(target.socket_address()).await.map_err(failed)?;
    Ok(socket)
}

/// Not blocking, and bound as the target says.
pub(super) fn open(target: &Target, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let domain = Domain::for_address(target.socket_address());
    let socket = Socket::new(domain, kind.nonblocking(), Some(protocol))?;
    if let Some(way) = &target.way {
        take(way, &socket, protocol, target.address)?;
        return Ok(socket);
    }
    match &target.bind {
        None => {}
        Some(Bind::Interface(name)) => socket.bind_device(Some(name.as_bytes()))?,
        Some(Bind::Address(address)) => socket.bind(&SocketAddr::new(*address, 0).into())?,
    }
    Ok(socket)
}

/// Lets the socket's packets take the data path.
fn take(way: &Way, socket: &Socket, protocol: Protocol, vip: IpAddr) -> io::Result<()> {
    // In a tunnel of the other family, the backend's address says nothing of where it answers to.
    let is_alike = way.to.address.is_ipv4() == vip.is_ipv4();
    let own = own_address(if is_alike { way.to.address } else { vip })?;
    socket.bind(&SocketAddr::new(own, 0).into())?;
    let from = socket.local_addr()?.as_socket().ok_or(ErrorKind::AddrNotAvailable)?;
    way.ways.lead(from, u8::try_from(i32::from(protocol)).unwrap_or_default(), &way.to);
    socket.set_mark(MARK)
}

/// What follows from an error of a socket, or of a file or a process that a check needs.
pub(super) fn failed(error: io::Error) -> Outcome {
    of_the_node(&error).unwrap_or_else(|| Outcome::fail(words(&error)))
}

/// What follows from a socket that cannot be had. An address that the node lacks is no lack of ports.
pub(super) fn not_opened(target: &Target, error: io::Error) -> Outcome {
    match (&target.bind, error.raw_os_error()) {
        (Some(Bind::Address(_)), Some(libc::EADDRNOTAVAIL)) => Outcome::cannot_run(NO_ADDRESS),
        _ => failed(error),
    }
}

/// The outcome where an error is the node's own and says nothing of the backend. A client's packets are forwarded nevertheless: they
/// need nothing that is missing.
///
/// `ENETUNREACH`, `EHOSTUNREACH` and `ENETDOWN` are not among them. Without a route or a link the workers cannot reach the
/// backend either, and flows must go elsewhere. ICMP errors from afar have these numbers, too, and `EACCES`.
pub(super) fn of_the_node(error: &io::Error) -> Option<Outcome> {
    if let Some(why) = shortage(error) {
        return Some(Outcome::not_run(why));
    }
    Some(Outcome::cannot_run(match error.raw_os_error()? {
        libc::ENODEV => "the interface to send from is missing",
        // Netfilter's answer to what leaves and is dropped.
        libc::EPERM => "a packet filter or a missing right forbids it",
        libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT => "the kernel lacks the address family or the protocol",
        _ => return None,
    }))
}

/// What the node is short of, where that is what an error means. It passes by itself.
pub(super) fn shortage(error: &io::Error) -> Option<&'static str> {
    Some(match error.raw_os_error()? {
        libc::EMFILE => "penstockd has too many open files (raise LimitNOFILE)",
        libc::ENFILE => "the system has too many open files (raise fs.file-max)",
        libc::ENOBUFS => "no buffer space for packets",
        libc::ENOMEM => "out of memory",
        // Of connect(2), and of fork and execve under RLIMIT_NPROC or a limit of the control group.
        libc::EAGAIN => "no free port or process",
        libc::EADDRNOTAVAIL => NO_ADDRESS,
        libc::EADDRINUSE => "no free port at the address to send from",
        // Epoll, with fs.epoll.max_user_watches.
        libc::ENOSPC => "no room to watch another socket",
        _ => return None,
    })
}

/// What operators call it.
pub(super) fn words(error: &io::Error) -> Cow<'static, str> {
    if let Some(words) = super::tls::words_of(error) {
        return words.into();
    }
    let known = match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused",
        ErrorKind::ConnectionReset => "connection reset",
        ErrorKind::HostUnreachable => "host unreachable",
        ErrorKind::NetworkUnreachable => "network unreachable",
        ErrorKind::NetworkDown => "network down",
        ErrorKind::TimedOut => "no answer: the kernel gave up",
        ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => "connection closed",
        ErrorKind::AddrNotAvailable => "no address or port to send from",
        ErrorKind::NotFound => "not found",
        ErrorKind::PermissionDenied => "permission denied",
        _ => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            let mut characters = text.chars();
            let first = characters.next().map(|first| first.to_ascii_lowercase());
            return first.into_iter().chain(characters).collect::<String>().into();
        }
    };
    known.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tracker::Verdict;

    #[test]
    fn errors_are_told_in_plain_words() {
        let of = |errno| words(&io::Error::from_raw_os_error(errno)).into_owned();
        assert_eq!(of(libc::ECONNREFUSED), "connection refused");
        assert_eq!(of(libc::EHOSTUNREACH), "host unreachable");
        assert_eq!(of(libc::EMFILE), "too many open files");
    }

    #[test]
    fn what_the_node_lacks_is_no_failure_of_the_backend() {
        let verdict = |errno| failed(io::Error::from_raw_os_error(errno)).verdict;
        for errno in [
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::EAGAIN,
            libc::EADDRNOTAVAIL,
            libc::EADDRINUSE,
            libc::ENOSPC,
        ] {
            assert_eq!(verdict(errno), Verdict::NotRun, "{errno}");
        }
        for errno in [libc::ENODEV, libc::EPERM, libc::EAFNOSUPPORT] {
            assert_eq!(verdict(errno), Verdict::CannotRun, "{errno}");
        }
        for errno in [
            libc::ECONNREFUSED,
            libc::ECONNRESET,
            libc::ETIMEDOUT,
            libc::EHOSTUNREACH,
            libc::ENETUNREACH,
            libc::ENETDOWN,
            libc::EACCES,
            libc::EPIPE,
        ] {
            assert_eq!(verdict(errno), Verdict::Fail, "{errno}");
        }
        assert_eq!(failed(ErrorKind::UnexpectedEof.into()).verdict, Verdict::Fail);
    }
}
