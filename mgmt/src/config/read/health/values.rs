//! Values that checks alone have.

use hickory_proto::rr::{Name, RecordType};
use regex::bytes::{Regex, RegexBuilder};
use toml::de::DeValue;

use crate::bfd::auth::{Auth, Kind};
use crate::config::health::{Digest, StatusSet};
use crate::config::value::{Wrong, string};

/// A compiled pattern's memory: far more than anybody writes, far less than there are backends for.
const REGEX: usize = 1 << 20;

/// `"sha1:1:secret"`
pub(super) fn auth(value: &DeValue<'_>) -> Result<Auth, Wrong> {
    const KINDS: &[(&str, Kind)] =
        &[("simple", Kind::Simple), ("sha1", Kind::Sha1), ("meticulous-sha1", Kind::MeticulousSha1)];
    let text = string(value)?;
    let mut parts = text.splitn(3, ':');
    let kind = parts.next().and_then(|word| KINDS.iter().find(|(known, _)| *known == word));
    let id = parts.next().and_then(|number| number.parse().ok());
    // The secret is not repeated in messages.
    let (Some((_, kind)), Some(id), Some(secret)) = (kind, id, parts.next()) else {
        let wrong = Wrong::new("does not say kind, number of the key and key");
        return Err(wrong.with_help(
            "write it as in \"sha1:1:secret\"; the kinds are `simple`, `sha1` and `meticulous-sha1`",
        ));
    };
    Auth::new(*kind, id, secret).ok_or_else(|| {
        let most = if *kind == Kind::Simple { 16 } else { 20 };
        Wrong::new(format!("has a key that is not 1 to {most} bytes long"))
    })
}

/// `"200-299,301"`
pub(super) fn status(value: &DeValue<'_>) -> Result<StatusSet, Wrong> {
    let text = string(value)?;
    let code = |text: &str| text.trim().parse().ok().filter(|code| (100..=999).contains(code));
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some((code(first)?, code(last)?)).filter(|(first, last)| first <= last)
    };
    let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
    ranges.map(StatusSet).ok_or_else(|| {
        let wrong = Wrong::said(format!("{text:?}"), "is not a list of status codes from 100 to 999");
        wrong.with_help("write it as in \"200-299,301\"")
    })
}

pub(super) fn regex(value: &DeValue<'_>) -> Result<Regex, Wrong> {
    let text = string(value)?;
    RegexBuilder::new(&text).size_limit(REGEX).build().map_err(|error| {
        let why = error.to_string();
        // The last line is what is wrong; those before it draw where.
        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let wrong = Wrong::said(format!("{text:?}"), format!("is not a regular expression: {why}"));
        wrong.with_help("single quotes keep backslashes as they are: body_regex = 'ready: \\d+'")
    })
}

/// `"sha256:…"`, `"md5:…"`
pub(super) fn digest(value: &DeValue<'_>) -> Result<Digest, Wrong> {
    let text = string(value)?;
    let (kind, digits) = text.split_once(':').unwrap_or(("", &text));
    let bytes = hex(digits).unwrap_or_default();
    let digest = match kind {
        "sha256" => bytes.try_into().ok().map(Digest::Sha256),
        "md5" => bytes.try_into().ok().map(Digest::Md5),
        _ => None,
    };
    digest.ok_or_else(|| {
        let wrong = Wrong::said(format!("{text:?}"), "is not a digest");
        wrong.with_help(
            "write \"sha256:\" and the 64 digits that sha256sum gives, or \"md5:\" and the 32 of md5sum",
        )
    })
}

/// A text, or `"hex:…"`.
pub(super) fn octets(value: &DeValue<'_>) -> Result<Vec<u8>, Wrong> {
    let text = string(value)?;
    match text.strip_prefix("hex:") {
        None => Ok(text.into_bytes()),
        Some(digits) => hex(digits).ok_or_else(|| {
            let wrong = Wrong::said(format!("{text:?}"), "is not made of pairs of hexadecimal digits");
            wrong.with_help("write it as in \"hex:00ff 1234\"")
        }),
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = digits
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

pub(super) fn dns_name(value: &DeValue<'_>) -> Result<Name, Wrong> {
    let text = string(value)?;
    let mut name = Name::from_ascii(&text).map_err(|error| {
        Wrong::said(
            format!("{text:?}"),
            format!("is not a name of the DNS: {}", error.to_string().trim_end_matches([':', ' '])),
        )
    })?;
    name.set_fqdn(true);
    Ok(name)
}

pub(super) fn record_type(value: &DeValue<'_>) -> Result<RecordType, Wrong> {
    let text = string(value)?;
    text.to_ascii_uppercase().parse().map_err(|_| {
        let wrong = Wrong::said(format!("{text:?}"), "is not a type of DNS records that is known");
        wrong.with_help("write it as in \"A\", \"AAAA\", \"SOA\" or \"TXT\"")
    })
}
