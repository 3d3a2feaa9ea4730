//! Checks what was written against the machine and against itself: one function per noun.
//!
//! Every function reports all that it finds and gives back what it could build; the file is taken
//! only if no function reported an error.

mod admission;
mod bfd;
mod choice;
mod forwarding;
mod health;
mod of_node;
mod service;
mod vips;
mod vrrp;

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::path::PathBuf;

use dataplane::limits::{MAX_INTERFACES, MAX_WORKERS};
use toml::Spanned;

use super::diagnostic::{Report, Span};
use super::{Config, Dataplane, Interface, Machine, Metrics, Node, OwnAddresses, model};

const DEFAULT_RUN_DIR: &str = "/run/penstock";
const DEFAULT_STATE_DIR: &str = "/var/lib/penstock";
/// A word that is the same on every node.
const DEFAULT_CLUSTER: &str = "penstock";

/// The kernel's `IFNAMSIZ`, its closing zero aside: the main name of an interface.
const MAIN_NAME: usize = 15;
/// The kernel's `ALTIFNAMSIZ`, the same: another name of it.
const INTERFACE_NAME: usize = 127;

/// Names stand in addresses of the control socket and in labels of metrics.
const NAME: usize = 64;

pub(super) fn file(
    mut model: model::Model,
    (machine, own): (&Machine, &OwnAddresses),
    report: &mut Report<'_>,
) -> Option<Config> {
    use_main_names(&mut model, machine);
    let node = node(model.node, machine, report);
    let dataplane = dataplane(model.dataplane, machine, report);
    let interfaces = interfaces(model.interfaces, report);
    let has_bridge = interfaces.iter().any(|interface| interface.bridge.is_some());
    let of_node = of_node::OfNode::new(&node.name, has_bridge, own, &model.vrrp);
    let services = service::services(&model.services, of_node, report);
    let vrrp = vrrp::instances(&model.vrrp, &model.services, report);
    let metrics = Metrics { listen: model.listen };
    (!report.has_errors()).then_some(Config { node, dataplane, metrics, interfaces, vrrp, services })
}

/// Whatever name of an interface is written, from here on it is the kernel's main one. The span stays that of what is
/// written.
fn use_main_names(model: &mut model::Model, machine: &Machine) {
    let ports =
        model.interfaces.iter_mut().flat_map(|interface| [&mut interface.name, &mut interface.bridge]);
    let routers = model.vrrp.iter_mut().flat_map(|router| {
        let tracked = router.track.iter_mut().map(|track| &mut track.interface);
        std::iter::once(&mut router.interface).chain(tracked)
    });
    for name in ports.chain(routers).flatten() {
        let main = machine.main_name(name.get_ref()).to_owned();
        *name.get_mut() = main;
    }
}

/// A file that the daemon runs, reads or writes.
fn absolute(path: &Spanned<String>, key: &str, report: &mut Report<'_>) -> Option<PathBuf> {
    if path.get_ref().starts_with('/') {
        return Some(PathBuf::from(path.get_ref()));
    }
    report.error(&path.span(), format!("`{key}` must be an absolute path"));
    None
}

fn node(written: model::Node, machine: &Machine, report: &mut Report<'_>) -> Node {
    for text in [&written.name, &written.cluster].into_iter().flatten() {
        name(text, "a node's or a cluster's name", report);
    }
    let dirs = [
        ("run_dir", &written.run_dir, DEFAULT_RUN_DIR),
        ("state_dir", &written.state_dir, DEFAULT_STATE_DIR),
    ];
    for (key, dir, example) in dirs {
        if let Some(dir) = dir.as_ref().filter(|dir| !dir.get_ref().starts_with('/')) {
            let finding = report.error(&dir.span(), format!("`{key}` must be an absolute path"));
            finding.help(format!("as in `{key} = \"{example}\"`"));
        }
    }
    let name = written.name.map_or_else(|| machine.hostname.clone(), Spanned::into_inner);
    let run_dir = written.run_dir.map_or_else(|| DEFAULT_RUN_DIR.to_owned(), Spanned::into_inner);
    // Who has several daemons on one machine gives each a run_dir.
    let usual = if run_dir == DEFAULT_RUN_DIR { DEFAULT_STATE_DIR } else { &run_dir };
    Node {
        state_dir: PathBuf::from(written.state_dir.map_or_else(|| usual.to_owned(), Spanned::into_inner)),
        run_dir: PathBuf::from(run_dir),
        cluster: written.cluster.map_or_else(|| DEFAULT_CLUSTER.to_owned(), Spanned::into_inner),
        name,
    }
}

fn dataplane(written: model::Dataplane, machine: &Machine, report: &mut Report<'_>) -> Dataplane {
    let cores = match &written.cores {
        None => machine.default_cores(),
        Some(list) => {
            check_cores(list, machine, report);
            list.get_ref().iter().map(|core| *core.get_ref()).collect()
        }
    };
    Dataplane {
        cores,
        poll: written.poll,
        flows: written.flows,
        huge_pages: written.huge_pages,
        flow_timeouts: written.flow_timeouts,
        persistence: written.persistence,
    }
}

