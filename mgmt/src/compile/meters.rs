//! What outlives configurations for the sake of limits: the meters of services and backends, which count
//! flows that outlive configurations too; and access lists, which take a while to build.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use dataplane::admission::{AccessList, Admission, BackendMeter, Commons, Meters, ServiceMeter, Thresholds};
use dataplane::limits::SOURCE_SETS;
use dataplane::persistence::{Clients, Persistence, Server};
use dataplane::schedule::{Destinations, Kind, Schedule};
use dataplane::types::{BackendId, Port};

use crate::config::{Access, Config, Service};
use crate::health::Subject;
use crate::inventory::Member;

/// Numbers of those who share clients: whether it is a group of services, and its name or that of the one service.
pub type Groups = HashMap<(bool, String), u32>;

/// See the module's head.
#[derive(Debug)]
pub(super) struct Book {
    commons: Arc<Commons>,
    /// By the name of a service; `true`: the present compilation has asked for it.
    services: HashMap<String, (bool, Arc<ServiceMeter>)>,
    next: u32,
    /// By number, with whom it is of.
    backends: Vec<Known>,
    /// Clients of services with persistence. Its size is that of the first configuration.
    clients: Option<Arc<Clients>>,
    /// By the name of a group, or of a service without one.
    groups: Groups,
    /// By the name of a service: what `lblc` and `lblcr` remember.
    destinations: HashMap<String, Arc<Destinations>>,
    /// By the name of a service, with what they were built from.
    lists: HashMap<String, (Access, Arc<AccessList>)>,
}

/// A backend's meter.
#[derive(Debug)]
struct Known {
    subject: Subject,
    meter: Arc<BackendMeter>,
    /// That it had last.
    thresholds: Option<Thresholds>,
}

impl Known {
    fn new(member: &Member) -> Self {
        Self { subject: member.subject(), meter: Arc::default(), thresholds: member.thresholds }
    }

    fn is_of(&self, member: &Member) -> bool {
        let Subject { service, address, port } = &self.subject;
        *service == member.service && *address == member.address && *port == member.port
    }
}

impl Default for Book {
    fn default() -> Self {
        Self {
            commons: Arc::new(Commons::new(SOURCE_SETS)),
            services: HashMap::new(),
            next: 0,
            backends: Vec::new(),
            clients: None,
            groups: HashMap::new(),
            destinations: HashMap::new(),
            lists: HashMap::new(),
        }
    }
}

impl Book {
    /// The meter of a service, also of one that has left but has members with flows.
    fn service(&mut self, name: &str, workers: usize) -> Arc<ServiceMeter> {
        if let Some((asked, meter)) = self.services.get_mut(name) {
            *asked = true;
            return Arc::clone(meter);
        }
        let meter = Arc::new(ServiceMeter::new(self.next, Arc::clone(&self.commons), workers));
        self.next = self.next.wrapping_add(1);
        self.services.insert(name.to_owned(), (true, Arc::clone(&meter)));
        meter
    }

    /// What a backend's flows count in.
    pub(super) fn meters(&mut self, id: BackendId, member: &Member, workers: usize) -> Meters {
        // Numbers come in their order; one that is anew somebody else's has no flow.
        while self.backends.len() <= id.index() {
            self.backends.push(Known::new(member));
        }
        let known = &mut self.backends[id.index()];
        if !known.is_of(member) {
            *known = Known::new(member);
        }
        if known.thresholds != member.thresholds {
            known.thresholds = member.thresholds;
            known.meter.forgive();
        }
        let backend = Arc::clone(&known.meter);
        let &Member { thresholds, is_proxied, .. } = member;
        Meters { service: self.service(&member.service, workers), backend, thresholds, is_proxied }
    }

    /// What a service's new flows have to pass.
    pub(super) fn admission(
        &mut self,
        service: &Service,
        workers: usize,
        fallback: Option<Arc<Schedule>>,
    ) -> Admission {
        let meter = self.service(&service.name, workers);
        meter.note_limit(service.limits.flows);
        Admission { access: self.list(service), limits: service.limits, meter, fallback }
    }

    /// A service's persistence, over the backends that take new flows.
    pub(super) fn persistence(
        &mut self,
        config: &Config,
        service: &Service,
        takers: impl Iterator<Item = BackendId>,
        member: impl Fn(BackendId) -> Option<(IpAddr, Option<Port>)>,
    ) -> Option<Persistence> {
        let wanted = service.choice.persistence.as_ref()?;
        let entries = config.dataplane.persistence;
        let clients = Arc::clone(self.clients.get_or_insert_with(|| Arc::new(Clients::new(entries))));
        let shared = wanted.group.is_some();
        let name = wanted.group.clone().unwrap_or_else(|| service.name.clone());
        let next = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        let group = *self.groups.entry((shared, name)).or_insert(next);
        // Where services share, the ports behind one server's address are different ones.
        let server = |id| {
            let (address, port) = member(id)?;
            Some((Server::new(address, port.filter(|_| !shared)), id))
        };
        let takers: Vec<_> = takers.filter_map(server).collect();
        Some(Persistence::new(clients, group, wanted.timeout, wanted.masks, &takers))
    }

    /// The clients that are remembered, and the names that groups have: of a service's own, or of several.
    pub(super) fn clients(&self) -> Option<(&Arc<Clients>, &Groups)> {
        self.clients.as_ref().map(|clients| (clients, &self.groups))
    }

    /// What a service's scheduler remembers of destinations: nothing, but where it is made for them.
    pub(super) fn destinations(&mut self, service: &str, kind: Kind) -> Arc<Destinations> {
        if !matches!(kind, Kind::Locality | Kind::LocalityReplicated) {
            return Arc::default();
        }
        let known = self.destinations.entry(service.to_owned());
        Arc::clone(known.or_insert_with(|| Arc::new(Destinations::new())))
    }

    fn list(&mut self, service: &Service) -> Arc<AccessList> {
        match self.lists.get(&service.name) {
            Some((before, list)) if *before == service.access => Arc::clone(list),
            _ => {
                let Access { allow, deny } = &service.access;
                let list = Arc::new(AccessList::new(allow, deny));
                self.lists.insert(service.name.clone(), (service.access.clone(), Arc::clone(&list)));
                list
            }
        }
    }

    /// What a service's backends have answered so far says nothing of others.
    pub(super) fn forget_backends(&self, service: &str) {
        if let Some((_, meter)) = self.services.get(service) {
            meter.forget_backends();
        }
    }

    /// Forgets what nobody has asked for since this was called last.
    pub(super) fn forget(&mut self) {
        self.services.retain(|_, (asked, _)| std::mem::take(asked));
        let services = &self.services;
        self.lists.retain(|name, _| services.contains_key(name));
        self.destinations.retain(|name, _| services.contains_key(name));
    }
}
