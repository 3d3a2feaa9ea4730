//! Opens tunnelled packets on a backend whose kernel has no tunnel devices.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use dataplane::types::Port;
use dataplane::{Decapsulation, DecapsulationSetup, XdpPreference};
use mgmt::cli::decap::DecapArguments;
use mgmt::log::{Format, Log};
use mgmt::signals;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let arguments = DecapArguments::parse();
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

async fn run(arguments: DecapArguments) -> Result<(), String> {
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
