//! How another configuration would change where new flows go: each service's scheduler as it is, beside the one that it
//! would have.

use std::collections::HashMap;
use std::net::IpAddr;

use dataplane::schedule::{Ask, Kind, Load, Loads, Recipe, Schedule};
use dataplane::types::{BackendId, Port, WorkerId};

use super::choose::hash_on;
use super::{Compiler, Facts};
use crate::config::Service;

/// Hashes that are asked about of a service at most: evenly spread, far more than a table of a few backends has entries.
const ASKED: u64 = 1 << 16;
/// Of all services together: whoever asks does not wait for long, and the box's other work does not either.
const ASKED_IN_ALL: u64 = 1 << 22;
/// Of each at least: that is a tenth of a per cent.
const ASKED_AT_LEAST: u64 = 1 << 10;

/// What would become of a service's new flows.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// The service's name.
    pub service: String,
    /// Of 1, the part that would get another backend.
    pub part: f64,
    /// Read off the scheduler's table. Else it is by how much the backends' shares differ.
    pub is_exact: bool,
}

type Server = (IpAddr, Option<Port>);

/// All backends have room: what is compared is the choice, not the load.
struct Idle;

impl Loads for Idle {
    fn load(&self, _: BackendId) -> Load {
        Load::default()
    }
}

/// The services of both that would choose otherwise.
#[must_use]
pub fn moved(compiler: &Compiler, now: &Facts<'_>, then: &Facts<'_>) -> Vec<Moved> {
    let before: HashMap<_, _> = now.config.services.iter().map(|s| (s.name.as_str(), s)).collect();
    let changed = then.config.services.iter().filter_map(|service| {
        let old = before.get(service.name.as_str())?;
        let is_keyed_alike =
            now.config.node.cluster == then.config.node.cluster && hash_on(old) == hash_on(service);
        let [old, new] =
            [(now, *old), (then, service)].map(|(facts, service)| Choices::new(compiler, facts, service));
        let is_same = old.recipe == new.recipe && old.servers == new.servers;
        (!is_same || !is_keyed_alike).then_some((service, old, new, is_keyed_alike))
    });
    let changed: Vec<_> = changed.collect();
    let asked = (ASKED_IN_ALL / (changed.len() as u64).max(1)).clamp(ASKED_AT_LEAST, ASKED);
    let moved = changed.into_iter().filter_map(|(service, old, new, is_keyed_alike)| {
        let (part, is_exact) = old.moved(&new, is_keyed_alike, asked);
        (part > 0.0).then(|| Moved { service: service.name.clone(), part, is_exact })
    });
    moved.collect()
}

/// A service's scheduler, and who is behind its numbers.
struct Choices {
    recipe: Recipe,
    servers: HashMap<BackendId, Server>,
}

impl Choices {
    fn new(compiler: &Compiler, facts: &Facts<'_>, service: &Service) -> Self {
        let selection = compiler.select(facts, service);
        let server = |id| facts.inventory.get(id).map(|member| (id, (member.address, member.port)));
        let recipe = Recipe {
            kind: service.scheduler,
            candidates: selection.candidates,
            workers: facts.workers,
            cluster: facts.config.node.cluster.clone(),
            fallback: service.choice.fallback,
        };
        let servers = recipe.candidates.iter().filter_map(|candidate| server(candidate.id)).collect();
        Self { recipe, servers }
    }

    /// The part that moves, and whether it was counted.
    fn moved(&self, new: &Self, is_keyed_alike: bool, asked: u64) -> (f64, bool) {
        let is_table = |kind| matches!(kind, Kind::Maglev | Kind::SourceHash | Kind::DestinationHash);
        match self.recipe.kind == new.recipe.kind && is_table(self.recipe.kind) && is_keyed_alike {
            true => {
                let [old, new] = [self, new].map(|choices| choices.table(asked));
                let differ = old.iter().zip(&new).filter(|(old, new)| old != new).count();
                (differ as f64 / asked as f64, true)
            }
            false => (self.share_that_differs(new), false),
        }
    }

    /// The servers of all hashes that are asked about.
    fn table(&self, asked: u64) -> Vec<Option<Server>> {
        let schedule = Schedule::new(&self.recipe, &Default::default());
        let step = u64::MAX / asked;
        let chosen = |place: u64| {
            let ask = Ask::new(WorkerId(0), place * step + step / 2).as_question();
            self.servers.get(&schedule.choose(&ask, &Idle)?).copied()
        };
        (0..asked).map(chosen).collect()
    }

