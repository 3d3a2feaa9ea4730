//! UDP (RFC 768).

use super::{WireError, be16, header, set_be16};
use penstock_types::Port;

/// Bytes of the header.
pub const LENGTH: usize = 8;

/// A checked view of a UDP header.
#[derive(Debug, Clone, Copy)]
pub struct Udp<'f>(&'f [u8; LENGTH]);

impl<'f> Udp<'f> {
    /// The header of a whole datagram.
    ///
    /// # Errors
    /// [`WireError::Malformed`]: a length below [`LENGTH`]. [`WireError::Truncated`]: a length beyond the
    /// buffer.
    #[inline(always)]
    pub fn new_checked(datagram: &'f [u8]) -> Result<Self, WireError> {
        let (fixed, _) = header::<LENGTH>(datagram)?;
        match usize::from(be16::<4, _>(fixed)) {
            length if length < LENGTH => Err(WireError::Malformed),
            length if length > datagram.len() => Err(WireError::Truncated),
            _ => Ok(Self(fixed)),
        }
    }

    /// The header of a datagram whose rest is in later fragments.
    ///
    /// # Errors
    /// [`WireError::Truncated`]: fewer than [`LENGTH`] bytes.
    pub fn new_first(fragment: &'f [u8]) -> Result<Self, WireError> {
        header(fragment).map(|(fixed, _)| Self(fixed))
    }

    /// The source port.
    #[inline(always)]
    pub fn source_port(&self) -> Port {
        Port(be16::<0, _>(self.0))
    }

    /// The destination port.
    #[inline(always)]
    pub fn destination_port(&self) -> Port {
        Port(be16::<2, _>(self.0))
    }
}

/// A mutable view of a header that [`Udp`] has checked.
#[derive(Debug)]
pub struct UdpMut<'f>(&'f mut [u8; LENGTH]);

impl<'f> UdpMut<'f> {
    /// `None`: fewer bytes than a header.
    #[inline(always)]
    pub fn new(datagram: &'f mut [u8]) -> Option<Self> {
        datagram.first_chunk_mut().map(Self)
    }

    /// Sets the source port.
    #[inline(always)]
    pub fn set_source_port(&mut self, port: Port) {
        set_be16::<0, _>(self.0, port.0);
    }

    /// Sets the destination port.
    #[inline(always)]
    pub fn set_destination_port(&mut self, port: Port) {
        set_be16::<2, _>(self.0, port.0);
    }

    /// The checksum field.
    #[inline(always)]
    pub fn checksum(&self) -> u16 {
        be16::<6, _>(self.0)
    }

    /// Sets the checksum field.
    #[inline(always)]
    pub fn set_checksum(&mut self, checksum: u16) {
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
