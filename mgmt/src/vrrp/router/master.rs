//! What who has the addresses hears and does, until they are another's.

use std::time::{Duration, Instant};

use super::action::{Action, Incident, Repeats};
use super::phase::{Duty, Leave, Phase, Then, Waiting};
use super::{VirtualRouter, timing};
use crate::vrrp::Priority;
use crate::vrrp::advert::Heard;

/// Announcements because of a second master come no more often: on a path that loses one direction alone each of
/// its adverts would ask for thousands of them.
const HEAL_PAUSE: Duration = Duration::from_secs(1);

impl VirtualRouter {
    /// RFC 9568 section 6.4.3.
    pub(super) fn master_hears(&mut self, now: Instant, duty: Duty, heard: Heard) {
        let rank = (self.priority, self.settings.own);
        if heard.priority == Priority::OWNER && self.is_owner() {
            // An answer would be answered for ever.
            self.act(Action::Report(Incident::SecondOwner(heard.source)));
        } else if heard.priority == Priority::RELEASE {
            self.advertise_now(now, duty);
        } else if (heard.priority, heard.source) > rank {
            self.advertise(self.priority);
            self.act(Action::Release);
            self.wait(now, heard.interval, Some(heard.source));
        } else {
            self.stand_firm(now, duty, heard);
        }
    }

    /// RFC 9568 section 6.4.3: the worse one hears at once that it is not alone. The RFC before it was silent,
    /// and left the worse one as master until the next advert.
    fn stand_firm(&mut self, now: Instant, mut duty: Duty, heard: Heard) {
        let plan = self.settings.announce;
        // Another time, and not one that doesn't hear: what it has announced now was not put right before.
        let silence = heard.interval.duration() * 2;
        let pause = match duty.rival_at.is_some_and(|at| now <= at + silence) {
            true => HEAL_PAUSE,
            false => HEAL_PAUSE / 10,
        };
        let is_due = duty.healed_at.is_none_or(|at| now >= at + pause);
        // What the worse one announces after this is put right by the second set.
        duty.second_at = plan.second(now);
        duty.rival_at = Some(now);
        if is_due {
            duty.healed_at = Some(now);
        }
        self.advertise_now(now, duty);
        if is_due {
            self.act(Action::Announce(plan.repeats));
            self.act(Action::Report(Incident::SecondMaster(heard.source)));
        }
    }

    pub(super) fn announce_anew(&mut self, now: Instant, mut duty: Duty) {
        let plan = self.settings.announce;
        duty.second_at = plan.second(now);
        self.phase = Phase::Master(duty);
        self.act(Action::Announce(plan.repeats));
    }

    fn advertise_now(&mut self, now: Instant, duty: Duty) {
        self.advertise(self.priority);
        self.phase = Phase::Master(Duty { advert_at: now + self.settings.interval.duration(), ..duty });
    }

    /// Somebody answers for the addresses now, whoever it is.
    pub(super) fn leaver_hears(&mut self, now: Instant, leave: Leave, heard: Heard) {
        if heard.priority == Priority::RELEASE {
            return;
        }
        self.give_up(now, leave.then);
        if let Phase::Backup(waiting) = self.phase {
            let down_at = now + timing::master_down(heard.interval, self.priority);
            let master = Some(heard.source);
            self.phase = Phase::Backup(Waiting { down_at, interval: heard.interval, master, ..waiting });
        }
    }

    /// The end of leaving.
    pub(super) fn give_up(&mut self, now: Instant, then: Then) {
        self.act(Action::Release);
        match then {
            Then::Stop => self.stop(),
            Then::StandBy => {
                self.has_stood_down = true;
                self.wait(now, self.settings.interval, None);
            }
        }
    }

    pub(super) fn go_on_leaving(&mut self, now: Instant, leave: Leave) {
        if now >= leave.until {
            match leave.then {
                Then::Stop => self.give_up(now, Then::Stop),
                Then::StandBy if leave.yields => self.give_up(now, Then::StandBy),
                Then::StandBy => {
                    self.act(Action::Report(Incident::NobodyTookOver));
                    self.resume(now);
                }
            }
        } else if now >= leave.advert_at {
            // Again, as the first may be lost. Who has heard it is master already: no skew is longer than this.
            self.advertise(Priority::RELEASE);
            let advert_at = now + self.settings.interval.duration();
            self.phase = Phase::Leaving(Leave { advert_at, ..leave });
        }
    }

    /// Goes on as the master that it has never ceased to be.
    pub(super) fn resume(&mut self, now: Instant) {
        let refresh_at = self.settings.announce.next_refresh(now);
        let duty = Duty { advert_at: now, second_at: None, refresh_at, healed_at: None, rival_at: None };
        self.advertise_now(now, duty);
    }

    pub(super) fn do_duty(&mut self, now: Instant, mut duty: Duty) {
        let interval = self.settings.interval.duration();
        let plan = self.settings.announce;
        if now >= duty.advert_at {
            self.advertise(self.priority);
            // Counted from when it was due, so that lateness does not add up.
            duty.advert_at = (duty.advert_at + interval).max(now + interval / 2);
        }
        if duty.second_at.is_some_and(|at| now >= at) {
            duty.second_at = None;
            self.act(Action::Announce(plan.repeats));
        }
        if duty.refresh_at.is_some_and(|at| now >= at) {
            duty.refresh_at = Some(now + plan.refresh);
            self.act(Action::Announce(Repeats(1)));
        }
        self.phase = Phase::Master(duty);
    }

    pub(super) fn yields(&mut self, now: Instant) {
        self.advertise(Priority::RELEASE);
        self.act(Action::Release);
        self.wait(now, self.settings.interval, None);
        if let Phase::Backup(waiting) = &mut self.phase {
            waiting.yielded_at = Some(now);
        }
    }
}
