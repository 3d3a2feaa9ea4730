//! The Internet checksum: computed (RFC 1071) and updated incrementally (RFC 1624).

/// Adds the one's complement sum of `bytes` to `sum`. An odd last byte is padded with a zero.
#[inline]
pub fn sum(sum: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let sum = words.iter().fold(sum, |sum, word| sum + u64::from(u32::from_be_bytes(*word)));
    match *rest {
        [] => sum,
        [a] => sum + u64::from(u16::from_be_bytes([a, 0])),
        [a, b] => sum + u64::from(u16::from_be_bytes([a, b])),
        [a, b, c, ..] => sum + u64::from(u16::from_be_bytes([a, b])) + u64::from(u16::from_be_bytes([c, 0])),
    }
}

/// Whether the checksum inside a header without options is right. The sum is computed in native byte
/// order, because a sum of all ones does not depend on it (RFC 1071 section 2, B).
#[inline(always)]
pub fn is_right_over(header: &[u8; 20]) -> bool {
    let (words, _) = header.as_chunks::<4>();
    let sum = words.iter().fold(0, |sum, word| sum + u64::from(u32::from_ne_bytes(*word)));
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    (sum >> 16) + (sum & 0xffff) == 0xffff
}

/// Folds a sum to 16 bits, carries added back in.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "folded to 16 bits")]
pub fn fold(mut sum: u64) -> u16 {
    // Below 2^33, then 0x30000, then 0x10003, then 0x10000.
    sum = (sum >> 32) + (sum & 0xffff_ffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum as u16
}

/// The checksum of `bytes`, whose checksum field must be zero.
#[cfg(test)]
pub fn of(bytes: &[u8]) -> u16 {
    !fold(sum(0, bytes))
}

/// Changes to checksummed words, collected and then applied together.
///
/// RFC 1624, equation 3: `HC' = ~(~HC + ~m + m')`. Summing the terms of several words first gives the
/// same result. A wrong checksum stays wrong, so the receiver still detects damage done elsewhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct Delta(u64);

impl Delta {
    /// A word of 16 bits changes from `old` to `new`.
    #[inline(always)]
    pub fn word(self, old: u16, new: u16) -> Self {
        Self(self.0 + u64::from(!old) + u64::from(new))
    }

    /// Two words change.
    #[inline(always)]
    pub fn words(self, old: u32, new: u32) -> Self {
        Self(self.0 + u64::from(!old) + u64::from(new))
    }

    /// An IPv6 address changes.
    #[inline(always)]
    pub fn address6(self, old: [u8; 16], new: [u8; 16]) -> Self {
        Self(sum(self.0, &old.map(|byte| !byte)) + sum(0, &new))
    }

    /// A word at `offset` bytes changes. At an odd offset its bytes belong to two words, and count swapped
    /// (RFC 1071 section 2, B).
    #[inline(always)]
    pub fn word_at(self, offset: usize, old: u16, new: u16) -> Self {
        if offset.is_multiple_of(2) {
            self.word(old, new)
        } else {
            self.word(old.swap_bytes(), new.swap_bytes())
        }
    }

    /// Two words at `offset` bytes change.
    #[inline(always)]
    pub fn words_at(self, offset: usize, old: u32, new: u32) -> Self {
        if offset.is_multiple_of(2) {
            self.words(old, new)
        } else {
            self.words(old.swap_bytes(), new.swap_bytes())
        }
    }

    /// Bytes are replaced. Both begin at even offsets and may differ in length.
    #[inline(always)]
    pub fn text(self, old: &[u8], new: &[u8]) -> Self {
        Self(sum(self.0, new) + u64::from(!fold(sum(0, old))))
    }

    /// The sum of two sets of changes.
    #[inline(always)]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// The checksum field after the changes.
    #[inline(always)]
    pub fn apply(self, checksum: u16) -> u16 {
        !fold(self.0 + u64::from(!checksum))
    }

    /// [`Self::apply`] for UDP, where zero means "no checksum" (RFC 768): zero stays zero, and a result of
    /// zero becomes all ones.
    #[inline(always)]
    pub fn apply_udp(self, checksum: u16) -> u16 {
        match (checksum, self.apply(checksum)) {
            (0, _) => 0,
            (_, 0) => 0xffff,
            (_, sum) => sum,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_rfc_1071_section_3() {
        assert_eq!(fold(sum(0, &[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7])), 0xddf2);
    }

    #[test]
    fn the_corner_case_of_rfc_1624_section_4() {
        // HC = 0xdd2f, m = 0x5555, m' = 0x3285: the right result is 0x0000, not 0xffff.
        assert_eq!(Delta::default().word(0x5555, 0x3285).apply(0xdd2f), 0x0000);
    }

    #[test]
    fn udp_never_gets_a_zero_and_keeps_one() {
        assert_eq!(Delta::default().word(0x5555, 0x3285).apply_udp(0xdd2f), 0xffff);
        assert_eq!(Delta::default().word(1, 2).apply_udp(0), 0);
    }

    proptest! {
        #[test]
        fn a_difference_gives_what_summing_again_gives(
            mut bytes in proptest::collection::vec(any::<u8>(), 40..=40),
            port: u16, address: [u8; 4], address6: [u8; 16],
        ) {
            bytes[0] |= 1; // an all-zero text would have two forms of its sum
            let before = of(&bytes);
            let delta = Delta::default()
                .word(u16::from_be_bytes([bytes[2], bytes[3]]), port)
                .words(u32::from_be_bytes(bytes[4..8].try_into().unwrap()), u32::from_be_bytes(address))
                .address6(bytes[8..24].try_into().unwrap(), address6);
            bytes[2..4].copy_from_slice(&port.to_be_bytes());
            bytes[4..8].copy_from_slice(&address);
            bytes[8..24].copy_from_slice(&address6);
            prop_assert_eq!(delta.apply(before), of(&bytes));
        }

        #[test]
        fn words_at_any_offset_and_texts_of_another_length_count_too(
            mut bytes in proptest::collection::vec(any::<u8>(), 40..=40),
            at in 1_usize..20, word: u16, words: u32, text in proptest::collection::vec(any::<u8>(), 0..30),
        ) {
            bytes[0] |= 1;
            let before = of(&bytes);
            let text = &text[..text.len() & !1];
            let delta = Delta::default()
                .word_at(at, u16::from_be_bytes(bytes[at..at + 2].try_into().unwrap()), word)
                .words_at(at + 2, u32::from_be_bytes(bytes[at + 2..at + 6].try_into().unwrap()), words)
                .text(&bytes[30..], text);
            bytes[at..at + 2].copy_from_slice(&word.to_be_bytes());
            bytes[at + 2..at + 6].copy_from_slice(&words.to_be_bytes());
            bytes.truncate(30);
            bytes.extend(text);
            prop_assert_eq!(delta.apply(before), of(&bytes));
        }

        #[test]
        fn odd_lengths_sum_as_if_padded(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let mut padded = bytes.clone();
            padded.resize(bytes.len().next_multiple_of(4), 0);
            prop_assert_eq!(of(&bytes), of(&padded));
        }
    }
}
