//! The data plane stands below everything: it names neither mgmt nor what only mgmt needs.

use super::tree::Tree;
use super::{Violation, manifests};

const MANIFEST: &str = "dataplane/Cargo.toml";

/// Formats and event loops are management's.
const FORBIDDEN: &[&str] = &["mgmt", "penstock-mgmt", "serde", "serde_json", "toml", "tokio"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    if let Some(file) = tree.file(MANIFEST) {
        for dependency in
            manifests::dependencies(&file.text).into_iter().filter(|d| FORBIDDEN.contains(&d.as_str()))
        {
            let line = manifests::line_of(&file.text, &dependency);
            violations.push(Violation::new(MANIFEST, line, format!("depends on {dependency}")));
        }
    }
    for (file, rust) in tree.rust_under(&["dataplane/"]) {
        for word in ["mgmt", "penstock_mgmt"] {
            let lines = rust.lines_with(word).into_iter();
            violations.extend(lines.map(|line| Violation::new(&file.path, line, format!("names {word}"))));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    #[test]
    fn the_data_plane_may_not_depend_on_management_or_on_formats() {
        for name in FORBIDDEN {
            for table in ["dependencies", "dev-dependencies", "build-dependencies", "target.x86.dependencies"]
            {
                let manifest = format!("[{table}]\nlibc.workspace = true\n{name}.workspace = true\n");
                let tree = Tree::of(&[(MANIFEST, &manifest)]);
                assert_eq!(places(&check(&tree)), ["dataplane/Cargo.toml:3"], "{name} in {table}");
            }
        }
    }

    #[test]
    fn the_data_plane_may_not_name_management() {
        let text = "// the mgmt thread\nuse mgmt::config;\n";
        let tree = Tree::of(&[
            ("dataplane/src/a.rs", text),
            ("mgmt/src/a.rs", text),
            (MANIFEST, "[dependencies]\n"),
        ]);
        assert_eq!(places(&check(&tree)), ["dataplane/src/a.rs:2"]);
    }
}
