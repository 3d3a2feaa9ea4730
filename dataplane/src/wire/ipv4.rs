//! IPv4 (RFC 791).

use std::net::Ipv4Addr;

use super::checksum::{self, Delta};
use super::{Fragment, WireError, be16, bytes_at, header, set_be16};

/// Bytes of the header without options.
pub(crate) const LENGTH: usize = 20;

/// See the module's head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ipv4<'f> {
    fixed: &'f [u8; LENGTH],
    /// The whole header, options included.
    header: &'f [u8],
}

impl<'f> Ipv4<'f> {
    /// The header and the payload, cut to the packet's total length: Ethernet pads short frames.
    #[inline(always)]
    pub(crate) fn new_checked(packet: &'f [u8]) -> Result<(Self, &'f [u8]), WireError> {
        let (fixed, _) = header::<LENGTH>(packet)?;
        let header_length = usize::from(fixed[0] & 0x0f) * 4;
        let total_length = usize::from(be16::<2, _>(fixed));
        if fixed[0] >> 4 != 4 || header_length < LENGTH || total_length < header_length {
            return Err(WireError::Malformed);
        }
        let packet = packet.get(..total_length).ok_or(WireError::Truncated)?;
        let (header, payload) = packet.split_at_checked(header_length).ok_or(WireError::Truncated)?;
        Ok((Self { fixed, header }, payload))
    }

    /// The header of a packet that may be cut anywhere behind it, and what there is of the payload.
    pub(crate) fn new_quoted(packet: &'f [u8]) -> Result<(Self, &'f [u8]), WireError> {
        let (fixed, _) = header::<LENGTH>(packet)?;
        let header_length = usize::from(fixed[0] & 0x0f) * 4;
        let (header, payload) = packet.split_at_checked(header_length).ok_or(WireError::Truncated)?;
        let ipv4 = Self { fixed, header };
        match usize::from(ipv4.total_length()).checked_sub(header_length) {
            Some(length) if fixed[0] >> 4 == 4 && header_length >= LENGTH => {
                Ok((ipv4, payload.get(..length).unwrap_or(payload)))
            }
            _ => Err(WireError::Malformed),
        }
    }

    /// Whether the header's checksum is right (RFC 1812 section 5.2.2: a router must look).
    #[inline(always)]
    pub(crate) fn checksum_is_right(&self) -> bool {
        checksum::fold(checksum::sum(0, self.header)) == 0xffff
    }

    /// Whether this is a part of a larger packet.
    #[inline(always)]
    pub(crate) fn is_fragment(&self) -> bool {
        // More-fragments flag and offset; the don't-fragment flag is not among these bits.
        be16::<6, _>(self.fixed) & 0x3fff != 0
    }

    /// The flags and the offset as the wire has them.
    pub(crate) fn flags_and_offset(&self) -> u16 {
        be16::<6, _>(self.fixed)
    }

    /// Type of service: DSCP (RFC 2474) and ECN (RFC 3168).
    #[inline(always)]
    pub(crate) fn traffic_class(&self) -> u8 {
        self.fixed[1]
    }

    /// Length of the whole packet.
    #[inline(always)]
    pub(crate) fn total_length(&self) -> u16 {
        be16::<2, _>(self.fixed)
    }

    /// `None`: a whole packet.
    #[inline(always)]
    pub(crate) fn fragment(&self) -> Option<Fragment> {
        let flags = be16::<6, _>(self.fixed);
        self.is_fragment().then(|| Fragment {
            identification: be16::<4, _>(self.fixed).into(),
            offset: flags & 0x1fff,
            more: flags & 0x2000 != 0,
        })
    }

    /// Whether a source route names hops that are still to be visited (RFC 791 section 3.1): the
    /// destination address is not the packet's last then.
    pub(crate) fn has_source_route(&self) -> bool {
        let mut options = self.header.get(LENGTH..).unwrap_or_default();
        // Each round takes a byte at least, of forty at most.
        loop {
            options = match *options {
                [1, ref rest @ ..] => rest,
                [131 | 137, length, pointer, ..] if pointer <= length => return true,
                [2..=255, length @ 2..=255, ..] => options.get(usize::from(length)..).unwrap_or_default(),
                _ => return false,
            }
        }
    }

    #[inline(always)]
    pub(crate) fn header_length(&self) -> usize {
        self.header.len()
    }

