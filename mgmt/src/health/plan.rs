//! What a configuration wants checked.

use std::net::IpAddr;
use std::sync::Arc;

use dataplane::types::Port;

use super::check::Target;
use super::ways::{Way, Ways};
use super::{Condition, Subject};
use crate::config::health::{Check, Health, Initial, Needs, Via};
use crate::config::{Backend, Config, Service};

/// A backend and its checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Which backend.
    pub subject: Subject,
    /// As configured: what a percentage is of.
    pub weight: u16,
    /// Its checks.
    pub health: Arc<Health>,
    /// The port of checks that have none of their own.
    pub port: Option<Port>,
    /// The virtual IP: what checks ask for that take the data path.
    pub vip: IpAddr,
}

impl Assignment {
    /// Whom one of its checks asks.
    #[must_use]
    pub fn target(&self, check: &Check, ways: &Arc<Ways>) -> Target {
        let takes_the_data_path = check.via == Via::DataPath;
        let own = if takes_the_data_path { self.vip } else { self.subject.address };
        let way = || Way { to: Arc::new(self.subject.clone()), ways: Arc::clone(ways) };
        Target {
            address: check.address.unwrap_or(own),
            // Kinds that need one have one: the configuration sees to that.
            port: check.port.or(self.port).unwrap_or(Port(0)),
            bind: check.bind.clone(),
            way: takes_the_data_path.then(way),
        }
    }
}

/// All backends that have checks.
#[must_use]
pub fn plan(config: &Config) -> Vec<Assignment> {
    let of = |service: &Service, backend: &Backend| {
        let health = Arc::clone(backend.health.as_ref()?);
        let (weight, port) = (backend.weight, backend.port.or_else(|| service.ports.single()));
        let vip = service.address.address();
        Some(Assignment { subject: subject(service, backend), weight, health, port, vip })
    };
    let services = config.services.iter();
    services
        .flat_map(|service| service.backends.iter().filter_map(move |backend| of(service, backend)))
        .collect()
}

/// How the checks know a backend.
#[must_use]
pub fn subject(service: &Service, backend: &Backend) -> Subject {
    Subject { service: service.name.clone(), address: backend.address, port: backend.port }
}

/// Before any check has run.
#[must_use]
pub fn initial_condition(health: &Health) -> Condition {
    let is_up = |check: &Check| match check.rules.initial {
        Initial::Up | Initial::UpUntilChecked => true,
        Initial::Down | Initial::DownUntilChecked => false,
    };
    let up = match health.needs {
        Needs::All => health.checks.iter().all(is_up),
        Needs::Any => health.checks.iter().any(is_up),
    };
    match (up, health.inhibit_on_failure) {
        (false, true) => Condition { up: true, weight: Some(0) },
        (up, true | false) => Condition { up, weight: None },
    }
}
