//! `mode` and the keys that belong to one mode alone.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use dataplane::snapshot::{ClientAddress, Dscp, GueVariant, MissingState, TunnelKind};
use dataplane::types::{Mode, Port, Protocol};
use toml::Spanned;

use super::super::diagnostic::{Report, Span};
use super::super::{Forwarding, Tunnel, model};
use super::host_address;
use super::vips::Vips;
use model::TunnelWord;

/// Where GUE is registered (draft-ietf-intarea-gue).
const GUE_PORT: Port = Port(6080);
/// Linux takes no smaller one for a connection's segments.
const SMALLEST_MSS: u16 = 88;
/// Addresses of one pool: each holds 64 512 flows to each server.
const MAX_POOL: usize = 256;
/// Pool addresses of all services together: their numbers have 16 bits, and those that have left keep
/// theirs for a while.
const MAX_POOL_ADDRESSES: usize = 16_384;
/// Pairs of pool address and backend of all services together: each takes eight kilobytes.
const MAX_PORT_SETS: usize = 65_536;

/// The addresses of all pools, with the place of each.
#[derive(Debug, Default)]
pub(super) struct Pools(HashMap<IpAddr, Span>);

impl Pools {
    pub(super) fn new(services: &[model::Service], vips: &Vips, report: &mut Report<'_>) -> Self {
        let mut pools = Self::default();
        let mut sets = 0;
        for service in services {
            let Some(pool) = &service.snat_pool else { continue };
            let size = pools.add(pool, vips, report);
            sets += size * service.backends.len();
            if sets > MAX_PORT_SETS && sets - size * service.backends.len() <= MAX_PORT_SETS {
                let message = format!(
                    "up to here, pool addresses times backends make {sets}, at most {MAX_PORT_SETS} are possible"
                );
                report.error(&pool.span(), message).help("give services with many backends smaller pools");
            }
        }
        if sets <= MAX_PORT_SETS {
            servers(services, report);
        }
        if pools.0.len() > MAX_POOL_ADDRESSES {
            let message =
                format!("{} pool addresses, at most {MAX_POOL_ADDRESSES} are possible", pools.0.len());
            report.error(&(0..0), message);
        }
        pools
    }

    /// How many there are in the pool.
    fn add(&mut self, pool: &Ranges, vips: &Vips, report: &mut Report<'_>) -> usize {
        let mut own = HashMap::new();
        for (address, span) in addresses(pool) {
            let written = Spanned::new(span.clone(), address);
            host_address(&written, "a pool address", report);
            if let Some((vip, at)) = vips.find(address) {
                let message = format!("{address} is a virtual IP and cannot be in a pool too");
                report.error(&span, message).note(format!("{vip} is a service's address"), at);
            }
            super::unique(&mut own, address, &span, report, || format!("{address} is in the pool twice"));
            self.0.entry(address).or_insert(span);
        }
        let count = pool.get_ref().iter().fold(0_u128, |n, range| n.saturating_add(range.get_ref().count()));
        if count > MAX_POOL as u128 {
            let finding = report.error(&pool.span(), format!("a pool has at most {MAX_POOL} addresses"));
            finding.help("each of them holds 64512 flows to each backend at once");
        }
        own.len()
    }

    /// Where `address` is listed, if it is a pool's.
    pub(super) fn find(&self, address: IpAddr) -> Option<&Span> {
        self.0.get(&address)
    }
}

/// Replies from one port of a server are told apart by the pool's ports alone, which are therefore given
/// once for all backends with that endpoint. One that keeps the clients' ports may use any endpoint of
/// its server.
fn servers(services: &[model::Service], report: &mut Report<'_>) {
    let mut kept: HashMap<(IpAddr, IpAddr, Protocol), (bool, Span)> = HashMap::new();
    for service in services {
        let (Some(pool), Some(ports)) = (&service.snat_pool, &service.ports) else { continue };
        for backend in &service.backends {
            let Some(server) = &backend.address else { continue };
            let keeps = backend.port.is_none() && ports.get_ref().single().is_none();
            let mixed = addresses(pool).find_map(|(address, _)| {
                let key = (address, *server.get_ref(), service.protocol);
                let (before, span) = kept.entry(key).or_insert_with(|| (keeps, server.span()));
                (*before != keeps).then(|| (address, span.clone()))
            });
            if let Some((address, other)) = mixed {
                let message = format!(
                    "{} is reached from pool address {address} both at one port and at the clients' ports",
                    server.get_ref()
                );
                let finding = report.error(&server.span(), message);
                finding.note("the other one is", &other);
                finding.help("replies could not be told apart: give one of the services another pool");
            }
        }
    }
}

