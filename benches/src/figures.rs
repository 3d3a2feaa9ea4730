//! Figures of several windows, and the files that they are kept in.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// The middle of several figures, and how far they are spread.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// Of an even number, the mean of the two in the middle.
    pub median: f64,
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

impl Spread {
    /// Of no figures: not a number.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            _ if sorted.is_empty() => f64::NAN,
            0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        let at = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
        Self { median, low: at(sorted.first()), high: at(sorted.last()) }
    }

    /// As results are kept.
    #[must_use]
    pub fn json(self) -> Value {
        let Self { median, low, high } = self;
        json!({"median": median, "low": low, "high": high})
    }
}

/// The machine in one line.
#[must_use]
pub fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{count} x {}, Linux {}", model.map_or("?", |(_, name)| name), kernel.trim())
}

/// Keeps a run's results in `benches/results`, where `plot` reads them.
///
/// # Errors
/// If the file cannot be written.
pub fn keep(name: &str, results: &Value) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    fs::create_dir_all(&folder)?;
    let path = folder.join(name);
    fs::write(&path, format!("{results:#}\n"))?;
    println!("\nkept in benches/results/{name}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_two_in_the_middle() {
        assert!((Spread::of([3.0, 1.0, 2.0]).median - 2.0).abs() < f64::EPSILON);
        assert!((Spread::of([4.0, 1.0, 2.0, 3.0]).median - 2.5).abs() < f64::EPSILON);
        assert!(Spread::of([]).median.is_nan());
    }
}
