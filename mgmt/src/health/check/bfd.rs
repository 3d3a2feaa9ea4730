//! Whether a session of BFD is up. It tells of its changes at once; between them it is asked now and then.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Target;
use crate::bfd::board::Board;
use crate::bfd::session::Status;
use crate::config::health::Bfd;
use crate::health::tracker::Outcome;

/// How long nothing is said where nothing changes.
const QUIET: Duration = Duration::from_secs(1);

/// See the module's head.
#[derive(Debug)]
pub struct Watcher {
    keys: Arc<Bfd>,
    sessions: Arc<Board>,
    told: Mutex<Option<Status>>,
}

impl Watcher {
    /// Has told of nothing yet.
    #[must_use]
    pub fn new(keys: Arc<Bfd>, sessions: Arc<Board>) -> Self {
        Self { keys, sessions, told: Mutex::new(None) }
    }

    /// Ends as soon as there is news, or after a while.
    pub async fn run(&self, target: &Target) -> Outcome {
        let peer = self.keys.peer(target.address, target.bind.clone());
        let mut session = self.sessions.watch(&peer);
        let told = *self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = session.wait_for(|status| Some(*status) != told);
        // The other end of the channel is on the board, which is here.
        let status = match tokio::time::timeout(QUIET, is_news).await {
            Ok(Ok(status)) => *status,
            Ok(Err(_)) | Err(_) => told.unwrap_or(Status::NONE),
        };
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
        outcome(status)
    }
}

fn outcome(status: Status) -> Outcome {
    match status.has_failed() {
        Some(false) => Outcome::pass("session up"),
        Some(true) => Outcome::fail(status.to_string()),
        // RFC 5882 section 3.2: who is down on purpose has not failed.
        None => Outcome::no_news(status.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bfd::State;
    use crate::bfd::session::Why;
    use crate::health::tracker::Verdict;

    #[test]
    fn what_a_session_says_of_a_backend() {
        let verdict = |state, why| outcome(Status { state, why }).verdict;
        let time = Duration::from_millis(30);
        assert_eq!(verdict(State::Up, Why::New), Verdict::Pass);
        assert_eq!(verdict(State::Down, Why::Silence(time)), Verdict::Fail);
        assert_eq!(verdict(State::Init, Why::Silence(time)), Verdict::Fail, "until it is up again");
        assert_eq!(verdict(State::Down, Why::New), Verdict::NoNews);
        assert_eq!(verdict(State::Down, Why::PeerAdminDown), Verdict::NoNews);
    }

    #[test]
    fn news_end_a_run_at_once() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let keys = Bfd { interval: QUIET, multiplier: 3, multihop: false, auth: None };
        let peer = keys.peer([10, 0, 0, 2].into(), None);
        let target = Target { address: peer.address, port: dataplane::types::Port(0), bind: None, way: None };
        let board = Arc::new(Board::default());
        let watcher = Watcher::new(Arc::new(keys), Arc::clone(&board));
        let started = crate::clock::now();
        runtime.block_on(async {
            assert_eq!(watcher.run(&target).await.said, "no session yet");
            let up = async {
                let mut news =
                    vec![crate::bfd::board::News::Changed(peer, Status { state: State::Up, why: Why::New })];
                assert!(board.post(&mut news));
            };
            let (outcome, ()) = tokio::join!(watcher.run(&target), up);
            assert_eq!(outcome.said, "session up");
        });
        assert!(started.elapsed() < QUIET, "neither has waited");
    }
}
