//! The sockets of adverts and announcements.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd};

use dataplane::LinkSocket;
use dataplane::types::Mac;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockFilter, SockRef, Socket, Type};

use crate::config::Vrrp;
use crate::vrrp::advert::{GROUP4, GROUP6, HopLimit, PROTOCOL};
use crate::vrrp::packet::{GROUP4_MAC, GROUP6_MAC, IPV4, IPV6};
use crate::vrrp::wanted::Wanted;

/// Before all other frames of the interface's queue.
pub(super) const FIRST: u32 = 7;

/// A link and a family.
pub(super) type Place = (u32, bool);

/// Hears adverts of one family on one link, and sends whole frames there.
#[derive(Debug)]
struct Ear {
    link: LinkSocket,
    /// The virtual MAC addresses that the interface takes.
    macs: BTreeSet<Mac>,
    /// Is in the group: a switch that snoops would not bring adverts otherwise.
    _member: Socket,
}

impl Ear {
    fn open((link, is_ipv4): Place, macs: BTreeSet<Mac>) -> io::Result<Self> {
        let socket = LinkSocket::open(link)?;
        SockRef::from(&socket).attach_filter(&only_vrrp(is_ipv4))?;
        SockRef::from(&socket).set_priority(FIRST)?;
        socket.listen(if is_ipv4 { IPV4 } else { IPV6 })?;
        socket.accept(if is_ipv4 { GROUP4_MAC } else { GROUP6_MAC })?;
        for mac in &macs {
            socket.accept(*mac)?;
        }
        let domain = if is_ipv4 { Domain::IPV4 } else { Domain::IPV6 };
        let member = Socket::new(domain, Type::DGRAM, None)?;
        if is_ipv4 {
            member.join_multicast_v4_n(&GROUP4, &InterfaceIndexOrAddress::Index(link))?;
        } else {
            member.join_multicast_v6(&GROUP6, link)?;
        }
        Ok(Self { link: socket, macs, _member: member })
    }
}

/// Classic BPF: packets of VRRP's protocol, and nothing else. Offsets count from the Ethernet header.
fn only_vrrp(is_ipv4: bool) -> [SockFilter; 4] {
    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let protocol = if is_ipv4 { 14 + 9 } else { 14 + 6 };
    [
        SockFilter::new(LOAD_BYTE, 0, 0, protocol),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, PROTOCOL.into()),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

/// Sends to single peers, as the kernel routes.
pub(super) fn unicast(interface: &str, own: IpAddr, link: u32) -> io::Result<Socket> {
    let domain = if own.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(i32::from(PROTOCOL))))?;
    // What comes in is heard by the ears.
    socket.attach_filter(&[SockFilter::new(0x06, 0, 0, 0)])?;
    socket.set_nonblocking(true)?;
    socket.set_priority(FIRST)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    match own {
        IpAddr::V4(_) => socket.set_ttl_v4(HopLimit::UNROUTED.0.into())?,
        IpAddr::V6(_) => socket.set_unicast_hops_v6(HopLimit::UNROUTED.0.into())?,
    }
    socket.bind(&with_scope(own, link).into())?;
    Ok(socket)
}

pub(super) fn with_scope(address: IpAddr, link: u32) -> SocketAddr {
    match address {
        IpAddr::V4(v4) => (v4, 0).into(),
        IpAddr::V6(v6) => {
            let scope = if v6.is_unicast_link_local() { link } else { 0 };
            SocketAddrV6::new(v6, 0, 0, scope).into()
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    ears: BTreeMap<Place, Ear>,
    mouths: BTreeMap<(u32, IpAddr), Socket>,
}

impl Sockets {
    /// Opens what is wanted and not there yet. To be called before anything is sent there.
    pub(super) fn open(&mut self, wanted: &[Wanted]) -> Vec<String> {
        let mut troubles = Vec::new();
        for (place, macs) in places(wanted) {
            if self.ears.get(&place).is_some_and(|ear| ear.macs == macs) {
                continue;
            }
            match Ear::open(place, macs) {
                Ok(ear) => _ = self.ears.insert(place, ear),
                Err(error) => troubles.push(format!("no adverts on link {}: {error}", place.0)),
            }
        }
        troubles
    }

    /// Closes what is not wanted any more. To be called after the last words are said.
    pub(super) fn close(&mut self, wanted: &[Wanted]) {
        let places = places(wanted);
        self.ears.retain(|place, _| places.contains_key(place));
        self.mouths.retain(|(link, own), _| {
            let is_it = |wanted: &Wanted| wanted.place.is_some_and(|p| p.link == *link && p.own == *own);
            wanted.iter().any(is_it)
        });
    }

    pub(super) fn ears(&self) -> impl Iterator<Item = (Place, BorrowedFd<'_>)> {
        self.ears.iter().map(|(place, ear)| (*place, ear.link.as_fd()))
    }

    /// Sends a frame.
    pub(super) fn frame(&self, place: Place, bytes: &[u8]) -> io::Result<()> {
        let ear = self.ears.get(&place).ok_or(io::ErrorKind::NotConnected)?;
        rustix::io::write(&ear.link, bytes)?;
        Ok(())
    }

    /// Sends a message to a peer.
    pub(super) fn packet(
        &mut self,
        config: &Vrrp,
        link: u32,
        (own, peer): (IpAddr, IpAddr),
        message: &[u8],
    ) -> io::Result<()> {
        let socket = match self.mouths.entry((link, own)) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(unicast(&config.interface, own, link)?)
            }
        };
        socket.send_to(message, &with_scope(peer, link).into())?;
        Ok(())
    }
}

fn places(wanted: &[Wanted]) -> BTreeMap<Place, BTreeSet<Mac>> {
    let mut places = BTreeMap::<Place, BTreeSet<Mac>>::new();
    for wanted in wanted {
        if let Some(place) = wanted.place {
            let macs = places.entry((place.link, wanted.config.is_ipv4())).or_default();
            macs.extend(wanted.config.virtual_mac());
        }
    }
    places
}
