//! `cargo xtask check`: the fast half of `scripts/test`, cheapest step first.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::{docs, layers, licences, tidy};

/// What a failed step means for those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    Stop,
    KeepGoing,
}

/// Tests that make network namespaces or load an XDP program, by the start of their paths.
const NEEDS_ROOT: &[&str] =
    &["io::xsk::tests", "testing::classifier", "testing::decap", "offloads::tests", "net::netlink::tests"];

struct Step {
    name: &'static str,
    run: fn(&Path) -> bool,
}

const STEPS: &[Step] = &[
    Step { name: "format", run: |root| cargo(root, "fmt --all --check") },
    Step { name: "tidy", run: tidy::run },
    Step { name: "layers", run: layers::run },
    Step { name: "documents", run: docs::run },
    Step { name: "lints", run: |root| cargo(root, "clippy --workspace --all-targets -- -D warnings") },
    Step { name: "tests", run: tests },
    Step { name: "rustdoc", run: rustdoc },
    Step { name: "licences", run: licences::run },
    Step { name: "cargo deny", run: deny },
];

/// Runs the steps, says how each ended, and whether all are well.
pub(crate) fn run(root: &Path, on_failure: OnFailure) -> bool {
    let start = now();
    let failed = walk(STEPS, root, on_failure);
    let took = seconds(start.elapsed());
    if failed.is_empty() {
        println!("check: all well in {took}");
    } else {
        println!("check: failed after {took}: {}", failed.join(", "));
    }
    failed.is_empty()
}

fn walk(steps: &[Step], root: &Path, on_failure: OnFailure) -> Vec<&'static str> {
    let mut failed = Vec::new();
    for step in steps {
        println!("── {} ", step.name);
        let start = now();
        let is_well = (step.run)(root);
        let outcome = if is_well { "well" } else { "FAILED" };
        println!("── {}: {outcome} in {}", step.name, seconds(start.elapsed()));
        if !is_well {
            failed.push(step.name);
            if on_failure == OnFailure::Stop {
                break;
            }
        }
    }
    failed
}

fn tests(root: &Path) -> bool {
    if is_root() {
        return cargo(root, "test --workspace --quiet");
    }
    println!("left out, because they need root: {}", NEEDS_ROOT.join(", "));
    cargo(root, &without_root("test --workspace --quiet --"))
}

fn without_root(command: &str) -> String {
    NEEDS_ROOT.iter().fold(command.to_owned(), |command, tests| format!("{command} --skip {tests}"))
}

fn rustdoc(root: &Path) -> bool {
    // Private items too: most links are between the modules' heads, and those are private. The readers
    // are this project's developers, so public pages may link to private ones.
    let arguments = "doc --workspace --no-deps --document-private-items --quiet";
    succeeds(command(root, arguments).env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private-intra-doc-links"))
}

fn deny(root: &Path) -> bool {
    if !is_installed("cargo-deny") {
        println!("left out: cargo-deny is not installed");
        return true;
    }
    cargo(root, "deny check")
}

fn cargo(root: &Path, arguments: &str) -> bool {
    succeeds(&mut command(root, arguments))
}

fn command(root: &Path, arguments: &str) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(arguments.split_whitespace()).current_dir(root);
    command
}

pub(crate) fn succeeds(command: &mut Command) -> bool {
    match command.status() {
        Ok(status) => status.success(),
        Err(error) => {
            eprintln!("cannot run {}: {error}", command.get_program().display());
            false
        }
    }
}

/// Whether `program` is found on the path.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "tells how long the steps take; nothing depends on it")]
    Instant::now()
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f32())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = env!("CARGO_MANIFEST_DIR");
    const MIXED: &[Step] = &[
        Step { name: "first", run: |_| true },
        Step { name: "second", run: |_| false },
        Step { name: "third", run: |_| false },
    ];

    #[test]
    fn the_first_failure_ends_the_check() {
        assert_eq!(walk(MIXED, Path::new(ROOT), OnFailure::Stop), ["second"]);
    }

    #[test]
    fn keep_going_tells_every_failure() {
        assert_eq!(walk(MIXED, Path::new(ROOT), OnFailure::KeepGoing), ["second", "third"]);
    }

    #[test]
    fn a_program_that_cannot_run_is_a_failure() {
        assert!(!succeeds(&mut Command::new("/nowhere/at-all")));
        assert!(!is_installed("no-such-program-anywhere"));
        assert!(is_installed("sh"));
    }

    #[test]
    fn each_group_of_tests_that_needs_root_is_skipped_by_its_own_word() {
        let command = without_root("test --");
        assert_eq!(command.matches("--skip").count(), NEEDS_ROOT.len());
    }
}
