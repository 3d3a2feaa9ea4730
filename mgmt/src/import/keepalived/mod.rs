//! `keepalived.conf(5)`.

mod check;
mod http;
mod parse;
mod track;
mod virtual_server;
mod vrrp;

use super::output::Imported;
use super::statement::{Statement, notes};
use super::value::{name, seconds};
use super::{Import, ParseError, finish};

/// Reads a configuration of Keepalived; `file` is what comments call it.
pub(super) fn import(file: &str, text: &str) -> Result<Import, ParseError> {
    let statements = parse::parse(text)?;
    let mut imported = Imported::default();
    let of = |keyword: &str| {
        let found: Vec<_> = statements.iter().filter(|s| s.keyword() == keyword).collect();
        found
    };
    let named = |keyword: &str| of(keyword).into_iter().filter_map(|s| Some((s.word(1)?, s))).collect();
    let globals = of("global_defs").into_iter().next_back();
    globals.into_iter().for_each(|globals| global(globals, &mut imported));

    let mut around = vrrp::Around { globals, scripts: named("vrrp_script"), ..vrrp::Around::default() };
    for group in of("vrrp_sync_group") {
        group.carry();
        let name = group.word(1).unwrap_or_default();
        around.groups.extend(vrrp::members(group).map(|member| (member, name)));
    }
    let mut seen = vrrp::Seen::default();
    for statement in of("vrrp_instance") {
        imported.vrrp.extend(vrrp::instance(statement, &around, &mut seen));
    }
    imported.interfaces = seen.interfaces;

    let mut files: std::collections::HashMap<_, _> = named("track_file");
    files.extend(of("vrrp_track_file").into_iter().filter_map(|s| Some((s.word(1)?, s))));
    let user = globals.and_then(|globals| globals.find(&["script_user"]));
    let elsewhere = check::Elsewhere {
        files,
        tls: of("SSL").into_iter().next_back(),
        user: user.and_then(Statement::argument),
    };
    let groups = named("virtual_server_group");
    for server in of("virtual_server") {
        imported.services.extend(virtual_server::services(server, &groups, &elsewhere));
    }
    Ok(finish(file, text, imported, |imported| (imported.write(file), notes(&statements, reason))))
}

fn global(globals: &Statement, imported: &mut Imported<'_>) {
    globals.carry();
    if let Some(id) = globals.find(&["router_id"]).and_then(Statement::argument) {
        imported.node.set("name", name(id));
    }
    let Some(timeouts) = globals.find(&["lvs_timeouts"]) else { return };
    timeouts.carry();
    for pair in timeouts.arguments().chunks(2) {
        let key = match pair.first().map(String::as_str) {
            Some("tcp") => "tcp_established",
            Some("tcpfin") => "tcp_fin",
            _ => "udp",
        };
        match pair.get(1).and_then(|text| seconds(text)).filter(|time| !time.is_zero()) {
            Some(time) => imported.timeouts.time(key, time),
            None => timeouts.carry_without(format!("`{}` is no time in seconds", pair.join(" "))),
        }
    }
}

/// Why nobody has looked at a line.
fn reason(statement: &Statement) -> String {
    let keyword = statement.keyword();
    let why = match keyword {
        _ if keyword.starts_with('@') => "is for one configuration id: take in what is for this box by hand",
        _ if keyword.starts_with('~') || statement.words.iter().any(|word| word.contains('$')) => {
            "stands for something that is not known here"
        }
        "include" | "includer" | "includem" | "includew" | "includeb" | "includea" => {
            "is not followed: import that file too"
        }
        "notification_email"
        | "notification_email_from"
        | "smtp_server"
        | "smtp_connect_timeout"
        | "smtp_alert"
        | "smtp_helo_name"
        | "smtp_alert_vrrp"
        | "smtp_alert_checker"
        | "no_email_faults"
        | "no_checker_emails" => "Penstock sends no mail: watch its log or /metrics",
        "static_ipaddress" | "static_routes" | "static_rules" => {
            "addresses, routes and rules of the box are Linux's: put them where the others are"
        }
        "virtual_routes" | "virtual_rules" => {
            "routes and rules do not move with an instance: Linux has them always"
        }
        "virtual_ipaddress_excluded" => {
            "an address is in the adverts, or it does not move: add it to `addresses`"
        }
        "state" => "each instance begins as backup, and priorities decide",
        "notify_master" | "notify_backup" | "notify_fault" | "notify_stop" | "notify_deleted" => {
            "there is one `notify`, which is told the state"
        }
        "notify_up" | "notify_down" => "nothing is called: /metrics and the log have it",
        "quorum_up" | "quorum_down" => {
            "a service has one `notify`, named by its whole path, which is told UP or DOWN"
        }
        "alpha" | "omega" | "ha_suspend" | "retry" | "delay_loop" | "connect_timeout"
        | "delay_before_retry" | "warmup" | "virtualhost" => "nothing here makes use of it",
        "lvs_sync_daemon" | "lvs_sync_daemon_interface" => "flows are not sent to the other box",
        "net_namespace" | "net_namespace_ipvs" | "instance" => "start penstockd in it",
        "virtual_server_group" => "no virtual_server is of this group",
        "vrrp_script" => "no vrrp_instance tracks it",
        "track_file" | "vrrp_track_file" => "nothing here tracks it",
        "bfd_instance" | "track_bfd" | "BFD_CHECK" => {
            "BFD is not carried over: write `check = \"bfd\"`, or `track = [{ bfd = ADDRESS }]`"
        }
        "ops" => "each datagram of a client goes where its flow goes",
        _ => "has no counterpart",
    };
    why.to_owned()
}

#[cfg(test)]
mod tests;
