//! The listening end of the control socket.
//!
//! The socket is the key to the box: its file is never open to more than the owner and the group
//! `penstock`, not even between its creation and the moment it gets its mode.

use std::fs::{self, Permissions};
use std::future::Future;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;
use tokio::sync::mpsc;

use super::Rights;
use super::request::Request;
use crate::history::Caller;

/// Who may talk to the daemon besides its owner, by what the socket is for.
const GROUPS: [(Rights, &str); 2] = [(Rights::Full, "penstock"), (Rights::View, "penstock-view")];
const MODE: u32 = 0o660;

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
    listener: UnixListener,
    file: SocketFile,
    rights: Rights,
}

impl Server {
    /// Makes the socket's directory and file; takes away what a dead daemon has left there. Must be
    /// called within a tokio runtime.
    pub fn bind(path: &Path, rights: Rights) -> Result<Self, BindError> {
        let listen = |error| BindError::Listen { path: path.to_owned(), error };
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(|error| BindError::Directory { dir: dir.to_owned(), error })?;
        }
        remove_stale(path)?;
        let listener = UnixListener::bind(path).map_err(listen)?;
        let file = SocketFile(path.to_owned());
        // Connecting needs the right to write, which the usual umask leaves to the owner alone: the
        // file only ever opens up from here on.
        fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(listen)?;
        let group = GROUPS.iter().find(|(whose, _)| *whose == rights);
        group.into_iter().for_each(|(_, name)| give_to_group(path, name));
        Ok(Self { listener, file, rights })
    }

    /// Serves until `stop` completes, then finishes the requests that are under way.
    pub async fn run(
        self,
        requests: mpsc::Sender<Request>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let Self { listener, file, rights } = self;
        let routes = super::routes(requests, rights).into_make_service_with_connect_info::<Caller>();
        let served = axum::serve(listener, routes).with_graceful_shutdown(stop).await;
        drop(file);
        served
    }
}

/// The socket's file, which goes with its owner.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // The next start takes away whatever is left.
        let _ = fs::remove_file(&self.0);
    }
}

fn remove_stale(path: &Path) -> Result<(), BindError> {
    let listen = |error| BindError::Listen { path: path.to_owned(), error };
    let kind = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(listen)?.file_type(),
    };
    if !kind.is_socket() {
        return Err(BindError::NotASocket { path: path.to_owned() });
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(BindError::InUse { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(listen)
        }
        Err(error) => Err(listen(error)),
    }
}

fn give_to_group(path: &Path, group: &str) {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let Some(gid) = group_id(&groups, group) else { return };
    if let Err(error) = chown(path, None, Some(gid)) {
        tracing::warn!(%error, "the control socket stays closed to the group {group}");
    }
}

/// The number of a group, from the text of `/etc/group` (group(5)).
fn group_id(groups: &str, name: &str) -> Option<u32> {
    let line = groups.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_by_their_whole_name() {
        let groups = "root:x:0:\npenstock-dev:x:998:\nbroken\npenstock:x:997:alice,bob\n";
        assert_eq!(group_id(groups, "penstock"), Some(997));
        assert_eq!(group_id(groups, "broken"), None);
        assert_eq!(group_id(groups, "pen"), None);
    }
}
