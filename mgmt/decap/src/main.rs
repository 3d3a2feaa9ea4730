//! Removes the outer headers of tunnelled packets on a backend whose kernel has no tunnel devices.

#![forbid(unsafe_code)]

use std::io;
use std::net::IpAddr;
use std::process::ExitCode;

use clap::Parser;
use penstock_afxdp::{Decapsulation, DecapsulationSetup, XdpPreference};
use penstock_types::Port;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Takes the outer headers off what a tunnel-mode service sends to this backend.
///
/// For backends whose kernel has no ipip, gre or fou module: an XDP program on the interface opens IPIP, GRE
/// and GUE packets to the given addresses, and Linux goes on with what was inside. The virtual IP must be an
/// address of the backend, on its loopback interface. Runs in the foreground; SIGTERM ends it, and the
/// program leaves the interface with it, however it ends.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example:\n  ip address add 10.0.0.100/32 dev lo\n  penstock-decap --interface eth0 --address 10.0.1.11"
)]
struct Arguments {
    /// The interface that the packets come in by
    #[arg(long, value_name = "NAME")]
    interface: String,
    /// An address of this backend that the packets are sent to; may be given several times
    #[arg(long = "address", value_name = "ADDRESS", required = true)]
    addresses: Vec<IpAddr>,
    /// The UDP port of GUE
    #[arg(long, value_name = "PORT", default_value_t = 6080, value_parser = clap::value_parser!(u16).range(1..))]
    gue_port: u16,
    /// Run behind the interface's driver instead of in it
    #[arg(long)]
    generic: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt().with_writer(io::stderr).with_target(false).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(format!("cannot start: {error}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tracing::error!("{why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), String> {
    // Before anything is attached, so that a signal that comes meanwhile is not lost.
    let no_handler = |error| format!("cannot install a signal handler: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(no_handler)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_handler)?;
    let _ignored = ignored().map_err(no_handler)?;
    let setup = DecapsulationSetup {
        interface: arguments.interface,
        addresses: arguments.addresses,
        gue_port: Port(arguments.gue_port),
        xdp: if arguments.generic { XdpPreference::Generic } else { XdpPreference::Auto },
    };
    let decapsulation = Decapsulation::start(&setup).map_err(|error| error.to_string())?;
    tracing::info!(interface = setup.interface, xdp = ?decapsulation.attachment(), "ready");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let counts = decapsulation.counts();
    tracing::info!(opened = counts.opened, dropped = counts.dropped, "stopping");
    Ok(())
}

/// Catches the signals that would end the program and must not: those of tools that dump the state of other daemons,
/// of timers and limits, and of a reload, since there is no file to read again.
fn ignored() -> io::Result<Vec<Signal>> {
    let named = [
        libc::SIGHUP,
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGALRM,
        libc::SIGVTALRM,
        libc::SIGPROF,
        libc::SIGIO,
        libc::SIGPWR,
        libc::SIGSTKFLT,
        libc::SIGXCPU,
        libc::SIGXFSZ,
    ];
    let all = named.into_iter().chain(libc::SIGRTMIN()..=libc::SIGRTMAX());
    all.map(|number| signal(SignalKind::from_raw(number))).collect()
}
