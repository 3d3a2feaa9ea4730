//! IPv6 and its extension headers (RFC 8200).

use std::net::Ipv6Addr;

use super::{WireError, be16, bytes_at, header};
use crate::limits::MAX_EXTENSION_HEADERS;

/// Bytes of the fixed header.
pub(crate) const LENGTH: usize = 40;

/// See the module's head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ipv6<'f>(&'f [u8; LENGTH]);

impl<'f> Ipv6<'f> {
    /// The header and the payload, cut to the length that it announces.
    #[inline(always)]
    pub(crate) fn new_checked(packet: &'f [u8]) -> Result<(Self, &'f [u8]), WireError> {
        let (fixed, rest) = header::<LENGTH>(packet)?;
        if fixed[0] >> 4 != 6 {
            return Err(WireError::Malformed);
        }
        let payload = rest.get(..usize::from(be16::<4, _>(fixed))).ok_or(WireError::Truncated)?;
        Ok((Self(fixed), payload))
    }

    #[inline(always)]
    pub(crate) fn next_header(&self) -> u8 {
        self.0[6]
    }

    #[inline(always)]
    pub(crate) fn hop_limit(&self) -> u8 {
        self.0[7]
    }

    #[inline(always)]
    pub(crate) fn source(&self) -> Ipv6Addr {
        Ipv6Addr::from(bytes_at::<8, 16, _>(self.0))
    }

    #[inline(always)]
    pub(crate) fn destination(&self) -> Ipv6Addr {
        Ipv6Addr::from(bytes_at::<24, 16, _>(self.0))
    }
}

/// A header that [`Ipv6`] has checked, to rewrite.
#[derive(Debug)]
pub(crate) struct Ipv6Mut<'f>(&'f mut [u8; LENGTH]);

impl<'f> Ipv6Mut<'f> {
    /// `None`: fewer bytes than a header.
    #[inline(always)]
    pub(crate) fn new(packet: &'f mut [u8]) -> Option<(Self, &'f mut [u8])> {
        let (header, rest) = packet.split_first_chunk_mut()?;
        Some((Self(header), rest))
    }

    #[inline(always)]
    pub(crate) fn hop_limit(&self) -> u8 {
        self.0[7]
    }

    #[inline(always)]
    pub(crate) fn set_hop_limit(&mut self, limit: u8) {
        self.0[7] = limit;
    }

    #[inline(always)]
    pub(crate) fn set_source(&mut self, address: Ipv6Addr) {
        self.0[8..24].copy_from_slice(&address.octets());
    }

    #[inline(always)]
    pub(crate) fn set_destination(&mut self, address: Ipv6Addr) {
        self.0[24..40].copy_from_slice(&address.octets());
    }
}

/// What the walk over the extension headers ended at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upper {
    /// The upper-layer protocol, and where in the payload its header begins.
    Protocol {
        /// Its number.
        number: u8,
        /// Bytes of extension headers in front of it.
        offset: usize,
    },
    /// A fragment header, and where in the payload it begins.
    Fragment {
        /// Bytes of extension headers in front of it.
        offset: usize,
    },
    /// More than [`MAX_EXTENSION_HEADERS`], or none that follows (59).
    Hidden,
}

/// A fragment header (RFC 8200 section 4.5).
#[derive(Debug, Clone, Copy)]
pub(crate) struct FragmentHeader<'f>(&'f [u8; FRAGMENT_LENGTH]);

/// Bytes of it.
pub(crate) const FRAGMENT_LENGTH: usize = 8;

impl<'f> FragmentHeader<'f> {
    /// The header and what follows it.
    pub(crate) fn new_checked(bytes: &'f [u8]) -> Result<(Self, &'f [u8]), WireError> {
        header(bytes).map(|(fixed, rest)| (Self(fixed), rest))
    }

    /// What the fragmented part begins with.
    pub(crate) fn next_header(&self) -> u8 {
        self.0[0]
    }

    /// The offset in bytes, and whether more follow.
    pub(crate) fn fragment(&self) -> (u16, bool) {
        let field = be16::<2, _>(self.0);
        (field & 0xfff8, field & 1 == 1)
    }

    pub(crate) fn identification(&self) -> u32 {
        u32::from_be_bytes(bytes_at::<4, 4, _>(self.0))
    }
}

/// Walks hop-by-hop options (0), routing (43), destination options (60) and authentication (51)
/// headers up to the transport header (RFC 8200 section 4, RFC 4302 section 2.2).
#[inline(always)]
pub(crate) fn upper_layer(first: u8, payload: &[u8]) -> Result<Upper, WireError> {
    // Nearly every packet has no extension header.
    if matches!(first, 6 | 17 | 58) {
        return Ok(Upper::Protocol { number: first, offset: 0 });
    }
    walk(first, payload)
}

fn walk(first: u8, payload: &[u8]) -> Result<Upper, WireError> {
    let (mut number, mut offset) = (first, 0);
    for _ in 0..=MAX_EXTENSION_HEADERS {
        let extension =
            || payload.get(offset..).and_then(<[u8]>::first_chunk::<8>).ok_or(WireError::Truncated);
        let length = match number {
            0 | 43 | 60 => (usize::from(extension()?[1]) + 1) * 8,
            51 => (usize::from(extension()?[1]) + 2) * 4,
            44 => return Ok(Upper::Fragment { offset }),
            59 => return Ok(Upper::Hidden),
            _ => return Ok(Upper::Protocol { number, offset }),
        };
        number = extension()?[0];
        offset += length;
        if offset > payload.len() {
            return Err(WireError::Truncated);
        }
    }
    Ok(Upper::Hidden)
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
        packet[0] = 0x40;
        assert!(matches!(Ipv6::new_checked(&packet), Err(WireError::Malformed)));
    }

    #[test]
    fn extension_headers_are_walked_to_the_transport_header() {
        let options = |next| [next, 0, 0, 0, 0, 0, 0, 0];
        let two = [options(60), options(6)].concat();
        assert_eq!(upper_layer(0, &two), Ok(Upper::Protocol { number: 6, offset: 16 }));
        assert_eq!(upper_layer(17, &[]), Ok(Upper::Protocol { number: 17, offset: 0 }));
        assert_eq!(upper_layer(0, &options(44)), Ok(Upper::Fragment { offset: 8 }));
        assert_eq!(upper_layer(0, &options(59)), Ok(Upper::Hidden));
        assert_eq!(upper_layer(0, &options(0).repeat(20)), Ok(Upper::Hidden));
        assert_eq!(upper_layer(0, &[6, 9, 0, 0, 0, 0, 0, 0]), Err(WireError::Truncated));
        assert_eq!(upper_layer(43, &[6, 0]), Err(WireError::Truncated));
    }

    proptest! {
        #[test]
        fn no_chain_of_headers_leads_out_of_the_packet(first: u8, payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Upper::Protocol { offset, .. }) = upper_layer(first, &payload) {
                prop_assert!(offset <= payload.len());
            }
        }
    }
}
