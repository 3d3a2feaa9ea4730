//! `[service.health]` and `[service.backend.health]`: one table or several.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeTable;

use super::super::diagnostic::{Report, Span};
use super::super::health::{HttpVersion, Initial, Needs, Transport, Via};
use super::super::later;
use super::super::model::{BfdKeys, Check, CheckKind, Health, HttpCheck, TlsKeys};
use super::super::reader::{Reader, Tables};
use super::super::value::{address, boolean, duration, integer, listed, string, word};
use super::Table;

mod values;
use values::{auth, digest, dns_name, octets, record_type, regex, status};

/// A check more often than this would be an attack.
const PAUSE: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(86_400);
const WAIT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(86_400);
const DELAY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(86_400);
/// Ten years, of 365 days and a quarter.
const CERTIFICATE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(10 * 31_557_600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Tcp,
    Ping,
    Http,
    Https,
    Script,
    Smtp,
    Dns,
    Udp,
    File,
    Agent,
    Bfd,
}

const KINDS: &[(&str, Word)] = &[
    ("tcp", Word::Tcp),
    ("http", Word::Http),
    ("https", Word::Https),
    ("script", Word::Script),
    ("smtp", Word::Smtp),
    ("dns", Word::Dns),
    ("udp", Word::Udp),
    ("ping", Word::Ping),
    ("file", Word::File),
    ("agent", Word::Agent),
    ("bfd", Word::Bfd),
];
const INITIALS: &[(&str, Initial)] = &[
    ("up", Initial::Up),
    ("down", Initial::Down),
    ("up-until-checked", Initial::UpUntilChecked),
    ("down-until-checked", Initial::DownUntilChecked),
];
const NEEDS: &[(&str, Needs)] = &[("all", Needs::All), ("any", Needs::Any)];
const WAYS: &[(&str, Via)] = &[("socket", Via::Socket), ("data-path", Via::DataPath)];
const VERSIONS: &[(&str, HttpVersion)] = &[("1.0", HttpVersion::Ten), ("1.1", HttpVersion::Eleven)];
const TRANSPORTS: &[(&str, Transport)] = &[("udp", Transport::Udp), ("tcp", Transport::Tcp)];

/// Keys that some kinds have alone.
const OF_KINDS: &[(&str, &[&str])] = &[
    ("method", &["http", "https"]),
    ("path", &["http", "https", "file"]),
    ("host", &["http", "https"]),
    ("headers", &["http", "https"]),
    ("version", &["http", "https"]),
    ("status", &["http", "https"]),
    ("body", &["http", "https"]),
    ("body_regex", &["http", "https"]),
    ("digest", &["http", "https"]),
    ("sni", &["https", "smtp"]),
    ("verify", &["https", "smtp"]),
    ("ca", &["https", "smtp"]),
    ("client_certificate", &["https", "smtp"]),
    ("client_key", &["https", "smtp"]),
    ("warn_before", &["https", "smtp"]),
    ("command", &["script"]),
    ("dynamic", &["script"]),
    ("user", &["script"]),
    ("helo", &["smtp"]),
    ("starttls", &["smtp"]),
    ("name", &["dns"]),
    ("type", &["dns"]),
    ("answer", &["dns"]),
    ("transport", &["dns"]),
    ("payload", &["udp"]),
    ("expect", &["udp"]),
    ("require_reply", &["udp"]),
    ("send", &["agent"]),
    ("multiplier", &["bfd"]),
    ("multihop", &["bfd"]),
    ("auth", &["bfd"]),
];

/// How several checks go together.
pub(super) type Together = (Option<Needs>, Option<bool>, Option<Spanned<u32>>);

/// What a service or a backend says of its health.
pub(super) fn tables<'r, 'i>(reader: &mut Reader<'r, 'i, '_>) -> (Option<Tables<'r, 'i>>, Together) {
    let needs = reader.take("health_needs", word(NEEDS, &[])).map(Spanned::into_inner);
    let inhibit = reader.take("inhibit_on_failure", boolean).map(Spanned::into_inner);
    let observe = reader.take("observe", integer(0..=1_000_000));
    (reader.one_or_more("health"), (needs, inhibit, observe))
}

