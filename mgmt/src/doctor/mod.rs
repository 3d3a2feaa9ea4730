//! What of the machine keeps the box from running, or from running fast; and what to change.
//!
//! Everything is read from `/proc` and `/sys`, below a root that tests put elsewhere; of the kernel itself only sockets are
//! asked for.

mod cpu;
mod kernel;
mod memory;
mod nic;
mod virtio;

use std::fs;
use std::path::PathBuf;

use dataplane::HugePages;
use serde::{Deserialize, Serialize};

use crate::config::Config;

/// How a finding is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// The box runs, and would run better.
    Advice,
    /// The box does not run, or not as it is configured.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How it is.
    pub state: State,
    /// What was looked at: `kernel`, `rp_filter eth0`.
    pub what: String,
    /// What there is.
    pub found: String,
    /// What to do; empty where all is well.
    pub advice: String,
}

impl Finding {
    fn ok(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { state: State::Ok, what: what.into(), found: found.into(), advice: String::new() }
    }

    fn advice(what: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Advice, advice: advice.into(), ..Self::ok(what, found) }
    }

    fn problem(what: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Problem, advice: advice.into(), ..Self::ok(what, found) }
    }
}

/// What a machine says of itself.
#[derive(Debug)]
pub struct Sight {
    root: PathBuf,
}

impl Default for Sight {
    fn default() -> Self {
        Self { root: PathBuf::from("/") }
    }
}

impl Sight {
    /// The text of a file, without the end of its last line.
    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.at(path)).ok().map(|text| text.trim_end().to_owned())
    }

    fn number(&self, path: &str) -> Option<u64> {
        self.text(path)?.trim().parse().ok()
    }

    fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(path)).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Where a link leads to: its last word.
    fn link(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.at(path)).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }

    fn is_there(&self, path: &str) -> bool {
        self.at(path).exists()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Self {
        let root = crate::api::fake::fresh_dir();
        for (path, text) in files {
            let path = root.join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { root }
    }
}

#[cfg(test)]
impl Drop for Sight {
    fn drop(&mut self) {
        if self.root.as_os_str() != "/" {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

/// All that is to be said of a machine that is to run this configuration.
#[must_use]
pub fn examine(sight: &Sight, config: &Config) -> Vec<Finding> {
    let mut findings = kernel::examine(sight);
    findings.extend(cpu::examine(sight, &config.dataplane.cores));
    findings.extend(memory::examine(sight, &config.dataplane));
    findings.push(memory::descriptors(sight, config));
    for interface in &config.interfaces {
        findings.extend(nic::examine(sight, interface, config));
    }
    findings
}

/// What a machine is to set aside for a configuration, for whoever prepares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// The cores of the workers.
    pub cores: Vec<usize>,
    /// The interfaces that carry packets of services.
    pub interfaces: Vec<String>,
    /// Huge pages for the flow table.
    pub huge_pages: u64,
}

/// What this configuration needs.
#[must_use]
pub fn needs(sight: &Sight, config: &Config) -> Needs {
    let huge_pages = match config.dataplane.huge_pages {
        HugePages::Off => 0,
        _ => memory::needed(sight, &config.dataplane),
    };
    let interfaces = config.interfaces.iter().map(|interface| interface.name.clone()).collect();
    Needs { cores: config.dataplane.cores.clone(), interfaces, huge_pages }
}

/// The numbers of a list like `0-3,8`.
fn list(text: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse::<usize>().ok()?..=last.trim().parse::<usize>().ok()?)
    };
    text.split(',').filter_map(range).flatten().take(4096).collect()
}

/// As such a list.
pub(crate) fn listed(numbers: &[usize]) -> String {
    let words: Vec<_> = numbers.iter().map(usize::to_string).collect();
    words.join(",")
}

#[cfg(test)]
mod tests;
