//! The checkers of a `real_server`. The defaults are Keepalived's, written out where Penstock has others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::super::output::Keys;
use super::super::statement::Statement;
use super::super::value::{command, is_interface, is_word, seconds};
use super::http;

/// Where a checker's keys come from: itself, else its server, else the virtual server.
#[derive(Clone, Copy)]
pub(super) struct Levels<'s> {
    pub(super) server: &'s Statement,
    pub(super) service: &'s Statement,
}

/// What the file says elsewhere.
#[derive(Default)]
pub(super) struct Elsewhere<'s> {
    /// `track_file`, by name.
    pub(super) files: HashMap<&'s str, &'s Statement>,
    /// `SSL`
    pub(super) tls: Option<&'s Statement>,
    /// `script_user`
    pub(super) user: Option<&'s str>,
}

/// Names of checkers.
pub(super) const CHECKERS: &[&str] = &[
    "HTTP_GET",
    "SSL_GET",
    "TCP_CHECK",
    "SMTP_CHECK",
    "DNS_CHECK",
    "MISC_CHECK",
    "BFD_CHECK",
    "UDP_CHECK",
    "PING_CHECK",
    "FILE_CHECK",
];

/// The checks that a checker of a server becomes.
pub(super) fn checks(checker: &Statement, levels: Levels<'_>, elsewhere: &Elsewhere<'_>) -> Vec<Keys> {
    checker.carry();
    match checker.keyword() {
        "HTTP_GET" => http::checks("http", checker, levels, elsewhere),
        "SSL_GET" => http::checks("https", checker, levels, elsewhere),
        "TCP_CHECK" => vec![connecting("tcp", checker, levels)],
        "PING_CHECK" => vec![connecting("ping", checker, levels)],
        "SMTP_CHECK" => smtp(checker, levels),
        "DNS_CHECK" => vec![dns(checker, levels)],
        "UDP_CHECK" => vec![udp(checker, levels)],
        "MISC_CHECK" => script(checker, levels, elsewhere).into_iter().collect(),
        "FILE_CHECK" => file(checker, levels, elsewhere).into_iter().collect(),
        _ => {
            checker
                .lose("checks by BFD are not carried over: the server counts as up; write `check = \"bfd\"`");
            Vec::new()
        }
    }
}

/// The keys that nearly all checkers have, in the checker or around it.
pub(super) fn connecting(kind: &'static str, checker: &Statement, levels: Levels<'_>) -> Keys {
    let mut check = times(kind, checker, levels);
    let wait = time("connect_timeout", checker, levels).unwrap_or(Duration::from_secs(5));
    check.time("timeout", wait);
    target(checker, &mut check);
    check
}

/// `interval`, `rise`, `fall` and what goes with them.
pub(super) fn times(kind: &'static str, checker: &Statement, levels: Levels<'_>) -> Keys {
    let mut check = Keys::default().with("check", kind);
    let interval = time("delay_loop", checker, levels).unwrap_or(Duration::from_secs(60));
    // keepalived.conf(5), `delay_before_retry` and `retry`.
    let (retries, pause) = match checker.keyword() {
        "HTTP_GET" | "SSL_GET" => (1, Duration::from_secs(3)),
        "DNS_CHECK" => (3, interval),
        "MISC_CHECK" => (0, Duration::from_secs(1)),
        _ => (1, Duration::from_secs(1)),
    };
    check.time("interval", interval);
    check.time("fast_interval", time("delay_before_retry", checker, levels).unwrap_or(pause).min(interval));
    let retries = number(&["retry", "nb_get_retry"], checker, levels).unwrap_or(retries);
    check.set("rise", 1);
    check.set("fall", retries.saturating_add(1).min(1000));
    let is_alpha = flag("alpha", checker, levels);
    check.set("initial", if is_alpha { "down" } else { "up" });
    if let Some(warmup) = time("warmup", checker, levels) {
        check.time("warmup", warmup);
    }
    check
}

