//! Checks what was written against the machine and against itself: one function per noun.
//!
//! Every function reports all that it finds and gives back what it could build; the file is taken
//! only if no function reported an error.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::path::PathBuf;

use dataplane::limits::{MAX_BACKENDS, MAX_INTERFACES, MAX_WORKERS};
use dataplane::schedule::Kind;
use dataplane::types::{Mode, Port, Protocol};
use toml::Spanned;

use super::diagnostic::{Report, Span};
use super::{Backend, Config, Dataplane, Interface, Machine, Node, Service, model};

const DEFAULT_RUN_DIR: &str = "/run/penstock";
const DEFAULT_WEIGHT: u16 = 100;

/// The kernel's `IFNAMSIZ`, its closing zero aside.
const INTERFACE_NAME: usize = 15;

/// Names stand in addresses of the control socket and in labels of metrics.
const NAME: usize = 64;

pub(super) fn file(model: model::Model, machine: &Machine, report: &mut Report<'_>) -> Option<Config> {
    let node = node(model.node, machine, report);
    let dataplane = dataplane(model.dataplane, machine, report);
    let interfaces = interfaces(model.interfaces, report);
    let services = services(&model.services, report);
    (!report.has_errors()).then_some(Config { node, dataplane, interfaces, services })
}

fn node(written: model::Node, machine: &Machine, report: &mut Report<'_>) -> Node {
    for text in [&written.name, &written.cluster].into_iter().flatten() {
        name(text, "a node's or a cluster's name", report);
    }
    if let Some(dir) = &written.run_dir
        && !dir.get_ref().starts_with('/')
    {
        let finding = report.error(&dir.span(), "`run_dir` must be an absolute path");
        finding.help(format!("as in `run_dir = \"{DEFAULT_RUN_DIR}\"`"));
    }
    let name = written.name.map_or_else(|| machine.hostname.clone(), Spanned::into_inner);
    Node {
        run_dir: PathBuf::from(
            written.run_dir.map_or_else(|| DEFAULT_RUN_DIR.to_owned(), Spanned::into_inner),
        ),
        cluster: written.cluster.map_or_else(|| name.clone(), Spanned::into_inner),
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
    let mut seen = HashMap::new();
    let mut checked = Vec::with_capacity(written.len());
    for interface in written {
        let Some(name) = interface.name else { continue };
        interface_name(&name, report);
        let message = || format!("interface `{}` is listed twice", name.get_ref());
        unique(&mut seen, name.get_ref().clone(), &name.span(), report, message);
        checked.push(Interface { name: name.into_inner(), xdp: interface.xdp });
    }
    checked
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

fn services(written: &[model::Service], report: &mut Report<'_>) -> Vec<Service> {
    let (mut names, mut endpoints) = (HashMap::new(), HashMap::new());
    let vips: HashMap<IpAddr, Span> = written
        .iter()
        .filter_map(|service| service.address.as_ref())
        .map(|address| (*address.get_ref(), address.span()))
        .collect();
    let mut checked = Vec::with_capacity(written.len());
    for service in written {
        if let Some(text) = &service.name {
            name(text, "a service's name", report);
            let message = || format!("two services are named `{}`", text.get_ref());
            unique(&mut names, text.get_ref(), &text.span(), report, message);
        }
        if let (Some(address), Some(port)) = (&service.address, &service.port) {
            let endpoint = (*address.get_ref(), *port.get_ref(), service.protocol);
            let message = || format!("two services listen on {}", endpoint_text(endpoint));
            unique(&mut endpoints, endpoint, &address.span(), report, message);
        }
        checked.extend(self::service(service, &vips, report));
    }
    let backends: usize = written.iter().map(|service| service.backends.len()).sum();
    if backends > MAX_BACKENDS {
        report.error(&(0..0), format!("{backends} backends, at most {MAX_BACKENDS} are possible"));
    }
    checked
}

fn service(
    written: &model::Service,
    vips: &HashMap<IpAddr, Span>,
    report: &mut Report<'_>,
) -> Option<Service> {
    if let Some(address) = &written.address {
        host_address(address, "a virtual IP", report);
    }
    let mut seen = HashMap::new();
    let mut backends = Vec::with_capacity(written.backends.len());
    for backend in &written.backends {
        let Some(checked) = self::backend(backend, written, vips, report) else { continue };
        let message = || format!("{} is listed twice", checked.name());
        unique(&mut seen, (checked.address, checked.port), &backend.span, report, message);
        backends.push(checked);
    }
    advise(written, &backends, report);
    Some(Service {
        name: written.name.as_ref()?.get_ref().clone(),
        address: *written.address.as_ref()?.get_ref(),
        port: Port(*written.port.as_ref()?.get_ref()),
        protocol: written.protocol,
        mode: *written.mode.as_ref()?.get_ref(),
        scheduler: written.scheduler,
        backends,
    })
}

/// What is allowed and rarely meant.
fn advise(written: &model::Service, backends: &[Backend], report: &mut Report<'_>) {
    let Some(name) = &written.name else { return };
    let service = name.get_ref();
    if written.backends.is_empty() {
        let finding = report.warning(&written.span, format!("service `{service}` has no backend"));
        finding.help(
            "its clients are not answered until it has one: [[service.backend]] address = \"10.0.1.11\"",
        );
    } else if !backends.is_empty() && backends.iter().all(|b| b.weight == 0) {
        let message = format!("no backend of service `{service}` takes new connections: all weights are 0");
        report.warning(&written.span, message);
    }
    let differ = |pair: &[Backend]| pair[0].weight != pair[1].weight;
    let shares: Vec<_> = backends.iter().filter(|b| b.weight > 0).cloned().collect();
    if written.scheduler == Kind::RoundRobin && shares.windows(2).any(differ) {
        let message = format!("scheduler `rr` of service `{service}` takes no notice of the weights");
        report.warning(&written.span, message).help("use `wrr` or `maglev`");
    }
}

fn backend(
    written: &model::Backend,
    service: &model::Service,
    vips: &HashMap<IpAddr, Span>,
    report: &mut Report<'_>,
) -> Option<Backend> {
    let address = written.address.as_ref()?;
    host_address(address, "a backend's address", report);
    if let Some(vip) = &service.address
        && vip.get_ref().is_ipv4() != address.get_ref().is_ipv4()
    {
        let message = format!("{} is not of the same family as the service's address", address.get_ref());
        let finding = report.error(&address.span(), message);
        finding.note(format!("the service's address is {}", vip.get_ref()), &vip.span());
        finding
            .help("give the service an address of each family, as two services, each with its own backends");
    } else if let Some(vip) = vips.get(address.get_ref()) {
        let message = format!("{} is a virtual IP of this box and cannot be a backend", address.get_ref());
        report.error(&address.span(), message).note("it is a service's address", vip);
    }
    backend_port(written, service, report);
    Some(Backend {
        address: *address.get_ref(),
        port: Port(*written.port.as_ref().or(service.port.as_ref())?.get_ref()),
        weight: written.weight.as_ref().map_or(DEFAULT_WEIGHT, |weight| *weight.get_ref()),
    })
}

/// DSR leaves the packet as it is but for its MAC addresses, and so its destination port.
fn backend_port(written: &model::Backend, service: &model::Service, report: &mut Report<'_>) {
    let (Some(port), Some(wanted), Some(mode)) = (&written.port, &service.port, &service.mode) else {
        return;
    };
    if *mode.get_ref() == Mode::Dsr && port.get_ref() != wanted.get_ref() {
        let message = format!("a backend in DSR mode cannot have a port of its own, here {}", port.get_ref());
        let finding = report.error(&port.span(), message);
        finding.note(format!("the service's port is {}", wanted.get_ref()), &wanted.span());
        finding.help("DSR changes no port: take `port` out and let the backend listen on the service's");
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

fn endpoint_text((address, port, protocol): (IpAddr, u16, Protocol)) -> String {
    format!("{protocol} {}", std::net::SocketAddr::new(address, port))
}
