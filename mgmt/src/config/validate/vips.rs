//! The virtual IPs of a file: what is one, and which services share packets.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use dataplane::types::{PortRange, Prefix, Protocol};

use super::super::diagnostic::{Report, Span};
use super::super::{endpoint, model};

/// All virtual IPs, with the place of one service of each.
#[derive(Debug, Default)]
pub(super) struct Vips {
    spans: HashMap<Prefix, Span>,
    lengths: BTreeSet<u8>,
}

impl Vips {
    pub(super) fn new(services: &[model::Service]) -> Self {
        let mut vips = Self::default();
        for address in services.iter().filter_map(|service| service.address.as_ref()) {
            vips.spans.entry(*address.get_ref()).or_insert_with(|| address.span());
            vips.lengths.insert(address.get_ref().length());
        }
        vips
    }

    /// The virtual IP or prefix that `address` is of, and its place.
    pub(super) fn find(&self, address: IpAddr) -> Option<(Prefix, &Span)> {
        self.lengths.iter().rev().find_map(|length| {
            let prefix = Prefix::new(address, *length)?;
            self.spans.get(&prefix).map(|span| (prefix, span))
        })
    }
}

/// A service by what it listens on.
#[derive(Debug)]
struct Listener<'s> {
    name: &'s str,
    address: Prefix,
    protocol: Protocol,
    ports: PortRange,
    span: Span,
}

/// The listeners of one prefix and protocol, by their first port.
#[derive(Debug, Default)]
struct Ranges<'s> {
    by_first: BTreeMap<u16, Vec<&'s Listener<'s>>>,
    /// The widest: how far back from a port the search for ranges that reach it has to begin.
    width: u16,
}

impl<'s> Ranges<'s> {
    fn add(&mut self, listener: &'s Listener<'s>) {
        self.by_first.entry(listener.ports.first.0).or_default().push(listener);
        self.width = self.width.max(listener.ports.width());
    }

    fn overlapping(&self, ports: PortRange) -> impl Iterator<Item = &'s Listener<'s>> {
        let from = ports.first.0.saturating_sub(self.width);
        let near = self.by_first.range(from..=ports.last.0).flat_map(|(_, listeners)| listeners);
        near.copied().filter(move |listener| listener.ports.overlaps(ports))
    }
}

/// Two services on the same endpoints are an error. Where one takes a part of what another one has
/// listed, it is said which wins: that may be meant, or not.
pub(super) fn overlaps(services: &[model::Service], report: &mut Report<'_>) {
    let listeners: Vec<_> = services.iter().filter_map(listener).collect();
    let mut groups: HashMap<(Prefix, Protocol), Ranges<'_>> = HashMap::new();
    let mut lengths = BTreeSet::new();
    for listener in &listeners {
        let group = groups.entry((listener.address, listener.protocol)).or_default();
        let same = group.overlapping(listener.ports).find(|before| before.ports == listener.ports);
        if let Some(before) = same {
            let what = endpoint(listener.address, listener.ports);
            let message = format!("two services listen on {} {what}", listener.protocol);
            report.error(&listener.span, message).note("the first one is", &before.span);
            continue;
        }
        group.overlapping(listener.ports).for_each(|before| same_prefix(before, listener, report));
        group.add(listener);
        lengths.insert(listener.address.length());
    }
    for listener in &listeners {
        for length in lengths.range(..listener.address.length()) {
            let wider = Prefix::new(listener.address.address(), *length);
            let group = wider.and_then(|wider| groups.get(&(wider, listener.protocol)));
            for other in group.into_iter().flat_map(|group| group.overlapping(listener.ports)) {
                warn(listener, other, "its address is the more specific one", report);
            }
        }
    }
}

fn listener(service: &model::Service) -> Option<Listener<'_>> {
    let address = service.address.as_ref()?;
    Some(Listener {
        name: service.name.as_ref()?.get_ref(),
        address: *address.get_ref(),
        protocol: service.protocol,
        ports: *service.ports.as_ref()?.get_ref(),
        span: address.span(),
    })
}

fn same_prefix(before: &Listener<'_>, listener: &Listener<'_>, report: &mut Report<'_>) {
    const NARROWER: &str = "its range of ports is the narrower one";
    match listener.ports.width().cmp(&before.ports.width()) {
        Ordering::Less => warn(listener, before, NARROWER, report),
        Ordering::Greater => warn(before, listener, NARROWER, report),
        Ordering::Equal => warn(before, listener, "it is the first in the file", report),
    }
}

fn warn(winner: &Listener<'_>, loser: &Listener<'_>, why: &str, report: &mut Report<'_>) {
    let common = PortRange {
        first: winner.ports.first.max(loser.ports.first),
        last: winner.ports.last.min(loser.ports.last),
    };
    let (name, other) = (winner.name, loser.name);
    let what = endpoint(winner.address, common);
    let message = format!("services `{name}` and `{other}` both list {} {what}", winner.protocol);
    let finding = report.warning(&winner.span, message);
    finding.note(format!("`{other}` is"), &loser.span).help(format!("`{name}` wins: {why}"));
}
