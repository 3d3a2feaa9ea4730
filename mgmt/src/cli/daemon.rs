//! What may be typed behind `penstockd`.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// An L4 load balancer over AF_XDP: workers on dedicated cores, and the management thread.
///
/// Runs in the foreground and logs to standard error. SIGHUP reads the configuration anew, SIGTERM ends
/// it gracefully, and SIGUSR1 and SIGUSR2 have no effect: `penstock vrrp` and `penstock stats` show the state. The
/// operator's tool is `penstock`.
#[derive(Debug, Parser)]
#[command(
    name = "penstockd",
    version,
    after_help = "Example:\n  penstockd --config /etc/penstock/penstock.toml\n\nThe log's detail is set by the environment variable RUST_LOG, as in RUST_LOG=debug."
)]
pub struct DaemonArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The form of log lines
    #[arg(long, value_enum, default_value = "text", value_name = "FORM")]
    pub log_format: LogFormat,
}

/// What a line of the log looks like.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}
