//! The thread that runs the checks.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::watch;
use tokio::task::{Id, JoinSet, LocalSet};
use tokio::time::MissedTickBehavior;

use super::Subject;
use super::board::Board;
use super::check::Workshop;
use super::fleet::Fleet;
use super::job::{Ended, Job, News, Observation};
use super::plan::Assignment;
use super::room::Room;
use super::schedule::CheckId;
use super::tracker::Outcome;
use super::ways::Ways;
use crate::bfd::board::Board as Sessions;
use crate::launcher::Launcher;
use crate::mailbox::Mailbox;
use crate::pulse::{self, Beat, Watch};

/// How long the end of the daemon waits for the thread.
const LAST_CHECKS: Duration = Duration::from_secs(2);

/// What clients' packets have shown of each backend, until the thread takes it.
type Observed = Mailbox<Subject, Observation>;

/// The checks, and the thread that runs them until this is dropped.
#[derive(Debug)]
pub struct Checks {
    plan: watch::Sender<Vec<Assignment>>,
    observed: Arc<Observed>,
    board: Arc<Board>,
    ways: Arc<Ways>,
    beat: Arc<Beat>,
    thread: Option<JoinHandle<()>>,
    /// Disconnected once the thread has ended.
    end: Receiver<()>,
}

impl Checks {
    /// Begins with no checks. `sessions`: where those of BFD are known. `supervisor`: the turns of the thread that puts
    /// in force what is found; the log has it when there are none.
    ///
    /// # Errors
    /// The kernel gives no thread, or no descriptors for its event loop.
    pub fn start(launcher: Launcher, sessions: Arc<Sessions>, supervisor: Arc<Beat>) -> io::Result<Self> {
        let board = Arc::new(Board::default());
        let (plan, plans) = watch::channel(Vec::new());
        let (observed, beat) = (Arc::<Observed>::default(), Arc::<Beat>::default());
        let (ends, end) = sync_channel::<()>(1);
        // Made here, so that its failure is told to whoever starts.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ways = Arc::new(Ways::default());
        let fleet = Fleet::new(Arc::clone(&board), Arc::clone(&ways), room());
        let (observations, own) = (Arc::clone(&observed), Arc::clone(&beat));
        let thread = std::thread::Builder::new().name("health".to_owned()).spawn(move || {
            let local = LocalSet::new();
            let pulses = (own, Watch::new(supervisor));
            local.block_on(&runtime, run(fleet, plans, &observations, pulses, (launcher, sessions)));
            // What still runs is dropped with its set, and its processes are killed. Files whose server hangs are
            // still being read.
            drop(local);
            runtime.shutdown_background();
            drop(ends);
        })?;
        Ok(Self { plan, observed, board, ways, beat, thread: Some(thread), end })
    }

    /// Checks these backends from now on, and no others.
    pub fn follow(&self, plan: Vec<Assignment>) {
        // Also where nothing has changed: certificates that it names may have.
        self.plan.send_replace(plan);
    }

    /// Takes in what clients' packets have shown of a backend.
    pub fn observed(&self, observation: Observation) {
        self.observed.put(observation.subject.clone(), observation, |before, new| {
            let failures = before.failures.saturating_add(new.failures);
            Observation { failures, ..new }
        });
    }

    /// The turns of the thread.
    #[must_use]
    pub fn beat(&self) -> &Arc<Beat> {
        &self.beat
    }

    /// Whom packets are for that take the data path.
    #[must_use]
    pub fn ways(&self) -> &Ways {
        &self.ways
    }

    /// What is found.
    #[must_use]
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        // The thread ends when nobody can send any more.
        self.plan = watch::channel(Vec::new()).0;
        if let Some(thread) = self.thread.take()
            && self.end.recv_timeout(LAST_CHECKS) != Err(RecvTimeoutError::Timeout)
        {
            let _: Result<(), _> = thread.join();
        }
    }
}

