//! What has happened lately: the lines of the log from `info` on, kept in memory for who asks the daemon itself.
//!
//! Whoever has something to tell writes it into the log, and a layer of that puts it here: so nothing is in one and not
//! in the other, whatever the log's filter leaves out. Lines that scripts may want to know have a field `event`.

use std::collections::VecDeque;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;
use tracing::field::{Field, Visit};
use tracing::{Event as Line, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// How many are kept. The oldest makes way.
pub const KEPT: usize = 1024;
/// The longest text that is kept, in bytes: what is in it comes from files and from the network.
const LONGEST: usize = 1024;
/// What the line about a request that changes something is of: who has asked, and how it was answered.
pub const REQUEST: &str = "request";
/// What a line without the field `event` is of.
pub const OTHER: &str = "other";

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Counted from 1.
    pub number: u64,
    /// When.
    pub at: SystemTime,
    /// How bad it is.
    pub level: Level,
    /// The field `event`: a stable word.
    pub kind: String,
    /// The message, and what is said beside it.
    pub text: String,
}

#[derive(Debug, Default)]
struct Kept {
    last: u64,
    events: VecDeque<Event>,
}

/// See the module's head.
#[derive(Debug)]
pub struct Events {
    kept: Mutex<Kept>,
    /// The last one's number; whether there will be no more.
    bell: watch::Sender<(u64, bool)>,
}

impl Default for Events {
    fn default() -> Self {
        Self { kept: Mutex::default(), bell: watch::channel((0, false)).0 }
    }
}

impl Events {
    pub(crate) fn add(&self, at: SystemTime, level: Level, kind: Option<String>, text: String) {
        let kind = kind.unwrap_or_else(|| OTHER.to_owned());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last += 1;
        let number = kept.last;
        if kept.events.len() >= KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back(Event { number, at, level, kind, text });
        drop(kept);
        self.bell.send_modify(|(last, _)| *last = number);
    }

    /// Those after number `last` that there still are, the oldest first.
    #[must_use]
    pub fn after(&self, last: u64) -> Vec<Event> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.events.iter().filter(|event| event.number > last).cloned().collect()
    }

    /// Waits until there is one after number `last`; `false`: there will be none.
    pub async fn more_than(&self, last: u64) -> bool {
        let mut bell = self.bell.subscribe();
        let heard = bell.wait_for(|(number, is_over)| *number > last || *is_over).await;
        heard.is_ok_and(|heard| heard.0 > last)
    }

    /// Whoever waits for more need not: the daemon ends.
    pub fn end(&self) {
        self.bell.send_modify(|(_, is_over)| *is_over = true);
    }
}

/// Puts lines of the log into [`Events`].
#[derive(Debug)]
pub struct Recording(pub Arc<Events>);

impl<S: Subscriber> Layer<S> for Recording {
    fn on_event(&self, line: &Line<'_>, _: Context<'_, S>) {
        let level = *line.metadata().level();
        // Numbers grow with what matters less.
        if level <= Level::INFO {
            let mut words = Words::default();
            line.record(&mut words);
            let Words { kind, message, fields } = words;
            self.0.add(crate::clock::wall(), level, kind, cut(format!("{message}{fields}")));
        }
    }
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

/// A line's fields, in their order: `is now vrrp=outside state=master`.
#[derive(Default)]
struct Words {
    kind: Option<String>,
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "event" => self.kind = Some(value.to_owned()),
            "message" => value.clone_into(&mut self.message),
            _ if value.is_empty() || value.contains([' ', '"']) => {
                self.record_debug(field, &value);
            }
            _ => self.record_debug(field, &format_args!("{value}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::filter::LevelFilter;
    use tracing_subscriber::layer::SubscriberExt;

    fn with_log(run: impl FnOnce()) -> Arc<Events> {
        let events = Arc::<Events>::default();
        // A log that prints nothing: what is kept does not depend on that.
        let log = tracing_subscriber::fmt::layer().with_writer(std::io::sink).with_filter(LevelFilter::OFF);
        let subscriber = tracing_subscriber::registry().with(log).with(Recording(Arc::clone(&events)));
        tracing::subscriber::with_default(subscriber, run);
        events
    }

    #[test]
    fn lines_of_the_log_are_kept_with_all_that_they_say() {
        let events = with_log(|| {
            let name = "outside";
            tracing::info!(event = "vrrp", vrrp = name, state = "master", priority = %200, "is now");
            tracing::debug!("nobody asks");
            tracing::warn!(why = "status 503, wanted 200-299", uid = Some(7), "{} is down", "web");
        });
        let said: Vec<_> = events.after(0).into_iter().map(|e| (e.number, e.level, e.kind, e.text)).collect();
        let expected = [
            (1, Level::INFO, "vrrp", "is now vrrp=outside state=master priority=200"),
            (2, Level::WARN, "other", "web is down why=\"status 503, wanted 200-299\" uid=7"),
        ];
        assert_eq!(said, expected.map(|(n, level, kind, text)| (n, level, kind.to_owned(), text.to_owned())));
        assert_eq!(events.after(1).len(), 1);
    }

    #[test]
    fn the_oldest_make_way_and_texts_are_cut() {
        let events = with_log(|| {
            for n in 0..KEPT + 10 {
                tracing::info!(n, "{}", "ä".repeat(LONGEST));
            }
        });
        let kept = events.after(0);
        assert_eq!((kept.len(), kept[0].number, kept.last().map(|e| e.number)), (KEPT, 11, Some(1034)));
        assert!(kept.iter().all(|event| event.text.len() <= LONGEST + 3), "{}", kept[0].text.len());
    }

    #[tokio::test]
    async fn who_waits_hears_of_the_next_one() {
        let events = Arc::<Events>::default();
        events.add(crate::clock::wall(), Level::INFO, None, "one".to_owned());
        assert!(events.more_than(0).await);
        let waiting = tokio::spawn({
            let events = Arc::clone(&events);
            async move { events.more_than(1).await }
        });
        events.add(crate::clock::wall(), Level::INFO, None, "two".to_owned());
        assert!(waiting.await.unwrap());
        assert_eq!(events.after(1)[0].text, "two");
        events.end();
        assert!(events.more_than(1).await, "what there is is told");
        assert!(!events.more_than(2).await);
    }
}
