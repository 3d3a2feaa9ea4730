//! Ethernet II.

use super::{WireError, be16, bytes_at, header};
use penstock_types::{Mac, VlanId};

/// Bytes of the header.
pub const LENGTH: usize = 14;
/// Bytes of a VLAN tag.
pub const TAG: usize = 4;

/// EtherTypes (IANA IEEE 802 numbers).
pub mod ethertype {
    /// IPv4 (RFC 894).
    pub const IPV4: u16 = 0x0800;
    /// ARP (RFC 826).
    pub const ARP: u16 = 0x0806;
    /// A customer tag, IEEE 802.1Q.
    pub const VLAN: u16 = 0x8100;
    /// IPv6 (RFC 2464).
    pub const IPV6: u16 = 0x86dd;
    /// A service tag, IEEE 802.1ad.
    pub const QINQ: u16 = 0x88a8;
}

/// A checked view of an Ethernet header.
#[derive(Debug, Clone, Copy)]
pub struct Ethernet<'f>(&'f [u8; LENGTH]);

impl<'f> Ethernet<'f> {
    /// Splits a frame into its header and the bytes behind it.
    ///
    /// # Errors
    /// [`WireError::Truncated`]: fewer than [`LENGTH`] bytes.
    #[inline(always)]
    pub fn new_checked(frame: &'f [u8]) -> Result<(Self, &'f [u8]), WireError> {
        let (header, payload) = header(frame)?;
        Ok((Self(header), payload))
    }

    /// The destination address.
    #[inline(always)]
    pub fn destination(&self) -> Mac {
        Mac(bytes_at::<0, 6, _>(self.0))
    }

    /// The source address.
    #[inline(always)]
    pub fn source(&self) -> Mac {
        Mac(bytes_at::<6, 6, _>(self.0))
    }

    /// The EtherType; in a tagged frame, that of the outermost tag.
    #[inline(always)]
    pub fn ethertype(&self) -> u16 {
        be16::<12, _>(self.0)
    }
}

/// Start of a frame's packet, and the VLAN in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    /// The EtherType behind the tags.
    pub ethertype: u16,
    /// Offset of the packet, in bytes.
    pub offset: usize,
    /// The VLAN of the outermost tag; 0: no tag, or one that names a priority alone (IEEE 802.1Q).
    pub vlan: VlanId,
}

/// Skips up to two tags (IEEE 802.1Q, 802.1ad). A third tag shows as the EtherType.
///
/// # Errors
/// [`WireError::Truncated`]: the frame ends inside the header or a tag.
#[inline(always)]
pub fn payload(frame: &[u8]) -> Result<Payload, WireError> {
    let (ethernet, _) = Ethernet::new_checked(frame)?;
    let ethertype = ethernet.ethertype();
    if !is_tag(ethertype) {
        return Ok(Payload { ethertype, offset: LENGTH, vlan: VlanId(0) });
    }
    tagged(frame)
}

fn is_tag(ethertype: u16) -> bool {
    matches!(ethertype, ethertype::VLAN | ethertype::QINQ)
}

fn tagged(frame: &[u8]) -> Result<Payload, WireError> {
    let tag = |at: usize| -> Result<[u16; 2], WireError> {
        let bytes = frame.get(at..).and_then(<[u8]>::first_chunk::<4>).ok_or(WireError::Truncated)?;
        Ok([be16::<0, _>(bytes), be16::<2, _>(bytes)])
    };
    let [outer, inner_type] = tag(LENGTH)?;
    let vlan = VlanId(outer & 0x0fff);
    if !is_tag(inner_type) {
        return Ok(Payload { ethertype: inner_type, offset: LENGTH + TAG, vlan });
    }
    let [_, ethertype] = tag(LENGTH + TAG)?;
    Ok(Payload { ethertype, offset: LENGTH + 2 * TAG, vlan })
}

/// Sets the destination address. A frame shorter than the address is left unchanged.
#[inline(always)]
pub fn redirect(frame: &mut [u8], destination: Mac) {
    if let Some(address) = frame.first_chunk_mut::<6>() {
        *address = destination.0;
    }
}

/// Sets both addresses. A frame shorter than the two addresses is left unchanged.
#[inline(always)]
pub fn readdress(frame: &mut [u8], destination: &Mac, source: &Mac) {
    if let Some(header) = frame.first_chunk_mut::<12>() {
        header[..6].copy_from_slice(&destination.0);
        header[6..].copy_from_slice(&source.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_ethertype_have_their_wire_offsets() {
        let mut frame = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x06, 0xaa];
        readdress(&mut frame, &Mac([2, 0, 0, 0, 0, 9]), &Mac([2, 0, 0, 0, 0, 8]));
        let (ethernet, payload) = Ethernet::new_checked(&frame).unwrap();
        assert_eq!((frame[5], frame[11]), (9, 8));
        assert_eq!((ethernet.ethertype(), payload), (ethertype::ARP, &[0xaa][..]));
    }

    #[test]
    fn up_to_two_tags_are_skipped() {
        let frame = |tags: &[u8]| [&[0; 12][..], tags, &[0x45, 0, 0]].concat();
        let parsed = |tags: &[u8]| payload(&frame(tags)).map(|p| (p.ethertype, p.offset, p.vlan.0));
        assert_eq!(parsed(&[8, 0]), Ok((0x0800, 14, 0)));
        assert_eq!(parsed(&[0x81, 0, 0x20, 100, 8, 0]), Ok((0x0800, 18, 100)));
        assert_eq!(parsed(&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 100, 8, 0]), Ok((0x0800, 22, 7)));
        let third = [0x88, 0xa8, 0, 7, 0x81, 0, 0, 100, 0x81, 0, 0, 1, 8, 0];
        assert_eq!(parsed(&third), Ok((0x8100, 22, 7)));
        assert_eq!(payload(&frame(&[0x81, 0])[..17]), Err(WireError::Truncated));
    }

    #[test]
    fn a_frame_cut_inside_the_header_is_refused() {
        assert!(matches!(Ethernet::new_checked(&[0; 13]), Err(WireError::Truncated)));
    }
}
