//! What a flow entry remembers of a connection that is being opened: five words. The first four are written
//! once, before anybody can find the flow; only the last one changes, as a whole, so that a worker that
//! reads while another writes never sees halves of two states. One bit of it is the table's: see
//! [`Handshake`](crate::flow::Handshake).
//!
//! | word | |
//! | --- | --- |
//! | 0 | the client's initial sequence number |
//! | 1 | the cookie; its low bits name the segment size |
//! | 2, 3 | TSval and TSecr of the client's ACK; the low bits of TSecr name what was agreed on |
//! | 4 | the client's window 16, timestamps 1, SYNs sent 2, the table's 1, the moment of the last one 12 |

use super::{Opening, Timestamps};
use crate::flow::STANDS;
use crate::types::Tick;
use crate::wire::tcp::Sequence;

const TIMESTAMPS: u32 = 1 << 15;
const TRIES: u32 = 13;
const MOMENT: u32 = 12;
const _: () = assert!(STANDS == 1 << MOMENT, "between the two");

impl Opening {
    /// As a flow entry keeps it.
    pub(crate) fn to_words(self) -> [u32; 5] {
        let Timestamps { value, echo } = self.timestamps.unwrap_or_default();
        let last = u32::from(self.window) << 16
            | if self.timestamps.is_some() { TIMESTAMPS } else { 0 }
            | u32::from(self.tries & 3) << TRIES
            | u32::from(self.sent.0);
        [self.isn.0, self.cookie.0, value, echo, last]
    }

    #[expect(clippy::cast_possible_truncation, reason = "parts of a word")]
    pub(crate) fn from_words([isn, cookie, value, echo, last]: [u32; 5]) -> Self {
        Self {
            isn: Sequence(isn),
            cookie: Sequence(cookie),
            timestamps: (last & TIMESTAMPS != 0).then_some(Timestamps { value, echo }),
            window: (last >> 16) as u16,
            tries: (last >> TRIES & 3) as u8,
            sent: Moment(last as u16 & Moment::MASK),
        }
    }
}

/// A moment of the last minute, in steps of 16 ms: the flow of a connection that is being opened is
/// long gone when it wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(u16);

impl Moment {
    const MASK: u16 = (1 << MOMENT) - 1;
    const STEP: u32 = 16;

    #[expect(clippy::cast_possible_truncation, reason = "masked")]
    pub(super) fn of(now: Tick) -> Self {
        Self((now.0 / Self::STEP) as u16 & Self::MASK)
    }

    /// Time passed since.
    pub(super) fn millis_until(self, now: Tick) -> u32 {
        let steps = Self::of(now).0.wrapping_sub(self.0) & Self::MASK;
        u32::from(steps) * Self::STEP
    }
}
