//! TCP options (RFC 9293 section 3.1): clamping of the maximum segment size, sequence numbers inside
//! options, and the client's address as an option.

use std::net::SocketAddr;

use super::checksum::Delta;
use super::tcp::{self, Flags, Sequence, Shift, Tcp, TcpMut};

/// Option kinds (IANA).
pub mod kind {
    /// End of the option list.
    pub const END: u8 = 0;
    /// Padding of one byte.
    pub const NO_OPERATION: u8 = 1;
    /// RFC 9293 section 3.7.1.
    pub const MAXIMUM_SEGMENT_SIZE: u8 = 2;
    /// RFC 7323 section 2.2.
    pub const WINDOW_SCALE: u8 = 3;
    /// RFC 2018 section 2.
    pub const SACK_PERMITTED: u8 = 4;
    /// RFC 2018 section 3.
    pub const SACK: u8 = 5;
    /// RFC 7323 section 3.2.
    pub const TIMESTAMPS: u8 = 8;
    /// The experimental kind (RFC 4727) that LVS's TOA modules for backends read.
    pub const CLIENT_ADDRESS: u8 = 254;
}

/// The longest header in bytes: a four-bit count of four-byte words.
pub const MAX_HEADER: usize = 60;

/// A maximum segment size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mss(pub u16);

/// An option with a length field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpOption {
    /// The option kind (IANA).
    pub kind: u8,
    /// Offset of the value from the start of the segment, in bytes.
    pub value: usize,
    /// Length of the value in bytes, without kind and length.
    pub length: usize,
}

/// An iteration over a segment's options. Each step consumes at least one of at most forty bytes. An
/// option whose length does not fit ends the iteration.
#[derive(Debug, Clone, Copy)]
pub struct Walk {
    at: usize,
    end: usize,
}

impl Walk {
    /// Starts behind the fixed header; `None`: the header is not complete.
    #[inline(always)]
    pub fn new(segment: &[u8]) -> Option<Self> {
        let header = Tcp::new_checked(segment).ok()?.header_length();
        Some(Self { at: tcp::LENGTH, end: header })
    }

    /// The next option that has a length; `None` at the end of the list or at a malformed option.
    #[inline(always)]
    pub fn next(&mut self, segment: &[u8]) -> Option<TcpOption> {
        loop {
            match *segment.get(self.at..self.end)? {
                [kind::NO_OPERATION, ..] => self.at += 1,
                [] | [kind::END, ..] => return None,
                [kind, length @ 2..=255, ..] if usize::from(length) <= self.end - self.at => {
                    let value = self.at + 2;
                    self.at += usize::from(length);
                    return Some(TcpOption { kind, value, length: usize::from(length) - 2 });
                }
                _ => return None,
            }
        }
    }
}

/// Lowers the maximum segment size that a SYN announces to `max`, and updates the checksum. A smaller
/// one stays.
#[inline(always)]
pub fn clamp_mss(segment: &mut [u8], max: Mss) {
    // Only the first segment of each direction announces a size.
    if !segment.get(13).is_some_and(|flags| Flags(*flags).has(Flags::SYN)) {
        return;
    }
    clamp_syn(segment, max);
}

/// The maximum segment size that a SYN announces.
pub fn announced_mss(segment: &[u8]) -> Option<Mss> {
    Tcp::new_checked(segment).ok().filter(|tcp| tcp.flags().has(Flags::SYN))?;
    let mut walk = Walk::new(segment)?;
    while let Some(option) = walk.next(segment) {
        if (option.kind, option.length) == (kind::MAXIMUM_SEGMENT_SIZE, 2) {
            let value = segment.get(option.value..)?.first_chunk()?;
            return Some(Mss(u16::from_be_bytes(*value)));
        }
    }
    None
}

fn clamp_syn(segment: &mut [u8], max: Mss) {
    let Some(mut walk) = Walk::new(segment) else { return };
    let mut delta = Delta::default();
    while let Some(option) = walk.next(segment) {
        if (option.kind, option.length) != (kind::MAXIMUM_SEGMENT_SIZE, 2) {
            continue;
        }
        let value = segment.get_mut(option.value..).and_then(<[u8]>::first_chunk_mut::<2>);
        let Some(value) = value.filter(|value| u16::from_be_bytes(**value) > max.0) else { continue };
        delta = delta.word_at(option.value, u16::from_be_bytes(*value), max.0);
        *value = max.0.to_be_bytes();
    }
    apply(segment, delta);
}

