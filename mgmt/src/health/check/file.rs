//! A file says so: `up`, `down`, or a weight.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::socket::{of_the_node, shortage, words};
use crate::files::{self, aside};
use crate::health::tracker::{Outcome, Share};

/// More is not read.
const MAX: usize = 64;

/// A file that is not there, or not to be read, is a failure: it is how an operator may report that a backend is down.
fn cannot_read(error: &std::io::Error) -> Outcome {
    of_the_node(error).unwrap_or_else(|| Outcome::fail(format!("cannot read the file: {}", words(error))))
}

/// Whether the node lacks what it needs to read any file.
#[must_use]
pub fn is_shortage(error: &std::io::Error) -> bool {
    shortage(error).is_some()
}

/// A file that is read again and again. Files may be on a network: each reading has a thread of its own, and there is
/// one at a time, since those that hang would use up all threads.
#[derive(Debug)]
pub struct Watched {
    path: PathBuf,
    /// Bytes that are read of it.
    most: usize,
    is_under_way: Arc<AtomicBool>,
}

impl Watched {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self::up_to(path, MAX)
    }

    /// The same, of a longer file.
    #[must_use]
    pub fn up_to(path: &Path, most: usize) -> Self {
        Self { path: path.to_owned(), most, is_under_way: Arc::default() }
    }

    /// The text as far as it matters.
    ///
    /// # Errors
    /// The file cannot be read, or the last reading has not ended.
    pub async fn read(&self) -> std::io::Result<String> {
        if self.is_under_way.swap(true, Ordering::Relaxed) {
            return Err(std::io::Error::other("the last reading has not ended: its disk or server hangs"));
        }
        let (path, most, ends) = (self.path.clone(), self.most, Arc::clone(&self.is_under_way));
        let reading = move || {
            let read = files::read(&path, most);
            ends.store(false, Ordering::Relaxed);
            read
        };
        let bytes = aside("file", reading).inspect_err(|_| self.is_under_way.store(false, Ordering::Relaxed));
        let bytes = bytes?.await.map_err(std::io::Error::other)??;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

pub(super) async fn run(file: &Watched) -> Result<Outcome, Outcome> {
    let text = file.read().await;
    Ok(said(&text.map_err(|error| cannot_read(&error))?))
}

/// What a content means.
#[must_use]
pub fn said(text: &str) -> Outcome {
    match text.trim() {
        "up" => Outcome::pass("up").with_share(Share::Configured),
        "down" => Outcome::fail("down"),
        weight => match weight.parse() {
            Ok(number) => Outcome::pass(format!("weight {number}")).with_share(Share::Weight(number)),
            Err(_) => Outcome::fail(format!("the file says {weight:?}: neither up, down nor a weight")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tracker::Verdict;

    #[test]
    fn a_file_says_up_down_or_a_weight() {
        let of = |text| (said(text).verdict, said(text).share);
        assert_eq!(of("up\n"), (Verdict::Pass, Share::Configured));
        assert_eq!(of(" 20 "), (Verdict::Pass, Share::Weight(20)));
        for wrong in ["down", "", "-1", "70000", "yes"] {
            assert_eq!(of(wrong), (Verdict::Fail, Share::Unsaid), "{wrong:?}");
        }
    }

    #[test]
    fn a_lack_of_descriptors_is_no_word_of_the_file() {
        let verdict = |errno| cannot_read(&std::io::Error::from_raw_os_error(errno)).verdict;
        assert_eq!(verdict(libc::EMFILE), Verdict::NotRun);
        assert_eq!(verdict(libc::ENOENT), Verdict::Fail);
    }

    #[tokio::test]
    async fn one_reading_is_under_way_at_a_time() {
        let file = Watched::new(Path::new("/proc/self/stat"));
        assert!(file.read().await.is_ok());
        assert!(file.read().await.is_ok(), "the first one has ended");
        file.is_under_way.store(true, Ordering::Relaxed);
        assert!(file.read().await.is_err());
        for path in ["/dev/zero", "/nowhere"] {
            assert!(Watched::new(Path::new(path)).read().await.is_err(), "{path}");
        }
    }
}
