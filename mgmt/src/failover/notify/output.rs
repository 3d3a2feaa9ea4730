//! What scripts write to their standard error, as lines of the log. They do not get the daemon's own: a script would
//! wait for whatever reads it, and the state that it was to act on would be late.

use std::io;
use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Scripts, and programs that they have left behind, whose standard error is read at a time. That of others is not
/// kept.
const READ: usize = 64;
/// Lines of one script that are logged; what is behind them is read and not kept.
const LOGGED: usize = 64;
/// Bytes of a line.
const LONGEST: u64 = 1024;

/// The room for readers.
#[derive(Debug, Clone)]
pub(super) struct Outputs(Arc<Semaphore>);

impl Default for Outputs {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(READ)))
    }
}

impl Outputs {
    /// Starts a script, and reads its standard error for as long as any program has it open.
    pub(super) fn spawn(&self, command: &mut Command, script: &str) -> io::Result<Child> {
        let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() else {
            return command.stderr(Stdio::null()).spawn();
        };
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(read(stderr, script.to_owned(), permit));
        }
        Ok(child)
    }
}

async fn read(stderr: ChildStderr, script: String, _permit: OwnedSemaphorePermit) {
    let mut stderr = BufReader::new(stderr);
    for _ in 0..LOGGED {
        let mut line = Vec::new();
        match (&mut stderr).take(LONGEST).read_until(b'\n', &mut line).await {
            Ok(length) if length > 0 => {}
            Ok(_) | Err(_) => return,
        }
        let line = String::from_utf8_lossy(&line);
        tracing::info!(script, line = line.trim_end(), "notify script wrote to its standard error");
    }
    tracing::info!(script, "notify script writes more to its standard error than is logged");
    // A pipe that is not read would stop the script; a closed one would end it.
    let _: io::Result<u64> = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
}
