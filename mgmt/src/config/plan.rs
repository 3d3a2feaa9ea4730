//! What a new configuration would change, in plain sentences; and what of it needs a restart.

mod choice;
mod vrrp;

use std::collections::HashMap;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::sync::Arc;

use dataplane::admission::{Limits, Thresholds};
use dataplane::snapshot::FlowTimeouts;
use dataplane::types::Prefix;
use serde::{Deserialize, Serialize};

use super::health::Health;
use super::{Backend, Config, Dataplane, Forwarding, Interface, Service, read};

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
    fixed.field("node.state_dir", old.node.state_dir.display(), new.node.state_dir.display());
    let listen =
        |config: &Config| config.metrics.listen.map_or_else(|| "nowhere".to_owned(), |at| at.to_string());
    fixed.field("metrics.listen", listen(old), listen(new));
    dataplane(&mut fixed, &old.dataplane, &new.dataplane);
    interfaces(&mut fixed, &old.interfaces, &new.interfaces);

    let mut live = Changes::default();
    live.field("node.name", &old.node.name, &new.node.name);
    live.field("node.cluster", &old.node.cluster, &new.node.cluster);
    flow_timeouts(&mut live, &old.dataplane.flow_timeouts, &new.dataplane.flow_timeouts);
    vrrp::instances(&mut live, &old.vrrp, &new.vrrp);
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
    changes.field("dataplane.persistence", old.persistence, new.persistence);
    let [old, new] = [old, new].map(|d| read::huge_pages_word(d.huge_pages));
    changes.field("dataplane.hugepages", old, new);
}

fn flow_timeouts(changes: &mut Changes, old: &FlowTimeouts, new: &FlowTimeouts) {
    let times = |t: &FlowTimeouts| [t.tcp_syn, t.tcp_established, t.tcp_fin, t.tcp_reset, t.udp, t.icmp];
    let names = ["tcp_syn", "tcp_established", "tcp_fin", "tcp_reset", "udp", "icmp"];
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
            let [before, after] = [before, interface].map(|i| i.bridge.as_deref().unwrap_or("none"));
            changes.field(&format!("interface {}: bridge", interface.name), before, after);
        }
    }
}

fn services(changes: &mut Changes, old: &[Service], new: &[Service]) {
    let [before, after] = [old, new].map(|list| index(list, |service| service.name.as_str()));
    for gone in old.iter().filter(|s| !after.contains_key(s.name.as_str())) {
        changes.say(format!("service {} is removed: {}", gone.name, described(gone)));
    }
    for service in new {
        match before.get(service.name.as_str()) {
            None => changes.say(format!("service {} is added: {}", service.name, described(service))),
            Some(before) => self::service(changes, before, service),
        }
    }
}

fn service(changes: &mut Changes, old: &Service, new: &Service) {
    let name = |field: &str| format!("service {}: {field}", new.name);
    changes.field(&name("address"), old.address, new.address);
    let key = if new.ports.single().is_some() { "port" } else { "ports" };
    changes.field(&name(key), old.ports, new.ports);
    changes.field(&name("protocol"), old.protocol, new.protocol);
    changes.field(&name("mode"), old.mode(), new.mode());
    forwarding(changes, name, &old.forwarding, &new.forwarding);
    let [before, after] = [old, new].map(|s| read::scheduler_word(s.scheduler));
    changes.field(&name("scheduler"), before, after);
    choice::choice(changes, name, &old.choice, &new.choice);
    let [before, after] = [old, new].map(|s| read::missing_state_word(s.missing_state));
    changes.field(&name("missing_state"), before, after);
    changes.field(&name("mss_clamp"), old.mss_clamp.unwrap_or(0), new.mss_clamp.unwrap_or(0));
    let [before, after] = [old, new].map(|s| s.vlan.unwrap_or_default());
    changes.field(&name("vlan"), before, after);
    let [before, after] = [old, new].map(|s| read::ping_word(s.ping));
    changes.field(&name("ping"), before, after);
    admission(changes, name, old, new);
    backends(changes, &new.name, &old.backends, &new.backends);
    health(changes, &new.name, &old.backends, &new.backends);
}

