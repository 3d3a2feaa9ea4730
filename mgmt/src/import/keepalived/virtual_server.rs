//! `virtual_server` and `virtual_server_group`: each address of each becomes a service.

use std::collections::HashMap;
use std::net::IpAddr;

use dataplane::types::{Mode, PortRange, Prefix, Protocol};

use super::super::forward::{Method, method, scheduler};
use super::super::output::{Backend, Keys, Service};
use super::super::statement::Statement;
use super::super::value::{addresses, mask, name, ports, seconds};
use super::check::{CHECKERS, Elsewhere, Levels, checks};

/// `virtual_server_group`, by name.
pub(super) type Groups<'s> = HashMap<&'s str, &'s Statement>;

/// The services of a `virtual_server`.
pub(super) fn services<'s>(
    server: &'s Statement,
    groups: &Groups<'s>,
    elsewhere: &Elsewhere<'s>,
) -> Vec<Service<'s>> {
    let listeners = listeners(server, groups);
    if listeners.is_empty() {
        return Vec::new();
    }
    let protocol = match server.find(&["protocol"]).map(|found| (found, found.argument())) {
        None | Some((_, Some("TCP"))) => Protocol::Tcp,
        Some((_, Some("UDP"))) => Protocol::Udp,
        Some((_, other)) => {
            let other = other.unwrap_or_default();
            server.lose(format!("services of the protocol {other} have no counterpart"));
            return Vec::new();
        }
    };
    let how = own_method(server);
    let mut keys = Keys::default();
    how.keys(&mut keys);
    choice(server, &mut keys);
    let of = |(name, address, ports): (String, Prefix, PortRange)| {
        let mut keys = keys.clone();
        let backup = sorry_server(server, address, how.mode, &mut keys);
        persistence(server, address, &mut keys);
        let (mode, backends) = (how.mode, Vec::new());
        let mut service =
            Service { name, address, ports, protocol, mode, keys, backup, backends, source: server };
        for real in server.block().iter().filter(|inside| inside.keyword() == "real_server") {
            if let Some(backend) = backend(real, &service, &how, elsewhere) {
                service.backends.push(backend);
            }
        }
        service
    };
    listeners.into_iter().map(of).collect()
}

/// What a `virtual_server` listens on, with names for it.
fn listeners<'s>(server: &'s Statement, groups: &Groups<'s>) -> Vec<(String, Prefix, PortRange)> {
    server.carry();
    match (server.word(1), server.word(2)) {
        (Some("fwmark"), _) => {
            server.lose(
                "packets with a mark have no counterpart: write a service for the addresses that are marked",
            );
            Vec::new()
        }
        (Some("group"), Some(group)) => match groups.get(group) {
            Some(found) => members(found, group),
            None => {
                server.lose(format!("there is no virtual_server_group {group}"));
                Vec::new()
            }
        },
        (Some(address), port) => {
            if let Some(rest) = server.words.get(3..).filter(|rest| !rest.is_empty()) {
                server.carry_without(format!("`{}` has no counterpart", rest.join(" ")));
            }
            listen(server, address, port, None)
        }
        (None, _) => {
            server.lose("names no address");
            Vec::new()
        }
    }
}

fn members(group: &Statement, called: &str) -> Vec<(String, Prefix, PortRange)> {
    group.carry();
    let mut found = Vec::new();
    for member in group.block() {
        if member.keyword() == "fwmark" {
            member.lose(
                "packets with a mark have no counterpart: write a service for the addresses that are marked",
            );
            continue;
        }
        member.carry();
        found.extend(listen(member, member.keyword(), member.word(1), Some((called, found.len()))));
    }
    found
}

fn listen(
    statement: &Statement,
    address: &str,
    port: Option<&str>,
    group: Option<(&str, usize)>,
) -> Vec<(String, Prefix, PortRange)> {
    let (Some(prefixes), Some(ports)) = (addresses(address), ports(port)) else {
        statement.lose("is no address with a port");
        return Vec::new();
    };
    if let Some(problem) = prefixes.iter().find_map(|prefix| super::super::value::problem(prefix.address())) {
        statement.lose(format!("{address} {problem}"));
        return Vec::new();
    }
    let called = |place: usize, prefix: &Prefix| match group {
        Some((group, before)) => name(&format!("{group}-{}", before + place + 1)),
        None => name(&format!("{prefix}-{ports}")),
    };
    let listeners = prefixes.iter().enumerate();
    listeners.map(|(place, prefix)| (called(place, prefix), *prefix, ports)).collect()
}

/// Its own, or the one that all its servers have. Keepalived's default is NAT.
fn own_method(server: &Statement) -> Method {
    let said = |statement: &Statement| statement.find(&["lb_kind", "lvs_method"]).map(method);
    let servers = || server.block().iter().filter(|inside| inside.keyword() == "real_server");
    said(server)
        .or_else(|| {
            let mut methods = servers().map(said);
            let first = methods.next()??;
            methods.all(|other| other.as_ref() == Some(&first)).then_some(first)
        })
        .unwrap_or_default()
}

