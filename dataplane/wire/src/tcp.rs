//! TCP (RFC 9293).

use super::checksum::{Delta, fold, sum};
use super::{WireError, be16, bytes_at, header, set_be16};
use penstock_types::Port;

/// Bytes of the header without options.
pub const LENGTH: usize = 20;

/// The control bits of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// The sender has no more data.
    pub const FIN: u8 = 0x01;
    /// The sequence number is the initial one.
    pub const SYN: u8 = 0x02;
    /// The connection is aborted.
    pub const RST: u8 = 0x04;
    /// The acknowledgement field is significant.
    pub const ACK: u8 = 0x10;

    /// Whether `flag`, one of the constants, is set.
    #[inline(always)]
    pub fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// Whether the segment opens a connection: SYN without ACK, RST or FIN.
    #[inline(always)]
    pub fn opens(self) -> bool {
        self.0 & (Self::SYN | Self::ACK | Self::RST | Self::FIN) == Self::SYN
    }
}

/// A sequence number, modulo 2^32 (RFC 9293 section 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence(pub u32);

/// Difference between the sequence numbers that the two sides of a translated stream use for the same
/// byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shift(pub i32);

impl Sequence {
    /// The number moved by `by`, modulo 2^32.
    #[inline(always)]
    pub fn shifted(self, by: Shift) -> Self {
        Self(self.0.wrapping_add_signed(by.0))
    }
}

/// A checked view of a TCP header.
#[derive(Debug, Clone, Copy)]
pub struct Tcp<'f>(&'f [u8; LENGTH]);

impl<'f> Tcp<'f> {
    /// The header of a segment.
    ///
    /// # Errors
    /// [`WireError::Malformed`]: a data offset below five words. [`WireError::Truncated`]: options that end
    /// beyond the segment.
    #[inline(always)]
    pub fn new_checked(segment: &'f [u8]) -> Result<Self, WireError> {
        let (fixed, _) = header::<LENGTH>(segment)?;
        match usize::from(fixed[12] >> 4) * 4 {
            length if length < LENGTH => Err(WireError::Malformed),
            length if length > segment.len() => Err(WireError::Truncated),
            _ => Ok(Self(fixed)),
        }
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

    /// The control bits.
    #[inline(always)]
    pub fn flags(&self) -> Flags {
        Flags(self.0[13])
    }

    /// The sequence number.
    #[inline(always)]
    pub fn sequence(&self) -> Sequence {
        Sequence(u32::from_be_bytes(bytes_at::<4, 4, _>(self.0)))
    }

    /// The acknowledgement number; significant with [`Flags::ACK`] alone.
    #[inline(always)]
    pub fn acknowledgement(&self) -> Sequence {
        Sequence(u32::from_be_bytes(bytes_at::<8, 4, _>(self.0)))
    }

    /// The window field, unscaled.
    #[inline(always)]
    pub fn window(&self) -> u16 {
        be16::<14, _>(self.0)
    }

    /// Header length in bytes, options included.
    #[inline(always)]
    pub fn header_length(&self) -> usize {
        usize::from(self.0[12] >> 4) * 4
    }
}

/// A mutable view of a header that [`Tcp`] has checked.
#[derive(Debug)]
pub struct TcpMut<'f>(&'f mut [u8; LENGTH]);

