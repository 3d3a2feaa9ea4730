//! Another text in the place of a file, which keeps all else of it: owner, group, mode, access list, extended
//! attributes, and the symbolic links that lead to it.

use std::ffi::{CStr, CString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use rustix::fs::XattrFlags;
use rustix::io::Errno;

/// The longest list of attributes, and the longest value (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const LONGEST: usize = 64 << 10;

/// Replaces the file: whatever reads it meanwhile, or finds the power gone, has the whole text of before or of after.
///
/// # Errors
/// The new file cannot be written, or not be made to belong to whom the old one does. The old one is untouched then.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".penstock-new");
    let beside = path.with_file_name(name);
    let written = write(&path, &beside, text).and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        // What is left over is named after the file, and the next try takes it away.
        let _ = fs::remove_file(&beside);
        return written;
    }
    // The new name survives a loss of power, too.
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

fn write(path: &Path, beside: &Path, text: &str) -> io::Result<()> {
    let old = crate::files::open(path)?;
    let metadata = old.metadata()?;
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Never through a link that somebody has put there. Empty until it belongs to whom it should; once it is another's,
    // nothing else of it can be changed without further rights.
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
    new.set_permissions(fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
    copy_attributes(&old, &new)?;
    give(&new, metadata.uid(), metadata.gid())?;
    new.write_all(text.as_bytes())?;
    new.sync_all()
}

fn give(new: &File, uid: u32, gid: u32) -> io::Result<()> {
    let now = new.metadata()?;
    let other = |now, wanted| (now != wanted).then_some(wanted);
    fchown(new, other(now.uid(), uid), other(now.gid(), gid)).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!(
                "the new file cannot be given to user {uid} and group {gid}, which the old one belongs to: {error}; \
                 write the change into the file by hand, or let penstockd keep CAP_CHOWN"
            ),
        )
    })
}

/// Access lists are attributes as well (`system.posix_acl_access`). Labels that the system sets by itself, and refuses
/// from others, are left to it.
fn copy_attributes(old: &File, new: &File) -> io::Result<()> {
    let mut buffer = vec![0; LONGEST];
    let length = match rustix::fs::flistxattr(old, &mut buffer[..]) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let names: Vec<CString> =
        buffer[..length].split_inclusive(|byte| *byte == 0).filter_map(name).map(CStr::to_owned).collect();
    for name in names {
        let length = rustix::fs::fgetxattr(old, &*name, &mut buffer[..])?;
        let set = rustix::fs::fsetxattr(new, &*name, &buffer[..length], XattrFlags::empty());
        let is_the_systems =
            name.to_bytes().starts_with(b"security.") || name.to_bytes().starts_with(b"trusted.");
        match set {
            Err(Errno::PERM | Errno::ACCESS | Errno::NOTSUP) if is_the_systems => {}
            set => set.map_err(|error| {
                let name = name.to_string_lossy();
                io::Error::new(
                    io::Error::from(error).kind(),
                    format!("its attribute {name} cannot be kept: {error}"),
                )
            })?,
        }
    }
    Ok(())
}

fn name(bytes: &[u8]) -> Option<&CStr> {
    CStr::from_bytes_with_nul(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    #[test]
    fn owner_group_mode_attributes_and_links_stay() {
        let dir = crate::api::fake::fresh_dir();
        fs::create_dir_all(&dir).unwrap();
        let (file, link) = (dir.join("lb.toml"), dir.join("link.toml"));
        fs::write(&file, "old").unwrap();
        symlink("lb.toml", &link).unwrap();
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            chown(&file, Some(4711), Some(4712)).unwrap();
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let attribute = c"user.penstock";
        let has_attributes = rustix::fs::setxattr(&file, attribute, b"kept", XattrFlags::empty()).is_ok();
        fs::write(dir.join("lb.toml.penstock-new"), "left over by a crash").unwrap();
        let path = link.clone();
        // As the daemon does it: rights are a thread's.
        let replaced = std::thread::spawn(move || {
            crate::rights::give_up().unwrap();
            replace(&path, "new")
        });
        replaced.join().unwrap().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let metadata = fs::metadata(&file).unwrap();
        assert_eq!(metadata.mode() & 0o7777, 0o644);
        if is_root {
            assert_eq!((metadata.uid(), metadata.gid()), (4711, 4712));
        }
        if has_attributes {
            let mut value = [0; 16];
            let length = rustix::fs::getxattr(&file, attribute, &mut value[..]).unwrap();
            assert_eq!(&value[..length], b"kept");
        }
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2, "nothing is left over");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn without_the_right_to_give_files_away_the_old_file_stays() {
        let dir = crate::api::fake::fresh_dir();
        fs::create_dir_all(&dir).unwrap();
        let file = dir.join("lb.toml");
        fs::write(&file, "old").unwrap();
        if !rustix::process::geteuid().is_root() {
            return;
        }
        chown(&file, None, Some(4712)).unwrap();
        let (path, given_up) = (file.clone(), dir.clone());
        let refused = std::thread::spawn(move || {
            caps::drop(None, caps::CapSet::Effective, caps::Capability::CAP_CHOWN).unwrap();
            replace(&path, "new")
        });
        let error = refused.join().unwrap().unwrap_err().to_string();
        assert!(error.contains("group 4712"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        assert_eq!(fs::read_dir(&given_up).unwrap().count(), 1, "nothing is left over");
        fs::remove_dir_all(dir).unwrap();
    }
}
