//! Checks that the node could not run are reported together.

use std::time::Instant;

use super::Fleet;
use crate::health::job::News;
use crate::health::tracker::Outcome;

impl Fleet {
    /// What a result means for that; `before`: the run before came to nothing, too.
    pub(super) fn shortage_news(
        &mut self,
        place: usize,
        outcome: &Outcome,
        before: bool,
        now: Instant,
    ) -> Option<News> {
        if outcome.verdict.has_run() {
            return self.shortage.ran(before).then_some(News::AllRun);
        }
        let checks = self.shortage.did_not_run(before, now)?;
        let backend = self.backends.get(self.slots.get(place)?.as_ref()?.backend)?.as_ref()?;
        let subject = backend.assignment.subject.clone();
        Some(News::NotRun { subject, why: outcome.said.to_string(), checks })
    }
}
