//! All checks of all backends: what is due, and what follows from a result. No I/O and no clock.

mod backend;
mod lacking;
mod observe;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::Subject;
use super::board::{Board, CheckReport, Report, Shared, lock};
use super::check::script::Context;
use super::check::{Runner, Target, Workshop};
use super::combine::{Combined, combine};
use super::job::{Ended, Job, News};
use super::plan::Assignment;
use super::room::Room;
use super::schedule::{CheckId, Schedule, first_due, next_due};
use super::shortage::Shortage;
use super::tracker::{Outcome, Tracker};
use super::ways::Ways;
use crate::config::health::Check;
use backend::fresh;

#[derive(Debug)]
struct Slot {
    generation: u64,
    backend: usize,
    check: Check,
    tracker: Tracker,
    runner: Arc<Runner>,
    target: Arc<Target>,
    /// Its place among the checks of its backend.
    nth: usize,
    /// Whether its last run came to nothing, because of the node.
    did_not_run: bool,
}

#[derive(Debug)]
struct Backend {
    assignment: Assignment,
    slots: Vec<usize>,
    report: Shared,
    combined: Combined,
    /// Whether earlier checks of it have found it up.
    was_up: bool,
}

/// See the module's head.
#[derive(Debug)]
pub struct Fleet {
    slots: Vec<Option<Slot>>,
    free_slots: Vec<usize>,
    backends: Vec<Option<Backend>>,
    free_backends: Vec<usize>,
    numbers: HashMap<Subject, usize>,
    sockets: Schedule,
    processes: Schedule,
    shortage: Shortage,
    generation: u64,
    board: Arc<Board>,
    ways: Arc<Ways>,
}

impl Fleet {
    /// Without checks. `room`: how many may run at once.
    #[must_use]
    pub fn new(board: Arc<Board>, ways: Arc<Ways>, room: Room) -> Self {
        Self {
            slots: Vec::new(),
            free_slots: Vec::new(),
            backends: Vec::new(),
            free_backends: Vec::new(),
            numbers: HashMap::new(),
            sockets: Schedule::new(room.sockets),
            processes: Schedule::new(room.processes),
            shortage: Shortage::default(),
            generation: 0,
            board,
            ways,
        }
    }

    /// Checks these backends from now on, and no others. A check that is as it was keeps its state.
    pub fn follow(&mut self, plan: &[Assignment], workshop: &mut Workshop, now: Instant) {
        let wanted: HashMap<&Subject, &Assignment> = plan.iter().map(|a| (&a.subject, a)).collect();
        let gone: Vec<_> =
            self.numbers.keys().filter(|subject| !wanted.contains_key(subject)).cloned().collect();
        for subject in gone {
            self.board.withdraw(&subject);
            let Some(number) = self.numbers.remove(&subject) else { continue };
            self.free_backends.push(number);
            if let Some(backend) = self.backends.get_mut(number).and_then(Option::take) {
                backend.slots.iter().for_each(|slot| self.remove(*slot));
            }
        }
        for assignment in plan {
            self.assign(assignment, workshop, now);
        }
    }

    fn assign(&mut self, assignment: &Assignment, workshop: &mut Workshop, now: Instant) {
        let subject = &assignment.subject;
        let number = self.numbers.get(subject).copied().or_else(|| self.free_backends.pop());
        let number = number.unwrap_or(self.backends.len());
        if number == self.backends.len() {
            self.backends.push(None);
        }
        let before = self.backends[number].take();
        let was_up = before.as_ref().is_some_and(Backend::is_known_up);
        let mut old = before.as_ref().map_or_else(Vec::new, |backend| backend.slots.clone());
        let mut slots = Vec::with_capacity(assignment.health.checks.len());
        for (nth, check) in assignment.health.checks.iter().enumerate() {
            let target = assignment.target(check, &self.ways);
            let same = |place: &usize| {
                let slot = self.slots.get(*place).and_then(Option::as_ref);
                slot.is_some_and(|slot| slot.check.kind == check.kind && *slot.target == target)
            };
            match old.iter().position(same) {
                Some(kept) => {
                    let place = old.remove(kept);
                    if let Some(slot) = &mut self.slots[place] {
                        (slot.nth, slot.backend) = (nth, number);
                        // What is known of the server does not depend on how often it is asked.
                        slot.check = check.clone();
                        slot.tracker.follow(check.rules);
                    }
                    slots.push(place);
                }
                None => {
                    let context = Context { service: subject.service.clone() };
                    let runner = Arc::new(workshop.runner(&check.kind, context));
                    slots.push(self.add((number, was_up), nth, check, (runner, target), now));
                }
            }
        }
        old.into_iter().for_each(|place| self.remove(place));
        let combined = self.combined(assignment, &slots);
        let report = self.report(before.as_ref(), &slots, combined);
        self.board.post(subject.clone(), Arc::clone(&report));
        // Whoever reads the board may have assumed something else.
        self.board.tell(subject, combined.condition);
        self.numbers.insert(subject.clone(), number);
        self.backends[number] =
            Some(Backend { assignment: assignment.clone(), slots, report, combined, was_up });
    }

