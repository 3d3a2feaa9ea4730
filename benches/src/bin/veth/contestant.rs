//! What is measured: a process in the box, or the box's kernel, set up anew for each window.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::kind::Kind;
use crate::measure::Options;
use crate::{EGRESS, INGRESS, Result};

/// One that runs.
#[derive(Debug)]
pub(crate) struct Contestant<'o> {
    kind: Kind,
    /// The kernel has none.
    child: Option<Child>,
    options: &'o Options,
}

/// What it and the kernel said of lost frames, by what lost them.
pub(crate) type Losses = BTreeMap<String, u64>;

impl<'o> Contestant<'o> {
    pub(crate) fn start(kind: Kind, options: &'o Options) -> Result<Self> {
        let mut contestant = Self { kind, child: None, options };
        if kind.is_kernel() {
            // Without an XDP program, this is what makes veth take frames from the generator.
            contestant.inside(&["ethtool", "-K", INGRESS, "gro", "on"])?;
            if kind == Kind::Nftables {
                let rules = options.directory.join("rules.nft");
                contestant.inside(&["nft", "-f", &rules.to_string_lossy()])?;
            }
            return Ok(contestant);
        }
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &options.namespace]);
        if let Some(configuration) = kind.configuration() {
            let configuration = options.directory.join(configuration);
            command.arg(&options.penstockd).arg("--config").arg(configuration).env("RUST_LOG", "error");
        } else if kind == Kind::Testpmd {
            command.args(testpmd(options)?).stderr(File::create(options.directory.join("testpmd.log"))?);
        } else {
            command
                .arg(std::env::current_exe()?)
                .args(["forward", "--core", &options.core.to_string()])
                .args(["--destination", &options.sink_mac()?.to_string()]);
        }
        let out = if kind == Kind::Testpmd { Stdio::null() } else { Stdio::piped() };
        contestant.child = Some(command.stdin(Stdio::piped()).stdout(out).spawn()?);
        Ok(contestant)
    }

    /// Whether it has ended, which it never should by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// What it said last of why it does not run.
    pub(crate) fn complaint(&self) -> String {
        let log = fs::read_to_string(self.options.directory.join("testpmd.log")).unwrap_or_default();
        match (self.kind, log.lines().rfind(|line| !line.trim().is_empty())) {
            (Kind::Testpmd, Some(line)) => format!("{} does not forward: {line}", self.kind.name()),
            _ => format!("{} does not forward", self.kind.name()),
        }
    }

    /// Seconds that its core has worked for it so far: its busiest thread, which is the forwarding one, or
    /// the core's softirqs.
    pub(crate) fn worked(&self) -> Result<f64> {
        let Some(child) = &self.child else { return softirq_time(self.options.core) };
        let mut most = 0_u64;
        for task in fs::read_dir(format!("/proc/{}/task", child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            most = most.max(text.split(' ').next().unwrap_or_default().parse()?);
        }
        Ok(Duration::from_nanos(most).as_secs_f64())
    }

    /// The flows that it has in its table.
    pub(crate) fn flows(&self) -> Result<Option<u64>> {
        match self.kind.configuration() {
            None => Ok(None),
            Some(_) => Ok(self.ask("status")?["flows"]["active"].as_u64()),
        }
    }

    /// Ends it, and returns what was lost while it ran.
    pub(crate) fn stop(mut self) -> Result<Losses> {
        let stats = match self.kind.configuration() {
            Some(_) => self.ask("stats")?,
            None => Value::Null,
        };
        let Some(mut child) = self.child.take() else { return Ok(Losses::new()) };
        drop(child.stdin.take()); // on which all but the daemon end
        let mut text = String::new();
        if self.kind.configuration().is_some() {
            Command::new("kill").arg(child.id().to_string()).status()?;
        } else if let Some(out) = &mut child.stdout {
            out.read_to_string(&mut text)?;
        }
        child.wait()?;
        Ok(losses(&if text.is_empty() { stats } else { serde_json::from_str(&text)? }))
    }

    fn ask(&self, verb: &str) -> Result<Value> {
        let Options { penstock, directory, .. } = self.options;
        let socket = directory.join("run/control.sock");
        let output = Command::new(penstock).arg("--socket").arg(socket).args(["--json", verb]).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Runs a command in the box to its end.
    fn inside(&self, command: &[&str]) -> Result<()> {
        let done =
            Command::new("ip").args(["netns", "exec", &self.options.namespace]).args(command).status()?;
        if done.success() { Ok(()) } else { Err(format!("failed: {}", command.join(" ")).into()) }
    }
}

impl Drop for Contestant<'_> {
    fn drop(&mut self) {
        // Nothing to kill after `stop`.
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if self.kind == Kind::Nftables {
            let _ = self.inside(&["nft", "flush", "ruleset"]);
        }
        if self.kind.is_kernel() {
            let _ = self.inside(&["ethtool", "-K", INGRESS, "gro", "off"]);
        }
    }
}

/// One core forwards; the other, the generator's, is only for testpmd's own thread, which sleeps.
fn testpmd(options: &Options) -> Result<Vec<String>> {
    let lcores = format!("0@{},1@{}", options.outer_core, options.core);
    let device = |number, interface| format!("net_af_xdp{number},iface={interface}");
    let (ingress, egress) = (device(0, INGRESS), device(1, EGRESS));
    let peer = format!("--eth-peer=1,{}", options.sink_mac()?);
    let prefix = format!("--file-prefix={}", options.namespace);
    let words = [
        "dpdk-testpmd",
        "--no-huge",
        "-m",
        "512",
        "--no-pci",
        "--no-telemetry",
        &prefix,
        "--lcores",
        &lcores,
        "--main-lcore",
        "0",
        "--vdev",
        &ingress,
        "--vdev",
        &egress,
        "--",
        "--forward-mode=mac",
        &peer,
        "--nb-cores=1",
        "--auto-start",
        "--no-mlockall",
        "--total-num-mbufs=32768",
    ];
    Ok(words.map(str::to_owned).into())
}

/// Seconds that a core has spent in softirqs, ksoftirqd's included, in steps of a hundredth.
fn softirq_time(core: usize) -> Result<f64> {
    let (text, name) = (fs::read_to_string("/proc/stat")?, format!("cpu{core} "));
    let line = text.lines().find_map(|line| line.strip_prefix(&name)).ok_or("no such core")?;
    let field = line.split_whitespace().nth(6).ok_or("/proc/stat is not as expected")?;
    Ok(field.parse::<f64>()? / 100.0)
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
