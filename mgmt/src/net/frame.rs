//! What the two responders share: Ethernet framing and the Internet checksum.

use dataplane::types::Mac;

/// Length of an Ethernet header without a VLAN tag.
pub(super) const ETHERNET: usize = 14;

/// The shortest frame of IEEE 802.3, without its FCS and tags. Shorter ones are padded here, because
/// not every driver pads what it is handed through AF_XDP.
pub(super) const MINIMUM: usize = 60;

/// A VLAN tag: TPID and TCI.
const TAG: usize = 4;
/// A customer's tag in a provider's (IEEE 802.1ad); nobody nests them deeper.
const MAX_TAGS: usize = 2;
/// IEEE 802.1Q, customer's and provider's.
const TPIDS: [[u8; 2]; 2] = [[0x81, 0x00], [0x88, 0xa8]];

/// A frame taken apart.
pub(crate) struct Frame<'f> {
    pub(crate) source: Mac,
    /// The VLAN tags as they stand there: what an answer has to carry to be heard where it was asked.
    pub(crate) tags: &'f [u8],
    pub(crate) ethertype: u16,
    pub(crate) payload: &'f [u8],
}

/// `None`: cut short.
pub(crate) fn split(frame: &[u8]) -> Option<Frame<'_>> {
    let (addresses, rest) = frame.split_first_chunk::<12>()?;
    let [.., s0, s1, s2, s3, s4, s5] = *addresses;
    let is_tag =
        |n: &usize| TPIDS.iter().any(|tpid| rest.get(n * TAG..).is_some_and(|r| r.starts_with(tpid)));
    let tags = (0..MAX_TAGS).take_while(is_tag).count();
    let (tags, rest) = rest.split_at_checked(tags * TAG)?;
    let (ethertype, payload) = rest.split_first_chunk()?;
    let source = Mac([s0, s1, s2, s3, s4, s5]);
    Some(Frame { source, tags, ethertype: u16::from_be_bytes(*ethertype), payload })
}

/// A frame of at least [`MINIMUM`] bytes.
pub(crate) fn build(destination: Mac, source: Mac, tags: &[u8], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let (shortest, length) = (MINIMUM + tags.len(), ETHERNET + tags.len() + payload.len());
    let mut frame = Vec::with_capacity(shortest.max(length));
    frame.extend_from_slice(&destination.0);
    frame.extend_from_slice(&source.0);
    frame.extend_from_slice(tags);
    frame.extend_from_slice(&ethertype.to_be_bytes());
    frame.extend_from_slice(payload);
    frame.resize(shortest.max(length), 0);
    frame
}

/// Whether a station can have this address: neither a group nor all zeros.
pub(super) fn is_station(mac: Mac) -> bool {
    !mac.is_multicast() && mac != Mac([0; 6])
}

/// RFC 1071 over all parts as if they were one text; each part but the last has an even length.
/// Zero when computed over a text that holds its own correct checksum.
pub(crate) fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u64;
    for part in parts {
        let words = part.chunks(2);
        sum += words.map(|w| u64::from(u16::from_be_bytes([w[0], *w.get(1).unwrap_or(&0)]))).sum::<u64>();
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_agrees_with_rfc_1071_section_3() {
        let text = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(&[&text]), !0xddf2);
        assert_eq!(checksum(&[&text, &0x220d_u16.to_be_bytes()]), 0);
    }

    #[test]
    fn short_frames_are_padded_and_long_ones_left_alone() {
        let build = |tags, payload| build(Mac::BROADCAST, Mac([2; 6]), tags, 0x0806, payload).len();
        assert_eq!(build(&[], &[1]), MINIMUM);
        assert_eq!(build(&[0x81, 0, 0, 7], &[1]), MINIMUM + 4);
        assert_eq!(build(&[], &[1; 72]), ETHERNET + 72);
    }

    #[test]
    fn up_to_two_tags_are_taken_off_and_no_third_one() {
        let frame = |tags: &[u8]| [&[2; 12], tags, &[0x08, 0x06, 9]].concat();
        let (one, two) = ([0x81, 0, 0x20, 7], [0x88, 0xa8, 0, 5, 0x81, 0, 0x20, 7]);
        for tags in [&[][..], &one, &two] {
            let bytes = frame(tags);
            let found = split(&bytes).unwrap();
            assert_eq!((found.tags, found.ethertype, found.payload), (tags, 0x0806, &[9][..]));
        }
        let three = frame(&[&one[..], &two].concat());
        let found = split(&three).unwrap();
        assert_eq!((found.tags.len(), found.ethertype), (8, 0x8100));
        assert!(split(&frame(&one)[..17]).is_none());
    }
}
