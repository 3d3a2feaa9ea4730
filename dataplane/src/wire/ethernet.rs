//! Ethernet II.

use super::{WireError, be16, bytes_at, header};
use crate::types::Mac;

/// Bytes of the header.
pub(crate) const LENGTH: usize = 14;

/// What a frame carries. IEEE 802 numbers.
pub(crate) mod ethertype {
    pub(crate) const IPV4: u16 = 0x0800;
    pub(crate) const ARP: u16 = 0x0806;
    pub(crate) const VLAN: u16 = 0x8100;
    pub(crate) const IPV6: u16 = 0x86dd;
    pub(crate) const QINQ: u16 = 0x88a8;
}

/// See the module's head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ethernet<'f>(&'f [u8; LENGTH]);

impl<'f> Ethernet<'f> {
    /// The header and what follows it.
    #[inline(always)]
    pub(crate) fn new_checked(frame: &'f [u8]) -> Result<(Self, &'f [u8]), WireError> {
        let (header, payload) = header(frame)?;
        Ok((Self(header), payload))
    }

    pub(crate) fn source(&self) -> Mac {
        Mac(bytes_at::<6, 6, _>(self.0))
    }

    #[inline(always)]
    pub(crate) fn ethertype(&self) -> u16 {
        be16::<12, _>(self.0)
    }
}

/// Gives a frame new addresses; a frame shorter than the header stays as it is.
#[inline(always)]
pub(crate) fn readdress(frame: &mut [u8], destination: Mac, source: Mac) {
    if let Some(header) = frame.first_chunk_mut::<12>() {
        header[..6].copy_from_slice(&destination.0);
        header[6..].copy_from_slice(&source.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_type_are_where_the_wire_has_them() {
        let mut frame = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x06, 0xaa];
        readdress(&mut frame, Mac([2, 0, 0, 0, 0, 9]), Mac([2, 0, 0, 0, 0, 8]));
        let (ethernet, payload) = Ethernet::new_checked(&frame).unwrap();
        assert_eq!((ethernet.source(), frame[5]), (Mac([2, 0, 0, 0, 0, 8]), 9));
        assert_eq!((ethernet.ethertype(), payload), (ethertype::ARP, &[0xaa][..]));
    }

    #[test]
    fn a_frame_cut_inside_the_header_is_refused() {
        assert!(matches!(Ethernet::new_checked(&[0; 13]), Err(WireError::Truncated)));
    }
}