    /// What is known of the checks that were kept, and nothing of the others.
    fn report(&self, before: Option<&Backend>, slots: &[usize], combined: Combined) -> Shared {
        let known = before.map(|backend| lock(&backend.report).clone());
        let check = |place: &usize| {
            let kept = before?.slots.iter().position(|other| other == place)?;
            known.as_ref()?.checks.get(kept).cloned()
        };
        let fresh = |place: &usize| Some(fresh(self.slots[*place].as_ref()?));
        let checks = slots.iter().filter_map(|place| check(place).or_else(|| fresh(place))).collect();
        let history = known.as_ref().map(|report| report.history.clone()).unwrap_or_default();
        let Combined { passes, is_assumed, condition: _ } = combined;
        Arc::new(Mutex::new(Report { passes, is_assumed, checks, history }))
    }

    fn add(
        &mut self,
        (backend, was_up): (usize, bool),
        nth: usize,
        check: &Check,
        (runner, target): (Arc<Runner>, Target),
        now: Instant,
    ) -> usize {
        let generation = self.generation;
        self.generation += 1;
        let place = self.free_slots.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let due = first_due(now, check.rules.warmup, generation);
        self.schedule(runner.is_process()).add(CheckId { place, generation }, due);
        let tracker = Tracker::new(check.rules, now).of_known_backend(was_up);
        let (check, target) = (check.clone(), Arc::new(target));
        self.slots[place] =
            Some(Slot { generation, backend, check, tracker, runner, target, nth, did_not_run: false });
        place
    }

    fn remove(&mut self, place: usize) {
        // What runs, or waits in a schedule, is known to be of nobody by its generation.
        let did_not_run = self.slots[place].take().is_some_and(|slot| slot.did_not_run);
        // The end of a shortage is reported with the next result.
        self.shortage.left(did_not_run);
        self.free_slots.push(place);
    }

    fn schedule(&mut self, is_process: bool) -> &mut Schedule {
        if is_process { &mut self.processes } else { &mut self.sockets }
    }

    fn slot(&self, id: CheckId) -> Option<&Slot> {
        self.slots.get(id.place)?.as_ref().filter(|slot| slot.generation == id.generation)
    }

    fn combined(&self, assignment: &Assignment, slots: &[usize]) -> Combined {
        let trackers = slots.iter().filter_map(|place| Some(&self.slots[*place].as_ref()?.tracker));
        combine(&assignment.health, &trackers.collect::<Vec<_>>(), assignment.weight)
    }

    /// When [`Fleet::take`] will give something.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.sockets.next().into_iter().chain(self.processes.next()).min()
    }

    /// A check that is due.
    pub fn take(&mut self, now: Instant) -> Option<Job> {
        for is_process in [false, true] {
            while let Some((id, due)) = self.schedule(is_process).take(now) {
                if let Some(slot) = self.slot(id) {
                    let timeout = slot.check.rules.timeout;
                    let (runner, target) = (Arc::clone(&slot.runner), Arc::clone(&slot.target));
                    return Some(Job { id, due, runner, target, timeout });
                }
                self.schedule(is_process).ended();
            }
        }
        None
    }

    /// Takes in how a job ended; `was_process`: whether it was one.
    pub fn ended(&mut self, was_process: bool, ended: Ended) -> Vec<News> {
        let Ended { id, due, began, now, outcome } = ended;
        self.schedule(was_process).ended();
        let slot = self.slots.get_mut(id.place).and_then(Option::as_mut);
        // One that has left, and maybe another one in its place.
        let Some(slot) = slot.filter(|slot| slot.generation == id.generation) else { return Vec::new() };
        slot.tracker.on_result(now, &outcome);
        let did_not_run = !outcome.verdict.has_run();
        let before = std::mem::replace(&mut slot.did_not_run, did_not_run);
        let pause = if did_not_run { slot.tracker.pause_after_not_run() } else { slot.tracker.pause() };
        let next = next_due(due, began, now, pause);
        let is_process = slot.runner.is_process();
        self.schedule(is_process).add(id, next);
        let shortage = self.shortage_news(id.place, &outcome, before, now);
        let mut news = self.take_in(id.place, outcome, (now, now.duration_since(began)));
        news.extend(shortage);
        news
    }

    /// Lets others know what has become of a check with a result, and of its backend.
    fn take_in(&mut self, place: usize, outcome: Outcome, (now, latency): (Instant, Duration)) -> Vec<News> {
        let Some(Some(slot)) = self.slots.get(place) else { return Vec::new() };
        let (number, nth, report) = (slot.backend, slot.nth, fresh(slot));
        let Some(Some(backend)) = self.backends.get(number) else { return Vec::new() };
        let combined = self.combined(&backend.assignment, &backend.slots);
        let Some(Some(backend)) = self.backends.get_mut(number) else { return Vec::new() };
        let before = std::mem::replace(&mut backend.combined, combined);
        if combined.condition != before.condition {
            self.board.tell(&backend.assignment.subject, combined.condition);
        }
        let report = CheckReport { at: Some(now), latency: Some(latency), ..report };
        backend.take_in(nth, report, outcome, before)
    }
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
