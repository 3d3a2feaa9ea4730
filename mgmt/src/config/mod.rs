//! The configuration file: text to [`Config`] in three steps.
//!
//! 1. The TOML parser gives a tree with the place of each key and value.
//! 2. `read` turns it into a `model`: what was written, each value readable by itself.
//! 3. `validate` checks the model against the machine and itself, and builds the [`Config`].
//!
//! All errors are reported in one run, each with its place and what to do. Only a syntax error stops
//! early: after one, the parser can no longer tell where the following keys belong, and what it would
//! say about them could be wrong.
//!
//! [`plan`](mod@plan) tells two configurations apart in plain sentences.

mod choice;
mod diagnostic;
pub mod health;
mod later;
mod machine;
mod model;
mod own;
mod parse;
pub mod plan;
mod read;
mod reader;
mod reference;
mod service;
mod validate;
mod value;
mod vrrp;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataplane::admission::SynProxy;
use dataplane::schedule::Kind;
use dataplane::snapshot::FlowTimeouts;
use dataplane::{HugePages, Poll, XdpPreference};

pub use choice::{Backup, Choice, Drain, Persistence, Quorum, Then};
pub use diagnostic::{Diagnostic, Errors, Place, Severity};
pub use machine::Machine;
pub use own::OwnAddresses;
pub use reference::{reference, reference_page};
pub use service::{Access, Backend, Forwarding, Ping, Service, Tunnel, backend_name, endpoint};
pub use vrrp::{MacMode, PeerWatch, Track, Tracking, Vrrp};

use diagnostic::{Report, Source};

/// The longest file that is read, in bytes: room for the largest number of backends.
pub const MAX_FILE: usize = 32 << 20;

/// A checked configuration, every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `[node]`
    pub node: Node,
    /// `[dataplane]`
    pub dataplane: Dataplane,
    /// `[metrics]`
    pub metrics: Metrics,
    /// `[[interface]]`, in the order of the file.
    pub interfaces: Vec<Interface>,
    /// `[[vrrp]]`, in the order of the file.
    pub vrrp: Vec<Arc<Vrrp>>,
    /// `[[service]]`, in the order of the file.
    pub services: Vec<Service>,
}

impl Config {
    /// The names of the bridges, each once, in the order of their first ports.
    #[must_use]
    pub fn bridges(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for name in self.interfaces.iter().filter_map(|interface| interface.bridge.as_deref()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The interfaces that are ports of a bridge.
    #[must_use]
    pub fn ports_of(&self, bridge: &str) -> Vec<&str> {
        let ports = self.interfaces.iter().filter(|interface| interface.bridge.as_deref() == Some(bridge));
        ports.map(|interface| interface.name.as_str()).collect()
    }
}

/// `[node]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Default: the host's name.
    pub name: String,
    /// The control socket is in here. Default: `/run/penstock`.
    pub run_dir: PathBuf,
    /// What outlives the daemon: the history of configurations. Default: `/var/lib/penstock`, or `run_dir` where that
    /// is another than the usual one.
    pub state_dir: PathBuf,
    /// Seeds the schedulers' hashing. The default is the same on every node, so that two nodes that were told nothing
    /// choose alike.
    pub cluster: String,
}

impl Node {
    /// Where the control socket is.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.run_dir.join("control.sock")
    }

    /// Where the socket is that takes no changes.
    #[must_use]
    pub fn view_socket(&self) -> PathBuf {
        self.run_dir.join("view.sock")
    }
}

/// `[dataplane]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataplane {
    /// One worker on each. Default: every core but the first.
    pub cores: Vec<usize>,
    /// Default: adaptive.
    pub poll: Poll,
    /// Default: 1 048 576.
    pub flows: usize,
    /// `hugepages`. Default: auto.
    pub huge_pages: HugePages,
    /// Defaults: those of [`FlowTimeouts`].
    pub flow_timeouts: FlowTimeouts,
    /// Clients of services with persistence that are remembered. Default: 131 072, which are four megabytes.
    pub persistence: usize,
}

