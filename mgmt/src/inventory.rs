//! The backends: which number each has in the data plane, and what the operator wants of it.
//!
//! A backend that leaves the configuration keeps its number, and its place in the snapshot, until its
//! last flow is gone: established flows are never cut by a reload.

mod follow;
mod standing;

pub use standing::Standing;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use dataplane::BackendStats;
use dataplane::admission::Thresholds;
use dataplane::types::{BackendId, Mode, Port, PortRange, Prefix, Protocol};

use crate::api::view::Admin;
use crate::config::{self, Drain, Forwarding, OwnAddresses, Service, Then};
use crate::health::{Condition, Subject};

/// How long a backend stays after it has left the configuration, at least: until no worker can still
/// be at work with a snapshot in which it took new flows.
const LINGER: Duration = Duration::from_secs(1);

/// What makes two backends the same over a change of the configuration. Virtual IP, protocol and mode
/// belong to it, because the flows in the table were made for them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name {
    service: String,
    vip: Prefix,
    protocol: Protocol,
    mode: Mode,
    address: IpAddr,
    port: Option<Port>,
}

/// A backend and its place in the data plane.
#[derive(Debug, Clone)]
pub struct Member {
    /// The service's name.
    pub service: String,
    /// The service's virtual IP: still steered to the workers while flows are left.
    pub vip: Prefix,
    /// The server's address.
    pub address: IpAddr,
    /// The server's port; `None`: the one that the client has asked for.
    pub port: Option<Port>,
    /// The service's protocol.
    pub protocol: Protocol,
    /// How the service reached it last.
    pub forwarding: Forwarding,
    /// What becomes of its flows when it fails, and when it is drained.
    pub(crate) endings: (Then, Drain),
    /// Over how long it warms up, as its service says.
    pub(crate) slow_start: Duration,
    /// The service's bound on segments.
    pub mss_clamp: Option<u16>,
    /// How many flows it takes at once.
    pub thresholds: Option<Thresholds>,
    /// Whether the box may make handshakes in its name.
    pub is_proxied: bool,
    /// As it is now.
    pub weight: u16,
    /// Lower groups come first.
    pub priority_group: u16,
    /// What the operator wants.
    pub admin: Admin,
    /// What its checks say.
    pub condition: Condition,
    /// Whether it has any.
    has_checks: bool,
    /// The interface of the node that has its address, so that no frame reaches it: it counts as down.
    own_interface: Option<String>,
    /// When `state` changed last.
    pub changed: Option<Instant>,
    /// When it came up; `None`: it was there, and warm, when the daemon began.
    up_since: Option<Instant>,
    /// As the file has it: a weight set by hand holds until the file's own changes.
    configured_weight: u16,
    /// The same of what the operator wants.
    configured_admin: Admin,
    /// When it left the configuration.
    left: Option<Instant>,
    /// The service's ports.
    ports: PortRange,
    /// Until when flows of datagrams to ports that the service has given up end with their next one: by then those
    /// that are silent are forgotten.
    review_until: Option<Instant>,
    /// The counters of its number when it got it.
    baseline: BackendStats,
}

impl Member {
    /// Whether the configuration no longer has it.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.left.is_some()
    }

    /// The interface of the node that has its address: it counts as down.
    #[must_use]
    pub fn own_interface(&self) -> Option<&str> {
        self.own_interface.as_deref()
    }

    /// Its own part of its number's counters.
    #[must_use]
    pub fn own(&self, stats: BackendStats) -> BackendStats {
        let base = self.baseline;
        BackendStats {
            active_flows: stats.active_flows,
            total_flows: stats.total_flows - base.total_flows,
            packets_in: stats.packets_in - base.packets_in,
            bytes_in: stats.bytes_in - base.bytes_in,
            packets_out: stats.packets_out - base.packets_out,
            bytes_out: stats.bytes_out - base.bytes_out,
        }
    }

    /// Its name within its service.
    #[must_use]
    pub fn endpoint(&self) -> String {
        config::backend_name(self.address, self.port)
    }

    /// How its checks know it.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject { service: self.service.clone(), address: self.address, port: self.port }
    }

    /// What was set by hand holds until the file says something else.
    fn follow(&mut self, backend: &config::Backend, now: Instant) {
        self.thresholds = backend.thresholds;
        self.priority_group = backend.priority_group;
        let weight = (self.configured_weight != backend.weight).then_some(backend.weight);
        let admin = (self.configured_admin != backend.admin).then_some(backend.admin);
        (self.configured_weight, self.configured_admin) = (backend.weight, backend.admin);
        self.change(now, |member| {
            member.weight = weight.unwrap_or(member.weight);
            member.admin = admin.unwrap_or(member.admin);
        });
    }

    fn name(&self) -> Name {
        let Self { vip, protocol, address, port, .. } = *self;
        let mode = self.forwarding.mode();
        Name { service: self.service.clone(), vip, protocol, mode, address, port }
    }
}

