//! A virtual router of this box with its packets: frames and times in, [`Effect`]s out.

mod speech;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::advert::{Advert, Expected};
use super::counters::{Counters, Said};
use super::packet::Packet;
use super::router::{Action, Event, Incident, Link, Order, Settings, State, VirtualRouter};
use super::timing::{self, AdvertInterval};
use super::wanted::{Effect, Place, Wanted};
use super::{Priority, Version};
use crate::config::Vrrp;

/// How long frames may be under way to a box that is no longer master: until all have heard who is.
const LINGER: Duration = Duration::from_millis(50);

/// See the module's head.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) wanted: Wanted,
    /// The last place that it had: the last words go out from there.
    place: Option<Place>,
    /// No frame passes its link, whatever was thought when its place was found.
    is_cut: bool,
    router: VirtualRouter,
    pub(super) counters: Counters,
    said: Said,
    pub(super) since: Option<Instant>,
    /// When the data plane's clock was zero.
    epoch: Instant,
    /// As master, the last time.
    spoke_at: Option<Instant>,
    /// Another is master, and frames to this box are still under way.
    lingers_until: Option<Instant>,
}

impl Instance {
    /// Begins, as the link and what is tracked are.
    pub(super) fn start(wanted: Wanted, epoch: Instant, now: Instant) -> (Self, Vec<Effect>) {
        let router = VirtualRouter::new(settings(&wanted.config, wanted.place));
        let (place, counters, said) = (wanted.place, Counters::default(), Said::default());
        let mut instance = Self {
            wanted,
            place,
            is_cut: false,
            router,
            counters,
            said,
            since: None,
            epoch,
            spoke_at: None,
            lingers_until: None,
        };
        let mut effects = Vec::new();
        let link = if place.is_some() { Link::Up } else { Link::Down };
        for event in [Event::Link(link), Event::Track(instance.wanted.standing), Event::Start] {
            effects.extend(instance.handle(now, event));
        }
        (instance, effects)
    }

    /// Goes on as another one, if it can.
    pub(super) fn follow(&mut self, wanted: Wanted, now: Instant) -> Vec<Effect> {
        let had_link = self.has_link();
        let before = std::mem::replace(&mut self.wanted, wanted);
        self.is_cut &= before.place.is_some();
        if let Some(place) = self.wanted.place {
            self.place = Some(place);
        }
        self.router.reconfigure(settings(&self.wanted.config, self.place));
        let mut effects = self.follow_link(had_link, now);
        if before.standing != self.wanted.standing {
            effects.extend(self.handle(now, Event::Track(self.wanted.standing)));
        }
        let is_elsewhere = before.place.is_some_and(|place| self.place.is_some_and(|p| p.mac != place.mac));
        let has_others = before.config.addresses != self.wanted.config.addresses;
        if (is_elsewhere || has_others) && self.router.state() == State::Master {
            effects.extend(self.announce(self.wanted.config.announce.repeats));
        }
        effects
    }

    /// Its link carries frames, or carries none.
    pub(super) fn link(&mut self, now: Instant, carries: bool) -> Vec<Effect> {
        let had_link = self.has_link();
        self.is_cut = !carries;
        self.follow_link(had_link, now)
    }

    fn has_link(&self) -> bool {
        self.wanted.place.is_some() && !self.is_cut
    }

    fn follow_link(&mut self, had_link: bool, now: Instant) -> Vec<Effect> {
        match (had_link, self.has_link()) {
            (true, false) => self.handle(now, Event::Link(Link::Down)),
            (false, true) => self.handle(now, Event::Link(Link::Up)),
            (true, true) | (false, false) => Vec::new(),
        }
    }

    /// Whether it is the same virtual router of the segment.
    pub(super) fn is_same(&self, wanted: &Wanted) -> bool {
        let id = |config: &Vrrp| (config.interface.clone(), config.is_ipv4(), config.vrid);
        let same_link = match (self.place, wanted.place) {
            (Some(mine), Some(other)) => mine.link == other.link,
            _ => true,
        };
        let version = |config: &Vrrp| config.interval.version();
        id(&self.wanted.config) == id(&wanted.config)
            && same_link
            && version(&self.wanted.config) == version(&wanted.config)
    }

