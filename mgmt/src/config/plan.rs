//! What a new configuration would change, in plain sentences; and what of it needs a restart.

use std::fmt::{Debug, Display};

use dataplane::snapshot::FlowTimeouts;
use serde::{Deserialize, Serialize};

use super::{Backend, Config, Dataplane, Interface, Service, read};

/// The difference between two configurations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What a reload changes.
    pub changes: Vec<String>,
    /// What is fixed while the daemon runs: a configuration that changes any of it is refused by a
    /// reload, and is taken at the next start.
    pub needs_restart: Vec<String>,
}

impl Plan {
    /// Whether the two are the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.needs_restart.is_empty()
    }
}

/// What has to be done to get from `old` to `new`.
#[must_use]
pub fn plan(old: &Config, new: &Config) -> Plan {
    let mut fixed = Changes::default();
    fixed.field("node.run_dir", old.node.run_dir.display(), new.node.run_dir.display());
    dataplane(&mut fixed, &old.dataplane, &new.dataplane);
    interfaces(&mut fixed, &old.interfaces, &new.interfaces);

    let mut live = Changes::default();
    live.field("node.name", &old.node.name, &new.node.name);
    live.field("node.cluster", &old.node.cluster, &new.node.cluster);
    flow_timeouts(&mut live, &old.dataplane.flow_timeouts, &new.dataplane.flow_timeouts);
    services(&mut live, &old.services, &new.services);
    Plan { changes: live.0, needs_restart: fixed.0 }
}

#[derive(Default)]
struct Changes(Vec<String>);

impl Changes {
    fn say(&mut self, sentence: String) {
        self.0.push(sentence);
    }

    fn field(&mut self, name: &str, old: impl Display, new: impl Display) {
        let (old, new) = (old.to_string(), new.to_string());
        if old != new {
            self.say(format!("{name}: {old} -> {new}"));
        }
    }

    fn list(&mut self, name: &str, old: &impl Debug, new: &impl Debug) {
        self.field(name, format!("{old:?}"), format!("{new:?}"));
    }
}

fn dataplane(changes: &mut Changes, old: &Dataplane, new: &Dataplane) {
    changes.list("dataplane.cores", &old.cores, &new.cores);
    changes.field("dataplane.poll", read::poll_word(old.poll), read::poll_word(new.poll));
    changes.field("dataplane.flows", old.flows, new.flows);
    let [old, new] = [old, new].map(|d| read::huge_pages_word(d.huge_pages));
    changes.field("dataplane.hugepages", old, new);
}

fn flow_timeouts(changes: &mut Changes, old: &FlowTimeouts, new: &FlowTimeouts) {
    let times = |t: &FlowTimeouts| [t.tcp_syn, t.tcp_established, t.tcp_fin, t.udp, t.icmp];
    let names = ["tcp_syn", "tcp_established", "tcp_fin", "udp", "icmp"];
    for ((name, old), new) in names.iter().zip(times(old)).zip(times(new)) {
        let [old, new] = [old, new].map(humantime::format_duration);
        changes.field(&format!("dataplane.flow_timeouts.{name}"), old, new);
    }
}

fn interfaces(changes: &mut Changes, old: &[Interface], new: &[Interface]) {
    let names = |list: &[Interface]| list.iter().map(|i| i.name.clone()).collect::<Vec<_>>();
    // The order counts: interfaces are known to the workers by their place in the list.
    changes.list("interfaces", &names(old), &names(new));
    for interface in new {
        if let Some(before) = old.iter().find(|i| i.name == interface.name) {
            let name = format!("interface {}: xdp", interface.name);
            changes.field(&name, read::xdp_word(before.xdp), read::xdp_word(interface.xdp));
        }
    }
}

fn services(changes: &mut Changes, old: &[Service], new: &[Service]) {
    for gone in old.iter().filter(|s| new.iter().all(|n| n.name != s.name)) {
        changes.say(format!("service {} is removed: {}", gone.name, described(gone)));
    }
    for service in new {
        match old.iter().find(|s| s.name == service.name) {
            None => changes.say(format!("service {} is added: {}", service.name, described(service))),
            Some(before) => self::service(changes, before, service),
        }
    }
}

fn service(changes: &mut Changes, old: &Service, new: &Service) {
    let name = |field: &str| format!("service {}: {field}", new.name);
    changes.field(&name("address"), old.address, new.address);
    changes.field(&name("port"), old.port, new.port);
    changes.field(&name("protocol"), old.protocol, new.protocol);
    changes.field(&name("mode"), old.mode, new.mode);
    let [before, after] = [old, new].map(|s| read::scheduler_word(s.scheduler));
    changes.field(&name("scheduler"), before, after);
    let same = |a: &Backend, b: &Backend| (a.address, a.port) == (b.address, b.port);
    for gone in old.backends.iter().filter(|b| !new.backends.iter().any(|n| same(b, n))) {
        changes.say(name(&format!("backend {} is removed; it takes no new flows", gone.name())));
    }
    for backend in &new.backends {
        match old.backends.iter().find(|b| same(b, backend)) {
            None => {
                let added = format!("backend {} is added, weight {}", backend.name(), backend.weight);
                changes.say(name(&added));
            }
            Some(before) => {
                let field = name(&format!("backend {}: weight", backend.name()));
                changes.field(&field, before.weight, backend.weight);
            }
        }
    }
}

fn described(service: &Service) -> String {
    let endpoint = std::net::SocketAddr::new(service.address, service.port.0);
    let scheduler = read::scheduler_word(service.scheduler);
    let backends = service.backends.len();
    let plural = if backends == 1 { "" } else { "s" };
    format!("{} {endpoint}, {} mode, {scheduler}, {backends} backend{plural}", service.protocol, service.mode)
}
