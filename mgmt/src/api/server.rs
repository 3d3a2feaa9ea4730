//! The listening end of the control socket.
//!
//! The socket is the key to the box: its file is never open to more than the owner and the group
//! `penstock`, not even between its creation and the moment it gets its mode.

mod file;

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use super::Rights;
use super::request::Request;
use super::serve::{Accept, Limits, serve};
use crate::history::Caller;
use file::SocketFile;

/// Whatever may connect may also ask for answers without end, so these are generous: they keep programs that have
/// forgotten their connections from using up the daemon's descriptors.
const LIMITS: Limits = Limits {
    connections: 256,
    head: Duration::from_secs(10),
    body: Duration::from_secs(60),
    idle: Duration::from_secs(600),
    stall: None,
};

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The directory is not there and cannot be made.
    #[error("cannot create {dir} for the control socket: {error}; penstockd runs as root, or set run_dir", dir = .dir.display())]
    Directory {
        /// `run_dir`.
        dir: PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
    /// Somebody listens there.
    #[error("another penstockd answers at {path}: stop it first, or give this one a run_dir of its own", path = .path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something that is not a socket.
    #[error("{path} is not a socket: move it away", path = .path.display())]
    NotASocket {
        /// The file.
        path: PathBuf,
    },
    /// Any other reason.
    #[error("cannot listen at {path}: {error}; penstockd runs as root, or set run_dir", path = .path.display())]
    Listen {
        /// The socket.
        path: PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
}

/// A control socket that is bound. Its file goes when this is dropped.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    rights: Rights,
}

impl Server {
    /// Makes the socket's directory and file; takes away what a dead daemon has left there. Must be
    /// called within a tokio runtime.
    pub fn bind(path: &Path, rights: Rights) -> Result<Self, BindError> {
        let (listener, file) = SocketFile::bind(path, rights)?;
        Ok(Self { listener: Listener { listener, file, trouble: None }, rights })
    }

    /// Serves until `stop` completes, then finishes the requests that are under way.
    pub async fn run(self, requests: mpsc::Sender<Request>, stop: impl Future<Output = ()> + Send + 'static) {
        let Self { listener, rights } = self;
        serve(listener, super::routes(requests, rights), LIMITS, stop).await;
    }
}

/// The socket, which is bound again when its file is gone: a cleaner of temporary files, or an operator, has removed it.
/// Connections that there are go on.
#[derive(Debug)]
struct Listener {
    listener: UnixListener,
    file: SocketFile,
    /// Why it could not be bound again, as it was logged.
    trouble: Option<String>,
}

impl Accept for Listener {
    type Stream = UnixStream;

    async fn connection(&mut self) -> io::Result<(UnixStream, Option<Caller>)> {
        let (stream, _) = self.listener.accept().await?;
        let caller = match stream.peer_cred() {
            Ok(peer) => Caller { uid: Some(peer.uid()), pid: peer.pid() },
            Err(_) => Caller::default(),
        };
        Ok((stream, Some(caller)))
    }

    fn look(&mut self) {
        if self.file.is_there() {
            self.trouble = None;
            return;
        }
        let socket = self.file.path().display().to_string();
        match self.file.bind_again() {
            Ok((listener, file)) => {
                (self.listener, self.file, self.trouble) = (listener, file, None);
                tracing::warn!(
                    event = "daemon.socket-restored",
                    socket,
                    "the control socket was gone, and is there again"
                );
            }
            Err(error) => {
                let error = error.to_string();
                if self.trouble.as_ref() != Some(&error) {
                    tracing::error!(
                        event = "daemon.socket-lost",
                        socket,
                        "the control socket is gone, and cannot be bound again yet: {error}"
                    );
                    self.trouble = Some(error);
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
