//! The figures, for people.

use std::collections::BTreeSet;
use std::fs;

use crate::Result;
use crate::contestant::Kind;
use crate::measure::{Options, Sample};

/// The machine, and what is measured on it.
pub(crate) fn print_setting(options: &Options) -> Result<()> {
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    println!("machine   {count} x {}, Linux {}", model.map_or("?", |(_, name)| name), kernel.trim());
    println!("traffic   {} random flows, UDP over IPv4, frames of 60 bytes", options.flows);
    println!(
        "windows   {} of {} s for each of the two, in turn, each after {} s of the same traffic",
        options.windows, options.seconds, options.warm_up
    );
    println!("\nframes at the sink, Mpps:");
    Ok(())
}

/// A line while the bench runs.
pub(crate) fn print_sample(sample: &Sample) {
    let flows = sample.flows.map_or(String::new(), |flows| format!(", {flows} flows in the table"));
    println!(
        "  {:16} {:.3} of {:.3} offered{flows}",
        name(sample.kind),
        mega(sample.rate),
        mega(sample.offered)
    );
}

/// Medians, spread, the ratio, and where frames were lost.
pub(crate) fn print_result(samples: &[Sample]) {
    print_rates("Mpps at the sink", samples, |sample| sample.rate);
    // A thread's time includes what the kernel does for it, sending above all.
    print_rates("Mpps per second of core time", samples, |sample| sample.rate / sample.core_share);
    print_losses(samples);
}

fn print_rates(title: &str, samples: &[Sample], value: impl Fn(&Sample) -> f64) {
    let of = |kind| -> Vec<f64> { samples.iter().filter(|s| s.kind == kind).map(&value).collect() };
    let (bare, daemon) = (of(Kind::Forwarder), of(Kind::Penstockd));
    println!("\n  {title:32} {:>8} {:>8} {:>8}", "median", "lowest", "highest");
    for (letter, kind, rates) in [("a", Kind::Forwarder, &bare), ("b", Kind::Penstockd, &daemon)] {
        let (low, high) = range(rates);
        let (median, low, high) = (mega(median(rates)), mega(low), mega(high));
        println!("  ({letter}) {:28} {median:8.3} {low:8.3} {high:8.3}", name(kind));
    }
    let pairs: Vec<f64> = bare.iter().zip(&daemon).map(|(a, b)| b / a).collect();
    let (low, high) = range(&pairs);
    let ratio = median(&daemon) / median(&bare);
    println!("  {:32} {ratio:8.3} {low:8.3} {high:8.3}", "b/a (spread: neighbouring windows)");
}

fn print_losses(samples: &[Sample]) {
    println!("\n  {:40} {:>8} {:>8}", "of the frames offered, per cent", "(a)", "(b)");
    let mut lines: Vec<(String, [f64; 2])> = Vec::new();
    let share = |count: &dyn Fn(&Sample) -> u64| {
        [Kind::Forwarder, Kind::Penstockd].map(|kind| {
            let of_kind = || samples.iter().filter(|sample| sample.kind == kind);
            let sent: u64 = of_kind().map(|sample| sample.sent).sum();
            percent(of_kind().map(count).sum(), sent)
        })
    };
    lines.push(("delivered".into(), share(&|sample| sample.delivered)));
    let places: BTreeSet<&String> = samples.iter().flat_map(|sample| sample.losses.keys()).collect();
    for place in places {
        lines.push((place.clone(), share(&|sample| sample.losses.get(place).copied().unwrap_or(0))));
    }
    let known = |sample: &Sample| sample.delivered + sample.losses.values().sum::<u64>();
    lines.push((
        "veth: its queues were full (the rest)".into(),
        share(&|sample| sample.sent.saturating_sub(known(sample))),
    ));
    // What rounds to nothing is the first moments, before the second interface is in use.
    lines.retain(|(_, shares)| shares.iter().any(|share| *share >= 0.005));
    for (place, [bare, daemon]) in lines {
        println!("  {place:40} {bare:8.2} {daemon:8.2}");
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Forwarder => "bare forwarder",
        Kind::Penstockd => "penstockd, DSR",
    }
}

/// Of an even number, the mean of the two in the middle.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        _ if sorted.is_empty() => f64::NAN,
        0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)))
}

fn mega(rate: f64) -> f64 {
    rate / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 frames")]
fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_two_in_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
    }
}
