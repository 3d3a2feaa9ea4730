//! Routes and policy rules as the data plane reads them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dataplane::snapshot::{self, Ingress, Path, Rule, RuleAction, Rules};
use dataplane::types::InterfaceId;

use super::routes::{TABLE_LOCAL, TABLE_MAIN};
use super::routing::Routing;
use super::{RouteHop, RouteKey, Target};

/// Rules of one family that are followed: each packet may have to be held against all of them.
pub(super) const MAX_RULES: usize = 128;

/// The data plane's interfaces as routes and rules name them.
pub(super) struct Names<'n> {
    /// By the link's number.
    pub(super) ids: BTreeMap<u32, InterfaceId>,
    /// Those of a name: of an interface, or of the ports of a bridge.
    pub(super) named: &'n dyn Fn(&str) -> Vec<InterfaceId>,
    /// Whether frames pass the link of that number.
    pub(super) is_up: &'n dyn Fn(u32) -> bool,
}

/// The tables that rules lead to.
struct Numbers {
    /// By their numbers.
    tables: Vec<u32>,
    /// Whether a table leads by none of the data plane's interfaces: many rules may name a large one.
    of_management: BTreeMap<u32, bool>,
}

impl Routing {
    /// Whether a rule beside the kernel's own leads packets of the data plane somewhere.
    pub(super) fn has_rules(&self, names: &Names<'_>) -> bool {
        [true, false].into_iter().any(|is_v4| !self.policy(is_v4, names).0.is_empty())
    }

    /// Rules, and the routes of each table by its number, as the data plane reads them.
    pub(super) fn compile(&self, names: &Names<'_>) -> (Rules, Vec<(usize, snapshot::Route)>) {
        let mut routes = Vec::with_capacity(self.routes.len());
        let [v4, v6] = [true, false].map(|is_v4| {
            let (rules, tables) = self.policy(is_v4, names);
            for (number, table) in tables {
                let of_table = self.table(table, is_v4).map(|(key, target)| {
                    let target = lead(target, names);
                    (number, snapshot::Route { prefix: key.prefix, length: key.length, target })
                });
                routes.extend(of_table);
            }
            rules
        });
        (Rules { v4, v6 }, routes)
    }

    /// How many rules of a family have an effect, and no place among those that are followed.
    pub(super) fn beyond(&self, is_v4: bool, names: &Names<'_>) -> usize {
        self.effective(is_v4, names).0.len().saturating_sub(MAX_RULES)
    }

    /// The rules of a family, and the number of each table. Where the kernel's own rules alone have an effect there
    /// are none, and one table is made of the local and the main one.
    fn policy(&self, is_v4: bool, names: &Names<'_>) -> (Vec<Rule>, Vec<(usize, u32)>) {
        let (rules, tables) = self.effective(is_v4, names);
        let is_kernels = rules.iter().all(is_plain)
            && tables.iter().all(|table| matches!(*table, TABLE_LOCAL | TABLE_MAIN))
            && self.is_local_before_main(is_v4);
        if is_kernels {
            return (Vec::new(), vec![(0, TABLE_LOCAL), (0, TABLE_MAIN)]);
        }
        (with_room(rules), tables.into_iter().enumerate().collect())
    }

    /// The rules of a family that have an effect, and the tables by their numbers.
    fn effective(&self, is_v4: bool, names: &Names<'_>) -> (Vec<Rule>, Vec<u32>) {
        let mut numbers = Numbers { tables: vec![TABLE_LOCAL], of_management: BTreeMap::new() };
        let (mut rules, mut for_all) = (Vec::new(), Vec::new());
        for rule in self.known(is_v4) {
            let compiled = rule.compile(
                |name| ingress(name, names),
                |table, ingress| self.number(table, ingress, is_v4, names, &mut numbers),
            );
            let Some(compiled) = compiled else { continue };
            if is_for_all(&compiled) {
                // What led nowhere does not lead anywhere the second time.
                if for_all.contains(&compiled.action) {
                    continue;
                }
                for_all.push(compiled.action);
            }
            rules.push(compiled);
        }
        (rules, numbers.tables)
    }

