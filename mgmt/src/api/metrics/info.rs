//! What services and backends are, as labels.

use super::{Labels, Page};
use crate::api::view::{BackendState, Service};

const STATES: [(BackendState, &str); 5] = [
    (BackendState::Up, "up"),
    (BackendState::Down, "down"),
    (BackendState::Drain, "drain"),
    (BackendState::Disabled, "disabled"),
    (BackendState::Unknown, "unknown"),
];

pub(super) fn services(page: &mut Page, services: &[Service]) {
    page.metric("service_info", "gauge", "1, with what a service is.");
    for service in services {
        let labels: Labels<'_> = &[
            ("service", &service.name),
            ("address", &service.address),
            ("ports", &service.ports),
            ("protocol", &service.protocol),
            ("mode", &service.mode),
            ("scheduler", &service.scheduler),
        ];
        page.value("service_info", labels, 1);
    }
}

pub(super) fn states(page: &mut Page, services: &[Service]) {
    page.metric("backend_state", "gauge", "1 for the state that a backend is in.");
    for service in services {
        for backend in &service.backends {
            let endpoint = backend.name();
            for (state, word) in STATES {
                let labels: Labels<'_> =
                    &[("service", &service.name), ("backend", &endpoint), ("state", &word)];
                page.value("backend_state", labels, u8::from(backend.state == state));
            }
        }
    }
}
