//! Scripts that are told what has changed, one after the other for each subject. Of each state of a virtual router, as
//! Keepalived calls them: `SCRIPT INSTANCE NAME STATE PRIORITY`; of a quorum: `SCRIPT SERVICE NAME UP|DOWN`.

mod output;

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::config::{Service, Vrrp};
use crate::launcher::{Launcher, NotBegun, begun};
use crate::vrrp::Priority;
use crate::vrrp::router::State;
use output::Outputs;

/// A script that takes longer is killed: the next state must be told, too.
const LIMIT: Duration = Duration::from_secs(30);
/// Calls that wait for the script of one subject. Of more, the oldest are left out: the last state is told in any case.
const WAITING: usize = 64;

struct Call {
    command: Result<Command, NotBegun>,
    script: String,
}

/// The scripts that run, and those that wait.
#[derive(Debug, Default)]
pub struct Notifier {
    /// By what is told of, and its name.
    subjects: HashMap<(&'static str, String), Subject>,
    outputs: Outputs,
    /// A script's disk may hang: the thread that calls it does not wait for it.
    launcher: Launcher,
}

/// One subject: its calls are made one after the other.
#[derive(Debug)]
struct Subject {
    queue: Arc<Mutex<Queue>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Queue {
    calls: VecDeque<Call>,
    /// Its task takes no more.
    has_ended: bool,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.script)
    }
}

/// As Keepalived says it.
fn word(state: State) -> &'static str {
    match state {
        State::Init => "STOP",
        State::Backup => "BACKUP",
        State::Master => "MASTER",
        State::Fault => "FAULT",
    }
}

fn locked(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    /// Gives back what is left out for it.
    fn push(&mut self, call: Call) -> Option<Call> {
        let oldest = (self.calls.len() >= WAITING).then(|| self.calls.pop_front()).flatten();
        self.calls.push_back(call);
        oldest
    }
}

impl Notifier {
    /// Scripts are started by the launcher.
    #[must_use]
    pub fn new(launcher: Launcher) -> Self {
        Self { launcher, ..Self::default() }
    }

    /// Has the script of a virtual router called, if it has one.
    pub fn tell_state(&mut self, config: &Vrrp, state: State, priority: Priority) {
        if let Some(script) = &config.notify {
            self.tell(script, "INSTANCE", &config.name, &[word(state), &priority.to_string()]);
        }
    }

    /// Has the script of a service called, if it has one.
    pub fn tell_quorum(&mut self, service: &Service, has_quorum: bool) {
        if let Some(script) = &service.choice.notify {
            self.tell(script, "SERVICE", &service.name, &[if has_quorum { "UP" } else { "DOWN" }]);
        }
    }

    fn tell(&mut self, script: &Path, what: &'static str, name: &str, news: &[&str]) {
        let call = Call {
            command: self.command(script, [what, name].iter().chain(news)),
            script: format!("{} {what} {name} {}", script.display(), news.join(" ")),
        };
        self.subjects.retain(|_, subject| !locked(&subject.queue).has_ended);
        let outputs = &self.outputs;
        let subject = self.subjects.entry((what, name.to_owned())).or_insert_with(|| {
            let queue = Arc::<Mutex<Queue>>::default();
            let task = tokio::spawn(run(Arc::clone(&queue), outputs.clone()));
            Subject { queue, task }
        });
        // The task runs in this thread: it takes no call, and does not end, between these lines.
        if let Some(Call { script, .. }) = locked(&subject.queue).push(call) {
            tracing::warn!(
                event = "notify.left-out",
                script,
                "notify script was not called: too many calls wait"
            );
        }
    }

    fn command<'w>(
        &self,
        script: &Path,
        words: impl Iterator<Item = &'w &'w str>,
    ) -> Result<Command, NotBegun> {
        let mut command = self.launcher.command(None, script, words)?;
        command.stdin(Stdio::null()).kill_on_drop(true);
        Ok(command)
    }

    /// Lets what waits be told, for a while.
    pub async fn finish(self, patience: Duration) {
        let all = async {
            for subject in self.subjects.into_values() {
                let _: Result<(), _> = subject.task.await;
            }
        };
        let _: Result<(), _> = tokio::time::timeout(patience, all).await;
    }
}

/// Until no call waits.
async fn run(queue: Arc<Mutex<Queue>>, outputs: Outputs) {
    loop {
        let call = {
            let mut queue = locked(&queue);
            let call = queue.calls.pop_front();
            queue.has_ended = call.is_none();
            call
        };
        let Some(Call { command, script }) = call else { return };
        let status = async {
            let mut child = outputs.spawn(&mut command?, &script)?;
            begun(&mut child).await?;
            Ok::<_, NotBegun>(child.wait().await?)
        };
        match tokio::time::timeout(LIMIT, status).await {
            Ok(Ok(status)) if status.success() => {}
            Ok(Ok(status)) => tracing::warn!(script, %status, "notify script failed"),
            Ok(Err(error)) => tracing::warn!(script, %error, "notify script cannot be run"),
            Err(_) => tracing::warn!(script, "notify script took too long and was killed"),
        }
    }
}

#[cfg(test)]
#[path = "notify_tests.rs"]
mod tests;
