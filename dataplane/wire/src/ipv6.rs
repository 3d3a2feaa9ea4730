//! IPv6 and its extension headers (RFC 8200).

use std::net::Ipv6Addr;

use super::{Fragment, WireError, be16, bytes_at, header, set_be16};
use crate::limits::MAX_EXTENSION_HEADERS;

/// Bytes of the fixed header.
pub const LENGTH: usize = 40;

/// Bytes of a fragment header.
pub const FRAGMENT_LENGTH: usize = 8;

/// A checked view of an IPv6 header.
#[derive(Debug, Clone, Copy)]
pub struct Ipv6<'f>(&'f [u8; LENGTH]);

impl<'f> Ipv6<'f> {
    /// The header and the payload, cut to the payload length.
    ///
    /// # Errors
    /// [`WireError::Malformed`]: wrong version. [`WireError::Truncated`]: `packet` is shorter than header
    /// and payload length.
    #[inline(always)]
    pub fn new_checked(packet: &'f [u8]) -> Result<(Self, &'f [u8]), WireError> {
        let (fixed, rest) = header::<LENGTH>(packet)?;
        if fixed[0] >> 4 != 6 {
            return Err(WireError::Malformed);
        }
        let payload = rest.get(..usize::from(be16::<4, _>(fixed))).ok_or(WireError::Truncated)?;
        Ok((Self(fixed), payload))
    }

    /// The header of a packet whose payload may be cut, and the bytes of the payload that are present.
    ///
    /// # Errors
    /// As [`Self::new_checked`], but only the header must be complete.
    pub fn new_quoted(packet: &'f [u8]) -> Result<(Self, &'f [u8]), WireError> {
        let (fixed, rest) = header::<LENGTH>(packet)?;
        if fixed[0] >> 4 != 6 {
            return Err(WireError::Malformed);
        }
        let ipv6 = Self(fixed);
        Ok((ipv6, rest.get(..usize::from(ipv6.payload_length())).unwrap_or(rest)))
    }

    /// DSCP (RFC 2474) and ECN (RFC 3168).
    #[inline(always)]
    pub fn traffic_class(&self) -> u8 {
        self.0[0] << 4 | self.0[1] >> 4
    }

    /// Bytes behind the fixed header, extension headers included.
    #[inline(always)]
    pub fn payload_length(&self) -> u16 {
        be16::<4, _>(self.0)
    }

    /// The number of the header that follows: an extension header or the transport protocol.
    #[inline(always)]
    pub fn next_header(&self) -> u8 {
        self.0[6]
    }

    /// The hop limit.
    #[inline(always)]
    pub fn hop_limit(&self) -> u8 {
        self.0[7]
    }

    /// The source address.
    #[inline(always)]
    pub fn source(&self) -> Ipv6Addr {
        Ipv6Addr::from(bytes_at::<8, 16, _>(self.0))
    }

    /// The destination address.
    #[inline(always)]
    pub fn destination(&self) -> Ipv6Addr {
        Ipv6Addr::from(bytes_at::<24, 16, _>(self.0))
    }
}

/// A mutable view of a header that [`Ipv6`] has checked.
#[derive(Debug)]
pub struct Ipv6Mut<'f>(&'f mut [u8; LENGTH]);

impl<'f> Ipv6Mut<'f> {
    /// `None`: fewer bytes than a header.
    #[inline(always)]
    pub fn new(packet: &'f mut [u8]) -> Option<(Self, &'f mut [u8])> {
        let (header, rest) = packet.split_first_chunk_mut()?;
        Some((Self(header), rest))
    }

    /// DSCP (RFC 2474) and ECN (RFC 3168).
    pub fn traffic_class(&self) -> u8 {
        self.0[0] << 4 | self.0[1] >> 4
    }

    /// Sets DSCP and ECN.
    pub fn set_traffic_class(&mut self, class: u8) {
        self.0[0] = self.0[0] & 0xf0 | class >> 4;
        self.0[1] = self.0[1] & 0x0f | class << 4;
    }

    /// Bytes behind the fixed header.
    #[inline(always)]
    pub fn payload_length(&self) -> u16 {
        be16::<4, _>(self.0)
    }

