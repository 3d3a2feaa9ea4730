//! The frames that nearly all are: untagged, a whole TCP segment or UDP datagram, no options in the IP header.
//!
//! What this says of a frame is what the whole parser says, in a third of the time. It has no word for what is
//! wrong with a frame: of one that is not in order in every respect it says nothing.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::number;
use crate::flow::{Addresses, Tuple};
use crate::packet::{Content, Headers, Piece};
use crate::types::{Port, Protocol, VlanId};
use crate::wire::ethernet::{self, ethertype};
use crate::wire::tcp::Flags;
use crate::wire::{checksum, ipv4, ipv6, tcp, udp};

const IP: usize = ethernet::LENGTH;

/// Gives `found` the headers of such a frame; `None`: it is not one. `found` is compiled once for each family, so
/// that it deals with one kind of addresses at a time.
#[inline(always)]
pub(super) fn parse(frame: &[u8], found: impl FnOnce(Headers)) -> Option<()> {
    match be16(frame.first_chunk::<IP>()?, 12) {
        ethertype::IPV4 => found(over_ipv4(frame)?),
        ethertype::IPV6 => found(over_ipv6(frame)?),
        _ => return None,
    }
    Some(())
}

#[inline(always)]
fn over_ipv4(frame: &[u8]) -> Option<Headers> {
    const TRANSPORT: usize = IP + ipv4::LENGTH;
    /// More fragments, and the offset.
    const PIECE: u16 = 0x3fff;
    let head = frame.first_chunk::<{ TRANSPORT + udp::LENGTH }>()?;
    let (_, header) = head.first_chunk::<TRANSPORT>()?.split_last_chunk::<{ ipv4::LENGTH }>()?;
    let packet_length = be16(header, 2);
    let segment = usize::from(packet_length).checked_sub(ipv4::LENGTH)?;
    if header[0] != 0x45
        || IP + usize::from(packet_length) > frame.len()
        || be16(header, 6) & PIECE != 0
        || !checksum::is_right_over(header)
    {
        return None;
    }
    let addresses = Addresses::V4 {
        source: Ipv4Addr::new(header[12], header[13], header[14], header[15]),
        destination: Ipv4Addr::new(header[16], header[17], header[18], header[19]),
    };
    let (protocol, flags) = match header[9] {
        number::TCP => {
            (Protocol::Tcp, tcp_flags(frame.first_chunk::<{ TRANSPORT + tcp::LENGTH }>()?, segment)?)
        }
        number::UDP => (Protocol::Udp, udp_flags(head, segment)?),
        _ => return None,
    };
    let [.., a, b, c, d, _, _, _, _] = *head;
    headers(addresses, [a, b, c, d], (protocol, flags), TRANSPORT, packet_length, header[8])
}

#[inline(always)]
fn over_ipv6(frame: &[u8]) -> Option<Headers> {
    const TRANSPORT: usize = IP + ipv6::LENGTH;
    let head = frame.first_chunk::<{ TRANSPORT + udp::LENGTH }>()?;
    let (_, header) = head.first_chunk::<TRANSPORT>()?.split_last_chunk::<{ ipv6::LENGTH }>()?;
    let payload_length = be16(header, 4);
    let segment = usize::from(payload_length);
    if header[0] >> 4 != 6 || TRANSPORT + segment > frame.len() {
        return None;
    }
    let (_, addresses) = header.split_last_chunk::<32>()?;
    let (source, destination) = (addresses.first_chunk::<16>()?, addresses.last_chunk::<16>()?);
    let addresses =
        Addresses::V6 { source: Ipv6Addr::from(*source), destination: Ipv6Addr::from(*destination) };
    let (protocol, flags) = match header[6] {
        number::TCP => {
            (Protocol::Tcp, tcp_flags(frame.first_chunk::<{ TRANSPORT + tcp::LENGTH }>()?, segment)?)
        }
        number::UDP => (Protocol::Udp, udp_flags(head, segment)?),
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, reason = "forty")]
    let packet_length = payload_length.checked_add(ipv6::LENGTH as u16)?;
    let [.., a, b, c, d, _, _, _, _] = *head;
    headers(addresses, [a, b, c, d], (protocol, flags), TRANSPORT, packet_length, header[7])
}

