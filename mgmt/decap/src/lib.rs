//! The arguments of `penstock-decap`, from which its manual page is made.

#![forbid(unsafe_code)]

use std::net::IpAddr;

use clap::Parser;

/// Takes the outer headers off what a tunnel-mode service sends to this backend.
///
/// For backends whose kernel has no ipip, gre or fou module: an XDP program on the interface opens IPIP, GRE
/// and GUE packets to the given addresses, and Linux goes on with what was inside. The virtual IP must be an
/// address of the backend, on its loopback interface. Runs in the foreground; SIGTERM ends it, and the
/// program leaves the interface with it, however it ends.
#[derive(Debug, Parser)]
#[command(
    name = "penstock-decap",
    version,
    after_help = "Example:\n  ip address add 10.0.0.100/32 dev lo\n  penstock-decap --interface eth0 --address 10.0.1.11"
)]
pub struct DecapArguments {
    /// The interface that the packets come in by
    #[arg(long, value_name = "NAME")]
    pub interface: String,
    /// An address of this backend that the packets are sent to; may be given several times
    #[arg(long = "address", value_name = "ADDRESS", required = true)]
    pub addresses: Vec<IpAddr>,
    /// The UDP port of GUE
    #[arg(long, value_name = "PORT", default_value_t = 6080, value_parser = clap::value_parser!(u16).range(1..))]
    pub gue_port: u16,
    /// Run behind the interface's driver instead of in it
    #[arg(long)]
    pub generic: bool,
}
