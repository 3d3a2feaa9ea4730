//! Reads single TOML values: one function per kind of value that a key may have.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use dataplane::types::{Port, PortRange, Prefix};
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
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { value: None, message: message.into(), help: None }
    }

    /// `message` follows the key and its value: "`port = 70000` must be …".
    pub(super) fn said(value: impl Into<String>, message: impl Into<String>) -> Self {
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

/// `true` or `false`.
pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, Wrong> {
    match value {
        DeValue::Boolean(flag) => Ok(*flag),
        other => Err(wrong_type("`true` or `false`", other)),
    }
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
        if text.parse::<SocketAddr>().is_ok() {
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

/// An address with a port.
pub(super) fn socket_address(value: &DeValue<'_>) -> Result<SocketAddr, Wrong> {
    let text = value.as_str().ok_or_else(|| wrong_type("an address with a port, in quotes", value))?;
    let wrong = |_| Wrong::said(format!("{text:?}"), "is not an address with a port");
    let example = "write it as in \"127.0.0.1:9580\" or \"[::1]:9580\"";
    text.parse().map_err(wrong).map_err(|wrong| wrong.with_help(example))
}

/// An IPv4 address.
pub(super) fn ipv4_address(value: &DeValue<'_>) -> Result<Ipv4Addr, Wrong> {
    match address(value)? {
        IpAddr::V4(v4) => Ok(v4),
        IpAddr::V6(v6) => Err(Wrong::said(format!("\"{v6}\""), "must be an IPv4 address")),
    }
}

/// An IPv6 address.
pub(super) fn ipv6_address(value: &DeValue<'_>) -> Result<Ipv6Addr, Wrong> {
    match address(value)? {
        IpAddr::V6(v6) => Ok(v6),
        IpAddr::V4(v4) => Err(Wrong::said(format!("\"{v4}\""), "must be an IPv6 address")),
    }
}

/// The same, but not one of all addresses.
pub(super) fn prefix(value: &DeValue<'_>) -> Result<Prefix, Wrong> {
    let prefix = any_prefix(value)?;
    match prefix.length() {
        0 => Err(Wrong::said(format!("\"{prefix}\""), "is every address there is")),
        _ => Ok(prefix),
    }
}

/// An address, or a prefix without bits behind its length.
pub(super) fn any_prefix(value: &DeValue<'_>) -> Result<Prefix, Wrong> {
    let Some((text, length)) = value.as_str().and_then(|text| text.split_once('/')) else {
        return address(value).map(Prefix::host);
    };
    let whole = || format!("\"{text}/{length}\"");
    let no_prefix = || Wrong::said(whole(), "is not a prefix").with_help("write it as in \"10.0.0.0/28\"");
    let first: IpAddr = text.parse().map_err(|_| no_prefix())?;
    let prefix = length.parse().ok().and_then(|length| Prefix::new(first, length)).ok_or_else(no_prefix)?;
    if prefix.address() != first {
        let wrong = Wrong::said(whole(), "has bits set behind its length");
        return Err(
            wrong.with_help(format!("write \"{prefix}\" for the prefix, \"{first}\" for the address"))
        );
    }
    Ok(prefix)
}

/// `"8000-8099"`, `"any"`, or a single port as a text.
pub(super) fn port_range(value: &DeValue<'_>) -> Result<PortRange, Wrong> {
    const EXAMPLE: &str = "write \"8000-8099\" or \"any\"; a single port has the key `port`";
    let text =
        value.as_str().ok_or_else(|| wrong_type("a range of ports in quotes", value).with_help(EXAMPLE))?;
    if text == "any" {
        return Ok(PortRange::ANY);
    }
    let port = |text: &str| text.trim().parse().ok().filter(|port| *port > 0).map(Port);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (port(first), port(last)) {
        (Some(first), Some(last)) if first <= last => Ok(PortRange { first, last }),
        (Some(first), Some(last)) => {
            let wrong = Wrong::said(format!("{text:?}"), "ends before it begins");
            Err(wrong.with_help(format!("write \"{last}-{first}\"")))
        }
        _ => {
            Err(Wrong::said(format!("{text:?}"), "is not a range of ports from 1 to 65535")
                .with_help(EXAMPLE))
        }
    }
}

/// Addresses of one family without a gap, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

impl AddressRange {
    /// How many there are.
    pub(super) fn count(self) -> u128 {
        let behind = match (self.first, self.last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => u128::from(last.to_bits() - first.to_bits()),
            (IpAddr::V6(first), IpAddr::V6(last)) => last.to_bits() - first.to_bits(),
            _ => 0,
        };
        behind.saturating_add(1)
    }

    /// Each of them; at most `limit`.
    pub(super) fn addresses(self, limit: usize) -> impl Iterator<Item = IpAddr> {
        let nth = move |n: usize| match self.first {
            IpAddr::V4(first) => {
                let n = u32::try_from(n).unwrap_or(u32::MAX);
                IpAddr::V4(Ipv4Addr::from_bits(first.to_bits().saturating_add(n)))
            }
            IpAddr::V6(first) => IpAddr::V6(Ipv6Addr::from_bits(first.to_bits().saturating_add(n as u128))),
        };
        let count = usize::try_from(self.count()).unwrap_or(usize::MAX);
        (0..count.min(limit)).map(nth)
    }
}

/// `"10.0.0.110-10.0.0.119"`, an address, or a prefix.
pub(super) fn address_range(value: &DeValue<'_>) -> Result<AddressRange, Wrong> {
    let Some((first, last)) = value.as_str().and_then(|text| text.split_once('-')) else {
        return prefix(value).map(of_prefix);
    };
    let text = || format!("\"{first}-{last}\"");
    let (Ok(low), Ok(high)) = (first.trim().parse::<IpAddr>(), last.trim().parse::<IpAddr>()) else {
        let wrong = Wrong::said(text(), "is not a range of addresses");
        return Err(wrong.with_help("write it as in \"10.0.0.110-10.0.0.119\""));
    };
    if low.is_ipv4() != high.is_ipv4() {
        return Err(Wrong::said(text(), "begins and ends in different families"));
    }
    if high < low {
        let wrong = Wrong::said(text(), "ends before it begins");
        return Err(wrong.with_help(format!("write \"{high}-{low}\"")));
    }
    Ok(AddressRange { first: low, last: high })
}

fn of_prefix(prefix: Prefix) -> AddressRange {
    let length = u32::from(prefix.length());
    let last = match prefix.address() {
        IpAddr::V4(v4) => {
            let behind = u32::MAX.checked_shr(length).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() | behind))
        }
        IpAddr::V6(v6) => {
            let behind = u128::MAX.checked_shr(length).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() | behind))
        }
    };
    AddressRange { first: prefix.address(), last }
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
