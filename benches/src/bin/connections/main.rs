//! What a TCP connection costs the box in CPU time: `penstockd` in one-arm mode beside its peers.
//!
//! ```text
//!   [client: load generator ── br0 ── port] ── box's only interface [box: penstockd, HAProxy or nftables]
//!                               └── port ── server [server]
//! ```
//!
//! Client, bridge and server run on one core; all that the box does, receiving included, on another.
//! `scripts/compare` builds the namespaces and runs this; see there.

mod account;
mod client;
mod contestant;
mod measure;
mod report;
mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Bytes of a request and of a reply: one segment each.
const REQUEST: usize = 64;
const REPLY: usize = 128;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Measures the CPU time of TCP connections
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Be the client, start the contestants in turn, and compare
    Measure(measure::Options),
    /// Be the server until killed
    Serve(server::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().role {
        Role::Measure(options) => measure::run(&options),
        Role::Serve(options) => server::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("connections: {error}");
            ExitCode::FAILURE
        }
    }
}
