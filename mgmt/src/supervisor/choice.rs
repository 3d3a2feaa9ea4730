//! Clients that are remembered, and why a client gets the backend that it gets.

mod trace;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use dataplane::persistence::{Client, Server};
use dataplane::types::{BackendId, Prefix};
use dataplane::{DropReason, Why};

use super::Supervisor;
use crate::api::request::Refusal;
use crate::api::view;
use crate::config::{self, Service};
use crate::inventory::Member;

impl Supervisor {
    /// Who is remembered; `service`: by this one alone.
    pub(super) fn persistence(&self, service: Option<&str>) -> Result<Vec<view::Client>, Refusal> {
        let group = service.map(|name| self.group_of(name)).transpose()?;
        let Some((clients, _)) = self.compiler.clients() else { return Ok(Vec::new()) };
        let names = self.servers();
        let listed = clients.list(self.dataplane.millis());
        let listed = listed.filter(|(client, ..)| group.is_none_or(|group| client.group == group));
        let view = |(client, server, left): (Client, Server, std::time::Duration)| {
            let services: Vec<_> = self.services_of(client.group).collect();
            let masks =
                services.first().and_then(|service| service.choice.persistence.as_ref()).map(|p| p.masks);
            let length = masks.map(|(v4, v6)| if client.network.is_ipv4() { v4 } else { v6 });
            let network = length.and_then(|length| Prefix::new(client.network, length));
            view::Client {
                services: services.iter().map(|service| service.name.clone()).collect(),
                client: network.map_or_else(|| client.network.to_string(), |network| network.to_string()),
                server: names.get(&server).cloned().unwrap_or_else(|| "not configured any more".to_owned()),
                left_seconds: left.as_secs_f64(),
            }
        };
        Ok(listed.map(view).collect())
    }

    /// Forgets clients; nobody of them loses a flow.
    pub(super) fn flush(&mut self, query: &view::FlushQuery) -> Result<view::Forgotten, Refusal> {
        let group = query.service.as_deref().map(|name| self.group_of(name)).transpose()?;
        let masks = |group| {
            let service = self.services_of(group).next();
            service.and_then(|service| service.choice.persistence.as_ref()).map_or((32, 128), |p| p.masks)
        };
        let is_client = |client: Client, meant: IpAddr| {
            let (v4, v6) = masks(client.group);
            let length = if meant.is_ipv4() { v4 } else { v6 };
            Prefix::new(meant, length).is_some_and(|network| network.address() == client.network)
        };
        let Some((clients, _)) = self.compiler.clients() else { return Ok(view::Forgotten { forgotten: 0 }) };
        let forgotten = clients.forget(self.dataplane.millis(), |client, _| {
            group.is_none_or(|group| client.group == group)
                && query.client.is_none_or(|meant| is_client(client, meant))
        });
        let service = query.service.as_deref().unwrap_or("all");
        tracing::info!(event = "admin", service, client = ?query.client, forgotten, "clients forgotten by hand");
        Ok(view::Forgotten { forgotten })
    }

    /// Those whose time is over, before the clock has gone round.
    pub(super) fn forget_clients(&self) {
        if let Some((clients, _)) = self.compiler.clients() {
            clients.forget(self.dataplane.millis(), |_, _| false);
        }
    }

    fn group_of(&self, service: &str) -> Result<u32, Refusal> {
        let found = self.config.services.iter().find(|found| found.name == service);
        let found = found.ok_or_else(|| Refusal::unknown_service(service))?;
        let none = || Refusal::conflict(format!("service {service} has no persistence"));
        let key = key(found).ok_or_else(none)?;
        self.compiler.clients().and_then(|(_, groups)| groups.get(&key).copied()).ok_or_else(none)
    }

    fn services_of(&self, group: u32) -> impl Iterator<Item = &Service> {
        let is_of = move |service: &&Service| {
            let groups = self.compiler.clients().map(|(_, groups)| groups);
            key(service).is_some_and(|key| groups.is_some_and(|groups| groups.get(&key) == Some(&group)))
        };
        self.config.services.iter().filter(is_of)
    }

    /// What servers are called.
    fn servers(&self) -> HashMap<Server, String> {
        let members = self.inventory.members().filter_map(|(_, member)| member);
        let names = members.flat_map(|member| {
            let whole = (Server::new(member.address, member.port), member.endpoint());
            [(Server::new(member.address, None), member.address.to_string()), whole]
        });
        names.collect()
    }

    /// Which backend a client would get now, by the code that workers choose by.
    pub(super) fn explain(
        &self,
        name: &str,
        client: IpAddr,
        port: Option<u16>,
    ) -> Result<view::Explained, Refusal> {
        let service = self.config.services.iter().find(|service| service.name == name);
        let service = service.ok_or_else(|| Refusal::unknown_service(name))?;
        let vip = SocketAddr::new(service.address.address(), service.ports.first.0);
        let client = SocketAddr::new(client, port.unwrap_or(0));
        if client.is_ipv4() != vip.is_ipv4() {
            return Err(Refusal::conflict(format!(
                "{} cannot reach {vip}: they are of different families",
                client.ip()
            )));
        }
        let explained = self.dataplane.explain(client, vip, service.protocol);
        let explained =
            explained.ok_or_else(|| Refusal::failed("the data plane does not know the service yet"))?;
        let service = self.config.services.get(explained.service.index()).unwrap_or(service);
        let (backend, refused, mut why) =
            (explained.outcome.ok(), explained.outcome.err(), self.background(service));
        why.push(match explained.outcome {
            Ok((_, why)) => reason(service, why, port),
            Err(reason) => format!("it is dropped: {}", reason.meaning()),
        });
        let named = |id| self.inventory.get(id).map(Member::endpoint);
        Ok(view::Explained {
            service: service.name.clone(),
            client,
            vip,
            backend: backend.and_then(|(id, _)| named(id)),
            refused: refused.map(|reason: DropReason| reason.code().to_owned()),
            why,
            backends: self.candidates(service),
        })
    }

