//! Comparing sixteen bytes with one, at once.

/// Which bytes of two words, the lowest of `low` first, are `byte`: a bit each.
#[inline(always)]
#[cfg(target_arch = "x86_64")]
pub(crate) fn equal_bytes(low: u64, high: u64, byte: u8) -> u32 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};
    // SAFETY: SSE2 is part of x86-64; none of these touches memory.
    unsafe {
        let bytes = _mm_set_epi64x(high.cast_signed(), low.cast_signed());
        _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte.cast_signed()))).cast_unsigned()
    }
}

/// Which bytes of two words, the lowest of `low` first, are `byte`: a bit each.
#[inline(always)]
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn equal_bytes(low: u64, high: u64, byte: u8) -> u32 {
    let words = u128::from(high) << 64 | u128::from(low);
    (0..16).fold(0, |found, at| found | u32::from(words.to_le_bytes()[at] == byte) << at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_its_bit() {
        assert_eq!(equal_bytes(0x0100_0000_0000_0001, 0x0002_0001_0000_0000, 1), 1 | 1 << 7 | 1 << 12);
        assert_eq!(equal_bytes(0, u64::MAX, 0), 0x00ff);
        assert_eq!(equal_bytes(0, u64::MAX, 0xff), 0xff00);
    }
}
