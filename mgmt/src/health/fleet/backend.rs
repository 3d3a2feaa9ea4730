//! Results of one backend, where others see them.

use super::{Backend, Slot};
use crate::health::board::{Change, CheckReport, lock};
use crate::health::combine::Combined;
use crate::health::job::News;
use crate::health::tracker::{Outcome, Verdict};

impl Backend {
    /// Whether results say so, and be they those of earlier checks.
    pub(super) fn is_known_up(&self) -> bool {
        if self.combined.is_assumed { self.was_up } else { self.combined.passes }
    }

    /// Puts a result of its `nth` check where others see it.
    pub(super) fn take_in(
        &self,
        nth: usize,
        report: CheckReport,
        outcome: Outcome,
        before: Combined,
    ) -> Vec<News> {
        let mut news = Vec::new();
        let subject = || self.assignment.subject.clone();
        let Outcome { verdict, said, warning, share: _, admin: _ } = outcome;
        let mut shared = lock(&self.report);
        (shared.passes, shared.is_assumed) = (self.combined.passes, self.combined.is_assumed);
        if self.combined.passes != before.passes {
            let (up, why) = (self.combined.passes, format!("{}: {said}", report.kind));
            news.push(News::Changed { subject: subject(), up, why: why.clone() });
            shared.remember(Change { at: report.at.unwrap_or(report.since), up, why });
        }
        if let Some(check) = shared.checks.get_mut(nth) {
            if let Some(warning) = warning.as_deref().filter(|_| check.warning.is_none()) {
                news.push(News::Warned { subject: subject(), warning: warning.to_owned() });
            }
            let not_run = check.not_run + u64::from(!verdict.has_run());
            let runs = check.runs + u64::from(verdict.has_run());
            let failures = check.failures + u64::from(verdict == Verdict::Fail);
            *check = CheckReport { said: Some(said), warning, runs, failures, not_run, ..report };
        }
        news
    }
}

/// Of a check, with no result yet.
pub(super) fn fresh(slot: &Slot) -> CheckReport {
    CheckReport {
        kind: slot.check.kind.word(),
        up: slot.tracker.is_up(),
        contradictions: slot.tracker.contradictions(),
        since: slot.tracker.since(),
        said: None,
        at: None,
        latency: None,
        warning: None,
        runs: 0,
        failures: 0,
        not_run: 0,
    }
}
