//! Requests of the control socket.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dataplane::SteeringError;
use tokio::sync::oneshot;

use super::Supervisor;
use super::disk::{Done, Found, May};
use crate::api::request::{ConfigText, Refusal, Reply, Request};
use crate::api::view;
use crate::compile::{Served, is_behind_a_router, shared_addresses, tunnel_source};
use crate::config::{self, Config, Diagnostic, Errors, Forwarding, Machine, OwnAddresses};
use crate::files;
use crate::health::check::examine::{For, examine, needs_files};
use crate::history::Caller;
use crate::net::own_addresses;

/// A configuration, with what was found of its checks.
#[derive(Debug)]
pub(super) struct Examined {
    pub(super) text: ConfigText,
    pub(super) found: Found,
    pub(super) then: Then,
}

/// What a configuration is examined for.
#[derive(Debug)]
pub(super) enum Then {
    Check(Reply<view::Checked>),
    Plan(Reply<view::Planned>),
    Apply(Option<Duration>, Caller, Reply<view::Planned>),
    /// By whom, and where the answer goes; the log, for SIGHUP.
    Reload((Caller, &'static str), Option<Reply<view::Planned>>),
}

impl Then {
    fn refuse(self, refusal: Refusal) {
        match self {
            Self::Check(to) => reply(to, Err(refusal)),
            Self::Plan(to) | Self::Apply(_, _, to) => reply(to, Err(refusal)),
            Self::Reload(_, to) => answer_reload(to, Err(refusal)),
        }
    }
}

/// Refuses a configuration whose checks cannot run here: files of TLS cannot be used, or a script's user is missing. Takes as
/// long as their disks do. A text that is no configuration is refused elsewhere.
fn must_run(
    ConfigText { name, text }: &ConfigText,
    (machine, own): (&Machine, &OwnAddresses),
    may: May,
) -> Found {
    let Ok((config, _)) = config::load_str_on(name, text, machine, own) else { return Ok(()) };
    if may == May::NotRead {
        let hung =
            "earlier examinations of files that checks name have not ended: their disk or server hangs";
        return if needs_files(&config) { Err(Refusal::failed(hung)) } else { Ok(()) };
    }
    let findings = examine(&config, For::ThisDaemon);
    if findings.is_empty() { Ok(()) } else { Err(Refusal::invalid(name, Errors(findings))) }
}

pub(super) fn reply<T>(to: Reply<T>, answer: Result<T, Refusal>) {
    // Who asked may have hung up; that is no concern of ours.
    let _: Result<(), _> = oneshot::Sender::send(to, answer);
}

/// The configuration file, as it was read again.
#[derive(Debug)]
pub(super) struct Read {
    text: Result<String, Errors>,
    by: (Caller, &'static str),
    /// Where the answer goes; the log, for SIGHUP.
    to: Option<Reply<view::Planned>>,
}

impl Supervisor {
    pub(super) async fn answer(&mut self, request: Request) {
        match request {
            Request::Status(to) => reply(to, Ok(self.status())),
            Request::Services(to) => reply(to, Ok(self.services())),
            Request::Service(name, to) => reply(to, self.service(&name)),
            Request::Flows(query, to) => reply(to, self.flows(&query)),
            Request::Vrrp(to) => reply(to, Ok(self.vrrp())),
            Request::HandOver(name, to) => reply(to, self.hand_over(&name)),
            Request::Interfaces(to) => reply(to, Ok(self.interface_views())),
            Request::Neighbours(to) => reply(to, Ok(self.neighbours())),
            Request::Stats(to) => reply(to, Ok(self.stats())),
            Request::Drops(code, to) => reply(to, self.drops(code.as_deref())),
            Request::Events(to) => reply(to, Ok(Arc::clone(&self.events))),
            Request::Capture(query, to) => {
                let answer = self.capture(&query);
                reply(to, answer);
            }
            Request::Check(text, to) => self.examine(text, Then::Check(to)),
            Request::Plan(text, to) => self.examine(text, Then::Plan(to)),
            Request::Apply(text, confirm, caller, to) => self.examine(text, Then::Apply(confirm, caller, to)),
            Request::Reload(caller, to) => self.reload(caller, Some(to)),
            Request::Confirm(caller, to) => reply(to, self.confirm(caller)),
            Request::Rollback(number, caller, to) => {
                let answer = self.rollback(number, caller).await;
                reply(to, answer);
            }
            Request::History(to) => self.answer_history(to),
            Request::Text(number, to) => reply(to, self.history_text(number)),
            Request::SetBackend(which, change, to) => self.set_backend(&which, change, to),
            Request::Persistence(service, to) => reply(to, self.persistence(service.as_deref())),
            Request::Flush(query, to) => reply(to, self.flush(&query)),
            Request::Explain(service, (client, port), to) => reply(to, self.explain(&service, client, port)),
            Request::Trace(query, to) => {
                let answer = self.trace(&query);
                reply(to, answer);
            }
        }
    }

    pub(super) fn read(
        &self,
        ConfigText { name, text }: &ConfigText,
    ) -> Result<(Config, Vec<Diagnostic>), Refusal> {
        let own = own_addresses(self.netlink.state());
        let read = config::load_str_on(name, text, &self.machine, &own);
        read.map_err(|errors| Refusal::invalid(name, errors))
    }

    /// Has the files of a configuration's checks read before it goes on with it.
    fn examine(&mut self, text: ConfigText, then: Then) {
        if let Err(busy) = self.disk.has_room() {
            return then.refuse(Refusal::failed(format!("{} is not examined: {busy}", text.name)));
        }
        let (machine, own) = (self.machine.clone(), own_addresses(self.netlink.state()));
        let examined = text.clone();
        let found = move |may| must_run(&examined, (&machine, &own), may);
        self.disk.examine(found, |found| Examined { text, found, then });
    }

    pub(super) async fn examined(&mut self, Examined { text, found, then }: Examined) {
        match then {
            Then::Check(to) => reply(to, self.check(&text, found)),
            Then::Plan(to) => reply(to, self.plan(&text, found)),
            Then::Apply(confirm, caller, to) => {
                let answer = self.apply(&text, confirm, (caller, "apply"), found).await;
                reply(to, answer);
            }
            Then::Reload(by, to) => {
                let answer = self.apply(&text, None, by, found).await;
                answer_reload(to, answer);
            }
        }
    }

    fn check(&self, text: &ConfigText, checks: Found) -> Result<view::Checked, Refusal> {
        let (config, diagnostics) = self.read(text)?;
        checks?;
        let backends = config.services.iter().map(|service| service.backends.len()).sum();
        Ok(view::Checked { services: config.services.len(), backends, diagnostics })
    }

    pub(super) async fn put_in_force(&mut self, config: Config) -> Result<(), Refusal> {
        let before = std::mem::replace(&mut self.config, config);
        self.forget_what_backends_answered(&before);
        self.follow_configuration();
        if let Err(error) = self.try_publish() {
            self.config = before;
            self.follow_configuration();
            // What the compiler remembers is again what is in force.
            drop(self.compile());
            return Err(refused_by_the_data_plane(&error));
        }
        self.config_generation += 1;
        self.warn_of_what_cannot_work();
        self.join_groups();
        self.follow_vrrp();
        self.announce_vips();
        self.follow_side_way().await;
        self.keep_neighbours().await;
        Ok(())
    }

    /// What backends have answered to handshakes says nothing of others.
    fn forget_what_backends_answered(&self, before: &Config) {
        let backends: HashMap<_, _> = before.services.iter().map(|s| (&*s.name, &s.backends)).collect();
        let others = self.config.services.iter().filter(|s| backends.get(&*s.name) != Some(&&s.backends));
        others.for_each(|service| self.compiler.forget_backends(&service.name));
    }

    fn follow_configuration(&mut self) {
        let dataplane = &self.dataplane;
        self.inventory.follow(&self.config, crate::clock::now(), |id| dataplane.backend(id));
        self.follow_own_addresses();
        self.served = Served::new(&self.config);
        self.follow_checks();
    }

    /// Nobody else can know: it depends on routes and addresses.
    pub(super) fn warn_of_what_cannot_work(&self) {
        let snapshot = self.dataplane.snapshot();
        for shared in shared_addresses(&self.served, self.netlink.state()) {
            tracing::warn!(event = "network.virtual-address-on-interface", "{shared}");
        }
        let (fib, facts) = (&snapshot.fib, self.facts());
        let backends = self.config.services.iter().flat_map(|s| s.backends.iter().map(move |b| (s, b)));
        for (service, backend) in backends {
            let (name, endpoint) = (&service.name, backend.name());
            match &service.forwarding {
                Forwarding::Dsr(None) if is_behind_a_router(fib, backend.address) => tracing::warn!(
                    service = name,
                    backend = endpoint,
                    "is behind a router and gets no packets: dsr needs it on a segment of the box"
                ),
                Forwarding::Tunnel(tunnel)
                    if tunnel_source(tunnel, backend.address, fib, &facts).is_none() =>
                {
                    tracing::warn!(
                        service = name,
                        backend = endpoint,
                        "gets no packets: the box has no address of its own towards it, so add source4 or \
                         source6 to `tunnel`"
                    );
                }
                _ => {}
            }
        }
    }

    /// Has the file read. `to`: who has asked for it; nobody, for SIGHUP.
    pub(super) fn reload(&mut self, caller: Caller, to: Option<Reply<view::Planned>>) {
        let (file, how) = (self.file.clone(), if to.is_some() { "reload" } else { "reload by SIGHUP" });
        if let Err(busy) = self.disk.has_room() {
            let refused = Err(Refusal::failed(format!("{} is not read: {busy}", file.display())));
            return answer_reload(to, refused);
        }
        self.disk.run(move || Done::Read(Read { text: files::configuration(&file), by: (caller, how), to }));
    }

    /// What was read is put in force, once its checks are examined.
    pub(super) fn examine_read(&mut self, Read { text, by, to }: Read) {
        let (name, then) = (self.file.display().to_string(), Then::Reload(by, to));
        match text {
            Ok(text) => self.examine(ConfigText { name, text }, then),
            Err(errors) => then.refuse(Refusal::invalid(&name, errors)),
        }
    }
}

/// The answer to SIGHUP is in the log.
fn answer_reload(to: Option<Reply<view::Planned>>, answer: Result<view::Planned, Refusal>) {
    if let Some(to) = to {
        return reply(to, answer);
    }
    match answer {
        Ok(planned) => {
            for warning in planned.diagnostics {
                tracing::warn!("{warning}");
            }
            tracing::info!(
                event = "configuration",
                generation = planned.config_generation,
                "configuration reloaded"
            );
        }
        Err(refusal) => {
            tracing::error!(
                event = "configuration",
                "{}; the running configuration goes on",
                refusal.message
            );
            for detail in refusal.details {
                tracing::error!("{detail}");
            }
        }
    }
}

pub(super) fn refused_by_the_data_plane(error: &SteeringError) -> Refusal {
    Refusal::failed(format!("the data plane refused it, and goes on as it was: {error}"))
}
