//! What of the machine keeps the box from running, or from running fast; and what to change.
//!
//! Everything is read from `/proc` and `/sys`, below a root that tests put elsewhere; of the kernel itself sockets, drivers'
//! offloads and the network's state are asked for. Whatever makes a start fail and can be foreseen is a problem here.

mod backends;
mod checks;
mod cpu;
mod kernel;
mod memory;
mod neighbours;
mod nic;
mod routing;
mod start;
mod tags;
mod virtio;

use std::fs;
use std::path::{Path, PathBuf};

use dataplane::limits::MAX_INTERFACES;
use dataplane::{HugePages, TagOffload};
use serde::{Deserialize, Serialize};

use crate::config::{Config, Machine, load_str};
use crate::net::{NetError, NetState, own_addresses};

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

    /// The kernel does not tell of the network.
    #[must_use]
    pub fn of_netlink(error: &NetError) -> Self {
        Self::problem(
            "network",
            error.to_string(),
            "the daemon needs netlink, as every kernel of a distribution has it",
        )
    }

    fn problem(what: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Problem, advice: advice.into(), ..Self::ok(what, found) }
    }
}

/// What a machine says of itself.
#[derive(Debug)]
pub struct Sight {
    root: PathBuf,
    device: fn(&str) -> Device,
}

impl Default for Sight {
    fn default() -> Self {
        Self { root: PathBuf::from("/"), device: Device::of }
    }
}

/// What a driver says of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Device {
    /// One end of a pair.
    is_veth: bool,
    /// Its frames come from a wire.
    has_hardware: bool,
    /// What it does with VLAN tags; `None`: it does not say.
    tags: Option<TagOffload>,
    /// Pairs of queues; `None`: as many as there are directories.
    queues: Option<usize>,
}

impl Device {
    fn of(name: &str) -> Self {
        Self {
            is_veth: dataplane::is_veth(name),
            has_hardware: dataplane::has_hardware(name),
            tags: dataplane::tag_offload(name).ok(),
            queues: dataplane::queues(name).ok().map(usize::from),
        }
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
        let none = |_: &str| Device { is_veth: false, has_hardware: true, tags: None, queues: None };
        Self { root, device: none }
    }

    #[cfg(test)]
    fn with(self, device: fn(&str) -> Device) -> Self {
        let root = self.root.clone();
        std::mem::forget(self);
        Self { root, device }
    }

    /// Whether this is the machine that it runs on.
    fn is_real(&self) -> bool {
        self.root.as_os_str() == "/"
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

/// All that is to be said of a machine that is to run this configuration. `net`: what the kernel knows of the network.
#[must_use]
pub fn examine(sight: &Sight, config: &Config, machine: &Machine, net: &NetState) -> Vec<Finding> {
    let mut findings = kernel::examine(sight);
    findings.extend(cpu::examine(sight, &config.dataplane.cores));
    findings.extend(memory::examine(sight, &config.dataplane));
    findings.push(memory::descriptors(sight, config));
    findings.extend(neighbours::examine(sight));
    findings.extend(start::examine(sight, config, net));
    for interface in &config.interfaces {
        findings.extend(nic::examine(sight, interface, (config, machine), net));
    }
    let own = own_addresses(net);
    findings.extend(backends::examine(config, &own));
    findings.extend(checks::sources(config, &own, net));
    if sight.is_real() {
        findings.extend(checks::files(config));
    }
    findings.extend(routing::examine(net, config));
    findings
}

/// The same of a machine that has no configuration yet: with the defaults, and all interfaces that services could use. What
/// would be a problem of one of them is advice, since it may be for something else.
#[must_use]
pub fn examine_machine(sight: &Sight, machine: &Machine, net: &NetState) -> Vec<Finding> {
    let names = sight.names("/sys/class/net").into_iter().filter(|name| name != "lo");
    let (wired, others): (Vec<_>, Vec<_>) = names.partition(|name| (sight.device)(name).has_hardware);
    let names = if wired.is_empty() { others } else { wired };
    let named = names.iter().take(MAX_INTERFACES).map(|name| format!("[[interface]]\nname = {name:?}\n"));
    let text: String = named.collect();
    let mut findings = kernel::examine(sight);
    // Without a single interface there is no configuration.
    let Ok((config, _)) = load_str("defaults", &text, machine) else { return findings };
    findings.extend(cpu::examine(sight, &config.dataplane.cores));
    findings.extend(memory::examine(sight, &config.dataplane));
    let of_nics = config.interfaces.iter().flat_map(|one| nic::examine(sight, one, (&config, machine), net));
    findings.extend(of_nics.map(|finding| match finding.state {
        State::Problem => Finding { state: State::Advice, ..finding },
        State::Ok | State::Advice => finding,
    }));
    findings
}

/// The file itself: the daemon reads it again at a reload, without the right to read everything.
#[must_use]
pub fn reload(is_there: bool, file: &Path) -> Finding {
    const WHAT: &str = "configuration";
    let shown = file.display();
    if !is_there {
        return Finding::advice(
            WHAT,
            format!("there is none at {shown}: the machine alone was looked at, with the defaults"),
            "write it, or name one: penstock doctor --config FILE",
        );
    }
    let whole = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let closed =
        whole.ancestors().find(|path| fs::metadata(path).is_ok_and(|found| !is_open_to_root(&found)));
    match closed {
        None => Finding::ok(WHAT, shown.to_string()),
        Some(path) => Finding::problem(
            WHAT,
            format!("{} is closed to root without the right to read everything", path.display()),
            format!("chown root {}, or chmod o+rX", path.display()),
        ),
    }
}

/// As owner, by its group, or as anybody: a directory to search, a file to read.
fn is_open_to_root(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    let bit = if found.is_dir() { 1 } else { 4 };
    let class = match (found.uid(), found.gid()) {
        (0, _) => 6,
        (_, 0) => 3,
        _ => 0,
    };
    found.mode() >> class & bit != 0
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
