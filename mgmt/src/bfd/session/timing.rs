//! When packets leave, and how long one waits for them (RFC 5880 sections 6.8.2 to 6.8.4 and 6.8.7).

use std::time::{Duration, Instant};

use super::super::{Micros, State};
use super::Session;

/// Numbers for jitter and sequence numbers, by xorshift: nobody gains from guessing the jitter.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        // Zero would stay zero.
        Self(seed | 1)
    }

    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn word(&mut self) -> u32 {
        u32::try_from(self.roll() >> 32).unwrap_or_default()
    }
}

/// Not more often than either side wants; up to a quarter earlier, so that many sessions do not fall into step. With a
/// multiplier of 1 at least a tenth earlier: a packet just in time would come too late.
pub(super) fn transmit_interval(tx: Micros, remote_rx: Micros, multiplier: u8, dice: &mut Dice) -> Duration {
    let whole = tx.max(remote_rx).duration();
    let least: u32 = if multiplier == 1 { 100 } else { 0 };
    // In thousandths.
    let earlier = least + dice.word() % (251 - least);
    whole * (1000 - earlier) / 1000
}

impl Session {
    /// Puts in force what may be: while it is up nothing that the peer could take for silence before it has answered
    /// (section 6.8.3).
    pub(super) fn negotiate(&mut self, now: Instant, is_answered: bool) {
        let (tx, rx) = (self.desired_tx(), self.settings.interval);
        let is_free = self.state != State::Up || is_answered;
        if is_free || tx < self.tx {
            self.tx = tx;
        }
        if is_free || rx > self.rx {
            self.rx = rx;
        }
        let soon = now + self.interval();
        self.send_at = self.send_at.min(soon);
    }

    /// Section 6.8.3: not more often than once a second before it is up.
    pub(super) fn desired_tx(&self) -> Micros {
        match self.state {
            State::Up => self.settings.interval,
            State::AdminDown | State::Down | State::Init => self.settings.interval.max(Micros::SLOW),
        }
    }

    pub(super) fn interval(&mut self) -> Duration {
        transmit_interval(self.tx, self.remote.min_rx, self.settings.multiplier, &mut self.dice)
    }

    /// Section 6.8.4.
    pub(super) fn detection_time(&self) -> Duration {
        self.rx.max(self.remote.desired_tx).duration() * u32::from(self.remote.multiplier)
    }

    pub(super) fn expect_more(&mut self, now: Instant) {
        let time = self.detection_time();
        (self.detect_at, self.forget_at) = (Some(now + time), Some(now + time * 2));
    }

    /// Section 6.8.7.
    pub(super) fn is_periodic(&self) -> bool {
        let is_quiet =
            self.remote.demand && self.state == State::Up && self.remote.state == State::Up && !self.polls;
        self.state != State::AdminDown && self.remote.min_rx != Micros(0) && !is_quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_within_its_bounds_and_uses_them() {
        for (multiplier, least, most) in [(1, 7500, 9000), (3, 7500, 10_000)] {
            let mut dice = Dice::new(7);
            let mut seen =
                |_| transmit_interval(Micros(10_000), Micros(50), multiplier, &mut dice).as_micros();
            let seen: Vec<_> = (0..2000).map(&mut seen).collect();
            assert!(seen.iter().all(|time| (least..=most).contains(time)), "multiplier {multiplier}");
            assert!(
                seen.iter().any(|time| *time < least + 100) && seen.iter().any(|time| *time > most - 100)
            );
        }
        let slower = transmit_interval(Micros(10_000), Micros(40_000), 3, &mut Dice::new(1));
        assert!(slower >= Duration::from_millis(30), "the peer cannot take more");
    }
}