type Ranges = Spanned<Vec<Spanned<super::super::value::AddressRange>>>;

fn addresses(pool: &Ranges) -> impl Iterator<Item = (IpAddr, Span)> {
    let of = |range: &Spanned<super::super::value::AddressRange>| {
        let span = range.span();
        range.get_ref().addresses(MAX_POOL).map(move |address| (address, span.clone()))
    };
    pool.get_ref().iter().flat_map(of).take(MAX_POOL)
}

/// A flow leaves from an address of the backend's family.
pub(super) fn pool_of_family(backend: &Spanned<IpAddr>, service: &model::Service, report: &mut Report<'_>) {
    let Some(pool) = service.snat_pool.as_ref().filter(|pool| !pool.get_ref().is_empty()) else { return };
    let ip = backend.get_ref();
    if !addresses(pool).any(|(address, _)| address.is_ipv4() == ip.is_ipv4()) {
        let family = if ip.is_ipv4() { "IPv4" } else { "IPv6" };
        let message = format!("{ip} cannot be reached: the pool has no {family} address");
        let finding = report.error(&backend.span(), message);
        finding.note("the pool is", &pool.span());
        finding.help(format!("add an {family} address to `snat_pool`: flows to the backend come from it"));
    }
}

/// The mode with what belongs to it; `None` where a part of it is missing or wrong.
pub(super) fn forwarding(written: &model::Service, report: &mut Report<'_>) -> Option<Forwarding> {
    let mode = written.mode.as_ref()?;
    belongs(written, *mode.get_ref(), report);
    tcp_only(written, report);
    match mode.get_ref() {
        Mode::Bridge => Some(Forwarding::Bridge),
        Mode::Router => Some(Forwarding::Router),
        Mode::OneArm => one_arm(written, &mode.span(), report),
        Mode::Dsr => Some(Forwarding::Dsr(written.dscp.as_ref().and_then(|dscp| Dscp::new(*dscp.get_ref())))),
        Mode::Tunnel => match &written.tunnel {
            Some(tunnel) => self::tunnel(tunnel, report).map(Forwarding::Tunnel),
            None => {
                let finding = report.error(&mode.span(), "tunnel mode needs `tunnel`");
                finding.help("add it, as in `tunnel = { kind = \"ipip\" }`");
                None
            }
        },
    }
}

/// A key of another mode would be without effect.
fn belongs(written: &model::Service, mode: Mode, report: &mut Report<'_>) {
    let of_one_arm = "it belongs to `mode = \"one-arm\"`: take it out, or change `mode`";
    let pool = written.snat_pool.as_ref().filter(|pool| !pool.get_ref().is_empty());
    let dscp = written.dscp.as_ref().filter(|dscp| *dscp.get_ref() > 0);
    let keys = [
        ("snat_pool", mode == Mode::OneArm, pool.map(Spanned::span), of_one_arm),
        ("client_address", mode == Mode::OneArm, client_address(written).map(Spanned::span), of_one_arm),
        (
            "tunnel",
            mode == Mode::Tunnel,
            written.tunnel.as_ref().map(|tunnel| tunnel.span.clone()),
            "it belongs to `mode = \"tunnel\"`: take it out, or change `mode`",
        ),
        (
            "dscp",
            mode == Mode::Dsr,
            dscp.map(Spanned::span),
            "it belongs to `mode = \"dsr\"`: take it out, or change `mode`",
        ),
        (
            "missing_state",
            mode.is_two_way(),
            resets(written).map(Spanned::span),
            "take it out: without an address to translate, the scheduler finds the backend of any packet",
        ),
    ];
    for (key, is_known, span, help) in keys {
        if let Some(span) = span.filter(|_| !is_known) {
            report.error(&span, format!("`{key}` means nothing in {mode} mode")).help(help);
        }
    }
}

