//! What is shown: the data plane's counters beside the configuration's names.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};

use dataplane::admission::{SynProxy, Thresholds};
use dataplane::snapshot::{self, CAPACITY, Forwarding, Snapshot};
use dataplane::types::{BackendId, InterfaceId, Port, SnatId};
use dataplane::{BackendStats, DropReason, FlowInfo, FlowState};

use super::Supervisor;
use crate::api::request::{FlowQuery, Refusal};
use crate::api::view;
use crate::compile::ports;
use crate::config::{self, Service};

impl Supervisor {
    pub(super) fn status(&self) -> view::Status {
        let flows = self.dataplane.flow_stats();
        view::Status {
            node: self.config.node.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: crate::clock::now().duration_since(self.started).as_secs_f64(),
            config_generation: self.config_generation,
            interfaces: self.interface_views(),
            workers: self.worker_views(),
            flows: view::FlowTable {
                active: flows.active,
                capacity: flows.capacity,
                created: flows.created,
                expired: flows.expired,
                refused: flows.refused,
            },
            services: self.config.services.len(),
            vrrp: self.vrrp_states(),
            disputes: self.dispute_views(),
            log_lines_lost: self.log.lost(),
            checks_stalled: self.watched.checks.is_stalled(),
        }
    }

    fn worker_views(&self) -> Vec<view::Worker> {
        let workers = self.dataplane.workers();
        let views = workers.iter().zip(&self.config.dataplane.cores).map(|(stats, core)| view::Worker {
            id: stats.id.0,
            core: *core,
            poll: config::poll_word(self.config.dataplane.poll).to_owned(),
            packets: stats.frames.received,
            batches: stats.batches,
            busy_ratio: stats.busy_nanos as f64 / stats.total_nanos.max(1) as f64,
        });
        views.collect()
    }

    pub(super) fn interface_views(&self) -> Vec<view::Interface> {
        let rings = self.dataplane.rings();
        let view = |status: dataplane::InterfaceStatus| {
            let lost = |ring: &&dataplane::RingStatus| ring.interface == status.id;
            view::Interface {
                bridge: self.config.interfaces.get(status.id.index()).and_then(|i| i.bridge.clone()),
                mac: self.netlink.state().link(&status.name).map(|link| link.mac.to_string()),
                xdp: view::xdp_word(status.attachment).to_owned(),
                zero_copy: status.zero_copy,
                vlan_tags: view::tags_word(status.tags).to_owned(),
                queues: status.queues,
                rx_packets: status.rx_packets,
                tx_packets: status.tx_packets,
                rx_dropped: rings.iter().filter(lost).map(|ring| ring.rx_ring_full + ring.rx_dropped).sum(),
                name: status.name,
            }
        };
        self.dataplane.interfaces().into_iter().map(view).collect()
    }

    pub(super) fn services(&self) -> Vec<view::Service> {
        let (totals, snapshot) = (self.service_stats(), self.dataplane.snapshot());
        let total = |service: &Service| totals.get(service.name.as_str()).copied().unwrap_or_default();
        let view = |place| {
            let service = self.config.services.get(place)?;
            self.service_view(place, total(service), &snapshot)
        };
        (0..self.config.services.len()).filter_map(view).collect()
    }

    pub(super) fn service(&self, name: &str) -> Result<view::Service, Refusal> {
        let place = self.config.services.iter().position(|service| service.name == name);
        let total = self.service_stats().get(name).copied().unwrap_or_default();
        let view = place.and_then(|place| self.service_view(place, total, &self.dataplane.snapshot()));
        view.ok_or_else(|| Refusal::unknown_service(name))
    }

