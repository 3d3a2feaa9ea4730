//! What is shown: the data plane's counters beside the configuration's names.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Add;

use dataplane::types::{BackendId, InterfaceId};
use dataplane::{BackendStats, DropReason, FlowInfo, FlowState};

use super::Supervisor;
use crate::api::request::{FlowQuery, Refusal};
use crate::api::view::{self, BackendState};
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
            vrrp: Vec::new(),
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
                mac: self.netlink.state().link(&status.name).map(|link| link.mac.to_string()),
                xdp: view::xdp_word(status.attachment).to_owned(),
                zero_copy: status.zero_copy,
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
        self.config.services.iter().map(|service| self.service_view(service)).collect()
    }

    pub(super) fn service(&self, name: &str) -> Result<view::Service, Refusal> {
        let service = self.config.services.iter().find(|service| service.name == name);
        service.map(|service| self.service_view(service)).ok_or_else(|| Refusal::unknown_service(name))
    }

    fn service_view(&self, service: &Service) -> view::Service {
        let ids = service.backends.iter().filter_map(|b| self.inventory.number(service, b.address, b.port));
        let backends: Vec<_> = ids.filter_map(|id| self.backend_view(id)).collect();
        let total = self.service_stats(&service.name);
        view::Service {
            name: service.name.clone(),
            address: service.address,
            port: service.port.0,
            protocol: service.protocol.to_string(),
            mode: service.mode.to_string(),
            scheduler: config::scheduler_word(service.scheduler).to_owned(),
            quorum: 1,
            up: backends.iter().any(|backend| backend.state == BackendState::Up),
            active_flows: total.active_flows,
            packets_in: total.packets_in,
            bytes_in: total.bytes_in,
            packets_out: total.packets_out,
            bytes_out: total.bytes_out,
            backends,
        }
    }

    /// Of all backends of a service, those that have left but still have flows included.
    fn service_stats(&self, service: &str) -> BackendStats {
        let members = self.inventory.members().filter_map(|(id, member)| Some((id, member?)));
        let own = members.filter(|(_, member)| member.service == service);
        own.map(|(id, member)| member.own(self.dataplane.backend(id))).fold(BackendStats::default(), Add::add)
    }

    pub(super) fn backend_view(&self, id: BackendId) -> Option<view::Backend> {
        let member = self.inventory.get(id)?;
        let stats = member.own(self.dataplane.backend(id));
        let since = member.changed.unwrap_or(self.started);
        Some(view::Backend {
            address: member.address,
            port: member.port.0,
            weight: member.weight,
            state: member.state(),
            admin: member.admin,
            check: None,
            last_result: None,
            last_change_seconds: Some(crate::clock::now().duration_since(since).as_secs_f64()),
            active_flows: stats.active_flows,
            total_flows: stats.total_flows,
            packets_in: stats.packets_in,
            bytes_in: stats.bytes_in,
        })
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
        Ok(flows.iter().filter_map(|flow| self.flow_view(flow)).collect())
    }

    fn flow_view(&self, flow: &FlowInfo) -> Option<view::Flow> {
        let member = self.inventory.get(flow.backend)?;
        let is_configured = self.config.services.iter().any(|service| service.name == member.service);
        Some(view::Flow {
            service: is_configured.then(|| member.service.clone()),
            protocol: flow.protocol.to_string(),
            client: flow.client,
            vip: flow.vip,
            snat: None,
            backend: SocketAddr::new(member.address, member.port.0),
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
        let interface = self.config.interfaces.get(id.index())?.name.clone();
        let state = self.netlink.state();
        let entry = state.link(&interface).and_then(|link| state.neighbour(link.index, address));
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
        }
    }
}
