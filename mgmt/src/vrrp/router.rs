//! The state machine of one virtual router (RFC 9568 section 6.4, RFC 3768 section 6.4). Pure: a time and an
//! event in, [`Action`]s out.
//!
//! ```text
//!          Start                    down timer, or preemption
//!   Init ────────▶ Backup ───────────────────────────────────▶ Master
//!    ▲               │  ◀───────────────────────────────────── │  │ ▲
//!    │               │           a better master               │  │ │ nobody has taken over
//!    │ Shutdown      │ ▲                      HandOver,        │  ▼ │
//!    │               ▼ │ all right again      Shutdown         │ Leaving ──▶ Backup or Init, when the other
//!    └───────────── Fault ◀────────────────────────────────────┘             is heard, or its time is over
//!                          link down, tracker, sync group
//! ```
//!
//! Beyond the RFC, and nothing that others can take amiss on the wire:
//!
//! - **Leaving.** The RFC has the master stop with its advert of priority 0, and the backup wait for its skew: so
//!   long nobody answers. Here the one that leaves goes on answering until it hears the other.
//! - **A last advert before yielding.** A master that learns of a better one says once that it was there, so that
//!   the better one knows, and announces the addresses again: the segment may have learnt the loser's.
//! - **Fault.** Without link, or with a tracker that says so, a router takes no part. One that fails as master again
//!   and again takes over from the next master later each time.
//!
//! Who calls this must hand over the adverts that have come before it hands over a timer: a process that was not
//! scheduled for a while would otherwise take over from a master that it only has not listened to.

mod action;
mod flaps;
mod master;
mod phase;
mod steps;

pub use action::{Action, AnnouncePlan, Event, Incident, Link, Order, Repeats, Settings, Standing, State};

use std::net::IpAddr;
use std::time::Instant;

use super::group::Member;
use super::timing::{AdvertInterval, master_down};
use super::{Priority, timing};
use flaps::Flaps;
use phase::{Duty, Leave, Phase, Waiting};

/// One virtual router of this box.
#[derive(Debug, Clone)]
pub struct VirtualRouter {
    settings: Settings,
    phase: Phase,
    /// Adjusted by what is tracked.
    priority: Priority,
    faults: Faults,
    flaps: Flaps,
    /// Has handed over on demand: takes over from nobody before it was master again.
    has_stood_down: bool,
    releases: u64,
    actions: Vec<Action>,
}

/// Reasons to take no part.
#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    link: bool,
    tracker: bool,
    group: bool,
}

impl VirtualRouter {
    /// Before its start.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let priority = settings.priority;
        Self {
            settings,
            phase: Phase::Init,
            priority,
            faults: Faults::default(),
            flaps: Flaps::default(),
            has_stood_down: false,
            releases: 0,
            actions: Vec::new(),
        }
    }

    /// Takes in an event; gives what is to be done, in this order.
    pub fn handle(&mut self, now: Instant, event: Event) -> Vec<Action> {
        self.step(now, event);
        std::mem::take(&mut self.actions)
    }

    /// Goes on with other settings, whatever it is doing; its priority is said by [`Event::Track`].
    pub fn reconfigure(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// When [`Event::Timer`] is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Backup(waiting) if waiting.ripe && self.settings.grouped => None,
            phase => phase.deadline(),
        }
    }

    /// Who leaves is master as long as it answers.
    #[must_use]
    pub fn state(&self) -> State {
        self.phase.state()
    }

    /// As adverts say it.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// The master that was heard last.
    #[must_use]
    pub fn master(&self) -> Option<IpAddr> {
        match self.phase {
            Phase::Backup(waiting) => waiting.master,
            Phase::Master(_) | Phase::Leaving(_) => Some(self.settings.own),
            Phase::Init | Phase::Fault => None,
        }
    }

    /// What a sync group must know of it.
    #[must_use]
    pub fn member(&self) -> Member {
        Member {
            state: self.state(),
            is_unfit: self.faults.link || self.faults.tracker,
            is_held: self.faults.group,
            is_ripe: matches!(self.phase, Phase::Backup(waiting) if waiting.ripe),
            is_leaving: matches!(self.phase, Phase::Leaving(_)),
        }
    }

    /// How often a master has told it that it leaves.
    pub(super) fn releases(&self) -> u64 {
        self.releases
    }

    fn is_owner(&self) -> bool {
        self.priority == Priority::OWNER
    }

    fn is_faulty(&self) -> bool {
        self.faults.link || self.faults.tracker || self.faults.group
    }

    /// RFC 9568 section 6.1: the owner always preempts.
    fn preempts(&self) -> bool {
        (self.settings.preempt || self.is_owner()) && !self.has_stood_down
    }

    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    fn advertise(&mut self, priority: Priority) {
        self.act(Action::Send { priority, interval: self.settings.interval });
    }

    /// RFC 9568 section 6.4.1: the owner begins as master, all others listen first.
    fn enter(&mut self, now: Instant) {
        if self.is_faulty() {
            self.phase = Phase::Fault;
            self.act(Action::Notify(State::Fault));
        } else if self.is_owner() && !self.settings.grouped {
            self.become_master(now);
        } else {
            self.wait(now, self.settings.interval, None);
            // In a group the owner has nobody to wait for but the others of it.
            let ripe = self.is_owner();
            if let Phase::Backup(waiting) = &mut self.phase {
                waiting.ripe = ripe;
            }
        }
    }

    /// RFC 9568 section 6.4.2. The addresses first: who hears the advert may leave at once.
    fn become_master(&mut self, now: Instant) {
        let plan = self.settings.announce;
        self.has_stood_down = false;
        self.act(Action::Take);
        self.advertise(self.priority);
        self.act(Action::Announce(plan.repeats));
        self.act(Action::Notify(State::Master));
        self.phase = Phase::Master(Duty {
            advert_at: now + self.settings.interval.duration(),
            second_at: plan.second(now),
            refresh_at: plan.next_refresh(now),
            healed_at: None,
            rival_at: None,
        });
    }

    /// Waits for the master's death, by the master's interval.
    fn wait(&mut self, now: Instant, interval: AdvertInterval, master: Option<IpAddr>) {
        let down_at = now + master_down(interval, self.priority);
        let (preempt_at, ripe, yielded_at) = (None, false, None);
        self.phase = Phase::Backup(Waiting { down_at, interval, preempt_at, master, ripe, yielded_at });
        self.act(Action::Notify(State::Backup));
    }

    fn leave(&mut self, now: Instant, then: phase::Then) {
        self.advertise(Priority::RELEASE);
        // Who has missed this advert takes over when it has missed the others as well; nobody waits longer.
        let until = now + timing::master_down(self.settings.interval, Priority::LOWEST);
        let advert_at = now + self.settings.interval.duration();
        self.phase = Phase::Leaving(Leave { advert_at, until, then, yields: false });
    }

    fn stop(&mut self) {
        self.phase = Phase::Init;
        self.has_stood_down = false;
        self.act(Action::Notify(State::Init));
    }
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