    fn number(
        &self,
        table: u32,
        ingress: Ingress,
        is_v4: bool,
        names: &Names<'_>,
        numbers: &mut Numbers,
    ) -> Option<usize> {
        self.table(table, is_v4).next()?;
        // A table for the node's own packets that leads by other interfaces only is that of management.
        let is_ours = |(_, target): (&RouteKey, &Target)| {
            target.hops().iter().any(|hop| names.ids.contains_key(&hop.interface))
        };
        let is_of_management = || !self.table(table, is_v4).any(is_ours);
        if ingress == Ingress::Own && *numbers.of_management.entry(table).or_insert_with(is_of_management) {
            return None;
        }
        let tables = &mut numbers.tables;
        let known = tables.iter().position(|known| *known == table);
        Some(known.unwrap_or_else(|| {
            tables.push(table);
            tables.len() - 1
        }))
    }

    /// The routes of a table, in the order of preference.
    fn table(&self, table: u32, is_v4: bool) -> impl Iterator<Item = (&RouteKey, &Target)> {
        let prefix: IpAddr = if is_v4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let first = RouteKey { table, prefix, length: 0, metric: 0, tos: 0 };
        let of_table = move |key: &RouteKey| key.table == table && key.prefix.is_ipv4() == is_v4;
        let routes = self.routes.range(first..).take_while(move |(key, _)| of_table(key));
        routes.filter(|(key, _)| key.tos == 0).filter_map(|(key, targets)| Some((key, targets.first()?)))
    }
}

/// What `iif` of a rule means.
fn ingress(name: &str, names: &Names<'_>) -> Option<Ingress> {
    if name == "lo" {
        return Some(Ingress::Own);
    }
    let ids = (names.named)(name);
    (!ids.is_empty()).then(|| Ingress::From(ids.into_iter().collect()))
}

fn is_for_all(rule: &Rule) -> bool {
    (rule.from, rule.to, rule.ingress) == (None, None, Ingress::Any) && !rule.is_inverted
}

fn is_plain(rule: &Rule) -> bool {
    is_for_all(rule) && matches!(rule.action, RuleAction::LookUp { suppress: None, .. })
}

/// As many as are followed: those for all packets, without which packets would have no route at all, and in the places
/// that these leave the first others.
fn with_room(rules: Vec<Rule>) -> Vec<Rule> {
    let for_all = rules.iter().filter(|rule| is_for_all(rule)).count();
    // The main table's rule is among the last.
    let (mut skipped, mut room) = (for_all.saturating_sub(MAX_RULES), MAX_RULES.saturating_sub(for_all));
    let takes = |count: &mut usize| match count.checked_sub(1) {
        Some(less) => {
            *count = less;
            true
        }
        None => false,
    };
    let has_place = |rule: &Rule| if is_for_all(rule) { !takes(&mut skipped) } else { takes(&mut room) };
    rules.into_iter().filter(has_place).collect()
}

/// Of several next hops those by the data plane's interfaces, if there are any.
fn lead(target: &Target, names: &Names<'_>) -> snapshot::Target {
    let path = |hop: &RouteHop| {
        let interface = *names.ids.get(&hop.interface)?;
        let (gateway, weight, is_up) = (hop.gateway, hop.weight, (names.is_up)(hop.interface));
        Some(Path { interface, gateway, weight, is_up })
    };
    match target {
        Target::Throw => snapshot::Target::Throw,
        Target::Nowhere => snapshot::Target::Nowhere,
        Target::Own | Target::Object(_) => snapshot::Target::Foreign,
        Target::One(hop) => path(hop).map_or(snapshot::Target::Foreign, snapshot::Target::One),
        Target::Many(hops) => {
            let paths: Vec<Path> = hops.iter().filter_map(path).collect();
            match paths[..] {
                [] => snapshot::Target::Foreign,
                [path] => snapshot::Target::One(path),
                _ => snapshot::Target::Many(paths),
            }
        }
    }
}
