//! What a configuration would mean for the traffic, before it is put in force.

use std::collections::HashMap;

use dataplane::snapshot::{CAPACITY, Fate};
use dataplane::types::Protocol;

use super::Supervisor;
use super::disk::Found;
use crate::api::request::{ConfigText, Refusal};
use crate::api::view;
use crate::compile::{Facts, Tight, moved, tight};
use crate::config::plan::{self, Plan};
use crate::config::{Config, Forwarding};
use crate::inventory::Member;

/// `flows = N` reserves so many bytes for each; `dataplane/src/flow` says what for.
const BYTES_PER_FLOW: u64 = 86;

impl Supervisor {
    /// Answers whether the file is right, what it would change, and what that would mean. Nothing is changed.
    pub(super) fn plan(&self, text: &ConfigText, checks: Found) -> Result<view::Planned, Refusal> {
        let (config, diagnostics) = self.read(text)?;
        checks?;
        let plan = plan::plan(&self.config, &config);
        let forecast = Some(self.forecast(&config, &plan));
        let config_generation = self.config_generation;
        Ok(view::Planned { plan, forecast, confirm_within_seconds: None, config_generation, diagnostics })
    }

    pub(super) fn plan_without_forecast(&self, text: &ConfigText) -> Result<view::Planned, Refusal> {
        let (config, diagnostics) = self.read(text)?;
        let (plan, config_generation) = (plan::plan(&self.config, &config), self.config_generation);
        Ok(view::Planned {
            plan,
            forecast: None,
            confirm_within_seconds: None,
            config_generation,
            diagnostics,
        })
    }

    fn forecast(&self, config: &Config, plan: &Plan) -> view::Forecast {
        let (facts, dataplane) = (self.facts(), &self.dataplane);
        let mut after = self.inventory.clone();
        after.follow(config, facts.now, |id| dataplane.backend(id));
        let then = Facts { config, inventory: &after, ..facts };
        let services = moved(&self.compiler, &facts, &then).into_iter().map(|moved| view::ServiceForecast {
            service: moved.service,
            moved_percent: (moved.part * 1000.0).round() / 10.0,
            exact: moved.is_exact,
        });
        let flows = dataplane.flow_stats().active;
        let (mut cut, mut leaving) = (0, 0);
        for (id, member) in after.members().filter_map(|(id, member)| Some((id, member?))) {
            let before = self.inventory.get(id);
            let active = dataplane.backend(id).active_flows;
            // Datagrams move: no connection is cut by it.
            let ends = |member: &Member| match member.fate(facts.now) {
                _ if member.protocol == Protocol::Udp => false,
                Fate::Reset => true,
                Fate::Move => member.forwarding.mode().is_two_way(),
                Fate::Stays | Fate::Leave | Fate::Review => false,
            };
            if ends(member) && !before.is_some_and(ends) {
                cut += active;
            }
            let goes_on = member.fate(facts.now) != Fate::Move;
            if goes_on && member.has_left() && !before.is_some_and(Member::has_left) {
                leaving += active;
            }
        }
        let bytes = |config: &Config| config.dataplane.flows as u64 * BYTES_PER_FLOW;
        view::Forecast {
            services: services.collect(),
            flows,
            flows_cut: if plan.needs_restart.is_empty() { cut } else { flows },
            flows_of_leaving_backends: leaving,
            table_bytes: bytes(&self.config),
            table_bytes_planned: bytes(config),
            snat: self.snat_forecast(config),
            mtu: self.mtu_forecast(config),
        }
    }

    fn mtu_forecast(&self, config: &Config) -> Vec<view::MtuForecast> {
        let name = |place: usize| self.config.interfaces.get(place).map(|interface| interface.name.clone());
        let view = |tight: Tight| view::MtuForecast {
            interface: name(tight.interface).unwrap_or_default(),
            service: tight.service,
            backend: tight.backend,
            mtu: tight.mtu,
            overhead: tight.overhead,
            fits: tight.fits,
            mss_clamp: tight.mss,
        };
        tight(config, &self.dataplane.snapshot()).into_iter().map(view).collect()
    }

    /// By service: a pool holds so many flows towards each backend, and the one that has most has so many.
    fn snat_forecast(&self, config: &Config) -> Vec<view::SnatForecast> {
        let mut used: HashMap<_, u64> = HashMap::new();
        for (address, server, ports) in self.compiler.pools().usage() {
            used.insert((address, server.address, server.port, server.protocol), ports.into());
        }
        let services = config.services.iter().filter_map(|service| {
            let Forwarding::OneArm { pool, .. } = &service.forwarding else { return None };
            let of = |backend: &crate::config::Backend| {
                let family = pool.iter().filter(|address| address.is_ipv4() == backend.address.is_ipv4());
                let taken = family.clone().filter_map(|address| {
                    used.get(&(*address, backend.address, backend.port, service.protocol))
                });
                (family.count() as u64 * u64::from(CAPACITY), taken.sum::<u64>())
            };
            let sets: Vec<_> = service.backends.iter().map(of).collect();
            Some(view::SnatForecast {
                service: service.name.clone(),
                capacity: sets.iter().map(|(capacity, _)| *capacity).min().unwrap_or(0),
                used: sets.iter().map(|(_, used)| *used).max().unwrap_or(0),
            })
        });
        services.collect()
    }
}
