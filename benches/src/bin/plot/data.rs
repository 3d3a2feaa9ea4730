//! What is drawn: medians that criterion keeps, and the results of `scripts/compare`.

use std::fs;
use std::path::PathBuf;

use dataplane::limits::BATCH;
use serde_json::Value;

use crate::Result;
use crate::bars::Bar;

/// Criterion's folder.
#[derive(Debug)]
pub(crate) struct Criterion(PathBuf);

impl Criterion {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Millions per second of what a bench does in batches.
    pub(crate) fn rate(&self, bench: &str) -> Result<f64> {
        let estimates = read(self.0.join(bench).join("new/estimates.json"))?;
        let nanoseconds = number(&estimates["median"]["point_estimate"])?;
        #[expect(clippy::cast_precision_loss, reason = "BATCH is 64")]
        let batch = BATCH as f64;
        Ok(batch * 1e3 / nanoseconds)
    }
}

/// The folder of kept results.
#[derive(Debug)]
pub(crate) struct Results(PathBuf);

impl Results {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The bars that a file has at `place`, each by the median and spread of its `figure`.
    pub(crate) fn bars(&self, file: &str, place: &str, figure: &str) -> Result<Vec<Bar>> {
        let bar = |value: &Value| {
            let name = value["name"].as_str().unwrap_or("?").to_owned();
            let at = |key: &str| number(&value[figure][key]);
            let is_own = name.starts_with("penstock");
            Ok(Bar { value: at("median")?, spread: Some((at("low")?, at("high")?)), is_own, name })
        };
        self.list(file, place)?.iter().map(bar).collect()
    }

    /// The lines that a file has at `place`: each one's name and the medians of its figures.
    pub(crate) fn rows<const N: usize>(
        &self,
        file: &str,
        place: &str,
        figures: [&str; N],
    ) -> Result<Vec<(String, [f64; N])>> {
        let row = |value: &Value| {
            let name = value["name"].as_str().unwrap_or("?").to_owned();
            let medians = figures.map(|figure| number(&value[figure]["median"]).unwrap_or(f64::NAN));
            (name, medians)
        };
        Ok(self.list(file, place)?.iter().map(row).collect())
    }

    /// The texts under `key` of what a file has at `place`.
    pub(crate) fn texts(&self, file: &str, place: &str, key: &str) -> Result<Vec<String>> {
        let list = self.list(file, place)?;
        Ok(list.iter().map(|value| value[key].as_str().unwrap_or_default().to_owned()).collect())
    }

    fn list(&self, file: &str, place: &str) -> Result<Vec<Value>> {
        let results = read(self.0.join(file))?;
        let list = results.pointer(place).and_then(Value::as_array).cloned();
        list.ok_or_else(|| format!("benches/results/{file} has no list at {place}").into())
    }
}

fn read(path: PathBuf) -> Result<Value> {
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

fn number(value: &Value) -> Result<f64> {
    value.as_f64().ok_or_else(|| "a number is missing".into())
}
