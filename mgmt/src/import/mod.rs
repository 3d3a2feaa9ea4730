//! Configurations of others as Penstock's: `keepalived.conf` and what `ipvsadm -S -n` prints. Pure.
//!
//! ```text
//! text ──parse──▶ statements ──map──▶ services, VRRP ──write──▶ configuration
//!                     └── each is marked: carried, carried but for a part, or lost, with the reason ──▶ notes
//! ```
//!
//! A statement that nobody has marked counts as lost: so nothing is lost in silence.

mod forward;
mod ipvsadm;
mod keepalived;
mod output;
mod statement;
mod value;

use std::collections::HashSet;
use std::fmt::Write;

use output::{Imported, Service};
pub use statement::Note;
use value::MAX_NAME;

/// Whose configuration it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `keepalived.conf(5)`
    Keepalived,
    /// The output of `ipvsadm -S -n`.
    Ipvsadm,
}

/// A file that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ParseError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The configuration, with the notes as comments in front.
    pub config: String,
    /// What has no counterpart, in the order of the file.
    pub notes: Vec<Note>,
}

/// Reads `text` as a configuration of `source`. `file` is what comments call it.
pub fn import(source: Source, file: &str, text: &str) -> Result<Import, ParseError> {
    match source {
        Source::Keepalived => keepalived::import(file, text),
        Source::Ipvsadm => ipvsadm::import(file, text),
    }
}

/// Takes out what a configuration of Penstock cannot have, and writes it.
fn finish<'s>(
    file: &str,
    text: &str,
    mut imported: Imported<'s>,
    write: impl FnOnce(&Imported<'s>) -> (String, Vec<Note>),
) -> Import {
    settle(&mut imported);
    let (body, mut notes) = write(&imported);
    notes.sort_by_key(|note| (note.line, note.last));
    let mut config = format!("# Imported from {file} by penstock import.\n");
    if !notes.is_empty() {
        // Writing to a String cannot fail.
        let _ = writeln!(config, "#\n# What has no counterpart in Penstock:");
    }
    let lines: Vec<_> = text.lines().collect();
    for note in &notes {
        let said = lines.get(note.line - 1..note.last).unwrap_or_default();
        let _ = writeln!(config, "#\n# {file}:{}: {}", note.line, note.reason);
        for line in said.iter().filter(|line| !line.trim().is_empty()) {
            // A comment of TOML has no control characters but tabs.
            let line: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
            let _ = writeln!(config, "#     {}", line.trim_end());
        }
    }
    Import { config: config + "\n" + &body, notes }
}

/// What is known only when all services are there.
fn settle(imported: &mut Imported<'_>) {
    let mut seen = HashSet::new();
    imported.services.retain(|service| {
        let is_new = seen.insert((service.address, service.protocol, service.ports));
        if !is_new {
            service
                .source
                .carry_without(format!("{} has a service for these ports already", service.address));
        }
        is_new
    });
    let mut names = HashSet::new();
    let vips: Vec<_> = imported.services.iter().map(|service| service.address).collect();
    for service in &mut imported.services {
        service.name = free_name(service, &mut names);
        let taken = |address| vips.iter().find(|vip| vip.contains(address));
        service.backends.retain(|backend| {
            let vip = taken(backend.address);
            if let Some(vip) = vip {
                let why = format!("{} is a virtual IP ({vip}) and cannot be a backend", backend.address);
                backend.source.lose(why);
            }
            vip.is_none()
        });
        if let Some((address, source)) = service.backup
            && let Some(vip) = taken(address)
        {
            source.lose(format!("{address} is a virtual IP ({vip}) and cannot take the place of a backend"));
            service.keys.remove("backup");
        }
    }
}

/// Its own, or with its protocol or a number behind it.
fn free_name(service: &Service<'_>, taken: &mut HashSet<String>) -> String {
    const ROOM: usize = 8;
    let own = &service.name;
    let short: String = own.chars().take(MAX_NAME - ROOM).collect();
    let with_protocol = format!("{short}-{}", service.protocol);
    let numbered = (2..).map(|number| format!("{short}-{number}"));
    let mut names = [own.clone(), with_protocol].into_iter().chain(numbered);
    let name = names.find(|name| !taken.contains(name)).unwrap_or_default();
    taken.insert(name.clone());
    name
}

#[cfg(test)]
mod tests;