/// The flags of a frame that ends with a TCP header, if its options lie inside the segment.
#[inline(always)]
fn tcp_flags<const N: usize>(head: &[u8; N], segment: usize) -> Option<Flags> {
    let [offset, flags, ..] = *head.last_chunk::<8>()?;
    let length = usize::from(offset >> 4) * 4;
    (tcp::LENGTH..=segment).contains(&length).then_some(Flags(flags))
}

/// None, of a frame that ends with a UDP header, if what it announces lies inside the packet.
#[inline(always)]
fn udp_flags<const N: usize>(head: &[u8; N], segment: usize) -> Option<Flags> {
    let [high, low, ..] = *head.last_chunk::<4>()?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    (udp::LENGTH..=segment).contains(&length).then_some(Flags::default())
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "offsets of fixed headers")]
fn headers(
    addresses: Addresses,
    [a, b, c, d]: [u8; 4],
    (protocol, flags): (Protocol, Flags),
    transport: usize,
    packet_length: u16,
    ttl: u8,
) -> Option<Headers> {
    let (source_port, destination_port) =
        (Port(u16::from_be_bytes([a, b])), Port(u16::from_be_bytes([c, d])));
    Some(Headers {
        tuple: Tuple { addresses, source_port, destination_port, protocol },
        content: Content::Segment { flags },
        network: IP as u16,
        transport: transport as u16,
        packet_length,
        ttl,
        piece: Piece::Whole,
        vlan: VlanId(0),
    })
}

#[inline(always)]
fn be16<const N: usize>(bytes: &[u8; N], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::parse::{Parsed, parse_whole};
    use crate::testing::frames::{Build, frame};
    use crate::types::Mac;
    use proptest::prelude::*;

    fn build(v6: bool) -> Build {
        let (client, vip) = if v6 { ("2001:db8::7", "fd00::64") } else { ("192.0.2.7", "10.0.0.100") };
        frame((Mac::default(), client), (Mac::default(), vip))
    }

    fn said(frame: &[u8]) -> Option<Headers> {
        let mut said = None;
        assert_eq!(parse(frame, |headers| said = Some(headers)).is_some(), said.is_some());
        said
    }

    fn agree(frame: &[u8]) -> bool {
        match (said(frame), parse_whole(frame)) {
            (None, _) => true,
            (Some(said), Ok(Parsed::Headers(whole))) => format!("{said:?}") == format!("{whole:?}"),
            (Some(_), _) => false,
        }
    }

    #[test]
    fn what_is_in_order_is_ordinary() {
        for v6 in [false, true] {
            for (tcp, payload) in [(true, &b""[..]), (true, b"odd"), (false, b""), (false, b"even")] {
                let build = if tcp { build(v6).tcp(40000, 80, 0x18) } else { build(v6).udp(40000, 53) };
                let frame = build.payload(payload).build();
                assert!(said(&frame).is_some() && agree(&frame), "{v6} {tcp}");
                let padded = [&frame[..], &[0; 20]].concat();
                assert!(said(&padded).is_some() && agree(&padded));
            }
        }
    }

    proptest! {
        #[test]
        fn it_never_says_what_the_whole_parser_does_not(
            v6: bool,
            tcp: bool,
            changes in proptest::collection::vec((0_usize..80, any::<u8>()), 0..4),
            cut in 0_usize..100,
        ) {
            let build = if tcp { build(v6).tcp(40000, 80, 0x18) } else { build(v6).udp(40000, 53) };
            let mut frame = build.payload(b"some payload").build();
            frame.truncate(cut.max(20));
            for (at, byte) in changes {
                if let Some(place) = frame.get_mut(at) {
                    *place = byte;
                }
            }
            prop_assert!(agree(&frame), "{frame:02x?}");
        }
    }
}
