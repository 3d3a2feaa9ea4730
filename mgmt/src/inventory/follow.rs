//! Backends that come with a configuration, and those that leave with it.

use std::collections::HashMap;
use std::time::Instant;

use dataplane::BackendStats;
use dataplane::admission::SynProxy;
use dataplane::types::{BackendId, Protocol};

use super::{Inventory, Member, Name, name_of};
use crate::config::{self, Config, Service};
use crate::health::Condition;
use crate::health::plan::initial_condition;

impl Inventory {
    /// Brings the inventory up to a configuration. `stats` are the data plane's counters of a number.
    pub fn follow(&mut self, config: &Config, now: Instant, stats: impl Fn(BackendId) -> BackendStats) {
        let mut present = vec![false; self.members.len()];
        let since = (!self.members.is_empty()).then_some(now);
        for service in &config.services {
            for backend in service.members() {
                let name = name_of(service, backend.address, backend.port);
                let id = self.numbers.get(&name).copied();
                let id = id.unwrap_or_else(|| self.add(name, service, &backend, since, &stats));
                present.resize(self.members.len(), false);
                present[id.index()] = true;
                if let Some(member) = &mut self.members[id.index()] {
                    member.left = None;
                    if std::mem::replace(&mut member.ports, service.ports) != service.ports
                        && member.protocol == Protocol::Udp
                    {
                        member.review_until = now.checked_add(config.dataplane.flow_timeouts.udp);
                    }
                    member.forwarding.clone_from(&service.forwarding);
                    member.endings = (service.choice.on_failure, service.choice.drain);
                    member.slow_start = service.choice.slow_start;
                    member.mss_clamp = service.mss_clamp;
                    member.has_checks = backend.health.is_some();
                    // With checks, what they have said last holds until they say something else.
                    if !member.has_checks {
                        member.condition = Condition::default();
                    }
                    member.follow(&backend, now);
                    member.is_proxied = service.syn_proxy != SynProxy::Off;
                }
            }
        }
        let absent = self.members.iter_mut().zip(present).filter(|(_, present)| !present);
        let mut absent = absent.filter_map(|(member, _)| member.as_mut()).peekable();
        // What a service says of endings counts for backends that leave with the same change, too.
        let choices: HashMap<_, _> = match absent.peek() {
            None => HashMap::new(),
            Some(_) => config.services.iter().map(|service| (&*service.name, &service.choice)).collect(),
        };
        for member in absent {
            member.left.get_or_insert(now);
            if let Some(choice) = choices.get(&*member.service) {
                member.endings = (choice.on_failure, choice.drain);
            }
        }
    }

    fn add(
        &mut self,
        name: Name,
        service: &Service,
        backend: &config::Backend,
        up_since: Option<Instant>,
        stats: &impl Fn(BackendId) -> BackendStats,
    ) -> BackendId {
        // The configuration's bound on backends is far below 2^32.
        let next = || BackendId(u32::try_from(self.members.len()).unwrap_or(u32::MAX));
        let id = self.free.pop_first().unwrap_or_else(next);
        let member = Member {
            service: name.service.clone(),
            vip: name.vip,
            address: name.address,
            port: name.port,
            protocol: name.protocol,
            forwarding: service.forwarding.clone(),
            endings: (service.choice.on_failure, service.choice.drain),
            slow_start: service.choice.slow_start,
            mss_clamp: service.mss_clamp,
            thresholds: backend.thresholds,
            is_proxied: service.syn_proxy != SynProxy::Off,
            weight: backend.weight,
            priority_group: backend.priority_group,
            admin: backend.admin,
            has_checks: backend.health.is_some(),
            own_interface: None,
            condition: backend.health.as_deref().map_or_else(Condition::default, initial_condition),
            changed: None,
            up_since,
            configured_weight: backend.weight,
            configured_admin: backend.admin,
            left: None,
            ports: service.ports,
            review_until: None,
            baseline: stats(id),
        };
        if id.index() == self.members.len() {
            self.members.push(None);
        }
        self.members[id.index()] = Some(member);
        self.numbers.insert(name, id);
        id
    }
}
