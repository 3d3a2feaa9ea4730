//! ICMP (RFC 792) and ICMPv6 (RFC 4443): their common header.

use super::{WireError, be16, bytes_at, header, set_be16};

/// Bytes of the header of an echo message.
pub const LENGTH: usize = 8;

/// ICMP types.
pub mod v4 {
    /// Protocol number in the IPv4 header.
    pub const PROTOCOL: u8 = 1;
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 0;
    /// Destination unreachable.
    pub const DESTINATION_UNREACHABLE: u8 = 3;
    /// Deprecated by RFC 6633; old routers still send it.
    pub const SOURCE_QUENCH: u8 = 4;
    /// Echo request.
    pub const ECHO_REQUEST: u8 = 8;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 11;
    /// Parameter problem.
    pub const PARAMETER_PROBLEM: u8 = 12;
    /// Destination unreachable, source quench, redirect, time exceeded, parameter problem.
    pub const ERRORS: [u8; 5] = [3, 4, 5, 11, 12];
}

/// ICMPv6 types.
pub mod v6 {
    /// Next-header number in IPv6.
    pub const PROTOCOL: u8 = 58;
    /// Destination unreachable.
    pub const DESTINATION_UNREACHABLE: u8 = 1;
    /// Packet too big.
    pub const PACKET_TOO_BIG: u8 = 2;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 3;
    /// Parameter problem.
    pub const PARAMETER_PROBLEM: u8 = 4;
    /// Echo request.
    pub const ECHO_REQUEST: u8 = 128;
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 129;
    /// Neighbour solicitation (RFC 4861 section 4.3).
    pub const NEIGHBOUR_SOLICITATION: u8 = 135;
    /// Neighbour advertisement (RFC 4861 section 4.4).
    pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    /// Types below this are errors (RFC 4443 section 2.1).
    pub const FIRST_INFORMATIONAL: u8 = 128;
}

/// A checked view of an ICMP header.
#[derive(Debug, Clone, Copy)]
pub struct Icmp<'f>(&'f [u8; LENGTH]);

impl<'f> Icmp<'f> {
    /// The header of a message.
    ///
    /// # Errors
    /// [`WireError::Truncated`]: fewer than [`LENGTH`] bytes.
    pub fn new_checked(message: &'f [u8]) -> Result<Self, WireError> {
        header(message).map(|(fixed, _)| Self(fixed))
    }

    /// The type.
    pub fn kind(&self) -> u8 {
        self.0[0]
    }

    /// The code.
    pub fn code(&self) -> u8 {
        self.0[1]
    }

    /// The four bytes whose meaning depends on the type: MTU, pointer, identifier and sequence number.
    pub fn rest(&self) -> [u8; 4] {
        bytes_at::<4, 4, _>(self.0)
    }
}

/// A mutable view of a header that [`Icmp`] has checked.
#[derive(Debug)]
pub struct IcmpMut<'f>(&'f mut [u8; LENGTH]);

impl<'f> IcmpMut<'f> {
    /// `None`: fewer bytes than a header.
    pub fn new(message: &'f mut [u8]) -> Option<Self> {
        message.first_chunk_mut().map(Self)
    }

    /// Type and code as one 16-bit word, for checksum updates.
    pub fn kind_and_code(&self) -> u16 {
        be16::<0, _>(self.0)
    }

    /// Sets the type.
    pub fn set_kind(&mut self, kind: u8) {
        self.0[0] = kind;
    }

    /// The checksum field.
    pub fn checksum(&self) -> u16 {
        be16::<2, _>(self.0)
    }

    /// Sets the checksum field.
    pub fn set_checksum(&mut self, checksum: u16) {
        set_be16::<2, _>(self.0, checksum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_and_checksum_have_their_wire_offsets() {
        let mut message = [8, 0, 0x12, 0x34, 0, 1, 0, 2];
        let view = Icmp::new_checked(&message).unwrap();
        assert_eq!((view.kind(), view.code(), view.rest()), (v4::ECHO_REQUEST, 0, [0, 1, 0, 2]));
        let mut icmp = IcmpMut::new(&mut message).unwrap();
        icmp.set_kind(0);
        assert_eq!((icmp.kind_and_code(), icmp.checksum()), (0, 0x1234));
        assert!(matches!(Icmp::new_checked(&message[..7]), Err(WireError::Truncated)));
    }
}
