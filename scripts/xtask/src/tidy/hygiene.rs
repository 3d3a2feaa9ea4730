//! Traces of the place where something was written.

use super::Violation;
use super::tree::{File, Tree};

/// Put together here, so that this file is not its own violation.
const ANYWHERE: &[(&str, &str)] = &[
    (concat!("/ho", "me/"), "a path of one machine"),
    (concat!("/Us", "ers/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/tmp/", "wt/"), "a path of one machine"),
    (concat!("arti", "factory"), "a host of packages"),
    (concat!("jf", "rog"), "a host of packages"),
    (concat!("GO", "PROXY"), "a host of packages"),
    (concat!("CARGO_REGI", "STRIES"), "a host of packages"),
    (concat!("PIP_IN", "DEX_URL"), "a host of packages"),
    (concat!("index", "-url"), "a host of packages"),
];

const CRATES_IO: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    tree.files.iter().flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Violation> {
    let told = file.text.lines().zip(1..).filter_map(|(line, number)| {
        let trace = ANYWHERE.iter().find(|(text, _)| line.contains(text));
        let trace = trace.map(|(text, what)| format!("`{text}`: {what}"));
        Some(Violation::new(&file.path, number, trace.or_else(|| origin(&file.path, line))?))
    });
    told.collect()
}

/// What is wrong with where cargo is told to get packages from.
fn origin(path: &str, line: &str) -> Option<String> {
    let line = line.trim();
    let is_other = match path.rsplit('/').next()? {
        "Cargo.lock" => line.starts_with("source = ") && line != CRATES_IO,
        "Cargo.toml" => ["registry =", "registry-index =", "git ="].iter().any(|key| line.contains(key)),
        "config.toml" => ["[source", "[registr", "replace-with"].iter().any(|key| line.starts_with(key)),
        _ => false,
    };
    is_other.then(|| format!("`{line}`: packages come from crates.io only"))
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    #[test]
    fn traces_of_a_machine_are_told_wherever_they_are() {
        for (text, what) in ANYWHERE {
            let tree = Tree::of(&[("README.md", &format!("fine\nsee {text}x\n"))]);
            assert_eq!(places(&check(&tree)), ["README.md:2"], "{what}: {text}");
        }
    }

    #[test]
    fn packages_come_from_crates_io() {
        for (path, line) in [
            ("Cargo.lock", "source = \"registry+https://example.org/index\""),
            ("Cargo.lock", "source = \"git+https://example.org/a\""),
            ("p/Cargo.toml", "a = { version = \"1\", registry = \"own\" }"),
            ("p/Cargo.toml", "a = { git = \"https://example.org/a\" }"),
            (".cargo/config.toml", "[source.crates-io]"),
            (".cargo/config.toml", "[registries.own]"),
        ] {
            assert_eq!(places(&check(&Tree::of(&[(path, line)]))), [format!("{path}:1")], "{line}");
        }
        assert!(check(&Tree::of(&[("Cargo.lock", CRATES_IO), ("configs/a.toml", "git = 1\n")])).is_empty());
    }
}
