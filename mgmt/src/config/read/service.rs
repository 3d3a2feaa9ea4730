//! `[[service]]` and the tables in it.

use dataplane::admission::SynProxy;
use dataplane::snapshot::{ClientAddress, MissingState};
use dataplane::types::{Mode, Port, PortRange, Protocol, VlanId};
use toml::Spanned;

use super::super::diagnostic::Report;
use super::super::model::{Backend, Limits, Service, Tunnel, TunnelWord};
use super::super::reader::Reader;
use super::super::service::Ping;
use super::super::value::{
    address, address_range, any_prefix, integer, ipv4_address, ipv6_address, port_range, prefix, word,
};
use super::{Table, choice, health};
use crate::api::view::Admin;

const PROTOCOLS: &[(&str, Protocol)] = &[("tcp", Protocol::Tcp), ("udp", Protocol::Udp)];
const MODES: &[(&str, Mode)] = &[
    ("bridge", Mode::Bridge),
    ("router", Mode::Router),
    ("one-arm", Mode::OneArm),
    ("dsr", Mode::Dsr),
    ("tunnel", Mode::Tunnel),
];
const TUNNELS: &[(&str, TunnelWord)] =
    &[("ipip", TunnelWord::Ipip), ("gre", TunnelWord::Gre), ("gue", TunnelWord::Gue)];
const CLIENT_ADDRESSES: &[(&str, ClientAddress)] = &[
    ("none", ClientAddress::None),
    ("proxy-v1", ClientAddress::ProxyV1),
    ("proxy-v2", ClientAddress::ProxyV2),
    ("toa", ClientAddress::Toa),
];
const MISSING_STATES: &[(&str, MissingState)] =
    &[("drop", MissingState::Drop), ("reset", MissingState::Reset)];
const PINGS: &[(&str, Ping)] = &[("up", Ping::Up), ("always", Ping::Always), ("never", Ping::Never)];

const SYN_PROXIES: &[(&str, SynProxy)] =
    &[("off", SynProxy::Off), ("auto", SynProxy::Auto), ("always", SynProxy::Always)];

const ADMINS: &[(&str, Admin)] =
    &[("enabled", Admin::Enabled), ("disabled", Admin::Disabled), ("drain", Admin::Drain)];

/// The largest code point of RFC 2474: six bits.
const MAX_DSCP: u8 = 63;
/// Far more flows than a table has.
const MAX_THRESHOLD: u32 = 1 << 30;
/// The largest identifier of IEEE 802.1Q; 4095 is reserved.
const MAX_VLAN: u16 = 4094;

pub(super) fn service(table: Table<'_, '_>, report: &mut Report<'_>) -> Service {
    let span = table.0.clone();
    let [has_ports, has_tunnel] = ["ports", "tunnel"].map(|key| table.1.contains_key(key));
    let mut reader = Reader::new("[[service]]", table, report);
    let name = reader.need("name", "\"web\"", super::string);
    let address = reader.need("address", "\"10.0.0.100\"", prefix);
    let port = match has_ports {
        true => reader.take("port", integer(1..=u16::MAX)),
        false => reader.need("port", "80", integer(1..=u16::MAX)),
    };
    let ports = reader.take("ports", port_range);
    let protocol = reader.take_or("protocol", Protocol::Tcp, word(PROTOCOLS, &[]));
    let mode = reader.need("mode", "\"router\"", word(MODES, &[]));
    let (mut choice, choice_tables) = choice::keys(&mut reader);
    let snat_pool = reader.take_list("snat_pool", address_range);
    let tunnel_table = reader.table("tunnel");
    let client_address = reader.take("client_address", word(CLIENT_ADDRESSES, &[]));
    let dsr_table = reader.table("dsr");
    let missing_state = reader.take("missing_state", word(MISSING_STATES, &[]));
    let mss_clamp = reader.take("mss_clamp", integer(0..=u16::MAX));
    let vlan = VlanId(reader.take_or("vlan", 0, integer(0..=MAX_VLAN)));
    let ping = reader.take_or("ping", Ping::default(), word(PINGS, &[]));
    let allow = reader.take_list("allow", any_prefix);
    let deny = reader.take_list("deny", any_prefix);
    let limits_table = reader.table("limits");
    let syn_proxy = reader.take("syn_proxy", word(SYN_PROXIES, &[]));
    let (checks, together) = health::tables(&mut reader);
    let backends = reader.tables("backend");
    let report = reader.finish();
    choice::tables(&mut choice, choice_tables, report);
    Service {
        name,
        address,
        ports: one_of(port, ports, report),
        protocol,
        mode,
        choice,
        snat_pool,
        tunnel: tunnel_table.map(|table| tunnel(table, report)).or(has_tunnel.then(Tunnel::default)),
        client_address,
        dscp: dsr_table.and_then(|table| dscp(table, report)),
        missing_state,
        mss_clamp,
        vlan,
        ping,
        allow,
        deny,
        limits: limits_table.map_or_else(Limits::default, |table| limits(table, report)),
        syn_proxy,
        health: health::health(checks, together, report),
        backends: backends.into_iter().map(|table| backend(table, report)).collect(),
        span,
    }
}