/// Shifts the sequence number, and updates the checksum.
#[inline(always)]
pub fn shift_sequence(segment: &mut [u8], by: Shift) {
    let Ok(old) = Tcp::new_checked(segment).map(|tcp| tcp.sequence()) else { return };
    let Some(mut tcp) = TcpMut::new(segment) else { return };
    let new = old.shifted(by);
    tcp.set_sequence(new);
    tcp.set_checksum(Delta::default().words(old.0, new.0).apply(tcp.checksum()));
}

/// Applies `renumber` to the acknowledgement number and to the edges of selective acknowledgements
/// (RFC 2018 section 3), and updates the checksum. A segment without ACK stays unchanged.
#[inline(always)]
pub fn renumber_acknowledgement(segment: &mut [u8], renumber: impl Fn(Sequence) -> Sequence) {
    let Ok(tcp) = Tcp::new_checked(segment) else { return };
    if !tcp.flags().has(Flags::ACK) {
        return;
    }
    let (old, has_options) = (tcp.acknowledgement(), tcp.header_length() > tcp::LENGTH);
    let new = renumber(old);
    let mut delta = Delta::default().words(old.0, new.0);
    if has_options {
        delta = renumber_sack(segment, renumber, delta);
    }
    if let Some(mut tcp) = TcpMut::new(segment) {
        tcp.set_acknowledgement(new);
        tcp.set_checksum(delta.apply(tcp.checksum()));
    }
}

fn renumber_sack(segment: &mut [u8], renumber: impl Fn(Sequence) -> Sequence, mut delta: Delta) -> Delta {
    let Some(mut walk) = Walk::new(segment) else { return delta };
    while let Some(option) = walk.next(segment) {
        if option.kind != kind::SACK {
            continue;
        }
        let value = segment.get_mut(option.value..).and_then(|rest| rest.get_mut(..option.length));
        let (edges, _) = value.unwrap_or_default().as_chunks_mut::<4>();
        for edge in edges {
            let old = Sequence(u32::from_be_bytes(*edge));
            let new = renumber(old);
            // All edges have the parity of the first one's offset.
            delta = delta.words_at(option.value, old.0, new.0);
            *edge = new.0.to_be_bytes();
        }
    }
    delta
}

#[inline(always)]
fn apply(segment: &mut [u8], delta: Delta) {
    if let Some(mut tcp) = TcpMut::new(segment) {
        tcp.set_checksum(delta.apply(tcp.checksum()));
    }
}

/// The client's address as an option, for backends of a full NAT: kind, length, port, address. Both
/// lengths are multiples of four, so no padding is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Toa {
    bytes: [u8; 20],
    length: u8,
}

impl Toa {
    /// The option that names `client`.
    pub fn new(client: SocketAddr) -> Self {
        let mut bytes = [0; 20];
        let length = match client {
            SocketAddr::V4(client) => {
                bytes[4..8].copy_from_slice(&client.ip().octets());
                8
            }
            SocketAddr::V6(client) => {
                bytes[4..].copy_from_slice(&client.ip().octets());
                20
            }
        };
        let [high, low] = client.port().to_be_bytes();
        [bytes[0], bytes[1], bytes[2], bytes[3]] = [kind::CLIENT_ADDRESS, length, high, low];
        Self { bytes, length }
    }

    /// The option's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&self.bytes)
    }

    /// Whether the header of `segment` has room for the option.
    pub fn fits(&self, segment: &[u8]) -> bool {
        let header = Tcp::new_checked(segment).map(|tcp| tcp.header_length());
        header.is_ok_and(|header| header + usize::from(self.length) <= MAX_HEADER)
    }

    /// Inserts the option in front of the others, with the layout of `space` that [`tcp::insert`]
    /// describes. `None` without a change: the option does not fit.
    ///
    /// The TCP checksum is updated, the pseudo-header's length included. The caller updates the length
    /// in the IP header.
    pub fn insert(&self, space: &mut [u8]) -> Option<()> {
        self.fits(space.get(usize::from(self.length)..)?).then_some(())?;
        tcp::insert(space, tcp::LENGTH, self.bytes())?;
        let [length, flags] = space.get_mut(12..)?.first_chunk_mut()?;
        let before = u16::from_be_bytes([*length, *flags]);
        // The data offset is in the upper four bits, in four-byte words.
        *length = length.wrapping_add((self.length / 4) << 4);
        let after = u16::from_be_bytes([*length, *flags]);
        apply(space, Delta::default().word(before, after));
        Some(())
    }
}

#[cfg(test)]
mod tests;
