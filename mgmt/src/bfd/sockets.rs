//! The sockets of sessions: RFC 5881 section 4 and RFC 5883 section 5.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};

use socket2::{Domain, SockFilter, Socket, Type};

use super::fleet::{Hops, Peer};
use crate::config::health::Bind;

const SINGLE_HOP: u16 = 3784;
const MULTI_HOP: u16 = 4784;
/// Where packets may come from.
const PORTS: std::ops::RangeInclusive<u16> = 49152..=65535;
/// Ports that are tried before the box is said to have none.
const TRIES: u16 = 1000;
/// Of a packet that no router has passed on (RFC 5881 section 5).
const UNROUTED: u32 = 255;
/// Before all other frames of the interface's queue.
const FIRST: u32 = 7;
/// Internetwork control (RFC 4594 section 3.2).
const CONTROL: u32 = 0xc0;
/// What is left of a packet with another hop limit: no packet of BFD is so short.
const REFUSED: usize = 1;

/// IPv4 or not, and how far away.
pub(super) type Place = (bool, Hops);

pub(super) fn place(peer: &Peer) -> Place {
    (peer.address.is_ipv4(), peer.hops)
}

fn port(hops: Hops) -> u16 {
    match hops {
        Hops::Single => SINGLE_HOP,
        Hops::Multi => MULTI_HOP,
    }
}

fn any(is_ipv4: bool) -> IpAddr {
    if is_ipv4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

fn socket(is_ipv4: bool) -> io::Result<Socket> {
    let socket = Socket::new(if is_ipv4 { Domain::IPV4 } else { Domain::IPV6 }, Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    if !is_ipv4 {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// Hears the packets of a family and a distance.
pub(super) fn ear((is_ipv4, hops): Place) -> io::Result<UdpSocket> {
    let socket = socket(is_ipv4)?;
    if hops == Hops::Single {
        socket.attach_filter(&only_unrouted(is_ipv4))?;
    }
    socket.bind(&SocketAddr::new(any(is_ipv4), port(hops)).into())?;
    Ok(socket.into())
}

/// Classic BPF: of packets with another hop limit than 255 the UDP header is left and a byte, by which they are known
/// and counted. The hop limit is read from the network header, since UDP sockets begin behind it.
fn only_unrouted(is_ipv4: bool) -> [SockFilter; 4] {
    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    /// Linux: `SKF_NET_OFF`, as the kernel's 32 bits have it.
    const NETWORK_HEADER: u32 = 0xfff0_0000;
    const UDP_HEADER: u32 = 8;
    let hop_limit = NETWORK_HEADER + if is_ipv4 { 8 } else { 7 };
    [
        SockFilter::new(LOAD_BYTE, 0, 0, hop_limit),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, UNROUTED),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, UDP_HEADER + 1),
    ]
}

/// What was heard: `None` for the payload of a packet with a wrong hop limit.
pub(super) fn hear<'b>(
    ear: &UdpSocket,
    hops: Hops,
    buffer: &'b mut [u8],
) -> io::Result<(IpAddr, Option<&'b [u8]>)> {
    let (length, source) = ear.recv_from(buffer)?;
    let is_refused = hops == Hops::Single && length == REFUSED;
    Ok((source.ip(), (!is_refused).then(|| &buffer[..length])))
}

/// Speaks to one peer, always from the same port (RFC 5881 section 4).
fn mouth(peer: &Peer, random: u64) -> io::Result<UdpSocket> {
    let is_ipv4 = peer.address.is_ipv4();
    let socket = socket(is_ipv4)?;
    // What comes in is heard by the ears.
    socket.attach_filter(&[SockFilter::new(0x06, 0, 0, 0)])?;
    socket.set_priority(FIRST)?;
    if is_ipv4 {
        socket.set_ttl_v4(UNROUTED)?;
        socket.set_tos_v4(CONTROL)?;
    } else {
        socket.set_unicast_hops_v6(UNROUTED)?;
        socket.set_tclass_v6(CONTROL)?;
    }
    let (own, link) = match &peer.bind {
        Some(Bind::Address(own)) => (*own, 0),
        Some(Bind::Interface(name)) => {
            socket.bind_device(Some(name.as_bytes()))?;
            (any(is_ipv4), link(name))
        }
        None => (any(is_ipv4), 0),
    };
    let count = PORTS.end() - PORTS.start() + 1;
    let first = u16::try_from(random % u64::from(count)).unwrap_or_default();
    for step in 0..TRIES {
        let port = PORTS.start() + (first.wrapping_add(step)) % count;
        match socket.bind(&SocketAddr::new(own, port).into()) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            bound => {
                bound?;
                socket.connect(&with_scope(peer.address, port_of(peer), link).into())?;
                return Ok(socket.into());
            }
        }
    }
    Err(ErrorKind::AddrInUse.into())
}

