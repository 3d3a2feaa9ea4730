//! The in-memory figures in the shape of the tables of `benches/README.md`.

use crate::data::{Criterion, Results};
use crate::{MODES, SIZES};

/// What has not been measured is a dash.
pub(crate) fn print(criterion: &Criterion, results: &Results) {
    println!("\nMillions per second, one core:");
    let both: Vec<String> =
        ["IPv4", "IPv6"].iter().flat_map(|family| sizes(&format!("{family}, "))).collect();
    head("packets per second", &both);
    for (mode, name) in MODES {
        let benches =
            ["ipv4", "ipv6"].map(|family| SIZES.map(|(size, _)| format!("pipeline/{mode}_{family}_{size}")));
        rates(criterion, name, benches.as_flattened());
    }
    head("other traffic, IPv4", &sizes(""));
    for (mode, name) in [("dsr", "dsr"), ("router", "router"), ("one-arm", "one-arm")] {
        let benches = SIZES.map(|(size, _)| format!("zipf/{mode}_ipv4_{size}"));
        rates(criterion, &format!("{name}, Zipf"), &benches);
    }
    rates(
        criterion,
        "router, flows that nobody knows",
        &SIZES.map(|(size, _)| format!("miss/router_ipv4_{size}")),
    );
    head("new connections per second", &["IPv4".into(), "IPv6".into()]);
    for (mode, name) in [("dsr", "dsr"), ("router", "router"), ("one-arm", "one-arm")] {
        rates(criterion, name, &["ipv4", "ipv6"].map(|family| format!("new_flows/{mode}_{family}")));
    }
    match results.rows("scaling.json", "/rows", ["one", "two", "ratio"]) {
        Err(error) => println!("\n{error}"),
        Ok(rows) => {
            head("two workers", &["one".into(), "two".into(), "ratio".into()]);
            for (name, figures) in rows {
                line(&name, figures.map(Some));
            }
        }
    }
}

fn sizes(before: &str) -> Vec<String> {
    SIZES.iter().map(|(_, name)| format!("{before}{name}")).collect()
}

fn head(title: &str, columns: &[String]) {
    println!("\n| {title} | target | {} |", columns.join(" | "));
    println!("| --- | --- |{}", " --- |".repeat(columns.len()));
}

fn rates(criterion: &Criterion, name: &str, benches: &[String]) {
    line(name, benches.iter().map(|bench| criterion.rate(bench).ok()));
}

fn line(name: &str, figures: impl IntoIterator<Item = Option<f64>>) {
    let cells: Vec<String> =
        figures.into_iter().map(|f| f.map_or("–".into(), |f| format!("{f:.2}"))).collect();
    println!("| {name} | | {} |", cells.join(" | "));
}
