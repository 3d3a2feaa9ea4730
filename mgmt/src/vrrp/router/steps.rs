//! Each event in each state.

use std::time::{Duration, Instant};

use super::action::{Action, Event, Incident, Link, Order, Repeats, Standing, State};
use super::phase::{Duty, Leave, Phase, Then, Waiting};
use super::{VirtualRouter, timing};
use crate::vrrp::Priority;
use crate::vrrp::advert::Heard;

/// Announcements because of a second master come no more often: on a path that loses one direction alone each of
/// its adverts would ask for thousands of them.
const HEAL_PAUSE: Duration = Duration::from_secs(1);

impl VirtualRouter {
    /// The table. Who adds an event or a state is made to think of each pair.
    pub(super) fn step(&mut self, now: Instant, event: Event) {
        match (event, self.phase) {
            (Event::Start, Phase::Init) => self.start(now),
            (Event::Start, Phase::Backup(_) | Phase::Master(_) | Phase::Leaving(_) | Phase::Fault) => {}

            (Event::Advert(_), Phase::Init | Phase::Fault) => {}
            (Event::Advert(heard), Phase::Backup(waiting)) => self.backup_hears(now, waiting, heard),
            (Event::Advert(heard), Phase::Master(duty)) => self.master_hears(now, duty, heard),
            (Event::Advert(heard), Phase::Leaving(leave)) => self.leaver_hears(now, leave, heard),

            (Event::Timer, Phase::Init | Phase::Fault) => {}
            (Event::Timer, Phase::Backup(waiting)) => {
                if now >= waiting.down_at || waiting.preempt_at.is_some_and(|at| now >= at) {
                    self.may_be_master(now, waiting);
                }
            }
            (Event::Timer, Phase::Master(duty)) => self.do_duty(now, duty),
            (Event::Timer, Phase::Leaving(leave)) => self.go_on_leaving(now, leave),

            (Event::Link(link), phase) => {
                self.faults.link = link == Link::Down;
                self.follow_faults(now, phase);
            }
            (Event::Track(Standing::Unfit), phase) => {
                self.faults.tracker = true;
                self.follow_faults(now, phase);
            }
            (Event::Track(Standing::Fit(priority)), phase) => {
                self.faults.tracker = false;
                self.set_priority(now, priority, phase);
                self.follow_faults(now, self.phase);
            }
            (Event::Group(Order::Hold), phase) => {
                self.faults.group = true;
                self.follow_faults(now, phase);
            }
            (Event::Group(Order::Release), phase) => {
                self.faults.group = false;
                self.follow_faults(now, phase);
            }
            (Event::Group(Order::Take), Phase::Backup(_)) => self.become_master(now),
            (Event::Group(Order::Take), Phase::Leaving(Leave { then: Then::StandBy, .. })) => {
                self.resume(now);
            }
            (Event::Group(Order::Take), Phase::Leaving(Leave { then: Then::Stop, .. })) => {}
            (Event::Group(Order::Take), Phase::Init | Phase::Master(_) | Phase::Fault) => {}
            (Event::Group(Order::Notice), Phase::Backup(waiting)) => self.is_noticed(now, waiting),
            (Event::Group(Order::Yield), Phase::Master(_)) => self.yields(now),
            (Event::Group(Order::Yield), Phase::Leaving(leave)) => {
                self.phase = Phase::Leaving(Leave { yields: true, ..leave });
            }
            (Event::Group(Order::Notice), Phase::Master(_) | Phase::Leaving(_))
            | (Event::Group(Order::Yield), Phase::Backup(_))
            | (Event::Group(Order::Notice | Order::Yield), Phase::Init | Phase::Fault) => {}

            (Event::HandOver, Phase::Master(_)) => self.leave(now, Then::StandBy),
            (Event::HandOver, Phase::Init | Phase::Backup(_) | Phase::Leaving(_) | Phase::Fault) => {}

            (Event::Shutdown, Phase::Init) => {}
            (Event::Shutdown, Phase::Backup(_) | Phase::Fault) => self.stop(),
            (Event::Shutdown, Phase::Master(_)) => self.leave(now, Then::Stop),
            (Event::Shutdown, Phase::Leaving(leave)) => match leave.then {
                Then::StandBy => self.phase = Phase::Leaving(Leave { then: Then::Stop, ..leave }),
                Then::Stop => self.give_up(now, Then::Stop),
            },
        }
    }

    fn start(&mut self, now: Instant) {
        self.enter(now);
        if let Phase::Backup(waiting) = &mut self.phase {
            waiting.down_at += self.settings.start_delay;
        }
    }

    fn yields(&mut self, now: Instant) {
        self.advertise(Priority::RELEASE);
        self.act(Action::Release);
        self.wait(now, self.settings.interval, None);
    }

