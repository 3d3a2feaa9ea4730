//! Which clients may use a service: prefixes that are allowed and that are denied.
//!
//! The longest prefix that fits a client decides; of two that are as long, the one that denies. Where none
//! fits, the client may use the service if no prefix is allowed by name.
//!
//! Built once, then read only. Prefixes either contain one another or have nothing in common, so that they
//! cut all addresses into intervals with one answer each, which are less than twice as many as prefixes; a
//! look-up finds the interval ([`Sorted`]).

use std::net::IpAddr;

use super::sorted::Sorted;
use crate::types::Prefix;

/// See the module's head. Without a prefix: everybody may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessList {
    /// Where an interval begins, and whether its clients may.
    v4: Sorted<u32, 15>,
    v6: Sorted<u128, 3>,
    /// Where an interval of the whole family is the only one.
    others: bool,
}

impl Default for AccessList {
    fn default() -> Self {
        Self::new(&[], &[])
    }
}

impl AccessList {
    /// In any order, also with repetitions.
    #[must_use]
    pub fn new(allow: &[Prefix], deny: &[Prefix]) -> Self {
        let others = allow.is_empty();
        let named = |list: &[Prefix], may: bool| list.iter().map(|p| (*p, may)).collect::<Vec<_>>();
        let mut all = [named(allow, true), named(deny, false)].concat();
        // Wider ones before what they contain; of the same prefix, the one that denies last.
        all.sort_by_key(|(prefix, may)| (prefix.address(), prefix.length(), !may));
        let of_family = |v4: bool| {
            let spans = all.iter().filter(move |(prefix, _)| prefix.address().is_ipv4() == v4);
            intervals(spans.map(|(prefix, may)| (Span::of(*prefix), *may)), others)
        };
        #[expect(clippy::cast_possible_truncation, reason = "IPv4 addresses")]
        let v4: Vec<_> = of_family(true).into_iter().map(|(first, may)| (first as u32, may)).collect();
        Self { v4: Sorted::new(&v4, u32::MAX), v6: Sorted::new(&of_family(false), u128::MAX), others }
    }

    /// Whether a client may use the service.
    #[inline]
    #[must_use]
    pub fn allows(&self, client: IpAddr) -> bool {
        let found = match client {
            IpAddr::V4(v4) => self.v4.floor(v4.to_bits()),
            IpAddr::V6(v6) => self.v6.floor(v6.to_bits()),
        };
        found.unwrap_or(self.others)
    }
}

/// The addresses of a prefix, both ends included.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: u128,
    last: u128,
    /// The last address of the family.
    end: u128,
}

impl Span {
    fn of(prefix: Prefix) -> Self {
        let (first, end) = match prefix.address() {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), u128::from(u32::MAX)),
            IpAddr::V6(v6) => (v6.to_bits(), u128::MAX),
        };
        let behind = end.checked_shr(u32::from(prefix.length())).unwrap_or(0);
        Self { first, last: first | behind, end }
    }
}

/// Where the answer changes, and to what. `spans` ascend, each behind those that contain it.
fn intervals(spans: impl Iterator<Item = (Span, bool)>, others: bool) -> Vec<(u128, bool)> {
    let mut changes: Vec<(u128, bool)> = Vec::new();
    // Those that contain the present place, the narrowest last.
    let mut open: Vec<(Span, bool)> = Vec::new();
    let answer = |open: &[(Span, bool)]| open.last().map_or(others, |(_, may)| *may);
    for (span, may) in spans {
        while let Some((closed, _)) = open.pop_if(|(outer, _)| outer.last < span.first) {
            begin(&mut changes, closed.last + 1, answer(&open));
        }
        begin(&mut changes, span.first, may);
        open.push((span, may));
    }
    while let Some((closed, _)) = open.pop() {
        if closed.last < closed.end {
            begin(&mut changes, closed.last + 1, answer(&open));
        }
    }
    changes.dedup_by_key(|(_, may)| *may);
    changes
}

/// From `first` on the answer is `may`, whatever was said of that place before.
fn begin(changes: &mut Vec<(u128, bool)>, first: u128, may: bool) {
    if changes.last().is_some_and(|(last, _)| *last == first) {
        changes.pop();
    }
    changes.push((first, may));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rule as it is written.
    fn allowed(allow: &[Prefix], deny: &[Prefix], client: IpAddr) -> bool {
        let longest = |list: &[Prefix]| {
            list.iter().filter(|prefix| prefix.contains(client)).map(|prefix| prefix.length()).max()
        };
        match (longest(allow), longest(deny)) {
            (None, None) => allow.is_empty(),
            (Some(allow), Some(deny)) => allow > deny,
            (allow, None) => allow.is_some(),
            (None, Some(_)) => false,
        }
    }

    /// Few addresses, so that prefixes contain one another.
    fn address(v6: bool) -> impl Strategy<Value = IpAddr> {
        let edge = prop_oneof![Just(0_u128), Just(u128::MAX), any::<u128>()];
        (edge, 0_u32..128, 0_u128..8).prop_map(move |(base, shift, low)| {
            let bits = base ^ low << shift;
            match v6 {
                true => IpAddr::V6(bits.into()),
                false => IpAddr::V4(u32::try_from(bits & u128::from(u32::MAX)).unwrap().into()),
            }
        })
    }

    fn prefixes() -> impl Strategy<Value = Vec<Prefix>> {
        let v4 = (address(false), 0_u8..=32);
        let v6 = (address(true), 0_u8..=128);
        let prefix = prop_oneof![v4.boxed(), v6.boxed()];
        let prefix = prefix.prop_map(|(address, length)| Prefix::new(address, length).unwrap());
        proptest::collection::vec(prefix, 0..40)
    }

    fn edges(prefix: Prefix) -> Vec<IpAddr> {
        let span = Span::of(prefix);
        let all = [span.first, span.last, span.first.saturating_sub(1), span.last.saturating_add(1)];
        let to_address = |bits: u128| match prefix.address() {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(bits.min(span.end)).unwrap().into()),
            IpAddr::V6(_) => IpAddr::V6(bits.into()),
        };
        all.map(to_address).to_vec()
    }

    proptest! {
        #[test]
        fn the_list_says_what_the_rule_says(
            allow in prefixes(),
            deny in prefixes(),
            clients in proptest::collection::vec(prop_oneof![address(false), address(true)], 1..40),
        ) {
            let list = AccessList::new(&allow, &deny);
            let edges = allow.iter().chain(&deny).flat_map(|prefix| edges(*prefix));
            for client in clients.into_iter().chain(edges) {
                prop_assert_eq!(list.allows(client), allowed(&allow, &deny, client), "{}", client);
            }
        }
    }

    #[test]
    fn a_list_of_everybody_or_nobody_says_so() {
        let all = |text: &str| Prefix::new(text.parse().unwrap(), 0).unwrap();
        let (v4, v6) = ("10.0.0.2".parse().unwrap(), "fd00::2".parse().unwrap());
        let answers = |list: AccessList| [list.allows(v4), list.allows(v6)];
        assert_eq!(answers(AccessList::default()), [true, true]);
        assert_eq!(answers(AccessList::new(&[], &[all("0.0.0.0")])), [false, true]);
        assert_eq!(answers(AccessList::new(&[all("::")], &[])), [false, true]);
        assert_eq!(answers(AccessList::new(&[all("::")], &[all("::")])), [false, false]);
    }
}
