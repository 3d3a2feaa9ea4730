//! What may be typed: the verbs, their arguments and their help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Where the daemon listens unless it was told otherwise.
const DEFAULT_SOCKET: &str = "/run/penstock/control.sock";

/// Look at a Penstock load balancer and steer it.
#[derive(Debug, Clone, Parser)]
#[command(name = "penstock", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "\
Examples:
  penstock check /etc/penstock/penstock.toml          find all errors of a file, without a daemon
  penstock services                                   what is up, and who carries what
  penstock backend drain web 10.0.1.11:8080           let a backend finish what it has
  penstock --json stats | jq .drops                   the same figures for scripts
  penstock services --watch                           again every second
  penstock apply new.toml --confirm 60s               taken back unless confirmed

Exit status: 0 done, 1 refused or failed, 2 not understood.")]
pub struct Cli {
    /// The daemon's control socket
    #[arg(long, global = true, value_name = "PATH", env = "PENSTOCK_SOCKET", default_value = DEFAULT_SOCKET)]
    pub socket: PathBuf,
    /// Print the daemon's answer as it came, in JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Print the same again and again, every second or as often as it says
    #[arg(long, global = true, value_name = "TIME", num_args = 0..=1, require_equals = true,
          default_missing_value = "1s", value_parser = humantime::parse_duration)]
    pub watch: Option<Duration>,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs, in the order of the help.
#[derive(Debug, Clone, Subcommand)]
pub enum Verb {
    /// Check a configuration file, here and without the daemon
    ///
    /// Reports every error of the file with its place and what to do. Nothing is changed.
    #[command(
        after_help = "Examples:\n  penstock check lb.toml\n  penstock check --reference > reference.toml"
    )]
    Check {
        /// The file
        #[arg(required_unless_present = "reference")]
        file: Option<PathBuf>,
        /// Print a file of all keys instead, with their defaults, ranges and meanings
        #[arg(long, conflicts_with = "file")]
        reference: bool,
    },
    /// Say what of this machine is in the way of a configuration
    ///
    /// Looks at the kernel, the cores, the memory and the interfaces, and says what to change. Exit status 1: the box would
    /// not run as it is configured.
    #[command(after_help = "Example:\n  penstock doctor --config /etc/penstock/penstock.toml")]
    Doctor(super::DoctorArguments),
    /// Say what a configuration file would change
    ///
    /// The daemon compares the file with the configuration in force. Nothing is changed.
    #[command(after_help = "Example:\n  penstock plan new.toml")]
    Plan {
        /// The file
        file: PathBuf,
    },
    /// Put a configuration file in force
    ///
    /// The file's text is sent to the daemon, which holds it until it stops or reloads. The daemon's
    /// own file stays as it is: to keep the change, write it there too.
    #[command(
        after_help = "Example:\n  penstock apply new.toml --confirm 60s    and when all is well: penstock confirm"
    )]
    Apply(super::ApplyArguments),
    /// Keep what was applied with --confirm
    #[command(
        after_help = "Example:\n  penstock apply new.toml --confirm 60s && curl http://10.0.0.100/ && penstock confirm"
    )]
    Confirm,
    /// Put the configuration in force that was before this one, or another one of the history
    #[command(
        after_help = "Examples:\n  penstock rollback      what was in force before\n  penstock rollback 7    what `penstock history` has under that number"
    )]
    Rollback {
        /// Its number in the history
        number: Option<u64>,
    },
    /// The last 20 configurations that were put in force, with who and when
    #[command(after_help = "Examples:\n  penstock history\n  penstock history 7 > old.toml")]
    History {
        /// Print the text of this one
        number: Option<u64>,
    },
    /// Let the daemon read its own file anew
    ///
    /// A file with errors changes nothing. Established connections go on.
    #[command(after_help = "Example:\n  penstock check /etc/penstock/penstock.toml && penstock reload")]
    Reload,
    /// The box: interfaces, workers, flow table
    #[command(after_help = "Example:\n  penstock status --watch")]
    Status,
    /// The services and their backends, with counters
    #[command(
        after_help = "Examples:\n  penstock services\n  penstock services web    with each check, and what went up and down"
    )]
    Services {
        /// Only this service
        name: Option<String>,
    },
    /// Connections in the flow table
    #[command(after_help = "Example:\n  penstock flows --service web --limit 20")]
    Flows {
        /// Only those of this service
        #[arg(long, value_name = "NAME")]
        service: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// The VRRP instances, or what to do with one
    #[command(
        after_help = "Examples:\n  penstock vrrp\n  penstock vrrp failover outside    give up mastership, without loss"
    )]
    Vrrp {
        /// Without a verb they are listed.
        #[command(subcommand)]
        what: Option<VrrpVerb>,
    },
    /// The interfaces that carry service traffic
    #[command(after_help = "Example:\n  penstock interfaces    how each NIC is really driven")]
    Interfaces,
    /// The next hops that services need, and their MAC addresses
    #[command(after_help = "Example:\n  penstock neighbours")]
    Neighbours,
    /// Where frames went, and why some were dropped
    #[command(after_help = "Examples:\n  penstock stats --watch=2s\n  penstock --json stats | jq .drops")]
    Stats,
    /// What was dropped last, and why
    ///
    /// Of each reason the count, what it means, and the last frames' headers. Reasons without a frame are left out, unless
    /// --json asks for all or --code for one.
    #[command(
        after_help = "Examples:\n  penstock drops\n  penstock drops --code no-flow --watch\n  penstock --json drops | jq -r '.[].frames[].frame'    what 'penstock trace --hex' takes"
    )]
    Drops {
        /// Only this reason
        #[arg(long, value_name = "CODE")]
        code: Option<String>,
    },
    /// Services, backends, rates, clients and drops on the whole terminal, as they change
    ///
    /// q leaves, ? shows the keys.
    #[command(after_help = "Example:\n  penstock top")]
    Top,
    /// What has happened: configurations, backends, virtual routers, interfaces
    ///
    /// The last thousand lines of the daemon's log, from `info` on, whatever its filter leaves out.
    #[command(
        after_help = "Examples:\n  penstock events\n  penstock events --follow\n  penstock --json events --follow | jq -r 'select(.kind == \"backend\") | .text'"
    )]
    Events {
        /// Go on with what happens
        #[arg(long, short)]
        follow: bool,
        /// Only those after this number
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: u64,
    },
    /// Write packets into a file: as they came, as they left, and what became of them
    ///
    /// The file is pcapng, for Wireshark and tshark. Each packet is in it twice, before and after the rewrite, the first
    /// time with its fate as a comment. One capture at a time is possible; Ctrl-C ends it.
    Capture(super::CaptureArguments),
    /// Enable, disable or drain a backend, or change its weight
    ///
    /// Holds until the daemon stops, or for good with --save.
    #[command(subcommand)]
    Backend(BackendVerb),
    /// Clients that are remembered with their servers
    #[command(
        after_help = "Examples:\n  penstock persistence --service web\n  penstock persistence flush --client 192.0.2.7"
    )]
    Persistence {
        /// Without a verb they are listed.
        #[command(subcommand)]
        what: Option<PersistenceVerb>,
        /// Only those of this service
        #[arg(long, value_name = "NAME", global = true)]
        service: Option<String>,
    },
    /// Which backend a client would get now, and why
    ///
    /// The answer comes from the code that workers choose by. Nothing is changed by asking.
    #[command(after_help = "Example:\n  penstock explain web --client 192.0.2.7:40112")]
    Explain {
        /// The service
        service: String,
        /// Its client; without a port, port 0
        #[arg(long, value_name = "ADDRESS[:PORT]")]
        client: String,
    },
    /// What would happen to a packet, stage by stage, and why
    ///
    /// The answer comes from the code that workers run. Nothing is sent, counted or remembered.
    Trace(super::TraceArguments),
    /// Write a configuration out of another load balancer's
    ///
    /// Each line that has no counterpart is named, in the result as a comment and on the standard error.
    #[command(subcommand)]
    Import(super::ImportVerb),
    /// The version of this program, and of the daemon if it answers
    #[command(after_help = "Example:\n  penstock version")]
    Version,
    /// A completion script for a shell
    #[command(after_help = "Example:\n  penstock completion bash > /etc/bash_completion.d/penstock")]
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write man pages into a folder
    #[command(hide = true)]
    Man {
        /// The folder
        folder: PathBuf,
    },
}