/// Once for all backends where they are alike, as they mostly are.
fn health(changes: &mut Changes, service: &str, old: &[Backend], new: &[Backend]) {
    let before = index(old, |backend| (backend.address, backend.port));
    let pair = |after: &Backend| {
        let before = before.get(&(after.address, after.port))?;
        Some((before.health.clone(), after.health.clone()))
    };
    let pairs: Vec<_> = new.iter().filter_map(|backend| Some((backend.name(), pair(backend)?))).collect();
    let mut say = |whose: String, (before, after): &(Option<Arc<Health>>, Option<Arc<Health>>)| {
        let [old, new] =
            [before, after].map(|health| health.as_deref().map_or("none".into(), Health::to_string));
        match old == new {
            _ if before == after => {}
            true => changes.say(format!("{whose}: health: other keys of {new}")),
            false => changes.say(format!("{whose}: health: {old} -> {new}")),
        }
    };
    match pairs.split_first() {
        Some(((_, first), rest)) if rest.iter().all(|(_, pair)| pair == first) => {
            say(format!("service {service}"), first);
        }
        _ => pairs.iter().for_each(|(name, pair)| say(format!("service {service}: backend {name}"), pair)),
    }
}

/// What lets new flows in. Lists may be long: they are told by what has changed of them.
fn admission(changes: &mut Changes, name: impl Fn(&str) -> String, old: &Service, new: &Service) {
    let lists =
        [("allow", &old.access.allow, &new.access.allow), ("deny", &old.access.deny, &new.access.deny)];
    for (key, before, after) in lists {
        let lacking = |these: &[Prefix], those: &[Prefix]| {
            these.iter().filter(|prefix| those.binary_search(prefix).is_err()).count()
        };
        let (added, removed) = (lacking(after, before), lacking(before, after));
        if added + removed > 0 {
            let count = after.len();
            changes.say(format!("{}: {added} added, {removed} removed, {count} in all", name(key)));
        }
    }
    let limits = |service: &Service| {
        let Limits { flows, new_per_second, new_per_second_per_source } = service.limits;
        [
            ("limits.flows", flows),
            ("limits.new_per_second", new_per_second),
            ("limits.new_per_second_per_source", new_per_second_per_source),
        ]
    };
    for ((key, before), (_, after)) in limits(old).into_iter().zip(limits(new)) {
        changes.field(&name(key), before.unwrap_or(0), after.unwrap_or(0));
    }
    let [before, after] = [old, new].map(|s| read::syn_proxy_word(s.syn_proxy));
    changes.field(&name("syn_proxy"), before, after);
}

/// The keys of a mode; a change of the mode itself has been told.
fn forwarding(changes: &mut Changes, name: impl Fn(&str) -> String, old: &Forwarding, new: &Forwarding) {
    match (old, new) {
        (
            Forwarding::OneArm { pool: before, client_address: how_before },
            Forwarding::OneArm { pool: after, client_address: how_after },
        ) => {
            let pool = name("snat_pool");
            for gone in before.iter().filter(|address| !after.contains(address)) {
                changes.say(format!("{pool}: {gone} is removed; no new flow comes from it"));
            }
            for added in after.iter().filter(|address| !before.contains(address)) {
                changes.say(format!("{pool}: {added} is added"));
            }
            let [before, after] = [*how_before, *how_after].map(read::client_address_word);
            changes.field(&name("client_address"), before, after);
        }
        (Forwarding::Dsr(before), Forwarding::Dsr(after)) => {
            let [before, after] = [before, after].map(|dscp| dscp.map_or(0, |dscp| dscp.number()));
            changes.field(&name("dsr.dscp"), before, after);
        }
        (Forwarding::Tunnel(before), Forwarding::Tunnel(after)) => {
            changes.field(&name("tunnel"), before, after);
        }
        _ => {}
    }
}

fn backends(changes: &mut Changes, service: &str, old: &[Backend], new: &[Backend]) {
    let [before, after] = [old, new].map(|list| index(list, |backend| (backend.address, backend.port)));
    for gone in old.iter().filter(|b| !after.contains_key(&(b.address, b.port))) {
        let name = gone.name();
        changes.say(format!("service {service}: backend {name} is removed; it takes no new flows"));
    }
    for backend in new {
        let (name, weight) = (backend.name(), backend.weight);
        match before.get(&(backend.address, backend.port)) {
            None => changes.say(format!("service {service}: backend {name} is added, weight {weight}")),
            Some(before) => {
                let field = |key: &str| format!("service {service}: backend {name}: {key}");
                changes.field(&field("weight"), before.weight, weight);
                changes.field(&field("admin"), before.admin.word(), backend.admin.word());
                changes.field(&field("priority_group"), before.priority_group, backend.priority_group);
                let upper = |b: &Backend| b.thresholds.map_or(0, Thresholds::upper);
                changes.field(&field("upper_threshold"), upper(before), upper(backend));
                let lower = |b: &Backend| b.thresholds.map_or(0, Thresholds::lower);
                changes.field(&field("lower_threshold"), lower(before), lower(backend));
            }
        }
    }
}

