//! `penstock VERB`: a verb becomes one request on the control socket, its answer becomes text.
//!
//! Answers go to the standard output, everything else to the standard error. With `--json`, the
//! standard output gets the body as served, that of a refusal too.

mod args;
mod capture;
mod check;
mod client;
pub mod daemon;
pub mod decap;
mod doctor;
mod events;
mod import;
mod pages;
mod render;
mod table;
mod top;
mod trace;
mod transaction;
mod watch;

use std::io::{self, IsTerminal, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::api::request::{BackendRef, Refusal};
use crate::api::view;
use crate::config;
use crate::net::own_addresses_now;
pub use args::{BackendName, BackendVerb, Cli, PersistenceVerb, Verb, VrrpVerb};
pub use capture::CaptureArguments;
pub use client::{Answer, Call, ClientError, encoded, send};
pub use doctor::DoctorArguments;
pub use import::ImportVerb;
use render::Render;
use table::Style;
pub use trace::TraceArguments;
pub use transaction::ApplyArguments;

/// Why the exit status is 1.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Refused, here or by the daemon; the findings, if there are any, then the line that sums up.
    #[error("{findings}penstock: {message}")]
    Refused {
        /// Rendered, each followed by an empty line.
        findings: String,
        /// What, where, and what to do.
        message: String,
    },
    /// No daemon.
    #[error("penstock: {0}")]
    Daemon(#[from] ClientError),
    /// The answer could not be written.
    #[error("penstock: cannot write the answer: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    fn refused(message: impl Into<String>) -> Self {
        Self::Refused { findings: String::new(), message: message.into() }
    }

    /// Whether the reader has seen enough and left, as in `penstock flows | head`: no failure.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Where the answers go, and how.
#[derive(Debug)]
pub struct Terminal<O, E> {
    out: O,
    err: E,
    style: Style,
}

impl Terminal<io::Stdout, io::Stderr> {
    /// The process's own. Colours only where somebody looks and has not set `NO_COLOR`.
    #[must_use]
    pub fn standard() -> Self {
        let (out, err) = (io::stdout(), io::stderr());
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let style = if out.is_terminal() && !plain { Style::Coloured } else { Style::Plain };
        Self { out, err, style }
    }
}

impl<O: Write, E: Write> Terminal<O, E> {
    /// Without colours.
    pub fn plain(out: O, err: E) -> Self {
        Self { out, err, style: Style::Plain }
    }

    fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes())?;
        Ok(self.out.flush()?)
    }

    /// Warnings are not worth failing for if nobody can read them.
    fn warn(&mut self, diagnostics: &[config::Diagnostic]) {
        self.tell(&render::diagnostics(diagnostics));
    }

    fn tell(&mut self, text: &str) {
        let _ = self.err.write_all(text.as_bytes());
    }
}

/// Does what `cli` says. Needs a tokio runtime.
pub async fn run<O: Write, E: Write>(cli: Cli, terminal: &mut Terminal<O, E>) -> Result<(), Failure> {
    match cli.watch {
        Some(every) => watch::watch(cli, every, terminal).await,
        None => run_once(cli, terminal).await,
    }
}

async fn run_once<O: Write, E: Write>(cli: Cli, terminal: &mut Terminal<O, E>) -> Result<(), Failure> {
    let Cli { socket, json, verb, .. } = cli;
    let mut session = Session { socket, json, terminal };
    match verb {
        Verb::Check { file: Some(file), .. } => session.check(&file, &own_addresses_now().await),
        Verb::Check { file: None, .. } => session.terminal.print(&config::reference()),
        Verb::Doctor(arguments) => session.doctor(&arguments).await,
        Verb::Plan { file } => session.plan(&file).await,
        Verb::Apply(arguments) => session.apply(&arguments).await,
        Verb::Confirm => session.confirm().await,
        Verb::Rollback { number } => session.rollback(number).await,
        Verb::History { number } => session.history(number).await,
        Verb::Reload => session.change(Call::post("/v1/reload", "")).await.map(drop),
        Verb::Status => session.show::<view::Status>("/v1/status").await,
        Verb::Services { name: None } => session.show::<Vec<view::Service>>("/v1/services").await,
        Verb::Services { name: Some(name) } => {
            session.show::<view::Service>(&format!("/v1/services/{}", encoded(&name))).await
        }
        Verb::Flows { service, limit } => {
            let service = service.map(|name| format!("&service={}", encoded(&name))).unwrap_or_default();
            session.show::<Vec<view::Flow>>(&format!("/v1/flows?limit={limit}{service}")).await
        }
        Verb::Vrrp { what: None } => session.show::<Vec<view::Vrrp>>("/v1/vrrp").await,
        Verb::Vrrp { what: Some(VrrpVerb::Failover { name }) } => session.hand_over(&name).await,
        Verb::Interfaces => session.show::<Vec<view::Interface>>("/v1/interfaces").await,
        Verb::Neighbours => session.show::<Vec<view::Neighbour>>("/v1/neighbours").await,
        Verb::Stats => session.show::<view::Stats>("/v1/stats").await,
        Verb::Drops { code } => {
            let query = code.map(|code| format!("?code={}", encoded(&code))).unwrap_or_default();
            session.show::<Vec<view::Dropped>>(&format!("/v1/drops{query}")).await
        }
        Verb::Top => session.top().await,
        Verb::Events { follow, after } => session.events(after, follow).await,
        Verb::Capture(arguments) => session.capture(&arguments).await,
        Verb::Backend(verb) => session.backend(verb).await,
        Verb::Persistence { what: None, service } => {
            let query = service.map(|name| format!("?service={}", encoded(&name))).unwrap_or_default();
            session.show::<Vec<view::Client>>(&format!("/v1/persistence{query}")).await
        }
        Verb::Persistence { what: Some(PersistenceVerb::Flush { client }), service } => {
            session.flush(service, client).await
        }
        Verb::Explain { service, client } => {
            let path = format!("/v1/services/{}/explain?client={}", encoded(&service), encoded(&client));
            session.show::<view::Explained>(&path).await
        }
        Verb::Trace(arguments) => session.show::<view::Trace>(&arguments.path()).await,
        Verb::Import(verb) => import::run(&verb, session.terminal),
        Verb::Version => session.version().await,
        Verb::Completion { shell } => session.completion(shell),
        Verb::Man { folder } => session.man(&folder),
    }
}

