//! How backends take connections: a counter, and a histogram of the times that it took.

use super::{Labels, Page};
use crate::api::view::{Handshakes, Service};

/// What becomes of a handshake, and how many.
type Outcome = (&'static str, fn(&Handshakes) -> u64);

const OUTCOMES: &[Outcome] = &[
    ("answered", |h| h.answered),
    ("refused", |h| h.refused),
    ("unanswered", |h| h.unanswered),
    ("cut", |h| h.cut),
];

const TIMES: &str = "backend_handshake_seconds";

pub(super) fn handshakes(page: &mut Page, services: &[Service]) {
    let backends =
        || services.iter().flat_map(|service| service.backends.iter().map(move |b| (&service.name, b)));
    let name = "backend_handshakes_total";
    page.metric(name, "counter", "Handshakes of clients, by what the backend made of them.");
    for (service, backend) in backends() {
        let endpoint = backend.name();
        for (result, count) in OUTCOMES {
            let labels: Labels<'_> = &[("service", service), ("backend", &endpoint), ("result", result)];
            page.value(name, labels, count(&backend.handshakes));
        }
    }
    page.metric(TIMES, "histogram", "From a client's SYN to the answer.");
    for (service, backend) in backends() {
        let (endpoint, times) = (backend.name(), &backend.handshakes);
        let bucket = format!("{TIMES}_bucket");
        for within in &times.within {
            let labels: Labels<'_> = &[("service", service), ("backend", &endpoint), ("le", &within.seconds)];
            page.value(&bucket, labels, within.count);
        }
        let labels: Labels<'_> = &[("service", service), ("backend", &endpoint), ("le", &"+Inf")];
        page.value(&bucket, labels, times.answered);
        let labels: Labels<'_> = &[("service", service), ("backend", &endpoint)];
        page.value(&format!("{TIMES}_sum"), labels, times.seconds);
        page.value(&format!("{TIMES}_count"), labels, times.answered);
    }
}
