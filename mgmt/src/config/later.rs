//! Keys of the contract whose feature this version does not have.
//!
//! Such a key is known by name; asking for the feature is refused, never ignored. The lists at the end have one line per key: a feature that
//! arrives takes its line away, and reads the key where its table is read.

use toml::Spanned;
use toml::de::DeValue;

use super::diagnostic::{Report, Span};

/// What a key may say although its feature is not there: its default.
#[derive(Debug)]
pub(super) enum Later {
    /// Nothing: the key has no default that means "off".
    Absent,
}

impl Later {
    pub(super) fn check(
        &self,
        key: &str,
        key_span: &Span,
        found: &Spanned<DeValue<'_>>,
        report: &mut Report<'_>,
    ) {
        self.refuse(key, key_span, &found.span(), report);
    }

    fn refuse(&self, key: &str, key_span: &Span, found: &Span, report: &mut Report<'_>) {
        const SHORT: usize = 40;
        let text = report.source.slice(found);
        // A table's range is its header: `[service.health]`, `[[vrrp]]`.
        let is_header = text.starts_with('[') && text.contains(key);
        let asked = match text {
            header if is_header => header.to_owned(),
            value if value.len() <= SHORT && !value.contains('\n') => format!("{key} = {value}"),
            _ => key.to_owned(),
        };
        let span = if is_header { found.clone() } else { key_span.start..found.end.max(key_span.end) };
        let finding = report.error(&span, format!("`{asked}` is not available in this version"));
        match self {
            Self::Absent if is_header => finding.help("take the table out"),
            Self::Absent => finding.help("take the key out"),
        };
    }
}

/// Of the file.
pub(super) const TOP: &[(&str, Later)] = &[("vrrp", Later::Absent)];

/// Of `[[service]]`.
/// Words of `check`.
pub(super) const CHECKS: &[&str] = &["bfd"];

/// Words of `scheduler`.
pub(super) const SCHEDULERS: &[&str] = &[];
