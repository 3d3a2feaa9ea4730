//! The figures, for people and for plots.

use std::collections::BTreeSet;

use penstock_benches::figures::{self, Spread};
use serde_json::{Value, json};

use crate::Result;
use crate::kind::Kind;
use crate::measure::{Options, Sample};

/// The machine, and what is measured on it.
pub(crate) fn print_setting(options: &Options) {
    println!("machine   {}", figures::machine());
    println!("traffic   {} random flows, UDP over IPv4, frames of 60 bytes", options.flows);
    println!(
        "windows   {} of {} s for each, in turn, each after {} s of the same traffic",
        options.windows, options.seconds, options.warm_up
    );
    println!("\nframes at the sink, Mpps:");
}

/// A line while the bench runs.
pub(crate) fn print_sample(sample: &Sample) {
    let flows = sample.flows.map_or(String::new(), |flows| format!(", {flows} flows in the table"));
    println!(
        "  {:24} {:.3} of {:.3} offered, {:3.0} % of the core{flows}",
        sample.kind.name(),
        mega(sample.rate),
        mega(sample.offered),
        sample.core_share * 100.0,
    );
}

/// Medians, spread, ratios, and where frames were lost.
pub(crate) fn print_result(kinds: &[Kind], samples: &[Sample]) {
    print_rates("Mpps at the sink", kinds, samples, |sample| sample.rate);
    // A thread's time includes what the kernel does for it, sending above all.
    print_rates("Mpps per second of core time", kinds, samples, per_core);
    print_losses(kinds, samples);
}

/// Writes what the plot reads.
pub(crate) fn keep(kinds: &[Kind], samples: &[Sample]) -> Result<()> {
    let bars = kinds.iter().map(|&kind| {
        json!({
            "name": kind.name(),
            "rate": spread(kind, samples, &|sample| sample.rate).json(),
            "per_core": spread(kind, samples, &per_core).json(),
        })
    });
    let bars: Vec<Value> = bars.collect();
    let results = json!({"machine": figures::machine(), "unit": "Mpps", "bars": bars});
    Ok(figures::keep("forwarding.json", &results)?)
}

fn per_core(sample: &Sample) -> f64 {
    sample.rate / sample.core_share
}

fn of(kind: Kind, samples: &[Sample]) -> impl Iterator<Item = &Sample> {
    samples.iter().filter(move |sample| sample.kind == kind)
}

fn spread(kind: Kind, samples: &[Sample], value: &impl Fn(&Sample) -> f64) -> Spread {
    Spread::of(of(kind, samples).map(|sample| mega(value(sample))))
}

fn print_rates(title: &str, kinds: &[Kind], samples: &[Sample], value: impl Fn(&Sample) -> f64) {
    println!("\n  {title:40} {:>8} {:>8} {:>8}", "median", "lowest", "highest");
    for (letter, &kind) in ('a'..).zip(kinds) {
        let Spread { median, low, high } = spread(kind, samples, &value);
        println!("  ({letter}) {:36} {median:8.3} {low:8.3} {high:8.3}", kind.name());
    }
    let Some(&first) = kinds.first() else { return };
    let base = spread(first, samples, &value).median;
    for (letter, &kind) in ('a'..).zip(kinds).skip(1) {
        let pairs = of(first, samples).zip(of(kind, samples));
        let Spread { low, high, .. } = Spread::of(pairs.map(|(a, b)| value(b) / value(a)));
        let ratio = spread(kind, samples, &value).median / base;
        let what = format!("{letter}/a (spread: windows of one round)");
        println!("  {what:40} {ratio:8.3} {low:8.3} {high:8.3}");
    }
}

fn print_losses(kinds: &[Kind], samples: &[Sample]) {
    let letters: String = ('a'..).zip(kinds).map(|(letter, _)| format!("      ({letter})")).collect();
    println!("\n  {:40}{letters}", "of the frames offered, per cent");
    let mut lines: Vec<(String, Vec<f64>)> = Vec::new();
    let share = |count: &dyn Fn(&Sample) -> u64| -> Vec<f64> {
        let share = |&kind: &Kind| {
            let sent: u64 = of(kind, samples).map(|sample| sample.sent).sum();
            percent(of(kind, samples).map(count).sum(), sent)
        };
        kinds.iter().map(share).collect()
    };
    lines.push(("delivered".into(), share(&|sample| sample.delivered)));
    let places: BTreeSet<&String> = samples.iter().flat_map(|sample| sample.losses.keys()).collect();
    for place in places {
        lines.push((place.clone(), share(&|sample| sample.losses.get(place).copied().unwrap_or(0))));
    }
    let known = |sample: &Sample| sample.delivered + sample.losses.values().sum::<u64>();
    lines.push((
        "the kernel's queues were full (the rest)".into(),
        share(&|sample| sample.sent.saturating_sub(known(sample))),
    ));
    // What rounds to nothing is the first moments, before the second interface is in use.
    lines.retain(|(_, shares)| shares.iter().any(|share| *share >= 0.005));
    for (place, shares) in lines {
        let shares: String = shares.iter().map(|share| format!(" {share:8.2}")).collect();
        println!("  {place:40}{shares}");
    }
}

fn mega(rate: f64) -> f64 {
    rate / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 frames")]
fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
