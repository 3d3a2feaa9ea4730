//! `[[service]]` and its backends.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use dataplane::admission::Thresholds;
use dataplane::limits::MAX_BACKENDS;
use dataplane::schedule::Kind;
use dataplane::types::{Mode, Port, Protocol, VlanId};
use toml::Spanned;

use super::super::diagnostic::Report;
use super::super::health::Health;
use super::super::{Backend, Service, model};
use super::forwarding::{self, Pools};
use super::health;
use super::of_node::OfNode;
use super::vips::{self, Vips};
use super::{admission, choice};
use super::{host_address, name, unique};

const DEFAULT_WEIGHT: u16 = 100;

/// What the services of a file are checked against.
pub(super) struct Surroundings<'a> {
    vips: Vips,
    pools: Pools,
    of_node: OfNode<'a>,
}

pub(super) fn services(
    written: &[model::Service],
    of_node: OfNode<'_>,
    report: &mut Report<'_>,
) -> Vec<Service> {
    let count: usize = written.iter().map(|service| service.backends.len()).sum();
    if count > MAX_BACKENDS {
        let message = format!("{count} backends, at most {MAX_BACKENDS} are possible");
        report.error(&(0..0), message);
    }
    let mut names = HashMap::new();
    for text in written.iter().filter_map(|service| service.name.as_ref()) {
        name(text, "a service's name", report);
        let message = || format!("two services are named `{}`", text.get_ref());
        unique(&mut names, text.get_ref(), &text.span(), report, message);
    }
    vips::overlaps(written, report);
    let vips = Vips::new(written);
    let pools = Pools::new(written, &vips, report);
    let around = Surroundings { vips, pools, of_node };
    written.iter().filter_map(|service| self::service(service, &around, report)).collect()
}

fn service(written: &model::Service, around: &Surroundings<'_>, report: &mut Report<'_>) -> Option<Service> {
    if let Some(address) = &written.address {
        let first = Spanned::new(address.span(), address.get_ref().address());
        host_address(&first, "a virtual IP", report);
    }
    let mut seen = HashMap::new();
    let mut backends = Vec::with_capacity(written.backends.len());
    let shared = shared_health(written, around, report);
    for backend in &written.backends {
        let Some(mut checked) = self::backend(backend, written, around, report) else { continue };
        let has_checks = shared.is_some() || backend.health.checks.is_some();
        let about = about(written, around, (checked.port.is_some(), has_checks));
        checked.health = health::of_backend(&backend.health, &written.health, shared.as_ref(), about, report);
        let message = || format!("{} is listed twice", checked.name());
        unique(&mut seen, (checked.address, checked.port), &backend.span, report, message);
        backends.push(checked);
    }
    advise(written, &backends, report);
    bridge(written, around, report);
    let choice = choice::choice(written, &backends, around, report);
    let forwarding = forwarding::forwarding(written, report);
    let mss_clamp = written.mss_clamp.as_ref().map(|mss| *mss.get_ref()).filter(|mss| *mss > 0);
    let access = admission::access(written, report);
    let limits = admission::limits(&written.limits, report);
    let syn_proxy = admission::syn_proxy(written, report);
    Some(Service {
        name: written.name.as_ref()?.get_ref().clone(),
        address: *written.address.as_ref()?.get_ref(),
        ports: *written.ports.as_ref()?.get_ref(),
        protocol: written.protocol,
        forwarding: forwarding?,
        scheduler: written.choice.scheduler,
        choice,
        missing_state: written.missing_state.as_ref().map_or_else(Default::default, |m| *m.get_ref()),
        mss_clamp,
        vlan: Some(written.vlan).filter(|vlan| *vlan != VlanId(0)),
        ping: written.ping,
        access,
        limits,
        syn_proxy,
        backends,
    })
}

/// The checks of the backends that have none of their own.
fn shared_health(
    written: &model::Service,
    around: &Surroundings<'_>,
    report: &mut Report<'_>,
) -> Option<Arc<Health>> {
    let is_single = written.ports.as_ref().is_none_or(|ports| ports.get_ref().single().is_some());
    let mut users = written.backends.iter().filter(|backend| backend.health.checks.is_none());
    let has_port = is_single || users.all(|backend| backend.port.is_some());
    let mut tables = std::iter::once(&written.health).chain(written.backends.iter().map(|b| &b.health));
    let has_checks = tables.any(|health| health.checks.is_some());
    let about = about(written, around, (has_port, has_checks));
    health::health(&written.health, &written.health, about, report)
}

fn about<'a>(
    written: &model::Service,
    around: &'a Surroundings<'a>,
    (has_port, has_checks): (bool, bool),
) -> health::Around<'a> {
    let is_two_way = written.mode.as_ref().is_none_or(|mode| mode.get_ref().is_two_way());
    let sees_answers = is_two_way && written.protocol == Protocol::Tcp;
    let has_the_vip =
        written.mode.as_ref().is_some_and(|mode| matches!(mode.get_ref(), Mode::Dsr | Mode::Tunnel));
    let (node, vips) = (around.of_node.name, &around.vips);
    health::Around { node, has_port, sees_answers, has_the_vip, has_checks, vips }
}

