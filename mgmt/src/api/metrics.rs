//! The same figures as Prometheus text (exposition format 0.0.4).

mod handshakes;
mod info;
mod vrrp;

use std::fmt::{Display, Write};

use super::view::{Backend, BackendState, Check, Service, SnatPool, Stats, Status, Vrrp};

pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A metric: what Prometheus calls a family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricFamily {
    /// With the prefix `penstock_`.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// A sentence.
    pub help: String,
}

/// Every metric, in the order of the page.
#[must_use]
pub fn metric_families() -> Vec<MetricFamily> {
    let page = render(&Status::default(), &[], &Stats::default(), &[]);
    let lines: Vec<_> = page.lines().collect();
    let family = |pair: &[&str]| {
        let (name, help) = pair.first()?.strip_prefix("# HELP ")?.split_once(' ')?;
        let kind = pair.last()?.strip_prefix("# TYPE ")?.strip_prefix(name)?.trim_start();
        Some(MetricFamily { name: name.to_owned(), kind: kind.to_owned(), help: help.to_owned() })
    };
    lines.windows(2).filter_map(family).collect()
}

/// All metrics.
pub(super) fn render(status: &Status, services: &[Service], stats: &Stats, routers: &[Vrrp]) -> String {
    let mut page = Page(String::new());
    node(&mut page, status);
    frames(&mut page, stats);
    interfaces(&mut page, status, stats);
    info::services(&mut page, services);
    self::services(&mut page, services);
    info::states(&mut page, services);
    backends(&mut page, services);
    handshakes::handshakes(&mut page, services);
    checks(&mut page, services);
    vrrp::routers(&mut page, routers);
    page.0
}

type Labels<'l> = &'l [(&'l str, &'l dyn Display)];

struct Page(String);

impl Page {
    fn metric(&mut self, name: &str, kind: &str, help: &str) {
        self.write(format_args!("# HELP penstock_{name} {help}\n# TYPE penstock_{name} {kind}\n"));
    }

    fn value(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        let labels: Vec<_> = labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escaped(v))).collect();
        match labels.is_empty() {
            true => self.write(format_args!("penstock_{name} {value}\n")),
            false => self.write(format_args!("penstock_{name}{{{}}} {value}\n", labels.join(","))),
        }
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.metric(name, kind, help);
        self.value(name, &[], value);
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.0.write_fmt(text);
    }
}

