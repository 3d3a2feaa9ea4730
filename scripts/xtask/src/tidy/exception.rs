//! What a rule lets pass by name.

use super::Violation;
use super::tree::Tree;

/// Lines of one file that may break a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exception {
    pub(super) path: &'static str,
    /// Occurs in the line that is let pass.
    pub(super) text: &'static str,
    pub(super) reason: &'static str,
}

/// The violations that no exception covers, and the exceptions that cover none.
pub(super) fn apply(tree: &Tree, found: Vec<Violation>, exceptions: &[Exception]) -> Vec<Violation> {
    let covers = |exception: &Exception, violation: &Violation| {
        let line = tree.line(&violation.path, violation.line);
        exception.path == violation.path && line.contains(exception.text)
    };
    let unneeded: Vec<Violation> = exceptions
        .iter()
        .filter(|exception| !found.iter().any(|violation| covers(exception, violation)))
        .map(|Exception { path, text, reason }| {
            Violation::new(path, 1, format!("the exception for `{text}` ({reason}) is no longer needed"))
        })
        .collect();
    let uncovered = found.into_iter().filter(|v| !exceptions.iter().any(|exception| covers(exception, v)));
    uncovered.chain(unneeded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXCEPTION: Exception = Exception { path: "a.rs", text: "tolerated", reason: "a test" };

    #[test]
    fn only_the_named_line_is_let_pass() {
        let tree = Tree::of(&[("a.rs", "tolerated();\nother();\n"), ("b.rs", "tolerated();\n")]);
        let found = vec![("a.rs", 1), ("a.rs", 2), ("b.rs", 1)];
        let found = found.into_iter().map(|(path, line)| Violation::new(path, line, "")).collect();
        assert_eq!(super::super::places(&apply(&tree, found, &[EXCEPTION])), ["a.rs:2", "b.rs:1"]);
    }

    #[test]
    fn an_exception_that_nothing_needs_is_an_error() {
        let left = apply(&Tree::of(&[("a.rs", "fine();\n")]), Vec::new(), &[EXCEPTION]);
        assert!(left[0].what.contains("no longer needed"));
    }
}
