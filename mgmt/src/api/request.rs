//! What the control socket asks of the daemon, and what the daemon answers.
//!
//! The server's handlers own no state: each sends one [`Request`] to the supervisor and waits for the
//! answer. The supervisor is the only one who knows the configuration, the backends and the data
//! plane, and it answers between two events of its own, so no answer shows half a change.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use dataplane::capture::Capture;
use tokio::sync::{mpsc, oneshot};

use super::view;
use crate::config::{Diagnostic, Errors};
use crate::events::Events;
use crate::history::Caller;

/// Requests that may wait for the supervisor.
pub const QUEUE: usize = 64;

/// Where an answer goes. That nobody waits for it any more is no error.
pub type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// The receiving end, for the supervisor; the sending one, for the [server](super::server).
#[must_use]
pub fn channel() -> (mpsc::Sender<Request>, mpsc::Receiver<Request>) {
    mpsc::channel(QUEUE)
}

/// One question.
#[derive(Debug)]
pub enum Request {
    /// The box as a whole.
    Status(Reply<view::Status>),
    /// All services, in the order of the configuration.
    Services(Reply<Vec<view::Service>>),
    /// The service of that name; [`Refusal::not_found`] if there is none.
    Service(String, Reply<view::Service>),
    /// Flows out of the table.
    Flows(FlowQuery, Reply<Vec<view::Flow>>),
    /// The VRRP instances.
    Vrrp(Reply<Vec<view::Vrrp>>),
    /// Let another box be master of the virtual router of that name.
    HandOver(String, Reply<view::VrrpState>),
    /// The interfaces, as in the status.
    Interfaces(Reply<Vec<view::Interface>>),
    /// The next hops that the data plane needs.
    Neighbours(Reply<Vec<view::Neighbour>>),
    /// Frames, drops and rings.
    Stats(Reply<view::Stats>),
    /// What was dropped last, for all reasons or the one with that code.
    Drops(Option<String>, Reply<Vec<view::Dropped>>),
    /// What has happened lately, and what will.
    Events(Reply<Arc<Events>>),
    /// Show packets; [`Refusal::conflict`] if somebody looks already.
    Capture(CaptureQuery, Reply<Capturing>),
    /// Whether a configuration is right.
    Check(ConfigText, Reply<view::Checked>),
    /// What a configuration would change.
    Plan(ConfigText, Reply<view::Planned>),
    /// Put a configuration in force; [`Refusal::conflict`] if it needs a restart. With a time, it is taken back
    /// after that unless it is confirmed.
    Apply(ConfigText, Option<Duration>, Caller, Reply<view::Planned>),
    /// Read the daemon's file anew and put it in force, on the same terms.
    Reload(Caller, Reply<view::Planned>),
    /// Keep what was put in force for a time.
    Confirm(Caller, Reply<view::Confirmed>),
    /// Put in force what was before, or what has that number in the history.
    Rollback(Option<u64>, Caller, Reply<view::Planned>),
    /// The configurations that were put in force.
    History(Reply<Vec<view::Applied>>),
    /// The text of one of them.
    Text(u64, Reply<String>),
    /// Change what the operator wants of a backend; answers the backend as it is then.
    SetBackend(BackendRef, view::BackendChange, Reply<view::Backend>),
    /// Clients that are remembered; of a service's alone.
    Persistence(Option<String>, Reply<Vec<view::Client>>),
    /// Forget some of them.
    Flush(view::FlushQuery, Reply<view::Forgotten>),
    /// Which backend a client of a service would get.
    Explain(String, (IpAddr, Option<u16>), Reply<view::Explained>),
    /// What would happen to a packet.
    Trace(view::TraceQuery, Reply<view::Trace>),
}

/// Which flows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowQuery {
    /// Of this service only; [`Refusal::not_found`] if there is none of that name.
    pub service: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// Which packets: those for which all that is said is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureQuery {
    /// Of the service of that name.
    pub service: Option<String>,
    /// From or to that address.
    pub client: Option<IpAddr>,
    /// Dropped for the reason with that code.
    pub drop: Option<String>,
}

/// A capture that has begun. Whoever reads it ends it.
#[derive(Debug)]
pub struct Capturing {
    /// Where packets come out.
    pub capture: Arc<Capture>,
    /// The interfaces' names, by number.
    pub interfaces: Vec<String>,
    /// When the data plane's clock was zero, in nanoseconds since 1970.
    pub epoch_nanos: u64,
}

/// A configuration that was sent instead of being read from the daemon's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigText {
    /// What messages call it.
    pub name: String,
    /// The TOML text.
    pub text: String,
}

/// A backend of a service, as operators name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendRef {
    /// The service's name.
    pub service: String,
    /// The backend's address.
    pub address: IpAddr,
    /// Its port; may be left out if only one backend of the service has that address.
    pub port: Option<u16>,
}

impl BackendRef {
    /// Reads `ADDRESS` or `ADDRESS:PORT`; IPv6 with a port is written in brackets.
    pub fn parse(service: &str, backend: &str) -> Result<Self, String> {
        let service = service.to_owned();
        if let Ok(endpoint) = SocketAddr::from_str(backend) {
            return Ok(Self { service, address: endpoint.ip(), port: Some(endpoint.port()) });
        }
        let bare = backend.strip_prefix('[').and_then(|b| b.strip_suffix(']')).unwrap_or(backend);
        match bare.parse() {
            Ok(address) => Ok(Self { service, address, port: None }),
            Err(_) => Err(format!(
                "{backend:?} is not a backend's address: write ADDRESS or ADDRESS:PORT, \
                 as in 10.0.1.11:8080 or [2001:db8::11]:8080"
            )),
        }
    }

