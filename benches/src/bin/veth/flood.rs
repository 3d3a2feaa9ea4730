//! The generator alone, for whoever wants to see what a flood does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use dataplane::types::Mac;
use penstock_benches::clock::{Stopwatch, sleep};

use crate::Result;
use crate::generator::Generator;

/// Frames of one call: short enough that the end is not missed by much.
const AT_ONCE: u32 = 1 << 18;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The MAC address to send frames to
    #[arg(long)]
    to: Mac,
    /// How long
    #[arg(long)]
    seconds: u64,
    /// Flows, a power of two
    #[arg(long, default_value_t = 1 << 16)]
    flows: u32,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let generator = Generator::load(options.to, options.flows)?;
    let (stop, start) = (AtomicBool::new(false), Stopwatch::start());
    let flooded = std::thread::scope(|scope| {
        let flood = scope.spawn(|| generator.flood(AT_ONCE, &stop).map_err(|error| error.to_string()));
        sleep(Duration::from_secs(options.seconds));
        stop.store(true, Ordering::Relaxed);
        flood.join().map_err(|_| "the generator panicked")?
    });
    flooded?;
    let (sent, seconds) = (generator.sent()?, start.elapsed().as_secs_f64());
    println!("{:.2} million frames per second for {seconds:.0} s", sent as f64 / seconds / 1e6);
    Ok(())
}
