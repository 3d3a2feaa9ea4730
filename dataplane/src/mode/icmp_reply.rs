//! The ICMP and ICMPv6 errors that the box itself has to send, made of the packets that they are about.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::io::Frame;
use crate::wire::answer::{is_host, turn_around};
use crate::wire::checksum::{fold, sum};
use crate::wire::compose::{self, Payload, pseudo_header};
use crate::wire::icmp;
use crate::wire::ipv4::{self, Ipv4};
use crate::wire::ipv6::{self, Ipv6};
use crate::wire::limits::MAX_EXTENSION_HEADERS;

/// Bytes of an error message at most: what every host takes in one piece (RFC 1812 section 4.3.2.3).
const LONGEST_V4: usize = 576;
/// The least MTU of IPv6 (RFC 4443 section 2.4 (c)).
const LONGEST_V6: usize = 1280;

/// Every link carries that much: who is told of less has been lied to (RFC 791, RFC 1191 section 3).
const LEAST_MTU_V4: u16 = 68;
/// The same for IPv6 (RFC 8200 section 5).
const LEAST_MTU_V6: u16 = 1280;

/// Internetwork control, for errors (RFC 1812 section 4.3.2.5).
const PRECEDENCE: u8 = 0xc0;

/// Protocol numbers (IANA).
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// ICMPv6's type (RFC 4861 section 4.5).
const REDIRECT: u8 = 137;

/// What was wrong with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IcmpError {
    /// It is longer than the way ahead carries (RFC 1191, RFC 4443 section 3.2). Over IPv4 this is for
    /// packets that forbid fragmentation.
    TooBig {
        /// The longest packet that would have fitted.
        mtu: u16,
    },
    /// Its time to live ended here.
    TimeExceeded,
}

/// Turns the frame into an error message about the packet in it, from `from` to the packet's sender. The
/// packet begins `network` bytes into the frame and has `packet_length`.
///
/// `None`, and the frame is to be dropped: it is one that nobody may send errors about (RFC 1122 section
/// 3.2.2, RFC 4443 section 2.4 (e)), or the message would help nobody.
pub(crate) fn error(
    frame: &mut Frame,
    network: usize,
    packet_length: usize,
    from: IpAddr,
    error: IcmpError,
) -> Option<()> {
    let packet = frame.bytes().get(network..)?.get(..packet_length)?;
    match from {
        IpAddr::V4(from) => {
            let to = sender_v4(packet)?;
            let head = error.head_v4();
            let quote = packet_length.min(LONGEST_V4 - ipv4::LENGTH - icmp::LENGTH);
            let payload = Payload {
                traffic_class: PRECEDENCE,
                protocol: ICMP,
                length: u16::try_from(icmp::LENGTH + quote).ok()?,
            };
            let ip = compose::ipv4(payload, None, from, to);
            answer(frame, network, quote, ip, head, 0)
        }
        IpAddr::V6(from) => {
            let to = sender_v6(packet)?;
            let head = error.head_v6(packet_length)?;
            let quote = packet_length.min(LONGEST_V6 - ipv6::LENGTH - icmp::LENGTH);
            let length = u16::try_from(icmp::LENGTH + quote).ok()?;
            let ip = compose::ipv6(Payload { traffic_class: 0, protocol: ICMPV6, length }, 0, from, to);
            let pseudo = pseudo_header(ip.get(8..)?, ICMPV6, length.into());
            answer(frame, network, quote, ip, head, pseudo)
        }
    }
}

impl IcmpError {
    fn head_v4(self) -> [u8; icmp::LENGTH] {
        match self {
            Self::TooBig { mtu } => {
                let [high, low] = mtu.max(LEAST_MTU_V4).to_be_bytes();
                [3, 4, 0, 0, 0, 0, high, low]
            }
            Self::TimeExceeded => [11, 0, 0, 0, 0, 0, 0, 0],
        }
    }

