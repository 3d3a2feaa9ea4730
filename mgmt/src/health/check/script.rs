//! A program ends with status 0. It is started without a shell, in a process group of its own, as an
//! unprivileged user; at its deadline the whole group is killed.
//!
//! The daemon holds much memory, of which `fork` would copy the page tables, and the frames of AF_XDP with
//! them. `posix_spawn` does not, but cannot change the user: so the daemon's own program is started,
//! which changes the user and becomes the script ([`become_script`]).

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use dataplane::types::Port;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use super::Target;
use super::socket::{of_the_node, words};
use crate::config::health::Script;
use crate::health::tracker::{Outcome, Share, Verdict};

/// The daemon's hidden argument, followed by `UID:GID`, the program and its arguments.
pub const BECOME: &str = "--become";
/// Whoever nobody else is.
const UNPRIVILEGED: &str = "nobody";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The program that can [`become_script`]; without one, as in tests, `fork` has to do.
#[derive(Debug, Clone, Default)]
pub struct Launcher(pub Option<PathBuf>);

impl Launcher {
    /// The program that this is, under whatever name it was started.
    #[must_use]
    pub fn own() -> Self {
        Self(Some(PathBuf::from("/proc/self/exe")))
    }
}

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
    user: Option<User>,
    launcher: Option<PathBuf>,
    context: Context,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct User {
    uid: u32,
    gid: u32,
}

impl Prepared {
    /// Looks the user up.
    pub fn new(script: &Script, launcher: &Launcher, context: Context) -> Result<Self, String> {
        let is_root = rustix::process::geteuid().is_root();
        let user = match (&script.user, is_root) {
            (None, false) => None,
            (Some(name), false) => return Err(format!("only root can run a script as {name}")),
            (name, true) => Some(look_up(name.as_deref().unwrap_or(UNPRIVILEGED))?),
        };
        let (command, dynamic) = (script.command.clone(), script.dynamic);
        Ok(Self { command, dynamic, user, launcher: launcher.0.clone(), context })
    }

    pub(super) async fn run(&self, target: &Target, timeout: Duration) -> Outcome {
        let child = self.command(target, timeout).and_then(|mut command| command.spawn());
        let mut group = match child {
            Ok(child) => Group(child),
            Err(error) => {
                return match of_the_node(&error) {
                    Some(why) => Outcome::not_run(why),
                    None => Outcome::fail(format!("cannot be started: {}", words(&error))),
                };
            }
        };
        match group.0.wait().await {
            Ok(status) => self.ended(status),
            Err(error) => Outcome::fail(format!("was lost: {}", words(&error))),
        }
    }

    /// Whether it ends with status 0 in time, outside of any check.
    pub async fn passes(&self, timeout: Duration) -> bool {
        let nobody = Target { address: IpAddr::from([0; 4]), port: Port(0), bind: None, way: None };
        let outcome = tokio::time::timeout(timeout, self.run(&nobody, timeout)).await;
        outcome.is_ok_and(|outcome| outcome.verdict == Verdict::Pass)
    }

    fn command(&self, target: &Target, timeout: Duration) -> std::io::Result<Command> {
        let (program, arguments) = self.command.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
        let mut command = match (&self.launcher, self.user) {
            (Some(launcher), Some(User { uid, gid })) => {
                let mut command = Command::new(launcher);
                command.arg(BECOME).arg(format!("{uid}:{gid}")).arg(program).args(arguments);
                command
            }
            (None, Some(User { uid, gid })) => {
                let mut command = Command::new(program);
                command.args(arguments).uid(uid).gid(gid);
                command
            }
            (Some(_) | None, None) => {
                let mut command = Command::new(program);
                command.args(arguments);
                command
            }
        };
        command.env_clear().env("PATH", PATH);
        command.env("PENSTOCK_SERVICE", &self.context.service);
        command.env("PENSTOCK_ADDRESS", target.address.to_string());
        command.env("PENSTOCK_PORT", target.port.to_string());
        command.env("PENSTOCK_TIMEOUT", timeout.as_secs_f64().to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
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

fn look_up(name: &str) -> Result<User, String> {
    let text = std::fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
    user_in(&text, name).ok_or_else(|| format!("there is no user {name:?} in /etc/passwd"))
}

fn user_in(passwd: &str, name: &str) -> Option<User> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut numbers = line.split(':').skip(2).map(str::parse);
    Some(User { uid: numbers.next()?.ok()?, gid: numbers.next()?.ok()? })
}

/// Becomes the script if the arguments, the program's own name left out, ask for that; comes back where it cannot.
#[must_use]
pub fn become_script(arguments: &[OsString]) -> Option<std::io::Error> {
    let [asked, user, program, arguments @ ..] = arguments else { return None };
    let (uid, gid) = user.to_str().filter(|_| asked == BECOME)?.split_once(':')?;
    let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
    // Gives the groups of whoever started it away, too.
    Some(std::process::Command::new(program).args(arguments).uid(uid).gid(gid).exec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(dynamic: bool) -> Prepared {
        let context = Context::default();
        Prepared { command: Vec::new(), dynamic, user: None, launcher: None, context }
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
    fn users_are_found_by_their_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nnobody2:x:7:8::/:\nnobody:x:65534:65533::/:\n";
        assert_eq!(user_in(passwd, "nobody"), Some(User { uid: 65534, gid: 65533 }));
        assert_eq!(user_in(passwd, "no"), None);
    }

    #[test]
    fn only_its_own_words_make_the_daemon_another_program() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(become_script(&words("--config penstock.toml")).is_none());
        assert!(become_script(&words("--become nobody /bin/true")).is_none());
        assert!(become_script(&words("--become 0:0 /nowhere/at-all")).is_some());
    }
}
