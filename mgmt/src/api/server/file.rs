//! The file of a control socket.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

use super::BindError;
use crate::api::Rights;

/// Who may talk to the daemon besides its owner, by what the socket is for.
const GROUPS: [(Rights, &str); 2] = [(Rights::Full, "penstock"), (Rights::View, "penstock-view")];
const MODE: u32 = 0o660;

/// Owner, group and mode of a directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Directory {
    uid: u32,
    gid: u32,
    mode: u32,
}

/// The socket's file, which goes with its owner.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    rights: Rights,
    /// Device and number: another file in its place is another's.
    id: Option<(u64, u64)>,
    directory: Option<Directory>,
    /// Whose it is beside its owner. Found at the start: later the disk of `/etc/group` may hang.
    group: Option<u32>,
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl SocketFile {
    /// Makes directory and file.
    pub(super) fn bind(path: &Path, rights: Rights) -> Result<(UnixListener, Self), BindError> {
        let group = GROUPS.iter().find(|(whose, _)| *whose == rights);
        Self::bind_for(path, rights, (None, group.and_then(|(_, name)| group_of(name))))
    }

    /// `directory`: as it was before, if there was one.
    fn bind_for(
        path: &Path,
        rights: Rights,
        (directory, group): (Option<Directory>, Option<u32>),
    ) -> Result<(UnixListener, Self), BindError> {
        let listen = |error| BindError::Listen { path: path.to_owned(), error };
        if let Some(dir) = path.parent() {
            provide(dir, directory).map_err(|error| BindError::Directory { dir: dir.to_owned(), error })?;
        }
        remove_stale(path)?;
        let listener = UnixListener::bind(path).map_err(listen)?;
        let id = fs::symlink_metadata(path).ok().map(|metadata| id(&metadata));
        let directory = path.parent().and_then(|dir| fs::metadata(dir).ok()).map(|metadata| Directory {
            uid: metadata.uid(),
            gid: metadata.gid(),
            mode: metadata.mode() & 0o7777,
        });
        let file = Self { path: path.to_owned(), rights, id, directory, group };
        // Connecting needs the right to write, which the usual umask leaves to the owner alone: the
        // file only ever opens up from here on.
        fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(listen)?;
        group.into_iter().for_each(|group| give_to_group(path, group));
        Ok((listener, file))
    }

    /// The same once more, after it was removed.
    pub(super) fn bind_again(&self) -> Result<(UnixListener, Self), BindError> {
        Self::bind_for(&self.path, self.rights, (self.directory, self.group))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this file, and no other one, is at its path.
    pub(super) fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|metadata| Some(id(&metadata)) == self.id)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // The next start takes away whatever is left.
        if self.is_there() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A directory that was there before becomes as it was: the group has to reach the socket.
fn provide(dir: &Path, before: Option<Directory>) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(before.map_or(0o777, |before| before.mode)).create(dir)?;
    if let Some(Directory { uid, gid, mode }) = before {
        chown(dir, Some(uid), Some(gid))?;
        fs::set_permissions(dir, Permissions::from_mode(mode))?;
    }
    Ok(())
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
    match connect(path) {
        // A full queue of connections is somebody's who listens.
        Ok(()) => Err(BindError::InUse { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(BindError::InUse { path: path.to_owned() })
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(listen)
        }
        Err(error) => Err(listen(error)),
    }
}

/// Without waiting for a listener that accepts nothing.
fn connect(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

fn give_to_group(path: &Path, group: u32) {
    if let Err(error) = chown(path, None, Some(group)) {
        tracing::warn!(%error, group, "the control socket stays closed to its group");
    }
}

fn group_of(name: &str) -> Option<u32> {
    group_id(&fs::read_to_string("/etc/group").unwrap_or_default(), name)
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