    /// Sets the number of bytes behind the fixed header.
    #[inline(always)]
    pub fn set_payload_length(&mut self, length: u16) {
        set_be16::<4, _>(self.0, length);
    }

    /// The hop limit.
    #[inline(always)]
    pub fn hop_limit(&self) -> u8 {
        self.0[7]
    }

    /// Sets the hop limit.
    #[inline(always)]
    pub fn set_hop_limit(&mut self, limit: u8) {
        self.0[7] = limit;
    }

    /// Sets the source address.
    #[inline(always)]
    pub fn set_source(&mut self, address: Ipv6Addr) {
        self.0[8..24].copy_from_slice(&address.octets());
    }

    /// Sets the destination address.
    #[inline(always)]
    pub fn set_destination(&mut self, address: Ipv6Addr) {
        self.0[24..40].copy_from_slice(&address.octets());
    }
}

/// One header of an extension chain.
enum Step {
    Over { next: u8, length: usize },
    Fragment,
    None,
    Upper,
}

#[inline(always)]
fn extension(number: u8, payload: &[u8], offset: usize) -> Result<Step, WireError> {
    Ok(match number {
        0 | 43 | 60 | 51 => {
            let [next, length, ..] = eight_at(payload, offset)?;
            let length = usize::from(*length);
            Step::Over { next: *next, length: if number == 51 { (length + 2) * 4 } else { (length + 1) * 8 } }
        }
        44 => Step::Fragment,
        59 => Step::None,
        _ => Step::Upper,
    })
}

/// The first eight bytes of an extension header, its minimum length.
#[inline(always)]
fn eight_at(payload: &[u8], offset: usize) -> Result<&[u8; 8], WireError> {
    payload.get(offset..).and_then(<[u8]>::first_chunk).ok_or(WireError::Truncated)
}

/// RFC 8200 section 4.5.
fn fragment(header: &[u8; FRAGMENT_LENGTH]) -> Fragment {
    let field = be16::<2, _>(header);
    Fragment {
        identification: u32::from_be_bytes(bytes_at::<4, 4, _>(header)),
        offset: field >> 3,
        more: field & 1 != 0,
    }
}

/// The extension headers between the fixed header and the transport header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extensions {
    /// Number of the transport protocol behind them. In a fragment other than the first: the number of
    /// the header that the fragmentable part of the packet begins with.
    pub number: u8,
    /// Their length in bytes.
    pub length: usize,
    /// The fragment header, if there is one.
    pub fragment: Option<Fragment>,
    /// A routing header has segments left (RFC 8200 section 4.4). The destination address is then not the
    /// packet's final one.
    pub is_source_routed: bool,
    /// An authentication header covers the addresses (RFC 4302 section 3.3.3.1).
    pub is_authenticated: bool,
    /// Extension headers follow the fragment header. Only the first fragment contains them.
    pub has_fragmented_header: bool,
}

