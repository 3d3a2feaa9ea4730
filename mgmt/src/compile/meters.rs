//! What outlives configurations for the sake of limits: the meters of services and backends, which count
//! flows that outlive configurations too; and access lists, which take a while to build.

use std::collections::HashMap;
use std::sync::Arc;

use dataplane::admission::{AccessList, Admission, BackendMeter, Commons, Meters, ServiceMeter};
use dataplane::limits::SOURCE_SETS;
use dataplane::schedule::Schedule;
use dataplane::types::BackendId;

use crate::config::{Access, Service};
use crate::inventory::Member;

/// See the module's head.
#[derive(Debug)]
pub(super) struct Book {
    commons: Arc<Commons>,
    /// By the name of a service; `true`: the present compilation has asked for it.
    services: HashMap<String, (bool, Arc<ServiceMeter>)>,
    next: u32,
    /// By number: whoever gets a number finds it without a flow.
    backends: Vec<Arc<BackendMeter>>,
    /// By the name of a service, with what they were built from.
    lists: HashMap<String, (Access, Arc<AccessList>)>,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            commons: Arc::new(Commons::new(SOURCE_SETS)),
            services: HashMap::new(),
            next: 0,
            backends: Vec::new(),
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
        if self.backends.len() <= id.index() {
            self.backends.resize_with(id.index() + 1, Arc::default);
        }
        Meters {
            service: self.service(&member.service, workers),
            backend: Arc::clone(&self.backends[id.index()]),
            upper_threshold: member.upper_threshold,
            is_proxied: member.is_proxied,
        }
    }

    /// What a service's new flows have to pass.
    pub(super) fn admission(
        &mut self,
        service: &Service,
        workers: usize,
        fallback: Option<Arc<Schedule>>,
    ) -> Admission {
        let meter = self.service(&service.name, workers);
        Admission { access: self.list(service), limits: service.limits, meter, fallback }
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

    /// What backends have answered so far says nothing of those of another configuration.
    pub(super) fn forget_backends(&self) {
        self.services.values().for_each(|(_, meter)| meter.forget_backends());
    }

    /// Forgets what nobody has asked for since this was called last.
    pub(super) fn forget(&mut self) {
        self.services.retain(|_, (asked, _)| std::mem::take(asked));
        let services = &self.services;
        self.lists.retain(|name, _| services.contains_key(name));
    }
}
