//! What may stop the data plane.

use super::Violation;
use super::exception::{Exception, apply};
use super::tree::Tree;

/// Debug assertions are not among them: releases leave them out.
const FORBIDDEN: &[&str] = &[
    ".unwrap(",
    ".unwrap_err(",
    ".expect(",
    ".expect_err(",
    "panic!",
    "unreachable!",
    "todo!",
    "unimplemented!",
    "assert!",
    "assert_eq!",
    "assert_ne!",
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
    "dbg!",
];

/// Code that worker threads run.
const WORKERS: &[&str] = &[
    "dataplane/src/",
    "dataplane/afxdp/src/",
    "dataplane/schedulers/",
    "dataplane/types/",
    "dataplane/wire/",
];

pub(super) const EXCEPTIONS: &[Exception] = &[
    Exception {
        path: "dataplane/src/mem/mapping.rs",
        text: "outside the mapping",
        reason: "a safety check of start-up, when the table's memory is laid out",
    },
    Exception {
        path: "dataplane/afxdp/src/ring.rs",
        text: "so that places follow each other",
        reason: "a safety check of a socket's opening: ring lengths are constants of `limits`",
    },
    Exception {
        path: "dataplane/afxdp/src/sys.rs",
        text: "inside the mapping",
        reason: "a safety check of a socket's opening, documented under # Panics",
    },
];

pub(super) fn check(tree: &Tree, exceptions: &[Exception]) -> Vec<Violation> {
    let mut found = Vec::new();
    for (file, rust) in tree.rust_under(WORKERS) {
        for word in FORBIDDEN {
            for line in rust.production_lines_with(word) {
                // The compiler evaluates what is in a `const`.
                let code = rust.code.lines().nth(line - 1).unwrap_or_default().trim_start();
                if !["const _", "const {"].iter().any(|start| code.starts_with(start)) {
                    found.push(Violation::new(&file.path, line, format!("`{word}`")));
                }
            }
        }
    }
    apply(tree, found, exceptions)
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    #[test]
    fn the_data_plane_calls_nothing_that_panics_or_prints() {
        for word in FORBIDDEN {
            let text =
                format!("/// `a{word}`\nlet b = a{}{word};\n", if word.starts_with('.') { "" } else { ";" });
            let tree = Tree::of(&[("dataplane/src/a.rs", &text), ("mgmt/src/a.rs", &text)]);
            assert_eq!(places(&check(&tree, &[])), ["dataplane/src/a.rs:2"], "{word}");
        }
    }

    #[test]
    fn tests_debug_and_compile_time_assertions_are_well() {
        let text = "const _: () = assert!(A < B);\nconst { assert!(A < B) };\ndebug_assert!(c);\nlet d = e.unwrap_or(1);\n\
                    #[cfg(test)]\nmod tests { fn a() { b.unwrap() } }\n";
        assert!(check(&Tree::of(&[("dataplane/src/a.rs", text)]), &[]).is_empty());
    }
}
