//! Scripts that are told of each state, one after the other for each virtual router, as Keepalived calls them:
//! `SCRIPT INSTANCE NAME STATE PRIORITY`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::mpsc;

use crate::config::Vrrp;
use crate::vrrp::Priority;
use crate::vrrp::router::State;

/// A script that takes longer is killed: the next state must be told, too.
const LIMIT: Duration = Duration::from_secs(30);

struct Call {
    script: PathBuf,
    name: String,
    state: State,
    priority: Priority,
}

/// The scripts that run, and those that wait.
#[derive(Debug, Default)]
pub struct Notifier {
    queues: HashMap<String, mpsc::UnboundedSender<Call>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.script.display(), word(self.state))
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

impl Notifier {
    /// Has the script of a virtual router called, if it has one.
    pub fn tell(&mut self, config: &Vrrp, state: State, priority: Priority) {
        let Some(script) = config.notify.clone() else { return };
        let call = Call { script, name: config.name.clone(), state, priority };
        let queue = self.queues.entry(config.name.clone()).or_insert_with(|| {
            let (queue, calls) = mpsc::unbounded_channel();
            self.tasks.push(tokio::spawn(run(calls)));
            queue
        });
        // The task ends after its queue.
        let _: Result<(), _> = queue.send(call);
    }

    /// Lets what waits be told, for a while.
    pub async fn finish(mut self, patience: Duration) {
        self.queues.clear();
        let all = async {
            for task in self.tasks {
                let _: Result<(), _> = task.await;
            }
        };
        let _: Result<(), _> = tokio::time::timeout(patience, all).await;
    }
}

async fn run(mut calls: mpsc::UnboundedReceiver<Call>) {
    while let Some(call) = calls.recv().await {
        let mut command = Command::new(&call.script);
        command.args(["INSTANCE", &call.name, word(call.state), &call.priority.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let script = call.script.display();
        match tokio::time::timeout(LIMIT, command.status()).await {
            Ok(Ok(status)) if status.success() => {}
            Ok(Ok(status)) => tracing::warn!(%script, vrrp = call.name, %status, "notify script failed"),
            Ok(Err(error)) => {
                tracing::warn!(%script, vrrp = call.name, %error, "notify script cannot be run");
            }
            Err(_) => tracing::warn!(%script, vrrp = call.name, "notify script took too long and was killed"),
        }
    }
}
