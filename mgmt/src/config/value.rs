//! Reads single TOML values: one function per kind of value that a key may have.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

/// Why a value is refused.
#[derive(Debug)]
pub(super) struct Wrong {
    /// What was written, where the message would be poorer without it.
    value: Option<String>,
    message: String,
    pub(super) help: Option<String>,
}

impl Wrong {
    /// `message` follows the key: "`port` must be …".
    fn new(message: impl Into<String>) -> Self {
        Self { value: None, message: message.into(), help: None }
    }

    /// `message` follows the key and its value: "`port = 70000` must be …".
    fn said(value: impl Into<String>, message: impl Into<String>) -> Self {
        Self { value: Some(value.into()), message: message.into(), help: None }
    }

    /// The whole sentence.
    pub(super) fn sentence(&self, key: &str) -> String {
        match &self.value {
            Some(value) => format!("`{key} = {value}` {}", self.message),
            None => format!("`{key}` {}", self.message),
        }
    }

    pub(super) fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// "must be a string, not an integer".
pub(super) fn wrong_type(expected: &str, found: &DeValue<'_>) -> Wrong {
    let found = match found.type_str() {
        kind @ ("integer" | "array") => format!("an {kind}"),
        kind => format!("a {kind}"),
    };
    Wrong::new(format!("must be {expected}, not {found}"))
}

pub(super) fn string(value: &DeValue<'_>) -> Result<String, Wrong> {
    let text = value.as_str().ok_or_else(|| wrong_type("a string", value))?;
    Ok(text.to_owned())
}

/// An integer within bounds.
pub(super) fn integer<T>(bounds: RangeInclusive<T>) -> impl Fn(&DeValue<'_>) -> Result<T, Wrong>
where
    T: TryFrom<i128> + PartialOrd + Display + Copy,
{
    move |value| {
        let DeValue::Integer(digits) = value else { return Err(wrong_type("an integer", value)) };
        let (low, high) = (*bounds.start(), *bounds.end());
        i128::from_str_radix(digits.as_str(), digits.radix())
            .ok()
            .and_then(|n| T::try_from(n).ok())
            .filter(|n| bounds.contains(n))
            .ok_or_else(|| Wrong::said(digits.to_string(), format!("must be from {low} to {high}")))
    }
}

/// A length of time, within bounds.
pub(super) fn duration(bounds: RangeInclusive<Duration>) -> impl Fn(&DeValue<'_>) -> Result<Duration, Wrong> {
    const EXAMPLE: &str = "write a number and a unit in quotes, as in \"100ms\", \"2s\" or \"15m\"";
    move |value| {
        let text = value.as_str().ok_or_else(|| wrong_type("a duration", value).with_help(EXAMPLE))?;
        let read = humantime::parse_duration(text)
            .map_err(|_| Wrong::said(format!("{text:?}"), "is not a duration").with_help(EXAMPLE))?;
        if bounds.contains(&read) {
            return Ok(read);
        }
        let [low, high] = [*bounds.start(), *bounds.end()].map(humantime::format_duration);
        Err(Wrong::said(format!("{text:?}"), format!("must be from {low} to {high}")))
    }
}

/// An IPv4 or IPv6 address, without a port.
pub(super) fn address(value: &DeValue<'_>) -> Result<IpAddr, Wrong> {
    let text = value.as_str().ok_or_else(|| wrong_type("an address in quotes", value))?;
    text.parse().map_err(|_| {
        let wrong = Wrong::said(format!("{text:?}"), "is not an IPv4 or IPv6 address");
        if text.parse::<std::net::SocketAddr>().is_ok() {
            wrong.with_help("the port has a key of its own: `port`")
        } else if text.contains('/') {
            wrong.with_help("write the address alone, without a prefix length")
        } else if text.starts_with('[') {
            wrong.with_help("brackets are only for an address with a port")
        } else {
            wrong.with_help(
                "write an address, as in \"10.0.0.100\" or \"2001:db8::100\"; names are not looked up",
            )
        }
    })
}

/// One word of a list, each standing for a value. `later` lists the words of the contract that this
/// version has no code for.
pub(super) fn word<T: Copy>(
    words: &'static [(&'static str, T)],
    later: &'static [&'static str],
) -> impl Fn(&DeValue<'_>) -> Result<T, Wrong> {
    move |value| {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let text = value.as_str().ok_or_else(|| wrong_type(&format!("one of {}", listed(&known)), value))?;
        if let Some((_, meant)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*meant);
        }
        if later.contains(&text) {
            let wrong = Wrong::said(format!("{text:?}"), "is not available in this version");
            return Err(wrong.with_help(format!("this version has {}", listed(&known))));
        }
        let wrong = Wrong::said(format!("{text:?}"), "is not known");
        Err(match nearest(text, &known) {
            Some(near) => wrong.with_help(format!("did you mean \"{near}\"?")),
            None => wrong.with_help(format!("write one of {}", listed(&known))),
        })
    }
}

/// The known word that was probably meant.
pub(super) fn nearest(written: &str, known: &[&'static str]) -> Option<&'static str> {
    const ALIKE: f64 = 0.75;
    let alike = |word: &&'static str| (strsim::jaro_winkler(written, word), *word);
    let best = known.iter().map(alike).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= ALIKE).then_some(best.1)
}

/// `a`, `b` and `c`.
pub(super) fn listed(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => "none".to_owned(),
    }
}
