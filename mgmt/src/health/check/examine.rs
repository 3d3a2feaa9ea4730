//! What of the machine keeps a configuration's checks from running: files of TLS, users of scripts. Found out before the
//! configuration is put in force, because a check that cannot run finds nothing out about its backend.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::script;
use super::tls::{Files, Settings};
use crate::config::health::{Check, Kind, Script};
use crate::config::{Config, Diagnostic, Severity};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// The daemon, where it is to run.
    ThisDaemon,
    /// Whoever writes the file. That may be another machine, or another user: what cannot be read is a warning.
    AnyMachine,
}

/// One finding for each cause, with a service that has it. Reads files, for as long as their disks take.
#[must_use]
pub fn examine(config: &Config, who: For) -> Vec<Diagnostic> {
    let mut settings = Settings::default();
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
                let Some((severity, why)) = needs.hindrance(&mut settings, who) else { continue };
                if known.insert(why.clone()) {
                    let message = format!("service {}, check {}: {why}", service.name, kind.word());
                    findings.push(Diagnostic { severity, ..Diagnostic::error(message) });
                }
            }
        }
    }
    findings
}

/// Whether any check needs files, so that [`examine`] may take long.
#[must_use]
pub fn needs_files(config: &Config) -> bool {
    let backends = config.services.iter().flat_map(|service| &service.backends);
    let checks = backends.filter_map(|backend| backend.health.as_ref()).flat_map(|health| &health.checks);
    let needs = |check: &Check| match Needs::of(&check.kind) {
        Some(Needs::Tls(files)) => files.are_any(),
        needs => needs.is_some(),
    };
    checks.into_iter().any(needs)
}

/// What a check needs of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Needs {
    /// Files of TLS.
    Tls(Files),
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
        Some(Self::Tls(Files::from(&**tls?)))
    }

    fn hindrance(&self, settings: &mut Settings, who: For) -> Option<(Severity, String)> {
        match self {
            Self::Tls(files) => {
                let unusable = settings.config(files).err()?;
                let is_elsewhere = who == For::AnyMachine && unusable.is_out_of_reach;
                Some((if is_elsewhere { Severity::Warning } else { Severity::Error }, unusable.why))
            }
            // Another machine has other users.
            Self::User(_) if who == For::AnyMachine => None,
            Self::User(user) => {
                let script = Script { command: Vec::new(), dynamic: false, user: user.clone() };
                Some((Severity::Error, script::hindrance(&script)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Machine, load_str};

    fn config(checks: &str) -> Config {
        let text = format!(
            "[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\nport = 80\n\
             mode = \"router\"\n{checks}\n[[service.backend]]\naddress = \"10.0.1.11\"\n\
             [[service.backend]]\naddress = \"10.0.1.12\"\n"
        );
        let machine = Machine { cores: 2, hostname: "lb".to_owned(), ..Machine::default() };
        load_str("lb.toml", &text, &machine).unwrap_or_else(|errors| panic!("{errors}")).0
    }

    fn findings(checks: &str, who: For) -> Vec<(Severity, String)> {
        examine(&config(checks), who).into_iter().map(|finding| (finding.severity, finding.message)).collect()
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
        for (checks, needs) in [
            (absent, true),
            ("health = { check = \"https\" }", true),
            ("health = { check = \"tcp\" }", false),
        ] {
            assert_eq!(needs_files(&config(checks)), needs, "{checks}");
        }
        assert!(!needs_files(&config("health = { check = \"https\", verify = false }")));
        let without = empty.replace("true", "false");
        assert_eq!(findings(&without, For::ThisDaemon), [], "no TLS is wanted");
        let script = "health = { check = \"script\", command = [\"/bin/true\"], user = \"no-such-user\" }";
        assert_eq!(findings(script, For::AnyMachine), []);
        assert_eq!(findings(script, For::ThisDaemon).len(), 1);
        let _ = std::fs::remove_dir_all(&dir);
    }
}
