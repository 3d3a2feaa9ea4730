//! What lets new flows in: `allow`, `deny`, `limits`, `syn_proxy`.

use std::collections::HashMap;
use std::sync::Arc;

use dataplane::admission::{Limits, SynProxy};
use dataplane::types::{Prefix, Protocol};
use toml::Spanned;

use super::super::diagnostic::Report;
use super::super::{Access, model};

/// Each prefix once.
pub(super) fn access(written: &model::Service, report: &mut Report<'_>) -> Access {
    let mut places = HashMap::new();
    for prefix in written.allow.iter().flat_map(|list| list.get_ref()) {
        places.entry(*prefix.get_ref()).or_insert_with(|| prefix.span());
    }
    for prefix in written.deny.iter().flat_map(|list| list.get_ref()) {
        if let Some(allowed) = places.get(prefix.get_ref()) {
            let message = format!("{} is both allowed and denied", prefix.get_ref());
            let finding = report.warning(&prefix.span(), message);
            finding.note("it is allowed here", allowed).help("`deny` wins: take it out of one of the lists");
        }
    }
    let list = |list: &model::Prefixes| -> Arc<[Prefix]> {
        let items = list.iter().flat_map(|list| list.get_ref());
        let mut items: Vec<_> = items.map(|prefix| *prefix.get_ref()).collect();
        items.sort_unstable();
        items.dedup();
        items.into()
    };
    Access { allow: list(&written.allow), deny: list(&written.deny) }
}

/// 0 is no limit.
pub(super) fn limits(written: &model::Limits, report: &mut Report<'_>) -> Limits {
    let limit = |written: &Option<Spanned<u32>>| {
        written.as_ref().map(|limit| *limit.get_ref()).filter(|limit| *limit > 0)
    };
    let limits = Limits {
        flows: limit(&written.flows),
        new_per_second: limit(&written.new_per_second),
        new_per_second_per_source: limit(&written.new_per_second_per_source),
    };
    if let (Some(all), Some(one)) = (limits.new_per_second, limits.new_per_second_per_source)
        && let Some(place) = &written.new_per_second_per_source
        && one >= all
    {
        let message = format!("`new_per_second_per_source = {one}` is without effect");
        let finding = report.warning(&place.span(), message);
        finding.help(format!("all sources together may begin {all}: write a smaller number"));
    }
    limits
}

/// Cookies stand in for a flow that the box will translate: it has to see both directions.
pub(super) fn syn_proxy(written: &model::Service, report: &mut Report<'_>) -> SynProxy {
    let Some(asked) = written.syn_proxy.as_ref().filter(|asked| *asked.get_ref() != SynProxy::Off) else {
        return SynProxy::Off;
    };
    let mode = written.mode.as_ref().map(|mode| *mode.get_ref());
    if written.protocol != Protocol::Tcp {
        let message = format!("`syn_proxy` means nothing to a {} service", written.protocol);
        report.error(&asked.span(), message).help("it is for TCP alone: take it out");
    } else if let Some(mode) = mode.filter(|mode| !mode.is_two_way()) {
        let message = format!("`syn_proxy` means nothing in {mode} mode");
        let finding = report.error(&asked.span(), message);
        finding.help(
            "take it out: replies bypass the box, so it cannot answer for the backend; under a flood the \
             service goes on without flows",
        );
    }
    *asked.get_ref()
}
