//! `cargo xtask layers`: which module of the data plane uses which, read off the code's own paths.
//!
//! Modules have a layer each. An arrow that points upwards, or sideways within a layer, is an error
//! unless it is listed in [`KNOWN`]; an entry of that list that no code needs is an error as well, so
//! the list can only become shorter.

use std::collections::BTreeMap;
use std::path::Path;

use crate::tidy::Tree;

const ROOT: &str = "dataplane/src/";

/// From bottom to top.
const LAYERS: &[&[&str]] = &[
    &["clock", "error", "limits", "sync"],
    &["channel", "mem"],
    &["flow"],
    &["verdict"],
    &["persistence", "recorder"],
    &["stats"],
    &["io"],
    &["packet"],
    &["capture", "fragment", "syn_proxy"],
    &["admission"],
    &["snapshot"],
    &["unresolved"],
    &["mode"],
    &["pipeline"],
    &["worker"],
    &["engine"],
];

/// Modules that only tests and benches are compiled with.
const TEST_MODULES: &[&str] = &["bench", "testing"];

/// Arrows that still point upwards.
const KNOWN: &[(&str, &str)] = &[];

type Arrows = BTreeMap<(String, String), Vec<String>>;

/// Prints the graph; whether every arrow points downwards or is known.
pub(crate) fn run(root: &Path) -> bool {
    let tree = match Tree::read(root) {
        Ok(tree) => tree,
        Err(error) => {
            println!("layers: cannot read {}: {error}", root.display());
            return false;
        }
    };
    let arrows = arrows(&tree);
    for (number, layer) in LAYERS.iter().enumerate().rev() {
        println!("layer {number}");
        for module in *layer {
            let uses: Vec<_> =
                arrows.keys().filter(|(from, _)| from == module).map(|(_, to)| to.as_str()).collect();
            println!(
                "  {module:12} uses {}",
                if uses.is_empty() { "nothing".into() } else { uses.join(" ") }
            );
        }
    }
    let faults = faults(&arrows, KNOWN);
    faults.iter().for_each(|fault| println!("{fault}"));
    println!(
        "layers: {} arrows, {} known to point upwards, {} faults",
        arrows.len(),
        KNOWN.len(),
        faults.len()
    );
    faults.is_empty()
}

/// Top-level module to top-level module, with the places in production code.
fn arrows(tree: &Tree) -> Arrows {
    let mut arrows = Arrows::new();
    for (file, rust) in tree.rust_under(&[ROOT]) {
        let inside = &file.path[ROOT.len()..];
        let from = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        if from == "lib" || TEST_MODULES.contains(&from) {
            continue;
        }
        for (line, to) in rust.production_paths("crate::") {
            if to != from && level(&to).is_some() {
                arrows.entry((from.to_owned(), to)).or_default().push(format!("{}:{line}", file.path));
            }
        }
    }
    arrows
}

fn level(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn faults(arrows: &Arrows, known: &[(&str, &str)]) -> Vec<String> {
    let is_known = |from: &str, to: &str| known.contains(&(from, to));
    let mut faults = Vec::new();
    for ((from, to), places) in arrows {
        match level(from) {
            None => faults.push(format!("{from} has no layer: add it to LAYERS in layers.rs")),
            Some(level_from) if level(to) >= Some(level_from) && !is_known(from, to) => {
                faults.push(format!("{from} uses {to}, which is not below it: {}", places.join(", ")));
            }
            Some(_) => {}
        }
    }
    for (from, to) in known {
        let exists = arrows.contains_key(&((*from).to_owned(), (*to).to_owned()));
        if !exists || level(to) < level(from) {
            faults.push(format!("KNOWN lists {from} -> {to}, which no code needs"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(files: &[(&str, &str)], known: &[(&str, &str)]) -> Vec<String> {
        faults(&arrows(&Tree::of(files)), known)
    }

    #[test]
    fn an_arrow_upwards_is_a_fault_and_one_downwards_is_none() {
        let up = [("dataplane/src/flow/a.rs", "use crate::{engine::Poll};\nuse crate::limits::X;\n")];
        let found = faults_of(&up, &[]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("flow uses engine") && found[0].contains("dataplane/src/flow/a.rs:1"));
        assert!(faults_of(&up, &[("flow", "engine")]).is_empty());
        assert!(faults_of(&[("dataplane/src/engine/a.rs", "use crate::flow::A;")], &[]).is_empty());
    }

    #[test]
    fn tests_and_comments_draw_no_arrow() {
        let text = "// crate::engine\n#[cfg(test)]\nmod tests { use crate::engine::Poll; }\n";
        assert!(faults_of(&[("dataplane/src/flow/a.rs", text)], &[]).is_empty());
    }

    #[test]
    fn a_known_arrow_that_no_code_needs_and_a_module_without_a_layer_are_faults() {
        assert_eq!(faults_of(&[], &[("flow", "engine")]).len(), 1);
        assert_eq!(faults_of(&[("dataplane/src/novel/a.rs", "use crate::limits::X;")], &[]).len(), 1);
    }
}
