//! All virtual routers of this box. Pure, but for the words that workers read.

mod groups;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::Priority;
use super::advert::Heard;
use super::counters::Counters;
use super::group::{self, Change};
use super::instance::Instance;
use super::packet::Packet;
use super::router::{Event, State};
use super::wanted::{Effect, Place, Wanted};
use crate::config::Vrrp;

/// A virtual router as it is now.
#[derive(Debug, Clone)]
pub struct Report {
    /// As the operator wants it.
    pub config: Arc<Vrrp>,
    /// Where it stands.
    pub state: State,
    /// As adverts say it.
    pub priority: Priority,
    /// Who has the addresses.
    pub master: Option<IpAddr>,
    /// 2 or 3.
    pub version: u8,
    /// Where it speaks.
    pub place: Option<Place>,
    /// Since its start.
    pub counters: Counters,
    /// Since when it is in this state.
    pub since: Option<Instant>,
}

/// See the module's head.
#[derive(Debug)]
pub struct Fleet {
    instances: Vec<Instance>,
    /// When the data plane's clock was zero.
    epoch: Instant,
    effects: Vec<(Arc<Vrrp>, Effect)>,
    /// The names of those that something has happened to.
    touched: BTreeSet<String>,
}

impl Fleet {
    /// With no virtual router.
    #[must_use]
    pub fn new(epoch: Instant) -> Self {
        Self { instances: Vec::new(), epoch, effects: Vec::new(), touched: BTreeSet::new() }
    }

    /// Is these from now on, and no others. What goes says so to its peers, and answers no more.
    pub fn follow(&mut self, wanted: Vec<Wanted>, now: Instant) {
        let mut before: BTreeMap<String, Instance> = std::mem::take(&mut self.instances)
            .into_iter()
            .map(|instance| (instance.wanted.config.name.clone(), instance))
            .collect();
        let mut follow = Vec::new();
        for wanted in &wanted {
            let same = before.get(&wanted.config.name).is_some_and(|instance| instance.is_same(wanted));
            follow.push(same.then(|| before.remove(&wanted.config.name)).flatten());
        }
        for (_, mut gone) in before {
            for _ in 0..2 {
                let effects = gone.handle(now, Event::Shutdown);
                self.note(&gone.wanted.config, effects);
            }
            gone.wanted.tenure.give_up();
        }
        for (wanted, instance) in wanted.into_iter().zip(follow) {
            let config = Arc::clone(&wanted.config);
            let (instance, effects) = match instance {
                Some(mut instance) => {
                    let effects = instance.follow(wanted, now);
                    (instance, effects)
                }
                None => Instance::start(wanted, self.epoch, now),
            };
            self.note(&config, effects);
            self.instances.push(instance);
        }
        self.hold_groups(now);
        self.take_groups(now);
    }

    /// A frame that came by a link.
    pub fn frame(&mut self, now: Instant, link: u32, frame: &[u8]) {
        let Some(packet) = Packet::of_frame(frame) else { return };
        let is_ipv4 = packet.endpoints.source().is_ipv4();
        let vrid = packet.message.get(1).copied();
        let meant = self.instances.iter().position(|instance| {
            let config = &instance.wanted.config;
            config.is_ipv4() == is_ipv4
                && Some(config.vrid.get()) == vrid
                && instance.place().is_some_and(|place| place.link == link)
        });
        if let Some(id) = meant {
            self.tell(id, now, |instance| instance.frame(now, &packet));
        }
    }

    /// A link carries frames, or carries none; `None`: all that were cut may carry some again, and who says so
    /// otherwise is [`Self::follow`].
    pub fn link(&mut self, now: Instant, link: Option<u32>, carries: bool) {
        for id in 0..self.instances.len() {
            let place = self.instances[id].place();
            if place.is_some_and(|place| link.is_none_or(|link| place.link == link)) {
                self.tell(id, now, |instance| instance.link(now, carries));
            }
        }
    }

    /// Does what is due.
    pub fn timers(&mut self, now: Instant) {
        for id in 0..self.instances.len() {
            if self.instances[id].next_deadline().is_some_and(|at| at <= now) {
                self.tell(id, now, |instance| instance.timers(now));
            }
        }
    }

    /// What is to be said if this box dies now.
    #[must_use]
    pub fn last_words(&self) -> Vec<(Arc<Vrrp>, Effect)> {
        let masters = self.instances.iter().filter(|instance| instance.router().state() == State::Master);
        let words = |instance: &Instance| {
            let config = Arc::clone(&instance.wanted.config);
            let words = instance.last_words().into_iter();
            words.map(move |effect| (Arc::clone(&config), effect)).collect::<Vec<_>>()
        };
        masters.flat_map(words).collect()
    }

