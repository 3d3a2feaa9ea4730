//! For the life of a flow: what both ends say of the stream from the backend, in the numbers of the other.
//!
//! The client counts that stream from the cookie, the backend from its own initial sequence number; the
//! client's stream has the same numbers on both sides. Besides, each side reads windows by the scale that it
//! was told, and timestamps go on from that of the SYN-ACK (RFC 7323 section 5.3: going back looks like
//! an old duplicate).

use crate::flow::STANDS;
use crate::wire::checksum::Delta;
use crate::wire::tcp::{self, Flags, Sequence, Tcp, TcpMut};
use crate::wire::tcp_options::{TcpOption, Walk, kind};

/// What a flow remembers of it: three words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Translation {
    /// From the backend's sequence numbers to the client's.
    pub(crate) delta: u32,
    /// From the backend's clock to the client's.
    pub(crate) ts_delta: u32,
    /// By how much a window of the backend is shifted to the left; to the right where negative.
    pub(crate) window_to_client: i8,
    /// By how much one of the client is shifted to the left: for a backend that scales none.
    pub(crate) window_to_backend: u8,
    /// The backend knows nothing of selective acknowledgements.
    pub(crate) strips_sack: bool,
}

const STRIPS_SACK: u32 = 1 << 16;
const _: () = assert!(STRIPS_SACK > STANDS && STANDS > 0xfff, "the bit of the table is nobody else's");

impl Translation {
    /// As a flow entry keeps it.
    pub(crate) fn to_words(self) -> [u32; 3] {
        let windows = [0, 0, self.window_to_backend, self.window_to_client.cast_unsigned()];
        let strips = if self.strips_sack { STRIPS_SACK } else { 0 };
        [self.delta, self.ts_delta, u32::from_be_bytes(windows) | strips]
    }

    pub(crate) fn from_words([delta, ts_delta, rest]: [u32; 3]) -> Self {
        let [_, _, window_to_backend, window_to_client] = rest.to_be_bytes();
        Self {
            delta,
            ts_delta,
            window_to_client: window_to_client.cast_signed(),
            window_to_backend,
            strips_sack: rest & STRIPS_SACK != 0,
        }
    }

    /// A number of the backend's stream, as the client has it.
    pub(crate) fn for_client(&self, sequence: Sequence) -> Sequence {
        Sequence(sequence.0.wrapping_add(self.delta))
    }

    /// The other way: also what an ICMP error of the client's side quotes of a segment that came through here.
    pub(crate) fn for_backend(&self, sequence: Sequence) -> Sequence {
        Sequence(sequence.0.wrapping_sub(self.delta))
    }

    /// A segment of the backend becomes one for the client. The checksum follows by difference; what is no
    /// TCP header stays as it is.
    #[inline(always)]
    pub(crate) fn to_client(self, segment: &mut [u8]) {
        let Some(header) = Header::of(segment) else { return };
        let mut delta = Delta::default();
        let options = if header.has_options { Walk::new(segment) } else { None };
        if let Some(mut options) = options {
            while let Some(option) = options.next(segment) {
                if is_timestamps(option) {
                    delta = replace(segment, option.value, delta, |value| value.wrapping_add(self.ts_delta));
                }
            }
        }
        let sequence = self.for_client(header.sequence);
        let window = header.rescaled(self.window_to_client);
        delta = delta.words(header.sequence.0, sequence.0).word(header.window, window);
        if let Some(mut tcp) = TcpMut::new(segment) {
            tcp.set_sequence(sequence);
            tcp.set_window(window);
            tcp.set_checksum(delta.apply(tcp.checksum()));
        }
    }

