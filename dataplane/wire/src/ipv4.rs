//! IPv4 (RFC 791).

use std::net::Ipv4Addr;

use super::checksum::{self, Delta};
use super::{Fragment, WireError, be16, bytes_at, header, set_be16};

/// Bytes of the header without options.
pub const LENGTH: usize = 20;

/// A checked view of an IPv4 header.
#[derive(Debug, Clone, Copy)]
pub struct Ipv4<'f> {
    fixed: &'f [u8; LENGTH],
    /// The whole header, options included.
    header: &'f [u8],
}

impl<'f> Ipv4<'f> {
    /// The header and the payload. The payload is cut to the total length because Ethernet pads short
    /// frames.
    ///
    /// # Errors
    /// [`WireError::Malformed`]: wrong version, or lengths that contradict each other.
    /// [`WireError::Truncated`]: `packet` is shorter than the total length.
    #[inline(always)]
    pub fn new_checked(packet: &'f [u8]) -> Result<(Self, &'f [u8]), WireError> {
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

    /// The header of a packet whose payload may be cut, and the bytes of the payload that are present:
    /// the packet that an ICMP error quotes.
    ///
    /// # Errors
    /// As [`Self::new_checked`], but only the header must be complete.
    pub fn new_quoted(packet: &'f [u8]) -> Result<(Self, &'f [u8]), WireError> {
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

    /// Whether the header checksum is right. A router must verify it (RFC 1812 section 5.2.2).
    #[inline(always)]
    pub fn checksum_is_right(&self) -> bool {
        checksum::fold(checksum::sum(0, self.header)) == 0xffff
    }

    /// Whether the packet is a fragment.
    #[inline(always)]
    pub fn is_fragment(&self) -> bool {
        // More-fragments flag and offset, without the don't-fragment flag.
        be16::<6, _>(self.fixed) & 0x3fff != 0
    }

    /// Flags and fragment offset as one 16-bit word in wire layout.
    pub fn flags_and_offset(&self) -> u16 {
        be16::<6, _>(self.fixed)
    }

    /// Type of service: DSCP (RFC 2474) and ECN (RFC 3168).
    #[inline(always)]
    pub fn traffic_class(&self) -> u8 {
        self.fixed[1]
    }

    /// Length of the whole packet.
    #[inline(always)]
    pub fn total_length(&self) -> u16 {
        be16::<2, _>(self.fixed)
    }

    /// Position in the fragmented packet; `None` for a packet that is not fragmented.
    #[inline(always)]
    pub fn fragment(&self) -> Option<Fragment> {
        let flags = be16::<6, _>(self.fixed);
        self.is_fragment().then(|| Fragment {
            identification: be16::<4, _>(self.fixed).into(),
            offset: flags & 0x1fff,
            more: flags & 0x2000 != 0,
        })
    }

    /// Whether a source route has hops left (RFC 791 section 3.1). The destination address is then not
    /// the packet's final one.
    pub fn has_source_route(&self) -> bool {
        let mut options = self.header.get(LENGTH..).unwrap_or_default();
        // Each iteration consumes at least one of at most forty bytes.
        loop {
            options = match *options {
                [1, ref rest @ ..] => rest,
                [131 | 137, length, pointer, ..] if pointer <= length => return true,
                [2..=255, length @ 2..=255, ..] => options.get(usize::from(length)..).unwrap_or_default(),
                _ => return false,
            }
        }
    }

    /// Header length in bytes, options included.
    #[inline(always)]
    pub fn header_length(&self) -> usize {
        self.header.len()
    }

    /// The time to live.
    #[inline(always)]
    pub fn ttl(&self) -> u8 {
        self.fixed[8]
    }

    /// The protocol number of the payload (IANA).
    #[inline(always)]
    pub fn protocol(&self) -> u8 {
        self.fixed[9]
    }

    /// The source address.
    #[inline(always)]
    pub fn source(&self) -> Ipv4Addr {
        Ipv4Addr::from(bytes_at::<12, 4, _>(self.fixed))
    }

    /// The destination address.
    #[inline(always)]
    pub fn destination(&self) -> Ipv4Addr {
        Ipv4Addr::from(bytes_at::<16, 4, _>(self.fixed))
    }
}

/// A mutable view of the fixed part of a header that [`Ipv4`] has checked.
#[derive(Debug)]
pub struct Ipv4Mut<'f>(&'f mut [u8; LENGTH]);

impl<'f> Ipv4Mut<'f> {
    /// `None`: fewer bytes than a header.
    #[inline(always)]
    pub fn new(packet: &'f mut [u8]) -> Option<(Self, &'f mut [u8])> {
        let (header, rest) = packet.split_first_chunk_mut()?;
        Some((Self(header), rest))
    }

    /// The identification field.
    pub fn identification(&self) -> u16 {
        be16::<4, _>(self.0)
    }

    /// Sets total length, flags and fragment offset (wire layout), and updates the checksum.
    pub fn become_fragment(&mut self, total_length: u16, flags_and_offset: u16) {
        let delta = Delta::default()
            .word(be16::<2, _>(self.0), total_length)
            .word(be16::<6, _>(self.0), flags_and_offset);
        set_be16::<2, _>(self.0, total_length);
        set_be16::<6, _>(self.0, flags_and_offset);
        self.set_checksum(delta.apply(self.checksum()));
    }

    /// Type of service: DSCP (RFC 2474) and ECN (RFC 3168).
    pub fn traffic_class(&self) -> u8 {
        self.0[1]
    }

    /// Sets DSCP and ECN, and updates the checksum.
    pub fn set_traffic_class(&mut self, class: u8) {
        let before = be16::<0, _>(self.0);
        self.0[1] = class;
        let delta = Delta::default().word(before, be16::<0, _>(self.0));
        self.set_checksum(delta.apply(self.checksum()));
    }

    /// Sets the identification field.
    pub fn set_identification(&mut self, id: u16) {
        set_be16::<4, _>(self.0, id);
    }

    /// Length of the whole packet in bytes.
    #[inline(always)]
    pub fn total_length(&self) -> u16 {
        be16::<2, _>(self.0)
    }

    /// Sets the length of the whole packet, in bytes.
    #[inline(always)]
    pub fn set_total_length(&mut self, length: u16) {
        set_be16::<2, _>(self.0, length);
    }

    /// TTL and protocol as one 16-bit word, for checksum updates.
    #[inline(always)]
    pub fn ttl_and_protocol(&self) -> u16 {
        be16::<8, _>(self.0)
    }

    /// The time to live.
    #[inline(always)]
    pub fn ttl(&self) -> u8 {
        self.0[8]
    }

    /// Sets the time to live.
    #[inline(always)]
    pub fn set_ttl(&mut self, ttl: u8) {
        self.0[8] = ttl;
    }

    /// The checksum field.
    #[inline(always)]
    pub fn checksum(&self) -> u16 {
        be16::<10, _>(self.0)
    }

    /// Sets the checksum field.
    #[inline(always)]
    pub fn set_checksum(&mut self, checksum: u16) {
        set_be16::<10, _>(self.0, checksum);
    }

    /// Sets the source address.
    #[inline(always)]
    pub fn set_source(&mut self, address: Ipv4Addr) {
        self.0[12..16].copy_from_slice(&address.octets());
    }

    /// Sets the destination address.
    #[inline(always)]
    pub fn set_destination(&mut self, address: Ipv4Addr) {
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
