//! What a service chooses its backends by; also of single services, when nothing else has changed: a box with many
//! thousands of services is not compiled anew because one backend has another weight.

use std::collections::HashMap;
use std::sync::Arc;

use dataplane::persistence::Persistence;
use dataplane::schedule::{HashOn, Kind, Recipe, Schedule};
use dataplane::snapshot::Snapshot;

use super::build::{Build, Source, Wanted};
use super::select::{Entrant, Selection, select};
use super::{Compiler, Facts};
use crate::config;

/// By the name of a service and the kind: a service may have two.
pub(super) type Schedules = HashMap<(String, Kind), (Recipe, Arc<Schedule>)>;

/// What became of a service's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Whether enough of its backends is up.
    pub has_quorum: bool,
    /// Whether its backup takes new flows instead of them.
    pub on_backup: bool,
    /// The last priority group that takes part; 0: none does.
    pub last_group: u16,
    /// Whether a backend has not its full weight yet.
    pub is_warming_up: bool,
}

/// A service's choice, before its schedules are built.
#[derive(Debug)]
pub(super) struct Plan {
    selection: Selection,
    wanted: Wanted,
    /// For packets of flows that are not remembered.
    fallback: Option<Wanted>,
}

impl Build for Plan {
    fn is_built(&self) -> bool {
        self.wanted.is_built() && self.fallback.iter().all(Wanted::is_built)
    }

    fn build(&mut self) {
        std::iter::once(&mut self.wanted).chain(&mut self.fallback).for_each(Wanted::build);
    }
}

/// A service's choice, compiled.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) outcome: Outcome,
    pub(super) schedule: Arc<Schedule>,
    /// For packets of flows that are not remembered.
    pub(super) fallback: Option<Arc<Schedule>>,
    pub(super) persistence: Option<Persistence>,
}

impl Compiler {
    pub(super) fn plan(&mut self, facts: &Facts<'_>, service: &config::Service) -> Plan {
        let selection = self.select(facts, service);
        let wanted = self.wanted(facts, service, service.scheduler, &selection);
        // What translates nothing can do without flows, if something finds their backend.
        let needs_another = !service.mode().is_two_way() && service.scheduler != Kind::Maglev;
        let fallback = needs_another.then(|| self.wanted(facts, service, Kind::Maglev, &selection));
        Plan { selection, wanted, fallback }
    }

    pub(super) fn choose(
        &mut self,
        facts: &Facts<'_>,
        service: &config::Service,
        plan: Plan,
        schedules: &mut Schedules,
    ) -> Chosen {
        let Plan { selection, wanted, fallback } = plan;
        let Selection { has_quorum, on_backup, last_group, .. } = selection;
        let is_warming_up = selection.candidates.iter().any(|c| 0 < c.weight && c.weight < c.full);
        let mut keep = |mut wanted: Wanted| {
            let schedule = wanted.schedule();
            let key = (service.name.clone(), wanted.kind());
            schedules.insert(key, (wanted.recipe, Arc::clone(&schedule)));
            schedule
        };
        let (schedule, fallback) = (keep(wanted), fallback.map(keep));
        let takers = selection.candidates.iter().filter(|c| c.weight > 0 && !on_backup).map(|c| c.id);
        let member = |id| facts.inventory.get(id).map(|member| (member.address, member.port));
        let persistence = self.book.persistence(facts.config, service, takers, member);
        let outcome = Outcome { has_quorum, on_backup, last_group, is_warming_up };
        Chosen { outcome, schedule, fallback, persistence }
    }

    /// The snapshot in force, with the choices of these services as they are now; all else is shared or copied.
    /// `None`: more than a choice has changed.
    pub fn amend(
        &mut self,
        snapshot: &Snapshot,
        facts: &Facts<'_>,
        is_meant: impl Fn(&config::Service) -> bool,
    ) -> Option<Snapshot> {
        let mut next = snapshot.clone();
        let meant = facts.config.services.iter().enumerate().filter(|(_, service)| is_meant(service));
        for (place, service) in meant {
            let mut schedules = Schedules::new();
            let plan = self.plan(facts, service);
            let chosen = self.choose(facts, service, plan, &mut schedules);
            self.schedules.extend(schedules);
            self.outcomes.insert(service.name.clone(), chosen.outcome);
            let own = next.services.get_mut(place)?;
            // Whether its address answers echo requests is for all services of that address to say.
            if own.schedule.is_empty() != chosen.schedule.is_empty() {
                return None;
            }
            own.schedule = chosen.schedule;
            own.persistence = chosen.persistence;
            own.admission.fallback = chosen.fallback;
            for backend in service.members() {
                let id = facts.inventory.number(service, backend.address, backend.port)?;
                let member = facts.inventory.get(id)?;
                next.fates.set(id, super::fate(member, next.backend(id), facts.now));
            }
        }
        self.generation += 1;
        next.generation = self.generation;
        Some(next)
    }

    /// Services of which a backend had not its full weight yet when they were last compiled.
    pub fn warming_up(&self) -> impl Iterator<Item = &str> {
        let warming = self.outcomes.iter().filter(|(_, outcome)| outcome.is_warming_up);
        warming.map(|(name, _)| name.as_str())
    }

    /// What became of a service's choice when it was last compiled.
    #[must_use]
    pub fn outcome(&self, service: &str) -> Option<Outcome> {
        self.outcomes.get(service).copied()
    }

    pub(super) fn select(&self, facts: &Facts<'_>, service: &config::Service) -> Selection {
        let choice = &service.choice;
        let number = |address, port| facts.inventory.number(service, address, port);
        let entrant = |backend: &config::Backend| {
            let id = number(backend.address, backend.port)?;
            let standing = facts.inventory.get(id)?.standing(facts.now);
            Some(Entrant { id, name: backend.name(), group: backend.priority_group, standing })
        };
        let entrants: Vec<_> = service.backends.iter().filter_map(entrant).collect();
        let backup = choice.backup.and_then(|backup| {
            Some((number(backup.address, backup.port)?, config::backend_name(backup.address, backup.port)))
        });
        let had_quorum = self.outcomes.get(&service.name).map(|outcome| outcome.has_quorum);
        select(choice, &entrants, backup, had_quorum)
    }

    fn wanted(
        &mut self,
        facts: &Facts<'_>,
        service: &config::Service,
        kind: Kind,
        selection: &Selection,
    ) -> Wanted {
        let recipe = Recipe {
            kind,
            candidates: selection.candidates.clone(),
            workers: facts.workers,
            cluster: facts.config.node.cluster.clone(),
            fallback: service.choice.fallback,
        };
        let source = match self.schedules.remove(&(service.name.clone(), kind)) {
            Some((before, schedule)) if before == recipe => Source::Ready(schedule),
            before => Source::New {
                destinations: self.book.destinations(&service.name, kind),
                before: before.map(|(_, schedule)| schedule),
            },
        };
        Wanted { recipe, source }
    }
}

/// What a hash looks at: with `dh` the destination, whatever else is said.
pub(super) fn hash_on(service: &config::Service) -> HashOn {
    match (service.scheduler, service.choice.hash_on) {
        (Kind::DestinationHash, HashOn::DestinationPort) => HashOn::DestinationAndPort,
        (Kind::DestinationHash, _) => HashOn::Destination,
        (_, hash_on) => hash_on,
    }
}