async fn run(
    mut fleet: Fleet,
    mut plans: watch::Receiver<Vec<Assignment>>,
    observations: &Observed,
    (beat, mut supervisor): (Arc<Beat>, Watch),
    (launcher, sessions): (Launcher, Arc<Sessions>),
) {
    let mut workshop = Workshop::new(launcher, sessions);
    let mut running = JoinSet::new();
    // What is under way, so that a check that panics is known by more than its panic.
    let mut jobs = HashMap::new();
    let mut look = tokio::time::interval(pulse::LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.turn();
        let now = crate::clock::now();
        while let Some(job) = fleet.take(now) {
            let (id, due, is_process) = (job.id, job.due, job.runner.is_process());
            jobs.insert(running.spawn_local(one(job)).id(), (id, due, now, is_process));
        }
        let next = fleet.next();
        tokio::select! {
            changed = plans.changed() => {
                if changed.is_err() {
                    return;
                }
                let plan = plans.borrow_and_update().clone();
                workshop.begin();
                fleet.follow(&plan, &mut workshop, crate::clock::now());
            }
            Some(done) = running.join_next_with_id() => {
                take_in(&mut fleet, &mut jobs, done);
                // Under load many have ended at once.
                while let Some(done) = running.try_join_next_with_id() {
                    take_in(&mut fleet, &mut jobs, done);
                }
            }
            observed = observations.take() => {
                for observation in observed.into_values() {
                    fleet.observed(observation, crate::clock::now()).into_iter().for_each(tell);
                }
            }
            _ = look.tick() => look_at(&mut supervisor),
            () = until(next) => {}
        }
    }
}

/// The log has it from here, since a supervisor that hangs logs nothing.
fn look_at(supervisor: &mut Watch) {
    match supervisor.look(crate::clock::now()) {
        Some(pulse::Change::Stalled) => tracing::error!(
            event = "supervisor.stalled",
            "the management thread hangs: neighbours, requests and results of checks wait, and virtual routers of \
             this node are in fault until it goes on"
        ),
        Some(pulse::Change::GoesOn) => {
            tracing::warn!(event = "supervisor.goes-on", "the management thread goes on");
        }
        None => {}
    }
}

async fn until(next: Option<Instant>) {
    match next {
        Some(next) => tokio::time::sleep_until(next.into()).await,
        None => std::future::pending().await,
    }
}

async fn one(job: Job) -> (Instant, Instant, Outcome) {
    let Job { runner, target, timeout, .. } = job;
    let began = crate::clock::now();
    let outcome = runner.run(&target, timeout).await;
    (began, crate::clock::now(), outcome)
}

type Jobs = HashMap<Id, (CheckId, Instant, Instant, bool)>;

fn take_in(
    fleet: &mut Fleet,
    jobs: &mut Jobs,
    done: Result<(Id, (Instant, Instant, Outcome)), tokio::task::JoinError>,
) {
    let (job, result) = match done {
        Ok((job, result)) => (job, Some(result)),
        Err(error) => {
            tracing::error!(%error, "a health check failed by itself: this is a defect");
            (error.id(), None)
        }
    };
    let Some((id, due, taken, was_process)) = jobs.remove(&job) else { return };
    // That says nothing of the backend either.
    let broken =
        || (taken, crate::clock::now(), Outcome::not_run("the check itself failed, which is a defect"));
    let (began, now, outcome) = result.unwrap_or_else(broken);
    fleet.ended(was_process, Ended { id, due, began, now, outcome }).into_iter().for_each(tell);
}

fn tell(news: News) {
    match news {
        News::Changed { subject, up: true, why } => {
            tracing::info!(
                event = "backend",
                service = subject.service,
                backend = subject.endpoint(),
                why,
                "backend is up"
            );
        }
        News::Changed { subject, up: false, why } => {
            tracing::warn!(
                event = "backend",
                service = subject.service,
                backend = subject.endpoint(),
                why,
                "backend is down"
            );
        }
        News::Warned { subject, warning } => {
            tracing::warn!(
                event = "backend",
                service = subject.service,
                backend = subject.endpoint(),
                warning,
                "backend"
            );
        }
        News::NotRun { subject, why, checks } => {
            tracing::warn!(
                event = "health.checks-not-run",
                service = subject.service,
                backend = subject.endpoint(),
                checks,
                why,
                "health checks cannot run; their backends keep the state that checks have found before"
            );
        }
        News::AllRun => tracing::info!(event = "health.checks-run-again", "health checks run again"),
    }
}

/// How many checks may run at once, beside what the daemon has open by now.
fn room() -> Room {
    // Without a limit there is room enough.
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    Room::of(usize::try_from(limit).unwrap_or(usize::MAX), open)
}

/// Lets the process have as many descriptors as it may: the default is for programs that have few.
///
/// # Errors
/// The kernel refuses.
pub fn raise_descriptors() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}
