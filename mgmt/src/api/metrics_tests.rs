//! Names by the conventions of Prometheus, and whether dashboards and rules name what there is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::api::{fake, view};

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

/// All that a page is made of, with something of each kind in it.
fn everything() -> Value {
    let mut service = fake::service();
    service.snat = Some(SnatPool { addresses: 2, used: 5, capacity: 129_024 });
    service.syn_proxy = Some(view::SynProxy {
        setting: "auto".to_owned(),
        active: false,
        cookies_sent: 3,
        cookies_taken: 2,
        not_taken: 1,
    });
    service.backends[0].checks = vec![view::Check {
        kind: "http".to_owned(),
        up: true,
        contradictions: 0,
        last_result: Some("200".to_owned()),
        warning: None,
        last_seconds: Some(0.5),
        latency_seconds: Some(0.002),
        since_seconds: 3.0,
        results: 9,
        failures: 1,
        not_run: 0,
    }];
    let router = json!({
        "name": "outside", "interface": "eth0", "vrid": 51, "family": "ipv4", "version": 3, "state": "master",
        "priority": 100, "effective_priority": 90, "mac": "00:00:5e:00:01:33", "addresses": ["10.0.0.100"],
        "master": null, "advert_interval_ms": 100, "transitions": 2, "last_transition_seconds": 1.0,
        "adverts_sent": 5, "adverts_received": 6, "adverts_refused": { "ttl": 1 }, "other_addresses": 0,
        "other_interval": 0, "other_checksum": 0, "second_masters": 0, "stalls": 0,
    });
    json!({ "status": fake::status(), "services": [service], "stats": fake::stats(), "vrrp": [router] })
}

fn rendered(of: &Value) -> Option<String> {
    fn part<T: serde::de::DeserializeOwned>(of: &Value, name: &str) -> Option<T> {
        serde_json::from_value(of[name].clone()).ok()
    }
    let (status, services): (Status, Vec<Service>) = (part(of, "status")?, part(of, "services")?);
    let (stats, routers): (Stats, Vec<Vrrp>) = (part(of, "stats")?, part(of, "vrrp")?);
    Some(render(&status, &services, &stats, &routers))
}

/// The same with another figure or state at each place in turn. What becomes a label stays.
fn changed(of: &Value, key: &str) -> Vec<Value> {
    let within = |place: &str, inner: &Value, put: &dyn Fn(Value) -> Value| -> Vec<Value> {
        changed(inner, place).into_iter().map(put).collect()
    };
    match of {
        Value::Object(fields) => {
            let each = fields.iter().flat_map(|(name, inner)| {
                within(name, inner, &|new| {
                    let mut all = fields.clone();
                    all.insert(name.clone(), new);
                    Value::Object(all)
                })
            });
            each.collect()
        }
        Value::Array(items) => {
            let each = items.iter().enumerate().flat_map(|(place, inner)| {
                within(key, inner, &|new| {
                    let mut all = items.clone();
                    all[place] = new;
                    Value::Array(all)
                })
            });
            each.collect()
        }
        _ if ["id", "queue", "port", "vrid"].contains(&key) => Vec::new(),
        Value::Bool(is) => vec![json!(!is)],
        Value::Number(number) => match number.as_u64() {
            Some(number) => vec![json!(number + 1)],
            None => vec![json!(number.as_f64().unwrap() + 0.25)],
        },
        Value::String(_) if key == "state" => vec![json!("drain"), json!("backup")],
        Value::Null if key == "warning" => vec![json!("its certificate ends in 3 days")],
        _ => Vec::new(),
    }
}

/// The lines of each metric.
fn by_name(page: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut families = BTreeMap::<_, Vec<_>>::new();
    let mut family = "";
    for line in page.lines() {
        match line.strip_prefix("# TYPE ") {
            Some(kind) => family = kind.split(' ').next().unwrap(),
            None if line.starts_with('#') => {}
            None => families.entry(family).or_default().push(line),
        }
    }
    families
}

#[test]
fn each_metric_moves_with_a_figure() {
    let all = everything();
    let before = rendered(&all).unwrap();
    let before = by_name(&before);
    let pages: Vec<_> = changed(&all, "").iter().filter_map(rendered).collect();
    assert!(pages.len() > 80, "{}", pages.len());
    let moved: BTreeSet<_> = pages
        .iter()
        .flat_map(|page| {
            let page = by_name(page);
            before.iter().filter(move |(name, lines)| page[**name] != **lines).map(|(name, _)| *name)
        })
        .collect();
    let names: Vec<_> = metrics(&rendered(&all).unwrap()).into_keys().collect();
    let still = names.iter().filter(|name| !moved.contains(name.as_str()) && !name.ends_with("_info"));
    assert_eq!(still.collect::<Vec<_>>(), Vec::<&String>::new());
}
