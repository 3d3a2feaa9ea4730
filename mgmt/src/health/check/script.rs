//! A program ends with status 0. It is started without a shell, in a process group of its own, as an
//! unprivileged user, by the [`Launcher`]; at its deadline the whole group is killed.

use std::net::IpAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use dataplane::types::Port;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use super::Target;
use super::socket::{of_the_node, words};
use crate::config::health::Script;
use crate::health::tracker::{Outcome, Share, Verdict};
use crate::launcher::{Launcher, NotBegun, begun, user_is_there};

/// Whoever nobody else is.
const UNPRIVILEGED: &str = "nobody";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a script may want to know of its check.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The service's name.
    pub service: String,
}

/// A script and whom it runs as.
#[derive(Debug)]
pub struct Prepared {
    command: Vec<String>,
    dynamic: bool,
    user: Option<String>,
    launcher: Launcher,
    context: Context,
}

/// Whom a script runs as, by name; `None`: as the daemon, which is not root.
fn user(script: &Script) -> Result<Option<String>, String> {
    let is_root = rustix::process::geteuid().is_root();
    match (&script.user, is_root) {
        (None, false) => Ok(None),
        (Some(name), false) => Err(format!("only root can run a script as {name}")),
        (name, true) => Ok(Some(name.as_deref().unwrap_or(UNPRIVILEGED).to_owned())),
    }
}

/// What keeps a script from running here. Reads `/etc/passwd`.
pub(super) fn hindrance(script: &Script) -> Option<String> {
    let is_there = |user: Option<String>| user.as_deref().map_or(Ok(()), user_is_there);
    user(script).and_then(is_there).err()
}

impl Prepared {
    /// The user is looked up at each run, by the process that becomes the script: a disk that hangs must not stop a
    /// thread of the daemon.
    pub fn new(script: &Script, launcher: &Launcher, context: Context) -> Result<Self, String> {
        let (command, dynamic) = (script.command.clone(), script.dynamic);
        Ok(Self { command, dynamic, user: user(script)?, launcher: launcher.clone(), context })
    }

    pub(super) async fn run(&self, target: &Target, timeout: Duration) -> Outcome {
        let started = async {
            let mut group = Group(self.command(target, timeout)?.spawn()?);
            begun(&mut group.0).await?;
            Ok::<_, NotBegun>(group)
        };
        let mut group = match started.await {
            Ok(group) => group,
            Err(why) => return not_begun(&why),
        };
        match group.0.wait().await {
            Ok(status) => self.ended(status),
            Err(error) => Outcome::fail(format!("was lost: {}", words(&error))),
        }
    }

    /// What it finds outside of any check.
    pub async fn verdict(&self, timeout: Duration) -> Verdict {
        let nobody = Target { address: IpAddr::from([0; 4]), port: Port(0), bind: None, way: None };
        let outcome = tokio::time::timeout(timeout, self.run(&nobody, timeout)).await;
        outcome.map_or(Verdict::Fail, |outcome| outcome.verdict)
    }

    fn command(&self, target: &Target, timeout: Duration) -> Result<Command, NotBegun> {
        let nothing = || std::io::Error::from(std::io::ErrorKind::InvalidInput);
        let (program, arguments) = self.command.split_first().ok_or_else(nothing)?;
        let mut command = self.launcher.command(self.user.as_deref(), program, arguments)?;
        command.env_clear().env("PATH", PATH);
        command.env("PENSTOCK_SERVICE", &self.context.service);
        command.env("PENSTOCK_ADDRESS", target.address.to_string());
        command.env("PENSTOCK_PORT", target.port.to_string());
        command.env("PENSTOCK_TIMEOUT", timeout.as_secs_f64().to_string());
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command.process_group(0);
        Ok(command)
    }

    fn ended(&self, status: ExitStatus) -> Outcome {
        match (status.code(), status.signal()) {
            (Some(0), _) => Outcome::pass("exit status 0").with_share(Share::Configured),
            // MISC_CHECK's convention: two more than the weight.
            (Some(code @ 2..=255), _) if self.dynamic => {
                let weight = u16::try_from(code - 2).unwrap_or(0);
                Outcome::pass(format!("exit status {code}, weight {weight}"))
                    .with_share(Share::Weight(weight))
            }
            (Some(code), _) => Outcome::fail(format!("exit status {code}, wanted 0")),
            (None, Some(signal)) => Outcome::fail(format!("ended by signal {signal}")),
            (None, None) => Outcome::fail("ended without a status"),
        }
    }
}

/// A process and all that it has started. Killed when it is dropped before its end.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // Without a number it has ended and was waited for: the number may be another's by now.
        let number = self.0.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(leader) = number {
            let _: Result<(), _> = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// Why a script did not begin: by what the node lacks, or by the script itself.
fn not_begun(why: &NotBegun) -> Outcome {
    match why {
        NotBegun::Kernel(error) => of_the_node(error)
            .unwrap_or_else(|| Outcome::fail(format!("cannot be started: {}", words(error)))),
        NotBegun::User(why) => Outcome::cannot_run(why),
        NotBegun::Launcher => Outcome::not_run(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(dynamic: bool) -> Prepared {
        let context = Context::default();
        Prepared { command: Vec::new(), dynamic, user: None, launcher: Launcher::default(), context }
    }

    #[test]
    fn a_status_is_up_down_or_a_weight() {
        let of = |dynamic, code: i32| {
            let outcome = prepared(dynamic).ended(ExitStatus::from_raw(code << 8));
            (outcome.verdict, outcome.share)
        };
        assert_eq!(of(false, 0), (Verdict::Pass, Share::Configured));
        assert_eq!(of(false, 2), (Verdict::Fail, Share::Unsaid));
        assert_eq!(of(true, 1), (Verdict::Fail, Share::Unsaid));
        assert_eq!(of(true, 2), (Verdict::Pass, Share::Weight(0)));
        assert_eq!(of(true, 255), (Verdict::Pass, Share::Weight(253)));
        let killed = prepared(true).ended(ExitStatus::from_raw(9));
        assert_eq!((killed.verdict, &*killed.said), (Verdict::Fail, "ended by signal 9"));
    }

    #[test]
    fn a_lack_of_processes_is_no_word_of_the_script() {
        let verdict = |errno| not_begun(&std::io::Error::from_raw_os_error(errno).into()).verdict;
        for errno in [libc::EAGAIN, libc::ENFILE, libc::EMFILE, libc::ENOMEM] {
            assert_eq!(verdict(errno), Verdict::NotRun, "{errno}");
        }
        for errno in [libc::ENOENT, libc::EACCES, libc::ENOEXEC] {
            assert_eq!(verdict(errno), Verdict::Fail, "{errno}");
        }
        assert_eq!(not_begun(&NotBegun::User(String::new())).verdict, Verdict::CannotRun);
        assert_eq!(not_begun(&NotBegun::Launcher).verdict, Verdict::NotRun);
    }
}
