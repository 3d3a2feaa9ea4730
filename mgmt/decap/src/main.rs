//! Removes the outer headers of tunnelled packets on a backend whose kernel has no tunnel devices.

#![forbid(unsafe_code)]

use std::io;
use std::process::ExitCode;

use clap::Parser;
use penstock_afxdp::{Decapsulation, DecapsulationSetup, XdpPreference};
use penstock_decap::DecapArguments;
use penstock_types::Port;
use tokio::signal::unix::{Signal, SignalKind, signal};

fn main() -> ExitCode {
    let arguments = DecapArguments::parse();
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

async fn run(arguments: DecapArguments) -> Result<(), String> {
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
