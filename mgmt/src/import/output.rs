//! What is imported, and how it is written as a configuration.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use dataplane::types::{Mode, PortRange, Prefix, Protocol};
use toml_edit::Value;

use super::statement::Statement;

/// The keys of one table, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Keys(Vec<(&'static str, String)>);

impl Keys {
    pub(super) fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        let value: Value = value.into();
        self.0.retain(|(name, _)| *name != key);
        self.0.push((key, value.to_string().trim().to_owned()));
    }

    pub(super) fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.set(key, value);
        self
    }

    pub(super) fn time(&mut self, key: &'static str, time: Duration) {
        self.set(key, duration(time));
    }

    pub(super) fn list(&mut self, key: &'static str, values: impl IntoIterator<Item = String>) {
        self.set(key, values.into_iter().collect::<toml_edit::Array>());
    }

    /// A table in one line.
    pub(super) fn inline(&self) -> String {
        let keys: Vec<_> = self.0.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        format!("{{ {} }}", keys.join(", "))
    }

    /// A value that is TOML already.
    pub(super) fn raw(&mut self, key: &'static str, value: String) {
        self.0.push((key, value));
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.0.retain(|(name, _)| *name != key);
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str())
    }

    /// Of a check: whether it asks a port and does not say which.
    pub(super) fn needs_port(&self) -> bool {
        let asks = |kind: &str| !["\"ping\"", "\"script\"", "\"file\""].contains(&kind);
        self.get("check").is_some_and(asks) && self.get("port").is_none()
    }

    fn write(&self, text: &mut String) {
        for (key, value) in &self.0 {
            line(text, format_args!("{key} = {value}"));
        }
    }
}

/// As short as it can be said.
pub(super) fn duration(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{}s", time.as_secs()),
        _ => format!("{}ms", time.as_millis()),
    }
}

/// A service, and what said so.
#[derive(Debug)]
pub(super) struct Service<'s> {
    pub(super) name: String,
    pub(super) address: Prefix,
    pub(super) ports: PortRange,
    pub(super) protocol: Protocol,
    pub(super) mode: Mode,
    pub(super) keys: Keys,
    /// Who takes the backends' place, and what said so.
    pub(super) backup: Option<(IpAddr, &'s Statement)>,
    pub(super) backends: Vec<Backend<'s>>,
    pub(super) source: &'s Statement,
}

/// A backend, and what said so.
#[derive(Debug, Clone)]
pub(super) struct Backend<'s> {
    pub(super) address: IpAddr,
    pub(super) port: Option<u16>,
    pub(super) keys: Keys,
    pub(super) checks: Vec<Keys>,
    pub(super) source: &'s Statement,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Imported<'s> {
    pub(super) node: Keys,
    pub(super) timeouts: Keys,
    pub(super) interfaces: BTreeSet<String>,
    pub(super) vrrp: Vec<Keys>,
    pub(super) services: Vec<Service<'s>>,
}

impl Imported<'_> {
    /// The configuration; of `file`, which messages and comments call it.
    pub(super) fn write(&self, file: &str) -> String {
        let mut text = String::new();
        if self.node != Keys::default() {
            line(&mut text, format_args!("\n[node]"));
            self.node.write(&mut text);
        }
        if self.timeouts != Keys::default() {
            line(&mut text, format_args!("\n[dataplane]\nflow_timeouts = {}", self.timeouts.inline()));
        }
        line(
            &mut text,
            format_args!("\n# Every interface that carries packets of the services has to be here, "),
        );
        line(&mut text, format_args!("# towards the clients and towards the backends."));
        if self.interfaces.is_empty() {
            line(&mut text, format_args!("# {file} names none: is it eth0?\n[[interface]]\nname = \"eth0\""));
        }
        for name in &self.interfaces {
            let name = Value::from(name.as_str());
            line(&mut text, format_args!("[[interface]]\nname = {name}\n"));
        }
        for vrrp in &self.vrrp {
            line(&mut text, format_args!("\n[[vrrp]]"));
            vrrp.write(&mut text);
        }
        self.services.iter().for_each(|service| service.write(file, &mut text));
        tidy(&text)
    }
}

impl Service<'_> {
    fn write(&self, file: &str, text: &mut String) {
        line(text, format_args!("\n# {file}:{}\n[[service]]", self.source.line));
        let mut keys = Keys::default().with("name", &self.name).with("address", self.address.to_string());
        match self.ports.single() {
            Some(port) => keys.set("port", i64::from(port.0)),
            None => keys.set("ports", self.ports.to_string()),
        }
        keys.set("protocol", self.protocol.to_string());
        keys.set("mode", self.mode.to_string());
        keys.write(text);
        self.keys.write(text);
        let shared = self.shared_checks();
        checks("service.health", shared, text);
        for backend in &self.backends {
            line(text, format_args!("\n[[service.backend]]"));
            let mut keys = Keys::default().with("address", backend.address.to_string());
            if let Some(port) = backend.port {
                keys.set("port", i64::from(port));
            }
            keys.write(text);
            backend.keys.write(text);
            if shared.is_empty() {
                checks("service.backend.health", &backend.checks, text);
            }
        }
    }

    /// The checks of all backends, where they are the same.
    fn shared_checks(&self) -> &[Keys] {
        let first = self.backends.first().map_or(&[][..], |backend| &backend.checks);
        let is_shared = self.backends.len() > 1 && self.backends.iter().all(|b| b.checks == first);
        if is_shared { first } else { &[] }
    }
}

fn checks(table: &str, checks: &[Keys], text: &mut String) {
    for check in checks {
        let header = if checks.len() == 1 { format!("[{table}]") } else { format!("[[{table}]]") };
        line(text, format_args!("\n{header}"));
        check.write(text);
    }
}

pub(super) fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{what}");
}

/// No two empty lines, and no space at the end of one.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    for line in text.lines().map(str::trim_end) {
        if !(line.is_empty() && (tidy.is_empty() || tidy.ends_with("\n\n"))) {
            tidy.push_str(line);
            tidy.push('\n');
        }
    }
    tidy.truncate(tidy.trim_end().len());
    tidy + "\n"
}
