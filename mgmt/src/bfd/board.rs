//! Where the thread of BFD puts what it knows, and others read it or wait for it.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use tokio::sync::{Notify, watch};

use super::fleet::Peer;
use super::packet::Refusal;
use super::session::Status;

/// News that wait for somebody to take them; older ones make way.
const ROOM: usize = 4096;

/// What the operator should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A session is in another state.
    Changed(Peer, Status),
    /// A packet from there was not listened to.
    Refused(IpAddr, Refusal),
    /// Something that does not work.
    Trouble(String),
}

#[derive(Debug, Default)]
struct Content {
    sessions: BTreeMap<Peer, watch::Sender<Status>>,
    news: VecDeque<News>,
}

/// See the module's head.
#[derive(Debug, Default)]
pub struct Board {
    content: Mutex<Content>,
    /// In the order of [`Refusal::ALL`].
    refused: [AtomicU64; Refusal::ALL.len()],
    bell: Notify,
}

impl Board {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does not wait: `false`, and everything is still there, if somebody is reading.
    pub(crate) fn post(&self, news: &mut Vec<News>) -> bool {
        let mut content = match self.content.try_lock() {
            Ok(content) => content,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        for news in news.drain(..) {
            if let News::Changed(peer, status) = &news {
                content.session(peer).send_replace(*status);
            }
            content.news.push_back(news);
        }
        while content.news.len() > ROOM {
            content.news.pop_front();
        }
        drop(content);
        self.bell.notify_one();
        true
    }

    pub(super) fn count(&self, refused: [u64; Refusal::ALL.len()]) {
        for (board, count) in self.refused.iter().zip(refused) {
            board.store(count, Ordering::Relaxed);
        }
    }

    /// How many packets were refused, by reason.
    pub fn refused(&self) -> impl Iterator<Item = (Refusal, u64)> {
        Refusal::ALL.into_iter().zip(&self.refused).map(|(why, count)| (why, count.load(Ordering::Relaxed)))
    }

    /// Forgets the sessions that are not among these, and that nobody waits for.
    pub(super) fn keep(&self, are_wanted: impl Fn(&Peer) -> bool) {
        self.content().sessions.retain(|peer, status| are_wanted(peer) || status.receiver_count() > 0);
    }

    /// What a session is, and becomes; also of one that is not there yet.
    #[must_use]
    pub fn watch(&self, peer: &Peer) -> watch::Receiver<Status> {
        self.content().session(peer).subscribe()
    }

    /// What a session is.
    #[must_use]
    pub fn status(&self, peer: &Peer) -> Status {
        self.content().sessions.get(peer).map_or(Status::NONE, |status| *status.borrow())
    }

    /// Waits for news, if there are none. Loses nothing when it is dropped.
    pub async fn has_news(&self) {
        loop {
            if !self.content().news.is_empty() {
                return;
            }
            self.bell.notified().await;
        }
    }

    /// The news since the last call.
    pub fn take_news(&self) -> VecDeque<News> {
        std::mem::take(&mut self.content().news)
    }
}

impl Content {
    fn session(&mut self, peer: &Peer) -> &watch::Sender<Status> {
        self.sessions.entry(peer.clone()).or_insert_with(|| watch::channel(Status::NONE).0)
    }
}
