//! What a virtual router has seen.

use std::time::{Duration, Instant};

use super::advert::{Differences, Refusal};

/// The log hears of the same thing no more often.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Since it was first configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Adverts sent.
    pub sent: u64,
    /// Adverts listened to.
    pub received: u64,
    /// Adverts refused, in the order of [`Refusal::ALL`].
    pub refused: [u64; Refusal::ALL.len()],
    /// Adverts listened to that have other addresses.
    pub other_addresses: u64,
    /// Adverts listened to that have another interval.
    pub other_interval: u64,
    /// Adverts listened to whose checksum is over something else.
    pub other_checksum: u64,
    /// Worse masters at the same time.
    pub second_masters: u64,
    /// Times that this box was not scheduled for so long that others must have taken over.
    pub stalls: u64,
    /// Changes of state.
    pub transitions: u64,
}

/// What there is to say of adverts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// One was refused.
    Refused(Refusal),
    /// One was listened to, although it differs.
    Differs(Differences),
}

/// When what was said last.
#[derive(Debug, Default)]
pub(super) struct Said {
    refused: [Option<Instant>; Refusal::ALL.len()],
    differs: Option<(Instant, Differences)>,
}

fn is_due(said: Option<Instant>, now: Instant) -> bool {
    said.is_none_or(|at| now.saturating_duration_since(at) >= SAY_AGAIN)
}

impl Said {
    /// Counts a refusal; gives it back if it is to be told of.
    pub(super) fn refuse(&mut self, counters: &mut Counters, why: Refusal, now: Instant) -> Option<Remark> {
        let place = Refusal::ALL.iter().position(|refusal| *refusal == why)?;
        counters.refused[place] += 1;
        // A frame that came back is a matter of the switch, and not of the peer.
        let is_due = why != Refusal::Own && is_due(self.refused[place], now);
        is_due.then(|| {
            self.refused[place] = Some(now);
            Remark::Refused(why)
        })
    }

    /// The same for an advert that was listened to.
    pub(super) fn admit(
        &mut self,
        counters: &mut Counters,
        differences: Differences,
        now: Instant,
    ) -> Option<Remark> {
        counters.received += 1;
        counters.other_addresses += u64::from(differences.addresses);
        counters.other_interval += u64::from(differences.interval);
        counters.other_checksum += u64::from(differences.checksum);
        // A first address that is not link-local is common, and harms nobody.
        let differences = Differences { not_link_local: false, ..differences };
        let is_said = self.differs.is_some_and(|(at, said)| said == differences && !is_due(Some(at), now));
        if differences == Differences::default() || is_said {
            return None;
        }
        self.differs = Some((now, differences));
        Some(Remark::Differs(differences))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_counted_and_each_thing_said_once_a_minute() {
        let (mut said, mut counters, start) = (Said::default(), Counters::default(), crate::clock::now());
        let later = start + SAY_AGAIN;
        let mut refuse = |why, now| said.refuse(&mut counters, why, now).is_some();
        assert!(refuse(Refusal::Checksum, start) && !refuse(Refusal::Checksum, start));
        assert!(refuse(Refusal::Length, start) && refuse(Refusal::Checksum, later));
        assert!(!refuse(Refusal::Own, start));
        assert_eq!(counters.refused.iter().sum::<u64>(), 5);
        let differs = Differences { addresses: true, ..Differences::default() };
        let harmless = Differences { not_link_local: true, ..Differences::default() };
        let mut admit = |differences, now| said.admit(&mut counters, differences, now).is_some();
        assert!(admit(differs, start) && !admit(differs, start) && admit(differs, later));
        assert!(!admit(harmless, start) && !admit(Differences::default(), start));
        assert_eq!((counters.received, counters.other_addresses), (5, 3));
    }
}
