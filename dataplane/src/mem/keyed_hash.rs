//! The hash of the flow table and of what is looked up per flow: keyed with a secret of the process, so that
//! nobody outside can choose packets that meet in one bucket.
//!
//! With AES instructions: the blocks are absorbed by AES rounds under secret round keys, as aHash
//! does. Elsewhere: products of 64 x 64 bits folded to 64, as wyhash does. Neither is a
//! cryptographic hash; the secret never leaves the process and no hash value is ever shown.

use std::hash::{BuildHasher, RandomState};

/// A hash function with its key.
#[derive(Debug, Clone)]
pub(crate) struct KeyedHash {
    keys: [u128; 3],
}

impl Default for KeyedHash {
    fn default() -> Self {
        Self::random()
    }
}

impl KeyedHash {
    /// A key that nobody knows: from the operating system's random numbers, by way of the standard
    /// library's own keyed hash.
    pub(crate) fn random() -> Self {
        let word = |n: u64| u128::from(RandomState::new().hash_one(n));
        Self { keys: std::array::from_fn(|n| word(2 * n as u64) << 64 | word(2 * n as u64 + 1)) }
    }

    /// A key for repeatable tests and benches.
    #[cfg(test)]
    pub(crate) fn fixed() -> Self {
        Self {
            keys: [0x243f_6a88_85a3_08d3_1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89],
        }
    }

    /// The hash of one block.
    #[inline(always)]
    pub(crate) fn one(&self, block: u128) -> u64 {
        rounds(&self.keys, block)
    }

    /// The hash of three blocks.
    #[inline(always)]
    pub(crate) fn three(&self, blocks: [u128; 3]) -> u64 {
        let [a, b, c] = blocks;
        let first = absorb(&self.keys, a, b);
        rounds(&self.keys, first ^ c)
    }
}

#[cfg(all(target_arch = "x86_64", target_feature = "aes"))]
mod imp {
    use std::arch::x86_64::{__m128i, _mm_aesenc_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_xor_si128};

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the word")]
    fn vector(word: u128) -> __m128i {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_set_epi64x((word >> 64) as i64, word as i64) }
    }

    #[inline(always)]
    pub(super) fn rounds(keys: &[u128; 3], block: u128) -> u64 {
        // SAFETY: this module is compiled only where the AES instructions are part of the target.
        unsafe {
            let mut state = _mm_xor_si128(vector(block), vector(keys[0]));
            state = _mm_aesenc_si128(state, vector(keys[1]));
            state = _mm_aesenc_si128(state, vector(keys[2]));
            state = _mm_aesenc_si128(state, vector(keys[0]));
            _mm_cvtsi128_si64(state).cast_unsigned()
        }
    }

    #[inline(always)]
    pub(super) fn absorb(keys: &[u128; 3], a: u128, b: u128) -> u128 {
        // SAFETY: as in `rounds`; a __m128i and a u128 have the same size and any bits are valid.
        unsafe {
            let mut state = _mm_xor_si128(vector(a), vector(keys[0]));
            state = _mm_aesenc_si128(state, vector(keys[1]));
            state = _mm_aesenc_si128(state, vector(keys[2]));
            state = _mm_xor_si128(state, vector(b));
            state = _mm_aesenc_si128(state, vector(keys[1]));
            state = _mm_aesenc_si128(state, vector(keys[2]));
            std::mem::transmute::<__m128i, u128>(state)
        }
    }
}

#[cfg(not(all(target_arch = "x86_64", target_feature = "aes")))]
mod imp {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a product")]
    fn fold(a: u64, b: u64) -> u64 {
        let product = u128::from(a) * u128::from(b);
        (product >> 64) as u64 ^ product as u64
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the word")]
    pub(super) fn rounds(keys: &[u128; 3], block: u128) -> u64 {
        let (high, low) = ((block >> 64) as u64, block as u64);
        let first = fold(low ^ keys[0] as u64, high ^ (keys[0] >> 64) as u64);
        fold(first ^ keys[1] as u64, keys[2] as u64 | 1)
            ^ fold(low ^ keys[2] as u64, (keys[1] >> 64) as u64 | 1)
    }

    #[inline(always)]
    pub(super) fn absorb(keys: &[u128; 3], a: u128, b: u128) -> u128 {
        let first = rounds(keys, a);
        let second = rounds(keys, b ^ u128::from(first));
        u128::from(first) << 64 | u128::from(second)
    }
}

use imp::{absorb, rounds};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_flows_spread_evenly() {
        let hash = KeyedHash::fixed();
        let mut buckets = [0_u32; 256];
        for n in 0..65_536_u128 {
            buckets[(hash.one(0x0a00_0001 << 64 | n) >> 56) as usize] += 1;
            buckets[(hash.three([n, 1 << 127, 6]) & 0xff) as usize] += 1;
        }
        // 512 expected; six standard deviations are 136.
        assert!(buckets.iter().all(|b| (376..=648).contains(b)), "{buckets:?}");
    }

    #[test]
    fn keys_differ_between_processes_and_every_block_counts() {
        assert_ne!(KeyedHash::random().one(1), KeyedHash::random().one(1));
        let hash = KeyedHash::fixed();
        let all: std::collections::HashSet<_> =
            [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]].iter().map(|b| hash.three(*b)).collect();
        assert_eq!(all.len(), 4);
    }
}
