//! The whole data plane on veth, beside a bare forwarder over the same AF_XDP layer, and beside others.
//!
//! ```text
//!   generator ── g0 │ eth0 [box: one contestant] eth1 │ s0 ── sink
//! ```
//!
//! Generator and sink share a namespace and are XDP programs: frames are counted where they arrive,
//! never where they are sent. `scripts/compare` builds the namespaces and runs this; see there.

mod contestant;
mod device;
mod flood;
mod forward;
mod generator;
mod kind;
mod measure;
mod report;
mod sink;

use std::net::Ipv4Addr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What frames are addressed to, as in the configurations that `scripts/bench/forwarding.sh` writes.
const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
const VIP_PORT: u16 = 53;
/// Where contestants that translate addresses send them: 10.0.1.0/24.
const BACKENDS: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 0);
/// The box's interfaces.
const INGRESS: &str = "eth0";
const EGRESS: &str = "eth1";
/// Their other ends.
const GENERATOR: &str = "g0";
const SINK: &str = "s0";

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Measures throughput on veth
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Generate, count and compare, from outside the box
    Measure(measure::Options),
    /// Be the bare forwarder, inside the box, until standard input ends
    Forward(forward::Options),
    /// Generate, and measure nothing
    Flood(flood::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().role {
        Role::Measure(options) => measure::run(&options),
        Role::Forward(options) => forward::run(&options),
        Role::Flood(options) => flood::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-veth: {error}");
            ExitCode::FAILURE
        }
    }
}
