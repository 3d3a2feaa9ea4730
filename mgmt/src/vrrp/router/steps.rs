//! Each event in each state.

use std::time::{Duration, Instant};

use super::action::{Action, Event, Link, Order, Standing, State};
use super::phase::{Leave, Phase, Then, Waiting};
use super::{VirtualRouter, timing};
use crate::vrrp::Priority;
use crate::vrrp::advert::Heard;

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
            (Event::Group(Order::Announce), Phase::Master(duty)) => self.announce_anew(now, duty),
            (Event::Group(Order::Notice), Phase::Master(_) | Phase::Leaving(_))
            | (Event::Group(Order::Yield), Phase::Backup(_))
            | (Event::Group(Order::Announce), Phase::Backup(_) | Phase::Leaving(_))
            | (Event::Group(Order::Notice | Order::Yield | Order::Announce), Phase::Init | Phase::Fault) => {}

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

    /// Who is in a sync group waits for all of it: of a master that is silent on one link alone the others would take
    /// the addresses back at once.
    fn may_be_master(&mut self, now: Instant, waiting: Waiting) {
        if self.settings.grouped {
            self.phase = Phase::Backup(Waiting { ripe: true, ..waiting });
        } else {
            self.become_master(now);
        }
    }

    /// The master leaves. Not later than it would have been: the notice may come twice. Of two boxes whose groups have each
    /// lost one contest of two, both leave at once; they must not come back at once.
    fn is_noticed(&mut self, now: Instant, waiting: Waiting) {
        let skew = timing::skew(waiting.interval, self.priority);
        let last = waiting.interval.duration() * 3;
        let apart = match waiting.yielded_at.is_some_and(|at| now < at + last) {
            true => timing::apart(waiting.interval, self.settings.own),
            false => Duration::ZERO,
        };
        self.phase = Phase::Backup(Waiting { down_at: waiting.down_at.min(now + skew + apart), ..waiting });
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
