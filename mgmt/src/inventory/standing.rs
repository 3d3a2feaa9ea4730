//! What a backend takes of new flows now: what the operator wants, what its health allows, and how warm it is.

use std::time::Instant;

use dataplane::snapshot::Fate;
use dataplane::types::Protocol;

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
    /// Whether its checks find it well, and its address is not the node's own.
    fn lives(&self) -> bool {
        self.condition.up && self.own_interface.is_none()
    }

    /// Whether it takes flows.
    #[must_use]
    pub fn state(&self) -> BackendState {
        match self.admin {
            Admin::Enabled if self.lives() => BackendState::Up,
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

    /// When the flows of a drained backend have had their time; `None`: they have as long as they like. Flows of
    /// datagrams of a backend that has left have as long.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let since = match self.admin {
            Admin::Drain => self.changed,
            Admin::Enabled | Admin::Disabled => self.left.filter(|_| self.protocol == Protocol::Udp),
        };
        since?.checked_add(self.endings.1.deadline?)
    }

    /// Whether something else may become of its flows as time goes by.
    #[must_use]
    pub fn has_deadlines(&self) -> bool {
        self.deadline().is_some() || self.review_until.is_some()
    }

    /// Whether flows of datagrams are to go elsewhere, which breaks no connection. A client that never pauses would
    /// keep its flow, and with it a backend that nothing is known of any more because it has left the configuration, or
    /// one that an operator has taken out (disabled, drained, of weight 0) and that is down.
    fn sends_datagrams_elsewhere(&self, now: Instant) -> bool {
        let is_out = match self.left {
            Some(_) => !self.lives() || self.deadline().is_none_or(|deadline| deadline <= now),
            None => (self.admin != Admin::Enabled || self.weight == 0) && !self.lives(),
        };
        self.protocol == Protocol::Udp && is_out
    }

    /// What becomes of its flows.
    #[must_use]
    pub fn fate(&self, now: Instant) -> Fate {
        if self.sends_datagrams_elsewhere(now) {
            return Fate::Move;
        }
        let (on_failure, drain) = self.endings;
        let is_over = self.deadline().is_some_and(|deadline| deadline <= now);
        let then = match self.state() {
            BackendState::Up if self.review_until.is_some_and(|until| now < until) => return Fate::Review,
            BackendState::Up if self.has_left() => Then::Leave,
            BackendState::Up => return Fate::Stays,
            // A backend that fails while it is drained has failed.
            _ if !self.lives() => on_failure,
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

    fn config(keys: &str) -> crate::config::Config {
        let text = format!(
            "[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\n\
             mode = \"router\"\n{keys}"
        );
        load_str("t.toml", &text, &Machine { cores: 2, hostname: "lb".into(), ..Machine::default() })
            .unwrap()
            .0
    }

    fn follow(inventory: &mut Inventory, keys: &str, now: Instant) {
        inventory.follow(&config(keys), now, |_| dataplane::BackendStats::default());
    }

    fn inventory(now: Instant) -> Inventory {
        let mut inventory = Inventory::default();
        follow(&mut inventory, "port = 80\nbackend = [{ address = \"10.0.1.11\", weight = 200 }]\n", now);
        inventory
    }

    /// What becomes of the flows of a backend so many seconds later.
    fn fates<const N: usize>(inventory: &Inventory, start: Instant, seconds: [u64; N]) -> [Fate; N] {
        let member = inventory.get(BackendId(0)).unwrap();
        seconds.map(|n| member.fate(start + Duration::from_secs(n)))
    }

    const DNS: &str = "protocol = \"udp\"\nport = 53\n";
    const SYSLOG: &str = "protocol = \"tcp\"\nport = 53\n";
    const BOTH: &str = "backend = [{ address = \"10.0.1.11\" }, { address = \"10.0.1.12\" }]\n";
    const OTHER: &str = "backend = [{ address = \"10.0.1.12\" }]\n";
    const DRAIN: &str = "drain = { deadline = \"60s\" }\n";

    #[test]
    fn datagrams_leave_a_backend_that_has_left_and_connections_stay() {
        let start = crate::clock::now();
        for (protocol, expected) in [(DNS, Fate::Move), (SYSLOG, Fate::Leave)] {
            let mut inventory = Inventory::default();
            follow(&mut inventory, &format!("{protocol}{BOTH}"), start);
            assert_eq!(fates(&inventory, start, [0]), [Fate::Stays]);
            follow(&mut inventory, &format!("{protocol}{OTHER}"), start);
            assert_eq!(fates(&inventory, start, [0, 999]), [expected; 2]);
            let back = start + Duration::from_secs(1000);
            follow(&mut inventory, &format!("{protocol}{BOTH}"), back);
            assert_eq!(fates(&inventory, back, [0]), [Fate::Stays], "it is back");
        }
    }

    #[test]
    fn a_service_without_a_successor_lets_go_of_its_datagrams_too() {
        let start = crate::clock::now();
        let mut inventory = Inventory::default();
        follow(&mut inventory, &format!("{DNS}{BOTH}"), start);
        let without = "[[interface]]\nname = \"eth0\"\n";
        let machine = Machine { cores: 2, hostname: "lb".into(), ..Machine::default() };
        let (config, _) = load_str("t.toml", without, &machine).unwrap();
        inventory.follow(&config, start, |_| dataplane::BackendStats::default());
        assert_eq!(fates(&inventory, start, [0]), [Fate::Move]);
    }

    #[test]
    fn a_deadline_lets_datagrams_stay_until_then_unless_the_backend_was_down() {
        let start = crate::clock::now();
        for (drain_before, drain_after, up, expected) in [
            (DRAIN, DRAIN, true, [Fate::Leave, Fate::Leave, Fate::Move]),
            ("", DRAIN, true, [Fate::Leave, Fate::Leave, Fate::Move]),
            (DRAIN, "", true, [Fate::Move; 3]),
            (DRAIN, DRAIN, false, [Fate::Move; 3]),
        ] {
            let mut inventory = Inventory::default();
            follow(&mut inventory, &format!("{DNS}{drain_before}{BOTH}"), start);
            inventory.get_mut(BackendId(0)).unwrap().change(start, |member| member.condition.up = up);
            let mut after = inventory.clone();
            // Whatever the checks have said: without checks a backend counts as up.
            after.get_mut(BackendId(0)).unwrap().has_checks = true;
            follow(&mut after, &format!("{DNS}{drain_after}{OTHER}"), start);
            assert_eq!(fates(&after, start, [0, 59, 60]), expected, "{drain_before} {drain_after} {up}");
            assert_eq!(after.get(BackendId(0)).unwrap().has_deadlines(), !drain_after.is_empty());
        }
    }

    #[test]
    fn datagrams_leave_a_backend_that_was_taken_out_and_is_down() {
        let start = crate::clock::now();
        for (protocol, expected) in [(DNS, Fate::Move), (SYSLOG, Fate::Leave)] {
            let outs: [fn(&mut Member); 3] =
                [|m| m.admin = Admin::Disabled, |m| m.admin = Admin::Drain, |m| m.weight = 0];
            for take_out in outs {
                let mut inventory = Inventory::default();
                follow(&mut inventory, &format!("{protocol}{BOTH}"), start);
                let member = inventory.get_mut(BackendId(0)).unwrap();
                member.change(start, take_out);
                assert_ne!(member.fate(start), Fate::Move, "it is up");
                member.change(start, |member| member.condition.up = false);
                assert_eq!(member.fate(start), expected);
            }
        }
        let mut inventory = Inventory::default();
        follow(&mut inventory, &format!("{DNS}{BOTH}"), start);
        let member = inventory.get_mut(BackendId(0)).unwrap();
        member.change(start, |member| member.condition.up = false);
        assert_eq!(member.fate(start), Fate::Leave, "what fails by itself is for on_backend_failure to say");
    }

    #[test]
    fn datagrams_to_a_port_that_the_service_gave_up_are_looked_at_for_as_long_as_silent_flows_live() {
        let start = crate::clock::now();
        // Of a backend that has the service's port, another port makes another backend.
        const OWN_PORT: &str = "backend = [{ address = \"10.0.1.11\", port = 5353 }]\n";
        let moved = |protocol: &str| format!("{}{OWN_PORT}", protocol.replace("port = 53", "port = 54"));
        for (protocol, expected) in [(DNS, [Fate::Review, Fate::Stays]), (SYSLOG, [Fate::Stays; 2])] {
            let mut inventory = Inventory::default();
            follow(&mut inventory, &format!("{protocol}{OWN_PORT}"), start);
            follow(&mut inventory, &moved(protocol), start);
            assert_eq!(fates(&inventory, start, [59, 60]), expected);
        }
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
