//! What the two responders share: Ethernet framing and the Internet checksum.

use dataplane::types::Mac;

/// Length of an Ethernet header without a VLAN tag.
pub(super) const ETHERNET: usize = 14;

/// The shortest frame of IEEE 802.3, without its FCS. Shorter ones are padded here, because not
/// every driver pads what it is handed through AF_XDP.
pub(super) const MINIMUM: usize = 60;

/// Destination, source, EtherType and what follows them; `None` if cut short.
pub(super) fn split(frame: &[u8]) -> Option<(Mac, Mac, u16, &[u8])> {
    let (header, payload) = frame.split_first_chunk::<ETHERNET>()?;
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *header;
    let destination = Mac([d0, d1, d2, d3, d4, d5]);
    let source = Mac([s0, s1, s2, s3, s4, s5]);
    Some((destination, source, u16::from_be_bytes([t0, t1]), payload))
}

/// A frame of at least [`MINIMUM`] bytes.
pub(super) fn build(destination: Mac, source: Mac, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(MINIMUM.max(ETHERNET + payload.len()));
    frame.extend_from_slice(&destination.0);
    frame.extend_from_slice(&source.0);
    frame.extend_from_slice(&ethertype.to_be_bytes());
    frame.extend_from_slice(payload);
    frame.resize(frame.len().max(MINIMUM), 0);
    frame
}

/// Whether a station can have this address: neither a group nor all zeros.
pub(super) fn is_station(mac: Mac) -> bool {
    !mac.is_multicast() && mac != Mac([0; 6])
}

/// RFC 1071 over all parts as if they were one text; each part but the last has an even length.
/// Zero when computed over a text that holds its own correct checksum.
pub(super) fn checksum(parts: &[&[u8]]) -> u16 {
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
        assert_eq!(build(Mac::BROADCAST, Mac([2; 6]), 0x0806, &[1]).len(), MINIMUM);
        assert_eq!(build(Mac::BROADCAST, Mac([2; 6]), 0x86dd, &[1; 72]).len(), ETHERNET + 72);
    }
}