/// The keys that say which backend takes a new flow.
fn choice(server: &Statement, keys: &mut Keys) {
    let word = server.find(&["lb_algo", "lvs_sched"]);
    let flags = ["sh-port", "mh-port", "sh-fallback", "mh-fallback"].map(|name| server.find(&[name]));
    let has_port = flags[..2].iter().any(Option::is_some);
    let scheduler = word.and_then(Statement::argument).map_or(Some("wlc"), scheduler);
    match (scheduler, word) {
        (None, Some(word)) => word.lose("is no scheduler here: the default of Penstock, maglev, is taken"),
        (scheduler, _) => {
            let scheduler = scheduler.unwrap_or("wlc");
            keys.set("scheduler", scheduler);
            if matches!(scheduler, "sh" | "maglev") {
                keys.set("hash_on", if has_port { "source+port" } else { "source" });
                flags.into_iter().flatten().for_each(Statement::carry);
            }
        }
    }
    for key in ["quorum", "hysteresis"] {
        let Some(found) = server.find(&[key]) else { continue };
        match found.argument().and_then(|text| text.parse::<u32>().ok()) {
            Some(0) if key == "quorum" => found.lose("there is no quorum of nothing"),
            Some(number) => keys.set(key, i64::from(number)),
            None => found.lose("is no number"),
        }
    }
    if let Some(inhibit) = server.find(&["inhibit_on_failure"]) {
        keys.set("inhibit_on_failure", !matches!(inhibit.argument(), Some("off" | "false" | "no")));
    }
}

fn persistence(server: &Statement, address: Prefix, keys: &mut Keys) {
    let Some(found) = server.find(&["persistence_timeout"]) else { return };
    let mut persistence = Keys::default();
    // keepalived.conf(5): six minutes.
    match found.argument().map_or(Some(std::time::Duration::from_secs(360)), seconds) {
        Some(time) if time.as_secs() > 0 => persistence.time("timeout", time),
        Some(_) => return,
        None => return found.lose("is no time in seconds"),
    }
    if let Some(granularity) = server.find(&["persistence_granularity"]) {
        match granularity.argument().and_then(mask) {
            Some((length, is_v4)) if is_v4 == address.address().is_ipv4() => {
                persistence.set(if is_v4 { "mask4" } else { "mask6" }, i64::from(length));
            }
            _ => granularity.lose("is no mask of a network of that family"),
        }
    }
    keys.raw("persistence", persistence.inline());
}

fn sorry_server<'s>(
    server: &'s Statement,
    vip: Prefix,
    mode: Mode,
    keys: &mut Keys,
) -> Option<(IpAddr, &'s Statement)> {
    let found = server.find(&["sorry_server"])?;
    found.carry();
    let Some(address) = found.word(1).and_then(|text| text.parse().ok()) else {
        found.lose("names no address");
        return None;
    };
    if !is_possible(address, vip, mode, found) {
        return None;
    }
    let mut backup = Keys::default().with("address", address.to_string());
    let port = found.word(2).and_then(|text| text.parse::<u16>().ok()).filter(|port| *port > 0);
    if let Some(port) = port.filter(|_| mode.is_two_way()) {
        backup.set("port", i64::from(port));
    }
    keys.raw("backup", backup.inline());
    Some((address, found))
}

fn is_possible(address: IpAddr, vip: Prefix, mode: Mode, source: &Statement) -> bool {
    if let Some(problem) = super::super::value::problem(address) {
        source.lose(format!("{address} {problem}"));
        return false;
    }
    let is_of_family = address.is_ipv4() == vip.address().is_ipv4();
    if !is_of_family && mode != Mode::Tunnel {
        source.lose(format!("{address} is of another family than {vip}, which {mode} mode cannot reach"));
    }
    is_of_family || mode == Mode::Tunnel
}

fn backend<'s>(
    real: &'s Statement,
    service: &Service<'s>,
    how: &Method,
    elsewhere: &Elsewhere<'s>,
) -> Option<Backend<'s>> {
    real.carry();
    let Some(address) = real.word(1).and_then(|text| text.parse::<IpAddr>().ok()) else {
        real.lose("names no address");
        return None;
    };
    if !is_possible(address, service.address, service.mode, real) {
        return None;
    }
    if let Some(own) = real.find(&["lvs_method", "lb_kind"])
        && method(own) != *how
    {
        let mode = service.mode;
        real.lose(format!(
            "goes another way than its service, which is in {mode} mode: give it a service of its own"
        ));
        return None;
    }
    let port = super::super::forward::port(real, real.word(2), service);
    if service.backends.iter().any(|before| (before.address, before.port) == (address, port)) {
        real.lose("is listed twice");
        return None;
    }
    let mut keys = Keys::default();
    for (from, to, default) in [
        ("weight", "weight", Some(1)),
        ("uthreshold", "upper_threshold", None),
        ("lthreshold", "lower_threshold", None),
    ] {
        let found = real.find(&[from]);
        match found.map(|found| found.argument().and_then(|text| text.parse::<u16>().ok())) {
            Some(Some(number)) => keys.set(to, i64::from(number)),
            Some(None) => found.into_iter().for_each(|found| found.lose("is no number that fits")),
            None => {}
        }
        if let (None, Some(default)) = (found, default) {
            keys.set(to, default);
        }
    }
    if let Some(inhibit) = real.find(&["inhibit_on_failure"]) {
        keys.set("inhibit_on_failure", !matches!(inhibit.argument(), Some("off" | "false" | "no")));
    }
    let levels = Levels { server: real, service: service.source };
    let mut checks_found = Vec::new();
    for checker in real.block().iter().filter(|inside| CHECKERS.contains(&inside.keyword())) {
        let found = checks(checker, levels, elsewhere);
        let has_port = port.is_some() || service.ports.single().is_some();
        if !has_port && found.iter().any(Keys::needs_port) {
            checker.lose("which port it asks has to be said: `connect_port`, for the service has many");
        } else {
            checks_found.extend(found);
        }
    }
    Some(Backend { address, port, keys, checks: checks_found, source: real })
}
