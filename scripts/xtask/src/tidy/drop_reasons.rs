//! Each reason for a drop is raised by the code and raised by a test.

use super::Violation;
use super::tree::Tree;

const DECLARED: &str = "dataplane/src/verdict.rs";
const TESTED: &str = "dataplane/src/testing/packets/";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let Some(file) = tree.file(DECLARED) else {
        return vec![Violation::new(DECLARED, 1, "the reasons are not here any more: tell this rule where")];
    };
    let reasons = declared(&file.text);
    if reasons.is_empty() {
        return vec![Violation::new(DECLARED, 1, "no `drop_reasons! { Name, \"code\", ... }` found")];
    }
    let mut violations = Vec::new();
    for (line, reason) in reasons {
        if !is_raised(tree, &reason) {
            violations.push(Violation::new(DECLARED, line, format!("{reason} is raised nowhere")));
        }
        if !tree.rust_under(&[TESTED]).any(|(_, rust)| !rust.lines_with(&reason).is_empty()) {
            violations.push(Violation::new(DECLARED, line, format!("{reason} is in no test of {TESTED}")));
        }
    }
    violations
}

/// The lines `Name, "code", "meaning";`.
fn declared(text: &str) -> Vec<(usize, String)> {
    let lines = text.lines().zip(1..).skip_while(|(line, _)| !line.starts_with("drop_reasons! {"));
    let inside = lines.skip(1).take_while(|(line, _)| !line.starts_with('}'));
    inside.filter_map(|(line, number)| Some((number, line.trim().split_once(", \"")?.0.to_owned()))).collect()
}

fn is_raised(tree: &Tree, reason: &str) -> bool {
    tree.rust_under(&["dataplane/src/"]).filter(|(file, _)| file.path != DECLARED).any(|(_, rust)| {
        let is_named = |name: &str| !rust.production_lines_with(&format!("{name}::{reason}")).is_empty();
        // A conversion into a reason says `Self`.
        is_named("DropReason") || (rust.code.contains("for DropReason") && is_named("Self"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REASONS: &str = "drop_reasons! {\n    One, \"one\", \"first\";\n}\n";
    const TEST: (&str, &str) = ("dataplane/src/testing/packets/a.rs", "drops(One)");

    fn wrong(files: &[(&str, &str)]) -> Vec<String> {
        let files = [&[(DECLARED, REASONS)], files].concat();
        check(&Tree::of(&files)).into_iter().map(|violation| violation.what).collect()
    }

    #[test]
    fn a_reason_is_raised_by_its_name_or_by_a_conversion() {
        assert!(wrong(&[("dataplane/src/a.rs", "Err(DropReason::One)"), TEST]).is_empty());
        assert!(
            wrong(&[("dataplane/src/a.rs", "impl From<E> for DropReason { Self::One }"), TEST]).is_empty()
        );
    }

    #[test]
    fn a_reason_that_only_tests_comments_or_others_name_is_raised_nowhere() {
        for text in [
            "// DropReason::One",
            "#[cfg(test)]\nmod t { DropReason::One }",
            "Self::One",
            "DropReason::OneMore",
        ] {
            assert_eq!(wrong(&[("dataplane/src/a.rs", text), TEST]), ["One is raised nowhere"], "{text}");
        }
    }

    #[test]
    fn a_reason_without_a_test_is_told() {
        assert_eq!(wrong(&[("dataplane/src/a.rs", "DropReason::One")]).len(), 1);
    }

    #[test]
    fn reasons_that_moved_away_are_told() {
        assert_eq!(check(&Tree::of(&[])).len(), 1);
        assert_eq!(check(&Tree::of(&[(DECLARED, "enum DropReason {}")])).len(), 1);
    }
}
