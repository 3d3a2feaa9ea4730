//! The bare forwarder as a process in the box.
//!
//! Says what it has counted when its standard input ends, in the words of `penstock stats --json`.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use dataplane::bench::{Forwarded, Forwarder};
use dataplane::types::Mac;
use dataplane::{InterfaceSetup, XdpPreference};
use serde_json::json;

use crate::{EGRESS, INGRESS, Result, VIP, device};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The core to run on
    #[arg(long)]
    core: usize,
    /// The MAC address to send frames to
    #[arg(long)]
    destination: Mac,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let forwarder = Forwarder {
        ingress: setup(INGRESS)?,
        egress: setup(EGRESS)?,
        vip: VIP.into(),
        own: device::mac(INGRESS)?,
        source: device::mac(EGRESS)?,
        destination: options.destination,
        core: options.core,
    };
    let stop = AtomicBool::new(false);
    let counted = std::thread::scope(|scope| {
        let thread = scope.spawn(|| forwarder.run(&stop).map_err(|error| error.to_string()));
        let ended = std::io::stdin().read_to_end(&mut Vec::new());
        stop.store(true, Ordering::Relaxed);
        let counted = thread.join().map_err(|_| "the forwarder panicked")??;
        ended?;
        Ok::<_, Box<dyn std::error::Error>>(counted)
    })?;
    println!("{}", stats(&counted));
    Ok(())
}

fn setup(interface: &str) -> Result<InterfaceSetup> {
    Ok(InterfaceSetup { name: interface.into(), index: device::index(interface)?, xdp: XdpPreference::Auto })
}

fn stats(counted: &Forwarded) -> serde_json::Value {
    let rings = counted
        .rings
        .iter()
        .map(|ring| json!({"rx_ring_full": ring.rx_ring_full, "rx_dropped": ring.rx_dropped}));
    let rings: Vec<_> = rings.collect();
    json!({
        "frames": {"forwarded": counted.forwarded},
        "drops": [{"code": "tx-ring-full", "count": counted.tx_ring_full}],
        "rings": rings,
    })
}
