//! Which tables a packet's route is looked up in: the kernel's policy rules (ip-rule(8)).

use std::net::IpAddr;

use super::Query;
use super::routes::{Found, Table, Towards, bits};
use crate::limits::MAX_INTERFACES;
use crate::types::{InterfaceId, Prefix};

/// A policy rule. Its number in the list is its place in the order of priorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Prefix of the source that the packet leaves with; `None`: any.
    pub from: Option<Prefix>,
    /// Prefix of the destination; `None`: any.
    pub to: Option<Prefix>,
    /// Where the packet has come in.
    pub ingress: Ingress,
    /// It applies to packets that do not match.
    pub is_inverted: bool,
    /// What it does.
    pub action: RuleAction,
}

/// The interfaces of a rule (`iif`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ingress {
    /// Any.
    #[default]
    Any,
    /// Packets of the node itself (`iif lo`), those that leave with an address of the node among them.
    Own,
    /// Packets that are forwarded from one of these; a bridge has several.
    From(Interfaces),
}

/// A set of the data plane's interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interfaces(u32);

const _: () = assert!(MAX_INTERFACES <= u32::BITS as usize, "a bit for each interface");

impl Interfaces {
    fn contains(self, id: InterfaceId) -> bool {
        1_u32.checked_shl(u32::from(id.0)).is_some_and(|bit| self.0 & bit != 0)
    }
}

impl FromIterator<InterfaceId> for Interfaces {
    fn from_iter<T: IntoIterator<Item = InterfaceId>>(ids: T) -> Self {
        let bit = |id: InterfaceId| 1_u32.checked_shl(u32::from(id.0)).unwrap_or(0);
        Self(ids.into_iter().fold(0, |set, id| set | bit(id)))
    }
}

/// What a rule does with packets that it applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleAction {
    /// Their route is looked up in a table; where it has none, the next rule is asked.
    LookUp {
        /// The number of the table, by which its routes were handed over.
        table: usize,
        /// Routes of prefixes that are no longer than this do not count: the next rule is asked. Those that
        /// lead nowhere count.
        suppress: Option<u8>,
    },
    /// They have no route: blackhole, unreachable, prohibit.
    Refuse,
}

impl Rule {
    fn applies(&self, query: &Query) -> bool {
        let has = |prefix: Option<Prefix>, address: Option<IpAddr>| {
            prefix.is_none_or(|prefix| address.is_some_and(|address| prefix.contains(address)))
        };
        let comes = match self.ingress {
            Ingress::Any => true,
            Ingress::Own => query.ingress.is_none(),
            Ingress::From(interfaces) => query.ingress.is_some_and(|id| interfaces.contains(id)),
        };
        (comes && has(self.from, query.source) && has(self.to, Some(query.destination))) != self.is_inverted
    }
}

/// Rules and tables of one address family. Without rules there is one table.
#[derive(Debug, Clone, Default)]
pub(super) struct Family {
    pub(super) rules: Vec<Rule>,
    pub(super) tables: Vec<Table>,
}

impl Family {
    pub(super) fn table(&mut self, number: usize) -> &mut Table {
        if self.tables.len() <= number {
            self.tables.resize_with(number + 1, Table::default);
        }
        &mut self.tables[number]
    }

    /// The path of a packet.
    #[inline(always)]
    pub(super) fn find(&self, query: &Query) -> Option<&Towards> {
        if self.rules.is_empty() {
            self.only(query.destination)?.towards(query.hash)
        } else {
            self.by_rules(query)?.towards(query.hash)
        }
    }

    /// What the only table says.
    #[inline(always)]
    fn only(&self, destination: IpAddr) -> Option<Found<'_>> {
        Some(self.tables.first()?.find(bits(destination))?.1)
    }

    #[inline(never)]
    fn by_rules(&self, query: &Query) -> Option<Found<'_>> {
        let destination = bits(query.destination);
        for rule in self.rules.iter().filter(|rule| rule.applies(query)) {
            let RuleAction::LookUp { table, suppress } = rule.action else { return None };
            match self.tables.get(table).and_then(|table| table.find(destination)) {
                None | Some((_, Found::Throw)) => {}
                // The kernel suppresses routes, not errors (`fib_rules_lookup`).
                Some((_, Found::Nowhere)) => return None,
                Some((length, _)) if suppress.is_some_and(|longest| length <= longest) => {}
                Some((_, found)) => return Some(found),
            }
        }
        None
    }

    /// Whether all packets to `destination` have the same path.
    pub(super) fn is_same_for_all(&self, destination: IpAddr) -> bool {
        self.rules.is_empty() && !matches!(self.only(destination), Some(Found::Many(_)))
    }
}
