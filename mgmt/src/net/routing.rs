//! Routes and policy rules: a pure part of [`NetState`](super::NetState).
//!
//! Tables that no rule leads the data plane's packets to are not kept, so that a full table of a VRF costs no
//! memory here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::policy::{MAX_RULES, Names};
use super::routes::{TABLE_DEFAULT, TABLE_LOCAL, TABLE_MAIN};
use super::{Effect, PolicyRule, Route, RouteHop, RouteKey, Target};

/// Rules of one family that are remembered at all, those of marks and sockets included.
const MAX_KNOWN_RULES: usize = 2048;
/// Tables that are followed beside the kernel's own three.
const MAX_TABLES: usize = 32;
/// Routes of such tables, all together.
const MAX_ROUTES: usize = 1 << 17;

/// IPv4, IPv6.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Families {
    v4: bool,
    v6: bool,
}

/// See the module's head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Routing {
    /// Several targets for one key: the first decides (`ip route append`).
    pub(super) routes: BTreeMap<RouteKey, Vec<Target>>,
    /// In the kernel's order.
    rules: Vec<PolicyRule>,
    /// Tables that rules lead to, beside the kernel's own.
    tables: BTreeSet<u32>,
    /// Routes of those.
    elsewhere: usize,
    /// There were more.
    has_too_many: bool,
    /// The families that had more rules than are remembered.
    has_too_many_rules: Families,
}

impl Routing {
    pub(super) fn add_route(&mut self, route: Route, replace: bool) -> Effect {
        let table = route.key.table;
        let is_own = matches!(table, TABLE_LOCAL | TABLE_MAIN | TABLE_DEFAULT);
        if !is_own && !self.tables.contains(&table) {
            return Effect::Nothing;
        }
        let is_new = !self.routes.contains_key(&route.key);
        if is_new && !is_own {
            if self.elsewhere >= MAX_ROUTES {
                self.has_too_many = true;
                return Effect::Nothing;
            }
            self.elsewhere += 1;
        }
        let targets = self.routes.entry(route.key).or_default();
        let before = targets.first().cloned();
        if replace {
            targets.clear();
        }
        let is_known = targets.contains(&route.target);
        match targets.iter_mut().find(|target| route.is_sibling && has_gateways(target)) {
            Some(siblings) => join(siblings, route.target.hops()),
            None if is_known => {}
            None => targets.push(route.target),
        }
        changed(targets.first() != before.as_ref())
    }

    pub(super) fn remove_route(&mut self, route: &Route) -> Effect {
        let Some(targets) = self.routes.get_mut(&route.key) else { return Effect::Nothing };
        let before = targets.first().cloned();
        if let Some(place) = targets.iter().position(|target| *target == route.target) {
            targets.remove(place);
        } else if route.is_sibling
            && let Some(place) = targets.iter().position(|target| has_all(target, route.target.hops()))
        {
            match without(&targets[place], route.target.hops()) {
                Some(rest) => targets[place] = rest,
                None => drop(targets.remove(place)),
            }
        } else {
            // The kernel names next hops that are not those remembered, as where one has died meanwhile.
            return Effect::Incomplete;
        }
        let has_changed = targets.first() != before.as_ref();
        if targets.is_empty() {
            self.routes.remove(&route.key);
            if self.tables.contains(&route.key.table) {
                self.elsewhere = self.elsewhere.saturating_sub(1);
            }
        }
        changed(has_changed)
    }

    pub(super) fn lose_link(&mut self, index: u32) {
        let is_by = |hop: &RouteHop| hop.interface == index;
        let rest = |target: &Target| {
            if target.hops().iter().any(is_by) {
                Target::of(target.hops().iter().filter(|hop| !is_by(hop)).copied().collect())
            } else {
                Some(target.clone())
            }
        };
        self.routes.retain(|_, targets| {
            *targets = targets.iter().filter_map(rest).collect();
            !targets.is_empty()
        });
        let is_elsewhere = |key: &&RouteKey| self.tables.contains(&key.table);
        self.elsewhere = self.routes.keys().filter(is_elsewhere).count();
    }

    /// Rules are added in the kernel's order; tables that a new one leads to have to be read.
    pub(super) fn add_rule(&mut self, rule: PolicyRule) -> Effect {
        if self.rules.contains(&rule) {
            return Effect::Nothing;
        }
        let is_v4 = rule.is_v4;
        let place = self.rules.partition_point(|other| other.priority <= rule.priority);
        self.rules.insert(place, rule);
        if self.rules.iter().filter(|other| other.is_v4 == is_v4).count() > MAX_KNOWN_RULES {
            let forgotten = self.least(is_v4);
            let of_packets = self.rules.remove(forgotten).may_match();
            let families = &mut self.has_too_many_rules;
            *(if is_v4 { &mut families.v4 } else { &mut families.v6 }) |= of_packets;
            if forgotten == place {
                return Effect::Nothing;
            }
        }
        self.find_tables();
        Effect::Incomplete
    }

    /// The rule of a family that counts the least: of those that match nothing the last, or of those for some packets
    /// the last. Rules for all packets are the last to go: without the main table's, no packet would have a route.
    fn least(&self, is_v4: bool) -> usize {
        let last = |is: &dyn Fn(&PolicyRule) -> bool| {
            self.rules.iter().rposition(|rule| rule.is_v4 == is_v4 && is(rule))
        };
        let found = last(&|rule| !rule.may_match()).or_else(|| last(&|rule| !rule.is_for_all()));
        found.or_else(|| self.rules.iter().position(|rule| rule.is_v4 == is_v4)).unwrap_or_default()
    }

