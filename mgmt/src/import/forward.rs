//! How packets reach servers, and which one: what IPVS calls methods and schedulers.

use dataplane::types::{Mode, Port};

use super::output::{Keys, Service};
use super::statement::Statement;

/// A forwarding method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Method {
    pub(super) mode: Mode,
    /// Kind and port of the tunnel.
    pub(super) tunnel: Option<(String, Option<u16>)>,
}

impl Default for Method {
    fn default() -> Self {
        Self { mode: Mode::Router, tunnel: None }
    }
}

impl Method {
    pub(super) fn keys(&self, keys: &mut Keys) {
        let Some((kind, port)) = &self.tunnel else { return };
        let mut tunnel = Keys::default().with("kind", kind);
        if let Some(port) = port {
            tunnel.set("port", i64::from(*port));
        }
        keys.raw("tunnel", tunnel.inline());
    }
}

/// `NAT`, `DR`, `TUN [type {ipip|gue port NUM|gre} [nocsum|csum|remcsum]]`.
pub(super) fn method(statement: &Statement) -> Method {
    statement.carry();
    match statement.word(1).unwrap_or_default() {
        "NAT" => Method::default(),
        "DR" => Method { mode: Mode::Dsr, tunnel: None },
        "TUN" => {
            let (mut kind, mut port) = ("ipip".to_owned(), None);
            let mut words = statement.arguments().iter().skip(1);
            while let Some(word) = words.next() {
                match word.as_str() {
                    "type" => kind = words.next().cloned().unwrap_or(kind),
                    "port" => port = words.next().and_then(|text| text.parse().ok()),
                    // Ours have none where none is needed.
                    "nocsum" => {}
                    other => statement.carry_without(format!("`{other}` has no counterpart")),
                }
            }
            if !["ipip", "gre", "gue"].contains(&kind.as_str()) {
                statement.carry_without(format!("`{kind}` is no kind of tunnel here: ipip is taken"));
                kind = "ipip".to_owned();
            }
            Method { mode: Mode::Tunnel, tunnel: Some((kind, port)) }
        }
        other => {
            statement.lose(format!("`{other}` is no way to forward: NAT is taken"));
            Method::default()
        }
    }
}

/// A scheduler of IPVS under its name here.
pub(super) fn scheduler(name: &str) -> Option<&'static str> {
    const SAME: &[&str] =
        &["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "fo", "ovf", "sed", "nq", "twos"];
    match name {
        "mh" => Some("maglev"),
        name => SAME.iter().find(|same| **same == name).copied(),
    }
}

/// The port of a server where it is not its service's own. What is not translated keeps its port.
pub(super) fn port(source: &Statement, said: Option<&str>, service: &Service<'_>) -> Option<u16> {
    let port = said.and_then(|text| text.parse::<u16>().ok()).filter(|port| *port > 0)?;
    if service.ports.single() == Some(Port(port)) {
        return None;
    }
    if !service.mode.is_two_way() {
        let mode = service.mode;
        source.carry_without(format!("in {mode} mode a packet keeps its port: {port} is not taken"));
        return None;
    }
    Some(port)
}
