//! What is measured: whatever balances connections in the box, started anew for each window.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use clap::{Args, ValueEnum};

use crate::Result;

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Penstockd,
    Haproxy,
    Nftables,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Penstockd => "penstockd, one-arm",
            Self::Haproxy => "HAProxy, mode tcp",
            Self::Nftables => "nftables, DNAT + masquerade",
        }
    }
}

/// Where it runs.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// The box's network namespace
    #[arg(long)]
    namespace: String,
    /// The box's interface, of a name that no other namespace has
    #[arg(long)]
    pub(crate) device: String,
    /// The box's core
    #[arg(long)]
    pub(crate) core: usize,
    /// The daemon
    #[arg(long)]
    penstockd: PathBuf,
    /// The contestants' configurations: penstock.toml, haproxy.cfg, rules.nft
    #[arg(long)]
    directory: PathBuf,
    /// The virtual IP with its length, for contestants that need it on the interface
    #[arg(long, default_value = "10.0.0.100/32")]
    virtual_ip: String,
}

/// One that runs.
#[derive(Debug)]
pub(crate) struct Contestant<'p> {
    pub(crate) kind: Kind,
    /// The kernel's own has none.
    child: Option<Child>,
    place: &'p Place,
}

impl<'p> Contestant<'p> {
    pub(crate) fn start(kind: Kind, place: &'p Place) -> Result<Self> {
        let mut contestant = Self { kind, child: None, place };
        let file = |name| place.directory.join(name);
        match kind {
            Kind::Penstockd => {
                let mut command = contestant.on_its_core();
                command.arg(&place.penstockd).arg("--config").arg(file("penstock.toml"));
                contestant.child = Some(command.env("RUST_LOG", "error").spawn()?);
            }
            Kind::Haproxy => {
                contestant.virtual_ip("add")?;
                let mut command = contestant.on_its_core();
                command.args(["haproxy", "-q", "-db", "-f"]).arg(file("haproxy.cfg"));
                contestant.child = Some(command.spawn()?);
            }
            Kind::Nftables => {
                contestant.virtual_ip("add")?;
                succeeds(contestant.inside().args(["nft", "-f"]).arg(file("rules.nft")))?;
            }
        }
        Ok(contestant)
    }

    /// Makes the kernel look at what has arrived at most every so many microseconds, as network cards do
    /// that pause between interrupts.
    pub(crate) fn pause_between_interrupts(&self, microseconds: u32) -> Result<()> {
        let device = format!("/sys/class/net/{}", self.place.device);
        let looks = u32::from(microseconds > 0); // without a frame, before interrupts are on again
        let nanoseconds = u64::from(microseconds) * 1000;
        let script = format!(
            "echo {looks} >{device}/napi_defer_hard_irqs && echo {nanoseconds} >{device}/gro_flush_timeout"
        );
        succeeds(self.inside().args(["sh", "-c", &script]))
    }

    /// Its process.
    pub(crate) fn process(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn inside(&self) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.place.namespace]).stdin(Stdio::null());
        command
    }

    fn on_its_core(&self) -> Command {
        let mut command = self.inside();
        command.args(["chrt", "--rr", "1", "taskset", "--cpu-list", &self.place.core.to_string()]);
        command
    }

    fn virtual_ip(&self, verb: &str) -> Result<()> {
        let Place { virtual_ip, device, .. } = self.place;
        succeeds(self.inside().args(["ip", "address", verb, virtual_ip, "dev", device]))
    }
}

impl Drop for Contestant<'_> {
    fn drop(&mut self) {
        // What has ended by itself is told of where it was missed.
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if self.kind != Kind::Penstockd {
            let _ = self.virtual_ip("delete");
        }
        if self.kind == Kind::Nftables {
            let _ = succeeds(self.inside().args(["nft", "flush", "ruleset"]));
        }
    }
}

fn succeeds(command: &mut Command) -> Result<()> {
    if command.status()?.success() { Ok(()) } else { Err(format!("failed: {command:?}").into()) }
}
