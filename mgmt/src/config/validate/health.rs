//! Health checks.

mod clients;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dataplane::types::Port;
use toml::Spanned;

use super::super::diagnostic::Report;
use super::super::health::{
    Agent, Bind, Body, Check, Dns, Health, Http, Initial, Kind, Rules, Script, Smtp, StatusSet, Tls, Udp,
};
use super::super::model;
use super::vips::Vips;
use clients::{observe, target, via};

const INTERVAL: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(1);
const RISE: u32 = 2;
const FALL: u32 = 3;
const WARN_BEFORE: Duration = Duration::from_secs(14 * 86_400);

/// What the checks of a service are read with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    /// The node's name, by which the box introduces itself.
    pub(super) node: &'a str,
    /// Whether each backend has one port.
    pub(super) has_port: bool,
    /// Whether the box sees how backends answer a handshake.
    pub(super) sees_answers: bool,
    /// Whether backends answer for the virtual IP themselves.
    pub(super) has_the_vip: bool,
    /// Whether there is a check for what is seen to go with.
    pub(super) has_checks: bool,
    /// The virtual IPs of the file.
    pub(super) vips: &'a Vips,
}

/// Of a service, or of a backend that has its own. `None`: nothing is checked.
pub(super) fn health(
    written: &model::Health,
    service: &model::Health,
    around: Around<'_>,
    report: &mut Report<'_>,
) -> Option<Arc<Health>> {
    observe(written, around, report);
    let checks = written.checks.as_ref()?;
    let checks: Vec<_> = checks.iter().filter_map(|written| check(written, around, report)).collect();
    together(checks, written, service)
}

/// Of a backend. `shared`: the service's.
pub(super) fn of_backend(
    written: &model::Health,
    service: &model::Health,
    shared: Option<&Arc<Health>>,
    around: Around<'_>,
    report: &mut Report<'_>,
) -> Option<Arc<Health>> {
    if written.checks.is_some() {
        return health(written, service, around, report);
    }
    observe(written, around, report);
    match (written.needs, written.inhibit_on_failure, &written.observe) {
        (None, None, None) => shared.cloned(),
        _ => together(shared?.checks.clone(), written, service),
    }
}

fn together(checks: Vec<Check>, written: &model::Health, service: &model::Health) -> Option<Arc<Health>> {
    let needs = written.needs.or(service.needs).unwrap_or_default();
    let inhibit_on_failure = written.inhibit_on_failure.or(service.inhibit_on_failure).unwrap_or(false);
    let observe =
        written.observe.as_ref().or(service.observe.as_ref()).map_or(0, |observe| *observe.get_ref());
    (!checks.is_empty()).then(|| Arc::new(Health { checks, needs, inhibit_on_failure, observe }))
}

fn check(written: &model::Check, around: Around<'_>, report: &mut Report<'_>) -> Option<Check> {
    let bind = written.bind.as_ref().and_then(|bind| self::bind(bind, written.address.as_ref(), report));
    let kind = kind(written, around, report)?;
    target(written, around, report);
    let port = written.port.as_ref().map(|port| Port(*port.get_ref()));
    let needs_port = match kind {
        Kind::Ping | Kind::File(_) | Kind::Script(_) | Kind::Bfd(_) => false,
        Kind::Tcp | Kind::Http(_) | Kind::Https(..) | Kind::Smtp(_) | Kind::Dns(_) | Kind::Udp(_) => {
            !around.has_port
        }
        Kind::Agent(_) => true,
    };
    if needs_port && port.is_none() {
        let finding = report.error(&written.span, format!("the {} check needs `port`", kind.word()));
        finding.help(match kind {
            Kind::Agent(_) => "add the agent's port, as in `port = 9777`",
            _ => "the backend has the port that each client asks for: say which one is checked",
        });
    }
    Some(Check {
        rules: rules(written, &kind),
        via: via(written, &kind, around, report),
        kind,
        address: written.address.as_ref().map(|a| *a.get_ref()),
        port,
        bind,
    })
}

