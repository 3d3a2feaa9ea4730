//! Requests of the control socket.

use std::collections::HashMap;
use std::sync::Arc;

use dataplane::SteeringError;
use tokio::sync::oneshot;

use super::Supervisor;
use super::disk::Done;
use crate::api::request::{ConfigText, Refusal, Reply, Request};
use crate::api::view;
use crate::compile::{Served, is_behind_a_router, shared_addresses, tunnel_source};
use crate::config::{self, Config, Diagnostic, Errors, Forwarding};
use crate::files;
use crate::health::check::examine::{For, examine};
use crate::history::Caller;
use crate::net::own_addresses;

/// Whether a configuration is refused because checks of it cannot run here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checks {
    /// It is: files of TLS cannot be used, or a script's user is missing.
    MustRun,
    /// It is not. A rollback is for emergencies, and such checks leave their backends as they are.
    MayNotRun,
}

/// Refuses a configuration whose checks cannot run here.
pub(super) fn must_run(name: &str, config: &Config) -> Result<(), Refusal> {
    let findings = examine(config, For::ThisDaemon);
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
            Request::Check(text, to) => reply(to, self.check(&text)),
            Request::Plan(text, to) => reply(to, self.plan(&text)),
            Request::Apply(text, confirm, caller, to) => {
                let answer = self.apply(&text, confirm, (caller, "apply"), Checks::MustRun).await;
                reply(to, answer);
            }
            Request::Reload(caller, to) => self.reload(caller, Some(to)),
            Request::Confirm(caller, to) => reply(to, self.confirm(caller)),
            Request::Rollback(number, caller, to) => {
                let answer = self.rollback(number, caller).await;
                reply(to, answer);
            }
            Request::History(to) => reply(to, Ok(self.history())),
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

    fn check(&self, text: &ConfigText) -> Result<view::Checked, Refusal> {
        let (config, diagnostics) = self.read(text)?;
        must_run(&text.name, &config)?;
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

    /// What was read is put in force.
    pub(super) async fn reload_with(&mut self, Read { text, by, to }: Read) {
        let name = self.file.display().to_string();
        let answer = match text {
            Ok(text) => self.apply(&ConfigText { name, text }, None, by, Checks::MustRun).await,
            Err(errors) => Err(Refusal::invalid(&name, errors)),
        };
        answer_reload(to, answer);
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
