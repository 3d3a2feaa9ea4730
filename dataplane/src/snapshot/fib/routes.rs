//! Routes of one table, and the choice among next hops of equal cost.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::prefixes::Prefixes;
use crate::mem::KeyedHash;
use crate::types::InterfaceId;

/// A route of the kernel, as the data plane can use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The prefix's address; bits behind `length` are ignored.
    pub prefix: IpAddr,
    /// The prefix's length in bits.
    pub length: u8,
    /// Where it leads.
    pub target: Target,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Nowhere: blackhole, unreachable or prohibit. It hides less specific routes, and ends the look-up.
    Nowhere,
    /// To the node itself or out of a foreign interface. It hides less specific routes, and is a route like any
    /// other for a rule that suppresses short prefixes.
    Foreign,
    /// The look-up goes on with the next rule (`throw` in ip-route(8)).
    Throw,
    /// To one next hop.
    One(Path),
    /// To one of several of equal cost, flow by flow.
    Many(Vec<Path>),
}

/// A next hop of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// The interface it leaves by.
    pub interface: InterfaceId,
    /// The router on the way; `None`: the destination itself is the neighbour.
    pub gateway: Option<IpAddr>,
    /// Its share of the flows, in relation to the others; 0 counts as 1.
    pub weight: u16,
    /// Whether frames pass the link.
    pub is_up: bool,
}

impl Path {
    /// The only next hop of a route.
    #[must_use]
    pub fn new(interface: InterfaceId, gateway: Option<IpAddr>) -> Self {
        Self { interface, gateway, weight: 1, is_up: true }
    }
}

impl Route {
    /// A route with one next hop; without an `interface` it leads nowhere.
    #[must_use]
    pub fn single(
        prefix: IpAddr,
        length: u8,
        interface: Option<InterfaceId>,
        gateway: Option<IpAddr>,
    ) -> Self {
        let by = |interface| Target::One(Path::new(interface, gateway));
        Self { prefix, length, target: interface.map_or(Target::Nowhere, by) }
    }
}

/// The interface and the router of a packet's path.
pub(crate) type Towards = (InterfaceId, Option<IpAddr>);

/// A [`Target`] in a table.
#[derive(Debug, Clone, Copy)]
enum Lead {
    Nowhere,
    Foreign,
    Throw,
    One(Towards),
    /// The place of the next hops in `Table::spreads`.
    Many(usize),
}

/// What a table says of a destination.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found<'t> {
    Nowhere,
    Foreign,
    Throw,
    One(&'t Towards),
    Many(&'t Spread),
}

impl<'t> Found<'t> {
    /// Where a flow of that hash goes.
    #[inline(always)]
    pub(super) fn towards(self, hash: u64) -> Option<&'t Towards> {
        match self {
            Self::One(towards) => Some(towards),
            Self::Many(spread) => spread.pick(hash),
            Self::Nowhere | Self::Foreign | Self::Throw => None,
        }
    }
}

/// Routes of one family, grouped by prefix length, longest first: an appliance has few distinct
/// lengths, so a look-up is a few hash probes.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    lengths: Vec<Prefixes<Lead>>,
    spreads: Vec<Spread>,
    hash: KeyedHash,
}

impl Table {
    /// Of two routes for one prefix the first stays. `answers`: whether a router's MAC is known.
    pub(super) fn insert(&mut self, route: Route, answers: impl Fn(InterfaceId, IpAddr) -> bool) {
        let place = self.lengths.partition_point(|prefixes| prefixes.length > route.length);
        if self.lengths.get(place).is_none_or(|prefixes| prefixes.length != route.length) {
            self.lengths.insert(place, Prefixes::new(route.length));
        }
        let prefixes = &mut self.lengths[place];
        let prefix = bits(route.prefix) & prefixes.mask;
        if prefixes.find(prefix, &self.hash).is_some() {
            return;
        }
        let lead = match route.target {
            Target::Nowhere => Lead::Nowhere,
            Target::Foreign => Lead::Foreign,
            Target::Throw => Lead::Throw,
            Target::One(path) => Lead::One((path.interface, path.gateway)),
            Target::Many(paths) => {
                self.spreads.push(Spread::new(paths, answers));
                Lead::Many(self.spreads.len() - 1)
            }
        };
        prefixes.insert(prefix, lead, &self.hash);
    }

