//! What the two SYNs of a connection say in their options, and what the box has to know of it again when
//! the client's ACK comes.
//!
//! A SYN-ACK that is sent without state has 32 bits for the cookie, too few for all options. A client that
//! sends timestamps echoes ours, so that the low bits of our timestamp carry the rest:
//!
//! | bits of TSval | |
//! | --- | --- |
//! | 0..4 | the client's window scale; 15: none |
//! | 4 | both sides permit selective acknowledgements |
//! | 5..9 | the window scale that the box has promised for the backend |
//! | 9..32 | an offset of the connection's own (RFC 7323 section 5.4) |
//!
//! A client without timestamps gets neither window scale nor selective acknowledgements.

use crate::wire::tcp_options::{Mss, Walk, kind};

/// A window's value is to be shifted left by this (RFC 7323 section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct WindowScale(u8);

impl WindowScale {
    /// RFC 7323 section 2.3: a larger one counts as 14.
    const MAX: u8 = 14;

    pub(crate) fn new(shift: u8) -> Self {
        Self(shift.min(Self::MAX))
    }

    pub(crate) fn shift(self) -> u8 {
        self.0
    }
}

/// The two halves of a timestamps option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Timestamps {
    /// TSval: the sender's clock.
    pub(crate) value: u32,
    /// TSecr: what it has seen of the receiver's.
    pub(crate) echo: u32,
}

/// What a SYN or a SYN-ACK says of its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SynOptions {
    pub(crate) mss: Option<Mss>,
    pub(crate) window_scale: Option<WindowScale>,
    pub(crate) sack_permitted: bool,
    pub(crate) timestamps: Option<Timestamps>,
}

impl SynOptions {
    /// Of an option that is there twice the last one counts. One of a wrong length is none; one that does
    /// not fit into the header ends the list.
    pub(crate) fn read(segment: &[u8]) -> Self {
        let mut options = Self::default();
        let Some(mut walk) = Walk::new(segment) else { return options };
        while let Some(option) = walk.next(segment) {
            let value = segment.get(option.value..).and_then(|rest| rest.get(..option.length));
            match (option.kind, value.unwrap_or_default()) {
                (kind::MAXIMUM_SEGMENT_SIZE, &[high, low]) => {
                    options.mss = Some(Mss(u16::from_be_bytes([high, low])));
                }
                (kind::WINDOW_SCALE, &[shift]) => options.window_scale = Some(WindowScale::new(shift)),
                (kind::SACK_PERMITTED, []) => options.sack_permitted = true,
                (kind::TIMESTAMPS, value) => options.timestamps = both(value).or(options.timestamps),
                _ => {}
            }
        }
        options
    }

    /// As a header has them.
    pub(crate) fn write(&self) -> OptionBytes {
        let mut bytes = OptionBytes::default();
        if let Some(mss) = self.mss {
            let [high, low] = mss.0.to_be_bytes();
            bytes.push([kind::MAXIMUM_SEGMENT_SIZE, 4, high, low]);
        }
        let permission = [kind::SACK_PERMITTED, 2];
        match self.timestamps {
            Some(timestamps) if self.sack_permitted => bytes.timestamps(permission, timestamps),
            Some(timestamps) => bytes.timestamps([kind::NO_OPERATION; 2], timestamps),
            None if self.sack_permitted => {
                bytes.push([kind::NO_OPERATION; 2]);
                bytes.push(permission);
            }
            None => {}
        }
        if let Some(scale) = self.window_scale {
            bytes.push([kind::NO_OPERATION, kind::WINDOW_SCALE, 3, scale.0]);
        }
        bytes
    }
}

/// The timestamps of any segment.
pub(crate) fn timestamps(segment: &[u8]) -> Option<Timestamps> {
    let mut walk = Walk::new(segment)?;
    while let Some(option) = walk.next(segment) {
        if (option.kind, option.length) == (kind::TIMESTAMPS, 8) {
            return both(segment.get(option.value..)?.get(..option.length)?);
        }
    }
    None
}

fn both(value: &[u8]) -> Option<Timestamps> {
    let &[a, b, c, d, e, f, g, h] = value else { return None };
    Some(Timestamps { value: u32::from_be_bytes([a, b, c, d]), echo: u32::from_be_bytes([e, f, g, h]) })
}

/// Options as a header has them: a multiple of four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct OptionBytes {
    /// Four of the segment size, twelve of timestamps, four of the window scale.
    bytes: [u8; 20],
    length: u8,
}

impl OptionBytes {
    /// Of a segment that is no SYN.
    pub(crate) fn of(timestamps: Option<Timestamps>) -> Self {
        let mut bytes = Self::default();
        if let Some(timestamps) = timestamps {
            bytes.timestamps([kind::NO_OPERATION; 2], timestamps);
        }
        bytes
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    fn timestamps(&mut self, filling: [u8; 2], timestamps: Timestamps) {
        self.push(filling);
        self.push([kind::TIMESTAMPS, 10]);
        self.push(timestamps.value.to_be_bytes());
        self.push(timestamps.echo.to_be_bytes());
    }

    #[expect(clippy::cast_possible_truncation, reason = "20 at most in all")]
    fn push<const N: usize>(&mut self, bytes: [u8; N]) {
        let free = self.bytes.get_mut(usize::from(self.length)..).and_then(<[u8]>::first_chunk_mut::<N>);
        if let Some(place) = free {
            *place = bytes;
            self.length += N as u8;
        }
    }
}

/// The window scales of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scales {
    /// The client's own.
    pub(crate) client: WindowScale,
    /// What the box has promised for the backend.
    pub(crate) promised: WindowScale,
}