fn rules(written: &model::Check, kind: &Kind) -> Rules {
    if let Kind::Bfd(_) = kind {
        return super::bfd::rules(written);
    }
    let is_agent = matches!(kind, Kind::Agent(_));
    let interval = written.interval.unwrap_or(INTERVAL);
    Rules {
        interval,
        fast_interval: written.fast_interval.unwrap_or(interval),
        down_interval: written.down_interval.unwrap_or(interval),
        timeout: written.timeout.unwrap_or(TIMEOUT.min(interval)),
        // An agent knows what it says.
        rise: written.rise.unwrap_or(if is_agent { 1 } else { RISE }),
        fall: written.fall.unwrap_or(if is_agent { 1 } else { FALL }),
        retries: written.retries,
        initial: written.initial.unwrap_or(match is_agent {
            true => Initial::Up,
            false => Initial::UpUntilChecked,
        }),
        warmup: written.warmup.unwrap_or(interval),
    }
}

fn bind(
    written: &Spanned<String>,
    target: Option<&Spanned<IpAddr>>,
    report: &mut Report<'_>,
) -> Option<Bind> {
    let text = written.get_ref();
    let Ok(address) = text.parse::<IpAddr>() else {
        super::interface_name(written, report);
        return Some(Bind::Interface(text.clone()));
    };
    if let Some(target) = target.filter(|target| target.get_ref().is_ipv4() != address.is_ipv4()) {
        let message = format!("{} cannot be reached from {address}", target.get_ref());
        report.error(&written.span(), message).help("both have to be of one family");
    }
    Some(Bind::Address(address))
}

fn kind(written: &model::Check, around: Around<'_>, report: &mut Report<'_>) -> Option<Kind> {
    Some(match written.kind.as_ref()? {
        model::CheckKind::Tcp => Kind::Tcp,
        model::CheckKind::Ping => Kind::Ping,
        model::CheckKind::Http(http) => Kind::Http(Arc::new(self::http(http, report))),
        model::CheckKind::Https(http, tls) => {
            Kind::Https(Arc::new(self::http(http, report)), Arc::new(self::tls(tls, report)))
        }
        model::CheckKind::Script { command, dynamic, user } => {
            let command = command.as_ref().map_or_else(Vec::new, |list| list.get_ref().clone());
            let Some(program) = command.first() else {
                let finding = report.error(&written.span, "a check of the kind `script` has no `command`");
                finding.help("add it, as in `command = [\"/usr/local/bin/is-well\", \"--quick\"]`");
                return None;
            };
            absolute(program, "a script", report);
            let command = command.into_iter().map(Spanned::into_inner).collect();
            let user = user.as_ref().map(|user| user.get_ref().clone());
            Kind::Script(Arc::new(Script { command, dynamic: *dynamic, user }))
        }
        model::CheckKind::Smtp { helo, starttls, tls } => {
            if let Some(helo) = helo {
                no_control(helo, "helo", true, report);
            }
            let tls = Arc::new(self::tls(tls, report));
            let helo = helo.as_ref().map_or(around.node, |helo| helo.get_ref()).to_owned();
            Kind::Smtp(Arc::new(Smtp { helo, starttls: starttls.then_some(tls) }))
        }
        model::CheckKind::Dns { name, record, answer, transport } => Kind::Dns(Arc::new(Dns {
            name: name.clone(),
            record: *record,
            answer: answer.clone(),
            transport: *transport,
        })),
        model::CheckKind::Udp { payload, expect, require_reply } => {
            if let (Some(expect), Some(required)) = (expect, require_reply)
                && !*required.get_ref()
            {
                let finding = report.error(&required.span(), "`expect` requires a reply");
                finding.note("it is", &expect.span()).help("take one of them out");
            }
            let required = require_reply.as_ref().is_some_and(|required| *required.get_ref());
            let require_reply = required || expect.is_some();
            let expect = expect.as_ref().map(|expect| expect.get_ref().clone());
            Kind::Udp(Arc::new(Udp { payload: payload.clone(), expect, require_reply }))
        }
        model::CheckKind::File { path } => {
            let path = path.as_ref()?;
            absolute(path, "the file", report);
            Kind::File(PathBuf::from(path.get_ref()))
        }
        model::CheckKind::Bfd(keys) => Kind::Bfd(Arc::new(super::bfd::session(keys, written.interval))),
        model::CheckKind::Agent { send } => Kind::Agent(Arc::new(Agent { send: send.clone() })),
    })
}