/// See the module's head.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    members: Vec<Option<Member>>,
    numbers: HashMap<Name, BackendId>,
    /// Numbers that nobody has.
    free: BTreeSet<BackendId>,
}

impl Inventory {
    /// The file says of a backend what has been set by hand.
    pub fn was_saved(&mut self, member: &Member, backend: &config::Backend) {
        let id = self.numbers.get(&member.name()).copied();
        if let Some(member) = id.and_then(|id| self.get_mut(id)) {
            (member.configured_weight, member.configured_admin) = (backend.weight, backend.admin);
        }
    }

    /// Forgets backends that have left and have no flow any more; says whether there were any.
    pub fn prune(&mut self, now: Instant, active_flows: impl Fn(BackendId) -> u64) -> bool {
        let mut pruned = false;
        for (id, place) in (0..).map(BackendId).zip(&mut self.members) {
            let is_over = |left: Instant| now.duration_since(left) >= LINGER && active_flows(id) == 0;
            if let Some(member) = place
                && member.left.is_some_and(is_over)
            {
                self.numbers.remove(&member.name());
                *place = None;
                self.free.insert(id);
                pruned = true;
            }
        }
        pruned
    }

    /// All numbers, and who has them.
    pub fn members(&self) -> impl Iterator<Item = (BackendId, Option<&Member>)> {
        (0..).map(BackendId).zip(self.members.iter().map(Option::as_ref))
    }

    /// Who has a number.
    #[must_use]
    pub fn get(&self, id: BackendId) -> Option<&Member> {
        self.members.get(id.index())?.as_ref()
    }

    /// The same, to change what the operator wants.
    pub fn get_mut(&mut self, id: BackendId) -> Option<&mut Member> {
        self.members.get_mut(id.index())?.as_mut()
    }

    /// Takes in what checks have found, and says which services that changes. What checks say of backends
    /// that have left is of no concern.
    pub fn take_in(&mut self, conditions: &BTreeMap<Subject, Condition>, now: Instant) -> Vec<String> {
        let mut changed = Vec::new();
        // A word about checks that a reload has just taken away is too late.
        let is_asked = |member: &&mut Member| member.left.is_none() && member.has_checks;
        for member in self.members.iter_mut().flatten().filter(is_asked) {
            let Some(condition) = conditions.get(&member.subject()) else { continue };
            if member.change(now, |member| member.condition = *condition) {
                changed.push(member.service.clone());
            }
        }
        changed.dedup();
        changed
    }

    /// Takes in the addresses of the node itself. Gives the configured backends that have got one of them, or have none
    /// any more.
    pub fn take_own(&mut self, own: &OwnAddresses, now: Instant) -> Vec<BackendId> {
        let mut changed = Vec::new();
        for (id, member) in (0..).map(BackendId).zip(&mut self.members) {
            let Some(member) = member else { continue };
            let interface = own.interface_of(member.address);
            if member.own_interface.as_deref() != interface {
                let was = member.own_interface.is_some();
                member.change(now, |member| member.own_interface = interface.map(str::to_owned));
                if was != interface.is_some() && !member.has_left() {
                    changed.push(id);
                }
            }
        }
        changed
    }

    /// The number of a service's backend.
    #[must_use]
    pub fn number(&self, service: &Service, address: IpAddr, port: Option<Port>) -> Option<BackendId> {
        self.numbers.get(&name_of(service, address, port)).copied()
    }
}

fn name_of(service: &Service, address: IpAddr, port: Option<Port>) -> Name {
    let &Service { address: vip, protocol, .. } = service;
    let mode = service.mode();
    Name { service: service.name.clone(), vip, protocol, mode, address, port }
}

#[cfg(test)]
#[path = "inventory_tests.rs"]
mod tests;
