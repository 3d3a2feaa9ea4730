//! Building the schedules that have changed: of many thousand services on every core that is to spare.

use std::sync::{Arc, Mutex, PoisonError};

use dataplane::schedule::{Destinations, Kind, Recipe, Schedule};

/// A schedule that is there already, or has to be built.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) recipe: Recipe,
    pub(super) source: Source,
}

#[derive(Debug)]
pub(super) enum Source {
    /// The same as before.
    Ready(Arc<Schedule>),
    /// `before`: the one whose order it goes on with.
    New { destinations: Arc<Destinations>, before: Option<Arc<Schedule>> },
}

impl Wanted {
    pub(super) fn kind(&self) -> Kind {
        self.recipe.kind
    }

    /// Builds it, unless that has been done.
    pub(super) fn schedule(&mut self) -> Arc<Schedule> {
        let schedule = match &self.source {
            Source::Ready(schedule) => return Arc::clone(schedule),
            Source::New { destinations, before } => {
                let schedule = Schedule::new(&self.recipe, destinations);
                Arc::new(match before {
                    Some(before) => schedule.following(before),
                    None => schedule,
                })
            }
        };
        self.source = Source::Ready(Arc::clone(&schedule));
        schedule
    }
}

/// What has schedules that are there already, or are to be built.
pub(super) trait Build {
    fn is_built(&self) -> bool;
    fn build(&mut self);
}

impl Build for Wanted {
    fn is_built(&self) -> bool {
        matches!(self.source, Source::Ready(_))
    }

    fn build(&mut self) {
        self.schedule();
    }
}

/// Plans and builds on up to so many threads, none of them started before there is something to build; the plans come back
/// in their order. Planning goes on while others build: `plans` is asked for one at a time.
pub(super) fn build<P: Build + Send>(plans: impl Iterator<Item = P> + Send, threads: usize) -> Vec<P> {
    let (mut plans, mut all) = (plans.enumerate(), Vec::new());
    let first = loop {
        match plans.next() {
            Some((place, plan)) if plan.is_built() => all.push((place, plan)),
            first => break first,
        }
    };
    if first.is_some() {
        all.extend(build_side_by_side(first.into_iter().chain(plans), threads));
    }
    all.sort_unstable_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, plan)| plan).collect()
}

/// In no order.
fn build_side_by_side<P: Build + Send>(
    plans: impl Iterator<Item = (usize, P)> + Send,
    threads: usize,
) -> Vec<(usize, P)> {
    let queue = Mutex::new(plans);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        let mut built = Vec::new();
        while let Some((place, mut plan)) = next() {
            plan.build();
            built.push((place, plan));
        }
        built
    };
    std::thread::scope(|scope| {
        // One that cannot be had is done without.
        let other = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads).filter_map(other).collect();
        let mut all = work();
        for other in others {
            all.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use dataplane::schedule::{Ask, Candidate, Load, Loads};
    use dataplane::types::{BackendId, WorkerId};

    use super::*;

    struct Idle;

    impl Loads for Idle {
        fn load(&self, _: BackendId) -> Load {
            Load::default()
        }
    }

    fn wanted(number: u32) -> Wanted {
        let candidate = |id| Candidate::new(BackendId(id), format!("10.0.{number}.{id}:80"), 1);
        let recipe = Recipe {
            kind: Kind::Maglev,
            candidates: (0..3).map(candidate).collect(),
            workers: 1,
            cluster: String::new(),
            fallback: true,
        };
        Wanted { recipe, source: Source::New { destinations: Arc::default(), before: None } }
    }

    #[test]
    fn many_threads_build_what_one_does_and_each_its_own() {
        let all = build((0..40).map(wanted), 4);
        for (number, mut built) in (0..).zip(all) {
            assert!(matches!(built.source, Source::Ready(_)));
            let (many, one) = (built.schedule(), wanted(number).schedule());
            let choice =
                |schedule: &Schedule, flow: u64| schedule.choose(&Ask::new(WorkerId(0), flow << 54), &Idle);
            assert!((0..1024).all(|flow| choice(&many, flow) == choice(&one, flow)));
        }
    }

    #[test]
    fn what_is_there_is_not_built_again() {
        let mut ready = wanted(0);
        let first = ready.schedule();
        let mut built = build([ready, wanted(1)].into_iter(), 2);
        assert!(Arc::ptr_eq(&first, &built[0].schedule()));
        assert!(built[1].is_built());
    }
}
