//! Checksums that a sender on the same machine has left to its NIC, which does not exist: finished here, before anything
//! counts on them. What such a sender leaves in the field is the sum of the pseudo-header (Linux: `CHECKSUM_PARTIAL`).

use crate::flow::Addresses;
use crate::packet::{Batch, Packet};
use crate::packet::{Content, Headers, Piece};
use crate::snapshot::InterfaceSet;
use crate::types::Protocol;
use crate::wire::checksum::{fold, sum};

/// Of frames that come in by one of these interfaces.
#[inline(never)]
pub(super) fn run(batch: &mut Batch, interfaces: InterfaceSet) {
    batch.visit(|packet, headers, _| one(packet, headers, interfaces));
}

/// The same of one frame.
pub(super) fn one(packet: &mut Packet, headers: &Headers, interfaces: InterfaceSet) {
    let is_whole = matches!((headers.content, headers.piece), (Content::Segment { .. }, Piece::Whole));
    if is_whole && interfaces.contains(packet.ingress) {
        // `None`: parsing has seen to it that the segment is there.
        let _: Option<()> = finish(packet, headers);
    }
}

fn finish(packet: &mut Packet, headers: &Headers) -> Option<()> {
    let (number, at) = match headers.tuple.protocol {
        Protocol::Tcp => (6, 16),
        Protocol::Udp => (17, 6),
    };
    let end = usize::from(headers.network) + usize::from(headers.packet_length);
    let segment = packet.frame.bytes_mut().get_mut(usize::from(headers.transport)..end)?;
    let pseudo = match headers.tuple.addresses {
        Addresses::V4 { source, destination } => sum(sum(number, &source.octets()), &destination.octets()),
        Addresses::V6 { source, destination } => sum(sum(number, &source.octets()), &destination.octets()),
    };
    let field = *segment.get(at..)?.first_chunk()?;
    if u16::from_be_bytes(field) != fold(pseudo + segment.len() as u64) {
        return Some(());
    }
    // The field is summed with the segment: it stands for the pseudo-header.
    let checksum = match !fold(sum(0, segment)) {
        0 if headers.tuple.protocol == Protocol::Udp => u16::MAX,
        checksum => checksum,
    };
    *segment.get_mut(at..)?.first_chunk_mut()? = checksum.to_be_bytes();
    Some(())
}