struct Session<'t, O, E> {
    socket: PathBuf,
    json: bool,
    terminal: &'t mut Terminal<O, E>,
}

impl<O: Write, E: Write> Session<'_, O, E> {
    async fn show<T: DeserializeOwned + Render>(&mut self, path: &str) -> Result<(), Failure> {
        self.call::<T>(Call::get(path)).await.map(drop)
    }

    /// Sends `call`, prints its answer, and gives it back if it was not printed as JSON.
    async fn call<T: DeserializeOwned + Render>(&mut self, call: Call) -> Result<Option<T>, Failure> {
        let Answer { status, body } = send(&self.socket, call).await?;
        if self.json {
            self.terminal.print(&format!("{}\n", String::from_utf8_lossy(&body)))?;
        }
        if !status.is_success() {
            return Err(self.refusal(&body));
        }
        if self.json {
            return Ok(None);
        }
        let view: T = serde_json::from_slice(&body).map_err(|error| {
            Failure::refused(format!(
                "the daemon's answer is not understood ({error}): is it of another version? --json shows it"
            ))
        })?;
        self.terminal.print(&view.render(self.terminal.style))?;
        Ok(Some(view))
    }

    fn refusal(&self, body: &[u8]) -> Failure {
        match serde_json::from_slice::<view::Refused>(body) {
            Ok(view::Refused { error, details }) => {
                // With --json the findings stand in the body already.
                let findings = if self.json { String::new() } else { render::diagnostics(&details) };
                Failure::Refused { findings, message: error }
            }
            Err(_) => Failure::refused(String::from_utf8_lossy(body).trim().to_owned()),
        }
    }

    async fn hand_over(&mut self, name: &str) -> Result<(), Failure> {
        let path = format!("/v1/vrrp/{}/failover", encoded(name));
        if self.call::<view::VrrpState>(Call::post(path, "")).await?.is_some() {
            self.terminal.print(&format!("{name}: another box may be master now\n"))?;
        }
        Ok(())
    }

    async fn backend(&mut self, verb: BackendVerb) -> Result<(), Failure> {
        let admin = |admin| view::BackendChange { admin: Some(admin), ..view::BackendChange::default() };
        let (BackendName { service, backend, save }, change) = match verb {
            BackendVerb::Enable(name) => (name, admin(view::Admin::Enabled)),
            BackendVerb::Disable(name) => (name, admin(view::Admin::Disabled)),
            BackendVerb::Drain(name) => (name, admin(view::Admin::Drain)),
            BackendVerb::Weight { name, weight } => {
                (name, view::BackendChange { weight: Some(weight), ..view::BackendChange::default() })
            }
        };
        BackendRef::parse(&service, &backend).map_err(Failure::refused)?;
        let path = format!("/v1/services/{}/backends/{}", encoded(&service), encoded(&backend));
        let change = view::BackendChange { save, ..change };
        let body = serde_json::to_vec(&change).map_err(io::Error::from)?;
        self.call::<view::Backend>(Call { method: hyper::Method::PATCH, path, body }).await.map(drop)
    }

    async fn flush(&mut self, service: Option<String>, client: Option<IpAddr>) -> Result<(), Failure> {
        let service = service.map(|name| format!("service={}&", encoded(&name))).unwrap_or_default();
        let client = client.map(|client| format!("client={client}")).unwrap_or_default();
        let path = format!("/v1/persistence?{service}{client}");
        let call = Call { method: hyper::Method::DELETE, path, body: Vec::new() };
        self.call::<view::Forgotten>(call).await.map(drop)
    }

    /// Says its own version in any case: a daemon that does not answer is no failure here.
    async fn version(&mut self) -> Result<(), Failure> {
        let own = env!("CARGO_PKG_VERSION");
        let answer = send(&self.socket, Call::get("/v1/status")).await.ok();
        let status = answer.and_then(|answer| serde_json::from_slice::<view::Status>(&answer.body).ok());
        let daemon = status.map(|status| status.version);
        if self.json {
            return self.print_json(&serde_json::json!({ "version": own, "daemon": daemon }));
        }
        let daemon = daemon.unwrap_or_else(|| "does not answer".to_owned());
        self.terminal.print(&format!("penstock  {own}\npenstockd {daemon}\n"))
    }

    fn print_json(&mut self, view: &impl serde::Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(view).map_err(io::Error::from)?;
        self.terminal.print(&format!("{text}\n"))
    }
}

fn name_of(file: &Path) -> String {
    file.display().to_string()
}

fn invalid(file: &Path, errors: config::Errors) -> Failure {
    let Refusal { message, details, .. } = Refusal::invalid(&name_of(file), errors);
    Failure::Refused { findings: render::diagnostics(&details), message }
}

#[cfg(test)]
mod tests;
