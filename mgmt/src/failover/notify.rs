//! Scripts that are told what has changed, one after the other for each subject. Of each state of a virtual router, as
//! Keepalived calls them: `SCRIPT INSTANCE NAME STATE PRIORITY`; of a quorum: `SCRIPT SERVICE NAME UP|DOWN`.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::mpsc;

use crate::config::{Service, Vrrp};
use crate::vrrp::Priority;
use crate::vrrp::router::State;

/// A script that takes longer is killed: the next state must be told, too.
const LIMIT: Duration = Duration::from_secs(30);

struct Call {
    command: Command,
    script: String,
}

/// The scripts that run, and those that wait.
#[derive(Debug, Default)]
pub struct Notifier {
    /// By what is told of, and its name.
    queues: HashMap<(&'static str, String), mpsc::UnboundedSender<Call>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
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

impl Notifier {
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
        let mut command = Command::new(script);
        command.args([what, name]).args(news);
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let call = Call { command, script: format!("{} {what} {name} {}", script.display(), news.join(" ")) };
        let queue = self.queues.entry((what, name.to_owned())).or_insert_with(|| {
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
    while let Some(Call { mut command, script }) = calls.recv().await {
        match tokio::time::timeout(LIMIT, command.status()).await {
            Ok(Ok(status)) if status.success() => {}
            Ok(Ok(status)) => tracing::warn!(script, %status, "notify script failed"),
            Ok(Err(error)) => tracing::warn!(script, %error, "notify script cannot be run"),
            Err(_) => tracing::warn!(script, "notify script took too long and was killed"),
        }
    }
}
