//! Another text in the place of a file, which keeps all else of it: owner, group, mode, access list, extended
//! attributes, and the symbolic links that lead to it.

use std::ffi::{CStr, CString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, XattrFlags};
use rustix::io::Errno;

/// The longest list of attributes, and the longest value (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const LONGEST: usize = 64 << 10;

/// Replaces the file: whatever reads it meanwhile, or finds the power gone, has the whole text of before or of after.
///
/// Another file cannot take the place of one that is a mount of its own, and would take one name alone from one that has
/// several (hard links). Such a file is written in place, while all of the new text stands beside it.
///
/// # Errors
/// The new file cannot be written, or not be made to belong to whom the old one does. The old one is untouched then.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".penstock-new");
    let beside = path.with_file_name(name);
    let old = crate::files::open(&path)?;
    if let Some(why) = stays(&old)? {
        return overwrite(&path, &beside, text, &why);
    }
    let written = write(&old, &beside, text).and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        // What is left over is named after the file, and the next try takes it away.
        let _ = fs::remove_file(&beside);
        return written;
    }
    // The new name survives a loss of power, too.
    sync_directory(&path)
}

fn sync_directory(of: &Path) -> io::Result<()> {
    of.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

/// Why no other file may take the place of this one.
fn stays(old: &File) -> io::Result<Option<String>> {
    let links = old.metadata()?.nlink();
    if links > 1 {
        return Ok(Some(format!("it has {links} hard links")));
    }
    let found = rustix::fs::statx(old, "", AtFlags::EMPTY_PATH, StatxFlags::empty())?;
    let is_mount = found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
    Ok(is_mount.then(|| "it is a mount of its own".to_owned()))
}

/// Puts the text into the file itself. A crash in the middle leaves the new text beside it.
fn overwrite(path: &Path, beside: &Path, text: &str, why: &str) -> io::Result<()> {
    let failed = |at: &Path, error: &io::Error| {
        let words = format!("{why}, and is therefore written in place: {}: {error}", at.display());
        io::Error::new(error.kind(), words)
    };
    let mut file =
        OpenOptions::new().read(true).write(true).open(path).map_err(|error| failed(path, &error))?;
    let mut before = Vec::new();
    file.read_to_end(&mut before)?;
    let stands = create(beside).and_then(|mut new| {
        new.write_all(text.as_bytes())?;
        new.sync_all()?;
        sync_directory(path)
    });
    if let Err(error) = stands {
        let _ = fs::remove_file(beside);
        return Err(failed(beside, &error));
    }
    match put(&file, text.as_bytes()) {
        Ok(()) => fs::remove_file(beside),
        Err(error) if put(&file, &before).is_ok() => {
            let _ = fs::remove_file(beside);
            Err(failed(path, &error))
        }
        Err(error) => {
            let words =
                format!("it is torn now, copy {} into it: {}", beside.display(), failed(path, &error));
            Err(io::Error::new(error.kind(), words))
        }
    }
}

fn put(file: &File, text: &[u8]) -> io::Result<()> {
    file.write_all_at(text, 0)?;
    file.set_len(text.len() as u64)?;
    file.sync_all()
}

/// Never through a link that somebody has put there. For its owner alone, until it belongs to whom it should.
fn create(beside: &Path) -> io::Result<File> {
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)
}

