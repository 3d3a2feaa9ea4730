//! Which code takes time and bytes as arguments, and hands back what to do.

use super::Violation;
use super::exception::{Exception, apply};
use super::tree::Tree;

pub(super) const PURE: &[&str] = &[
    "dataplane/src/admission/",
    "dataplane/src/capture/",
    "dataplane/src/flow/",
    "dataplane/src/mode/",
    "dataplane/src/packet/",
    "dataplane/src/persistence/",
    "dataplane/src/pipeline/",
    "dataplane/src/recorder/",
    "dataplane/afxdp/src/indirection.rs",
    "dataplane/src/syn_proxy/",
    "dataplane/src/verdict.rs",
    "dataplane/schedulers/",
    "dataplane/types/",
    "dataplane/wire/",
    "mgmt/src/bfd/auth.rs",
    "mgmt/src/bfd/fleet.rs",
    "mgmt/src/bfd/packet.rs",
    "mgmt/src/bfd/session.rs",
    "mgmt/src/bfd/session/",
    "mgmt/src/cli/top/screen.rs",
    "mgmt/src/cli/top/state.rs",
    "mgmt/src/compile/",
    "mgmt/src/config/",
    "mgmt/src/health/check/http/body.rs",
    "mgmt/src/health/check/http/reader.rs",
    "mgmt/src/health/check/smtp/dialogue.rs",
    "mgmt/src/health/check/tls/certificate.rs",
    "mgmt/src/health/combine.rs",
    "mgmt/src/health/fleet.rs",
    "mgmt/src/health/job.rs",
    "mgmt/src/health/plan.rs",
    "mgmt/src/health/schedule.rs",
    "mgmt/src/health/tracker.rs",
    "mgmt/src/import/",
    "mgmt/src/inventory.rs",
    "mgmt/src/inventory/",
    "mgmt/src/net/arp.rs",
    "mgmt/src/net/ndp.rs",
    "mgmt/src/net/state.rs",
    "mgmt/src/pcapng.rs",
    "mgmt/src/vrrp/",
];

/// What gives it away, and what that is.
const IMPURE: &[(&str, &str)] = &[
    ("Instant::now", "a clock"),
    ("SystemTime", "a clock"),
    ("Clock", "a clock"),
    ("clock::now", "a clock"),
    ("TcpListener", "a socket"),
    ("TcpStream", "a socket"),
    ("UdpSocket", "a socket"),
    ("UnixDatagram", "a socket"),
    ("UnixListener", "a socket"),
    ("UnixStream", "a socket"),
    ("libc", "the system"),
    ("std::process", "the system"),
    ("std::fs", "files"),
    ("fs::", "files"),
    ("File::", "files"),
    ("std::thread", "threads"),
    ("thread::", "threads"),
    ("tokio", "an event loop"),
    ("tracing", "the log"),
    ("log::", "the log"),
    ("println!", "the terminal"),
    ("eprintln!", "the terminal"),
];

pub(super) const EXCEPTIONS: &[Exception] = &[
    Exception {
        path: "mgmt/src/compile/build.rs",
        text: "std::thread::scope",
        reason: "threads that only compute, and end within the call",
    },
    Exception {
        path: "mgmt/src/compile/build.rs",
        text: "std::thread::Builder",
        reason: "threads that only compute, and end within the call",
    },
    Exception {
        path: "mgmt/src/config/mod.rs",
        text: "std::fs::File::open",
        reason: "`load` is where a configuration's text comes from; all behind it takes text",
    },
    Exception {
        path: "mgmt/src/config/machine.rs",
        text: "use std::fs;",
        reason: "the machine that a configuration is checked against; all else takes it as a value",
    },
    Exception {
        path: "mgmt/src/config/machine.rs",
        text: "fs::",
        reason: "the machine that a configuration is checked against; all else takes it as a value",
    },
    Exception {
        path: "mgmt/src/config/machine.rs",
        text: "std::thread::available_parallelism",
        reason: "the machine that a configuration is checked against; all else takes it as a value",
    },
];

/// `pure`: the paths, or their beginnings, of code that does no I/O.
pub(super) fn check(tree: &Tree, pure: &[&str], exceptions: &[Exception]) -> Vec<Violation> {
    let mut found: Vec<Violation> = Vec::new();
    for (file, rust) in tree.rust_under(pure) {
        for (word, what) in IMPURE {
            for line in rust.production_lines_with(word) {
                if !found.iter().any(|other| other.path == file.path && other.line == line) {
                    found.push(Violation::new(&file.path, line, format!("`{word}`: {what}")));
                }
            }
        }
    }
    let stale = pure.iter().filter(|path| !tree.files.iter().any(|file| file.path.starts_with(**path)));
    let stale = stale.map(|path| Violation::new(path, 1, "PURE names a path that does not exist"));
    let stale: Vec<_> = stale.collect();
    apply(tree, found, exceptions).into_iter().chain(stale).collect()
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    const FLOW: &[&str] = &["dataplane/src/flow/"];

    #[test]
    fn pure_code_names_nothing_impure() {
        for (word, what) in IMPURE {
            let text = format!("// {word}\nuse a::{word};\n");
            let tree = Tree::of(&[("dataplane/src/flow/a.rs", &text), ("dataplane/src/worker/a.rs", &text)]);
            assert_eq!(places(&check(&tree, FLOW, &[])), ["dataplane/src/flow/a.rs:2"], "{what}: {word}");
        }
    }

    #[test]
    fn each_pure_place_is_looked_at() {
        for place in PURE {
            let path = if place.ends_with('/') { format!("{place}a.rs") } else { (*place).to_owned() };
            let tree = Tree::of(&[(&path, "fn a() { Instant::now() }\n")]);
            assert_eq!(check(&tree, &[place], &[]).len(), 1, "{place}");
        }
    }

    #[test]
    fn a_pure_place_that_does_not_exist_is_a_fault() {
        let tree = Tree::of(&[("dataplane/src/flow/a.rs", "")]);
        assert!(check(&tree, FLOW, &[]).is_empty());
        assert_eq!(places(&check(&tree, &["dataplane/src/flows/"], &[])), ["dataplane/src/flows/:1"]);
    }

    #[test]
    fn tests_may_use_threads() {
        let text = "#[cfg(test)]\nmod tests { use std::thread; }\n";
        assert!(check(&Tree::of(&[("dataplane/src/flow/a.rs", text)]), FLOW, &[]).is_empty());
    }
}
