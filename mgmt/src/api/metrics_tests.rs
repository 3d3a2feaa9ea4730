//! Names by the conventions of Prometheus, and whether dashboards and rules name what there is.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::api::fake;

fn page() -> String {
    let mut service = fake::service();
    service.snat = Some(SnatPool { addresses: 2, used: 5, capacity: 129_024 });
    render(&fake::status(), &[service], &fake::stats(), &[])
}

/// Name and kind.
fn metrics(page: &str) -> BTreeMap<String, String> {
    let of = |line: &str| {
        let mut words = line.strip_prefix("# TYPE ")?.split(' ');
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    page.lines().filter_map(of).collect()
}

#[test]
fn names_are_by_the_conventions() {
    let page = page();
    let metrics = metrics(&page);
    assert!(metrics.len() > 60, "{}", metrics.len());
    for (name, kind) in &metrics {
        assert!(name.starts_with("penstock_"), "{name}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        for unit in ["_ms", "_millis", "_kb", "_percent", "_minutes"] {
            assert!(!name.contains(unit), "{name}: base units alone");
        }
        let help = page.lines().filter(|line| line.starts_with(&format!("# HELP {name} ")));
        assert_eq!(help.count(), 1, "{name}");
    }
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let is_known = metrics.contains_key(name) || family.is_some_and(|name| metrics.contains_key(name));
        assert!(is_known, "{name} has no kind");
        assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
    }
}

/// The names in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("penstock_")).map(str::to_owned).collect()
}

#[test]
fn dashboard_rules_and_page_name_metrics_that_there_are() {
    let metrics = metrics(&page());
    let dashboard = include_str!("../../../configs/grafana/penstock.json");
    serde_json::from_str::<serde_json::Value>(dashboard).expect("JSON");
    let rules = include_str!("../../../configs/prometheus/penstock.rules.yml");
    for (what, text, least) in [
        ("the dashboard", dashboard, 15),
        ("the rules", rules, 10),
        ("the page", include_str!("page.html"), 10),
    ] {
        let names = named(text);
        assert!(names.len() >= least, "{what} names {names:?}");
        for name in names {
            let family = name.strip_suffix("_bucket").unwrap_or(&name);
            assert!(metrics.contains_key(family), "{what} names {name}");
        }
    }
}

#[test]
fn a_backend_is_in_one_state() {
    let mut service = fake::service();
    service.backends[0].state = BackendState::Drain;
    let page = render(&fake::status(), &[service], &fake::stats(), &[]);
    let states = |backend: &str| {
        let start = format!("penstock_backend_state{{service=\"web\",backend=\"{backend}\",state=");
        let of = page.lines().filter_map(move |line| line.strip_prefix(&start));
        of.filter(|rest| rest.ends_with(" 1")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(states("10.0.1.11:8080"), ["\"drain\"} 1"]);
    assert_eq!(states("[2001:db8::12]:8080"), ["\"up\"} 1"]);
    assert!(page.contains("penstock_service_info{service=\"web\",address=\"10.0.0.100\",ports=\"80\","));
}
