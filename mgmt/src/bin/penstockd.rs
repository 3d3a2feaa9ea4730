//! The appliance daemon: workers and the management thread.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use mgmt::api::{Rights, public::PublicServer, request, server::Server};
use mgmt::cli::daemon::{DaemonArguments, LogFormat};
use mgmt::config::{self, Machine};
use mgmt::events::Events;
use mgmt::failover::guardian;
use mgmt::log::{Format, Log};
use mgmt::{files, launcher, rights, signals, supervisor};
use tokio::signal::unix::{SignalKind, signal};

/// Requests under way may take this long to finish when the daemon ends.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if guardian::become_guardian(&words) {
        return ExitCode::SUCCESS;
    }
    if let Some(why) = launcher::become_program(&words) {
        // The status is what shells give for it.
        eprintln!("cannot become the other program: {why}");
        return ExitCode::from(127);
    }
    let arguments = DaemonArguments::parse();
    let events = Arc::<Events>::default();
    let format = match arguments.log_format {
        LogFormat::Text => Format::text(),
        LogFormat::Json => Format::Json,
    };
    // The last lines are written when this is dropped, whatever ends the program.
    let mut log = Log::install(format, Arc::clone(&events));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(run(&arguments.config, events, &mut log));
            // Files whose server hangs may still be being read.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(format!("cannot start the management thread: {error}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tracing::error!("{why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(file: &Path, events: Arc<Events>, log: &mut Log) -> Result<(), String> {
    // Before anything takes long: a signal that comes meanwhile neither ends the daemon nor is lost.
    let cannot_catch = |error| format!("cannot catch signals: {error}");
    signals::log_strays().map_err(cannot_catch)?;
    let reload = signal(SignalKind::hangup()).map_err(cannot_catch)?;
    let machine = Machine::this();
    let refused = |errors: config::Errors| format!("cannot start:\n{errors}");
    let text = files::configuration(file).map_err(refused)?;
    let name = file.display().to_string();
    let (config, warnings) = config::load_str(&name, &text, &machine).map_err(refused)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let socket = config.node.control_socket();
    let bind = |socket, rights| Server::bind(socket, rights).map_err(|error| error.to_string());
    let (server, view) = (bind(&socket, Rights::Full)?, bind(&config.node.view_socket(), Rights::View)?);
    let public = match config.metrics.listen {
        Some(address) => Some(PublicServer::bind(address).await?),
        None => None,
    };
    // Sockets are bound, and there is no other thread yet.
    rights::give_up().map_err(|error| format!("cannot give up rights that are not needed: {error}"))?;
    log.start().map_err(|error| format!("cannot write the log: {error}"))?;
    // A reload would come too late to find out.
    files::configuration(file)
        .map_err(|errors| format!("cannot start: a reload could not read the file:\n{errors}"))?;
    let logs = (Arc::clone(&events), Arc::clone(log.queue()));
    let started = supervisor::start((file.to_owned(), text), machine, config, logs).await;
    let mut supervisor = started.map_err(|error| format!("cannot start: {error}"))?;
    let (sender, requests) = request::channel();
    let (stop, stopped) = tokio::sync::watch::channel(());
    let until_stopped = |mut stopped: tokio::sync::watch::Receiver<()>| async move {
        // When the sending end is dropped, too.
        let _: Result<(), _> = stopped.changed().await;
    };
    let viewing = tokio::spawn(view.run(sender.clone(), until_stopped(stopped.clone())));
    if let Some(public) = public {
        // Nobody waits for it at the end: it has nothing under way that matters.
        tokio::spawn(public.run(sender.clone(), until_stopped(stopped.clone())));
    }
    let serving = tokio::spawn(server.run(sender, until_stopped(stopped)));
    tracing::info!(event = "daemon", socket = %socket.display(), "ready");

    let end = supervisor.run(requests, reload).await;
    tracing::info!(event = "daemon", "stopping");
    supervisor.stop().await;
    events.end();
    drop(stop);
    // Whoever still waits for an answer gets none: the daemon ends.
    let served = async { (serving.await, viewing.await) };
    let _: Result<_, _> = tokio::time::timeout(LAST_REQUESTS, served).await;
    end.map(drop).map_err(|error| format!("cannot hear signals: {error}"))
}
