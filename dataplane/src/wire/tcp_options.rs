//! TCP options (RFC 9293 section 3.1): the segment size that is let through, sequence numbers that
//! options repeat, and the client's address as an option.

use std::net::SocketAddr;

use super::checksum::Delta;
use super::tcp::{self, Flags, Sequence, Shift, Tcp, TcpMut};

/// Option kinds (IANA).
pub(crate) mod kind {
    pub(crate) const END: u8 = 0;
    pub(crate) const NO_OPERATION: u8 = 1;
    pub(crate) const MAXIMUM_SEGMENT_SIZE: u8 = 2;
    /// RFC 7323 section 2.2.
    pub(crate) const WINDOW_SCALE: u8 = 3;
    /// RFC 2018 section 2.
    pub(crate) const SACK_PERMITTED: u8 = 4;
    /// RFC 2018 section 3.
    pub(crate) const SACK: u8 = 5;
    /// RFC 7323 section 3.2.
    pub(crate) const TIMESTAMPS: u8 = 8;
    /// One of the two for experiments (RFC 4727); what LVS's modules for backends look for.
    pub(crate) const CLIENT_ADDRESS: u8 = 254;
}

/// The longest header: its length is counted in words of four bytes, in four bits.
pub(crate) const MAX_HEADER: usize = 60;

/// A maximum segment size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mss(pub(crate) u16);

/// An option with a length, and where in the segment its value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TcpOption {
    pub(crate) kind: u8,
    pub(crate) value: usize,
    pub(crate) length: usize,
}

/// The walk over a segment's options. Each step takes a byte at least, of forty at most; an option
/// whose length does not fit ends it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk {
    at: usize,
    end: usize,
}

impl Walk {
    /// `None`: not a whole header.
    #[inline(always)]
    pub(crate) fn new(segment: &[u8]) -> Option<Self> {
        let header = Tcp::new_checked(segment).ok()?.header_length();
        Some(Self { at: tcp::LENGTH, end: header })
    }

    #[inline(always)]
    pub(crate) fn next(&mut self, segment: &[u8]) -> Option<TcpOption> {
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

/// Lowers the segment size that a SYN announces to `max`; one that is smaller stays. The checksum
/// follows by difference.
#[inline(always)]
pub(crate) fn clamp_mss(segment: &mut [u8], max: Mss) {
    // All but the first segment of each direction.
    if !segment.get(13).is_some_and(|flags| Flags(*flags).has(Flags::SYN)) {
        return;
    }
    clamp_syn(segment, max);
}

/// The segment size that a SYN announces.
pub(crate) fn announced_mss(segment: &[u8]) -> Option<Mss> {
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

/// Shifts what a segment says of its sender's stream: the sequence number.
#[inline(always)]
pub(crate) fn shift_sequence(segment: &mut [u8], by: Shift) {
    let Ok(old) = Tcp::new_checked(segment).map(|tcp| tcp.sequence()) else { return };
    let Some(mut tcp) = TcpMut::new(segment) else { return };
    let new = old.shifted(by);
    tcp.set_sequence(new);
    tcp.set_checksum(Delta::default().words(old.0, new.0).apply(tcp.checksum()));
}

/// Gives what a segment says of its receiver's stream other numbers: the acknowledgement and the blocks of
/// a selective one (RFC 2018 section 3). A segment that acknowledges nothing stays as it is.
#[inline(always)]
pub(crate) fn renumber_acknowledgement(segment: &mut [u8], renumber: impl Fn(Sequence) -> Sequence) {
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
            // All edges lie as the first one does: even or odd.
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

/// The client's address as an option, for backends that would see the box's: kind, length, port,
/// address. Both of its lengths are multiples of four, so that no padding is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Toa {
    bytes: [u8; 20],
    length: u8,
}

impl Toa {
    pub(crate) fn new(client: SocketAddr) -> Self {
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

    /// As it goes into the header.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&self.bytes)
    }

    /// Whether `segment`'s header has room for it.
    pub(crate) fn fits(&self, segment: &[u8]) -> bool {
        let header = Tcp::new_checked(segment).map(|tcp| tcp.header_length());
        header.is_ok_and(|header| header + usize::from(self.length) <= MAX_HEADER)
    }

    /// Puts the option in front of the others of the segment that begins behind as many bytes of
    /// `space` as the option has; the segment begins with `space` then. `None`, and nothing changed:
    /// it does not fit.
    ///
    /// The checksum follows, the pseudo-header's length included. The length that the IP header
    /// announces is the caller's.
    pub(crate) fn insert(&self, space: &mut [u8]) -> Option<()> {
        self.fits(space.get(usize::from(self.length)..)?).then_some(())?;
        tcp::insert(space, tcp::LENGTH, self.bytes())?;
        let [length, flags] = space.get_mut(12..)?.first_chunk_mut()?;
        let before = u16::from_be_bytes([*length, *flags]);
        // Words of four bytes, in the upper half of the byte.
        *length = length.wrapping_add((self.length / 4) << 4);
        let after = u16::from_be_bytes([*length, *flags]);
        apply(space, Delta::default().word(before, after));
        Some(())
    }
}

#[cfg(test)]
mod tests;
