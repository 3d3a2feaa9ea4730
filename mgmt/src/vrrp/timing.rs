//! How long is waited for what (RFC 9568 section 6.1, RFC 3768 section 6.1).

use std::net::IpAddr;
use std::num::{NonZeroU8, NonZeroU16};
use std::time::Duration;

use super::{Priority, Version};

/// Adverts that may be missed before the master counts as dead.
const MISSED: u32 = 3;

/// The largest number in the 12 bits of version 3 (RFC 9568 section 5.2.7).
const MOST_CENTISECONDS: u16 = 0x0fff;

/// From one advert to the next, as the packets of either version say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AdvertInterval(Unit);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Unit {
    /// Version 2 (RFC 3768 section 5.3.7).
    Seconds(NonZeroU8),
    /// Version 3 (RFC 9568 section 5.2.7).
    Centiseconds(NonZeroU16),
}

/// An interval that packets of the version cannot say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IntervalError {
    /// Version 2: 1 to 255 whole seconds.
    #[error("version 2 counts in whole seconds, from 1s to 255s")]
    NotSeconds,
    /// Version 3: 1 to 4095 hundredths.
    #[error("version 3 counts in steps of 10ms, from 10ms to 40950ms")]
    NotCentiseconds,
}

impl AdvertInterval {
    /// As the operator says it.
    ///
    /// # Errors
    /// Packets of this version cannot say it.
    pub fn new(version: Version, interval: Duration) -> Result<Self, IntervalError> {
        match version {
            Version::V2 => {
                let seconds = u8::try_from(interval.as_secs()).ok().and_then(NonZeroU8::new);
                let whole = seconds.filter(|_| interval.subsec_nanos() == 0);
                whole.map(|seconds| Self(Unit::Seconds(seconds))).ok_or(IntervalError::NotSeconds)
            }
            Version::V3 => {
                let hundredths = u16::try_from(interval.as_millis() / 10).ok();
                let whole = hundredths.filter(|_| interval.subsec_nanos().is_multiple_of(10_000_000));
                whole.and_then(Self::from_centiseconds).ok_or(IntervalError::NotCentiseconds)
            }
        }
    }

    /// Of the byte in a packet of version 2. `None`: 0.
    pub(super) fn from_seconds(seconds: u8) -> Option<Self> {
        NonZeroU8::new(seconds).map(|seconds| Self(Unit::Seconds(seconds)))
    }

    /// Of the 12 bits in a packet of version 3. `None`: 0, or more than 12 bits.
    pub(super) fn from_centiseconds(hundredths: u16) -> Option<Self> {
        let hundredths = NonZeroU16::new(hundredths).filter(|n| n.get() <= MOST_CENTISECONDS);
        hundredths.map(|hundredths| Self(Unit::Centiseconds(hundredths)))
    }

    /// Bytes 4 and 5 of version 3, and byte 5 of version 2, whose byte 4 is the authentication type.
    pub(super) fn wire(self) -> [u8; 2] {
        match self.0 {
            Unit::Seconds(seconds) => [0, seconds.get()],
            Unit::Centiseconds(hundredths) => hundredths.get().to_be_bytes(),
        }
    }

    /// Whose packets say it.
    #[must_use]
    pub fn version(self) -> Version {
        match self.0 {
            Unit::Seconds(_) => Version::V2,
            Unit::Centiseconds(_) => Version::V3,
        }
    }

    /// As a time.
    #[must_use]
    pub fn duration(self) -> Duration {
        match self.0 {
            Unit::Seconds(seconds) => Duration::from_secs(seconds.get().into()),
            Unit::Centiseconds(hundredths) => Duration::from_millis(u64::from(hundredths.get()) * 10),
        }
    }
}

/// `Skew_Time`: the better the router, the sooner it takes over. In version 3 a share of the master's interval
/// (RFC 9568 section 6.1), in version 2 of a second whatever the interval (RFC 3768 section 6.1). Not rounded to
/// the RFC's hundredths: at 10 ms adverts all skews would be the same.
#[must_use]
pub fn skew(master: AdvertInterval, own: Priority) -> Duration {
    let whole = match master.version() {
        Version::V2 => Duration::from_secs(1),
        Version::V3 => master.duration(),
    };
    whole * (256 - u32::from(own.0)) / 256
}

/// `Active_Down_Interval` (RFC 9568 section 6.1), `Master_Down_Interval` (RFC 3768 section 6.1).
#[must_use]
pub fn master_down(master: AdvertInterval, own: Priority) -> Duration {
    master.duration() * MISSED + skew(master, own)
}

/// Up to half an interval, of each address another part: neighbouring ones are far from each other.
#[must_use]
pub fn apart(interval: AdvertInterval, own: IpAddr) -> Duration {
    const GOLDEN: u32 = 0x9e37_79b9;
    let bytes = match own {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let hash = bytes.into_iter().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    interval.duration() * (hash.wrapping_mul(GOLDEN) >> 24) / 512
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn interval(version: Version, milliseconds: u64) -> AdvertInterval {
        AdvertInterval::new(version, Duration::from_millis(milliseconds)).unwrap()
    }

    #[test]
    fn each_version_has_its_steps_and_its_bounds() {
        let new = |version, micros| AdvertInterval::new(version, Duration::from_micros(micros));
        for good in [1, 255] {
            assert_eq!(new(Version::V2, good * 1_000_000).unwrap().duration(), Duration::from_secs(good));
        }
        for bad in [0, 999_999, 1_500_000, 256_000_000, 60_000_000_000] {
            assert_eq!(new(Version::V2, bad), Err(IntervalError::NotSeconds), "{bad}");
        }
        for good in [10_000, 1_010_000, 40_950_000] {
            assert_eq!(new(Version::V3, good).unwrap().duration(), Duration::from_micros(good));
        }
        for bad in [0, 9_999, 10_001, 15_000, 40_960_000, 700_000_000_000] {
            assert_eq!(new(Version::V3, bad), Err(IntervalError::NotCentiseconds), "{bad}");
        }
    }

    #[test]
    fn the_usual_settings_give_the_usual_times() {
        let table = [
            (Version::V2, 1000, 100, 609_375, 3_609_375),
            (Version::V2, 3000, 100, 609_375, 9_609_375),
            (Version::V3, 1000, 100, 609_375, 3_609_375),
            (Version::V3, 100, 100, 60_937, 360_937),
            (Version::V3, 10, 100, 6_093, 36_093),
            (Version::V3, 1000, 254, 7_812, 3_007_812),
            (Version::V3, 1000, 255, 3_906, 3_003_906),
        ];
        for (version, milliseconds, priority, skew_us, down_us) in table {
            let master = interval(version, milliseconds);
            let us = |time: Duration| time.as_micros();
            assert_eq!(
                us(skew(master, Priority(priority))),
                skew_us,
                "{version:?} {milliseconds} {priority}"
            );
            assert_eq!(us(master_down(master, Priority(priority))), down_us);
        }
    }

    proptest! {
        #[test]
        fn the_better_router_is_sooner_and_nobody_waits_for_four_adverts(
            hundredths in 1_u16..=0xfff, low in 1_u8..254, by in 1_u8..,
        ) {
            let high = low.saturating_add(by);
            let master = AdvertInterval::from_centiseconds(hundredths).unwrap();
            prop_assert!(skew(master, Priority(high)) < skew(master, Priority(low)));
            prop_assert!(master_down(master, Priority(low)) < master.duration() * 4);
            prop_assert_eq!(AdvertInterval::new(Version::V3, master.duration()), Ok(master));
        }
    }
}
