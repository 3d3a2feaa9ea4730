//! ICMP (RFC 792) and ICMPv6 (RFC 4443): the header that both begin with.

use super::{WireError, be16, bytes_at, header, set_be16};

/// Bytes of the header of an echo message.
pub(crate) const LENGTH: usize = 8;

/// ICMP types.
pub(crate) mod v4 {
    /// Its number in IPv4's protocol field.
    pub(crate) const PROTOCOL: u8 = 1;
    pub(crate) const ECHO_REPLY: u8 = 0;
    pub(crate) const DESTINATION_UNREACHABLE: u8 = 3;
    /// Deprecated (RFC 6633), and still sent by old routers.
    pub(crate) const SOURCE_QUENCH: u8 = 4;
    pub(crate) const ECHO_REQUEST: u8 = 8;
    pub(crate) const TIME_EXCEEDED: u8 = 11;
    pub(crate) const PARAMETER_PROBLEM: u8 = 12;
    /// Destination unreachable, source quench, redirect, time exceeded, parameter problem.
    pub(crate) const ERRORS: [u8; 5] = [3, 4, 5, 11, 12];
}

/// ICMPv6 types.
pub(crate) mod v6 {
    /// Its number in IPv6's next-header field.
    pub(crate) const PROTOCOL: u8 = 58;
    pub(crate) const DESTINATION_UNREACHABLE: u8 = 1;
    pub(crate) const PACKET_TOO_BIG: u8 = 2;
    pub(crate) const TIME_EXCEEDED: u8 = 3;
    pub(crate) const PARAMETER_PROBLEM: u8 = 4;
    pub(crate) const ECHO_REQUEST: u8 = 128;
    pub(crate) const ECHO_REPLY: u8 = 129;
    pub(crate) const NEIGHBOUR_SOLICITATION: u8 = 135;
    pub(crate) const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    /// Types below this are errors (RFC 4443 section 2.1).
    pub(crate) const FIRST_INFORMATIONAL: u8 = 128;
}

/// See the module's head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Icmp<'f>(&'f [u8; LENGTH]);

impl<'f> Icmp<'f> {
    /// The header.
    pub(crate) fn new_checked(message: &'f [u8]) -> Result<Self, WireError> {
        header(message).map(|(fixed, _)| Self(fixed))
    }

    pub(crate) fn kind(&self) -> u8 {
        self.0[0]
    }

    pub(crate) fn code(&self) -> u8 {
        self.0[1]
    }

    /// What means something else in each type: an MTU, a pointer, lengths.
    pub(crate) fn rest(&self) -> [u8; 4] {
        bytes_at::<4, 4, _>(self.0)
    }
}

/// A header that [`Icmp`] has checked, to rewrite.
#[derive(Debug)]
pub(crate) struct IcmpMut<'f>(&'f mut [u8; LENGTH]);

impl<'f> IcmpMut<'f> {
    /// `None`: fewer bytes than a header.
    pub(crate) fn new(message: &'f mut [u8]) -> Option<Self> {
        message.first_chunk_mut().map(Self)
    }

    pub(crate) fn kind_and_code(&self) -> u16 {
        be16::<0, _>(self.0)
    }

    pub(crate) fn set_kind(&mut self, kind: u8) {
        self.0[0] = kind;
    }

    pub(crate) fn checksum(&self) -> u16 {
        be16::<2, _>(self.0)
    }

    pub(crate) fn set_checksum(&mut self, checksum: u16) {
        set_be16::<2, _>(self.0, checksum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_and_checksum_are_where_the_wire_has_them() {
        let mut message = [8, 0, 0x12, 0x34, 0, 1, 0, 2];
        let view = Icmp::new_checked(&message).unwrap();
        assert_eq!((view.kind(), view.code(), view.rest()), (v4::ECHO_REQUEST, 0, [0, 1, 0, 2]));
        let mut icmp = IcmpMut::new(&mut message).unwrap();
        icmp.set_kind(0);
        assert_eq!((icmp.kind_and_code(), icmp.checksum()), (0, 0x1234));
        assert!(matches!(Icmp::new_checked(&message[..7]), Err(WireError::Truncated)));
    }
}
