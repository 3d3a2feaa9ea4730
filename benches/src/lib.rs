//! What the benches share: random flows, and criterion set for a small, noisy machine.

pub mod clock;
pub mod figures;

use std::time::Duration;

use criterion::Criterion;

/// Table sizes that figures are given for.
pub const SIZES: [(&str, u32); 3] = [("64Ki", 1 << 16), ("1M", 1 << 20), ("10M", 10_000_000)];
/// Those that a table is filled to again and again.
pub const SMALL_SIZES: [(&str, u32); 2] = [SIZES[0], SIZES[1]];

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

/// Flows as popular as the words of a text: the k-th has 1/k of the first one's packets (Zipf's law with
/// an exponent of 1).
#[derive(Debug, Clone)]
pub struct Zipf {
    flows: u32,
    scale: f64,
    random: Random,
}

impl Zipf {
    /// Of so many flows.
    #[must_use]
    pub fn new(flows: u32) -> Self {
        Self { flows, scale: (f64::from(flows) + 1.0).ln(), random: Random::default() }
    }

    /// The next packet's flow. The rank is the inverse of the continuous distribution that has the same
    /// shape: rank k gets ln((k + 1) / k) where Zipf's law says 1/k, both over ln(flows).
    pub fn pick(&mut self) -> u32 {
        // Neighbouring ranks are not neighbours in the table: a prime, so that each flow has a rank.
        const SPREAD: u64 = 2_654_435_761;
        let uniform = f64::from(self.random.below(u32::MAX)) / f64::from(u32::MAX);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to flows + 1")]
        let rank = (uniform * self.scale).exp() as u64;
        let flow = rank.saturating_sub(1) * SPREAD % u64::from(self.flows);
        u32::try_from(flow).unwrap_or(0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_zipfs_flows_has_its_share_and_none_is_outside() {
        let mut zipf = Zipf::new(1000);
        let picked: Vec<u32> = (0..100_000).map(|_| zipf.pick()).collect();
        assert!(picked.iter().all(|flow| *flow < 1000));
        let first = picked.iter().filter(|flow| **flow == 0).count();
        // ln 2 / ln 1001
        assert!((9_500..10_500).contains(&first), "{first}");
    }
}