    /// `None`: the packet is as short as senders will ever make them. They pay no heed to an MTU below
    /// IPv6's least (RFC 8201 section 4), and one that is not below it would not make them send less.
    fn head_v6(self, packet_length: usize) -> Option<[u8; icmp::LENGTH]> {
        match self {
            Self::TooBig { .. } if packet_length <= usize::from(LEAST_MTU_V6) => None,
            Self::TooBig { mtu } => {
                let [high, low] = mtu.max(LEAST_MTU_V6).to_be_bytes();
                Some([2, 0, 0, 0, 0, 0, high, low])
            }
            Self::TimeExceeded => Some([3, 0, 0, 0, 0, 0, 0, 0]),
        }
    }
}

/// Makes the message: `ip`, `head` and the first `quote` bytes of the packet. `pseudo` is the sum over the
/// pseudo-header, if there is one.
fn answer<const N: usize>(
    frame: &mut Frame,
    network: usize,
    quote: usize,
    ip: [u8; N],
    head: [u8; icmp::LENGTH],
    pseudo: u64,
) -> Option<()> {
    turn_around(frame.bytes_mut().get_mut(..network)?)?;
    frame.truncate(network + quote);
    frame.insert(network, N + icmp::LENGTH)?;
    let (place, message) = frame.bytes_mut().get_mut(network..)?.split_first_chunk_mut::<N>()?;
    *place = ip;
    *message.first_chunk_mut()? = head;
    let checksum = !fold(sum(pseudo, message));
    *message.get_mut(2..)?.first_chunk_mut()? = checksum.to_be_bytes();
    Some(())
}

/// Who sent the packet, if errors about it may be sent there.
fn sender_v4(packet: &[u8]) -> Option<Ipv4Addr> {
    let (ipv4, payload) = Ipv4::new_checked(packet).ok()?;
    let header = packet.first_chunk::<{ ipv4::LENGTH }>()?;
    let is_first = u16::from_be_bytes([header[6], header[7]]) & 0x1fff == 0;
    let is_error = || payload.first().is_none_or(|kind| icmp::v4::ERRORS.contains(kind));
    if !is_first || ipv4.protocol() == ICMP && is_error() {
        return None;
    }
    let concerns_hosts = is_host(ipv4.source().into()) && is_host(ipv4.destination().into());
    concerns_hosts.then_some(ipv4.source())
}

/// The same.
fn sender_v6(packet: &[u8]) -> Option<Ipv6Addr> {
    let (ipv6, payload) = Ipv6::new_checked(packet).ok()?;
    let (protocol, message) = upper_layer(ipv6.next_header(), payload)?;
    // A redirect is none by its number, but is treated as one (RFC 4443 section 2.4 (e.2)).
    let is_error =
        || message.first().is_none_or(|&kind| matches!(kind, ..icmp::v6::FIRST_INFORMATIONAL | REDIRECT));
    if protocol == ICMPV6 && is_error() {
        return None;
    }
    let concerns_hosts = is_host(ipv6.source().into()) && is_host(ipv6.destination().into());
    concerns_hosts.then_some(ipv6.source())
}

/// The upper-layer protocol and what there is of its header, also in a first fragment. `None`: it is in
/// another fragment, or hidden behind more extension headers than anybody needs.
fn upper_layer(first: u8, payload: &[u8]) -> Option<(u8, &[u8])> {
    let (mut number, mut rest) = (first, payload);
    for _ in 0..=MAX_EXTENSION_HEADERS {
        let header = || rest.first_chunk::<4>();
        let length = match number {
            0 | 43 | 60 => (usize::from(header()?[1]) + 1) * 8,
            51 => (usize::from(header()?[1]) + 2) * 4,
            // The upper 13 bits are the offset (RFC 8200 section 4.5).
            44 if u16::from_be_bytes([header()?[2], header()?[3]]) >> 3 == 0 => 8,
            44 => return None,
            _ => return Some((number, rest)),
        };
        number = header()?[0];
        rest = rest.get(length..)?;
    }
    None
}

#[cfg(test)]
mod tests;
