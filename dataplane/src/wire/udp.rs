//! UDP (RFC 768).

use super::{WireError, be16, header, set_be16};
use crate::types::Port;

/// Bytes of the header.
pub(crate) const LENGTH: usize = 8;

/// See the module's head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Udp<'f>(&'f [u8; LENGTH]);

impl<'f> Udp<'f> {
    /// The header; the length it announces must lie inside the datagram.
    #[inline(always)]
    pub(crate) fn new_checked(datagram: &'f [u8]) -> Result<Self, WireError> {
        let (fixed, _) = header::<LENGTH>(datagram)?;
        match usize::from(be16::<4, _>(fixed)) {
            length if length < LENGTH => Err(WireError::Malformed),
            length if length > datagram.len() => Err(WireError::Truncated),
            _ => Ok(Self(fixed)),
        }
    }

    /// The header of a datagram of which more follows in other fragments.
    pub(crate) fn new_first(fragment: &'f [u8]) -> Result<Self, WireError> {
        header(fragment).map(|(fixed, _)| Self(fixed))
    }

    #[inline(always)]
    pub(crate) fn source_port(&self) -> Port {
        Port(be16::<0, _>(self.0))
    }

    #[inline(always)]
    pub(crate) fn destination_port(&self) -> Port {
        Port(be16::<2, _>(self.0))
    }
}

/// A header that [`Udp`] has checked, to rewrite.
#[derive(Debug)]
pub(crate) struct UdpMut<'f>(&'f mut [u8; LENGTH]);

impl<'f> UdpMut<'f> {
    /// `None`: fewer bytes than a header.
    #[inline(always)]
    pub(crate) fn new(datagram: &'f mut [u8]) -> Option<Self> {
        datagram.first_chunk_mut().map(Self)
    }

    #[inline(always)]
    pub(crate) fn set_source_port(&mut self, port: Port) {
        set_be16::<0, _>(self.0, port.0);
    }

    #[inline(always)]
    pub(crate) fn set_destination_port(&mut self, port: Port) {
        set_be16::<2, _>(self.0, port.0);
    }

    #[inline(always)]
    pub(crate) fn checksum(&self) -> u16 {
        be16::<6, _>(self.0)
    }

    #[inline(always)]
    pub(crate) fn set_checksum(&mut self, checksum: u16) {
        set_be16::<6, _>(self.0, checksum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_and_the_length_must_fit() {
        let mut datagram = [0x30, 0x39, 0, 53, 0, 10, 0, 0, 1, 2];
        let udp = Udp::new_checked(&datagram).unwrap();
        assert_eq!((udp.source_port(), udp.destination_port()), (Port(12345), Port(53)));
        for (byte, error) in [(7, WireError::Malformed), (11, WireError::Truncated)] {
            datagram[5] = byte;
            assert!(matches!(Udp::new_checked(&datagram), Err(e) if e == error));
        }
        assert!(matches!(Udp::new_checked(&datagram[..7]), Err(WireError::Truncated)));
    }
}