impl<'f> TcpMut<'f> {
    /// `None`: fewer bytes than a header.
    #[inline(always)]
    pub fn new(segment: &'f mut [u8]) -> Option<Self> {
        segment.first_chunk_mut().map(Self)
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

    /// Sets the sequence number.
    #[inline(always)]
    pub fn set_sequence(&mut self, sequence: Sequence) {
        self.0[4..8].copy_from_slice(&sequence.0.to_be_bytes());
    }

    /// Sets the acknowledgement number.
    #[inline(always)]
    pub fn set_acknowledgement(&mut self, sequence: Sequence) {
        self.0[8..12].copy_from_slice(&sequence.0.to_be_bytes());
    }

    /// Sets the window, unscaled.
    #[inline(always)]
    pub fn set_window(&mut self, window: u16) {
        set_be16::<14, _>(self.0, window);
    }

    /// The checksum field.
    #[inline(always)]
    pub fn checksum(&self) -> u16 {
        be16::<16, _>(self.0)
    }

    /// Sets the checksum field.
    #[inline(always)]
    pub fn set_checksum(&mut self, checksum: u16) {
        set_be16::<16, _>(self.0, checksum);
    }
}

/// Inserts `bytes` into a segment at the even offset `at`. On entry `space` is `bytes.len()` free bytes
/// followed by the segment; on return the longer segment fills `space`. `None` without a change: the
/// segment is too short.
///
/// The TCP checksum is updated, the pseudo-header's length included. The caller updates the length in
/// the IP header.
pub fn insert(space: &mut [u8], at: usize, bytes: &[u8]) -> Option<()> {
    let gap = bytes.len();
    let length = u16::try_from(gap).ok()?;
    let mut delta = Delta::default().text(&[], bytes).word(0, length);
    let behind = space.get(gap.checked_add(at)?..)?;
    if !gap.is_multiple_of(2) {
        // Every byte behind the insertion moves to the other half of its word (RFC 1071 section 2, B).
        let before = fold(sum(0, behind));
        delta = delta.word(before, before.swap_bytes());
    }
    space.copy_within(gap..gap + at, 0);
    space.get_mut(at..)?.get_mut(..gap)?.copy_from_slice(bytes);
    let mut tcp = TcpMut::new(space)?;
    tcp.set_checksum(delta.apply(tcp.checksum()));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::frame;
    use penstock_types::Mac;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_put_in_front_of_the_payload_are_summed(
            bytes in proptest::collection::vec(any::<u8>(), 0..110), payload in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let build = frame((Mac::default(), "10.0.0.2"), (Mac::default(), "10.0.0.100")).tcp(40000, 80, Flags::ACK);
            let mut space = vec![0xee; bytes.len()];
            space.extend(build.clone().payload(&payload).packet().split_off(20));
            prop_assert_eq!(insert(&mut space, LENGTH, &bytes), Some(()));
            prop_assert_eq!(space, build.payload(&[bytes, payload].concat()).packet().split_off(20));
        }

        #[test]
        fn what_is_too_short_to_be_a_segment_is_no_reason_to_panic(
            mut space in proptest::collection::vec(any::<u8>(), 0..50), at: usize,
            bytes in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let _ = insert(&mut space, at, &bytes);
        }
    }

    #[test]
    fn ports_and_flags_are_read_and_options_must_fit() {
        let mut segment = [0; 24];
        segment[..4].copy_from_slice(&[0x9c, 0x40, 0, 80]);
        segment[12..14].copy_from_slice(&[0x60, 0x12]);
        let tcp = Tcp::new_checked(&segment).unwrap();
        assert_eq!((tcp.source_port(), tcp.destination_port()), (Port(40000), Port(80)));
        assert!(tcp.flags().has(Flags::SYN) && !tcp.flags().opens());
        assert!(Flags(Flags::SYN).opens());
        assert_eq!(tcp.header_length(), 24);
        let mut mutable = TcpMut::new(&mut segment).unwrap();
        mutable.set_sequence(Sequence(1).shifted(Shift(-2)));
        mutable.set_acknowledgement(Sequence(u32::MAX).shifted(Shift(3)));
        let tcp = Tcp::new_checked(&segment).unwrap();
        assert_eq!((tcp.sequence(), tcp.acknowledgement()), (Sequence(u32::MAX), Sequence(2)));
        for (byte, error) in [(0x40, WireError::Malformed), (0x70, WireError::Truncated)] {
            segment[12] = byte;
            assert!(matches!(Tcp::new_checked(&segment), Err(e) if e == error));
        }
        assert!(matches!(Tcp::new_checked(&segment[..19]), Err(WireError::Truncated)));
    }
}