/// What to do with a VRRP instance.
#[derive(Debug, Clone, Subcommand)]
pub enum VrrpVerb {
    /// Let another box be master: this one answers until it hears the other
    #[command(after_help = "Example:\n  penstock vrrp failover outside")]
    Failover {
        /// The instance
        name: String,
    },
}

/// What to do with clients that are remembered.
#[derive(Debug, Clone, Subcommand)]
pub enum PersistenceVerb {
    /// Forget them: their next connections are for the scheduler to place. None is cut
    #[command(after_help = "Example:\n  penstock persistence flush --service web --client 192.0.2.7")]
    Flush {
        /// Only this client
        #[arg(long, value_name = "ADDRESS")]
        client: Option<std::net::IpAddr>,
    },
}

/// What to do with a backend.
#[derive(Debug, Clone, Subcommand)]
pub enum BackendVerb {
    /// Give it new connections again
    Enable(BackendName),
    /// Take it out at once: no new connections, and those it has end
    Disable(BackendName),
    /// Give it no new connections, and let those it has go on
    Drain(BackendName),
    /// Change its share of the new connections
    Weight {
        /// Which backend
        #[command(flatten)]
        name: BackendName,
        /// 0 to 65535; 0 takes no new connections
        weight: u16,
    },
}

/// Which backend.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  \
    penstock backend drain web 10.0.1.11\n  \
    penstock backend drain web 10.0.1.11:8080\n  \
    penstock backend weight web6 [2001:db8::11]:8080 50")]
pub struct BackendName {
    /// The service
    pub service: String,
    /// ADDRESS or ADDRESS:PORT of the backend; IPv6 with a port in brackets
    #[arg(value_name = "ADDRESS[:PORT]")]
    pub backend: String,
    /// Write it into the daemon's configuration file too; its comments stay
    #[arg(long)]
    pub save: bool,
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
