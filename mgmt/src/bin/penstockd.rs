//! The appliance daemon: workers and the management thread.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use mgmt::api::{Rights, public::PublicServer, request, server::Server};
use mgmt::cli::daemon::{DaemonArguments, LogFormat};
use mgmt::config::{self, Machine};
use mgmt::events::{Events, Recording};
use mgmt::failover::guardian;
use mgmt::health::check::script;
use mgmt::{rights, supervisor};
use sd_notify::NotifyState;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

/// Requests under way may take this long to finish when the daemon ends.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if guardian::become_guardian(&words) {
        return ExitCode::SUCCESS;
    }
    if let Some(error) = script::become_script(&words) {
        // Nobody reads more of it than its status, which is what shells give for it.
        eprintln!("cannot become the script: {error}");
        return ExitCode::from(127);
    }
    let arguments = DaemonArguments::parse();
    let events = Arc::<Events>::default();
    set_up_log(arguments.log_format, &events);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(&arguments.config, events)),
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

/// What is kept for who asks does not depend on what the filter lets into the log.
fn set_up_log(format: LogFormat, events: &Arc<Events>) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = fmt::layer().with_writer(std::io::stderr);
    let log = match format {
        LogFormat::Text => log.with_target(false).with_ansi(colours).with_filter(filter).boxed(),
        LogFormat::Json => log.json().with_filter(filter).boxed(),
    };
    tracing_subscriber::registry().with(log).with(Recording(Arc::clone(events))).init();
}

async fn run(file: &Path, events: Arc<Events>) -> Result<(), String> {
    let machine = Machine::this();
    let refused = |errors: config::Errors| format!("cannot start:\n{errors}");
    let text = config::read_file(file).map_err(refused)?;
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
    // A reload would come too late to find out.
    config::read_file(file)
        .map_err(|errors| format!("cannot start: a reload could not read the file:\n{errors}"))?;
    let started = supervisor::start((file.to_owned(), text), machine, config, Arc::clone(&events)).await;
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
    notify(&[NotifyState::Ready]);
    tracing::info!(event = "daemon", socket = %socket.display(), "ready");

    let end = supervisor.run(requests).await;
    notify(&[NotifyState::Stopping]);
    tracing::info!(event = "daemon", "stopping");
    supervisor.stop().await;
    events.end();
    drop(stop);
    // Whoever still waits for an answer gets none: the daemon ends.
    let served = async { (serving.await, viewing.await) };
    let _: Result<_, _> = tokio::time::timeout(LAST_REQUESTS, served).await;
    end.map(drop).map_err(|error| format!("cannot hear signals: {error}"))
}

/// Tells systemd, if it started the daemon.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd was not told");
    }
}
