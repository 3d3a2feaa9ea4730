//! Where the thread of VRRP puts what it knows, and others read it.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use tokio::sync::Notify;

use crate::config::Vrrp;
use crate::vrrp::Priority;
use crate::vrrp::counters::Remark;
use crate::vrrp::fleet::Report;
use crate::vrrp::router::{Incident, State};

/// News that wait for somebody to take them; older ones make way.
const ROOM: usize = 4096;

/// What the operator should hear of.
#[derive(Debug)]
pub enum News {
    /// A virtual router is in another state.
    State(Arc<Vrrp>, State, Priority),
    /// Something that should not happen.
    Incident(Arc<Vrrp>, Incident),
    /// Something about an advert of that sender.
    Remark(Arc<Vrrp>, IpAddr, Remark),
    /// Something that does not work.
    Trouble(String),
}

#[derive(Debug, Default)]
struct Content {
    reports: BTreeMap<String, Report>,
    news: VecDeque<News>,
    has_ended: bool,
}

/// See the module's head.
#[derive(Debug, Default)]
pub struct Board {
    content: Mutex<Content>,
    bell: Notify,
}

/// What there is to be put up.
#[derive(Debug, Default)]
pub(super) struct Post {
    pub(super) reports: BTreeMap<String, Report>,
    /// These are all there are.
    pub(super) is_whole: bool,
    pub(super) news: Vec<News>,
    pub(super) has_ended: bool,
}

impl Board {
    /// Does not wait: `false`, and everything is still in the post, if somebody is reading.
    pub(super) fn post(&self, post: &mut Post) -> bool {
        let mut content = match self.content.try_lock() {
            Ok(content) => content,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        let Post { reports, is_whole, news, has_ended } = std::mem::take(post);
        if is_whole {
            content.reports = reports;
        } else {
            content.reports.extend(reports);
        }
        let is_news = !news.is_empty() || has_ended;
        content.news.extend(news);
        while content.news.len() > ROOM {
            content.news.pop_front();
        }
        content.has_ended |= has_ended;
        drop(content);
        if is_news {
            self.bell.notify_one();
        }
        true
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_news(&self) -> bool {
        let content = self.content();
        !content.news.is_empty() || content.has_ended
    }

    /// Waits for news, if there are none. Loses nothing when it is dropped.
    pub async fn has_news(&self) {
        loop {
            if self.is_news() {
                return;
            }
            self.bell.notified().await;
        }
    }

    /// The news since the last call.
    pub fn take_news(&self) -> VecDeque<News> {
        std::mem::take(&mut self.content().news)
    }

    /// Whether the thread has nothing more to do.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.content().has_ended
    }

    /// A virtual router as it was lately.
    #[must_use]
    pub fn report(&self, name: &str) -> Option<Report> {
        self.content().reports.get(name).cloned()
    }
}
