//! Direct dependencies: declared once in the workspace, with a reason, and used where they are asked for.

use super::Violation;
use super::tree::{File, Tree};

const WORKSPACE: &str = "Cargo.toml";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let root = tree.file(WORKSPACE).map(without_reason).unwrap_or_default();
    let members = tree.files.iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    root.into_iter().chain(members.flat_map(|file| check_member(tree, file))).collect()
}

/// Lines of the workspace's dependencies that do not say what for.
fn without_reason(file: &File) -> Vec<Violation> {
    let lines =
        file.text.lines().zip(1..).skip_while(|(line, _)| *line != "[workspace.dependencies]").skip(1);
    let lines = lines.take_while(|(line, _)| !line.starts_with('['));
    let declared = lines.filter(|(line, _)| line.contains('=') && !line.starts_with('#'));
    let bare =
        declared.filter(|(line, _)| line.rsplit_once("# ").is_none_or(|(_, why)| why.trim().is_empty()));
    bare.map(|(_, number)| Violation::new(&file.path, number, "a dependency without its reason behind it"))
        .collect()
}

fn check_member(tree: &Tree, file: &File) -> Vec<Violation> {
    let folder = file.path.trim_end_matches("Cargo.toml");
    let mut violations = Vec::new();
    for dependency in dependencies(&file.text) {
        let line = line_of(&file.text, &dependency);
        let declared = file.text.lines().nth(line - 1).unwrap_or_default();
        if !declared.contains("workspace = true") {
            let what = format!("{dependency} is not taken from the workspace, where reasons stand");
            violations.push(Violation::new(&file.path, line, what));
        }
        let name = dependency.replace('-', "_");
        // Some of the workspace's own libraries have shorter names than their packages.
        let short = name.strip_prefix("penstock_").unwrap_or(&name);
        let is_used =
            |name: &str| tree.rust_under(&[folder]).any(|(_, rust)| !rust.lines_with(name).is_empty());
        if !is_used(&name) && !is_used(short) {
            violations.push(Violation::new(&file.path, line, format!("{dependency} is not used")));
        }
    }
    violations
}

/// The names in all tables of dependencies, those for one target only among them.
pub(super) fn dependencies(manifest: &str) -> Vec<String> {
    let Ok(manifest) = manifest.parse::<toml::Table>() else { return Vec::new() };
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flatten();
    let tables = targets.filter_map(|(_, target)| target.as_table()).chain([&manifest]);
    let kinds = tables.flat_map(|table| {
        let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
        kinds.into_iter().filter_map(|kind| table.get(kind)?.as_table())
    });
    kinds.flat_map(|dependencies| dependencies.keys().cloned()).collect()
}

/// Where `dependency` stands in `manifest`; 1 if it is not at the start of a line.
pub(super) fn line_of(manifest: &str, dependency: &str) -> usize {
    let is_its = |line: &str| {
        line.strip_prefix(dependency).is_some_and(|rest| rest.trim_start().starts_with(['.', '=']))
    };
    manifest.lines().position(is_its).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    #[test]
    fn a_dependency_needs_a_reason_behind_it() {
        let manifest =
            "[workspace.dependencies]\na = \"1\" # does it\nb = \"1\"\nc = \"1\" # \n[profile.dev]\nd = 1\n";
        assert_eq!(places(&check(&Tree::of(&[("Cargo.toml", manifest)]))), ["Cargo.toml:3", "Cargo.toml:4"]);
    }

    #[test]
    fn a_member_takes_its_dependencies_from_the_workspace() {
        let manifest = "[dependencies]\na.workspace = true\nb = \"1\"\nc = { workspace = true }\n";
        let tree = Tree::of(&[("p/Cargo.toml", manifest), ("p/src/lib.rs", "use a; use b; use c;")]);
        assert_eq!(places(&check(&tree)), ["p/Cargo.toml:3"]);
    }

    #[test]
    fn a_dependency_that_no_code_names_is_told() {
        let manifest = "[dev-dependencies]\na-b.workspace = true\npenstock-dataplane.workspace = true\n";
        let code = |text| {
            Tree::of(&[("p/Cargo.toml", manifest), ("p/src/lib.rs", text), ("q/src/lib.rs", "use a_b;")])
        };
        assert_eq!(places(&check(&code("use dataplane::Dataplane; // a_b"))), ["p/Cargo.toml:2"]);
        assert!(check(&code("use dataplane; use a_b;")).is_empty());
    }
}
