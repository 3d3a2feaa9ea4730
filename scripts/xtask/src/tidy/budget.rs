//! Length limits of files and functions. Tests are not counted.

use super::Violation;
use super::tree::{File, Tree};

/// Lines of a file; more is an error.
const FILE: usize = 500;
/// Lines of a file; more is a warning: a file is split where it holds two ideas, not where it reaches a length.
const LONG_FILE: usize = 300;
const FUNCTION: usize = 70;

/// A file, or a function of it, with a budget of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Larger {
    path: &'static str,
    /// None: the file itself.
    function: Option<&'static str>,
    lines: usize,
    reason: &'static str,
}

pub(super) const EXCEPTIONS: &[Larger] = &[];

/// Something that has a length.
struct Piece<'t> {
    path: &'t str,
    function: Option<String>,
    line: usize,
    lines: usize,
}

pub(super) fn check(tree: &Tree, exceptions: &[Larger]) -> Vec<Violation> {
    let pieces: Vec<Piece<'_>> =
        tree.files.iter().flat_map(pieces).filter(|p| p.lines > p.budget()).collect();
    let covers = |larger: &Larger, piece: &Piece<'_>| {
        larger.path == piece.path
            && larger.function == piece.function.as_deref()
            && piece.lines <= larger.lines
    };
    let too_long = pieces.iter().filter(|piece| !exceptions.iter().any(|larger| covers(larger, piece)));
    let unneeded = exceptions.iter().filter(|larger| !pieces.iter().any(|piece| covers(larger, piece)));
    let too_long = too_long.map(|piece| {
        let name = piece.function.as_deref().unwrap_or("the file");
        Violation::new(
            piece.path,
            piece.line,
            format!("{name} has {} lines, of {}", piece.lines, piece.budget()),
        )
    });
    let unneeded = unneeded.map(|Larger { path, reason, lines, .. }| {
        Violation::new(path, 1, format!("the exception of {lines} lines ({reason}) does not fit any more"))
    });
    too_long.chain(unneeded).collect()
}

/// Files between the warning and the error, with their lengths.
pub(super) fn long_files(tree: &Tree) -> Vec<Violation> {
    let files = tree.files.iter().flat_map(pieces).filter(|piece| piece.function.is_none());
    let long = files.filter(|file| file.lines > LONG_FILE && file.lines <= FILE);
    long.map(|file| Violation::new(file.path, 1, format!("{} lines; the limit is {FILE}", file.lines)))
        .collect()
}

impl Piece<'_> {
    fn budget(&self) -> usize {
        if self.function.is_some() { FUNCTION } else { FILE }
    }
}

fn pieces(file: &File) -> Vec<Piece<'_>> {
    let path = file.path.as_str();
    let whole = |lines| Piece { path, function: None, line: 1, lines };
    let Some(rust) = &file.rust else {
        let is_code = path.ends_with(".c") || super::shell::is_script(file);
        return if is_code { vec![whole(file.text.lines().count())] } else { Vec::new() };
    };
    let functions = rust.functions().into_iter().filter(|function| !rust.is_test(function.line));
    let functions = functions.map(|f| Piece { path, function: Some(f.name), line: f.line, lines: f.lines });
    functions.chain([whole(rust.production_lines())]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    fn function(lines: usize) -> String {
        format!("\nfn a() {{\n{}}}\n", "b();\n".repeat(lines - 2))
    }

    #[test]
    fn a_file_has_five_hundred_lines_and_a_warning_from_three_hundred_on() {
        for path in ["a.rs", "a.c", "a.sh"] {
            let fits = Tree::of(&[(path, &"a;\n".repeat(FILE))]);
            assert!(check(&fits, &[]).is_empty(), "{path}");
            let exceeds = Tree::of(&[(path, &"a;\n".repeat(FILE + 1))]);
            assert_eq!(places(&check(&exceeds, &[])), [format!("{path}:1")]);
        }
        assert!(check(&Tree::of(&[("a.md", &"a\n".repeat(FILE + 1))]), &[]).is_empty());
        for (lines, warnings) in [(LONG_FILE, 0), (LONG_FILE + 1, 1), (FILE, 1), (FILE + 1, 0)] {
            assert_eq!(long_files(&Tree::of(&[("a.rs", &"a;\n".repeat(lines))])).len(), warnings, "{lines}");
        }
    }

    #[test]
    fn tests_are_not_counted() {
        let text =
            format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "a;\n".repeat(FILE), function(FUNCTION + 1));
        assert!(check(&Tree::of(&[("a.rs", &text)]), &[]).is_empty());
    }

    #[test]
    fn a_function_has_seventy_lines() {
        assert!(check(&Tree::of(&[("a.rs", &function(FUNCTION))]), &[]).is_empty());
        assert_eq!(places(&check(&Tree::of(&[("a.rs", &function(FUNCTION + 1))]), &[])), ["a.rs:2"]);
    }

    #[test]
    fn an_exception_has_an_end_and_must_be_needed() {
        let larger = Larger { path: "a.rs", function: Some("a"), lines: FUNCTION + 1, reason: "a test" };
        let count = |lines| check(&Tree::of(&[("a.rs", &function(lines))]), &[larger]).len();
        assert_eq!((count(FUNCTION), count(FUNCTION + 1)), (1, 0));
        assert_eq!(count(FUNCTION + 2), 2, "too long for the exception, which covers nothing then");
    }
}