    #[inline(always)]
    pub(crate) fn ttl(&self) -> u8 {
        self.fixed[8]
    }

    #[inline(always)]
    pub(crate) fn protocol(&self) -> u8 {
        self.fixed[9]
    }

    #[inline(always)]
    pub(crate) fn source(&self) -> Ipv4Addr {
        Ipv4Addr::from(bytes_at::<12, 4, _>(self.fixed))
    }

    #[inline(always)]
    pub(crate) fn destination(&self) -> Ipv4Addr {
        Ipv4Addr::from(bytes_at::<16, 4, _>(self.fixed))
    }
}

/// The fixed part of a header that [`Ipv4`] has checked, to rewrite.
#[derive(Debug)]
pub(crate) struct Ipv4Mut<'f>(&'f mut [u8; LENGTH]);

impl<'f> Ipv4Mut<'f> {
    /// `None`: fewer bytes than a header.
    #[inline(always)]
    pub(crate) fn new(packet: &'f mut [u8]) -> Option<(Self, &'f mut [u8])> {
        let (header, rest) = packet.split_first_chunk_mut()?;
        Some((Self(header), rest))
    }

    pub(crate) fn identification(&self) -> u16 {
        be16::<4, _>(self.0)
    }

    /// Announces another length, and another place in a larger packet: flags and offset as the wire has
    /// them. The checksum follows.
    pub(crate) fn become_fragment(&mut self, total_length: u16, flags_and_offset: u16) {
        let delta = Delta::default()
            .word(be16::<2, _>(self.0), total_length)
            .word(be16::<6, _>(self.0), flags_and_offset);
        set_be16::<2, _>(self.0, total_length);
        set_be16::<6, _>(self.0, flags_and_offset);
        self.set_checksum(delta.apply(self.checksum()));
    }

    /// Type of service: DSCP (RFC 2474) and ECN (RFC 3168).
    pub(crate) fn traffic_class(&self) -> u8 {
        self.0[1]
    }

    /// The checksum follows.
    pub(crate) fn set_traffic_class(&mut self, class: u8) {
        let before = be16::<0, _>(self.0);
        self.0[1] = class;
        let delta = Delta::default().word(before, be16::<0, _>(self.0));
        self.set_checksum(delta.apply(self.checksum()));
    }

    pub(crate) fn set_identification(&mut self, id: u16) {
        set_be16::<4, _>(self.0, id);
    }

    #[inline(always)]
    pub(crate) fn total_length(&self) -> u16 {
        be16::<2, _>(self.0)
    }

    #[inline(always)]
    pub(crate) fn set_total_length(&mut self, length: u16) {
        set_be16::<2, _>(self.0, length);
    }

    #[inline(always)]
    pub(crate) fn ttl_and_protocol(&self) -> u16 {
        be16::<8, _>(self.0)
    }

    #[inline(always)]
    pub(crate) fn ttl(&self) -> u8 {
        self.0[8]
    }

    #[inline(always)]
    pub(crate) fn set_ttl(&mut self, ttl: u8) {
        self.0[8] = ttl;
    }

    #[inline(always)]
    pub(crate) fn checksum(&self) -> u16 {
        be16::<10, _>(self.0)
    }

    #[inline(always)]
    pub(crate) fn set_checksum(&mut self, checksum: u16) {
        set_be16::<10, _>(self.0, checksum);
    }

    #[inline(always)]
    pub(crate) fn set_source(&mut self, address: Ipv4Addr) {
        self.0[12..16].copy_from_slice(&address.octets());
    }

