//! `cargo xtask tidy`: the architecture's invariants, as rules over the text of the tree. A rule sees
//! what a reader of the file sees; it needs no compiler, and takes a moment.
//!
//! A rule's exceptions stand beside it, each with its reason, and an exception that nothing needs any
//! more is an error as well.

mod budget;
mod drop_reasons;
mod exception;
mod hygiene;
mod layering;
mod manifests;
mod panics;
mod purity;
mod rust;
mod shell;
mod tree;
mod unsafety;

use std::fmt;
use std::path::Path;

pub(crate) use tree::Tree;

struct Rule {
    /// What holds, as a sentence.
    holds: &'static str,
    reason: &'static str,
    check: fn(&Tree) -> Vec<Violation>,
}

const RULES: &[Rule] = &[
    Rule {
        holds: "crates depend downwards only, and the data plane on no format and no event loop",
        reason: "configuration reaches it as a snapshot, so it can be read, tested and reused without mgmt",
        check: layering::check,
    },
    Rule {
        holds: "unsafe code lives in dataplane/afxdp and dataplane/src/mem, each piece with its proof",
        reason: "a reviewer reads two folders to trust memory",
        check: |tree| unsafety::check(tree, unsafety::EXCEPTIONS),
    },
    Rule {
        holds: "stages, tables, views and compilers do no I/O",
        reason: "time and frames come in and actions go out, so they run under virtual time in tests",
        check: |tree| purity::check(tree, purity::PURE, purity::EXCEPTIONS),
    },
    Rule {
        holds: "dataplane does not panic or print",
        reason: "a worker that panics takes the node's traffic with it",
        check: |tree| panics::check(tree, panics::EXCEPTIONS),
    },
    Rule {
        holds: "every drop reason is raised and tested",
        reason: "operators act on these names; one that never occurs, or wrongly, sends them astray",
        check: drop_reasons::check,
    },
    Rule {
        holds: "files have 500 lines and functions 70 at most, tests aside",
        reason: "longer ones hold more than one idea: split them by idea, not by length",
        check: |tree| budget::check(tree, budget::EXCEPTIONS),
    },
    Rule {
        holds: "each direct dependency stands once, in the workspace, used and with a reason",
        reason: "everything that is built in is somebody's decision",
        check: manifests::check,
    },
    Rule {
        holds: "shell scripts pass shellcheck",
        reason: "a script that fails halfway leaves namespaces and processes behind",
        check: shell::check,
    },
    Rule {
        holds: "the tree names no developer's machine and no registry but crates.io",
        reason: "it must build and run anywhere",
        check: hygiene::check,
    },
];

/// Prints the violations, and says whether there are none.
pub(crate) fn run(root: &Path) -> bool {
    let tree = match Tree::read(root) {
        Ok(tree) => tree,
        Err(error) => {
            println!("tidy: cannot read {}: {error}", root.display());
            return false;
        }
    };
    if !shell::is_installed() {
        println!("left out: shellcheck is not installed");
    }
    let mut count = 0;
    for rule in RULES {
        let violations = (rule.check)(&tree);
        if !violations.is_empty() {
            println!("{}: {}", rule.holds, rule.reason);
            violations.iter().for_each(|violation| println!("  {violation}"));
        }
        count += violations.len();
    }
    let long = budget::long_files(&tree);
    if !long.is_empty() {
        println!("warning: files that may hold more than one idea");
        long.iter().for_each(|file| println!("  {file}"));
    }
    println!("tidy: {} rules, {} files, {count} violations", RULES.len(), tree.files.len());
    count == 0
}

/// A place that breaks a rule.
#[derive(Debug)]
struct Violation {
    path: String,
    /// Counted from 1.
    line: usize,
    what: String,
}

impl Violation {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// `path:line` of each, for tests.
#[cfg(test)]
fn places(violations: &[Violation]) -> Vec<String> {
    violations.iter().map(|violation| format!("{}:{}", violation.path, violation.line)).collect()
}
