//! News between threads, of which the last of each kind matters: what is not taken yet is replaced or added up, so a
//! taker that is late makes nobody wait and finds no more than there are kinds.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// See the module's head.
#[derive(Debug)]
pub struct Mailbox<K, V> {
    content: Mutex<BTreeMap<K, V>>,
    bell: Notify,
}

impl<K, V> Default for Mailbox<K, V> {
    fn default() -> Self {
        Self { content: Mutex::default(), bell: Notify::new() }
    }
}

impl<K: Ord, V> Mailbox<K, V> {
    /// Adds one; `merge` makes one of it and of what is not taken yet.
    pub fn put(&self, kind: K, news: V, merge: impl FnOnce(&V, V) -> V) {
        let mut content = self.content();
        let news = match content.get(&kind) {
            Some(waiting) => merge(waiting, news),
            None => news,
        };
        content.insert(kind, news);
        drop(content);
        self.bell.notify_one();
    }

    /// Waits until there are any. Loses nothing when it is dropped. For one taker.
    pub async fn take(&self) -> BTreeMap<K, V> {
        loop {
            let taken = std::mem::take(&mut *self.content());
            if !taken.is_empty() {
                return taken;
            }
            self.bell.notified().await;
        }
    }

    fn content(&self) -> MutexGuard<'_, BTreeMap<K, V>> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_taker_that_is_late_finds_one_of_each_kind() {
        let mailbox = Mailbox::default();
        for n in 0..10_000_u64 {
            mailbox.put("sum", n, |before, n| before + n);
            mailbox.put("last", n, |_, n| n);
        }
        let expected = BTreeMap::from([("sum", 9_999 * 10_000 / 2), ("last", 9_999)]);
        assert_eq!(mailbox.take().await, expected);
        let more = tokio::time::timeout(Duration::from_millis(10), mailbox.take()).await;
        assert!(more.is_err(), "nothing is taken twice");
    }
}
