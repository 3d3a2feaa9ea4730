//! The figures, for people and for plots.

use penstock_benches::figures::{self, Spread};
use serde_json::{Value, json};

use crate::Result;
use crate::contestant::Kind;
use crate::measure::{Options, Pace, Sample};

/// What penstockd should cost at most, as a part of what a peer costs.
const TARGETS: [(Kind, f64); 2] = [(Kind::Haproxy, 0.25), (Kind::Nftables, 1.0)];

/// The machine, and what is measured on it.
pub(crate) fn print_setting(options: &Options) {
    println!("machine   {}", figures::machine());
    println!(
        "windows   {} of {} connections for each, in turn; {} at a time",
        options.windows, options.connections, options.at_a_time
    );
    println!("\nCPU time per connection, microseconds:");
}

/// A line while the bench runs.
pub(crate) fn print_sample(sample: &Sample) {
    let Sample { kind, done, threads, receiving, core, .. } = sample;
    println!(
        "  {:28} {:6.1} ({:5.1} of it receiving), core {:6.1}; {:6.0} connections/s, {:5.2} ms each, 99 % in {:.2} ms",
        kind.name(),
        micro(*threads),
        micro(*receiving),
        micro(*core),
        f64::from(done.completed) / done.seconds,
        done.quantile(50).as_secs_f64() * 1e3,
        done.quantile(99).as_secs_f64() * 1e3,
    );
}

/// Medians, spread and ratios, for each rate.
pub(crate) fn print_result(options: &Options, samples: &[Sample]) {
    for &pace in &options.loads {
        println!("\n  {:52} {:>8} {:>8} {:>8} {:>8}", title(pace), "median", "lowest", "highest", "core");
        for &kind in &options.contestants {
            let [threads, core] = spreads(samples, kind, pace);
            let Spread { median, low, high } = threads;
            println!("  {:52} {median:8.1} {low:8.1} {high:8.1} {:8.1}", kind.name(), core.median);
        }
        for (peer, target) in TARGETS {
            let [ratio, core] = ratios(samples, peer, pace);
            if ratio.median.is_finite() {
                let Spread { median, low, high } = ratio;
                let what = format!("penstockd / {} (target {target})", peer.name());
                println!("  {what:52} {median:8.2} {low:8.2} {high:8.2} {:8.2}", core.median);
            }
        }
    }
}

/// Writes what the plot reads.
pub(crate) fn keep(options: &Options, samples: &[Sample]) -> Result<()> {
    let of_pace = |&pace: &Pace| -> Value {
        let bars = options.contestants.iter().map(|&kind| {
            let [threads, core] = spreads(samples, kind, pace);
            json!({"name": kind.name(), "threads": threads.json(), "core": core.json()})
        });
        let ratios = TARGETS.iter().map(|&(peer, target)| {
            let [ratio, _] = ratios(samples, peer, pace);
            json!({"peer": peer.name(), "target": target, "ratio": ratio.json()})
        });
        json!({
            "title": title(pace),
            "bars": bars.collect::<Vec<_>>(),
            "ratios": ratios.collect::<Vec<_>>(),
        })
    };
    let loads: Vec<Value> = options.loads.iter().map(of_pace).collect();
    let results = json!({"machine": figures::machine(), "unit": "µs of CPU per connection", "loads": loads});
    Ok(figures::keep("connections.json", &results)?)
}

fn title(pace: Pace) -> String {
    let Pace { rate, pause } = pace;
    let rate = if rate == 0 { "as fast as they go".into() } else { format!("{rate} connections/s") };
    format!("{rate}, {pause} µs between interrupts")
}

fn of(samples: &[Sample], kind: Kind, pace: Pace) -> impl Iterator<Item = &Sample> {
    samples.iter().filter(move |sample| sample.kind == kind && sample.pace == pace)
}

/// By threads and by the whole core.
fn spreads(samples: &[Sample], kind: Kind, pace: Pace) -> [Spread; 2] {
    [
        Spread::of(of(samples, kind, pace).map(|sample| micro(sample.threads))),
        Spread::of(of(samples, kind, pace).map(|sample| micro(sample.core))),
    ]
}

/// Of neighbouring windows.
fn ratios(samples: &[Sample], peer: Kind, pace: Pace) -> [Spread; 2] {
    let pairs = || of(samples, Kind::Penstockd, pace).zip(of(samples, peer, pace));
    [
        Spread::of(pairs().map(|(own, peer)| own.threads / peer.threads)),
        Spread::of(pairs().map(|(own, peer)| own.core / peer.core)),
    ]
}

fn micro(seconds: f64) -> f64 {
    seconds * 1e6
}
