//! A packet that is described as a frame, and what a frame says.

use std::net::IpAddr;

use super::Question;
use crate::snapshot::{Hop, Snapshot};
use crate::types::{InterfaceId, Mac, Protocol};
use crate::wire::checksum::{fold, sum};
use crate::wire::compose::{self, Payload};
use crate::wire::ethernet::ethertype;
use crate::wire::tcp::Flags;

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// The interface that an address is behind; the first one, if nobody knows.
pub(super) fn towards(snapshot: &Snapshot, address: IpAddr) -> InterfaceId {
    snapshot.fib.neighbour_towards(address).map_or(InterfaceId(0), |(interface, _)| interface)
}

/// Source and destination: on a bridge, what is for no virtual address goes past the box.
pub(super) fn macs(snapshot: &Snapshot, ingress: InterfaceId, question: &Question) -> (Mac, Mac) {
    let known = |address| match snapshot.fib.lookup(address) {
        Hop::Known(next_hop) => Some(next_hop.mac),
        Hop::NeighbourMissing { .. } | Hop::NoRoute => None,
    };
    let interface = snapshot.interface(ingress);
    let own = interface.map(|interface| interface.bridge_mac.unwrap_or(interface.mac));
    let is_inline = interface.is_some_and(|interface| interface.bridge.is_some());
    let destination = question.destination.ip();
    let past = known(destination).filter(|_| is_inline && !snapshot.vips.contains(destination));
    let nobody = Mac([0; 6]);
    (known(question.source.ip()).unwrap_or(nobody), past.or(own).unwrap_or(nobody))
}

/// `None`: its ends are of different families.
pub(super) fn build(question: &Question, (source, destination): (Mac, Mac), opens: bool) -> Option<Vec<u8>> {
    let (from, to) = (question.source.ip(), question.destination.ip());
    let (protocol, mut transport, place) = transport(question, opens);
    let payload = Payload { traffic_class: 0, protocol, length: u16::try_from(transport.len()).ok()? };
    let (kind, header, addresses) = match (from, to) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let addresses = [a.octets(), b.octets()].concat();
            (ethertype::IPV4, compose::ipv4(payload, None, a, b).to_vec(), addresses)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            let addresses = [a.octets(), b.octets()].concat();
            (ethertype::IPV6, compose::ipv6(payload, 0, a, b).to_vec(), addresses)
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
    };
    // ICMP of IPv4 alone has no pseudo-header.
    let pseudo = match protocol {
        ICMP => 0,
        _ => compose::pseudo_header(&addresses, protocol, transport.len()),
    };
    let checksum = !fold(sum(pseudo, &transport));
    transport.get_mut(place..place + 2)?.copy_from_slice(&checksum.to_be_bytes());
    Some([&destination.0[..], &source.0, &kind.to_be_bytes(), &header, &transport].concat())
}

/// The protocol, its header, and where in that the checksum is.
fn transport(question: &Question, opens: bool) -> (u8, Vec<u8>, usize) {
    let ports = [question.source.port().to_be_bytes(), question.destination.port().to_be_bytes()].concat();
    match question.protocol {
        Some(Protocol::Tcp) => {
            let flags = if opens { Flags::SYN } else { Flags::ACK };
            let rest = [0, 0, 0, 1, 0, 0, 0, u8::from(!opens), 5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0];
            (Protocol::Tcp.number(), [&ports[..], &rest].concat(), 16)
        }
        Some(Protocol::Udp) => (Protocol::Udp.number(), [&ports[..], &[0, 8, 0, 0]].concat(), 6),
        None => {
            let is_v4 = question.source.is_ipv4();
            let (number, kind) = if is_v4 { (ICMP, 8) } else { (ICMPV6, 128) };
            (number, vec![kind, 0, 0, 0, 0, 1, 0, 1], 2)
        }
    }
}
