//! The addresses, ports and sizes that a frame's headers state.

use std::net::IpAddr;

use crate::types::{Mac, Protocol, VlanId};
use crate::wire::ethernet::{self, Ethernet, ethertype};
use crate::wire::icmp;
use crate::wire::ipv4::Ipv4;
use crate::wire::ipv6::{self, Ipv6};

const ICMP: u8 = icmp::v4::PROTOCOL;
const ICMPV6: u8 = icmp::v6::PROTOCOL;

/// What a frame says of the packet in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The source's MAC.
    pub source_mac: Mac,
    /// The destination's.
    pub destination_mac: Mac,
    /// Of the outermost IP header.
    pub addresses: (IpAddr, IpAddr),
    /// Ports, where there are any behind the outermost header.
    pub ports: Option<(u16, u16)>,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// The protocol's number.
    pub protocol: u8,
    /// What the first byte of interest behind the outermost header says.
    pub detail: Detail,
    /// Of the outermost VLAN tag; 0: none.
    pub vlan: VlanId,
    /// Bytes of the frame that are headers, those of a packet that an ICMP error quotes among them: what is behind them
    /// is of the clients and servers alone.
    pub headers: usize,
}

/// What a frame says of its packet beside its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Nothing that anybody asks for, or it is not there.
    None,
    /// The flags of a TCP segment.
    Flags(u8),
    /// Type and code of an ICMP message.
    Message(u8, u8),
    /// It is not the first fragment of its packet.
    LaterFragment,
}

/// What a frame with an IP packet says; `None`: there is none in it.
#[must_use]
pub fn ends(frame: &[u8]) -> Option<Ends> {
    let (link, _) = Ethernet::new_checked(frame).ok()?;
    let payload = ethernet::payload(frame).ok()?;
    let packet = frame.get(payload.offset..)?;
    let mut is_later = false;
    let (addresses, traffic_class, protocol, ip_header, rest): ((IpAddr, IpAddr), _, _, _, _) =
        match payload.ethertype {
            ethertype::IPV4 => {
                let (ip, rest) = Ipv4::new_quoted(packet).ok()?;
                is_later = ip.fragment().is_some_and(|fragment| fragment.offset > 0);
                (
                    (ip.source().into(), ip.destination().into()),
                    ip.traffic_class(),
                    ip.protocol(),
                    ip.header_length(),
                    rest,
                )
            }
            ethertype::IPV6 => {
                let (ip, rest) = Ipv6::new_quoted(packet).ok()?;
                (
                    (ip.source().into(), ip.destination().into()),
                    ip.traffic_class(),
                    ip.next_header(),
                    ipv6::LENGTH,
                    rest,
                )
            }
            _ => return None,
        };
    let has_ports = !is_later && [Protocol::Tcp, Protocol::Udp].iter().any(|p| p.number() == protocol);
    let port = |at: usize| Some(u16::from_be_bytes(*rest.get(at..)?.first_chunk()?));
    let ports = if has_ports { port(0).zip(port(2)) } else { None };
    let (source_mac, destination_mac) = (link.source(), link.destination());
    let byte = |at: usize| rest.get(at).copied();
    let detail = match protocol {
        _ if is_later => Detail::LaterFragment,
        6 => byte(13).map_or(Detail::None, Detail::Flags),
        ICMP | ICMPV6 => {
            byte(0).zip(byte(1)).map_or(Detail::None, |(kind, code)| Detail::Message(kind, code))
        }
        _ => Detail::None,
    };
    let vlan = payload.vlan;
    let headers = payload.offset + ip_header + if is_later { 0 } else { transport_header(protocol, rest) };
    let headers = headers.min(frame.len());
    Some(Ends {
        source_mac,
        destination_mac,
        addresses,
        ports,
        traffic_class,
        protocol,
        detail,
        vlan,
        headers,
    })
}

/// As much as a protocol's header has where it is not cut. An ICMP error's goes on with the header of the packet that it
/// quotes, and the first eight bytes behind (RFC 792, RFC 4443 section 2.1).
fn transport_header(protocol: u8, packet: &[u8]) -> usize {
    match (protocol, packet.first()) {
        (6, _) => packet.get(12).map_or(20, |offset| usize::from(offset >> 4) * 4),
        (ICMP, Some(3..=5 | 11 | 12)) => 8 + 20 + 8,
        (ICMPV6, Some(..128)) => 8 + 40 + 8,
        _ => 8,
    }
}
