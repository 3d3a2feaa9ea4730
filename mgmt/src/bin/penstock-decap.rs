//! Opens tunnelled packets on a backend whose kernel has no tunnel devices.

use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use dataplane::types::Port;
use dataplane::{Decapsulation, DecapsulationSetup, XdpPreference};
use mgmt::log::{Format, Log};
use mgmt::signals;
use tokio::signal::unix::{SignalKind, signal};

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
    let mut log = Log::install(Format::text(), Arc::default());
    if let Err(error) = log.start() {
        tracing::error!("cannot write the log: {error}");
        return ExitCode::FAILURE;
    }
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
    let cannot_hear = |error| format!("cannot hear signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot_hear)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot_hear)?;
    signals::log_strays().map_err(cannot_hear)?;
    // There is no file to read again.
    let _hangup = signal(SignalKind::hangup()).map_err(cannot_hear)?;
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