    /// `place`: that of the service in the configuration, and in the snapshot that was made from it.
    fn service_view(&self, place: usize, total: BackendStats, snapshot: &Snapshot) -> Option<view::Service> {
        let service = self.config.services.get(place)?;
        let compiled = snapshot.services.get(place)?;
        let meter = &compiled.admission.meter;
        let counts = meter.counts();
        let ids = service.backends.iter().filter_map(|b| self.inventory.number(service, b.address, b.port));
        let ids: Vec<_> = ids.collect();
        let backends: Vec<_> = ids.iter().filter_map(|id| self.backend_view(*id)).collect();
        Some(view::Service {
            name: service.name.clone(),
            address: service.address.to_string(),
            port: service.ports.single().map(|port| port.0),
            ports: service.ports.to_string(),
            protocol: service.protocol.to_string(),
            mode: service.mode().to_string(),
            scheduler: config::scheduler_word(service.scheduler).to_owned(),
            quorum: service.choice.quorum.weight,
            up: self.compiler.outcome(&service.name).is_some_and(|outcome| outcome.has_quorum),
            backup: self.backup_view(service),
            active_flows: total.active_flows,
            packets_in: total.packets_in,
            bytes_in: total.bytes_in,
            packets_out: total.packets_out,
            bytes_out: total.bytes_out,
            guaranteed_flows: meter.own_room().into(),
            half_open_flows: meter.half_open().into(),
            pressure: self.watched.pressures.is_pressed(&service.name),
            stateless_packets: counts.stateless_packets,
            recycled_flows: counts.recycled_flows,
            clashed_flows: counts.clashed_flows,
            syn_proxy: syn_proxy_view(compiled),
            refused: counts.refused.iter().map(|(why, count)| (why.code().to_owned(), *count)).collect(),
            snat: snat_view(service, snapshot, &ids),
            backends,
        })
    }

    /// Of all backends of each service, those that have left but still have flows included.
    fn service_stats(&self) -> HashMap<&str, BackendStats> {
        let mut totals = HashMap::new();
        for (id, member) in self.inventory.members().filter_map(|(id, member)| Some((id, member?))) {
            let total: &mut BackendStats = totals.entry(member.service.as_str()).or_default();
            *total = *total + member.own(self.dataplane.backend(id));
        }
        totals
    }

    pub(super) fn backend_view(&self, id: BackendId) -> Option<view::Backend> {
        let member = self.inventory.get(id)?;
        let meters = self.dataplane.snapshot().backend(id).map(|backend| backend.meters.clone());
        let stats = member.own(self.dataplane.backend(id));
        let since = member.changed.unwrap_or(self.started);
        let mut backend = view::Backend {
            address: member.address,
            port: member.port.map(|port| port.0),
            weight: member.weight,
            effective_weight: self.effective_weight(member),
            priority_group: member.priority_group,
            upper_threshold: member.thresholds.map_or(0, Thresholds::upper),
            lower_threshold: member.thresholds.map_or(0, Thresholds::lower),
            overloaded: meters.as_ref().is_some_and(|m| m.backend.is_overloaded(m.thresholds)),
            state: member.state(),
            admin: member.admin,
            drain: self.drain_view(id, member),
            check: None,
            last_result: None,
            checks: Vec::new(),
            history: Vec::new(),
            last_change_seconds: Some(crate::clock::now().duration_since(since).as_secs_f64()),
            handshakes: self.handshakes(id).unwrap_or_default().into(),
            active_flows: stats.active_flows,
            closing_flows: meters.map_or(0, |m| m.backend.closing().into()),
            total_flows: stats.total_flows,
            packets_in: stats.packets_in,
            bytes_in: stats.bytes_in,
        };
        self.add_health(member, &mut backend);
        Self::add_own(member, &mut backend);
        Some(backend)
    }

    pub(super) fn flows(&self, query: &FlowQuery) -> Result<Vec<view::Flow>, Refusal> {
        if let Some(name) = &query.service {
            self.service(name)?;
        }
        let of = |flow: &FlowInfo| self.inventory.get(flow.backend);
        let wanted = |flow: &FlowInfo| match &query.service {
            Some(name) => of(flow).is_some_and(|member| member.service == *name),
            None => of(flow).is_some(),
        };
        let flows = self.dataplane.flows(query.limit, wanted);
        let snapshot = self.dataplane.snapshot();
        Ok(flows.iter().filter_map(|flow| self.flow_view(flow, &snapshot.snat)).collect())
    }

    fn flow_view(&self, flow: &FlowInfo, snat: &[Option<IpAddr>]) -> Option<view::Flow> {
        let member = self.inventory.get(flow.backend)?;
        let own_end = |(id, port): (SnatId, Port)| {
            Some(SocketAddr::new(snat.get(id.index()).copied().flatten()?, port.0))
        };
        let is_configured = self.config.services.iter().any(|service| service.name == member.service);
        Some(view::Flow {
            service: is_configured.then(|| member.service.clone()),
            protocol: flow.protocol.to_string(),
            client: flow.client,
            vip: flow.vip,
            snat: flow.snat.and_then(own_end),
            backend: SocketAddr::new(member.address, member.port.map_or(flow.vip.port(), |port| port.0)),
            state: view::flow_state_word(FlowState::clone(&flow.state)).to_owned(),
            age_seconds: flow.age.as_secs_f64(),
            idle_seconds: flow.idle.as_secs_f64(),
            packets_in: u64::from(flow.packets_in),
            packets_out: u64::from(flow.packets_out),
        })
    }