    /// When something is due next.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.instances.iter().filter_map(Instance::next_deadline).min()
    }

    /// The operator wants another box to be master, of the whole group; `false`: this one is not.
    pub fn hand_over(&mut self, name: &str, now: Instant) -> bool {
        let named = |instance: &Instance| instance.wanted.config.name == name;
        let Some(id) = self.instances.iter().position(named) else { return false };
        let was_master = self.instances[id].router().state() == State::Master;
        let group = self.instances[id].wanted.config.sync_group.clone();
        let ids = group.filter(|_| was_master).map_or_else(|| vec![id], |group| self.members(&group));
        for id in ids {
            self.tell(id, now, |instance| instance.handle(now, Event::HandOver));
        }
        was_master
    }

    /// Announces the addresses again, as far as they are here.
    pub fn announce(&mut self, name: &str) {
        let named = |instance: &&Instance| instance.wanted.config.name == name;
        let Some(instance) = self.instances.iter().find(named) else { return };
        if instance.router().state() == State::Master {
            let config = Arc::clone(&instance.wanted.config);
            let effects = instance.announce(config.announce.repeats).into_iter().collect();
            self.note(&config, effects);
        }
    }

    /// A peer is dead, as BFD has found: who waits for it as master waits no longer than after its last word.
    pub fn peer_died(&mut self, peer: IpAddr, now: Instant) {
        for id in 0..self.instances.len() {
            let instance = &self.instances[id];
            let config = &instance.wanted.config;
            let is_watched = config.bfd.as_ref().is_some_and(|watch| watch.peers.contains(&peer));
            if is_watched && instance.router().master() == Some(peer) {
                let heard = Heard { source: peer, priority: Priority::RELEASE, interval: config.interval };
                self.tell(id, now, |instance| instance.handle(now, Event::Advert(heard)));
            }
        }
    }

    /// The daemon ends.
    pub fn shut_down(&mut self, now: Instant) {
        for id in 0..self.instances.len() {
            self.tell(id, now, |instance| instance.handle(now, Event::Shutdown));
        }
    }

    /// Whether nothing is left to be done after [`Self::shut_down`].
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.instances.iter().all(Instance::has_ended)
    }

    /// What is to be done, in this order.
    pub fn take_effects(&mut self) -> Vec<(Arc<Vrrp>, Effect)> {
        std::mem::take(&mut self.effects)
    }

    /// The names of those that something has happened to since the last call.
    pub fn take_touched(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.touched)
    }

    /// All of them now, in the order of the configuration.
    pub fn reports(&self) -> impl Iterator<Item = Report> {
        self.instances.iter().map(|instance| Report {
            config: Arc::clone(&instance.wanted.config),
            state: instance.router().state(),
            priority: instance.router().priority(),
            master: instance.router().master(),
            version: instance.version(),
            place: instance.place(),
            counters: instance.counters,
            since: instance.since,
        })
    }

    fn note(&mut self, config: &Arc<Vrrp>, effects: Vec<Effect>) {
        self.touched.insert(config.name.clone());
        self.effects.extend(effects.into_iter().map(|effect| (Arc::clone(config), effect)));
    }

    /// Lets something happen to one, and what follows from it to its group.
    fn tell(&mut self, id: usize, now: Instant, event: impl FnOnce(&mut Instance) -> Vec<Effect>) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        let (was, releases) = (instance.router().member(), instance.router().releases());
        let rivals = instance.counters.second_masters;
        let effects = event(instance);
        let (is, is_left) = (instance.router().member(), instance.router().releases() != releases);
        let had_rival = instance.counters.second_masters != rivals;
        let config = Arc::clone(&instance.wanted.config);
        self.note(&config, effects);
        let Some(name) = config.sync_group.as_deref() else { return };
        if was.state != is.state {
            self.move_group(name, id, now, |members, member| {
                group::followers(members, Change { member, from: was.state })
            });
        }
        if was.state != is.state || was.is_unfit != is.is_unfit {
            self.hold_groups(now);
        }
        if is_left {
            self.move_group(name, id, now, group::noticed);
        }
        if had_rival {
            self.move_group(name, id, now, group::announcers);
        }
        if was.state != is.state || is.is_ripe {
            self.move_group(name, id, now, |members, _| group::takers(members));
        }
    }
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
