//! The last configurations that were put in force, with who did it and when: a file for each, so that they are there
//! after a restart.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// How many are kept.
pub const KEPT: usize = 20;

/// Who has asked for it, as the kernel knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Caller {
    /// `None`: nobody over the control socket, but a start or a signal.
    pub uid: Option<u32>,
    /// The process.
    pub pid: Option<i32>,
}

/// A configuration that was put in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counted from 1, never given twice.
    pub number: u64,
    /// Seconds since 1970.
    pub at: u64,
    /// Who.
    pub by: Caller,
    /// By what: `apply`, `reload`, `rollback to 7`.
    pub how: String,
    /// What the file was called.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl Entry {
    /// When.
    #[must_use]
    pub fn time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.at)
    }
}

/// See the module's head.
#[derive(Debug)]
pub struct History {
    dir: PathBuf,
    /// In their order.
    entries: Vec<Entry>,
}

impl History {
    /// What is in `dir`. Files that cannot be read are left out: a broken history is no reason not to start.
    #[must_use]
    pub fn open(dir: &Path) -> Self {
        let files = fs::read_dir(dir).into_iter().flatten().flatten().map(|file| file.path());
        let is_entry = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
        let read = |path: PathBuf| serde_json::from_slice(&fs::read(path).ok()?).ok();
        let mut entries: Vec<Entry> = files.filter(is_entry).filter_map(read).collect();
        entries.sort_by_key(|entry| entry.number);
        Self { dir: dir.to_owned(), entries }
    }

    /// In their order, the oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The one of that number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.number == number)
    }

    /// Adds one: its number, and what is to be written for it to be there after a restart.
    pub fn add(&mut self, entry: Entry) -> (u64, Writing) {
        let number = self.entries.last().map_or(1, |last| last.number + 1);
        let entry = Entry { number, ..entry };
        self.entries.push(entry.clone());
        let surplus = self.entries.len().saturating_sub(KEPT);
        let gone = self.entries.drain(..surplus).map(|oldest| oldest.number).collect();
        (number, Writing { dir: self.dir.clone(), entry, gone })
    }
}

/// An entry that is to be written, and numbers of those whose files are to go.
#[derive(Debug)]
pub struct Writing {
    dir: PathBuf,
    entry: Entry,
    gone: Vec<u64>,
}

impl Writing {
    /// Writes the file, for the owner alone: configurations may hold passwords. At once, as a whole. Takes as long as
    /// the disk does.
    ///
    /// # Errors
    /// The disk is full, or the folder cannot be made.
    pub fn write(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let beside = self.dir.join("new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(&serde_json::to_vec(&self.entry)?)?;
        file.sync_all()?;
        fs::rename(&beside, self.file(self.entry.number))?;
        for oldest in &self.gone {
            // Tried again when the next one is added after a restart.
            let _ = fs::remove_file(self.file(*oldest));
        }
        File::open(&self.dir)?.sync_all()
    }

    fn file(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:08}.json"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn entry(text: &str) -> Entry {
        let by = Caller { uid: Some(1000), pid: Some(7) };
        Entry {
            number: 0,
            at: 1_700_000_000,
            by,
            how: "apply".into(),
            name: "lb.toml".into(),
            text: text.into(),
        }
    }

    fn numbers(history: &History) -> Vec<u64> {
        history.entries().iter().map(|entry| entry.number).collect()
    }

    #[test]
    fn the_last_ones_are_there_after_a_restart_and_closed_to_others() {
        let dir = crate::api::fake::fresh_dir().join("history");
        let mut history = History::open(&dir);
        for number in 1..=25_u64 {
            let (given, writing) = history.add(entry(&format!("# {number}")));
            writing.write().unwrap();
            assert_eq!(given, number);
        }
        fs::write(dir.join("00000099.json"), "{").unwrap();
        let after = History::open(&dir);
        assert_eq!(numbers(&after), (6..=25).collect::<Vec<_>>());
        assert_eq!(after.get(25).map(|entry| entry.text.as_str()), Some("# 25"));
        assert_eq!(after.get(5), None);
        assert_eq!(after.entries(), history.entries());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&dir), mode(&dir.join("00000025.json"))], [0o700, 0o600]);
        fs::remove_dir_all(dir.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_full_disk_is_an_error_and_leaves_nothing_behind_that_is_read() {
        let dir = crate::api::fake::fresh_dir();
        fs::create_dir_all(&dir).unwrap();
        let mut history = History::open(&dir);
        std::os::unix::fs::symlink("/dev/full", dir.join("new")).unwrap();
        let (_, writing) = history.add(entry("a"));
        assert_eq!(writing.write().unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!((numbers(&history), numbers(&History::open(&dir))), (vec![1], vec![]));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_cannot_be_written_is_remembered_and_told() {
        let mut history = History::open(Path::new("/proc/nowhere"));
        let (number, writing) = history.add(entry("a"));
        assert!(writing.write().is_err());
        assert_eq!((number, numbers(&history)), (1, vec![1]));
    }
}