    pub(super) fn neighbours(&self) -> Vec<view::Neighbour> {
        let mut uses: BTreeMap<(InterfaceId, IpAddr), Vec<String>> = BTreeMap::new();
        let fib = &self.dataplane.snapshot().fib;
        for member in self.inventory.members().filter_map(|(_, member)| member) {
            if let Some(next) = fib.neighbour_towards(member.address) {
                uses.entry(next).or_default().push(member.service.clone());
            }
        }
        for gateway in fib.gateways() {
            uses.entry(gateway).or_default().push("gateway".to_owned());
        }
        uses.into_iter().filter_map(|(next, used_for)| self.neighbour_view(next, used_for)).collect()
    }

    fn neighbour_view(
        &self,
        (id, address): (InterfaceId, IpAddr),
        mut used_for: Vec<String>,
    ) -> Option<view::Neighbour> {
        let port = *ports(&self.config).get(id.index())?;
        let state = self.netlink.state();
        let entry = state.ip_link(port).and_then(|link| state.neighbour(link.index, address));
        let interface = port.bridge.unwrap_or(port.name).to_owned();
        used_for.sort();
        used_for.dedup();
        Some(view::Neighbour {
            interface,
            address,
            mac: entry.and_then(|entry| entry.mac).map(|mac| mac.to_string()),
            state: entry.map_or_else(|| "unknown".to_owned(), |entry| entry.state.to_string()),
            used_for,
        })
    }

    pub(super) fn stats(&self) -> view::Stats {
        let workers = self.dataplane.workers();
        let drops = DropReason::ALL.iter().map(|reason| view::Drop {
            code: reason.code().to_owned(),
            count: workers.iter().map(|worker| worker.drops[reason.index()]).sum(),
            meaning: reason.meaning().to_owned(),
        });
        let name = |id: InterfaceId| self.config.interfaces.get(id.index()).map(|i| i.name.clone());
        let rings = self.dataplane.rings().into_iter().filter_map(|ring| {
            Some(view::Ring {
                interface: name(ring.interface)?,
                queue: ring.queue.0,
                rx_ring_full: ring.rx_ring_full,
                fill_ring_empty: ring.fill_ring_empty,
                tx_ring_empty: ring.tx_ring_empty,
                rx_dropped: ring.rx_dropped,
            })
        });
        view::Stats {
            frames: self.dataplane.frames().into(),
            drops: drops.collect(),
            workers: workers
                .iter()
                .map(|worker| view::WorkerFrames { id: worker.id.0, frames: worker.frames.into() })
                .collect(),
            rings: rings.collect(),
            client_address_omitted: workers.iter().map(|worker| worker.toa_omitted).sum(),
            bfd_refused: self.bfd_refused(),
        }
    }
}

fn syn_proxy_view(service: &snapshot::Service) -> Option<view::SynProxy> {
    let counts = service.admission.meter.counts();
    (service.syn_proxy != SynProxy::Off).then(|| view::SynProxy {
        setting: config::syn_proxy_word(service.syn_proxy).to_owned(),
        active: service.answers_by_cookie(),
        cookies_sent: counts.cookies_sent,
        cookies_taken: counts.cookies_taken,
        not_taken: counts.not_taken,
    })
}

fn snat_view(service: &Service, snapshot: &Snapshot, backends: &[BackendId]) -> Option<view::SnatPool> {
    let config::Forwarding::OneArm { pool, .. } = &service.forwarding else { return None };
    let mut snat = view::SnatPool { addresses: pool.len(), used: 0, capacity: 0 };
    for backend in backends.iter().filter_map(|id| snapshot.backend(*id)) {
        let Forwarding::OneArm(one_arm) = &backend.forwarding else { continue };
        for part in one_arm.pool.iter().filter(|part| part.open) {
            snat.used += u64::from(part.ports.used());
            snat.capacity += u64::from(CAPACITY);
        }
    }
    Some(snat)
}