    /// A frame that came by its link with its VRID.
    pub(super) fn frame(&mut self, now: Instant, packet: &Packet<'_>) -> Vec<Effect> {
        let Some(place) = self.place else { return Vec::new() };
        let source = packet.endpoints.source();
        let config = Arc::clone(&self.wanted.config);
        let expected = Expected {
            vrid: config.vrid,
            interval: config.interval,
            addresses: &config.advertised,
            password: config.password,
            own: place.own,
            peers: &config.peers,
            ttl: config.peer_ttl,
            coverage: config.coverage,
        };
        let advert = Advert::new_checked(packet.message, packet.endpoints, packet.hop_limit);
        match advert.and_then(|advert| expected.admit(&advert)) {
            Err(why) => {
                let remark = self.said.refuse(&mut self.counters, why, now);
                remark.map(|remark| Effect::Remark(source, remark)).into_iter().collect()
            }
            Ok(admitted) => {
                let remark = self.said.admit(&mut self.counters, admitted.differences, now);
                let mut effects = self.yield_after_stall(now);
                effects.extend(self.handle(now, Event::Advert(admitted.heard)));
                effects.extend(remark.map(|remark| Effect::Remark(source, remark)));
                effects
            }
        }
    }

    pub(super) fn handle(&mut self, now: Instant, event: Event) -> Vec<Effect> {
        let actions = self.router.handle(now, event);
        actions.into_iter().flat_map(|action| self.act(now, action)).collect()
    }

    fn act(&mut self, now: Instant, action: Action) -> Vec<Effect> {
        match action {
            Action::Take => {
                self.hold(now);
                Vec::new()
            }
            Action::Release => {
                self.release(now);
                vec![Effect::Hush]
            }
            Action::Send { priority, interval } => {
                if self.router.state() == State::Master {
                    self.hold(now);
                }
                self.counters.sent += 1;
                self.adverts(priority, interval)
            }
            Action::Announce(repeats) => self.announce(repeats).into_iter().collect(),
            Action::Notify(state) => {
                self.counters.transitions += 1;
                self.since = Some(now);
                vec![Effect::State(state, self.router.priority())]
            }
            Action::Report(incident) => {
                self.counters.second_masters += u64::from(matches!(incident, Incident::SecondMaster(_)));
                vec![Effect::Incident(incident)]
            }
        }
    }

    /// The addresses are here for as long as no backup can think that this box is dead.
    fn hold(&mut self, now: Instant) {
        let lease = lease(self.wanted.config.interval);
        self.wanted.tenure.hold_until(self.millis(now + lease));
        (self.spoke_at, self.lingers_until) = (Some(now), None);
    }

    /// Who has heard another master takes what is still under way; who has a fault may harm it.
    fn release(&mut self, now: Instant) {
        match self.router.state() {
            State::Backup | State::Init => {
                self.lingers_until = Some(now + LINGER);
                self.wanted.tenure.linger_until(self.millis(now + LINGER));
            }
            State::Master | State::Fault => self.wanted.tenure.give_up(),
        }
    }

    /// As the data plane's clock has it.
    fn millis(&self, at: Instant) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the data plane's clock wraps")]
        let millis = at.saturating_duration_since(self.epoch).as_millis() as u32;
        millis
    }

    /// When something is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        [self.router.next_deadline(), self.lingers_until].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(super) fn timers(&mut self, now: Instant) -> Vec<Effect> {
        if self.lingers_until.is_some_and(|at| at <= now) {
            self.lingers_until = None;
        }
        let mut effects = self.yield_after_stall(now);
        if self.router.next_deadline().is_some_and(|at| at <= now) {
            effects.extend(self.handle(now, Event::Timer));
        }
        effects
    }

    /// Whether nothing more is to be done for it after its shutdown.
    pub(super) fn has_ended(&self) -> bool {
        self.router.state() == State::Init && self.lingers_until.is_none()
    }

    /// A master that was silent for so long that any backup has taken over does not go on as if it had not been.
    fn yield_after_stall(&mut self, now: Instant) -> Vec<Effect> {
        let limit = timing::master_down(self.wanted.config.interval, Priority::LOWEST);
        let is_stalled = self.spoke_at.is_some_and(|at| now.saturating_duration_since(at) > limit);
        if self.router.state() != State::Master || !is_stalled {
            return Vec::new();
        }
        self.counters.stalls += 1;
        self.handle(now, Event::Group(Order::Yield))
    }

    pub(super) fn router(&self) -> &VirtualRouter {
        &self.router
    }

    pub(super) fn place(&self) -> Option<Place> {
        self.place
    }

    /// How often it speaks, in words for the operator.
    pub(super) fn version(&self) -> u8 {
        match self.wanted.config.interval.version() {
            Version::V2 => 2,
            Version::V3 => 3,
        }
    }
}

fn settings(config: &Vrrp, place: Option<Place>) -> Settings {
    let nowhere = if config.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0_u16; 8]) };
    Settings {
        interval: config.interval,
        priority: config.priority,
        own: place.map_or(nowhere, |place| place.own),
        preempt: config.preempt,
        preempt_delay: config.preempt_delay,
        start_delay: config.start_delay,
        announce: config.announce,
        grouped: config.sync_group.is_some(),
    }
}

/// For how long a box keeps its addresses after its last advert: no backup has taken over by then.
fn lease(interval: AdvertInterval) -> Duration {
    interval.duration() * 3
}