/// What the box agrees to in the backend's name when client and box both send timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) scales: Option<Scales>,
    pub(crate) sack: bool,
}

impl Agreed {
    /// Bits of a timestamp that it takes.
    pub(crate) const BITS: u32 = 9;
    const NO_SCALE: u8 = 15;
    const SACK: u32 = 1 << 4;

    /// The low bits of a timestamp.
    pub(crate) fn encode(self) -> u32 {
        let (client, promised) = match self.scales {
            Some(scales) => (scales.client.0, scales.promised.0),
            None => (Self::NO_SCALE, 0),
        };
        u32::from(client) | if self.sack { Self::SACK } else { 0 } | u32::from(promised) << 5
    }

    /// What a timestamp of the box says; nothing where it can't be the box's.
    pub(crate) fn decode(timestamp: u32) -> Option<Self> {
        let (client, promised) = ((timestamp & 15) as u8, (timestamp >> 5 & 15) as u8);
        let scales = match (client, promised) {
            (Self::NO_SCALE, 0) => None,
            (0..=WindowScale::MAX, 0..=WindowScale::MAX) => {
                Some(Scales { client: WindowScale(client), promised: WindowScale(promised) })
            }
            _ => return None,
        };
        Some(Self { scales, sack: timestamp & Self::SACK != 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::frames::frame;
    use crate::types::Mac;
    use crate::wire::tcp::Flags;
    use proptest::prelude::*;

    fn segment(options: &[u8]) -> Vec<u8> {
        let build = frame((Mac::default(), "10.0.0.2"), (Mac::default(), "10.0.0.100"));
        build.tcp(40000, 80, Flags::SYN).tcp_options(options).packet().split_off(20)
    }

    #[test]
    fn the_options_of_common_systems_are_read() {
        let linux = [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7];
        let all = SynOptions {
            mss: Some(Mss(1460)),
            window_scale: Some(WindowScale(7)),
            sack_permitted: true,
            timestamps: Some(Timestamps { value: 9, echo: 0 }),
        };
        assert_eq!(SynOptions::read(&segment(&linux)), all);
        assert_eq!(all.write().bytes(), linux, "and are written as Linux does");
        let windows = [2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2];
        let read = SynOptions::read(&segment(&windows));
        assert_eq!(read, SynOptions { window_scale: Some(WindowScale(8)), timestamps: None, ..all });
        assert_eq!(SynOptions::read(&segment(&[])), SynOptions::default());
    }

    #[test]
    fn strange_options_are_taken_for_what_they_are() {
        let mss = |value| SynOptions { mss: Some(Mss(value)), ..SynOptions::default() };
        for (options, expected) in [
            (&[2, 4, 1, 0, 2, 4, 2, 0][..], mss(512)), // the last one counts
            (&[2, 4, 1, 0, 0, 4, 2, 0], mss(256)),     // the list has ended
            (&[2, 3, 9, 1, 2, 4, 1, 0], mss(256)),     // of another length
            (&[8, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], SynOptions::default()), // the same
            (&[2, 4, 1, 0, 3, 0, 4, 2], mss(256)),     // without a length
            (&[2, 4, 1, 0, 3, 9, 4, 2], mss(256)),     // beyond the header
        ] {
            assert_eq!(SynOptions::read(&segment(options)), expected, "{options:?}");
        }
        let scale = SynOptions::read(&segment(&[3, 3, 200, 0])).window_scale;
        assert_eq!(scale, Some(WindowScale(14)), "RFC 7323 section 2.3");
    }

    #[test]
    fn what_is_agreed_survives_in_a_timestamp() {
        for client in 0..=14 {
            for promised in 0..=14 {
                let (client, promised) = (WindowScale(client), WindowScale(promised));
                for (scales, sack) in [(Some(Scales { client, promised }), true), (None, false)] {
                    let agreed = Agreed { scales, sack };
                    assert!(agreed.encode() < 1 << Agreed::BITS);
                    assert_eq!(Agreed::decode(agreed.encode() | 0xffff_fe00), Some(agreed));
                }
            }
        }
        assert_eq!(Agreed::decode(15 << 5), None, "no such promise is made");
        assert_eq!(Agreed::decode(15 | 1 << 5), None, "nor a promise to a client without a scale");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            mss: Option<u16>, scale in proptest::option::of(0..=14_u8), sack: bool, stamps: Option<(u32, u32)>,
        ) {
            let timestamps = stamps.map(|(value, echo)| Timestamps { value, echo });
            let window_scale = scale.map(WindowScale);
            let options = SynOptions { mss: mss.map(Mss), window_scale, sack_permitted: sack, timestamps };
            let segment = segment(options.write().bytes());
            prop_assert_eq!(SynOptions::read(&segment), options);
            prop_assert_eq!(super::timestamps(&segment), timestamps);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), words in proptest::collection::vec(any::<[u8; 4]>(), 0..=10)) {
            for segment in [bytes, segment(&words.concat())] {
                let read = SynOptions::read(&segment);
                prop_assert!(read.write().bytes().len().is_multiple_of(4));
                let _ = super::timestamps(&segment);
            }
        }
    }
}