/// `[metrics]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Where metrics and the page are served over HTTP. Default: nowhere but on the control socket.
    pub listen: Option<SocketAddr>,
}

/// `[[interface]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's name for it.
    pub name: String,
    /// Default: auto.
    pub xdp: XdpPreference,
    /// The bridge that it is a port of. Default: none.
    pub bridge: Option<String>,
}

/// What operators write for a SYN proxy: `off`, `auto`, `always`.
#[must_use]
pub fn syn_proxy_word(syn_proxy: SynProxy) -> &'static str {
    read::syn_proxy_word(syn_proxy)
}

/// What operators write for a scheduler: `rr`, `wlc`, `maglev`.
#[must_use]
pub fn scheduler_word(kind: Kind) -> &'static str {
    read::scheduler_word(kind)
}

/// What operators write for what becomes of a drained backend's flows: `leave`, `reset`, `move`.
#[must_use]
pub fn then_word(then: Then) -> &'static str {
    read::then_word(then)
}

/// What operators write for what an idle worker does: `busy`, `adaptive`.
#[must_use]
pub fn poll_word(poll: Poll) -> &'static str {
    read::poll_word(poll)
}

/// Reads and checks a file.
pub fn load(path: &Path, machine: &Machine) -> Result<(Config, Vec<Diagnostic>), Errors> {
    load_on(path, machine, &OwnAddresses::default())
}

/// The same, for a node that has these addresses.
pub fn load_on(
    path: &Path,
    machine: &Machine,
    own: &OwnAddresses,
) -> Result<(Config, Vec<Diagnostic>), Errors> {
    load_str_on(&path.display().to_string(), &read_file(path)?, machine, own)
}

/// The text of a file, or why there is none. Waits for a file that is a pipe.
pub fn read_file(path: &Path) -> Result<String, Errors> {
    use std::io::Read;

    let mut bytes = Vec::new();
    let limit = MAX_FILE as u64 + 1;
    let read = std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    text(path, read.map(|_| bytes))
}

/// What was read of a file, up to one byte more than it may have, as its text.
pub fn text(path: &Path, read: std::io::Result<Vec<u8>>) -> Result<String, Errors> {
    let name = path.display();
    let refused = |message: String| Errors(vec![Diagnostic::error(message)]);
    let bytes = read.map_err(|error| refused(format!("cannot read {name}: {error}")))?;
    if bytes.len() > MAX_FILE {
        return Err(refused(format!("{name} is larger than {} MiB", MAX_FILE >> 20)));
    }
    String::from_utf8(bytes).map_err(|error| {
        refused(format!("{name} is not UTF-8 text: byte {} is wrong", error.utf8_error().valid_up_to() + 1))
    })
}

/// Checks a text; `file_name` is what its errors call it. Gives the warnings back with the
/// configuration.
pub fn load_str(file_name: &str, text: &str, machine: &Machine) -> Result<(Config, Vec<Diagnostic>), Errors> {
    load_str_on(file_name, text, machine, &OwnAddresses::default())
}

/// The same, for a node that has these addresses.
pub fn load_str_on(
    file_name: &str,
    text: &str,
    machine: &Machine,
    own: &OwnAddresses,
) -> Result<(Config, Vec<Diagnostic>), Errors> {
    let mut report = Report::new(Source::new(file_name, text));
    let halves = parse::Halves::new(text);
    let (tree, syntax_errors) = halves.parse();
    for error in &syntax_errors {
        let end = text.len();
        report.error(&error.span().unwrap_or(end..end), error.message());
    }
    let config = match syntax_errors.is_empty() {
        true => {
            let model = read::file(tree.get_ref(), &mut report);
            validate::file(model, (machine, own), &mut report)
        }
        false => None,
    };
    let diagnostics = report.finish();
    config.map(|config| (config, diagnostics.clone())).ok_or(Errors(diagnostics))
}
