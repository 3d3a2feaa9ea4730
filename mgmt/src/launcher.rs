//! Programs that the daemon starts: scripts of checks, what VRRP tracks, notify scripts.
//!
//! The daemon holds much memory, of which `fork` would copy the page tables, and the frames of AF_XDP with
//! them. `posix_spawn` does not. But it cannot change the user, and it lets its caller wait until the other program's file
//! is read, for as long as the disk takes. So the daemon's own program is started, whose file is in use already. It
//! looks the user up, becomes the other program ([`become_program`]), and reports by a pipe how far it has come.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// The daemon's hidden argument, followed by a user's name or nothing, the program and its arguments.
pub const BECOME: &str = "--become";
/// What the pipe says: that the program is about to begin, and why it has not.
const BEGINS: &str = "begins";
const ERROR: &str = "error ";
const USER: &str = "user ";
/// Bytes of a report.
const LONGEST: u64 = 512;

/// The program that can [`become_program`]; without one, as in tests, the other program is started at once.
#[derive(Debug, Clone, Default)]
pub struct Launcher(pub Option<PathBuf>);

/// Why a program has not begun.
#[derive(Debug)]
pub enum NotBegun {
    /// The kernel does not start it.
    Kernel(io::Error),
    /// The user that it is to run as cannot be looked up.
    User(String),
    /// The process has ended before it came to that.
    Launcher,
}

impl fmt::Display for NotBegun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(error) => error.fmt(f),
            Self::User(why) => f.write_str(why),
            Self::Launcher => f.write_str("the process ended before the program began"),
        }
    }
}

impl From<io::Error> for NotBegun {
    fn from(error: io::Error) -> Self {
        Self::Kernel(error)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct User {
    uid: u32,
    gid: u32,
}

impl Launcher {
    /// The program that this is, under whatever name it was started.
    #[must_use]
    pub fn own() -> Self {
        Self(Some(PathBuf::from("/proc/self/exe")))
    }

    /// A program without standard output, as a user or as the daemon itself. Once it is started, [`begun`] waits for its
    /// beginning.
    ///
    /// # Errors
    /// Without a launcher: the user cannot be looked up.
    pub fn command(
        &self,
        user: Option<&str>,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Command, NotBegun> {
        let mut command = match &self.0 {
            Some(launcher) => {
                let mut command = Command::new(launcher);
                command.arg(BECOME).arg(user.unwrap_or_default()).arg(program).stdout(Stdio::piped());
                command
            }
            None => {
                let mut command = Command::new(program);
                if let Some(User { uid, gid }) = user.map(look_up).transpose().map_err(NotBegun::User)? {
                    command.uid(uid).gid(gid);
                }
                command.stdout(Stdio::null());
                command
            }
        };
        command.args(arguments);
        Ok(command)
    }
}

/// Waits until a process is the program that was asked for. Its pipe closes then.
///
/// # Errors
/// It will not become that program.
pub async fn begun(child: &mut Child) -> Result<(), NotBegun> {
    // Without a launcher, the start itself would have failed.
    let Some(pipe) = child.stdout.take() else { return Ok(()) };
    let mut report = Vec::new();
    pipe.take(LONGEST).read_to_end(&mut report).await?;
    read(&String::from_utf8_lossy(&report))
}

fn read(report: &str) -> Result<(), NotBegun> {
    let last = report.lines().last().ok_or(NotBegun::Launcher)?;
    if let Some(number) = last.strip_prefix(ERROR) {
        let number = number.parse().unwrap_or(libc::EINVAL);
        return Err(io::Error::from_raw_os_error(number).into());
    }
    match last.strip_prefix(USER) {
        Some(why) => Err(NotBegun::User(why.to_owned())),
        None => Ok(()),
    }
}

/// Whether a program can be run as a user. Reads `/etc/passwd`.
///
/// # Errors
/// In words: there is no such user.
pub fn user_is_there(name: &str) -> Result<(), String> {
    look_up(name).map(drop)
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

/// Becomes another program if the arguments, this program's own name left out, ask for that; comes back where it cannot.
#[must_use]
pub fn become_program(arguments: &[OsString]) -> Option<NotBegun> {
    let [asked, user, program, arguments @ ..] = arguments else { return None };
    let user = user.to_str().filter(|_| asked == BECOME)?;
    // A copy that closes where the other program begins, and is not what becomes its standard output.
    let mut report = match io::stdout().as_fd().try_clone_to_owned() {
        Ok(report) => File::from(report),
        Err(error) => return Some(error.into()),
    };
    let why = instead_of_this(user, program, arguments, &mut report);
    let line = match &why {
        NotBegun::Kernel(error) => format!("{ERROR}{}", error.raw_os_error().unwrap_or(libc::EINVAL)),
        NotBegun::User(why) => format!("{USER}{why}"),
        NotBegun::Launcher => String::new(),
    };
    // Without a reader the status has to do.
    let _: io::Result<()> = writeln!(report, "{line}");
    Some(why)
}

fn instead_of_this(user: &str, program: &OsStr, arguments: &[OsString], report: &mut File) -> NotBegun {
    let mut command = std::process::Command::new(program);
    command.args(arguments).stdout(Stdio::null());
    if !user.is_empty() {
        match look_up(user) {
            // Gives the groups of whoever started it away, too.
            Ok(User { uid, gid }) => command.uid(uid).gid(gid),
            Err(why) => return NotBegun::User(why),
        };
    }
    match writeln!(report, "{BEGINS}") {
        Ok(()) => command.exec().into(),
        Err(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nnobody2:x:7:8::/:\nnobody:x:65534:65533::/:\n";
        assert_eq!(user_in(passwd, "nobody"), Some(User { uid: 65534, gid: 65533 }));
        assert_eq!(user_in(passwd, "no"), None);
    }

    #[test]
    fn only_its_own_words_make_the_daemon_another_program() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(become_program(&words("--config penstock.toml")).is_none());
        // With a user that is missing: an attempt would take the standard output from the other tests.
        let unknown = become_program(&words("--become no-such-user /bin/true"));
        assert!(matches!(unknown, Some(NotBegun::User(why)) if why.contains("no-such-user")));
    }

    #[test]
    fn a_report_names_what_the_kernel_lacks_and_its_absence_is_no_beginning() {
        assert!(read("begins\n").is_ok());
        let Err(NotBegun::Kernel(error)) = read("begins\nerror 11\n") else { panic!("it has not begun") };
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
        assert!(matches!(read("user there is none\n"), Err(NotBegun::User(why)) if why == "there is none"));
        assert!(matches!(read(""), Err(NotBegun::Launcher)));
    }
}