    /// What each backend has less than before, in all. Where the same hash means something else, a flow stays only by
    /// chance; that is not reckoned in.
    fn share_that_differs(&self, new: &Self) -> f64 {
        let [old, new] = [self, new].map(Self::shares);
        match (old.is_empty(), new.is_empty()) {
            (true, true) => 0.0,
            // From nobody to somebody, or the reverse.
            (true, false) | (false, true) => 1.0,
            (false, false) => {
                let lost =
                    |(server, part): (&Server, &f64)| (part - new.get(server).unwrap_or(&0.0)).max(0.0);
                old.iter().map(lost).sum()
            }
        }
    }

    fn shares(&self) -> HashMap<Server, f64> {
        let is_even = matches!(self.recipe.kind, Kind::RoundRobin | Kind::LeastConnections);
        let share = |weight: u16| if is_even { f64::from(u8::from(weight > 0)) } else { f64::from(weight) };
        let heaviest = self.recipe.candidates.iter().map(|c| c.weight).max().unwrap_or(0);
        let is_first_alone = self.recipe.kind == Kind::Failover;
        let takes = |weight: u16| weight > 0 && (!is_first_alone || weight == heaviest);
        let parts = self.recipe.candidates.iter().filter(|c| takes(c.weight));
        let sum: f64 = parts.clone().map(|c| share(c.weight)).sum();
        parts.filter_map(|c| Some((*self.servers.get(&c.id)?, share(c.weight) / sum))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Machine, load_str};
    use crate::inventory::Inventory;
    use crate::net::NetState;
    use dataplane::BackendStats;

    const OLD: &str = "[[interface]]\nname = \"eth0\"\n[[service]]\nname = \"web\"\naddress = \"10.0.0.100\"\nport = 80\n\
                       mode = \"router\"\nbackend = [{ address = \"10.0.1.11\" }, { address = \"10.0.1.12\" }, \
                       { address = \"10.0.1.13\" }, { address = \"10.0.1.14\" }]\n";

    fn config(text: &str) -> Config {
        let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
        load_str("lb.toml", text, &machine).unwrap_or_else(|errors| panic!("{errors}")).0
    }

    /// Per cent, and whether it was counted.
    fn forecast(old: &str, edits: &[(&str, &str)]) -> Option<(i64, bool)> {
        let edited = edits.iter().fold(old.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        let (old, new) = (config(old), config(&edited));
        let (now, net) = (crate::clock::now(), NetState::default());
        let mut before = Inventory::default();
        before.follow(&old, now, |_| BackendStats::default());
        let mut after = before.clone();
        after.follow(&new, now, |_| BackendStats::default());
        let facts = |config, inventory| Facts { config, inventory, net: &net, rss: &[], workers: 2, now };
        let moved = moved(&Compiler::default(), &facts(&old, &before), &facts(&new, &after));
        let [moved] = &*moved else { return None };
        #[expect(clippy::cast_possible_truncation, reason = "per cent")]
        Some(((moved.part * 100.0).round() as i64, moved.is_exact))
    }

    #[test]
    fn what_does_not_touch_the_choice_moves_nothing() {
        assert_eq!(forecast(OLD, &[]), None);
        assert_eq!(forecast(OLD, &[("port = 80", "port = 80\nmss_clamp = 1400")]), None);
    }

    #[test]
    fn a_consistent_hash_moves_the_flows_of_who_leaves_and_few_others() {
        let (percent, is_exact) = forecast(OLD, &[(", { address = \"10.0.1.14\" }", "")]).unwrap();
        assert!(is_exact && (25..=32).contains(&percent), "{percent}");
        let (percent, _) = forecast(OLD, &[("\"10.0.1.14\"", "\"10.0.1.14\", weight = 0")]).unwrap();
        assert!((24..=26).contains(&percent), "{percent}");
    }

    #[test]
    fn another_cluster_and_another_scheduler_are_told_by_shares() {
        let rr = OLD.replace("port = 80", "port = 80\nscheduler = \"rr\"");
        assert_eq!(forecast(&rr, &[(", { address = \"10.0.1.14\" }", "")]), Some((25, false)));
        assert_eq!(forecast(&rr, &[("\"10.0.1.14\"", "\"10.0.1.24\"")]), Some((25, false)));
        let wrr = OLD.replace("port = 80", "port = 80\nscheduler = \"wrr\"");
        assert_eq!(forecast(&wrr, &[("\"10.0.1.14\"", "\"10.0.1.14\", weight = 300")]), Some((25, false)));
    }

    #[test]
    fn other_servers_altogether_are_all_of_it() {
        assert_eq!(forecast(OLD, &[("10.0.1.", "10.0.2.")]), Some((100, true)));
        assert_eq!(forecast(OLD, &[("backend = [", "backend = []\n#")]), Some((100, true)));
    }
}
