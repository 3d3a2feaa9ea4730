//! Which crate may depend on which. Cargo refuses cycles; this table also refuses arrows that point upwards.

use super::tree::{File, Tree};
use super::{Violation, manifests};

/// A crate's folder and the crates of the workspace that it may use. From bottom to top.
const CRATES: &[(&str, &[&str])] = &[
    ("dataplane/types", &[]),
    ("dataplane/wire", &["penstock-types"]),
    ("dataplane/schedulers", &["penstock-types"]),
    ("dataplane/afxdp", &["penstock-types", "penstock-wire"]),
    ("dataplane", &["penstock-types", "penstock-wire", "penstock-schedulers", "penstock-afxdp"]),
    ("mgmt/decap", &["penstock-types", "penstock-afxdp"]),
    ("mgmt", &["penstock-dataplane", "penstock-decap"]),
    ("benches", &["penstock-dataplane", "penstock-mgmt"]),
    ("scripts/xtask", &[]),
];

/// Formats and event loops belong to management.
const MANAGEMENT_ONLY: &[&str] = &["mgmt", "serde", "serde_json", "toml", "tokio"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations: Vec<Violation> =
        tree.files.iter().filter(|file| file.path.ends_with("/Cargo.toml")).flat_map(manifest).collect();
    violations.extend(
        CRATES
            .iter()
            .map(|(folder, _)| format!("{folder}/Cargo.toml"))
            .filter(|path| tree.file(path).is_none())
            .map(|path| Violation::new(&path, 1, "has a layer, but does not exist")),
    );
    for (file, rust) in tree.rust_under(&["dataplane/"]) {
        for word in ["mgmt", "penstock_mgmt"] {
            let lines = rust.lines_with(word).into_iter();
            violations.extend(lines.map(|line| Violation::new(&file.path, line, format!("names {word}"))));
        }
    }
    violations
}

fn manifest(file: &File) -> Vec<Violation> {
    let folder = file.path.trim_end_matches("/Cargo.toml");
    let Some((_, below)) = CRATES.iter().find(|(known, _)| *known == folder) else {
        return vec![Violation::new(&file.path, 1, "has no layer: add it to CRATES in layering.rs")];
    };
    let is_refused = |dependency: &String| {
        let points_upwards = dependency.starts_with("penstock-") && !below.contains(&dependency.as_str());
        let is_foreign = folder.starts_with("dataplane") && MANAGEMENT_ONLY.contains(&dependency.as_str());
        points_upwards || is_foreign
    };
    let refused = manifests::dependencies(&file.text).into_iter().filter(is_refused);
    refused
        .map(|dependency| {
            let line = manifests::line_of(&file.text, &dependency);
            Violation::new(&file.path, line, format!("depends on {dependency}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    /// A tree in which each crate has an empty manifest but those given.
    fn tree(files: &[(&str, &str)]) -> Tree {
        let paths: Vec<_> = CRATES.iter().map(|(folder, _)| format!("{folder}/Cargo.toml")).collect();
        let others = paths
            .iter()
            .map(|path| (path.as_str(), ""))
            .filter(|(path, _)| !files.iter().any(|f| f.0 == *path));
        Tree::of(&others.chain(files.iter().copied()).collect::<Vec<_>>())
    }

    #[test]
    fn a_dependency_upwards_or_on_a_format_is_refused_in_every_table() {
        for name in MANAGEMENT_ONLY.iter().chain(&["penstock-mgmt", "penstock-benches"]) {
            for table in ["dependencies", "dev-dependencies", "build-dependencies", "target.x86.dependencies"]
            {
                let manifest = format!("[{table}]\nlibc.workspace = true\n{name}.workspace = true\n");
                let tree = tree(&[("dataplane/Cargo.toml", &manifest)]);
                assert_eq!(places(&check(&tree)), ["dataplane/Cargo.toml:3"], "{name} in {table}");
            }
        }
        let sideways =
            tree(&[("dataplane/wire/Cargo.toml", "[dependencies]\npenstock-schedulers.workspace = true\n")]);
        assert_eq!(places(&check(&sideways)), ["dataplane/wire/Cargo.toml:2"]);
        let down =
            tree(&[("dataplane/wire/Cargo.toml", "[dependencies]\npenstock-types.workspace = true\n")]);
        assert!(check(&down).is_empty());
    }

    #[test]
    fn a_crate_without_a_layer_and_a_layer_without_a_crate_are_refused() {
        assert_eq!(
            places(&check(&tree(&[("dataplane/new/Cargo.toml", "")]))),
            ["dataplane/new/Cargo.toml:1"]
        );
        assert_eq!(check(&Tree::of(&[])).len(), CRATES.len());
    }

    #[test]
    fn the_data_plane_does_not_name_management() {
        let text = "// the mgmt thread\nuse mgmt::config;\n";
        let tree = tree(&[("dataplane/src/a.rs", text), ("mgmt/src/a.rs", text)]);
        assert_eq!(places(&check(&tree)), ["dataplane/src/a.rs:2"]);
    }
}