pub(super) fn health(
    tables: Option<Vec<(Span, &DeTable<'_>)>>,
    (needs, inhibit_on_failure, observe): Together,
    report: &mut Report<'_>,
) -> Health {
    let checks = tables.map(|tables| tables.into_iter().map(|table| check(table, report)).collect());
    Health { checks, needs, inhibit_on_failure, observe }
}

fn check(table: Table<'_, '_>, report: &mut Report<'_>) -> Check {
    let span = table.0.clone();
    let mut reader = Reader::new("the check", table, report);
    let kind = reader.need("check", "\"tcp\"", word(KINDS, later::CHECKS)).map(Spanned::into_inner);
    let mut time = |key, bounds| reader.take(key, duration(bounds)).map(Spanned::into_inner);
    let interval = time("interval", PAUSE);
    let fast_interval = time("fast_interval", PAUSE);
    let down_interval = time("down_interval", PAUSE);
    let timeout = time("timeout", WAIT);
    let warmup = time("warmup", DELAY);
    let mut count = |key| reader.take(key, integer(1..=1000)).map(Spanned::into_inner);
    let (rise, fall) = (count("rise"), count("fall"));
    let retries = reader.take_or("retries", 0, integer(0..=10));
    let initial = reader.take("initial", word(INITIALS, &[])).map(Spanned::into_inner);
    let address = reader.take("address", address);
    let port = reader.take("port", integer(1..=u16::MAX));
    let bind = reader.take("bind", string);
    let via = reader.take("via", word(WAYS, &[]));
    let kind = kind.map(|kind| {
        misplaced(kind, &mut reader);
        of_kind(kind, &mut reader)
    });
    // Of a kind that is not known any key may be.
    if kind.is_some() {
        reader.finish();
    }
    Check {
        kind,
        interval,
        fast_interval,
        down_interval,
        timeout,
        rise,
        fall,
        retries,
        initial,
        warmup,
        address,
        port,
        bind,
        via,
        span,
    }
}

fn misplaced(kind: Word, reader: &mut Reader<'_, '_, '_>) {
    let name = KINDS.iter().find(|(_, word)| *word == kind).map_or("unknown", |(name, _)| name);
    for (key, kinds) in OF_KINDS.iter().filter(|(_, kinds)| !kinds.contains(&name)) {
        if reader.has(key) {
            let help = format!("it belongs to {}: take it out, or change `check`", listed(kinds));
            reader.misplaced(key, format!("`{key}` means nothing to a check of the kind `{name}`"), help);
        }
    }
}

fn of_kind(kind: Word, reader: &mut Reader<'_, '_, '_>) -> CheckKind {
    match kind {
        Word::Tcp => CheckKind::Tcp,
        Word::Ping => CheckKind::Ping,
        Word::Http => CheckKind::Http(http(reader)),
        Word::Https => CheckKind::Https(http(reader), tls(reader)),
        Word::Script => CheckKind::Script {
            command: reader.take_list("command", string),
            dynamic: reader.take_or("dynamic", false, boolean),
            user: reader.take("user", string),
        },
        Word::Smtp => CheckKind::Smtp {
            helo: reader.take("helo", string),
            starttls: reader.take_or("starttls", false, boolean),
            tls: tls(reader),
        },
        Word::Dns => CheckKind::Dns {
            name: reader.take_or("name", hickory_proto::rr::Name::root(), dns_name),
            record: reader.take_or("type", hickory_proto::rr::RecordType::SOA, record_type),
            answer: reader.take("answer", string).map(Spanned::into_inner),
            transport: reader.take_or("transport", Transport::Udp, word(TRANSPORTS, &[])),
        },
        Word::Udp => CheckKind::Udp {
            payload: reader.take_or("payload", Vec::new(), octets),
            expect: reader.take("expect", octets),
            require_reply: reader.take("require_reply", boolean),
        },
        Word::File => CheckKind::File { path: reader.need("path", "\"/run/web.state\"", string) },
        Word::Agent => CheckKind::Agent { send: reader.take("send", string).map(Spanned::into_inner) },
        Word::Bfd => CheckKind::Bfd(bfd(reader)),
    }
}

/// Of a check, of what is tracked, and of a virtual router's peers; those are not behind routers.
pub(super) fn bfd(reader: &mut Reader<'_, '_, '_>) -> BfdKeys {
    let multihop = reader.take_or("multihop", false, boolean);
    let multiplier = reader.take_or("multiplier", 3, integer(1..=u8::MAX));
    let auth = reader.take("auth", auth).map(Spanned::into_inner);
    BfdKeys { multiplier, multihop, auth }
}

fn http(reader: &mut Reader<'_, '_, '_>) -> HttpCheck {
    HttpCheck {
        method: reader.take("method", string),
        path: reader.take("path", string),
        host: reader.take("host", string),
        headers: reader.entries("headers", string),
        version: reader.take_or("version", HttpVersion::Eleven, word(VERSIONS, &[])),
        status: reader.take("status", status).map(Spanned::into_inner),
        body: reader.take("body", string).map(Spanned::into_inner),
        body_regex: reader.take("body_regex", regex).map(Spanned::into_inner),
        digest: reader.take("digest", digest).map(Spanned::into_inner),
    }
}

fn tls(reader: &mut Reader<'_, '_, '_>) -> TlsKeys {
    TlsKeys {
        sni: reader.take("sni", string),
        verify: reader.take("verify", boolean),
        ca: reader.take("ca", string),
        client_certificate: reader.take("client_certificate", string),
        client_key: reader.take("client_key", string),
        warn_before: reader.take("warn_before", duration(CERTIFICATE)).map(Spanned::into_inner),
    }
}