fn index<'c, T, K: Hash + Eq>(list: &'c [T], key: impl Fn(&'c T) -> K) -> HashMap<K, &'c T> {
    list.iter().map(|item| (key(item), item)).collect()
}

fn described(service: &Service) -> String {
    let endpoint = service.endpoint();
    let scheduler = read::scheduler_word(service.scheduler);
    let backends = service.backends.len();
    let plural = if backends == 1 { "" } else { "s" };
    format!(
        "{} {endpoint}, {} mode, {scheduler}, {backends} backend{plural}",
        service.protocol,
        service.mode()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Machine, load_str};

    const OLD: &str = r#"
        [[interface]]
        name = "eth0"
        [[service]]
        name = "web"
        address = "10.0.0.100"
        port = 80
        mode = "router"
        backend = [{ address = "10.0.1.11" }, { address = "10.0.1.12", port = 8080 }]
        [[service]]
        name = "dns"
        address = "2001:db8::100"
        port = 53
        protocol = "udp"
        mode = "dsr"
        backend = [{ address = "2001:db8:1::11" }]
    "#;

    fn config(text: &str) -> Config {
        let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
        load_str("lb.toml", text, &machine).unwrap().0
    }

    fn changed(edits: &[(&str, &str)]) -> Plan {
        let edited = edits.iter().fold(OLD.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        plan(&config(OLD), &config(&edited))
    }

    #[test]
    fn the_same_file_changes_nothing() {
        assert!(changed(&[]).is_empty());
    }

    #[test]
    fn services_and_backends_are_told_by_name_with_old_and_new_values() {
        let plan = changed(&[
            ("\"dns\"", "\"dns6\""),
            ("port = 80\n", "port = 80\nscheduler = \"rr\"\n"),
            ("{ address = \"10.0.1.11\" }", "{ address = \"10.0.1.13\" }"),
            ("port = 8080", "port = 8080, weight = 0"),
        ]);
        let expected = [
            "service dns is removed: udp [2001:db8::100]:53, dsr mode, maglev, 1 backend",
            "service web: scheduler: maglev -> rr",
            "service web: backend 10.0.1.11:80 is removed; it takes no new flows",
            "service web: backend 10.0.1.13:80 is added, weight 100",
            "service web: backend 10.0.1.12:8080: weight: 100 -> 0",
            "service dns6 is added: udp [2001:db8::100]:53, dsr mode, maglev, 1 backend",
        ];
        assert_eq!(plan.changes, expected);
        assert!(plan.needs_restart.is_empty());
    }

    #[test]
    fn the_keys_of_the_modes_are_told_one_by_one() {
        let between = |old: &str, new: &str| {
            let text = |keys: &str| {
                format!(
                    "[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\nport = 80\n\
                     backend = [{{ address = \"10.0.1.11\" }}]\n{keys}"
                )
            };
            plan(&config(&text(old)), &config(&text(new))).changes
        };
        let one_arm = "address = \"10.0.0.100\"\nmode = \"one-arm\"\n";
        let changes = between(
            &format!("{one_arm}snat_pool = [\"10.0.0.110\", \"10.0.0.111\"]\n"),
            &format!(
                "{one_arm}snat_pool = [\"10.0.0.111\", \"10.0.0.112\"]\nclient_address = \"toa\"\n\
                 missing_state = \"reset\"\nmss_clamp = 1400\nvlan = 7\nping = \"always\"\n"
            ),
        );
        let expected = [
            "service web: snat_pool: 10.0.0.110 is removed; no new flow comes from it",
            "service web: snat_pool: 10.0.0.112 is added",
            "service web: client_address: none -> toa",
            "service web: missing_state: drop -> reset",
            "service web: mss_clamp: 0 -> 1400",
            "service web: vlan: 0 -> 7",
            "service web: ping: up -> always",
        ];
        assert_eq!(changes, expected);
        let changes = between(
            "address = \"10.0.0.100\"\nmode = \"tunnel\"\ntunnel = { kind = \"ipip\" }\n",
            "address = \"10.0.0.96/28\"\nmode = \"tunnel\"\ntunnel = { kind = \"gue\" }\n",
        );
        let expected = [
            "service web: address: 10.0.0.100 -> 10.0.0.96/28",
            "service web: tunnel: ipip -> gue variant 0 to port 6080",
        ];
        assert_eq!(changes, expected);
        let dsr = "address = \"10.0.0.100\"\nmode = \"dsr\"\n";
        let changes = between(dsr, &format!("{dsr}dsr = {{ dscp = 7 }}\n"));
        assert_eq!(changes, ["service web: dsr.dscp: 0 -> 7"]);
    }

    #[test]
    fn what_lets_new_flows_in_is_told_in_short() {
        let plan = changed(&[
            (
                "port = 80\n",
                "port = 80\nallow = [\"10.0.0.0/8\", \"fd00::/8\"]\ndeny = [\"10.9.0.0/16\"]\n\
                 limits = { flows = 10, new_per_second = 9, new_per_second_per_source = 8 }\n",
            ),
            ("port = 8080", "port = 8080, upper_threshold = 5"),
        ]);
        let expected = [
            "service web: allow: 2 added, 0 removed, 2 in all",
            "service web: deny: 1 added, 0 removed, 1 in all",
            "service web: limits.flows: 0 -> 10",
            "service web: limits.new_per_second: 0 -> 9",
            "service web: limits.new_per_second_per_source: 0 -> 8",
            "service web: backend 10.0.1.12:8080: upper_threshold: 0 -> 5",
            "service web: backend 10.0.1.12:8080: lower_threshold: 0 -> 3",
        ];
        assert_eq!(plan.changes, expected);
    }

    #[test]
    fn what_is_fixed_while_the_daemon_runs_is_named_apart() {
        let head = "[node]\nrun_dir = \"/run/lb\"\n[dataplane]\ncores = [1]\npoll = \"busy\"\n\
                    flow_timeouts = { udp = \"5s\" }\n[[interface]]\nname = \"eth1\"\n[[interface]]\nxdp = \"copy\"";
        let plan = changed(&[("[[interface]]", head)]);
        assert_eq!(plan.changes, ["dataplane.flow_timeouts.udp: 1m -> 5s"]);
        let expected = [
            "node.run_dir: /run/penstock -> /run/lb",
            "node.state_dir: /var/lib/penstock -> /run/lb",
            "dataplane.cores: [1, 2, 3] -> [1]",
            "dataplane.poll: adaptive -> busy",
            "interfaces: [\"eth0\"] -> [\"eth1\", \"eth0\"]",
            "interface eth0: xdp: auto -> copy",
        ];
        assert_eq!(plan.needs_restart, expected);
        let bridged = "[[interface]]\nname = \"eth1\"\nbridge = \"br0\"\n[[interface]]\nbridge = \"br0\"";
        let plan = changed(&[("[[interface]]", bridged)]);
        assert_eq!(plan.needs_restart.last().unwrap(), "interface eth0: bridge: none -> br0");
    }

    #[test]
    fn how_backends_are_chosen_is_told_key_by_key() {
        let keys = "port = 80\nscheduler = \"sh\"\nhash_on = \"source\"\nhash_fallback = false\ngroup_minimum = 2\n\
                    quorum = 150\nhysteresis = 20\nbackup = { address = \"10.0.1.12\", port = 8080 }\n\
                    slow_start = \"30s\"\npersistence = { timeout = \"1h\", mask4 = 24, group = \"shop\" }\n\
                    on_backend_failure = \"move\"\ndrain = { deadline = \"5m\", then = \"reset\" }\n";
        let plan = changed(&[
            ("port = 80\n", keys),
            (
                "\"10.0.1.11\"",
                "\"10.0.1.11\", admin = \"drain\", priority_group = 2, upper_threshold = 9, lower_threshold = 4",
            ),
        ]);
        let expected = [
            "scheduler: maglev -> sh",
            "hash_on: source+port -> source",
            "hash_fallback: true -> false",
            "group_minimum: 1 -> 2",
            "quorum: 1 -> 150",
            "hysteresis: 0 -> 20",
            "backup: none -> 10.0.1.12:8080",
            "slow_start: 0s -> 30s",
            "persistence: off -> 1h, /24 and /128, group shop",
            "on_backend_failure: keep -> move",
            "drain: no deadline -> 5m, then reset",
            "backend 10.0.1.11:80: admin: enabled -> drain",
            "backend 10.0.1.11:80: priority_group: 1 -> 2",
            "backend 10.0.1.11:80: upper_threshold: 0 -> 9",
            "backend 10.0.1.11:80: lower_threshold: 0 -> 4",
        ];
        assert_eq!(plan.changes, expected.map(|change| format!("service web: {change}")));
        assert_eq!(plan.needs_restart, Vec::<String>::new());
    }
}
