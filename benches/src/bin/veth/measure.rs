//! The windows: each contestant in turn, again and again.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use dataplane::types::Mac;
use penstock_benches::clock::{Stopwatch, pause, sleep};

use crate::contestant::{Contestant, Losses};
use crate::generator::Generator;
use crate::kind::Kind;
use crate::sink::Sink;
use crate::{Result, SINK, device, report};

/// A process that forwards nothing by then has failed to start.
const START_LIMIT: Duration = Duration::from_secs(10);
/// Frames per second that the generator is expected to make before it has made any.
const FIRST_PACE: f64 = 2e6;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The box's network namespace
    #[arg(long)]
    pub(crate) namespace: String,
    /// The MAC address of the box's interface towards the generator
    #[arg(long)]
    ingress: Mac,
    /// The daemon
    #[arg(long)]
    pub(crate) penstockd: PathBuf,
    /// The operator's tool
    #[arg(long)]
    pub(crate) penstock: PathBuf,
    /// The contestants' configurations: dsr.toml, router.toml, rules.nft; the daemon runs in its `run`
    #[arg(long)]
    pub(crate) directory: PathBuf,
    /// The box's core, as configured
    #[arg(long)]
    pub(crate) core: usize,
    /// The core of all that is outside the box
    #[arg(long)]
    pub(crate) outer_core: usize,
    /// Who takes part, in this order
    #[arg(long, value_delimiter = ',', default_value = "forwarder,dsr")]
    pub(crate) contestants: Vec<Kind>,
    /// Keep the results for the plot
    #[arg(long)]
    keep: bool,
    /// Windows of each
    #[arg(long)]
    pub(crate) windows: usize,
    /// Seconds of a window
    #[arg(long)]
    pub(crate) seconds: f64,
    /// Seconds of traffic before it
    #[arg(long)]
    pub(crate) warm_up: f64,
    /// Flows, a power of two
    #[arg(long)]
    pub(crate) flows: u32,
}

impl Options {
    pub(crate) fn sink_mac(&self) -> Result<Mac> {
        device::mac(SINK)
    }
}

/// One window.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) kind: Kind,
    /// Frames per second at the sink.
    pub(crate) rate: f64,
    /// Frames per second from the generator.
    pub(crate) offered: f64,
    /// The part of the time that its core was its own. Below 1, other jobs have disturbed.
    pub(crate) core_share: f64,
    /// Frames sent, delivered and lost, warm-up included.
    pub(crate) sent: u64,
    pub(crate) delivered: u64,
    pub(crate) losses: Losses,
    /// Flows in the table at the window's end, where there is one.
    pub(crate) flows: Option<u64>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let generator = Generator::load(options.ingress, options.flows)?;
    let mut bench = Bench { generator, sink: Sink::attach()?, options, pace: FIRST_PACE };
    let (mut samples, mut kinds) = (Vec::new(), options.contestants.clone());
    report::print_setting(options);
    for _ in 0..options.windows {
        for kind in kinds.clone() {
            match bench.window(kind) {
                Ok(sample) => {
                    report::print_sample(&sample);
                    samples.push(sample);
                }
                // One that cannot run here is left out, and the others go on.
                Err(reason) if kind == Kind::Testpmd => {
                    println!("  {reason}");
                    kinds.retain(|other| *other != kind);
                }
                Err(reason) => return Err(reason),
            }
        }
    }
    samples.retain(|sample| kinds.contains(&sample.kind));
    report::print_result(&kinds, &samples);
    let arrived = bench.sink.arrived()?;
    if arrived.strange > arrived.delivered / 1000 {
        return Err(format!("{} frames arrived that were not addressed to the sink", arrived.strange).into());
    }
    if options.keep { report::keep(&kinds, &samples) } else { Ok(()) }
}

struct Bench<'o> {
    generator: Generator,
    sink: Sink,
    options: &'o Options,
    /// What the generator has made last, in frames per second.
    pace: f64,
}

/// What a window has seen.
struct Seen {
    rate: f64,
    offered: f64,
    core_share: f64,
    flows: Option<u64>,
}

impl<'o> Bench<'o> {
    fn window(&mut self, kind: Kind) -> Result<Sample> {
        let mut contestant = Contestant::start(kind, self.options)?;
        self.wait_until_it_forwards(&mut contestant)?;
        let (sent, delivered) = self.counts()?;
        let Seen { rate, offered, core_share, flows } = self.under_load(&contestant)?;
        self.pace = offered;
        let losses = contestant.stop()?;
        let at_last = self.counts()?;
        let (sent, delivered) = (at_last.0 - sent, at_last.1 - delivered);
        Ok(Sample { kind, rate, offered, core_share, sent, delivered, losses, flows })
    }

    fn wait_until_it_forwards(&self, contestant: &mut Contestant<'o>) -> Result<()> {
        let (_, before) = self.counts()?;
        let since = Stopwatch::start();
        while self.counts()?.1 == before {
            if contestant.has_ended() || since.elapsed() > START_LIMIT {
                return Err(contestant.complaint().into());
            }
            self.generator.probe()?;
            pause();
        }
        Ok(())
    }

    /// Warms up and watches, while another thread generates.
    fn under_load(&self, contestant: &Contestant<'o>) -> Result<Seen> {
        let Options { warm_up, seconds, .. } = *self.options;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` keeps to u32")]
        let frames = (self.pace * (warm_up + seconds) * 1.2) as u32;
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let flood = scope.spawn(|| self.generator.flood(frames, &stop).map_err(|e| e.to_string()));
            let seen = self.watch(warm_up, seconds, contestant);
            stop.store(true, Ordering::Relaxed);
            flood.join().map_err(|_| "the generator panicked")??;
            seen
        })
    }

    fn watch(&self, warm_up: f64, seconds: f64, contestant: &Contestant<'o>) -> Result<Seen> {
        sleep(Duration::try_from_secs_f64(warm_up)?);
        let since = Stopwatch::start();
        let (before, worked) = (self.counts()?, contestant.worked()?);
        sleep(Duration::try_from_secs_f64(seconds)?);
        let after = self.counts()?;
        let seconds = since.elapsed().as_secs_f64();
        let core_share = (contestant.worked()? - worked) / seconds;
        let flows = contestant.flows()?;
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 frames")]
        let rate = |before: u64, after: u64| (after - before) as f64 / seconds;
        Ok(Seen { rate: rate(before.1, after.1), offered: rate(before.0, after.0), core_share, flows })
    }

    /// Frames sent and delivered so far.
    fn counts(&self) -> Result<(u64, u64)> {
        Ok((self.generator.sent()?, self.sink.arrived()?.delivered))
    }
}
