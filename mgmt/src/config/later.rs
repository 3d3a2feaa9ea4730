//! Keys of the contract whose feature this version does not have.
//!
//! Such a key is known by name and may say what holds anyway (`slow_start = "0s"`); asking for the
//! feature is refused, never ignored. The lists at the end have one line per key: a feature that
//! arrives takes its line away, and reads the key where its table is read.

use toml::Spanned;
use toml::de::DeValue;

use super::diagnostic::{Report, Span};

/// What a key may say although its feature is not there: its default.
#[derive(Debug)]
pub(super) enum Later {
    /// Nothing: the key has no default that means "off".
    Absent,
    /// This text.
    Text(&'static str),
    /// This number.
    Number(u32),
    /// A duration of zero, however written.
    NoTime,
}

impl Later {
    pub(super) fn check(
        &self,
        key: &str,
        key_span: &Span,
        found: &Spanned<DeValue<'_>>,
        report: &mut Report<'_>,
    ) {
        if !self.is_said_by(found.get_ref()) {
            self.refuse(key, key_span, &found.span(), report);
        }
    }

    fn is_said_by(&self, found: &DeValue<'_>) -> bool {
        match (self, found) {
            (Self::Text(default), DeValue::String(text)) => text == default,
            (Self::Number(default), DeValue::Integer(n)) => {
                u32::from_str_radix(n.as_str(), n.radix()).is_ok_and(|n| n == *default)
            }
            (Self::NoTime, DeValue::String(text)) => {
                humantime::parse_duration(text).is_ok_and(|time| time.is_zero())
            }
            _ => false,
        }
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
            Self::Text(default) => finding.help(format!("this version has `{key} = \"{default}\"` only")),
            Self::Number(default) => finding.help(format!("this version has `{key} = {default}` only")),
            Self::NoTime => finding.help(format!("this version has `{key} = \"0s\"` only")),
        };
    }
}

/// Of the file.
pub(super) const TOP: &[(&str, Later)] = &[("vrrp", Later::Absent)];

/// Of `[[service]]`.
pub(super) const SERVICE: &[(&str, Later)] = &[
    ("persistence", Later::Absent),
    ("backup", Later::Absent),
    ("quorum", Later::Number(1)),
    ("group_minimum", Later::Number(1)),
    ("on_backend_failure", Later::Text("keep")),
    ("slow_start", Later::NoTime),
    ("hash_on", Later::Text("source+port")),
];

/// Of `[[service.backend]]`.
pub(super) const BACKEND: &[(&str, Later)] =
    &[("priority_group", Later::Number(1)), ("lower_threshold", Later::Number(0))];

/// Words of `check`.
pub(super) const CHECKS: &[&str] = &["bfd"];

/// Words of a check's `via`.
pub(super) const WAYS: &[&str] = &["data-path"];

/// Words of `scheduler`.
pub(super) const SCHEDULERS: &[&str] =
    &["lc", "wlc", "sh", "dh", "sed", "nq", "fo", "ovf", "lblc", "lblcr", "random"];
