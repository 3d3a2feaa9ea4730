//! The windows: each contestant in turn, again and again.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use penstock_benches::clock::{Stopwatch, pause, sleep};

use crate::account::Account;
use crate::client::{self, Done, Load};
use crate::contestant::{Contestant, Kind, Place};
use crate::{Result, report};

/// What has not carried a connection by then has failed to start.
const START_LIMIT: Duration = Duration::from_secs(15);
/// How long the core of an idle box is watched before each window.
const IDLE: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Who takes part, in this order
    #[arg(long, value_delimiter = ',', default_value = "penstockd,haproxy,nftables")]
    pub(crate) contestants: Vec<Kind>,
    /// Windows of each
    #[arg(long)]
    pub(crate) windows: usize,
    /// Connections of a window
    #[arg(long)]
    pub(crate) connections: u32,
    /// Connections at a time
    #[arg(long)]
    pub(crate) at_a_time: u32,
    /// RATE/PAUSE: connections per second, 0 for as many as there can be, and the microseconds between two
    /// looks at what has arrived for the box; each for windows of its own
    #[arg(long, value_delimiter = ',')]
    pub(crate) loads: Vec<Pace>,
    /// The virtual IP and port
    #[arg(long, default_value = "10.0.0.100:80")]
    to: SocketAddrV4,
    /// The first of the client's addresses
    #[arg(long, default_value = "10.0.0.128")]
    from: Ipv4Addr,
    /// How many it has
    #[arg(long, default_value_t = 16)]
    sources: u32,
}

/// How fast connections come, and how often the box is told of what has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Connections per second; 0: as fast as they go.
    pub(crate) rate: u32,
    /// As network cards pause between interrupts, in microseconds.
    pub(crate) pause: u32,
}

impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let numbers =
            text.split_once('/').and_then(|(rate, pause)| rate.parse().ok().zip(pause.parse().ok()));
        let (rate, pause) = numbers.ok_or("a rate and a pause are wanted, as 0/50")?;
        Ok(Self { rate, pause })
    }
}

/// One window. Times are in seconds of CPU per connection.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) kind: Kind,
    pub(crate) pace: Pace,
    pub(crate) done: Done,
    /// All threads that work for the box.
    pub(crate) threads: f64,
    /// Of these, the kernel's that receives.
    pub(crate) receiving: f64,
    /// The core, less what it is busy with when the box is idle.
    pub(crate) core: f64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut samples = Vec::new();
    report::print_setting(options);
    for _ in 0..options.windows {
        for &pace in &options.loads {
            for &kind in &options.contestants {
                let sample = window(kind, pace, options)?;
                report::print_sample(&sample);
                samples.push(sample);
            }
        }
    }
    report::print_result(options, &samples);
    report::keep(options, &samples)
}

fn window(kind: Kind, pace: Pace, options: &Options) -> Result<Sample> {
    let contestant = Contestant::start(kind, &options.place)?;
    let load = Load {
        to: options.to,
        from: (options.from, options.sources),
        connections: options.connections,
        at_a_time: options.at_a_time,
        rate: pace.rate,
    };
    contestant.pause_between_interrupts(pace.pause)?;
    wait_until_it_connects(load)?;
    let account = Account::open(contestant.process(), &options.place.device, options.place.core)?;
    let before_idle = account.read()?;
    sleep(IDLE);
    let before = account.read()?;
    let done = client::run(load)?;
    let cost = account.read()?.since(&before);
    if done.failed > done.completed / 1000 {
        let reason = done.reason.unwrap_or_default();
        return Err(format!("{}: {} connections failed: {reason}", kind.name(), done.failed).into());
    }
    let idle = before.since(&before_idle).busy / IDLE.as_secs_f64() * done.seconds;
    let each = |seconds: f64| seconds / f64::from(done.completed);
    let (threads, receiving, core) = (each(cost.total()), each(cost.of("receiving")), each(cost.busy - idle));
    Ok(Sample { kind, pace, done, threads, receiving, core })
}

fn wait_until_it_connects(load: Load) -> Result<()> {
    let since = Stopwatch::start();
    // Several, so that every backend's neighbour is known.
    let probe = Load { connections: 64, at_a_time: 1, rate: 0, ..load };
    loop {
        pause();
        if client::probe(load.to, load.from.0) && client::run(probe)?.failed == 0 {
            return Ok(());
        }
        if since.elapsed() > START_LIMIT {
            return Err("it does not balance connections: see what it says above".into());
        }
    }
}
