//! What the guardian is told.

use std::time::{Duration, Instant};

use super::super::board::News;
use super::super::guardian::{Guardian, LastWords};
use super::{BEATS_IN_INTERVAL, Engine, LONGEST_BEAT, MISSED_BEATS, SHORTEST_BEAT, SLOW_BEAT};
use crate::vrrp::wanted::Effect;

impl Engine {
    pub(super) fn start_guardian(&mut self, now: Instant) {
        self.guarded_at = Some(now);
        self.last_words = LastWords::default();
        self.has_other_words = true;
        match Guardian::start() {
            Ok(guardian) => self.guardian = Some(guardian),
            Err(error) => {
                let trouble = format!("nobody will say so if the daemon dies: {error}");
                self.post.news.push(News::Trouble(trouble));
            }
        }
    }

    /// One that somebody has killed. Not more often than now and then: starting a process takes its time.
    fn replace_guardian(&mut self, now: Instant) {
        const PAUSE: Duration = Duration::from_secs(1);
        let has_ended = self.guardian.as_ref().is_some_and(Guardian::has_ended);
        let is_due = self.guarded_at.is_none_or(|at| now.saturating_duration_since(at) >= PAUSE);
        if has_ended && is_due {
            self.guardian = None;
            self.post.news.push(News::Trouble("the guardian has ended, and is started anew".to_owned()));
            self.start_guardian(now);
        }
    }

    /// Tells the guardian what it would have to say, and that this thread lives.
    pub(super) fn guard(&mut self, now: Instant) {
        self.replace_guardian(now);
        let Some(guardian) = &mut self.guardian else { return };
        if std::mem::take(&mut self.has_other_words) {
            let (words, beat) = last_words(self.fleet.last_words(), self.is_real_time);
            if words != self.last_words {
                guardian.prepare(&words);
                self.beat_at = (!words.are_none()).then(|| now + beat);
                self.beat = beat;
                self.last_words = words;
            }
        }
        if self.beat_at.is_some_and(|at| at <= now) {
            guardian.beat();
            self.beat_at = Some(now + self.beat);
        }
    }
}

fn last_words(
    effects: Vec<(std::sync::Arc<crate::config::Vrrp>, Effect)>,
    is_real_time: bool,
) -> (LastWords, Duration) {
    let shortest = effects.iter().map(|(config, _)| config.interval.duration()).min().unwrap_or_default();
    let beat = match is_real_time {
        true => (shortest / BEATS_IN_INTERVAL).clamp(SHORTEST_BEAT, LONGEST_BEAT),
        false => SLOW_BEAT,
    };
    let patience = beat * MISSED_BEATS;
    let patience_us = u64::try_from(patience.as_micros()).unwrap_or(u64::MAX);
    let mut words = LastWords { patience_us, ..LastWords::default() };
    for (config, effect) in effects {
        match effect {
            Effect::Frame(link, bytes) => words.frames.push((link, bytes)),
            Effect::Packet { link, own, peer, message } => {
                words.packets.push((config.interface.clone(), link, own, peer, message));
            }
            Effect::Announce(..)
            | Effect::Hush
            | Effect::State(..)
            | Effect::Incident(_)
            | Effect::Remark(..) => {}
        }
    }
    (words, beat)
}