    #[inline(always)]
    pub(crate) fn set_destination(&mut self, address: Ipv4Addr) {
        self.0[16..20].copy_from_slice(&address.octets());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet of 4 bytes of payload and 2 bytes of Ethernet padding; RFC 1071 sum by hand.
    const PACKET: [u8; 26] =
        [0x45, 0, 0, 24, 0, 1, 0x40, 0, 64, 17, 0x66, 0xce, 10, 0, 0, 2, 192, 0, 2, 1, 1, 2, 3, 4, 0, 0];

    fn with(at: usize, value: u8) -> [u8; 26] {
        let mut packet = PACKET;
        packet[at] = value;
        packet
    }

    #[test]
    fn fields_are_read_and_padding_is_cut_off() {
        let (ipv4, payload) = Ipv4::new_checked(&PACKET).unwrap();
        assert_eq!(payload, [1, 2, 3, 4]);
        assert_eq!((ipv4.ttl(), ipv4.protocol(), ipv4.header_length()), (64, 17, 20));
        assert_eq!(ipv4.source(), Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!(ipv4.destination(), Ipv4Addr::new(192, 0, 2, 1));
        assert!(!ipv4.is_fragment(), "don't-fragment alone makes no fragment");
        let mut zeroed = PACKET;
        zeroed[10..12].fill(0);
        let right = checksum::of(&zeroed[..20]).to_be_bytes();
        zeroed[10..12].copy_from_slice(&right);
        assert!(Ipv4::new_checked(&zeroed).unwrap().0.checksum_is_right());
        zeroed[8] ^= 1;
        assert!(!Ipv4::new_checked(&zeroed).unwrap().0.checksum_is_right());
    }

    #[test]
    fn lying_lengths_are_refused() {
        for (packet, error) in [
            (with(0, 0x65), WireError::Malformed),
            (with(0, 0x44), WireError::Malformed),
            (with(3, 19), WireError::Malformed),
            (with(3, 27), WireError::Truncated),
            (with(0, 0x47), WireError::Malformed),
        ] {
            assert_eq!(Ipv4::new_checked(&packet).map(|_| ()), Err(error), "{packet:x?}");
        }
        assert!(matches!(Ipv4::new_checked(&PACKET[..19]), Err(WireError::Truncated)));
    }

    #[test]
    fn a_quoted_packet_may_be_cut_behind_its_header() {
        for length in 20..24 {
            let (ipv4, payload) = Ipv4::new_quoted(&PACKET[..length]).unwrap();
            assert_eq!((ipv4.total_length(), payload.len()), (24, length - 20));
        }
        assert_eq!(Ipv4::new_quoted(&PACKET).unwrap().1, [1, 2, 3, 4], "padding is cut off");
        for (packet, error) in [
            (with(0, 0x65), WireError::Malformed),
            (with(0, 0x44), WireError::Malformed),
            (with(3, 19), WireError::Malformed),
            (with(0, 0x47), WireError::Truncated),
        ] {
            assert_eq!(Ipv4::new_quoted(&packet).map(|_| ()), Err(error), "{packet:x?}");
        }
        assert!(matches!(Ipv4::new_quoted(&PACKET[..19]), Err(WireError::Truncated)));
    }

    #[test]
    fn a_source_route_is_one_until_its_end_is_reached() {
        let with_options = |options: &[u8]| {
            let mut packet = PACKET[..20].to_vec();
            packet.extend(options);
            packet[0] = 0x40 | u8::try_from(packet.len() / 4).unwrap();
            packet[3] = u8::try_from(packet.len()).unwrap();
            Ipv4::new_checked(&packet).unwrap().0.has_source_route()
        };
        assert!(with_options(&[131, 7, 4, 10, 0, 0, 9, 0]), "loose");
        assert!(with_options(&[1, 137, 7, 4, 10, 0, 0, 9]), "strict, behind padding");
        assert!(with_options(&[148, 4, 0, 0, 131, 7, 4, 10, 0, 0, 9, 0]), "behind a router alert");
        assert!(!with_options(&[131, 7, 8, 10, 0, 0, 9, 0]), "all hops visited");
        assert!(!with_options(&[0, 131, 7, 4]), "behind the end of the list");
        assert!(!with_options(&[148, 0, 131, 7, 4, 10, 0, 0]), "behind an option without a length");
        assert!(!with_options(&[148, 40, 0, 0]) && !with_options(&[]));
    }

    #[test]
    fn more_fragments_or_an_offset_make_a_fragment() {
        for packet in [with(6, 0x20), with(7, 1)] {
            assert!(Ipv4::new_checked(&packet).unwrap().0.is_fragment());
        }
        let fragment = |packet: [u8; 26]| Ipv4::new_checked(&packet).unwrap().0.fragment();
        assert_eq!(fragment(PACKET), None);
        assert_eq!(fragment(with(7, 9)), Some(Fragment { identification: 1, offset: 9, more: false }));
        assert_eq!(fragment(with(6, 0x21)), Some(Fragment { identification: 1, offset: 256, more: true }));
    }
}
