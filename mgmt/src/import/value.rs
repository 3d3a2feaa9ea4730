//! Addresses, ports and times as Keepalived and ipvsadm write them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use dataplane::types::{Port, PortRange, Prefix};

/// No range of virtual IPs becomes more services than this.
const MAX_PREFIXES: usize = 64;

/// Times of more than a day are mistakes.
const LONGEST: Duration = Duration::from_secs(86_400);

/// One address, `10.0.0.1-9`, `10.0.0.250-10.0.1.10` or `10.0.0.8/29`, as prefixes.
pub(super) fn addresses(text: &str) -> Option<Vec<Prefix>> {
    if let Some((address, length)) = text.split_once('/') {
        return Some(vec![Prefix::new(address.parse().ok()?, length.parse().ok()?)?]);
    }
    let Some((first, last)) = text.split_once('-') else {
        return Some(vec![Prefix::host(text.parse().ok()?)]);
    };
    let first: IpAddr = first.parse().ok()?;
    match (first, last.parse().ok()) {
        (IpAddr::V4(v4), None) => {
            let [a, b, c, _] = v4.octets();
            prefixes(first, Ipv4Addr::new(a, b, c, last.parse().ok()?).into())
        }
        (IpAddr::V6(v6), None) => {
            let [a, b, c, d, e, f, g, _] = v6.segments();
            let last = u16::from_str_radix(last, 16).ok()?;
            prefixes(first, Ipv6Addr::new(a, b, c, d, e, f, g, last).into())
        }
        (_, Some(last)) => prefixes(first, last),
    }
}

/// The fewest prefixes that are exactly what is from `first` to `last`.
fn prefixes(first: IpAddr, last: IpAddr) -> Option<Vec<Prefix>> {
    let (mut from, to, bits) = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            (u128::from(first.to_bits()), u128::from(last.to_bits()), 32)
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => (first.to_bits(), last.to_bits(), 128),
        _ => return None,
    };
    let mut found = Vec::new();
    while from <= to {
        // As large as its beginning allows, and its end.
        let mut free = from.trailing_zeros().min(bits);
        let last_of = |free: u32| from | 1_u128.checked_shl(free).map_or(u128::MAX, |size| size - 1);
        while last_of(free) > to {
            free -= 1;
        }
        let address = match bits {
            32 => IpAddr::V4(u32::try_from(from).ok()?.into()),
            _ => IpAddr::V6(from.into()),
        };
        found.push(Prefix::new(address, u8::try_from(bits - free).ok()?)?);
        match last_of(free).checked_add(1) {
            Some(next) if found.len() < MAX_PREFIXES => from = next,
            Some(_) => return None,
            None => break,
        }
    }
    (!found.is_empty()).then_some(found)
}

/// `80`, `8000-8099`; 0 and nothing are all ports.
pub(super) fn ports(text: Option<&str>) -> Option<PortRange> {
    let port = |text: &str| text.parse().ok().filter(|port| *port > 0).map(Port);
    match text {
        None | Some("0") => Some(PortRange::ANY),
        Some(text) => {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let (first, last) = (port(first)?, port(last)?);
            (first <= last).then_some(PortRange { first, last })
        }
    }
}

/// `10.0.0.1:80`, `[2001:db8::1]:80`.
pub(super) fn endpoint(text: &str) -> Option<(IpAddr, &str)> {
    let (address, port) = text.rsplit_once(':')?;
    let address = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
    Some((address.parse().ok()?, port))
}

/// Seconds, with a fraction or without.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let time = Duration::try_from_secs_f64(text.parse().ok()?).ok()?;
    (time <= LONGEST).then(|| Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
}

/// The length of `255.255.255.0`, or of a prefix of IPv6 that is written as one.
pub(super) fn mask(text: &str) -> Option<(u8, bool)> {
    match text.parse::<Ipv4Addr>() {
        Ok(mask) => {
            let length = mask.to_bits().leading_ones();
            (mask.to_bits().count_ones() == length && length > 0)
                .then(|| (u8::try_from(length).unwrap_or(32), true))
        }
        Err(_) => text.parse().ok().filter(|length| (1..=128).contains(length)).map(|length| (length, false)),
    }
}