    /// What the choice starts from.
    fn background(&self, service: &Service) -> Vec<String> {
        let Some(outcome) = self.compiler.outcome(&service.name) else { return Vec::new() };
        let quorum = service.choice.quorum.weight;
        let mut why = Vec::new();
        match (outcome.has_quorum, outcome.on_backup, &service.choice.backup) {
            (true, ..) => {}
            (false, true, Some(backup)) => {
                let name = config::backend_name(backup.address, backup.port);
                why.push(format!(
                    "less than the quorum of {quorum} is up: the backup {name} takes all new flows"
                ));
            }
            (false, ..) => {
                why.push(format!("less than the quorum of {quorum} is up, and there is no backup"));
            }
        }
        let groups = service.backends.iter().any(|backend| backend.priority_group > outcome.last_group);
        if groups && !outcome.on_backup {
            why.push(format!("priority groups up to {} take part", outcome.last_group));
        }
        why
    }

    fn candidates(&self, service: &Service) -> Vec<view::Candidate> {
        let outcome = self.compiler.outcome(&service.name);
        let number = |b: &config::Backend| self.inventory.number(service, b.address, b.port);
        let view = |(backend, id)| {
            let view: view::Backend = self.backend_view(id)?;
            let backend: &config::Backend = backend;
            let waits = outcome.is_some_and(|outcome| backend.priority_group > outcome.last_group);
            let note = match (view.state, view.effective_weight) {
                (view::BackendState::Down, _) => "down".to_owned(),
                (view::BackendState::Drain, _) => "drained by hand".to_owned(),
                (view::BackendState::Disabled, _) => "disabled by hand".to_owned(),
                _ if waits => format!("waits in priority group {}", backend.priority_group),
                (_, 0) => "weight 0".to_owned(),
                _ if view.overloaded => format!("overloaded until below {} flows", view.lower_threshold),
                (_, now) if now < view.weight => format!("warms up to weight {}", view.weight),
                _ => "takes new flows".to_owned(),
            };
            Some(view::Candidate {
                backend: backend.name(),
                weight: view.effective_weight,
                active_flows: view.active_flows,
                note,
            })
        };
        service
            .backends
            .iter()
            .filter_map(|backend| Some((backend, number(backend)?)))
            .filter_map(view)
            .collect()
    }

    /// As the schedule has it.
    pub(super) fn effective_weight(&self, member: &Member) -> u16 {
        let outcome = self.compiler.outcome(&member.service);
        let takes_part = outcome.is_some_and(|outcome| member.priority_group <= outcome.last_group);
        if takes_part { member.standing(crate::clock::now()).weight } else { 0 }
    }

    pub(super) fn backup_view(&self, service: &Service) -> Option<view::Backup> {
        let config::Backup { address, port } = service.choice.backup?;
        let id = self.inventory.number(service, address, port)?;
        let active_flows = self.dataplane.backend(id).active_flows;
        let in_use = self.compiler.outcome(&service.name).is_some_and(|outcome| outcome.on_backup);
        Some(view::Backup { address, port: port.map(|port| port.0), in_use, active_flows })
    }

    /// What is known of a backend's drain. Its oldest flow is looked for in the whole table, so only then.
    pub(super) fn drain_view(&self, id: BackendId, member: &Member) -> Option<view::DrainView> {
        let since = member.changed.filter(|_| member.admin == view::Admin::Drain)?;
        let now = crate::clock::now();
        let drain = member.endings.1;
        let flows = self.dataplane.flows(usize::MAX, |flow| flow.backend == id);
        let oldest = flows.iter().map(|flow| flow.age).max();
        let left = |deadline: Instant| deadline.saturating_duration_since(now).as_secs_f64();
        Some(view::DrainView {
            since_seconds: now.saturating_duration_since(since).as_secs_f64(),
            oldest_flow_seconds: oldest.map(|age| age.as_secs_f64()),
            deadline_seconds: member.deadline().map(left),
            then: config::then_word(drain.then).to_owned(),
        })
    }
}

/// Whose clients a service's are.
fn key(service: &Service) -> Option<(bool, String)> {
    let persistence = service.choice.persistence.as_ref()?;
    let shared = persistence.group.is_some();
    Some((shared, persistence.group.clone().unwrap_or_else(|| service.name.clone())))
}

/// Why a flow goes past the backend that was chosen first.
fn clash(scheduler: &str) -> String {
    format!(
        "scheduler {scheduler} chose another backend first, towards which the client's port is in use by another \
         service's flow, or the source-NAT pool is exhausted"
    )
}

fn reason(service: &Service, why: Why, port: Option<u16>) -> String {
    let scheduler = config::scheduler_word(service.scheduler);
    let port = if port.is_none() { " (for port 0, as none was given)" } else { "" };
    match why {
        Why::Persistence => "persistence: the client's last flow went there".to_owned(),
        Why::Schedule => format!("scheduler {scheduler} chooses it{port}"),
        Why::Instead => {
            format!("scheduler {scheduler} found nobody with room, so another one was asked{port}")
        }
        Why::Clash => clash(scheduler),
    }
}
