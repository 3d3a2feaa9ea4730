//! TCP segments that the box sends in a peer's name, and where those of the peers are in their frames.

use super::Reason;
use super::options::OptionBytes;
use crate::flow::{Addresses, Tuple};
use crate::io::Frame;
use crate::types::Protocol;
use crate::wire::checksum::{fold, sum};
use crate::wire::compose::{self, Payload, pseudo_header};
use crate::wire::ethernet::{self, ethertype};
use crate::wire::tcp::{self, Flags, Sequence, Tcp};
use crate::wire::tcp_options::MAX_HEADER;

/// Where a TCP segment is in its frame, and whose it is. The packet is whole: no fragment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) tuple: Tuple,
    /// Where the IP header begins, behind whatever VLAN tags.
    pub(crate) network: usize,
    /// Where the TCP header begins.
    pub(crate) transport: usize,
    /// Where the packet ends: the frame may be padded.
    pub(crate) end: usize,
}

impl Place {
    /// The segment, if its checksum is right. The box's own segments are made of what it says, under
    /// checksums of their own: damage would not be noticed any more.
    pub(super) fn segment<'f>(&self, frame: &'f [u8]) -> Result<&'f [u8], Reason> {
        let segment = frame.get(self.transport..self.end).ok_or(Reason::Broken)?;
        let pseudo = pseudo_sum(&self.tuple.addresses, segment.len());
        if fold(sum(pseudo, segment)) == 0xffff { Ok(segment) } else { Err(Reason::BadChecksum) }
    }
}

/// The header of a segment, checked, of a frame's segment.
pub(super) fn header(segment: &[u8]) -> Result<Tcp<'_>, Reason> {
    Tcp::new_checked(segment).map_err(|_| Reason::Broken)
}

/// A segment without data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) sequence: Sequence,
    pub(crate) acknowledgement: Sequence,
    pub(crate) flags: Flags,
    /// As it stands there: not scaled.
    pub(crate) window: u16,
    pub(crate) options: OptionBytes,
}

impl Segment {
    /// Of the packets it is put into.
    pub(crate) const TTL: u8 = compose::TTL;

    /// A reset.
    pub(super) fn reset(sequence: Sequence, acknowledgement: Option<Sequence>) -> Self {
        Self {
            sequence,
            acknowledgement: acknowledgement.unwrap_or(Sequence(0)),
            flags: Flags(Flags::RST | if acknowledgement.is_some() { Flags::ACK } else { 0 }),
            window: 0,
            options: OptionBytes::default(),
        }
    }

    /// Makes this the packet of `frame`, from one end of `tuple` to the other. What the frame has in front of
    /// `network` stays: MAC addresses, which are the caller's, and VLAN tags. Its EtherType becomes that of the family.
    /// `None`, and the frame is of no use: it is shorter than that, or its chunk has no room.
    pub(crate) fn put(&self, frame: &mut Frame, network: usize, tuple: &Tuple) -> Option<()> {
        let mut buffer = [0; MAX_HEADER];
        let segment = self.write(&mut buffer, tuple)?;
        let payload = Payload {
            traffic_class: 0,
            protocol: Protocol::Tcp.number(),
            length: segment.len().try_into().ok()?,
        };
        let link = frame.bytes_mut().get_mut(..network)?;
        let kind = link.last_chunk_mut::<2>().filter(|_| network >= ethernet::LENGTH)?;
        match tuple.addresses {
            Addresses::V4 { source, destination } => {
                *kind = ethertype::IPV4.to_be_bytes();
                frame.truncate(network);
                frame.append(&compose::ipv4(payload, None, source, destination))?;
            }
            Addresses::V6 { source, destination } => {
                *kind = ethertype::IPV6.to_be_bytes();
                frame.truncate(network);
                frame.append(&compose::ipv6(payload, 0, source, destination))?;
            }
        }
        frame.append(segment)
    }

    /// The segment's bytes.
    fn write<'b>(&self, buffer: &'b mut [u8; MAX_HEADER], tuple: &Tuple) -> Option<&'b [u8]> {
        let options = self.options.bytes();
        let length = tcp::LENGTH + options.len();
        let segment = buffer.get_mut(..length)?;
        let (header, rest) = segment.split_first_chunk_mut::<{ tcp::LENGTH }>()?;
        rest.copy_from_slice(options);
        header[..2].copy_from_slice(&tuple.source_port.0.to_be_bytes());
        header[2..4].copy_from_slice(&tuple.destination_port.0.to_be_bytes());
        header[4..8].copy_from_slice(&self.sequence.0.to_be_bytes());
        header[8..12].copy_from_slice(&self.acknowledgement.0.to_be_bytes());
        // Words of four bytes, in the upper half of the byte.
        header[12] = u8::try_from(length / 4).ok()? << 4;
        header[13] = self.flags.0;
        header[14..16].copy_from_slice(&self.window.to_be_bytes());
        let checksum = !fold(sum(pseudo_sum(&tuple.addresses, length), segment));
        segment.get_mut(16..18)?.copy_from_slice(&checksum.to_be_bytes());
        Some(segment)
    }
}

