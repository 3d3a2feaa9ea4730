//! Cutting a frame into fragments, as its sender or a router would.

use super::way::{field, network};
use crate::wire::checksum::{fold, sum};

/// The frame in pieces, the payload cut at the given places: multiples of eight. In IPv6 the pieces share
/// `identification`; in IPv4 they have that of the packet.
pub(super) fn cut(frame: &[u8], places: &[usize], identification: u32) -> Vec<Vec<u8>> {
    let at = network(frame);
    let v6 = frame[at] >> 4 == 6;
    let header = at + if v6 { 40 } else { usize::from(frame[at] & 15) * 4 };
    let payload = &frame[header..];
    let ends = places.iter().copied().chain([payload.len()]);
    let starts = [0].into_iter().chain(places.iter().copied());
    let piece = |(start, end): (usize, usize)| {
        let offset = u16::try_from(start / 8).expect("in the packet");
        let (part, more) = (&payload[start..end], end < payload.len());
        if v6 {
            piece_v6(&frame[..header], part, (offset, more), identification)
        } else {
            piece_v4(&frame[..header], part, (offset, more))
        }
    };
    starts.zip(ends).map(piece).collect()
}

fn piece_v4(head: &[u8], part: &[u8], (offset, more): (u16, bool)) -> Vec<u8> {
    let mut frame = [head, part].concat();
    let at = network(head);
    let total = u16::try_from(frame.len() - at).expect("short");
    // A piece of a piece begins where that does.
    let field = (field(head, at + 6) + offset) | (u16::from(more) << 13);
    frame[at + 2..at + 4].copy_from_slice(&total.to_be_bytes());
    frame[at + 6..at + 8].copy_from_slice(&field.to_be_bytes());
    sum_header(&mut frame);
    frame
}

fn piece_v6(head: &[u8], part: &[u8], (offset, more): (u16, bool), identification: u32) -> Vec<u8> {
    let at = network(head);
    let field = offset << 3 | u16::from(more);
    let extension = [&[head[at + 6], 0][..], &field.to_be_bytes(), &identification.to_be_bytes()].concat();
    let mut frame = [head, &extension, part].concat();
    let length = u16::try_from(part.len() + 8).expect("short");
    frame[at + 4..at + 6].copy_from_slice(&length.to_be_bytes());
    frame[at + 6] = 44;
    frame
}

/// A fragment with the identification that `like` has.
pub(super) fn named_as(mut frame: Vec<u8>, like: &[u8]) -> Vec<u8> {
    let at = network(&frame);
    let places = if frame[at] >> 4 == 6 { at + 44..at + 48 } else { at + 4..at + 6 };
    let name = like.get(places.clone()).unwrap_or_default().to_vec();
    frame.splice(places, name);
    if frame[at] >> 4 == 4 {
        sum_header(&mut frame);
    }
    frame
}

fn sum_header(frame: &mut [u8]) {
    let at = network(frame);
    let header = at + usize::from(frame[at] & 15) * 4;
    frame[at + 10..at + 12].fill(0);
    let checksum = !fold(sum(0, &frame[at..header]));
    frame[at + 10..at + 12].copy_from_slice(&checksum.to_be_bytes());
}