/// Why no service or backend can have this address.
pub(super) fn problem(address: IpAddr) -> Option<&'static str> {
    match address {
        ip if ip.is_loopback() => {
            Some("is an address of the box itself: Penstock forwards to other machines")
        }
        ip if ip.is_unspecified() || ip.is_multicast() => Some("is no host's address"),
        IpAddr::V4(v4) if v4.is_broadcast() || v4.octets()[0] == 0 => Some("is no host's address"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some("is link-local, which names no network"),
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Some("is an IPv4 address written as IPv6"),
        _ => None,
    }
}

/// A command line without a shell: words, and what stands in quotes.
pub(super) fn command(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut is_open) = (String::new(), None, false);
    for c in line.chars() {
        match (quote, c) {
            (Some(end), c) if c == end => quote = None,
            (None, '"' | '\'') => (quote, is_open) = (Some(c), true),
            (None, c) if c.is_whitespace() => {
                if is_open {
                    words.push(std::mem::take(&mut word));
                }
                is_open = false;
            }
            (_, c) => {
                word.push(c);
                is_open = true;
            }
        }
    }
    if is_open {
        words.push(word);
    }
    words
}

/// Whether an interface may be called so.
pub(super) fn is_interface(text: &str) -> bool {
    (1..=15).contains(&text.len())
        && text != "lo"
        && !text.contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control())
}

/// Whether it is one word, as hosts and users are.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// `200` or `200-299`, as codes of HTTP.
pub(super) fn is_status(text: &str) -> bool {
    let code = |text: &str| text.parse::<u16>().ok().filter(|code| (100..=599).contains(code));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    code(first).zip(code(last)).is_some_and(|(first, last)| first <= last)
}

/// Characters of a name.
pub(super) const MAX_NAME: usize = 64;

/// A name as Penstock takes them.
pub(super) fn name(text: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    text.chars().map(fit).take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> Vec<String> {
        addresses(text).unwrap_or_default().iter().map(Prefix::to_string).collect()
    }

    #[test]
    fn ranges_become_the_fewest_prefixes() {
        assert_eq!(listed("10.0.0.1"), ["10.0.0.1"]);
        assert_eq!(listed("10.0.0.1-4"), ["10.0.0.1", "10.0.0.2/31", "10.0.0.4"]);
        assert_eq!(listed("ae00::2-9"), ["ae00::2/127", "ae00::4/126", "ae00::8/127"]);
        assert_eq!(listed("10.0.0.254-10.0.1.1"), ["10.0.0.254/31", "10.0.1.0/31"]);
        assert_eq!(listed("10.0.0.13/29"), ["10.0.0.8/29"]);
        assert_eq!(listed("255.255.255.254-255"), ["255.255.255.254/31"]);
        for wrong in ["10.0.0.9-1", "10.0.0", "10.0.0.1-::2", "10.0.0.1/33", "10.0.0.1-300", ""] {
            assert_eq!(addresses(wrong), None, "{wrong}");
        }
        assert!(addresses("::1-ffff:ffff::1").is_none(), "far too many");
    }

    #[test]
    fn ports_masks_times_and_endpoints_are_read() {
        assert_eq!(ports(None), Some(PortRange::ANY));
        assert_eq!(ports(Some("0")), Some(PortRange::ANY));
        assert_eq!(ports(Some("80-90")).unwrap().to_string(), "80-90");
        assert_eq!([ports(Some("90-80")), ports(Some("x"))], [None, None]);
        assert_eq!(
            [mask("255.255.255.0"), mask("64"), mask("255.0.255.0")],
            [Some((24, true)), Some((64, false)), None]
        );
        assert_eq!(seconds("2.5"), Some(Duration::from_millis(2500)));
        assert_eq!([seconds("-1"), seconds("x"), seconds("1e9")], [None; 3]);
        assert_eq!(endpoint("[2001:db8::1]:80"), Some(("2001:db8::1".parse().unwrap(), "80")));
        assert_eq!(endpoint("10.0.0.1:0"), Some(("10.0.0.1".parse().unwrap(), "0")));
    }

    #[test]
    fn a_command_is_split_as_without_a_shell() {
        assert_eq!(command(" /a/b  'c d' \"\" e\"f g\"h"), ["/a/b", "c d", "", "ef gh"]);
    }
}
