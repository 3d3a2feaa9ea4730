//! What is wrong with a configuration file: where, what, and what to do about it.
//!
//! While a file is read, findings are collected in a [`Report`] by byte range; once all of them are
//! known, each becomes a [`Diagnostic`], which stands alone: it carries its source line with it and
//! can be sent over the control socket and rendered at the other end.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A range of bytes of the file.
pub(crate) type Span = Range<usize>;

/// Whether a finding refuses the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is taken; the operator probably meant something else.
    Warning,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// Where; `None` when it is about no place in a file.
    pub place: Option<Place>,
    /// More that is good to know, such as the other one of two places.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<String>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file's name, as it was given.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// The line itself, safe to print.
    pub source: String,
    /// How many characters of it are meant.
    pub width: usize,
}

impl Diagnostic {
    /// An error that is about no place in a file.
    #[must_use]
    pub fn error(message: impl Into<String>) -> Self {
        let (message, notes) = (message.into(), Vec::new());
        Self { severity: Severity::Error, message, place: None, notes, help: None }
    }

    /// The same, with advice.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", self.message)?;
        let mut gutter = 0;
        if let Some(Place { file, line, column, source, width }) = &self.place {
            gutter = line.to_string().len();
            let caret = "^".repeat(*width);
            write!(f, "\n{:gutter$}--> {file}:{line}:{column}", "")?;
            write!(f, "\n{:gutter$} |", "")?;
            write!(f, "\n{line} | {source}")?;
            write!(f, "\n{:gutter$} | {:before$}{caret}", "", "", before = column - 1)?;
        }
        let notes = self.notes.iter().map(|note| ("note", note));
        for (kind, text) in notes.chain(self.help.iter().map(|help| ("help", help))) {
            write!(f, "\n{:gutter$} = {kind}: {text}", "")?;
        }
        Ok(())
    }
}

/// Why a configuration is refused: at least one error, and the warnings of the same run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors(pub Vec<Diagnostic>);

impl Errors {
    /// How many errors there are, warnings aside.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.iter().filter(|d| d.severity == Severity::Error).count()
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|diagnostic| writeln!(f, "{diagnostic}\n"))?;
        match self.count() {
            1 => write!(f, "1 error; nothing was changed"),
            n => write!(f, "{n} errors; nothing was changed"),
        }
    }
}

impl std::error::Error for Errors {}

/// The text being read and where its lines begin.
#[derive(Debug)]
pub(crate) struct Source<'t> {
    file: &'t str,
    text: &'t str,
    line_starts: Vec<usize>,
}

impl<'t> Source<'t> {
    pub(crate) fn new(file: &'t str, text: &'t str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { file, text, line_starts: std::iter::once(0).chain(after_newlines).collect() }
    }

    /// The text of a range, if the range is whole.
    pub(crate) fn slice(&self, span: &Span) -> &'t str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    fn place(&self, span: &Span) -> Place {
        let start = floor_char(self.text, span.start);
        let line = self.line_starts.partition_point(|&begin| begin <= start).max(1);
        let begin = self.line_starts[line - 1];
        let content = self.text[begin..].lines().next().unwrap_or_default();
        let end = floor_char(self.text, span.end).min(begin + content.len());
        let chars = |from: usize, to: usize| self.text.get(from..to).map_or(0, |s| s.chars().count());
        Place {
            file: self.file.to_owned(),
            line,
            column: chars(begin, start) + 1,
            source: content.chars().map(printable).collect(),
            width: chars(start, end).max(1),
        }
    }

    /// `file:line:column`.
    fn spot(&self, span: &Span) -> String {
        let place = self.place(span);
        format!("{}:{}:{}", place.file, place.line, place.column)
    }
}

/// The parser's ranges end at the end of the text at most, but an offset may lie inside a character.
fn floor_char(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

/// A file must not write to the operator's terminal: an escape sequence could hide the error.
fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// A finding whose place is still a range of bytes.
#[derive(Debug)]
pub(crate) struct Finding {
    severity: Severity,
    span: Span,
    message: String,
    notes: Vec<(String, Span)>,
    help: Option<String>,
}

impl Finding {
    /// Says what to do.
    pub(crate) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Names another place: "`note` at FILE:LINE:COLUMN".
    pub(crate) fn note(&mut self, note: impl Into<String>, at: &Span) -> &mut Self {
        self.notes.push((note.into(), at.clone()));
        self
    }
}

/// Collects what is found while a file is read.
#[derive(Debug)]
pub(crate) struct Report<'t> {
    pub(crate) source: Source<'t>,
    findings: Vec<Finding>,
}

impl<'t> Report<'t> {
    pub(crate) fn new(source: Source<'t>) -> Self {
        Self { source, findings: Vec::new() }
    }

    pub(crate) fn error(&mut self, span: &Span, message: impl Into<String>) -> &mut Finding {
        self.add(Severity::Error, span, message.into())
    }

    pub(crate) fn warning(&mut self, span: &Span, message: impl Into<String>) -> &mut Finding {
        self.add(Severity::Warning, span, message.into())
    }

    fn add(&mut self, severity: Severity, span: &Span, message: String) -> &mut Finding {
        let at = self.findings.len();
        let finding = Finding { severity, span: span.clone(), message, notes: Vec::new(), help: None };
        self.findings.push(finding);
        &mut self.findings[at]
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Error)
    }

    /// All findings, in the order of the file.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.findings.sort_by_key(|f| f.span.start);
        let source = self.source;
        let diagnostic = |f: Finding| Diagnostic {
            severity: f.severity,
            message: f.message.chars().map(printable).collect(),
            place: Some(source.place(&f.span)),
            notes: f.notes.iter().map(|(note, at)| format!("{note} at {}", source.spot(at))).collect(),
            help: f.help,
        };
        self.findings.into_iter().map(diagnostic).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, span: Span) -> Place {
        Source::new("lb.toml", text).place(&span)
    }

    #[test]
    fn columns_count_characters_and_not_bytes() {
        let found = place("a = 1\nnäme = 2\n", 6..11);
        assert_eq!((found.line, found.column, found.width), (2, 1, 4));
        assert_eq!(found.source, "näme = 2");
    }

    #[test]
    fn a_place_at_the_end_of_the_text_still_has_a_line() {
        let found = place("a = 1\nb", 7..7);
        assert_eq!((found.line, found.column, found.width), (2, 2, 1));
        assert_eq!(place("", 0..0).line, 1);
        assert_eq!(place("a\n", 99..120).line, 2);
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(place("x = \"\x1b[2J\"", 0..1).source, "x = \"\u{fffd}[2J\"");
    }

    #[test]
    fn rendering_points_at_the_column() {
        let mut report = Report::new(Source::new("lb.toml", "[node]\n  nme = \"x\"\n"));
        report
            .error(&(9..12), "unknown key `nme`")
            .note("a table begins", &(0..6))
            .help("did you mean `name`?");
        let expected = "error: unknown key `nme`\n --> lb.toml:2:3\n  |\n2 |   nme = \"x\"\n  |   ^^^\n  \
                        = note: a table begins at lb.toml:1:1\n  = help: did you mean `name`?";
        assert_eq!(report.finish()[0].to_string(), expected);
    }
}
