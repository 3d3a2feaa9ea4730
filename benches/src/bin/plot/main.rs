//! Draws what the benches have measured: `benches/plots/*.svg`, from `benches/results` and from criterion's
//! folder; and prints the in-memory figures as tables. What has not been measured is left as it is.

mod bars;
mod data;
mod lines;
mod svg;
mod tables;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bars::{Bar, Group};
use data::{Criterion, Results};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Modes as criterion's names say them, and as people do.
const MODES: [(&str, &str); 8] = [
    ("dsr", "dsr"),
    ("router", "router"),
    ("tunnel-ipip", "tunnel, IPIP"),
    ("tunnel-gre", "tunnel, GRE"),
    ("tunnel-gue", "tunnel, GUE"),
    ("bridge", "bridge"),
    ("one-arm", "one-arm"),
    ("one-arm-other-family", "one-arm, other family"),
];
const SIZES: [(&str, &str); 3] = [("64Ki", "64 Ki"), ("1M", "1 M"), ("10M", "10 M")];

fn main() -> ExitCode {
    let benches = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(benches.join("../target"), PathBuf::from);
    let criterion = Criterion::new(target.join("criterion"));
    let results = Results::new(benches.join("results"));
    let plots = [
        ("pipeline.svg", pipeline(&criterion)),
        ("new-flows.svg", new_flows(&criterion)),
        ("forwarding.svg", forwarding(&results)),
        ("memory.svg", memory(&results)),
        ("connections.svg", connections(&results)),
    ];
    let mut status = ExitCode::SUCCESS;
    for (name, plot) in plots {
        let path = benches.join("plots").join(name);
        let folder = std::fs::create_dir_all(benches.join("plots"));
        let outcome = plot.and_then(|text| Ok(folder.and_then(|()| std::fs::write(&path, text))?));
        match outcome {
            Ok(()) => println!("benches/plots/{name}"),
            Err(error) => {
                eprintln!("plot: {name} is not drawn: {error}");
                status = ExitCode::FAILURE;
            }
        }
    }
    tables::print(&criterion, &results);
    status
}

/// Packets per second by table size, a line per mode.
fn pipeline(criterion: &Criterion) -> Result<String> {
    let mut series = Vec::new();
    for (mode, name) in MODES {
        let rates = SIZES.map(|(size, _)| criterion.rate(&format!("pipeline/{mode}_ipv4_{size}")).ok());
        if rates.iter().any(Option::is_some) {
            series.push(lines::Series { name: name.into(), values: rates.into() });
        }
    }
    if series.is_empty() {
        return Err("`cargo bench -p penstock-benches --bench pipeline` has not run".into());
    }
    Ok(lines::draw(&lines::Plot {
        title: "Whole worker in memory, one core, IPv4, random established flows",
        x_axis: "flows in the table",
        y_axis: "million packets per second",
        places: SIZES.map(|(_, name)| name.to_owned()).into(),
        series,
    }))
}

/// New connections per second.
fn new_flows(criterion: &Criterion) -> Result<String> {
    let mut groups = Vec::new();
    for (family, name) in [("ipv4", "IPv4"), ("ipv6", "IPv6")] {
        let bar = |&(mode, name): &(&str, &str)| -> Option<Bar> {
            let value = criterion.rate(&format!("new_flows/{mode}_{family}")).ok()?;
            Some(Bar { name: name.into(), value, spread: None, is_own: true })
        };
        let bars: Vec<Bar> = MODES.iter().filter_map(bar).collect();
        groups.push(Group { title: name.into(), bars });
    }
    if groups.iter().all(|group| group.bars.is_empty()) {
        return Err("`cargo bench -p penstock-benches --bench new_flows` has not run".into());
    }
    let title = "New connections in memory, one core: begin, get a backend, expire";
    Ok(bars::draw(title, "million connections per second", &groups))
}

/// Packets per second beside the peers.
fn forwarding(results: &Results) -> Result<String> {
    let bars = results.bars("forwarding.json", "/bars", "rate")?;
    let title = "Forwarding on veth, one core, 64 Ki flows, 60-byte frames";
    Ok(bars::draw(title, "million packets per second at the sink", &[Group { title: String::new(), bars }]))
}

fn memory(results: &Results) -> Result<String> {
    let bars = results.bars("memory.json", "/bars", "rate")?;
    let title = "Without a network, one core";
    Ok(bars::draw(title, "million packets per second", &[Group { title: String::new(), bars }]))
}

/// CPU time per connection beside the peers.
fn connections(results: &Results) -> Result<String> {
    let mut groups = Vec::new();
    for (place, title) in results.texts("connections.json", "/loads", "title")?.into_iter().enumerate() {
        let bars = results.bars("connections.json", &format!("/loads/{place}/bars"), "threads")?;
        groups.push(Group { title, bars });
    }
    Ok(bars::draw("Short TCP connections, one-arm", "microseconds of CPU per connection", &groups))
}