    /// Who is in a sync group waits for all of it: of a master that is silent on one link alone the others would take
    /// the addresses back at once.
    fn may_be_master(&mut self, now: Instant, waiting: Waiting) {
        if self.settings.grouped {
            self.phase = Phase::Backup(Waiting { ripe: true, ..waiting });
        } else {
            self.become_master(now);
        }
    }

    /// The master leaves. Not later than it would have been: the notice may come twice.
    fn is_noticed(&mut self, now: Instant, waiting: Waiting) {
        let down_at = waiting.down_at.min(now + timing::skew(waiting.interval, self.priority));
        self.phase = Phase::Backup(Waiting { down_at, ..waiting });
    }

    /// RFC 9568 section 6.4.2.
    fn backup_hears(&mut self, now: Instant, mut waiting: Waiting, heard: Heard) {
        waiting.master = Some(heard.source);
        let down_at = now + timing::master_down(heard.interval, self.priority);
        // What a master that stays leaves of the waiting.
        let stays = Waiting { down_at, interval: heard.interval, ripe: false, ..waiting };
        if heard.priority == Priority::RELEASE {
            self.releases += 1;
            return self.is_noticed(now, waiting);
        } else if heard.priority >= self.priority || !self.preempts() {
            waiting = Waiting { preempt_at: None, ..stays };
        } else {
            let delay = self.settings.preempt_delay + self.flaps.pause(now);
            if !delay.is_zero() {
                let preempt_at = *waiting.preempt_at.get_or_insert(now + delay);
                if now < preempt_at {
                    waiting = Waiting { preempt_at: Some(preempt_at), ..stays };
                }
            }
        }
        // Else the timer runs on, and this router takes over from the worse one.
        self.phase = Phase::Backup(waiting);
    }

    /// RFC 9568 section 6.4.3.
    fn master_hears(&mut self, now: Instant, duty: Duty, heard: Heard) {
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
        duty.second_at = (!plan.delay.is_zero()).then(|| now + plan.delay);
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

    fn advertise_now(&mut self, now: Instant, duty: Duty) {
        self.advertise(self.priority);
        self.phase = Phase::Master(Duty { advert_at: now + self.settings.interval.duration(), ..duty });
    }

    /// Somebody answers for the addresses now, whoever it is.
    fn leaver_hears(&mut self, now: Instant, leave: Leave, heard: Heard) {
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
    fn give_up(&mut self, now: Instant, then: Then) {
        self.act(Action::Release);
        match then {
            Then::Stop => self.stop(),
            Then::StandBy => {
                self.has_stood_down = true;
                self.wait(now, self.settings.interval, None);
            }
        }
    }

    fn go_on_leaving(&mut self, now: Instant, leave: Leave) {
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
    fn resume(&mut self, now: Instant) {
        let refresh = self.settings.announce.refresh;
        let refresh_at = (!refresh.is_zero()).then(|| now + refresh);
        let duty = Duty { advert_at: now, second_at: None, refresh_at, healed_at: None, rival_at: None };
        self.advertise_now(now, duty);
    }

    fn do_duty(&mut self, now: Instant, mut duty: Duty) {
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

    /// A running timer moves by as much as its length changes.
    fn set_priority(&mut self, now: Instant, priority: Priority, phase: Phase) {
        let old = std::mem::replace(&mut self.priority, priority);
        match phase {
            Phase::Backup(waiting) if old != priority => {
                let earlier = timing::skew(waiting.interval, old);
                let down_at = waiting.down_at + timing::skew(waiting.interval, priority);
                let down_at = down_at.checked_sub(earlier).unwrap_or(now);
                // Whom it takes over from is to be found anew.
                self.phase = Phase::Backup(Waiting { down_at, preempt_at: None, ripe: false, ..waiting });
            }
            // The next advert says it.
            Phase::Init | Phase::Backup(_) | Phase::Master(_) | Phase::Leaving(_) | Phase::Fault => {}
        }
    }

    fn follow_faults(&mut self, now: Instant, phase: Phase) {
        match (phase, self.is_faulty()) {
            (Phase::Init, true | false)
            | (Phase::Backup(_) | Phase::Master(_) | Phase::Leaving(_), false)
            | (Phase::Fault, true) => {}
            (Phase::Backup(_), true) => self.fail(),
            (Phase::Master(_), true) => {
                if !self.faults.link {
                    self.advertise(Priority::RELEASE);
                }
                self.act(Action::Release);
                self.flaps.failed(now);
                self.fail();
            }
            (Phase::Leaving(leave), true) => {
                self.act(Action::Release);
                match leave.then {
                    Then::Stop => self.stop(),
                    Then::StandBy => self.fail(),
                }
            }
            (Phase::Fault, false) => self.enter(now),
        }
    }

    fn fail(&mut self) {
        self.phase = Phase::Fault;
        self.has_stood_down = false;
        self.act(Action::Notify(State::Fault));
    }
}