/// `port = 80` and `ports = "80"` are the same.
fn one_of(
    port: Option<Spanned<u16>>,
    ports: Option<Spanned<PortRange>>,
    report: &mut Report<'_>,
) -> Option<Spanned<PortRange>> {
    if let (Some(port), Some(ports)) = (&port, &ports) {
        let finding = report.error(&port.span(), "the service has both `port` and `ports`");
        finding.note("the other one is", &ports.span()).help("take one of them out");
    }
    let single = |port: Spanned<u16>| Spanned::new(port.span(), PortRange::one(Port(*port.get_ref())));
    ports.or(port.map(single))
}

fn tunnel(table: Table<'_, '_>, report: &mut Report<'_>) -> Tunnel {
    let span = table.0.clone();
    let mut reader = Reader::new("tunnel", table, report);
    let tunnel = Tunnel {
        kind: reader.need("kind", "\"ipip\"", word(TUNNELS, &[])),
        port: reader.take("port", integer(1..=u16::MAX)),
        variant: reader.take("variant", integer(0..=1)),
        source4: reader.take("source4", ipv4_address),
        source6: reader.take("source6", ipv6_address),
        span,
    };
    reader.finish();
    tunnel
}

fn dscp(table: Table<'_, '_>, report: &mut Report<'_>) -> Option<Spanned<u8>> {
    let mut reader = Reader::new("dsr", table, report);
    let dscp = reader.take("dscp", integer(0..=MAX_DSCP));
    reader.finish();
    dscp
}

fn limits(table: Table<'_, '_>, report: &mut Report<'_>) -> Limits {
    let mut reader = Reader::new("limits", table, report);
    let mut limit = |key| reader.take(key, integer(0..=u32::MAX));
    let limits = Limits {
        flows: limit("flows"),
        new_per_second: limit("new_per_second"),
        new_per_second_per_source: limit("new_per_second_per_source"),
    };
    reader.finish();
    limits
}

fn backend(table: Table<'_, '_>, report: &mut Report<'_>) -> Backend {
    let span = table.0.clone();
    let mut reader = Reader::new("[[service.backend]]", table, report);
    let address = reader.need("address", "\"10.0.1.11\"", address);
    let port = reader.take("port", integer(1..=u16::MAX));
    let weight = reader.take("weight", integer(0..=u16::MAX));
    let admin = reader.take_or("admin", Admin::Enabled, word(ADMINS, &[]));
    let priority_group = reader.take_or("priority_group", 1, integer(1..=u16::MAX));
    let upper_threshold = reader.take_or("upper_threshold", 0, integer(0..=MAX_THRESHOLD));
    let lower_threshold = reader.take("lower_threshold", integer(0..=MAX_THRESHOLD));
    let (checks, together) = health::tables(&mut reader);
    let report = reader.finish();
    let health = health::health(checks, together, report);
    Backend { address, port, weight, admin, priority_group, upper_threshold, lower_threshold, health, span }
}

/// What operators write for how backends learn the client's address.
pub(in super::super) fn client_address_word(client_address: ClientAddress) -> &'static str {
    CLIENT_ADDRESSES.iter().find(|(_, c)| *c == client_address).map_or("unknown", |(word, _)| word)
}

/// What operators write for what becomes of packets without a flow.
pub(in super::super) fn missing_state_word(missing_state: MissingState) -> &'static str {
    MISSING_STATES.iter().find(|(_, m)| *m == missing_state).map_or("unknown", |(word, _)| word)
}

/// What operators write for when handshakes are answered by cookie.
pub(in super::super) fn syn_proxy_word(syn_proxy: SynProxy) -> &'static str {
    SYN_PROXIES.iter().find(|(_, s)| *s == syn_proxy).map_or("unknown", |(word, _)| word)
}

/// What operators write for when echo requests are answered.
pub(in super::super) fn ping_word(ping: Ping) -> &'static str {
    PINGS.iter().find(|(_, p)| *p == ping).map_or("unknown", |(word, _)| word)
}