    /// The longest prefix that has the destination, and its length.
    #[inline(always)]
    pub(super) fn find(&self, destination: u128) -> Option<(u8, Found<'_>)> {
        self.lengths.iter().find_map(|prefixes| {
            let found = match prefixes.find(destination & prefixes.mask, &self.hash)? {
                Lead::Nowhere => Found::Nowhere,
                Lead::Foreign => Found::Foreign,
                Lead::Throw => Found::Throw,
                Lead::One(towards) => Found::One(towards),
                Lead::Many(place) => self.spreads.get(*place).map_or(Found::Nowhere, Found::Many),
            };
            Some((prefixes.length, found))
        })
    }

    /// The routers that routes lead to.
    pub(super) fn gateways(&self) -> impl Iterator<Item = (InterfaceId, IpAddr)> {
        let leads = self.lengths.iter().flat_map(Prefixes::values);
        let single = leads.filter_map(|lead| match lead {
            Lead::One((interface, gateway)) => Some((*interface, (*gateway)?)),
            Lead::Nowhere | Lead::Foreign | Lead::Throw | Lead::Many(_) => None,
        });
        let many = self.spreads.iter().flat_map(|spread| &spread.all.0);
        single.chain(many.filter_map(|share| Some((share.towards.0, share.towards.1?))))
    }
}

/// Next hops of equal cost.
///
/// A flow's hash picks one of all by weight, as the kernel does. Where that one cannot take packets
/// (RFC 1122 section 3.3.1.4, RFC 4861 section 7.3; the kernel's `fib_multipath_use_neigh`), the other half of
/// the hash picks one of those that can: flows of the others stay where they are.
#[derive(Debug, Clone)]
pub(super) struct Spread {
    all: Shares,
    usable: Shares,
}

impl Spread {
    fn new(mut paths: Vec<Path>, answers: impl Fn(InterfaceId, IpAddr) -> bool) -> Self {
        // The kernel's order changes with each change of the set (IPv6); flows must not.
        paths.sort_unstable_by_key(|path| (path.interface, path.gateway));
        // The kernel, too, takes a neighbour that is a destination itself as it comes.
        let is_usable =
            |path: &Path| path.is_up && path.gateway.is_none_or(|gateway| answers(path.interface, gateway));
        let all = Shares::of(paths.iter().map(|path| (path, is_usable(path))));
        let usable = Shares::of(paths.iter().filter(|path| is_usable(path)).map(|path| (path, true)));
        Self { all, usable }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the hash")]
    fn pick(&self, hash: u64) -> Option<&Towards> {
        let chosen = self.all.at(hash as u32)?;
        let chosen =
            if chosen.is_usable { chosen } else { self.usable.at((hash >> 32) as u32).unwrap_or(chosen) };
        Some(&chosen.towards)
    }
}

#[derive(Debug, Clone, Copy)]
struct Share {
    /// The sum of the weights up to this one.
    end: u32,
    towards: Towards,
    is_usable: bool,
}

#[derive(Debug, Clone)]
struct Shares(Vec<Share>);

impl Shares {
    fn of<'p>(paths: impl Iterator<Item = (&'p Path, bool)>) -> Self {
        let mut end = 0_u32;
        let shares = paths.map(|(path, is_usable)| {
            end = end.saturating_add(u32::from(path.weight.max(1)));
            Share { end, towards: (path.interface, path.gateway), is_usable }
        });
        Self(shares.collect())
    }

    fn at(&self, hash: u32) -> Option<&Share> {
        let total = u64::from(self.0.last()?.end);
        let place = (u64::from(hash) * total) >> 32;
        self.0.get(self.0.partition_point(|share| u64::from(share.end) <= place))
    }
}

/// The address left-aligned in 128 bits, so that a prefix length means the same for both families.
#[inline(always)]
pub(super) fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(Ipv4Addr::to_bits(v4)) << 96,
        IpAddr::V6(v6) => Ipv6Addr::to_bits(v6),
    }
}
