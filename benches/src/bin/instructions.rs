//! Instructions per packet of the whole worker in memory, counted by callgrind: the same on a busy machine.
//!
//! Each case runs in a process of its own under valgrind, which counts `Engine::pass` alone. `--record`
//! writes the counts to `benches/results/instructions.json`; `--check` compares with that file and fails
//! when a count has grown by more than [`TOLERANCE`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;
use dataplane::bench::{Engine, Subject};
use dataplane::limits::BATCH;
use penstock_benches::Random;

/// Flows in the table.
const FLOWS: u32 = 1 << 16;
/// Counted batches of each case.
const BATCHES: u32 = 512;
/// Growth that `--check` accepts: hash collisions depend on the process's secret.
const TOLERANCE: f64 = 0.02;

/// Counts the instructions that a worker spends per packet
#[derive(Debug, Parser)]
#[command(
    after_help = "Needs valgrind. Exit status: 0 done, 1 a count has grown by more than 2 % or a run failed."
)]
struct Arguments {
    /// Only cases whose name contains this text, such as `hit/dsr`
    #[arg(default_value = "")]
    filter: String,
    /// Write the counts to benches/results/instructions.json
    #[arg(long, conflicts_with = "check")]
    record: bool,
    /// Fail when a count is more than 2 % above the recorded one
    #[arg(long)]
    check: bool,
    /// Run one case without counting: the process that valgrind observes
    #[arg(long, hide = true)]
    run: Option<String>,
}

/// A hit or a new flow, of one mode and one address family.
#[derive(Debug, Clone, Copy)]
struct Case {
    is_new: bool,
    subject: Subject,
    v6: bool,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        let pairs =
            [false, true].into_iter().flat_map(|is_new| Subject::ALL.map(|subject| (is_new, subject)));
        pairs.flat_map(|(is_new, subject)| [false, true].map(|v6| Self { is_new, subject, v6 }))
    }

    fn name(self) -> String {
        let kind = if self.is_new { "new" } else { "hit" };
        format!("{kind}/{}/{}", self.subject.name(), if self.v6 { "ipv6" } else { "ipv4" })
    }

    /// The work that is counted.
    fn run(self) -> Result<(), String> {
        let mut engine = Engine::without_expiry(self.subject, self.v6, FLOWS);
        let mut random = Random::default();
        let before = engine.sent();
        for _ in 0..BATCHES {
            if self.is_new {
                engine.prepare_new();
            } else {
                engine.prepare(|| random.below(FLOWS));
            }
            engine.pass();
        }
        let (sent, packets) = (engine.sent() - before, packets());
        // One flow in a hundred thousand may have found its buckets full.
        if (packets - sent) * 1000 > packets {
            return Err(format!("{}: {sent} of {packets} packets were sent", self.name()));
        }
        Ok(())
    }

    /// Instructions per packet.
    fn count(self) -> Result<f64, String> {
        let own = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg("--toggle-collect=*bench*Engine*pass*")
            .arg(own)
            .args(["--run", &self.name()])
            .output()
            .map_err(|error| format!("cannot run valgrind: {error}; install the Debian package valgrind"))?;
        let text = String::from_utf8_lossy(&output.stderr);
        let collected =
            text.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse::<f64>().ok());
        match collected.filter(|count| *count > 0.0 && output.status.success()) {
            #[expect(clippy::cast_precision_loss, reason = "a few thousand packets")]
            Some(count) => Ok(count / packets() as f64),
            None => Err(format!("{}: valgrind counted nothing:\n{text}", self.name())),
        }
    }
}

fn packets() -> u64 {
    u64::from(BATCHES) * BATCH as u64
}

fn results() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("results/instructions.json")
}

fn recorded() -> Result<BTreeMap<String, f64>, String> {
    let path = results();
    let text =
        std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn measure(arguments: &Arguments) -> Result<bool, String> {
    let before = if arguments.check { recorded()? } else { BTreeMap::new() };
    let mut counts = BTreeMap::new();
    let mut is_well = true;
    for case in Case::all().filter(|case| case.name().contains(&arguments.filter)) {
        let (name, count) = (case.name(), case.count()?);
        let verdict = match before.get(&name) {
            Some(before) if count > before * (1.0 + TOLERANCE) => {
                is_well = false;
                format!("  GREW from {before:.1}")
            }
            Some(before) => format!("  recorded {before:.1}"),
            None => String::new(),
        };
        println!("{name:36} {count:8.1}{verdict}");
        counts.insert(name, (count * 10.0).round() / 10.0);
    }
    if counts.is_empty() {
        return Err(format!("no case contains {:?}", arguments.filter));
    }
    if arguments.record {
        let mut text = serde_json::to_string_pretty(&counts).map_err(|error| error.to_string())?;
        text.push('\n');
        std::fs::write(results(), text)
            .map_err(|error| format!("cannot write {}: {error}", results().display()))?;
    }
    Ok(is_well)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.run {
        Some(name) => Case::all()
            .find(|case| case.name() == *name)
            .ok_or_else(|| format!("there is no case {name}"))
            .and_then(Case::run)
            .map(|()| true),
        None => measure(&arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("instructions: {why}");
            ExitCode::FAILURE
        }
    }
}