/// How the client's address is passed on, where it is.
fn client_address(written: &model::Service) -> Option<&Spanned<ClientAddress>> {
    written.client_address.as_ref().filter(|how| *how.get_ref() != ClientAddress::None)
}

fn resets(written: &model::Service) -> Option<&Spanned<MissingState>> {
    written.missing_state.as_ref().filter(|missing| *missing.get_ref() == MissingState::Reset)
}

fn tcp_only(written: &model::Service, report: &mut Report<'_>) {
    let mss = written.mss_clamp.as_ref().filter(|mss| *mss.get_ref() > 0);
    if let Some(mss) = mss
        && *mss.get_ref() < SMALLEST_MSS
    {
        let message =
            format!("`mss_clamp = {}` must be 0, for off, or at least {SMALLEST_MSS}", mss.get_ref());
        report.error(&mss.span(), message);
    }
    if written.protocol == Protocol::Tcp {
        return;
    }
    let keys = [
        ("client_address", client_address(written).map(Spanned::span)),
        ("missing_state", resets(written).map(Spanned::span)),
        ("mss_clamp", mss.map(Spanned::span)),
    ];
    for (key, span) in keys {
        if let Some(span) = span {
            let message = format!("`{key}` means nothing to a {} service", written.protocol);
            report.error(&span, message).help("it is for TCP alone: take it out");
        }
    }
}

fn one_arm(written: &model::Service, mode: &Span, report: &mut Report<'_>) -> Option<Forwarding> {
    let Some(pool) = written.snat_pool.as_ref().filter(|pool| !pool.get_ref().is_empty()) else {
        // A list whose items were refused is empty, too; that has been said.
        if written.snat_pool.as_ref().is_none_or(|pool| report.source.slice(&pool.span()) == "[]") {
            let finding = report.error(mode, "one-arm mode needs `snat_pool`");
            finding.help(
                "add it, as in `snat_pool = [\"10.0.0.110-10.0.0.119\"]`: unused addresses of the segment",
            );
        }
        return None;
    };
    let pool: Arc<[IpAddr]> = addresses(pool).map(|(address, _)| address).collect();
    let client_address = client_address(written).map_or(ClientAddress::None, |how| *how.get_ref());
    Some(Forwarding::OneArm { pool, client_address })
}

fn tunnel(written: &model::Tunnel, report: &mut Report<'_>) -> Option<Tunnel> {
    let kind = *written.kind.as_ref()?.get_ref();
    if kind != TunnelWord::Gue {
        let keys = [
            ("port", written.port.as_ref().map(Spanned::span)),
            ("variant", written.variant.as_ref().map(Spanned::span)),
        ];
        for (key, span) in keys {
            if let Some(span) = span {
                let message = format!("`{key}` belongs to tunnels of the kind `gue` alone");
                report.error(&span, message).help("take it out");
            }
        }
    }
    let sources = [
        written.source4.as_ref().map(|v4| Spanned::new(v4.span(), IpAddr::V4(*v4.get_ref()))),
        written.source6.as_ref().map(|v6| Spanned::new(v6.span(), IpAddr::V6(*v6.get_ref()))),
    ];
    sources.iter().flatten().for_each(|source| host_address(source, "a tunnel's source", report));
    let variant = match written.variant.as_ref().map_or(0, |variant| *variant.get_ref()) {
        0 => GueVariant::Zero,
        _ => GueVariant::One,
    };
    let port = written.port.as_ref().map_or(GUE_PORT, |port| Port(*port.get_ref()));
    let kind = match kind {
        TunnelWord::Ipip => TunnelKind::Ipip,
        TunnelWord::Gre => TunnelKind::Gre,
        TunnelWord::Gue => TunnelKind::Gue { port, variant },
    };
    Some(Tunnel {
        kind,
        source4: written.source4.as_ref().map(|v4| *v4.get_ref()),
        source6: written.source6.as_ref().map(|v6| *v6.get_ref()),
    })
}
