//! What the benches share: random flows, and criterion set for a small, noisy machine.

pub mod clock;
pub mod figures;

use std::time::Duration;

use criterion::Criterion;

/// Table sizes that every figure is given for.
pub const SIZES: [(&str, u32); 2] = [("64Ki", 1 << 16), ("1M", 1 << 20)];

/// Short runs: a whole suite takes a few minutes.
#[must_use]
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args()
}

/// xorshift64 (Marsaglia 2003): repeatable, and cheap beside what is measured.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Random {
    /// A number below `limit`.
    pub fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(((self.0 >> 32) * u64::from(limit)) >> 32).unwrap_or(0)
    }

    /// A random 64-bit word.
    pub fn word(&mut self) -> u64 {
        self.below(1);
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// Times `pass` alone, once per batch, and not what `prepare` does before each.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
pub fn time_passes<T>(
    iterations: u64,
    engine: &mut T,
    mut prepare: impl FnMut(&mut T),
    mut pass: impl FnMut(&mut T),
) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..iterations {
        prepare(engine);
        let start = std::time::Instant::now();
        pass(engine);
        total += start.elapsed();
    }
    total
}
