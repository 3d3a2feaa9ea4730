//! What is measured: a process in the box, started anew for each window.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::Result;
use crate::measure::Options;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Forwarder,
    Penstockd,
}

/// A running process.
#[derive(Debug)]
pub(crate) struct Contestant<'o> {
    kind: Kind,
    child: Child,
    options: &'o Options,
}

/// What it and the kernel said of lost frames, by what lost them.
pub(crate) type Losses = BTreeMap<String, u64>;

impl<'o> Contestant<'o> {
    pub(crate) fn start(kind: Kind, options: &'o Options) -> Result<Self> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &options.namespace]);
        match kind {
            Kind::Forwarder => command
                .arg(std::env::current_exe()?)
                .args(["forward", "--core", &options.core.to_string()])
                .args(["--destination", &options.sink_mac()?.to_string()]),
            Kind::Penstockd => {
                command.arg(&options.penstockd).arg("--config").arg(&options.config).env("RUST_LOG", "error")
            }
        };
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        Ok(Self { kind, child, options })
    }

    /// Whether it has ended, which it never should by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Seconds that its busiest thread, which is the forwarding one, has run so far.
    pub(crate) fn worked(&self) -> Result<f64> {
        let mut most = 0_u64;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            most = most.max(text.split(' ').next().unwrap_or_default().parse()?);
        }
        Ok(Duration::from_nanos(most).as_secs_f64())
    }

    /// The flows that it has in its table.
    pub(crate) fn flows(&self) -> Result<Option<u64>> {
        match self.kind {
            Kind::Forwarder => Ok(None),
            Kind::Penstockd => Ok(self.ask("status")?["flows"]["active"].as_u64()),
        }
    }

    /// Ends it, and returns what was lost while it ran.
    pub(crate) fn stop(mut self) -> Result<Losses> {
        let stats = match self.kind {
            Kind::Forwarder => {
                drop(self.child.stdin.take());
                let mut text = String::new();
                self.child.stdout.as_mut().ok_or("no output")?.read_to_string(&mut text)?;
                serde_json::from_str(&text)?
            }
            Kind::Penstockd => {
                let stats = self.ask("stats")?;
                Command::new("kill").arg(self.child.id().to_string()).status()?;
                stats
            }
        };
        self.child.wait()?;
        Ok(losses(&stats))
    }

    fn ask(&self, verb: &str) -> Result<Value> {
        let Options { penstock, socket, .. } = self.options;
        let output = Command::new(penstock).arg("--socket").arg(socket).args(["--json", verb]).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

impl Drop for Contestant<'_> {
    fn drop(&mut self) {
        // Nothing to kill after `stop`.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn losses(stats: &Value) -> Losses {
    let mut losses = Losses::new();
    let mut add = |what: &str, count: &Value| {
        *losses.entry(what.to_owned()).or_default() += count.as_u64().unwrap_or(0);
    };
    for ring in stats["rings"].as_array().into_iter().flatten() {
        add("kernel: RX ring full", &ring["rx_ring_full"]);
        add("kernel: no chunk to receive into", &ring["rx_dropped"]);
    }
    for reason in stats["drops"].as_array().into_iter().flatten() {
        add(&format!("worker: {}", reason["code"].as_str().unwrap_or("?")), &reason["count"]);
    }
    losses.retain(|_, count| *count > 0);
    losses
}
