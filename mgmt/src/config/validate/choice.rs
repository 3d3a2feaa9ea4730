//! Which backends take new flows: `hash_on`, `quorum`, `backup` and their like.

use dataplane::schedule::Kind;
use toml::Spanned;

use super::super::diagnostic::Report;
use super::super::{Backend, Backup, Choice, Drain, Persistence, Quorum, Then, model};
use super::service::{Surroundings, server};
use super::{absolute, name};

pub(super) fn choice(
    written: &model::Service,
    backends: &[Backend],
    around: &Surroundings<'_>,
    report: &mut Report<'_>,
) -> Choice {
    let choice = &written.choice;
    let value = |key: &Option<Spanned<u32>>, default| key.as_ref().map_or(default, |key| *key.get_ref());
    hashing(choice, report);
    let quorum = Quorum { weight: value(&choice.quorum, 1), hysteresis: value(&choice.hysteresis, 0) };
    advise_quorum(choice, quorum, backends, report);
    Choice {
        hash_on: choice.hash_on.as_ref().map_or_else(Default::default, |hash_on| *hash_on.get_ref()),
        fallback: choice.fallback.as_ref().is_none_or(|fallback| *fallback.get_ref()),
        group_minimum: choice.group_minimum,
        slow_start: choice.slow_start,
        persistence: choice.persistence.as_ref().map(|written| persistence(written, report)),
        on_failure: choice.on_failure,
        drain: choice.drain.as_ref().map_or_else(Drain::default, |written| drain(written, report)),
        quorum,
        notify: choice.notify.as_ref().and_then(|path| absolute(path, "notify", report)),
        backup: choice.backup.as_ref().and_then(|backup| self::backup(backup, written, around, report)),
    }
}

/// A key that says its default says nothing new.
fn hashing(choice: &model::Choice, report: &mut Report<'_>) {
    let hashes = matches!(choice.scheduler, Kind::SourceHash | Kind::DestinationHash | Kind::Maglev);
    let hash_on = choice.hash_on.as_ref().filter(|hash_on| *hash_on.get_ref() != Default::default());
    let bound = choice.fallback.as_ref().filter(|fallback| !fallback.get_ref());
    let spans = [("hash_on", hash_on.map(Spanned::span)), ("hash_fallback", bound.map(Spanned::span))];
    for (key, span) in spans.into_iter().filter_map(|(key, span)| Some((key, span?))) {
        if !hashes {
            let word = super::super::scheduler_word(choice.scheduler);
            let message = format!("`{key}` is without effect: scheduler `{word}` hashes nothing");
            report.warning(&span, message).help("use `maglev`, `sh` or `dh`, or take the key out");
        }
    }
}

/// Keepalived counts weights. Who thinks of backends writes numbers that any one of them reaches.
fn advise_quorum(choice: &model::Choice, quorum: Quorum, backends: &[Backend], report: &mut Report<'_>) {
    let Some(written) = &choice.quorum else { return };
    let weights = || backends.iter().map(|backend| u32::from(backend.weight)).filter(|weight| *weight > 0);
    let (least, all) = (weights().min().unwrap_or(0), weights().sum::<u32>());
    if quorum.weight > all && !backends.is_empty() {
        let message = format!("`quorum = {}` is never reached", quorum.weight);
        let finding = report.warning(&written.span(), message);
        finding.help(format!("it is a sum of weights, and those of all backends are {all}"));
    } else if quorum.weight > 1 && quorum.weight <= least {
        let message = format!("`quorum = {}` is reached by any one backend", quorum.weight);
        let finding = report.warning(&written.span(), message);
        let two = least.saturating_add(1);
        finding.help(format!("it is a sum of weights, as in Keepalived: for two backends write {two}"));
    }
    if let Some(hysteresis) = choice.hysteresis.as_ref().filter(|h| *h.get_ref() >= quorum.weight) {
        let message = "`hysteresis` is not smaller than `quorum`: only with no backend up is it lost";
        report.warning(&hysteresis.span(), message);
    }
}

fn backup(
    written: &model::Backup,
    service: &model::Service,
    around: &Surroundings<'_>,
    report: &mut Report<'_>,
) -> Option<Backup> {
    let address = written.address.as_ref()?;
    let port = server(address, written.port.as_ref(), service, around, report);
    Some(Backup { address: *address.get_ref(), port })
}

fn persistence(written: &model::Persistence, report: &mut Report<'_>) -> Persistence {
    if let Some(group) = &written.group {
        name(group, "a group's name", report);
    }
    let group = written.group.as_ref().map(|group| group.get_ref().clone());
    Persistence { timeout: written.timeout, masks: written.masks, group }
}

fn drain(written: &model::Drain, report: &mut Report<'_>) -> Drain {
    let then = written.then.as_ref().map_or(Then::Leave, |then| *then.get_ref());
    if let Some(place) = written.then.as_ref().filter(|_| then != Then::Leave && written.deadline.is_none()) {
        let finding = report.error(&place.span(), "`then` without a `deadline` never comes");
        finding.help("add one, as in `deadline = \"5m\"`");
    }
    Drain { deadline: written.deadline.as_ref().map(|deadline| *deadline.get_ref()), then }
}