impl Extensions {
    /// Walks hop-by-hop options (0), routing (43), destination options (60), authentication (51) and
    /// fragment (44) headers up to the transport header (RFC 8200 section 4, RFC 4302 section 2.2).
    /// `None`: more than [`MAX_EXTENSION_HEADERS`], or no next header (59).
    ///
    /// # Errors
    /// [`WireError::Truncated`]: the chain is longer than `payload`.
    pub fn read(first: u8, payload: &[u8]) -> Result<Option<Self>, WireError> {
        let mut all = Self {
            number: first,
            length: 0,
            fragment: None,
            is_source_routed: false,
            is_authenticated: false,
            has_fragmented_header: false,
        };
        for _ in 0..=MAX_EXTENSION_HEADERS {
            match extension(all.number, payload, all.length)? {
                Step::Over { next, length } => {
                    let segments_left = payload.get(all.length + 3);
                    all.is_source_routed |= all.number == 43 && segments_left.is_some_and(|left| *left > 0);
                    all.is_authenticated |= all.number == 51;
                    all.has_fragmented_header |= all.fragment.is_some();
                    (all.number, all.length) = (next, all.length + length);
                }
                Step::Fragment => {
                    let header = eight_at(payload, all.length)?;
                    let part = fragment(header);
                    (all.number, all.length) = (header[0], all.length + FRAGMENT_LENGTH);
                    all.fragment = Some(part);
                    if part.offset > 0 {
                        return Ok(Some(all));
                    }
                }
                Step::None => return Ok(None),
                Step::Upper => return Ok(Some(all)),
            }
            if all.length > payload.len() {
                return Err(WireError::Truncated);
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_read_and_padding_is_cut_off() {
        let mut packet = vec![0; 46];
        packet[0] = 0x60;
        packet[5] = 4;
        packet[6..8].copy_from_slice(&[17, 63]);
        packet[8..24].copy_from_slice(&Ipv6Addr::LOCALHOST.octets());
        packet[24] = 0xfd;
        let (ipv6, payload) = Ipv6::new_checked(&packet).unwrap();
        assert_eq!((ipv6.next_header(), ipv6.hop_limit(), payload.len()), (17, 63, 4));
        assert_eq!((ipv6.source(), ipv6.destination().octets()[0]), (Ipv6Addr::LOCALHOST, 0xfd));
        packet[5] = 7;
        assert!(matches!(Ipv6::new_checked(&packet), Err(WireError::Truncated)));
        let (quoted, rest) = Ipv6::new_quoted(&packet).unwrap();
        assert_eq!((quoted.payload_length(), rest.len()), (7, 6));
        packet[..2].copy_from_slice(&[0x6b, 0x81]);
        assert_eq!(Ipv6::new_quoted(&packet).unwrap().0.traffic_class(), 0xb8);
        packet[0] = 0x40;
        assert!(matches!(Ipv6::new_checked(&packet), Err(WireError::Malformed)));
        assert!(matches!(Ipv6::new_quoted(&packet), Err(WireError::Malformed)));
        assert!(matches!(Ipv6::new_quoted(&packet[..39]), Err(WireError::Truncated)));
    }

    #[test]
    fn the_chain_reports_fragments_routes_and_authentication() {
        let read = |first, parts: &[&[u8]]| Extensions::read(first, &parts.concat());
        let plain = |number, length| Extensions {
            number,
            length,
            fragment: None,
            is_source_routed: false,
            is_authenticated: false,
            has_fragmented_header: false,
        };
        let fragment = |identification, offset, more| Some(Fragment { identification, offset, more });
        let options = |next| [next, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(read(6, &[]), Ok(Some(plain(6, 0))));
        assert_eq!(read(17, &[]), Ok(Some(plain(17, 0))));
        assert_eq!(read(0, &[&options(60), &options(17)]), Ok(Some(plain(17, 16))));
        let routing = |left| [6, 0, 0, left, 0, 0, 0, 0];
        assert_eq!(read(43, &[&routing(0)]), Ok(Some(plain(6, 8))));
        let routed = Extensions { is_source_routed: true, ..plain(6, 8) };
        assert_eq!(read(43, &[&routing(1)]), Ok(Some(routed)));
        let authenticated = Extensions { is_authenticated: true, ..plain(6, 8) };
        assert_eq!(read(51, &[&options(6)]), Ok(Some(authenticated)));
        let first = [0, 0, 0, 1, 0, 1, 0, 2];
        let in_part = Extensions {
            fragment: fragment(0x1_0002, 0, true),
            has_fragmented_header: true,
            ..plain(17, 16)
        };
        assert_eq!(read(44, &[&first, &options(17)]), Ok(Some(in_part)), "headers follow in the first part");
        let later = [60, 0, 0x05, 0xc8, 0, 1, 0, 2];
        let in_part = Extensions { fragment: fragment(0x1_0002, 185, false), ..plain(60, 8) };
        assert_eq!(read(44, &[&later]), Ok(Some(in_part)), "data follows in the others");
        assert_eq!(read(0, &[&options(59)]), Ok(None));
        assert_eq!(read(0, &[&options(0).repeat(20)]), Ok(None));
        assert_eq!(read(44, &[&first[..7]]), Err(WireError::Truncated));
        assert_eq!(read(0, &[&[6, 9, 0, 0, 0, 0, 0, 0]]), Err(WireError::Truncated));
        assert_eq!(read(43, &[&[6, 0]]), Err(WireError::Truncated));
    }

    proptest! {
        #[test]
        fn no_chain_of_headers_leads_out_of_the_packet(first: u8, payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Some(all)) = Extensions::read(first, &payload) {
                prop_assert!(all.length <= payload.len());
            }
        }
    }
}