fn port_of(peer: &Peer) -> u16 {
    port(peer.hops)
}

fn with_scope(address: IpAddr, port: u16, link: u32) -> SocketAddr {
    match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => SocketAddrV6::new(v6, port, 0, link).into(),
        address => SocketAddr::new(address, port),
    }
}

/// The kernel's number of an interface; 0 if there is none.
fn link(name: &str) -> u32 {
    let number = std::fs::read_to_string(format!("/sys/class/net/{name}/ifindex"));
    number.ok().and_then(|number| number.trim().parse().ok()).unwrap_or_default()
}

/// All that speak.
#[derive(Debug, Default)]
pub(super) struct Mouths(BTreeMap<Peer, UdpSocket>);

impl Mouths {
    /// Sends a packet. What cannot be sent is lost: the next one will say the same.
    pub(super) fn send(&mut self, peer: &Peer, bytes: &[u8], random: u64) -> io::Result<()> {
        let mouth = match self.0.get(peer) {
            Some(mouth) => mouth,
            None => self.0.entry(peer.clone()).or_insert(mouth(peer, random)?),
        };
        match mouth.send(bytes) {
            Ok(_) => Ok(()),
            // The answer to the last one: nobody listens there yet.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => mouth.send(bytes).map(drop),
            Err(error) => {
                // The box's address may be another one now.
                self.0.remove(peer);
                Err(error)
            }
        }
    }

    pub(super) fn keep(&mut self, are_wanted: impl Fn(&Peer) -> bool) {
        self.0.retain(|peer, _| are_wanted(peer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(is_ipv4: bool, hop_limit: u32) -> Socket {
        let socket = socket(is_ipv4).unwrap();
        if is_ipv4 { socket.set_ttl_v4(hop_limit) } else { socket.set_unicast_hops_v6(hop_limit) }.unwrap();
        socket
    }

    /// Any port will do: what is tried is the filter.
    #[test]
    fn the_hop_limit_is_checked_over_both_families() {
        let mut buffer = [0; 64];
        for is_ipv4 in [true, false] {
            let ear = socket(is_ipv4).unwrap();
            ear.attach_filter(&only_unrouted(is_ipv4)).unwrap();
            let own: IpAddr = if is_ipv4 { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
            ear.bind(&SocketAddr::new(own, 0).into()).unwrap();
            ear.set_nonblocking(false).unwrap();
            let (at, ear) = (ear.local_addr().unwrap(), UdpSocket::from(ear));
            for (hop_limit, payload) in [(254, None), (255, Some([7; 24].as_slice()))] {
                sender(is_ipv4, hop_limit).send_to(&[7; 24], &at).unwrap();
                assert_eq!(hear(&ear, Hops::Single, &mut buffer).unwrap(), (own, payload), "{hop_limit}");
            }
        }
    }

    #[test]
    fn packets_come_from_a_port_of_the_range_and_with_hop_limit_255() {
        for address in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            let peer = Peer { address, hops: Hops::Single, bind: None };
            let (one, other) = (mouth(&peer, 16_383).unwrap(), mouth(&peer, 16_383).unwrap());
            let ports = [&one, &other].map(|mouth| mouth.local_addr().unwrap().port());
            assert!(ports[0] != ports[1] && ports.iter().all(|port| PORTS.contains(port)), "{ports:?}");
            let socket = socket2::SockRef::from(&one);
            let hop_limit = if address.is_ipv4() { socket.ttl_v4() } else { socket.unicast_hops_v6() };
            assert_eq!((hop_limit.unwrap(), one.peer_addr().unwrap().port()), (255, 3784));
        }
    }
}
