//! The same figures as Prometheus text (exposition format 0.0.4).

use std::fmt::{Display, Write};
use std::net::SocketAddr;

use super::view::{BackendState, Service, Stats, Status};

pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics.
pub(super) fn render(status: &Status, services: &[Service], stats: &Stats) -> String {
    let mut page = Page(String::new());
    node(&mut page, status);
    frames(&mut page, stats);
    interfaces(&mut page, status, stats);
    self::services(&mut page, services);
    backends(&mut page, services);
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
    let flows = &status.flows;
    page.single("flows", "gauge", "Flows in the table.", flows.active);
    page.single("flows_capacity", "gauge", "Flows that fit the table.", flows.capacity);
    page.single("flows_created_total", "counter", "New flows.", flows.created);
    page.single("flows_expired_total", "counter", "Flows forgotten after their idle time.", flows.expired);
    page.single("flows_refused_total", "counter", "New flows that found no room.", flows.refused);
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
    page.metric("drops_total", "counter", "Dropped frames, by reason.");
    for drop in &stats.drops {
        page.value("drops_total", &[("reason", &drop.code)], drop.count);
    }
}

fn interfaces(page: &mut Page, status: &Status, stats: &Stats) {
    page.metric("interface_packets_total", "counter", "Frames taken from and sent by an interface.");
    for interface in &status.interfaces {
        let label = |direction: &'static str| (interface.name.clone(), direction);
        for ((name, direction), count) in
            [(label("rx"), interface.rx_packets), (label("tx"), interface.tx_packets)]
        {
            let labels: Labels<'_> = &[("interface", &name), ("direction", &direction)];
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

/// One metric over a list of things, each with its labels.
macro_rules! family {
    ($page:ident, $name:literal, $kind:literal, $help:literal, $things:expr => $value:expr) => {
        $page.metric($name, $kind, $help);
        for (labels, thing) in $things {
            let labels: Vec<(&str, &dyn Display)> =
                labels.iter().map(|(k, v)| (*k, v as &dyn Display)).collect();
            $page.value($name, &labels, $value(thing));
        }
    };
}

fn services(page: &mut Page, services: &[Service]) {
    let all: Vec<_> = services.iter().map(|s| ([("service", s.name.clone())], s)).collect();
    family!(page, "service_up", "gauge", "Whether enough backends are up.", &all => |s: &&Service| u8::from(s.up));
    family!(page, "service_flows", "gauge", "Flows in the table.", &all => |s: &&Service| s.active_flows);
    family!(page, "service_packets_in_total", "counter", "Packets from clients.", &all => |s: &&Service| s.packets_in);
    family!(page, "service_bytes_in_total", "counter", "Bytes from clients.", &all => |s: &&Service| s.bytes_in);
    family!(page, "service_packets_out_total", "counter", "Packets to clients.", &all => |s: &&Service| s.packets_out);
    family!(page, "service_bytes_out_total", "counter", "Bytes to clients.", &all => |s: &&Service| s.bytes_out);
}

fn backends(page: &mut Page, services: &[Service]) {
    use super::view::Backend;

    let mut all = Vec::new();
    for service in services {
        for backend in &service.backends {
            let name = SocketAddr::new(backend.address, backend.port).to_string();
            all.push(([("service", service.name.clone()), ("backend", name)], backend));
        }
    }
    let up = |b: &&Backend| u8::from(b.state == BackendState::Up);
    family!(page, "backend_up", "gauge", "Whether the backend takes new flows.", &all => up);
    family!(page, "backend_weight", "gauge", "The backend's share.", &all => |b: &&Backend| b.weight);
    family!(page, "backend_flows", "gauge", "Flows in the table.", &all => |b: &&Backend| b.active_flows);
    family!(page, "backend_flows_total", "counter", "Flows since the start.", &all => |b: &&Backend| b.total_flows);
    family!(page, "backend_packets_in_total", "counter", "Packets to the backend.", &all => |b: &&Backend| b.packets_in);
    family!(page, "backend_bytes_in_total", "counter", "Bytes to the backend.", &all => |b: &&Backend| b.bytes_in);
}
