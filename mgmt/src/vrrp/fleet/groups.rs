//! Sync groups among the virtual routers: who is asked, and what the answers ask of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::Fleet;
use crate::vrrp::group::{self, Member, MemberId};
use crate::vrrp::router::{Event, Order};

impl Fleet {
    pub(super) fn members(&self, group: &str) -> Vec<usize> {
        let of = |id: &usize| self.instances[*id].wanted.config.sync_group.as_deref() == Some(group);
        (0..self.instances.len()).filter(of).collect()
    }

    /// What `rule` asks of the group's members, for the sake of one of them.
    pub(super) fn move_group(
        &mut self,
        name: &str,
        id: usize,
        now: Instant,
        rule: impl FnOnce(&[Member], MemberId) -> Vec<(MemberId, Order)>,
    ) {
        let ids = self.members(name);
        let members: Vec<Member> = ids.iter().map(|id| self.instances[*id].router().member()).collect();
        let Some(place) = ids.iter().position(|other| *other == id) else { return };
        self.order(&ids, rule(&members, MemberId(place)), now);
    }

    /// With one member of a group unfit the others take no part.
    pub(super) fn hold_groups(&mut self, now: Instant) {
        let names = self.instances.iter().filter_map(|instance| instance.wanted.config.sync_group.clone());
        for name in names.collect::<BTreeSet<_>>() {
            let ids = self.members(&name);
            let members: Vec<Member> = ids.iter().map(|id| self.instances[*id].router().member()).collect();
            self.order(&ids, group::holds(&members), now);
        }
        // Who is in no group any more is held by nobody.
        for id in 0..self.instances.len() {
            let instance = &self.instances[id];
            if instance.wanted.config.sync_group.is_none() && instance.router().member().is_held {
                self.order(&[id], vec![(MemberId(0), Order::Release)], now);
            }
        }
    }

    fn order(&mut self, ids: &[usize], orders: Vec<(MemberId, Order)>, now: Instant) {
        for (member, order) in orders {
            let Some(instance) = ids.get(member.0).and_then(|id| self.instances.get_mut(*id)) else {
                continue;
            };
            let effects = instance.handle(now, Event::Group(order));
            let config = Arc::clone(&instance.wanted.config);
            self.note(&config, effects);
        }
    }

    /// After a reload: whom the others of a group waited for may be in it no more, and others may be new to it.
    pub(super) fn take_groups(&mut self, now: Instant) {
        for id in 0..self.instances.len() {
            if let Some(name) = self.instances[id].wanted.config.sync_group.clone() {
                self.move_group(&name, id, now, |members, _| group::takers(members));
                self.move_group(&name, id, now, |members, _| group::joiners(members));
            }
        }
    }
}