    /// A segment of the client becomes one for the backend.
    #[inline(always)]
    pub(crate) fn to_backend(self, segment: &mut [u8]) {
        let Some(header) = Header::of(segment) else { return };
        let mut delta = Delta::default();
        let acknowledges = header.flags.has(Flags::ACK);
        // What stands in these fields of other segments means nothing (RFC 9293 section 3.1, RFC 7323 section 3.2).
        let options = if acknowledges && header.has_options { Walk::new(segment) } else { None };
        if let Some(mut options) = options {
            while let Some(option) = options.next(segment) {
                delta = self.option_to_backend(segment, option, delta);
            }
        }
        let acknowledged =
            if acknowledges { self.for_backend(header.acknowledged) } else { header.acknowledged };
        let window = header.rescaled(self.window_to_backend.cast_signed());
        delta = delta.words(header.acknowledged.0, acknowledged.0).word(header.window, window);
        if let Some(mut tcp) = TcpMut::new(segment) {
            tcp.set_acknowledgement(acknowledged);
            tcp.set_window(window);
            tcp.set_checksum(delta.apply(tcp.checksum()));
        }
    }

    fn option_to_backend(&self, segment: &mut [u8], option: TcpOption, delta: Delta) -> Delta {
        match option.kind {
            kind::SACK if self.strips_sack => blank(segment, option, delta),
            // Two edges of four bytes each (RFC 2018 section 3).
            kind::SACK => (0..option.length / 4).fold(delta, |delta, edge| {
                replace(segment, option.value + edge * 4, delta, |value| value.wrapping_sub(self.delta))
            }),
            _ if is_timestamps(option) => {
                replace(segment, option.value + 4, delta, |value| value.wrapping_sub(self.ts_delta))
            }
            _ => delta,
        }
    }
}

/// What is read of a header before it changes.
#[derive(Debug)]
struct Header {
    flags: Flags,
    sequence: Sequence,
    acknowledged: Sequence,
    window: u16,
    has_options: bool,
}

impl Header {
    #[inline(always)]
    fn of(segment: &[u8]) -> Option<Self> {
        let tcp = Tcp::new_checked(segment).ok()?;
        Some(Self {
            flags: tcp.flags(),
            sequence: tcp.sequence(),
            acknowledged: tcp.acknowledgement(),
            window: tcp.window(),
            has_options: tcp.header_length() > tcp::LENGTH,
        })
    }

    /// The window, in units `shift` powers of two smaller. What gets too large counts as the largest
    /// there is, and what does not fill a unit is not promised.
    #[inline(always)]
    fn rescaled(&self, shift: i8) -> u16 {
        // RFC 7323 section 2.2: the window of a SYN is never scaled.
        if self.flags.has(Flags::SYN) {
            return self.window;
        }
        let by = u32::from(shift.unsigned_abs());
        let window = u32::from(self.window);
        let window = if shift < 0 { window.checked_shr(by) } else { window.checked_shl(by.min(15)) };
        window.map_or(0, |window| u16::try_from(window).unwrap_or(u16::MAX))
    }
}

#[inline(always)]
fn is_timestamps(option: TcpOption) -> bool {
    (option.kind, option.length) == (kind::TIMESTAMPS, 8)
}

/// Changes the number at `at`.
#[inline(always)]
fn replace(segment: &mut [u8], at: usize, delta: Delta, new: impl Fn(u32) -> u32) -> Delta {
    let place = segment.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<4>);
    let Some(place) = place else { return delta };
    let before = u32::from_be_bytes(*place);
    let after = new(before);
    *place = after.to_be_bytes();
    delta.words_at(at, before, after)
}

/// Makes an option filling.
fn blank(segment: &mut [u8], option: TcpOption, mut delta: Delta) -> Delta {
    let (start, end) = (option.value - 2, option.value + option.length);
    let bytes = segment.get_mut(start..end).unwrap_or_default();
    for (byte, at) in bytes.iter_mut().zip(start..) {
        let [before, after] = [*byte, kind::NO_OPERATION].map(u16::from);
        // A byte at an even place is the upper half of a word.
        let half = if at.is_multiple_of(2) { 8 } else { 0 };
        delta = delta.word(before << half, after << half);
        *byte = kind::NO_OPERATION;
    }
    delta
}

#[cfg(test)]
mod tests;
