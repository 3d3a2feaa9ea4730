//! Scripts and files that move priorities: each is looked at by a task of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::config::Tracking;
use crate::config::health::Script;
use crate::health::check::script::{Context, Launcher, Prepared};
use crate::vrrp::group::Condition;

/// What is found, until it is taken.
type Found = (Tracking, Condition);

/// The tasks, and what they have found.
#[derive(Debug)]
pub struct Watch {
    launcher: Launcher,
    tasks: BTreeMap<Tracking, JoinHandle<()>>,
    conditions: BTreeMap<Tracking, Condition>,
    sender: mpsc::UnboundedSender<Found>,
    found: mpsc::UnboundedReceiver<Found>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tasks.values().for_each(JoinHandle::abort);
    }
}

impl Watch {
    /// Watches nothing yet. Scripts are started by the launcher.
    #[must_use]
    pub fn new(launcher: Launcher) -> Self {
        let (sender, found) = mpsc::unbounded_channel();
        Self { launcher, tasks: BTreeMap::new(), conditions: BTreeMap::new(), sender, found }
    }

    /// Watches these from now on, and no others.
    pub fn follow<'t>(&mut self, wanted: impl Iterator<Item = &'t Tracking>) {
        let wanted: Vec<&Tracking> = wanted.collect();
        self.tasks.retain(|tracking, task| {
            let stays = wanted.contains(&tracking);
            if !stays {
                task.abort();
            }
            stays
        });
        self.conditions.retain(|tracking, _| wanted.contains(&tracking));
        for tracking in wanted {
            if self.tasks.contains_key(tracking) {
                continue;
            }
            if let Some(task) = self.start(tracking) {
                self.tasks.insert(tracking.clone(), task);
            }
        }
    }

    fn start(&self, tracking: &Tracking) -> Option<JoinHandle<()>> {
        let sender = self.sender.clone();
        match tracking.clone() {
            Tracking::Script { command, interval, timeout, rise, fall, user } => {
                let script = Script { command, dynamic: false, user };
                let prepared = Prepared::new(&script, &self.launcher, Context::default());
                let tracking = tracking.clone();
                Some(tokio::spawn(async move {
                    let prepared = match prepared {
                        Ok(prepared) => prepared,
                        Err(error) => {
                            tracing::error!(%tracking, error, "cannot be run");
                            let _: Result<(), _> = sender.send((tracking, Condition::Failed));
                            return;
                        }
                    };
                    script_task(prepared, tracking, (interval, timeout), (rise, fall), sender).await;
                }))
            }
            Tracking::File { path, interval } => {
                Some(tokio::spawn(file_task(path.clone(), tracking.clone(), interval, sender)))
            }
            Tracking::Interface(_) | Tracking::Service(_) | Tracking::Bfd(..) => None,
        }
    }

    /// Waits for a condition to change. Loses nothing when it is dropped.
    pub async fn changed(&mut self) {
        // This holds a sender itself: there is always another one to come.
        if let Some((tracking, condition)) = self.found.recv().await
            && self.tasks.contains_key(&tracking)
        {
            tracing::info!(%tracking, ?condition, "tracked by VRRP");
            self.conditions.insert(tracking, condition);
        }
    }

    /// What is known of one: before anything is, it counts as well.
    #[must_use]
    pub fn condition(&self, tracking: &Tracking) -> Condition {
        self.conditions.get(tracking).copied().unwrap_or(Condition::Well)
    }
}

async fn script_task(
    script: Prepared,
    tracking: Tracking,
    (every, timeout): (Duration, Duration),
    (rise, fall): (u32, u32),
    sender: mpsc::UnboundedSender<Found>,
) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut known, mut against) = (None, 0);
    loop {
        ticks.tick().await;
        let passes = script.passes(timeout).await;
        let found = if passes { Condition::Well } else { Condition::Failed };
        against = if known == Some(found) { 0 } else { against + 1 };
        let needed = if passes { rise } else { fall };
        // The first result counts whatever it is.
        if known.is_none() || against >= needed {
            (known, against) = (Some(found), 0);
            if sender.send((tracking.clone(), found)).is_err() {
                return;
            }
        }
    }
}

async fn file_task(
    path: std::path::PathBuf,
    tracking: Tracking,
    every: Duration,
    sender: mpsc::UnboundedSender<Found>,
) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = None;
    loop {
        ticks.tick().await;
        let found = file(&path);
        if known != Some(found) {
            known = Some(found);
            if sender.send((tracking.clone(), found)).is_err() {
                return;
            }
        }
    }
}

/// Whether a file can be read and does not say `down`.
fn file(path: &Path) -> Condition {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim() != "down" => Condition::Well,
        Ok(_) | Err(_) => Condition::Failed,
    }
}
