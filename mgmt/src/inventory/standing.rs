//! What a backend takes of new flows now: what the operator wants, what its health allows, and how warm it is.

use std::time::Instant;

use dataplane::snapshot::Fate;

use super::Member;
use crate::api::view::{Admin, BackendState};
use crate::config::Then;

/// A backend's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Now; 0 takes no new flows.
    pub weight: u16,
    /// When it is up and warm.
    pub full: u16,
}

impl Standing {
    /// Whether its weight is still on its way up.
    #[must_use]
    pub fn is_warming_up(self) -> bool {
        0 < self.weight && self.weight < self.full
    }
}

impl Member {
    /// Whether it takes flows.
    #[must_use]
    pub fn state(&self) -> BackendState {
        match self.admin {
            Admin::Enabled if self.condition.up => BackendState::Up,
            Admin::Enabled => BackendState::Down,
            Admin::Disabled => BackendState::Disabled,
            Admin::Drain => BackendState::Drain,
        }
    }

    /// Its share, if it takes flows. A weight set by hand holds over one that a check asks for, but for 0: that
    /// is how checks say that it takes no new flows.
    #[must_use]
    pub fn weight_now(&self) -> u16 {
        let is_by_hand = self.weight != self.configured_weight;
        match self.condition.weight {
            Some(0) => 0,
            Some(asked) if !is_by_hand => asked,
            Some(_) | None => self.weight,
        }
    }

    /// Its weights at a moment. After it has come up, its weight grows evenly from 1 over the service's `slow_start`.
    #[must_use]
    pub fn standing(&self, now: Instant) -> Standing {
        let slow_start = self.slow_start;
        let full = self.weight_now();
        if self.state() != BackendState::Up {
            return Standing { weight: 0, full };
        }
        let elapsed = self.up_since.map(|since| now.saturating_duration_since(since));
        let weight = match elapsed.filter(|elapsed| *elapsed < slow_start) {
            Some(elapsed) => {
                let part = u128::from(full) * elapsed.as_millis() / slow_start.as_millis().max(1);
                u16::try_from(part).unwrap_or(full).max(full.min(1))
            }
            None => full,
        };
        Standing { weight, full }
    }

    /// When the flows of a drained backend have had their time; `None`: they have as long as they like.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let deadline = self.endings.1.deadline.filter(|_| self.admin == Admin::Drain)?;
        self.changed.and_then(|since| since.checked_add(deadline))
    }

    /// What becomes of its flows.
    #[must_use]
    pub fn fate(&self, now: Instant) -> Fate {
        let (on_failure, drain) = self.endings;
        let is_over = self.deadline().is_some_and(|deadline| deadline <= now);
        let then = match self.state() {
            BackendState::Up if self.has_left() => Then::Leave,
            BackendState::Up => return Fate::Stays,
            // A backend that fails while it is drained has failed.
            _ if !self.condition.up => on_failure,
            BackendState::Drain if is_over => drain.then,
            _ => Then::Leave,
        };
        match then {
            Then::Leave => Fate::Leave,
            Then::Reset => Fate::Reset,
            Then::Move => Fate::Move,
        }
    }

    /// Changes what the operator wants, or what is known of its health. Says whether anything has changed.
    pub fn change(&mut self, now: Instant, change: impl FnOnce(&mut Self)) -> bool {
        let before = (self.state(), self.weight, self.condition);
        change(self);
        let after = (self.state(), self.weight, self.condition);
        if before.0 != after.0 {
            self.changed = Some(now);
            if after.0 == BackendState::Up {
                self.up_since = Some(now);
            }
        }
        before != after
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Drain, Machine, load_str};
    use crate::health::Condition;
    use crate::inventory::Inventory;
    use dataplane::types::BackendId;

    const RAMP: Duration = Duration::from_secs(10);

    fn inventory(now: Instant) -> Inventory {
        let text = "[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\n\
                    port = 80\nmode = \"router\"\nbackend = [{ address = \"10.0.1.11\", weight = 200 }]\n";
        let (config, _) =
            load_str("t.toml", text, &Machine { cores: 2, hostname: "lb".into(), ..Machine::default() })
                .unwrap();
        let mut inventory = Inventory::default();
        inventory.follow(&config, now, |_| dataplane::BackendStats::default());
        inventory
    }

    #[test]
    fn a_backend_that_comes_up_warms_up_and_one_that_was_there_at_the_start_is_warm() {
        let start = crate::clock::now();
        let mut inventory = inventory(start);
        let member = inventory.get_mut(BackendId(0)).unwrap();
        member.slow_start = RAMP;
        assert_eq!(member.standing(start), Standing { weight: 200, full: 200 });
        let down = Condition { up: false, weight: None };
        assert!(member.change(start, |member| member.condition = down));
        assert!(!member.change(start, |member| member.condition = down));
        assert_eq!(member.standing(start), Standing { weight: 0, full: 200 });
        let up = start + Duration::from_secs(100);
        assert!(member.change(up, |member| member.condition = Condition::default()));
        let weight_after = |millis| member.standing(up + Duration::from_millis(millis)).weight;
        assert_eq!([0, 1000, 5000, 9999, 10_000, 99_999].map(weight_after), [1, 20, 100, 199, 200, 200]);
        member.slow_start = Duration::ZERO;
        assert_eq!(member.standing(up).weight, 200);
    }

    #[test]
    fn flows_of_a_failed_or_drained_backend_have_the_end_that_the_service_says() {
        let start = crate::clock::now();
        let mut inventory = inventory(start);
        let member = inventory.get_mut(BackendId(0)).unwrap();
        member.endings = (Then::Move, Drain { deadline: Some(Duration::from_secs(60)), then: Then::Reset });
        assert_eq!(member.fate(start), Fate::Stays);
        member.change(start, |member| member.admin = Admin::Drain);
        let after = |member: &Member, seconds| member.fate(start + Duration::from_secs(seconds));
        assert_eq!([0, 59, 60].map(|n| after(member, n)), [Fate::Leave, Fate::Leave, Fate::Reset]);
        member.change(start, |member| member.condition.up = false);
        assert_eq!(after(member, 0), Fate::Move);
        member.change(start, |member| (member.admin, member.condition.up) = (Admin::Disabled, true));
        assert_eq!(after(member, 99), Fate::Leave);
    }

    #[test]
    fn its_own_word_on_its_weight_counts_unless_the_operator_says_zero() {
        let start = crate::clock::now();
        let mut inventory = inventory(start);
        let member = inventory.get_mut(BackendId(0)).unwrap();
        member.change(start, |member| member.condition.weight = Some(7));
        assert_eq!(member.standing(start), Standing { weight: 7, full: 7 });
        member.change(start, |member| member.weight = 0);
        assert_eq!(member.standing(start), Standing { weight: 0, full: 0 });
    }
}