    /// The one of `backends` (address and port of each, where it has one) that is meant: its place in the
    /// list.
    pub fn find(&self, backends: impl IntoIterator<Item = (IpAddr, Option<u16>)>) -> Result<usize, Refusal> {
        let meant = |(address, port): (IpAddr, Option<u16>)| {
            address == self.address && self.port.is_none_or(|wanted| port == Some(wanted))
        };
        let mut found = backends.into_iter().enumerate().filter(|(_, backend)| meant(*backend));
        let name = match self.port {
            Some(port) => SocketAddr::new(self.address, port).to_string(),
            None => self.address.to_string(),
        };
        let service = &self.service;
        let Some((place, _)) = found.next() else {
            return Err(Refusal::not_found(format!(
                "service {service} has no backend {name}: `penstock services` lists them"
            )));
        };
        match found.next() {
            None => Ok(place),
            Some(_) => Err(Refusal::conflict(format!(
                "service {service} has several backends with the address {name}: add the port"
            ))),
        }
    }
}

/// Why a request is refused; see [`view::Refused`] for what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of refusal it is.
    pub kind: RefusalKind,
    /// What, where, and what to do, in one line.
    pub message: String,
    /// The single findings, where there are several.
    pub details: Vec<Diagnostic>,
}

/// What kind of refusal it is; decides the HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// 400: the request makes no sense.
    Malformed,
    /// 404: there is no such thing.
    NotFound,
    /// 403: not by this socket.
    Forbidden,
    /// 405: the thing is there, the method is not.
    Method,
    /// 409: it cannot be done as things are now.
    Conflict,
    /// 413: the body is too large.
    TooLarge,
    /// 422: the configuration has errors.
    Invalid,
    /// 500: the daemon tried and failed.
    Failed,
    /// 503: the daemon does not answer.
    Unavailable,
}

impl Refusal {
    /// A refusal in one line.
    #[must_use]
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), details: Vec::new() }
    }

    /// There is no such thing.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::NotFound, message)
    }

    /// It cannot be done as things are now.
    #[must_use]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::Conflict, message)
    }

    /// The daemon tried and failed.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::Failed, message)
    }

    /// There is no service of that name.
    #[must_use]
    pub fn unknown_service(name: &str) -> Self {
        Self::not_found(format!("there is no service {name:?}: `penstock services` lists them"))
    }

    /// A configuration that changes what is fixed while the daemon runs.
    #[must_use]
    pub fn needs_restart(name: &str, needs_restart: &[String]) -> Self {
        let message = format!("{name} was not applied: it changes what needs a restart of penstockd");
        let details = needs_restart.iter().map(|what| Diagnostic::error(format!("needs a restart: {what}")));
        Self { details: details.collect(), ..Self::conflict(message) }
    }

    /// A configuration that the network around the box does not allow.
    #[must_use]
    pub fn conflicts(name: &str, conflicts: impl IntoIterator<Item: Display>) -> Self {
        let message = format!("{name} was not applied: addresses in it are taken already");
        let details = conflicts.into_iter().map(|conflict| Diagnostic::error(conflict.to_string()));
        Self { details: details.collect(), ..Self::conflict(message) }
    }

    /// A configuration with errors.
    #[must_use]
    pub fn invalid(name: &str, errors: Errors) -> Self {
        let message = match errors.count() {
            1 => format!("{name} has an error; nothing was changed"),
            n => format!("{name} has {n} errors; nothing was changed"),
        };
        Self { details: errors.0, ..Self::new(RefusalKind::Invalid, message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(backend: &str) -> Option<(String, Option<u16>)> {
        let found = BackendRef::parse("web", backend).ok()?;
        Some((found.address.to_string(), found.port))
    }

    #[test]
    fn backends_are_named_with_or_without_a_port() {
        let expect = |address: &str, port| Some((address.to_owned(), port));
        assert_eq!(parse("10.0.1.11:8080"), expect("10.0.1.11", Some(8080)));
        assert_eq!(parse("10.0.1.11"), expect("10.0.1.11", None));
        assert_eq!(parse("[2001:db8::11]:80"), expect("2001:db8::11", Some(80)));
        assert_eq!(parse("[2001:db8::11]"), expect("2001:db8::11", None));
        assert_eq!(parse("2001:db8::11"), expect("2001:db8::11", None));
        for wrong in ["", "web1", "10.0.1.11:", "10.0.1.11:70000", "[10.0.1.11", "10.0.1"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_address_without_a_port_must_name_one_backend() {
        let backends = ["10.0.1.11:80", "10.0.1.12:80", "10.0.1.12:81"]
            .map(|b| b.parse::<SocketAddr>().unwrap())
            .map(|b| (b.ip(), Some(b.port())));
        let find = |name| BackendRef::parse("web", name).unwrap().find(backends).map_err(|r| r.kind);
        assert_eq!(find("10.0.1.11"), Ok(0));
        assert_eq!(find("10.0.1.12:81"), Ok(2));
        assert_eq!(find("10.0.1.12"), Err(RefusalKind::Conflict));
        assert_eq!(find("10.0.1.12:82"), Err(RefusalKind::NotFound));
    }
}
