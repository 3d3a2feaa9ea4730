//! What of the machine keeps a configuration's checks from running: files of TLS, users of scripts. Found out before the
//! configuration is put in force, because a check that cannot run finds nothing out about its backend.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Workshop;
use super::script::{Context, Launcher, Prepared};
use crate::bfd::board::Board;
use crate::config::health::{Kind, Script, Tls};
use crate::config::{Config, Diagnostic, Severity};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// The daemon, where it is to run.
    ThisDaemon,
    /// Whoever writes the file. That may be another machine, or another user: what cannot be read is a warning.
    AnyMachine,
}

/// One finding for each cause, with a service that has it.
#[must_use]
pub fn examine(config: &Config, who: For) -> Vec<Diagnostic> {
    let mut workshop = Workshop::new(Launcher::default(), Arc::new(Board::default()));
    let (mut seen, mut known, mut findings) = (HashSet::new(), BTreeSet::new(), Vec::new());
    for service in &config.services {
        let mut last = None;
        for health in service.backends.iter().filter_map(|backend| backend.health.as_ref()) {
            // Most backends share the service's.
            if last.replace(health).is_some_and(|last| Arc::ptr_eq(last, health)) {
                continue;
            }
            for kind in health.checks.iter().map(|check| &check.kind) {
                // Thousands of backends may share the files and differ in their names.
                let Some(needs) = Needs::of(kind).filter(|needs| seen.insert(needs.clone())) else {
                    continue;
                };
                let Some((severity, why)) = workshop.hindrance(&needs, who) else { continue };
                if known.insert(why.clone()) {
                    let message = format!("service {}, check {}: {why}", service.name, kind.word());
                    findings.push(Diagnostic { severity, ..Diagnostic::error(message) });
                }
            }
        }
    }
    findings
}

/// What a check needs of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Needs {
    /// Whether certificates are verified, who is trusted, and what the check shows of itself.
    Tls { verify: bool, ca: Option<PathBuf>, client: Option<(PathBuf, PathBuf)> },
    /// Whom a script runs as.
    User(Option<String>),
}

impl Needs {
    fn of(kind: &Kind) -> Option<Self> {
        let tls = match kind {
            Kind::Https(_, tls) => Some(tls),
            Kind::Smtp(smtp) => smtp.starttls.as_ref(),
            Kind::Script(script) => return Some(Self::User(script.user.clone())),
            _ => None,
        };
        let Tls { verify, ca, client, sni: _, warn_before: _ } = &**tls?;
        Some(Self::Tls { verify: *verify, ca: ca.clone(), client: client.clone() })
    }
}

impl Workshop {
    fn hindrance(&mut self, needs: &Needs, who: For) -> Option<(Severity, String)> {
        match needs {
            Needs::Tls { verify, ca, client } => {
                let (verify, ca, client) = (*verify, ca.clone(), client.clone());
                let tls = Tls { verify, ca, client, sni: None, warn_before: Duration::ZERO };
                let unusable = self.tls.client(&Arc::new(tls)).err()?;
                let is_elsewhere = who == For::AnyMachine && unusable.is_out_of_reach;
                Some((if is_elsewhere { Severity::Warning } else { Severity::Error }, unusable.why))
            }
            // Another machine has other users.
            Needs::User(_) if who == For::AnyMachine => None,
            Needs::User(user) => {
                let script = Script { command: Vec::new(), dynamic: false, user: user.clone() };
                let why = Prepared::new(&script, &Launcher::default(), Context::default()).err()?;
                Some((Severity::Error, why))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Machine, load_str};

    fn findings(checks: &str, who: For) -> Vec<(Severity, String)> {
        let text = format!(
            "[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\nport = 80\n\
             mode = \"router\"\n{checks}\n[[service.backend]]\naddress = \"10.0.1.11\"\n\
             [[service.backend]]\naddress = \"10.0.1.12\"\n"
        );
        let machine = Machine { cores: 2, hostname: "lb".to_owned(), ..Machine::default() };
        let (config, _) = load_str("lb.toml", &text, &machine).unwrap_or_else(|errors| panic!("{errors}"));
        examine(&config, who).into_iter().map(|finding| (finding.severity, finding.message)).collect()
    }

    #[test]
    fn files_that_cannot_be_used_are_found_before_checks_run() {
        let dir = crate::api::fake::fresh_dir();
        std::fs::create_dir_all(&dir).unwrap();
        let empty = dir.join("empty.pem");
        std::fs::write(&empty, "nothing").unwrap();
        let absent = "health = { check = \"https\", ca = \"/nowhere/ca.pem\" }";
        let words = "service web, check https: cannot read /nowhere/ca.pem: not found".to_owned();
        assert_eq!(findings(absent, For::ThisDaemon), [(Severity::Error, words.clone())]);
        assert_eq!(findings(absent, For::AnyMachine), [(Severity::Warning, words)]);
        let empty = format!("health = {{ check = \"smtp\", starttls = true, ca = \"{}\" }}", empty.display());
        for who in [For::ThisDaemon, For::AnyMachine] {
            let [(Severity::Error, why)] = &findings(&empty, who)[..] else { panic!("{who:?}") };
            assert!(why.contains("empty.pem has no certificate"), "{why}");
        }
        let without = empty.replace("true", "false");
        assert_eq!(findings(&without, For::ThisDaemon), [], "no TLS is wanted");
        let script = "health = { check = \"script\", command = [\"/bin/true\"], user = \"no-such-user\" }";
        assert_eq!(findings(script, For::AnyMachine), []);
        assert_eq!(findings(script, For::ThisDaemon).len(), 1);
        let _ = std::fs::remove_dir_all(&dir);
    }
}
