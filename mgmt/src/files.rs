//! Files that a thread may read which must not hang.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tokio::sync::oneshot;

use crate::config;

/// The first `limit` bytes of a regular file. All else is refused: a FIFO would wait for a writer, and a device might
/// for anything.
///
/// # Errors
/// The file is not there, not readable, or not a regular file.
pub fn read(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A regular file, for reading.
///
/// # Errors
/// As for [`read`].
pub fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

/// Does what may hang in a thread of its own, which is left alone if its result is not taken. Whoever calls it
/// bounds how many there are.
///
/// # Errors
/// There is no thread to be had.
pub fn aside<T: Send + 'static>(
    name: &str,
    job: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<T>> {
    let (sender, result) = oneshot::channel();
    let run = move || {
        let _: Result<(), T> = sender.send(job());
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
    Ok(result)
}

/// The text of the daemon's configuration file.
///
/// # Errors
/// As for [`read`]; the text is too long or not UTF-8.
pub fn configuration(path: &Path) -> Result<String, config::Errors> {
    config::text(path, read(path, config::MAX_FILE + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_regular_file_is_refused_and_not_waited_for() {
        let dir = crate::api::fake::fresh_dir();
        std::fs::create_dir_all(&dir).unwrap();
        let (fifo, file) = (dir.join("fifo"), dir.join("file"));
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        std::fs::write(&file, "0123456789").unwrap();
        for path in [fifo.as_path(), &dir, Path::new("/dev/zero"), Path::new("/nowhere")] {
            assert!(read(path, 5).is_err(), "{}", path.display());
        }
        let errors = configuration(&fifo).unwrap_err().to_string();
        assert!(errors.contains("fifo") && errors.contains("regular file"), "{errors}");
        assert_eq!(read(&file, 5).unwrap(), b"01234");
        assert_eq!(configuration(&file).unwrap(), "0123456789");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