/// Whom to ask, and from where.
fn target(place: &Statement, check: &mut Keys) {
    if let Some(found) = place.find(&["connect_ip"])
        && let Some(address) = found.fitting(is_address, "is no address")
    {
        check.set("address", address);
    }
    if let Some(found) = place.find(&["connect_port"]) {
        match found.argument().and_then(|text| text.parse::<u16>().ok()).filter(|port| *port > 0) {
            Some(port) => check.set("port", i64::from(port)),
            None => found.lose("is no port"),
        }
    }
    let (address, interface) = (place.find(&["bindto"]), place.find(&["bind_if"]));
    match (address, interface) {
        (Some(found), other) => {
            if let Some(address) = found.fitting(is_address, "is no address") {
                check.set("bind", address);
            }
            if let Some(other) = other {
                other.lose("`bind` is an address or an interface, not both");
            }
        }
        (None, Some(found)) => {
            if let Some(interface) = found.fitting(is_interface, "is no name of an interface") {
                check.set("bind", interface);
            }
        }
        (None, None) => {}
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

fn smtp(checker: &Statement, levels: Levels<'_>) -> Vec<Keys> {
    let mut check = connecting("smtp", checker, levels);
    let helo = checker.find(&["helo_name"]);
    if let Some(name) = helo.and_then(|helo| helo.fitting(is_word, "is more than one word")) {
        check.set("helo", name);
    }
    let hosts: Vec<_> = checker.block().iter().filter(|inside| inside.keyword() == "host").collect();
    let of_host = |host: &&Statement| {
        host.carry();
        let mut check = check.clone();
        target(host, &mut check);
        check
    };
    if hosts.is_empty() { vec![check] } else { hosts.iter().map(of_host).collect() }
}

fn dns(checker: &Statement, levels: Levels<'_>) -> Keys {
    let mut check = connecting("dns", checker, levels);
    const TYPES: &[&str] = &["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA"];
    let kind = checker.find(&["type"]);
    if let Some(kind) =
        kind.and_then(|kind| kind.fitting(|text| TYPES.contains(&text), "is no type of records"))
    {
        check.set("type", kind);
    }
    let is_name = |text: &str| hickory_proto::rr::Name::from_ascii(text).is_ok();
    let name = checker.find(&["name"]);
    if let Some(name) = name.and_then(|name| name.fitting(is_name, "is no name of the DNS")) {
        check.set("name", name);
    }
    check
}

fn udp(checker: &Statement, levels: Levels<'_>) -> Keys {
    let mut check = connecting("udp", checker, levels);
    if let Some(payload) = checker.find(&["payload"]) {
        payload.carry();
        check.set("payload", format!("hex:{}", hex(payload)));
    }
    let Some(reply) = checker.find(&["require_reply"]) else { return check };
    reply.carry();
    let expected = hex(reply);
    match expected.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true if expected.is_empty() => check.set("require_reply", true),
        true => check.set("expect", format!("hex:{expected}")),
        false => {
            check.set("require_reply", true);
            reply.carry_without("any reply will do: half bytes that may be anything have no counterpart");
        }
    }
    check
}

/// `Ab12f 3` is AB 12 0F 03.
fn hex(statement: &Statement) -> String {
    let whole = |word: &String| if word.len().is_multiple_of(2) { word.clone() } else { odd(word) };
    statement.arguments().iter().map(whole).collect::<String>().to_ascii_lowercase()
}

/// The last digit is a byte of its own.
fn odd(word: &str) -> String {
    let (pairs, last) = word.split_at(word.char_indices().next_back().map_or(0, |(at, _)| at));
    format!("{pairs}0{last}")
}

fn script(checker: &Statement, levels: Levels<'_>, elsewhere: &Elsewhere<'_>) -> Option<Keys> {
    let mut check = times("script", checker, levels);
    let path = checker.find(&["misc_path"]);
    let command = path.map(|path| command(&path.arguments().join(" "))).unwrap_or_default();
    let Some(program) = command.first().filter(|program| program.starts_with('/')) else {
        checker.lose("without a program named by its whole path in `misc_path` there is nothing to run");
        return None;
    };
    check
        .set("command", std::iter::once(program).chain(&command[1..]).cloned().collect::<toml_edit::Array>());
    path.into_iter().for_each(Statement::carry);
    let limit =
        checker.find(&["misc_timeout"]).and_then(|found| read_time(found, Statement::argument(found)));
    // By default it may take as long as it is until the next one.
    let interval = time("delay_loop", checker, levels).unwrap_or(Duration::from_secs(60));
    check.time("timeout", limit.unwrap_or(interval));
    if let Some(dynamic) = checker.find(&["misc_dynamic"]) {
        dynamic.carry();
        check.set("dynamic", true);
    }
    match checker
        .find(&["user"])
        .and_then(Statement::argument)
        .or(elsewhere.user)
        .filter(|user| is_word(user))
    {
        Some(user) => check.set("user", user),
        None => checker.carry_without(
            "runs as `nobody` here, as `keepalived_script` or root there: set `user` if that is not enough",
        ),
    }
    Some(check)
}

fn file(checker: &Statement, levels: Levels<'_>, elsewhere: &Elsewhere<'_>) -> Option<Keys> {
    let track = checker.find(&["track_file"])?;
    let found = track.argument().and_then(|name| elsewhere.files.get(name));
    let path = found.and_then(|file| file.find(&["file"])).and_then(Statement::argument);
    let Some(path) = path.filter(|path| path.starts_with('/')) else {
        checker.lose("no `track_file` block names the file by its whole path");
        return None;
    };
    found.into_iter().for_each(|file| file.carry());
    checker.carry_without(
        "the file has to say `up`, `down` or a weight: numbers that are added have no counterpart",
    );
    Some(times("file", checker, levels).with("path", path))
}

fn at<'s>(names: &[&str], checker: &'s Statement, levels: Levels<'s>) -> Option<&'s Statement> {
    let places = [checker, levels.server, levels.service];
    // All are looked up, so that each that has no effect still counts as read.
    let found: Vec<_> = places.iter().filter_map(|place| place.find(names)).collect();
    found.iter().for_each(|statement| statement.carry());
    found.first().copied()
}

fn time(name: &str, checker: &Statement, levels: Levels<'_>) -> Option<Duration> {
    let found = at(&[name], checker, levels)?;
    read_time(found, found.argument())
}

fn read_time(statement: &Statement, text: Option<&str>) -> Option<Duration> {
    let time = text.and_then(seconds);
    if time.is_none() {
        statement.lose("is no time in seconds");
    }
    time
}

fn number(names: &[&str], checker: &Statement, levels: Levels<'_>) -> Option<i64> {
    let found = at(names, checker, levels)?;
    let number = found.argument().and_then(|text| text.parse::<u32>().ok()).map(i64::from);
    if number.is_none() {
        found.lose("is no number");
    }
    number
}

/// Set without a word, or with one that means yes.
pub(super) fn flag(name: &str, checker: &Statement, levels: Levels<'_>) -> bool {
    at(&[name], checker, levels)
        .is_some_and(|found| !matches!(found.argument(), Some("off" | "false" | "no")))
}
