//! What the checks find, put in force; and shown beside the backends.

use std::time::Instant;

use super::Supervisor;
use crate::api::view::{self, BackendState};
use crate::health::board::{Change, CheckReport};
use crate::health::plan::plan;
use crate::inventory::Member;

impl Supervisor {
    /// Has the configured backends checked, and no others.
    pub(super) fn follow_checks(&mut self) {
        self.checks.follow(plan(&self.config));
        self.follow_bfd();
        self.follow_observed();
    }

    /// No new flow goes to a backend that has failed, from the workers' next batch on.
    pub(super) fn health_changed(&mut self) {
        let conditions = self.checks.board().take_changed();
        self.observed_turn(&conditions);
        let services = self.inventory.take_in(&conditions, crate::clock::now());
        if !services.is_empty()
            && let Err(error) = self.try_publish_choice(&services)
        {
            tracing::error!(event = "worker", %error, "the data plane cannot follow what checks have found");
        }
        self.follow_vrrp();
    }

    /// Adds what is known of a backend's health to what is shown of it.
    pub(super) fn add_health(&self, member: &Member, backend: &mut view::Backend) {
        let Some(report) = self.checks.board().report(&member.subject()) else { return };
        if member.admin == view::Admin::Enabled {
            backend.state = match (report.passes, report.is_assumed) {
                (true, true | false) => backend.state,
                (false, true) => BackendState::Unknown,
                (false, false) => BackendState::Down,
            };
        }
        let now = crate::clock::now();
        if let Some(decisive) = report.decisive() {
            backend.check = Some(decisive.kind.to_owned());
            backend.last_result = in_words(decisive);
        }
        backend.checks = report.checks.iter().map(|check| check_view(check, now)).collect();
        backend.history = report.history.iter().map(|change| change_view(change, now)).collect();
    }
}

fn in_words(check: &CheckReport) -> Option<String> {
    let said = check.said.as_deref()?;
    Some(match &check.warning {
        Some(warning) => format!("{said}; {warning}"),
        None => said.to_owned(),
    })
}

fn check_view(check: &CheckReport, now: Instant) -> view::Check {
    view::Check {
        kind: check.kind.to_owned(),
        up: check.up,
        contradictions: check.contradictions,
        last_result: check.said.as_deref().map(str::to_owned),
        warning: check.warning.as_deref().map(str::to_owned),
        last_seconds: check.at.map(|at| seconds(at, now)),
        latency_seconds: check.latency.map(|latency| latency.as_secs_f64()),
        since_seconds: seconds(check.since, now),
        results: check.runs,
        failures: check.failures,
        not_run: check.not_run,
    }
}

fn change_view(change: &Change, now: Instant) -> view::Change {
    let state = if change.up { BackendState::Up } else { BackendState::Down };
    view::Change { seconds_ago: seconds(change.at, now), state, why: change.why.clone() }
}

fn seconds(at: Instant, now: Instant) -> f64 {
    now.saturating_duration_since(at).as_secs_f64()
}
