//! Adverts in their frames: what is around the message of [`advert`](super::advert).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dataplane::types::Mac;

use super::advert::{Endpoints, HopLimit, PROTOCOL};
use crate::net::frame;

/// `EtherType`s.
pub const IPV4: u16 = 0x0800;
/// See [`IPV4`].
pub const IPV6: u16 = 0x86dd;

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
/// Internetwork control (RFC 2474 section 4.2.2.2), as Keepalived and FRR send.
const CLASS: u8 = 0xc0;
const DO_NOT_FRAGMENT: u8 = 0x40;

/// Where adverts go over IPv4 (RFC 1112 section 6.4 of 224.0.0.18).
pub const GROUP4_MAC: Mac = Mac([0x01, 0x00, 0x5e, 0x00, 0x00, 0x12]);
/// The same over IPv6 (RFC 2464 section 7).
pub const GROUP6_MAC: Mac = Mac([0x33, 0x33, 0x00, 0x00, 0x00, 0x12]);

/// A message, and what its IP header says of it.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'f> {
    /// From where to where.
    pub endpoints: Endpoints,
    /// How far it may have come.
    pub hop_limit: HopLimit,
    /// Without what Ethernet has filled it up with.
    pub message: &'f [u8],
}

impl<'f> Packet<'f> {
    /// `None`: no whole packet of VRRP.
    #[must_use]
    pub fn of_frame(frame: &'f [u8]) -> Option<Self> {
        let frame = frame::split(frame)?;
        match frame.ethertype {
            IPV4 => Self::of_ipv4(frame.payload),
            IPV6 => Self::of_ipv6(frame.payload),
            _ => None,
        }
    }

    fn of_ipv4(packet: &'f [u8]) -> Option<Self> {
        let header: &[u8; IPV4_HEADER] = packet.first_chunk()?;
        let (length, whole) = (usize::from(header[0] & 0x0f) * 4, u16::from_be_bytes([header[2], header[3]]));
        // More fragments, or a later one.
        let is_part = u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0;
        if header[0] >> 4 != 4 || length < IPV4_HEADER || is_part || header[9] != PROTOCOL {
            return None;
        }
        if frame::checksum(&[packet.get(..length)?]) != 0 {
            return None;
        }
        let address = |at: usize| Ipv4Addr::from(std::array::from_fn::<u8, 4, _>(|i| header[at + i]));
        Some(Self {
            endpoints: Endpoints::V4 { source: address(12), destination: address(16) },
            hop_limit: HopLimit(header[8]),
            message: packet.get(length..usize::from(whole))?,
        })
    }

    fn of_ipv6(packet: &'f [u8]) -> Option<Self> {
        let (header, rest) = packet.split_first_chunk::<IPV6_HEADER>()?;
        if header[0] >> 4 != 6 || header[6] != PROTOCOL {
            return None;
        }
        let address = |at: usize| Ipv6Addr::from(std::array::from_fn::<u8, 16, _>(|i| header[at + i]));
        Some(Self {
            endpoints: Endpoints::V6 { source: address(8), destination: address(24) },
            hop_limit: HopLimit(header[7]),
            message: rest.get(..usize::from(u16::from_be_bytes([header[4], header[5]])))?,
        })
    }
}

/// The frame of a message to all.
#[must_use]
pub fn multicast(source: IpAddr, mac: Mac, message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
    match Endpoints::multicast(source) {
        Endpoints::V4 { source, destination } => {
            let [high, low] = length.saturating_add(20).to_be_bytes();
            let mut packet = vec![0x45, CLASS, high, low, 0, 0, DO_NOT_FRAGMENT, 0];
            packet.extend([HopLimit::UNROUTED.0, PROTOCOL, 0, 0]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            let sum = frame::checksum(&[&packet]).to_be_bytes();
            packet[10..12].copy_from_slice(&sum);
            packet.extend(message);
            frame::build(GROUP4_MAC, mac, &[], IPV4, &packet)
        }
        Endpoints::V6 { source, destination } => {
            let [high, low] = length.to_be_bytes();
            let mut packet = vec![0x60 | CLASS >> 4, CLASS << 4, 0, 0, high, low];
            packet.extend([PROTOCOL, HopLimit::UNROUTED.0]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            packet.extend(message);
            frame::build(GROUP6_MAC, mac, &[], IPV6, &packet)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: Mac = Mac([0, 0, 0x5e, 0, 1, 51]);

    fn sources() -> [IpAddr; 2] {
        ["10.0.0.1", "fe80::1"].map(|source| source.parse().unwrap())
    }

    #[test]
    fn what_is_sent_is_read_back_without_its_padding() {
        for source in sources() {
            for message in [&[7; 12][..], &[9; 100]] {
                let frame = multicast(source, MAC, message);
                assert!(frame.len() >= 60 && frame[6..12] == MAC.0);
                let packet = Packet::of_frame(&frame).unwrap();
                assert_eq!((packet.message, packet.hop_limit), (message, HopLimit(255)));
                assert_eq!(packet.endpoints, Endpoints::multicast(source));
            }
        }
    }

    #[test]
    fn parts_and_broken_headers_are_no_packets() {
        let [four, six] = sources().map(|source| multicast(source, MAC, &[7; 12]));
        for (at, byte) in [(14, 0x44), (14, 0x55), (16, 9), (20, 0x20), (23, 111), (24, 1)] {
            let mut frame = four.clone();
            frame[at] = byte;
            assert!(Packet::of_frame(&frame).is_none(), "{at}");
        }
        for (at, byte) in [(14, 0x40), (18, 9), (20, 111)] {
            let mut frame = six.clone();
            frame[at] = byte;
            assert!(Packet::of_frame(&frame).is_none(), "{at}");
        }
    }

    proptest! {
        #[test]
        fn no_frame_makes_it_panic(
            which in 0_usize..2,
            changes in proptest::collection::vec((0_usize..80, any::<u8>()), 0..6),
            length in 0_usize..80,
        ) {
            let mut frame = multicast(sources()[which], MAC, &[7; 12]);
            for (at, byte) in changes {
                if let Some(place) = frame.get_mut(at) {
                    *place = byte;
                }
            }
            frame.truncate(length);
            if let Some(packet) = Packet::of_frame(&frame) {
                prop_assert!(packet.message.len() < frame.len());
            }
        }
    }
}