fn bridge(written: &model::Service, around: &Surroundings<'_>, report: &mut Report<'_>) {
    let Some(mode) = written.mode.as_ref().filter(|mode| *mode.get_ref() == Mode::Bridge) else { return };
    if !around.of_node.has_bridge {
        let finding =
            report.error(&mode.span(), "bridge mode needs a bridge, and no interface is a port of one");
        finding.help("give the two [[interface]]s of the inline segment the same `bridge = \"br-inline\"`");
    }
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
    let better = match written.choice.scheduler {
        Kind::RoundRobin => "use `wrr` or `maglev`",
        Kind::LeastConnections => "use `wlc`",
        Kind::DestinationHash => "use `lblc` or `maglev`",
        _ => return,
    };
    if shares.windows(2).any(differ) {
        let word = super::super::scheduler_word(written.choice.scheduler);
        let message = format!("scheduler `{word}` of service `{service}` takes no notice of the weights");
        report.warning(&written.span, message).help(better);
    }
}

fn backend(
    written: &model::Backend,
    service: &model::Service,
    around: &Surroundings<'_>,
    report: &mut Report<'_>,
) -> Option<Backend> {
    let address = written.address.as_ref()?;
    let port = server(address, written.port.as_ref(), service, around, report);
    let lower = written.lower_threshold.as_ref().map_or(0, |lower| *lower.get_ref());
    if let Some(place) = written.lower_threshold.as_ref().filter(|_| lower > written.upper_threshold) {
        let upper = written.upper_threshold;
        let message = format!("`lower_threshold = {lower}` is above `upper_threshold = {upper}`");
        let finding = report.error(&place.span(), message);
        finding.help("a backend that has got as many flows as the upper one takes more below the lower one");
    }
    Some(Backend {
        address: *address.get_ref(),
        port,
        weight: written.weight.as_ref().map_or(DEFAULT_WEIGHT, |weight| *weight.get_ref()),
        admin: written.admin,
        priority_group: written.priority_group,
        thresholds: Thresholds::new(written.upper_threshold, lower),
        health: None,
    })
}

/// Whether a backend, or what stands in for all of them, can be there; and its port: its own, without one
/// that of a service which has but one, or the client's.
pub(super) fn server(
    address: &Spanned<IpAddr>,
    port: Option<&Spanned<u16>>,
    service: &model::Service,
    around: &Surroundings<'_>,
    report: &mut Report<'_>,
) -> Option<Port> {
    host_address(address, "a backend's address", report);
    let ip = *address.get_ref();
    if let Some((vip, span)) = around.vips.find(ip) {
        let finding = report
            .error(&address.span(), format!("{ip} is a virtual IP of this box and cannot be a backend"));
        match vip.single() {
            Some(_) => finding.note("it is a service's address", span),
            None => finding.note(format!("it is of the service's prefix {vip}"), span),
        };
    } else if let Some(pool) = around.pools.find(ip) {
        let message = format!("{ip} is a pool address of this box and cannot be a backend");
        report.error(&address.span(), message).note("it is in the pool", pool);
    } else if !around.of_node.refuses(address, report) {
        family(address, service, report);
    }
    backend_port(port, service, report);
    let single = || service.ports.as_ref().and_then(|ports| ports.get_ref().single());
    port.map(|port| Port(*port.get_ref())).or_else(single)
}

/// Only modes that make a new IP header can change the family.
fn family(address: &Spanned<IpAddr>, service: &model::Service, report: &mut Report<'_>) {
    let (Some(vip), Some(mode)) = (&service.address, &service.mode) else { return };
    let ip = *address.get_ref();
    let is_other = vip.get_ref().address().is_ipv4() != ip.is_ipv4();
    match mode.get_ref() {
        Mode::Bridge | Mode::Router | Mode::Dsr if is_other => {
            let message = format!("{ip} is not of the same family as the service's address");
            let finding = report.error(&address.span(), message);
            finding.note(format!("the service's address is {}", vip.get_ref()), &vip.span());
            finding.help(
                "give the service an address of each family, as two services, each with its own backends; \
                 or use `mode = \"one-arm\"`, which translates",
            );
        }
        Mode::OneArm => forwarding::pool_of_family(address, service, report),
        _ => {}
    }
}

/// DSR leaves the packet as it is but for its MAC addresses (and, with a code point, its destination
/// address), a tunnel wraps it: its destination port stays.
fn backend_port(port: Option<&Spanned<u16>>, service: &model::Service, report: &mut Report<'_>) {
    let (Some(port), Some(wanted), Some(mode)) = (port, &service.ports, &service.mode) else {
        return;
    };
    let (what, word) = match mode.get_ref() {
        Mode::Dsr => ("DSR mode", "DSR"),
        Mode::Tunnel => ("tunnel mode", "a tunnel"),
        Mode::Bridge | Mode::Router | Mode::OneArm => return,
    };
    if wanted.get_ref().single() != Some(Port(*port.get_ref())) {
        let message = format!("a backend in {what} cannot have a port of its own, here {}", port.get_ref());
        let finding = report.error(&port.span(), message);
        let ports = wanted.get_ref();
        match ports.single() {
            Some(_) => finding.note(format!("the service's port is {ports}"), &wanted.span()),
            None => finding.note(format!("the service's ports are {ports}"), &wanted.span()),
        };
        finding.help(format!(
            "{word} changes no port: take `port` out and let the backend listen on the service's"
        ));
    }
}
