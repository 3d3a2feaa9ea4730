//! Scripts and files that move priorities: each is looked at by a task of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::config::Tracking;
use crate::config::health::Script;
use crate::health::check::file::{Watched, is_shortage};
use crate::health::check::script::{Context, Prepared};
use crate::health::tracker::Verdict;
use crate::launcher::Launcher;
use crate::mailbox::Mailbox;
use crate::vrrp::group::Condition;

/// A file that is not read within this time counts as one that cannot be read.
const LONGEST_READING: Duration = Duration::from_secs(5);

/// What the tasks have found, until it is taken: the last condition of each.
type Found = Mailbox<Tracking, Condition>;

/// The tasks, and what they have found.
#[derive(Debug)]
pub struct Watch {
    launcher: Launcher,
    tasks: BTreeMap<Tracking, JoinHandle<()>>,
    conditions: BTreeMap<Tracking, Condition>,
    found: Arc<Found>,
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
        Self { launcher, tasks: BTreeMap::new(), conditions: BTreeMap::new(), found: Arc::default() }
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
        let found = Arc::clone(&self.found);
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
                            found.put(tracking, Condition::Failed, last);
                            return;
                        }
                    };
                    script_task(prepared, tracking, (interval, timeout), (rise, fall), found).await;
                }))
            }
            Tracking::File { path, interval } => {
                Some(tokio::spawn(file_task(Watched::new(&path), tracking.clone(), interval, found)))
            }
            Tracking::Interface(_) | Tracking::Service(_) | Tracking::Bfd(..) => None,
        }
    }

    /// Waits for a condition to change. Loses nothing when it is dropped.
    pub async fn changed(&mut self) {
        for (tracking, condition) in self.found.take().await {
            if self.tasks.contains_key(&tracking) {
                tracing::info!(%tracking, ?condition, "tracked by VRRP");
                self.conditions.insert(tracking, condition);
            }
        }
    }

    /// What is known of one: before anything is, it counts as well.
    #[must_use]
    pub fn condition(&self, tracking: &Tracking) -> Condition {
        self.conditions.get(tracking).copied().unwrap_or(Condition::Well)
    }
}

fn last(_: &Condition, last: Condition) -> Condition {
    last
}

async fn script_task(
    script: Prepared,
    tracking: Tracking,
    (every, timeout): (Duration, Duration),
    (rise, fall): (u32, u32),
    sender: Arc<Found>,
) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut known, mut against) = (None, 0);
    loop {
        ticks.tick().await;
        let verdict = script.verdict(timeout).await;
        let Some(found) = condition_by(verdict, known) else { continue };
        let passes = found == Condition::Well;
        against = if known == Some(found) { 0 } else { against + 1 };
        let needed = if passes { rise } else { fall };
        // The first result counts whatever it is.
        if known.is_none() || against >= needed {
            (known, against) = (Some(found), 0);
            sender.put(tracking.clone(), found, last);
        }
    }
}

/// What a run of a script means. What the node lacks says nothing of what is tracked, and keeps what is `known`; but a script
/// that cannot be run as it is configured does not count as well before it was.
fn condition_by(verdict: Verdict, known: Option<Condition>) -> Option<Condition> {
    match verdict {
        Verdict::Pass => Some(Condition::Well),
        Verdict::Fail | Verdict::NoNews => Some(Condition::Failed),
        Verdict::CannotRun if known.is_none() => Some(Condition::Failed),
        Verdict::CannotRun | Verdict::NotRun => None,
    }
}

async fn file_task(file: Watched, tracking: Tracking, every: Duration, sender: Arc<Found>) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = None;
    loop {
        ticks.tick().await;
        let Some(found) = condition_of(&file).await else { continue };
        if known != Some(found) {
            known = Some(found);
            sender.put(tracking.clone(), found, last);
        }
    }
}

/// Whether a file can be read and does not say `down`. One whose server hangs cannot be read.
async fn condition_of(file: &Watched) -> Option<Condition> {
    match tokio::time::timeout(LONGEST_READING, file.read()).await {
        Ok(read) => condition_read(read),
        Err(_) => Some(Condition::Failed),
    }
}

/// `None`: nothing is known of it, for want of descriptors or memory.
fn condition_read(read: std::io::Result<String>) -> Option<Condition> {
    match read {
        Ok(text) if text.trim() != "down" => Some(Condition::Well),
        Err(error) if is_shortage(&error) => None,
        Ok(_) | Err(_) => Some(Condition::Failed),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn file(path: &Path) -> Tracking {
        Tracking::File { path: path.to_owned(), interval: Duration::from_millis(5) }
    }

    #[test]
    fn what_the_node_lacks_keeps_what_is_known_of_tracked_scripts_and_files() {
        use Condition::{Failed, Well};

        for known in [None, Some(Well), Some(Failed)] {
            assert_eq!(condition_by(Verdict::NotRun, known), None);
            assert_eq!(condition_by(Verdict::Pass, known), Some(Well));
            assert_eq!(condition_by(Verdict::Fail, known), Some(Failed));
        }
        assert_eq!(condition_by(Verdict::CannotRun, None), Some(Failed));
        assert_eq!(condition_by(Verdict::CannotRun, Some(Well)), None);
        let failed = |errno| condition_read(Err(std::io::Error::from_raw_os_error(errno)));
        for errno in [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EAGAIN] {
            assert_eq!(failed(errno), None, "{errno}");
        }
        for errno in [libc::ENOENT, libc::EACCES, libc::EIO, libc::EPERM] {
            assert_eq!(failed(errno), Some(Failed), "{errno}");
        }
        assert_eq!(condition_read(Ok("down\n".to_owned())), Some(Failed));
    }

    #[tokio::test]
    async fn a_fifo_without_a_writer_has_failed_and_is_not_waited_for() {
        let dir = crate::api::fake::fresh_dir();
        std::fs::create_dir_all(&dir).unwrap();
        let (fifo, well) = (dir.join("fifo"), dir.join("well"));
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        std::fs::write(&well, "up\n").unwrap();
        let mut watch = Watch::new(Launcher::default());
        let wanted = [file(&fifo), file(&well)];
        watch.follow(wanted.iter());
        let both = async {
            while watch.conditions.len() < 2 {
                watch.changed().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), both).await.expect("an answer about both");
        assert_eq!(wanted.map(|one| watch.condition(&one)), [Condition::Failed, Condition::Well]);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
