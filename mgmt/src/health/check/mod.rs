//! One check a file. What is more than a few lines of a protocol is pure and takes bytes; the rest
//! opens sockets, and ends at the deadline that [`Runner::run`] keeps for all of them.

pub mod agent;
pub mod bfd;
pub mod dns;
pub mod examine;
pub mod file;
pub mod http;
pub mod ping;
pub mod script;
pub mod smtp;
pub mod socket;
pub mod tcp;
pub mod tls;
pub mod udp;

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dataplane::types::Port;

use super::tracker::Outcome;
use super::ways::Way;
use crate::bfd::board::Board;
use crate::config::health::{Agent, Bind, Dns, Http, Kind, Smtp, Udp};
use crate::launcher::Launcher;

/// Whom a check asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The address.
    pub address: IpAddr,
    /// The port, for those that have one.
    pub port: Port,
    /// Where packets come from.
    pub bind: Option<Bind>,
    /// The data path, if they take it.
    pub way: Option<Way>,
}

impl Target {
    fn socket_address(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port.0)
    }
}

const CONNECTING: &str = "connecting";
const READING: &str = "reading its files";

/// What a check is at, for who asks why it took too long.
#[derive(Debug)]
pub struct Stage(Cell<&'static str>);

impl Stage {
    fn at(stage: &'static str) -> Self {
        Self(Cell::new(stage))
    }

    fn is(&self, stage: &'static str) {
        self.0.set(stage);
    }
}

/// A check, ready to run any number of times.
#[derive(Debug, Clone)]
pub enum Runner {
    /// See [`tcp`].
    Tcp,
    /// See [`ping`].
    Ping,
    /// See [`http`].
    Http(Arc<Http>, Option<tls::Shelved>),
    /// See [`script`].
    Script(Arc<script::Prepared>),
    /// See [`smtp`].
    Smtp(Arc<Smtp>, Option<tls::Shelved>),
    /// See [`dns`].
    Dns(Arc<Dns>),
    /// See [`udp`].
    Udp(Arc<Udp>),
    /// See [`file`](mod@file).
    File(Arc<file::Watched>),
    /// See [`agent`].
    Agent(Arc<Agent>),
    /// See [`bfd`].
    Bfd(Arc<bfd::Watcher>),
    /// It cannot run, for this reason: a right is missing.
    Broken(Arc<str>),
}

/// What runners are made with.
#[derive(Debug, Default)]
pub struct Workshop {
    /// The settings of TLS, each made once for all backends.
    tls: tls::Store,
    /// How programs are started.
    launcher: Launcher,
    /// Where sessions of BFD are known.
    sessions: Arc<Board>,
}

impl Workshop {
    /// `sessions`: where those of BFD are known.
    #[must_use]
    pub fn new(launcher: Launcher, sessions: Arc<Board>) -> Self {
        Self { tls: tls::Store::default(), launcher, sessions }
    }

    /// Files that checks name may be others from now on.
    pub fn begin(&mut self) {
        self.tls.begin();
    }

    /// Makes a check ready to run. Waits for nothing: files that it names are read when it runs.
    pub fn runner(&mut self, kind: &Kind, script: script::Context) -> Runner {
        let mut client = |tls| self.tls.client(tls);
        match kind {
            Kind::Tcp => Runner::Tcp,
            Kind::Ping => Runner::Ping,
            Kind::Http(http) => Runner::Http(Arc::clone(http), None),
            Kind::Https(http, tls) => Runner::Http(Arc::clone(http), Some(client(tls))),
            Kind::Script(written) => match script::Prepared::new(written, &self.launcher, script) {
                Ok(prepared) => Runner::Script(Arc::new(prepared)),
                Err(why) => Runner::Broken(why.into()),
            },
            Kind::Smtp(smtp) => Runner::Smtp(Arc::clone(smtp), smtp.starttls.as_ref().map(client)),
            Kind::Dns(dns) => Runner::Dns(Arc::clone(dns)),
            Kind::Udp(udp) => Runner::Udp(Arc::clone(udp)),
            Kind::File(path) => Runner::File(Arc::new(file::Watched::new(path))),
            Kind::Agent(agent) => Runner::Agent(Arc::clone(agent)),
            Kind::Bfd(keys) => {
                Runner::Bfd(Arc::new(bfd::Watcher::new(Arc::clone(keys), Arc::clone(&self.sessions))))
            }
        }
    }
}

/// TLS as a check has it, once its files are read.
async fn client(tls: Option<&tls::Shelved>, stage: &Stage) -> Result<Option<tls::Client>, Outcome> {
    let Some(tls) = tls else { return Ok(None) };
    stage.is(READING);
    let client = tls.client().await?;
    stage.is(CONNECTING);
    Ok(Some(client))
}

impl Runner {
    /// Whether it starts a process.
    #[must_use]
    pub fn is_process(&self) -> bool {
        matches!(self, Self::Script(_))
    }

    /// Runs it once. Dropped at its deadline, which closes what it has opened.
    pub async fn run(&self, target: &Target, timeout: Duration) -> Outcome {
        let stage = Stage::at(CONNECTING);
        match tokio::time::timeout(timeout, self.once(target, timeout, &stage)).await {
            Ok(Ok(outcome) | Err(outcome)) => outcome,
            Err(_) => self.too_long(stage.0.get(), timeout),
        }
    }

    async fn once(&self, target: &Target, timeout: Duration, stage: &Stage) -> Result<Outcome, Outcome> {
        match self {
            Self::Tcp => tcp::run(target).await,
            Self::Ping => ping::run(target).await,
            Self::Http(http, tls) => {
                http::run(http, client(tls.as_ref(), stage).await?.as_ref(), target, stage).await
            }
            Self::Script(script) => Ok(script.run(target, timeout).await),
            Self::Smtp(smtp, tls) => {
                smtp::run(smtp, client(tls.as_ref(), stage).await?.as_ref(), target, stage).await
            }
            Self::Dns(dns) => dns::run(dns, target, timeout, stage).await,
            Self::Udp(udp) => udp::run(udp, target, timeout).await,
            Self::File(file) => file::run(file).await,
            Self::Agent(agent) => agent::run(agent, target).await,
            Self::Bfd(watcher) => Ok(watcher.run(target).await),
            Self::Broken(why) => Err(Outcome::cannot_run(why)),
        }
    }

    fn too_long(&self, stage: &'static str, timeout: Duration) -> Outcome {
        let time = humantime::format_duration(timeout);
        match self {
            _ if stage == READING => Outcome::cannot_run(format!(
                "its files of TLS were not read within {time}: their disk or server hangs"
            )),
            Self::Ping => Outcome::fail(format!("no echo reply within {time}")),
            Self::Script(_) => Outcome::fail(format!("killed after {time}")),
            Self::File(_) => Outcome::fail(format!("the file was not read within {time}")),
            // An agent that is not there takes nothing back that it has said.
            Self::Agent(_) => Outcome::no_news(format!("the agent said nothing within {time}")),
            Self::Tcp
            | Self::Http(..)
            | Self::Smtp(..)
            | Self::Dns(_)
            | Self::Udp(_)
            | Self::Bfd(_)
            | Self::Broken(_) => Outcome::fail(format!("timed out after {time} while {stage}")),
        }
    }
}