fn write(old: &File, beside: &Path, text: &str) -> io::Result<()> {
    let metadata = old.metadata()?;
    // Empty until it belongs to whom it should; once it is another's, nothing else of it can be changed without further
    // rights.
    let mut new = create(beside)?;
    copy_attributes(old, &new)?;
    // After the attributes: the mode's group is the mask of an access list (acl(5)), also of one that the directory gave.
    new.set_permissions(fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
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

/// Access lists are attributes as well (`system.posix_acl_access`), and a directory may give one to each new file. Labels
/// that the system sets by itself, and refuses from others, are left to it.
fn copy_attributes(old: &File, new: &File) -> io::Result<()> {
    let mut buffer = vec![0; LONGEST];
    let kept = attributes(old, &mut buffer)?;
    for name in attributes(new, &mut buffer)?.iter().filter(|name| !kept.contains(name)) {
        allowed(name, rustix::fs::fremovexattr(new, &**name), "cannot be taken from the new file")?;
    }
    for name in kept {
        let length = rustix::fs::fgetxattr(old, &*name, &mut buffer[..])?;
        let set = rustix::fs::fsetxattr(new, &*name, &buffer[..length], XattrFlags::empty());
        allowed(&name, set, "cannot be kept")?;
    }
    Ok(())
}

/// Their names.
fn attributes(file: &File, buffer: &mut [u8]) -> io::Result<Vec<CString>> {
    let length = match rustix::fs::flistxattr(file, &mut *buffer) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => 0,
        Err(error) => return Err(error.into()),
    };
    let names = buffer[..length].split_inclusive(|byte| *byte == 0);
    Ok(names.filter_map(name).map(CStr::to_owned).collect())
}

fn allowed(name: &CStr, outcome: Result<(), Errno>, what: &str) -> io::Result<()> {
    let is_the_systems =
        name.to_bytes().starts_with(b"security.") || name.to_bytes().starts_with(b"trusted.");
    match outcome {
        Err(Errno::PERM | Errno::ACCESS | Errno::NOTSUP) if is_the_systems => Ok(()),
        outcome => outcome.map_err(|error| {
            let words = format!("its attribute {} {what}: {error}", name.to_string_lossy());
            io::Error::new(io::Error::from(error).kind(), words)
        }),
    }
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

    /// Of an entry that is for no user or group by number.
    const NONE: u32 = u32::MAX;

    /// A list as linux/posix_acl_xattr.h has it: version 2, then tag, rights and number of each.
    fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = 2_u32.to_le_bytes().to_vec();
        for (tag, rights, id) in entries {
            bytes.extend([tag.to_le_bytes(), rights.to_le_bytes()].concat());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn what_the_directory_gives_new_files_is_not_added() {
        let dir = crate::api::fake::fresh_dir();
        fs::create_dir_all(&dir).unwrap();
        let file = dir.join("lb.toml");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        // User 4711 may read whatever is made here.
        let inherited = acl(&[(1, 6, NONE), (2, 4, 4711), (4, 4, NONE), (0x10, 4, NONE), (0x20, 0, NONE)]);
        let default = c"system.posix_acl_default";
        if rustix::fs::setxattr(&dir, default, &inherited, XattrFlags::empty()).is_err() {
            return;
        }
        let mut list = [0; 256];
        let attributes = |list: &mut [u8]| rustix::fs::listxattr(&file, list).unwrap();
        assert_eq!(attributes(&mut list), 0);
        replace(&file, "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        let length = attributes(&mut list);
        assert_eq!(length, 0, "{}", String::from_utf8_lossy(&list[..length]));
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
        // Its own list stays, with its own rights.
        let own = acl(&[(1, 6, NONE), (2, 6, 4712), (4, 0, NONE), (0x10, 6, NONE), (0x20, 0, NONE)]);
        let access = c"system.posix_acl_access";
        rustix::fs::setxattr(&file, access, &own, XattrFlags::empty()).unwrap();
        replace(&file, "newer").unwrap();
        let mut value = [0; 256];
        let length = rustix::fs::getxattr(&file, access, &mut value[..]).unwrap();
        assert_eq!(&value[..length], own);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_file_with_hard_links_is_written_in_place() {
        let dir = crate::api::fake::fresh_dir();
        fs::create_dir_all(&dir).unwrap();
        let (file, link) = (dir.join("lb.toml"), dir.join("link.toml"));
        fs::write(&file, "the old text, which is longer").unwrap();
        fs::hard_link(&file, &link).unwrap();
        let number = fs::metadata(&file).unwrap().ino();
        for text in ["new", "a new text that is much longer than the old one was"] {
            replace(&link, text).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text, "both names have it");
            assert_eq!(fs::read_to_string(&link).unwrap(), text);
            assert_eq!(fs::metadata(&link).unwrap().ino(), number);
        }
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2, "nothing is left over");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_written_in_place_stays_and_the_reason_is_named() {
        let dir = crate::api::fake::fresh_dir();
        fs::create_dir_all(dir.join("readable")).unwrap();
        let (file, link) = (dir.join("readable/lb.toml"), dir.join("link.toml"));
        fs::write(&file, "old").unwrap();
        fs::hard_link(&file, &link).unwrap();
        // In the way of the copy.
        fs::create_dir_all(dir.join("readable/lb.toml.penstock-new/full")).unwrap();
        let error = replace(&file, "new").unwrap_err().to_string();
        assert!(error.contains("2 hard links") && error.contains("in place"), "{error}");
        assert_eq!(fs::read_to_string(&link).unwrap(), "old");
        fs::remove_dir_all(dir).unwrap();
    }
}
