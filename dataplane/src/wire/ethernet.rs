//! Ethernet II.

use super::{WireError, be16, bytes_at, header};
use crate::types::{Mac, VlanId};

/// Bytes of the header.
pub(crate) const LENGTH: usize = 14;
/// Bytes of a VLAN tag.
pub(crate) const TAG: usize = 4;

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

    #[inline(always)]
    pub(crate) fn destination(&self) -> Mac {
        Mac(bytes_at::<0, 6, _>(self.0))
    }

    #[inline(always)]
    pub(crate) fn source(&self) -> Mac {
        Mac(bytes_at::<6, 6, _>(self.0))
    }

    #[inline(always)]
    pub(crate) fn ethertype(&self) -> u16 {
        be16::<12, _>(self.0)
    }
}

/// Where a frame's packet begins, and what tags stand before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Payload {
    /// The EtherType behind the tags.
    pub(crate) ethertype: u16,
    /// Bytes before the packet.
    pub(crate) offset: usize,
    /// The VLAN of the outermost tag; 0: no tag, or one that names a priority alone (IEEE 802.1Q).
    pub(crate) vlan: VlanId,
}

/// Steps over up to two tags (IEEE 802.1Q, 802.1ad). A third one is what the EtherType then says.
#[inline(always)]
pub(crate) fn payload(frame: &[u8]) -> Result<Payload, WireError> {
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

/// Gives a frame a new destination; a frame shorter than the header stays as it is.
#[inline(always)]
pub(crate) fn redirect(frame: &mut [u8], destination: Mac) {
    if let Some(address) = frame.first_chunk_mut::<6>() {
        *address = destination.0;
    }
}

/// Gives a frame new addresses; a frame shorter than the header stays as it is.
#[inline(always)]
pub(crate) fn readdress(frame: &mut [u8], destination: &Mac, source: &Mac) {
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
        readdress(&mut frame, &Mac([2, 0, 0, 0, 0, 9]), &Mac([2, 0, 0, 0, 0, 8]));
        let (ethernet, payload) = Ethernet::new_checked(&frame).unwrap();
        assert_eq!((frame[5], frame[11]), (9, 8));
        assert_eq!((ethernet.ethertype(), payload), (ethertype::ARP, &[0xaa][..]));
    }

    #[test]
    fn up_to_two_tags_are_stepped_over() {
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