    pub(super) fn remove_rule(&mut self, rule: &PolicyRule) -> Effect {
        let Some(place) = self.rules.iter().position(|known| known == rule) else { return Effect::Nothing };
        self.rules.remove(place);
        self.find_tables();
        Effect::Incomplete
    }

    fn find_tables(&mut self) {
        let known = || [true, false].into_iter().flat_map(|is_v4| self.known(is_v4));
        let for_all = known().filter(|rule| rule.is_for_all());
        let for_some = known().filter(|rule| !rule.is_for_all());
        let named = for_all.chain(for_some).filter_map(PolicyRule::table);
        let own = [TABLE_LOCAL, TABLE_MAIN, TABLE_DEFAULT];
        let mut tables = BTreeSet::new();
        for table in named.filter(|table| !own.contains(table)) {
            if tables.len() < MAX_TABLES {
                tables.insert(table);
            }
        }
        self.tables = tables;
    }

    /// The rules of a family that packets may match and whose conditions are all known.
    pub(super) fn known(&self, is_v4: bool) -> impl Iterator<Item = &PolicyRule> {
        let is_known = move |rule: &&PolicyRule| rule.is_v4 == is_v4 && rule.unknown.is_empty();
        self.rules.iter().filter(|rule| rule.may_match()).filter(is_known)
    }

    /// Whether the kernel asks the local table first and the main one later, as it does without further rules; or has no
    /// rules at all (`CONFIG_IP_MULTIPLE_TABLES`).
    pub(super) fn is_local_before_main(&self, is_v4: bool) -> bool {
        if !self.rules.iter().any(|rule| rule.is_v4 == is_v4) {
            return true;
        }
        let for_all = || self.known(is_v4).filter(|rule| rule.is_for_all());
        let place = |table| for_all().position(|rule| rule.table() == Some(table));
        matches!((place(TABLE_LOCAL), place(TABLE_MAIN)), (Some(local), Some(main)) if local < main)
    }

    /// What of the rules and routes the data plane does not follow, in words.
    pub(super) fn not_followed(&self, names: &Names<'_>) -> Vec<String> {
        let mut words = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.may_match() && !rule.unknown.is_empty()) {
            words.push(format!("{rule} has {}", rule.unknown.join(", ")));
        }
        for is_v4 in [true, false] {
            let more = self.beyond(is_v4, names);
            if more > 0 {
                words.push(format!(
                    "{more} rules are more than the {MAX_RULES} that are followed of a family; those for all packets are"
                ));
            }
        }
        let is_kept =
            |table| matches!(table, TABLE_LOCAL | TABLE_MAIN | TABLE_DEFAULT) || self.tables.contains(&table);
        let is_left = |rule: &&PolicyRule| rule.table().is_some_and(|table| !is_kept(table));
        let left = || [true, false].into_iter().flat_map(|is_v4| self.known(is_v4)).filter(is_left);
        if let Some(first) = left().next() {
            let count = left().count();
            words.push(format!(
                "{count} rules lead to tables beyond the {MAX_TABLES} that are followed, the first is {first}"
            ));
        }
        for (family, has_more) in [("IPv4", self.has_too_many_rules.v4), ("IPv6", self.has_too_many_rules.v6)]
        {
            if has_more {
                words.push(format!("there are more than {MAX_KNOWN_RULES} {family} rules"));
            }
        }
        if self.has_too_many {
            words.push(format!("tables of rules have more than {MAX_ROUTES} routes"));
        }
        let objects = self.routes.values().flatten().filter(|target| matches!(target, Target::Object(_)));
        let objects = objects.count();
        if objects > 0 {
            words.push(format!(
                "{objects} routes name a nexthop object alone: set net.ipv4.nexthop_compat_mode to 1"
            ));
        }
        words
    }

    /// The routers that routes lead to.
    pub(super) fn gateways(&self) -> BTreeSet<IpAddr> {
        let hops = self.routes.values().flatten().flat_map(Target::hops);
        hops.filter_map(|hop| hop.gateway).collect()
    }
}

fn has_gateways(target: &Target) -> bool {
    !target.hops().is_empty() && target.hops().iter().all(|hop| hop.gateway.is_some())
}

fn is_same(one: &RouteHop, other: &RouteHop) -> bool {
    (one.interface, one.gateway) == (other.interface, other.gateway)
}

fn has_all(target: &Target, hops: &[RouteHop]) -> bool {
    !hops.is_empty() && hops.iter().all(|hop| target.hops().iter().any(|other| is_same(hop, other)))
}

fn join(siblings: &mut Target, hops: &[RouteHop]) {
    let mut all = siblings.hops().to_vec();
    for hop in hops {
        match all.iter_mut().find(|known| is_same(hop, known)) {
            Some(known) => known.weight = hop.weight,
            None => all.push(*hop),
        }
    }
    if let Some(joined) = Target::of(all) {
        *siblings = joined;
    }
}

fn without(target: &Target, hops: &[RouteHop]) -> Option<Target> {
    let is_left = |hop: &&RouteHop| !hops.iter().any(|gone| is_same(gone, hop));
    Target::of(target.hops().iter().filter(is_left).copied().collect())
}

fn changed(yes: bool) -> Effect {
    if yes { Effect::Changed } else { Effect::Nothing }
}

#[cfg(test)]
#[path = "routing_tests.rs"]
mod tests;