fn escaped(value: &dyn Display) -> String {
    value.to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn node(page: &mut Page, status: &Status) {
    page.metric("build_info", "gauge", "The running version.");
    page.value("build_info", &[("node", &status.node), ("version", &status.version)], 1);
    page.single("uptime_seconds", "gauge", "Since the daemon started.", status.uptime_seconds);
    let generation = status.config_generation;
    page.single("config_generation", "gauge", "Configurations put in force.", generation);
    page.single(
        "log_lines_lost_total",
        "counter",
        "Lines of the log that were lost, since its reader took no more.",
        status.log_lines_lost,
    );
    page.single(
        "checks_stalled",
        "gauge",
        "Whether the thread of the health checks hangs.",
        u8::from(status.checks_stalled),
    );
    let flows = &status.flows;
    page.single("flows", "gauge", "Flows in the table.", flows.active);
    page.single("flows_capacity", "gauge", "Flows that fit the table.", flows.capacity);
    page.single("flows_created_total", "counter", "New flows.", flows.created);
    page.single("flows_expired_total", "counter", "Flows forgotten after their idle time.", flows.expired);
    page.single("flows_refused_total", "counter", "New flows that found no room.", flows.refused);
    page.metric("address_claims_total", "counter", "Claims of another station to an address of this box.");
    for dispute in &status.disputes {
        page.value("address_claims_total", &[("address", &dispute.address)], dispute.claims);
    }
    page.metric("worker_busy_ratio", "gauge", "Part of its time that a worker spends on frames.");
    for worker in &status.workers {
        page.value("worker_busy_ratio", &[("worker", &worker.id)], worker.busy_ratio);
    }
}

fn frames(page: &mut Page, stats: &Stats) {
    let frames = &stats.frames;
    page.single("frames_received_total", "counter", "Frames that came in.", frames.received);
    page.metric("frames_total", "counter", "Received frames, by what became of them.");
    let fates = [
        ("forwarded", frames.forwarded),
        ("to_linux", frames.to_linux),
        ("to_management", frames.to_management),
        ("dropped", frames.dropped),
    ];
    for (fate, count) in fates {
        page.value("frames_total", &[("verdict", &fate)], count);
    }
    page.single("frames_originated_total", "counter", "Frames that the box sent itself.", frames.originated);
    page.single(
        "client_address_omitted_total",
        "counter",
        "First segments that had no room for the client's address.",
        stats.client_address_omitted,
    );
    page.metric(
        "bfd_packets_refused_total",
        "counter",
        "Packets of BFD that were not listened to, by reason.",
    );
    for (reason, count) in &stats.bfd_refused {
        page.value("bfd_packets_refused_total", &[("reason", reason)], count);
    }
    page.metric("drops_total", "counter", "Dropped frames, by reason.");
    for drop in &stats.drops {
        page.value("drops_total", &[("reason", &drop.code)], drop.count);
    }
}

fn interfaces(page: &mut Page, status: &Status, stats: &Stats) {
    page.metric("interface_packets_total", "counter", "Frames taken from and sent by an interface.");
    for interface in &status.interfaces {
        for (direction, count) in [("rx", interface.rx_packets), ("tx", interface.tx_packets)] {
            let labels: Labels<'_> = &[("interface", &interface.name), ("direction", &direction)];
            page.value("interface_packets_total", labels, count);
        }
    }
    page.metric("ring_events_total", "counter", "What a socket's rings ran into.");
    for ring in &stats.rings {
        let events = [
            ("rx_ring_full", ring.rx_ring_full),
            ("fill_ring_empty", ring.fill_ring_empty),
            ("tx_ring_empty", ring.tx_ring_empty),
            ("rx_dropped", ring.rx_dropped),
        ];
        for (event, count) in events {
            let labels: Labels<'_> =
                &[("interface", &ring.interface), ("queue", &ring.queue), ("event", &event)];
            page.value("ring_events_total", labels, count);
        }
    }
}

/// A metric that every service, every backend or every pool has: name, kind, help, value.
type Family<T> = (&'static str, &'static str, &'static str, fn(&T) -> u64);

const SERVICES: &[Family<Service>] = &[
    ("service_up", "gauge", "Whether enough backends are up.", |s| u64::from(s.up)),
    ("service_flows", "gauge", "Flows in the table.", |s| s.active_flows),
    ("service_packets_in_total", "counter", "Packets from clients.", |s| s.packets_in),
    ("service_bytes_in_total", "counter", "Bytes from clients.", |s| s.bytes_in),
    ("service_packets_out_total", "counter", "Packets to clients.", |s| s.packets_out),
    ("service_bytes_out_total", "counter", "Bytes to clients.", |s| s.bytes_out),
    ("service_flows_guaranteed", "gauge", "Flows that it always has room for.", |s| s.guaranteed_flows),
    ("service_flows_half_open", "gauge", "Handshakes under way.", |s| s.half_open_flows),
    ("service_pressure", "gauge", "Whether it is beyond its share of the flow table.", |s| {
        u64::from(s.pressure)
    }),
    ("service_stateless_packets_total", "counter", "Packets that went on without a flow.", |s| {
        s.stateless_packets
    }),
    ("service_flows_recycled_total", "counter", "Unestablished flows that made way for others.", |s| {
        s.recycled_flows
    }),
    ("service_flows_clashed_total", "counter", "Flows begun past a clash of tuples.", |s| s.clashed_flows),
    ("service_syn_proxy_active", "gauge", "Whether new handshakes are answered by cookie.", |s| {
        s.syn_proxy.as_ref().map_or(0, |proxy| u64::from(proxy.active))
    }),
    ("service_cookies_sent_total", "counter", "SYNs answered by cookie.", |s| {
        s.syn_proxy.as_ref().map_or(0, |proxy| proxy.cookies_sent)
    }),
    ("service_cookies_taken_total", "counter", "Cookies that came back and began a flow.", |s| {
        s.syn_proxy.as_ref().map_or(0, |proxy| proxy.cookies_taken)
    }),
    ("service_cookies_not_taken_total", "counter", "Of these, connections that did not come about.", |s| {
        s.syn_proxy.as_ref().map_or(0, |proxy| proxy.not_taken)
    }),
];

const BACKENDS: &[Family<Backend>] = &[
    ("backend_up", "gauge", "Whether it takes new flows.", |b| u64::from(b.state == BackendState::Up)),
    ("backend_weight", "gauge", "Its share of the new flows.", |b| u64::from(b.weight)),
    ("backend_flows", "gauge", "Flows in the table.", |b| b.active_flows),
    ("backend_flows_total", "counter", "Flows since the start.", |b| b.total_flows),
    ("backend_packets_in_total", "counter", "Packets to the backend.", |b| b.packets_in),
    ("backend_bytes_in_total", "counter", "Bytes to the backend.", |b| b.bytes_in),
];

const SNAT: &[Family<SnatPool>] = &[
    ("service_snat_addresses", "gauge", "Pool addresses that new flows come from.", |snat| {
        snat.addresses as u64
    }),
    ("service_snat_ports_used", "gauge", "Pool ports that are taken.", |snat| snat.used),
    ("service_snat_ports", "gauge", "Pool ports that there are.", |snat| snat.capacity),
];

fn services(page: &mut Page, services: &[Service]) {
    for (name, kind, help, value) in SERVICES {
        page.metric(name, kind, help);
        for service in services {
            page.value(name, &[("service", &service.name)], value(service));
        }
    }
    page.metric("service_refused_total", "counter", "Packets that began no flow, by reason.");
    for service in services {
        for (reason, count) in &service.refused {
            page.value("service_refused_total", &[("service", &service.name), ("reason", reason)], count);
        }
    }
    for (name, kind, help, value) in SNAT {
        page.metric(name, kind, help);
        for service in services {
            if let Some(snat) = &service.snat {
                page.value(name, &[("service", &service.name)], value(snat));
            }
        }
    }
}

fn backends(page: &mut Page, services: &[Service]) {
    for (name, kind, help, value) in BACKENDS {
        page.metric(name, kind, help);
        for service in services {
            for backend in &service.backends {
                let endpoint = backend.name();
                let labels: Labels<'_> = &[("service", &service.name), ("backend", &endpoint)];
                page.value(name, labels, value(backend));
            }
        }
    }
}

/// A metric that every check has: name, kind, help, value.
type OfCheck = (&'static str, &'static str, &'static str, fn(&Check) -> f64);

const CHECKS: &[OfCheck] = &[
    ("check_up", "gauge", "Whether the check counts as up.", |c| f64::from(u8::from(c.up))),
    ("check_results_total", "counter", "Results of the check.", |c| c.results as f64),
    ("check_failures_total", "counter", "Results that were failures.", |c| c.failures as f64),
    ("check_not_run_total", "counter", "Times it could not run, because of the node.", |c| c.not_run as f64),
    ("check_latency_seconds", "gauge", "How long the last one took.", |c| c.latency_seconds.unwrap_or(0.0)),
    ("check_warning", "gauge", "Whether it will fail before long.", |c| {
        f64::from(u8::from(c.warning.is_some()))
    }),
];

fn checks(page: &mut Page, services: &[Service]) {
    let backends =
        || services.iter().flat_map(|service| service.backends.iter().map(move |b| (&service.name, b)));
    for (name, kind, help, value) in CHECKS {
        page.metric(name, kind, help);
        for (service, backend) in backends() {
            let endpoint = backend.name();
            for (number, check) in backend.checks.iter().enumerate() {
                let labels: Labels<'_> = &[
                    ("service", service),
                    ("backend", &endpoint),
                    ("check", &check.kind),
                    ("number", &number),
                ];
                page.value(name, labels, value(check));
            }
        }
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod conventions;

#[cfg(test)]
mod tests {
    use dataplane::admission::HandshakeCounts;

    use super::*;
    use crate::api::fake;

    #[test]
    fn pools_are_told_of_services_that_have_one_and_kept_ports_are_left_out() {
        let mut service = fake::service();
        service.snat = Some(SnatPool { addresses: 2, used: 5, capacity: 129_024 });
        service.backends[0].port = None;
        let times = [3, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let counts = HandshakeCounts { times, millis: 7503, refused: 2, ..HandshakeCounts::default() };
        service.backends[0].handshakes = counts.into();
        let other = Service { name: "dns".to_owned(), ..fake::service() };
        let page = render(&fake::status(), &[service, other], &fake::stats(), &[]);
        for line in [
            "penstock_service_snat_addresses{service=\"web\"} 2",
            "penstock_service_snat_ports_used{service=\"web\"} 5",
            "penstock_service_snat_ports{service=\"web\"} 129024",
            "penstock_service_refused_total{service=\"web\",reason=\"denied\"} 0",
            "penstock_service_pressure{service=\"dns\"} 0",
            "penstock_backend_up{service=\"web\",backend=\"10.0.1.11\"} 1",
            "penstock_backend_handshakes_total{service=\"web\",backend=\"10.0.1.11\",result=\"refused\"} 2",
            "penstock_backend_handshake_seconds_bucket{service=\"web\",backend=\"10.0.1.11\",le=\"0.002\"} 5",
            "penstock_backend_handshake_seconds_bucket{service=\"web\",backend=\"10.0.1.11\",le=\"+Inf\"} 6",
            "penstock_backend_handshake_seconds_sum{service=\"web\",backend=\"10.0.1.11\"} 7.503",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}");
        }
        assert!(!page.contains("snat_ports{service=\"dns\"}"));
    }
}