/// The sum over the pseudo-header.
fn pseudo_sum(addresses: &Addresses, length: usize) -> u64 {
    let number = Protocol::Tcp.number();
    match addresses {
        Addresses::V4 { source, destination } => {
            sum(pseudo_header(&source.octets(), number, length), &destination.octets())
        }
        Addresses::V6 { source, destination } => {
            sum(pseudo_header(&source.octets(), number, length), &destination.octets())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::{SynOptions, Timestamps, WindowScale};
    use super::super::testing::{chunk, place, tuple};
    use super::*;
    use crate::testing::frames::frame;
    use crate::types::Mac;
    use crate::wire::tcp_options::Mss;
    use proptest::prelude::*;

    const NEAR: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const FAR: Mac = Mac([2, 0, 0, 0, 0, 2]);

    fn syn() -> SynOptions {
        SynOptions {
            mss: Some(Mss(1460)),
            window_scale: Some(WindowScale::new(7)),
            sack_permitted: true,
            timestamps: Some(Timestamps { value: 0x0102_0304, echo: 5 }),
        }
    }

    #[test]
    fn a_segment_becomes_the_packet_of_any_frame() {
        for v6 in [false, true] {
            for tags in [&[][..], &[(0x8100, 7)], &[(0x88a8, 7), (0x8100, 8)]] {
                for options in [syn().write(), OptionBytes::default(), OptionBytes::of(syn().timestamps)] {
                    let (client, vip) =
                        if v6 { ("2001:db8::7", "fd00::64") } else { ("192.0.2.7", "10.0.0.100") };
                    let segment = Segment {
                        sequence: Sequence(u32::MAX),
                        acknowledgement: Sequence(9),
                        flags: Flags(Flags::SYN | Flags::ACK),
                        window: 0xfedc,
                        options,
                    };
                    // What was in the frame before may be of the other family, and shorter or longer.
                    for before in [("10.0.0.1", "10.0.0.2", 0), ("fd00::1", "fd00::2", 1400)] {
                        let (source, destination, length) = before;
                        let old =
                            frame((NEAR, source), (FAR, destination)).tags(tags).payload(&vec![7; length]);
                        let mut frame = Frame::copied(chunk(), &old.build());
                        let network = 14 + 4 * tags.len();
                        segment.put(&mut frame, network, &tuple(v6)).unwrap();
                        let built = crate::testing::frames::frame((NEAR, client), (FAR, vip))
                            .tags(tags)
                            .identification(0)
                            .tcp(40000, 80, segment.flags.0)
                            .numbers(u32::MAX, 9)
                            .window(0xfedc)
                            .tcp_options(options.bytes())
                            .payload(&[])
                            .build();
                        assert_eq!(frame.bytes(), built, "v6 {v6}, {tags:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_frame_without_a_link_header_is_refused() {
        let mut frame = Frame::copied(chunk(), &[0; 13]);
        let segment = Segment::reset(Sequence(1), None);
        assert_eq!(segment.put(&mut frame, 14, &tuple(false)), None);
        assert_eq!(segment.put(&mut frame, 13, &tuple(false)), None);
        assert_eq!(frame.bytes(), [0; 13]);
    }

    #[test]
    fn damage_anywhere_in_a_segment_is_noticed() {
        for v6 in [false, true] {
            let (client, vip) = if v6 { ("2001:db8::7", "fd00::64") } else { ("192.0.2.7", "10.0.0.100") };
            let mut bytes = frame((NEAR, client), (FAR, vip)).tcp(40000, 80, Flags::ACK).build();
            let place = place(v6, &bytes, false);
            bytes.extend([1, 2, 3]);
            assert_eq!(place.segment(&bytes).map(<[u8]>::len), Ok(28), "padding aside");
            for at in place.transport..place.end {
                let mut bytes = bytes.clone();
                bytes[at] ^= 4;
                assert_eq!(place.segment(&bytes), Err(Reason::BadChecksum));
            }
            assert_eq!(place.segment(&bytes[..50]), Err(Reason::Broken));
        }
    }

    proptest! {
        #[test]
        fn no_frame_is_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..200), network in 0..300_usize, v6: bool) {
            let mut frame = Frame::copied(chunk(), &bytes);
            let put = Segment::reset(Sequence(1), Some(Sequence(2))).put(&mut frame, network, &tuple(v6));
            prop_assert_eq!(put.is_some(), network >= 14 && network <= bytes.len());
        }
    }
}