fn check_cores(list: &Spanned<Vec<Spanned<usize>>>, machine: &Machine, report: &mut Report<'_>) {
    let count = list.get_ref().len();
    if count == 0 {
        let help = "name at least one, as in `cores = [1]`, or leave the key out: every core but the first";
        report.error(&list.span(), "`cores` is empty: no worker would run").help(help);
    }
    if count > MAX_WORKERS {
        report
            .error(&list.span(), format!("`cores` lists {count} cores, at most {MAX_WORKERS} are possible"));
    }
    let mut seen = HashMap::new();
    for core in list.get_ref() {
        let number = *core.get_ref();
        if number >= machine.cores {
            let message = format!("core {number} does not exist: this machine has {}", machine.cores);
            let finding = report.error(&core.span(), message);
            finding.help(format!(
                "cores are counted from 0; the last one is {}",
                machine.cores.saturating_sub(1)
            ));
        }
        unique(&mut seen, number, &core.span(), report, || format!("core {number} is listed twice"));
    }
}

fn interfaces(written: Vec<model::Interface>, report: &mut Report<'_>) -> Vec<Interface> {
    if written.is_empty() {
        let finding = report.error(&(0..0), "there is no [[interface]]: the box would see no traffic");
        finding.help(
            "add one for each network interface that carries service traffic: [[interface]] name = \"eth0\"",
        );
    }
    if written.len() > MAX_INTERFACES {
        let message = format!("{} interfaces, at most {MAX_INTERFACES} are possible", written.len());
        report.error(&(0..0), message);
    }
    bridges(&written, report);
    let mut seen = HashMap::new();
    let mut checked = Vec::with_capacity(written.len());
    for interface in written {
        let Some(name) = interface.name else { continue };
        interface_name(&name, report);
        let message = || format!("interface `{}` is listed twice", name.get_ref());
        unique(&mut seen, name.get_ref().clone(), &name.span(), report, message);
        let bridge = interface.bridge.map(Spanned::into_inner);
        checked.push(Interface { name: name.into_inner(), xdp: interface.xdp, bridge });
    }
    checked
}

/// One port alone connects nothing.
fn bridges(written: &[model::Interface], report: &mut Report<'_>) {
    let mut ports: HashMap<&str, (&Spanned<String>, usize)> = HashMap::new();
    for bridge in written.iter().filter_map(|interface| interface.bridge.as_ref()) {
        interface_name(bridge, report);
        if bridge.get_ref().len() > MAIN_NAME {
            let message = format!(
                "{:?} is the name of no bridge that there is, and too long for a new one",
                bridge.get_ref()
            );
            report.error(&bridge.span(), message).help(format!("at most {MAIN_NAME} characters"));
        }
        ports.entry(bridge.get_ref()).or_insert((bridge, 0)).1 += 1;
    }
    for (name, (bridge, count)) in &ports {
        if *count < 2 {
            let finding = report.error(&bridge.span(), format!("bridge `{name}` has one port alone"));
            finding.help(format!("a second [[interface]] needs `bridge = \"{name}\"` too"));
        }
        let port = written.iter().filter_map(|i| i.name.as_ref()).find(|i| i.get_ref() == name);
        if let Some(port) = port {
            let finding = report.error(&bridge.span(), format!("`{name}` is the name of an interface"));
            finding.note("it is listed", &port.span()).help("give the bridge a name of its own");
        }
    }
}

fn interface_name(name: &Spanned<String>, report: &mut Report<'_>) {
    let text = name.get_ref();
    let fits = (1..=INTERFACE_NAME).contains(&text.len());
    if !fits || text.chars().any(|c| c == '/' || c == ':' || c.is_whitespace() || c.is_control()) {
        let finding = report.error(&name.span(), format!("{text:?} cannot be the name of an interface"));
        finding.help("`ip link` lists the names");
    } else if text == "lo" {
        report.error(&name.span(), "the loopback interface cannot carry service traffic");
    }
}

/// Reports a second occurrence, with the place of the first.
fn unique<K: Hash + Eq>(
    seen: &mut HashMap<K, Span>,
    key: K,
    span: &Span,
    report: &mut Report<'_>,
    message: impl FnOnce() -> String,
) {
    match seen.get(&key) {
        Some(first) => _ = report.error(span, message()).note("the first one is", first),
        None => _ = seen.insert(key, span.clone()),
    }
}

fn name(text: &Spanned<String>, what: &str, report: &mut Report<'_>) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let name = text.get_ref();
    if !(1..=NAME).contains(&name.len()) || !name.chars().all(allowed) {
        let finding = report.error(&text.span(), format!("{name:?} cannot be {what}"));
        finding.help(format!("1 to {NAME} letters, digits, dots, hyphens and underscores"));
    }
}

/// An address that one host on a routed network can have.
fn host_address(address: &Spanned<IpAddr>, what: &str, report: &mut Report<'_>) {
    let problem = match address.get_ref() {
        ip if ip.is_unspecified() => "is the unspecified address",
        ip if ip.is_loopback() => "is a loopback address",
        ip if ip.is_multicast() => "is a multicast address",
        IpAddr::V4(v4) if v4.is_broadcast() => "is the broadcast address",
        IpAddr::V4(v4) if v4.octets()[0] == 0 => "belongs to no network that exists",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => "is a link-local address, which names no network",
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => "is an IPv4 address written as IPv6",
        _ => return,
    };
    report.error(&address.span(), format!("{} {problem}: it cannot be {what}", address.get_ref()));
}
