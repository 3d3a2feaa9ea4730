//! Signals that would end a program by their default action, and must not: those of tools that dump the state of other
//! daemons, of timers and limits, and all that have no meaning here.

use std::io;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// The log has a signal that is sent again and again once in this time.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// Signals that are caught: number, name, what to do instead. SIGTERM and SIGINT end the daemon, SIGHUP is a reload;
/// those of a defect (SIGQUIT, SIGABRT, SIGSEGV and their kind) keep their action, and SIGPIPE is ignored by std.
const STRAY: &[(i32, &str, &str)] = &[
    (libc::SIGUSR1, "SIGUSR1", "`penstock vrrp` and `penstock status` show the state"),
    (libc::SIGUSR2, "SIGUSR2", "`penstock stats`, `penstock vrrp --json` and `/metrics` have the counters"),
    (libc::SIGALRM, "SIGALRM", ""),
    (libc::SIGVTALRM, "SIGVTALRM", ""),
    (libc::SIGPROF, "SIGPROF", ""),
    (libc::SIGIO, "SIGIO", ""),
    (libc::SIGPWR, "SIGPWR", ""),
    (libc::SIGSTKFLT, "SIGSTKFLT", ""),
];

/// Signals of limits. What has met the limit fails and is reported; a line for the signal could meet it again.
const LIMITS: &[i32] = &[libc::SIGXCPU, libc::SIGXFSZ];

/// Those that other programs use between themselves.
fn real_time() -> impl Iterator<Item = i32> {
    libc::SIGRTMIN()..=libc::SIGRTMAX()
}

/// Catches stray signals from now on, and logs them. To be called within a tokio runtime.
///
/// # Errors
/// The kernel refuses a handler.
pub fn log_strays() -> io::Result<()> {
    let named = STRAY.iter().map(|(number, name, advice)| (*number, (*name).to_owned(), *advice));
    let unnamed = real_time().map(|number| (number, format!("SIGRTMIN+{}", number - libc::SIGRTMIN()), ""));
    for (number, name, advice) in named.chain(unnamed) {
        let mut signals = signal(SignalKind::from_raw(number))?;
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                let colon = if advice.is_empty() { "" } else { ": " };
                tracing::warn!(
                    event = "daemon.stray-signal",
                    signal = name,
                    "{name} has no effect{colon}{advice}"
                );
                tokio::time::sleep(LOG_EVERY).await;
            }
        });
    }
    // A handler stays when its stream is dropped.
    LIMITS.iter().try_for_each(|number| signal(SignalKind::from_raw(*number)).map(drop))
}

/// Catches all signals that can be caught and do not stand for a defect, without effect, for as long as the runtime is
/// kept: for a process that ends with another one.
///
/// # Errors
/// The kernel gives no descriptors, or refuses a handler.
pub fn survive() -> io::Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let entered = runtime.enter();
    let strays = STRAY.iter().map(|(number, ..)| *number).chain(LIMITS.iter().copied()).chain(real_time());
    let ends = [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGQUIT];
    for number in strays.chain(ends) {
        drop(signal(SignalKind::from_raw(number))?);
    }
    drop(entered);
    Ok(runtime)
}