fn http(written: &model::HttpCheck, report: &mut Report<'_>) -> Http {
    if let Some(method) = &written.method {
        let text = method.get_ref();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            report
                .error(&method.span(), format!("{text:?} is not a method"))
                .help("write \"GET\" or \"HEAD\"");
        }
    }
    if let Some(path) = &written.path {
        no_control(path, "path", true, report);
        if !path.get_ref().starts_with('/') {
            report.error(&path.span(), "`path` must begin with a slash").help("as in `path = \"/healthz\"`");
        }
    }
    if let Some(host) = &written.host {
        no_control(host, "host", true, report);
    }
    for (name, value) in &written.headers {
        let text = name.get_ref();
        // RFC 9110 section 5.6.2.
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if text.is_empty() || !text.bytes().all(is_token) {
            report.error(&name.span(), format!("{text:?} cannot be the name of a header"));
        } else if text.eq_ignore_ascii_case("host") {
            report.error(&name.span(), "the host has a key of its own: `host`");
        }
        no_control(value, text, false, report);
    }
    let text = |written: &Option<Spanned<String>>, default: &str| {
        written.as_ref().map_or_else(|| default.to_owned(), |text| text.get_ref().clone())
    };
    Http {
        method: text(&written.method, "GET"),
        path: text(&written.path, "/"),
        host: written.host.as_ref().map(|host| host.get_ref().clone()),
        headers: written.headers.iter().map(|(n, v)| (n.get_ref().clone(), v.get_ref().clone())).collect(),
        version: written.version,
        status: written.status.clone().unwrap_or_else(|| StatusSet(vec![(200, 299)])),
        body: Body { text: written.body.clone(), regex: written.body_regex.clone(), digest: written.digest },
    }
}

fn tls(written: &model::TlsKeys, report: &mut Report<'_>) -> Tls {
    if let Some(sni) = &written.sni {
        no_control(sni, "sni", true, report);
    }
    let verify = written.verify.as_ref().is_none_or(|verify| *verify.get_ref());
    if let Some(ca) = written.ca.as_ref().filter(|_| !verify) {
        let finding = report.error(&ca.span(), "`ca` is without effect beside `verify = false`");
        finding.help("take one of them out");
    }
    let files = [&written.ca, &written.client_certificate, &written.client_key];
    for path in files.into_iter().flatten() {
        absolute(path, "a file of TLS", report);
    }
    let path = |written: &Option<Spanned<String>>| written.as_ref().map(|path| PathBuf::from(path.get_ref()));
    let client = match (&written.client_certificate, &written.client_key) {
        (Some(lonely), None) => {
            report.error(&lonely.span(), "`client_certificate` needs `client_key`");
            None
        }
        (None, Some(lonely)) => {
            report.error(&lonely.span(), "`client_key` needs `client_certificate`");
            None
        }
        (certificate, key) => path(certificate).zip(path(key)),
    };
    let sni = written.sni.as_ref().map(|sni| sni.get_ref().clone());
    let warn_before = written.warn_before.unwrap_or(WARN_BEFORE);
    Tls { sni, verify, ca: path(&written.ca), client, warn_before }
}

fn absolute(path: &Spanned<String>, what: &str, report: &mut Report<'_>) {
    if !path.get_ref().starts_with('/') {
        let finding = report.error(&path.span(), format!("{what} must be named by its whole path"));
        finding.help("begin with a slash: the daemon has no working directory of its own");
    }
}

/// What goes into a request must not end a line of it.
fn no_control(text: &Spanned<String>, key: &str, no_space: bool, report: &mut Report<'_>) {
    let is_wrong = |c: char| c.is_control() || (no_space && c.is_whitespace());
    if text.get_ref().is_empty() && no_space {
        report.error(&text.span(), format!("`{key}` is empty")).help("take it out for its default");
    } else if text.get_ref().chars().any(is_wrong) {
        report.error(&text.span(), format!("`{key}` has characters that end a word or a line"));
    }
}
