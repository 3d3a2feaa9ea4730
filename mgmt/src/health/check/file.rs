//! A file says so: `up`, `down`, or a weight.

use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::socket::{of_the_node, words};
use crate::health::tracker::{Outcome, Share};

/// More is not read.
const MAX: u64 = 64;

/// Files may be on a network: the reading has a thread of its own.
pub(super) async fn run(path: &Path) -> Result<Outcome, Outcome> {
    let path = PathBuf::from(path);
    let read = tokio::task::spawn_blocking(move || read(&path)).await;
    let text = read.map_err(|_| Outcome::not_run("the file was not read"))?;
    Ok(said(&text.map_err(|error| cannot_read(&error))?))
}

/// A file that is not there, or not to be read, is a failure: it is how an operator may report that a backend is down.
fn cannot_read(error: &std::io::Error) -> Outcome {
    match of_the_node(error) {
        Some(why) => Outcome::not_run(why),
        None => Outcome::fail(format!("cannot read the file: {}", words(error))),
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    // A pipe would block until somebody writes.
    let file = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no ordinary file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
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

    #[test]
    fn what_is_no_ordinary_file_is_not_waited_for() {
        assert!(read(Path::new("/dev/zero")).is_err());
        assert!(read(Path::new("/nowhere")).is_err());
    }
}
