//! What clients' packets show of a backend counts as a failure of its checks.

use std::time::{Duration, Instant};

use super::Fleet;
use crate::health::job::{News, Observation};
use crate::health::tracker::Outcome;

impl Fleet {
    /// Takes in what was seen without asking.
    pub fn observed(&mut self, observation: Observation, now: Instant) -> Vec<News> {
        let Observation { subject, failures, said } = observation;
        let number = self.numbers.get(&subject).copied();
        let backend = number.and_then(|number| self.backends.get(number)?.as_ref());
        let places = backend.map_or_else(Vec::new, |backend| backend.slots.clone());
        let mut news = Vec::new();
        for place in places {
            let outcome = Outcome::fail(said.clone());
            if let Some(Some(slot)) = self.slots.get_mut(place) {
                (0..failures).for_each(|_| slot.tracker.on_observed(now, &outcome));
            }
            news.extend(self.take_in(place, outcome, (now, Duration::ZERO)));
        }
        news
    }
}
