//! A daemon of one service behind a real control socket, for the tests of server and CLI.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dataplane::capture::{Capture, Filter};
use hyper::{Method, StatusCode};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::Rights;
use super::request::{self, BackendRef, ConfigText, Refusal, Request};
use super::server::Server;
use super::view;
use crate::cli::{Call, send};
use crate::config::plan::Plan;
use crate::config::{self, Machine};
use crate::events::Events;

pub(crate) struct FakeDaemon {
    dir: PathBuf,
    pub(crate) socket: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    server: tokio::task::JoinHandle<()>,
}

/// A directory of its own for each test; `Drop` of [`FakeDaemon`] takes it away.
pub(crate) fn fresh_dir() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("penstock-api-{}-{number}", std::process::id()))
}

impl FakeDaemon {
    pub(crate) fn start() -> Self {
        Self::start_with(Rights::Full)
    }

    pub(crate) fn start_with(rights: Rights) -> Self {
        let dir = fresh_dir();
        let socket = dir.join("control.sock");
        let (requests, inbox) = request::channel();
        let (stop, stopped) = oneshot::channel();
        let server = Server::bind(&socket, rights).unwrap();
        let stopped = async { _ = stopped.await };
        let server = tokio::spawn(server.run(requests, stopped));
        tokio::spawn(supervise(inbox));
        Self { dir, socket, stop: Some(stop), server }
    }

    /// Status and JSON body.
    pub(crate) async fn call(&self, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let call = Call { method, path: path.to_owned(), body: body.into() };
        let answer = send(&self.socket, call).await.unwrap();
        let text = String::from_utf8(answer.body).unwrap();
        (answer.status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub(crate) async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        (&mut self.server).await.unwrap();
    }
}

impl Drop for FakeDaemon {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

pub(crate) async fn supervise(mut inbox: mpsc::Receiver<Request>) {
    let mut service = service();
    while let Some(request) = inbox.recv().await {
        match request {
            Request::Status(reply) => _ = reply.send(Ok(status())),
            Request::Services(reply) => _ = reply.send(Ok(vec![service.clone()])),
            Request::Service(name, reply) if name == service.name => _ = reply.send(Ok(service.clone())),
            Request::Service(name, reply) => _ = reply.send(Err(Refusal::unknown_service(&name))),
            Request::Flows(query, reply) => match query.service {
                Some(name) if name != service.name => _ = reply.send(Err(Refusal::unknown_service(&name))),
                _ => _ = reply.send(Ok(std::iter::repeat_with(flow).take(query.limit.min(3)).collect())),
            },
            Request::Vrrp(reply) => _ = reply.send(Ok(Vec::new())),
            Request::HandOver(name, reply) => {
                let refusal = Refusal::not_found(format!("there is no VRRP instance {name:?}"));
                _ = reply.send(Err(refusal));
            }
            Request::Interfaces(reply) => _ = reply.send(Ok(status().interfaces)),
            Request::Neighbours(reply) => _ = reply.send(Ok(vec![neighbour()])),
            Request::Stats(reply) => _ = reply.send(Ok(stats())),
            Request::Drops(code, reply) => {
                let dropped =
                    dropped().into_iter().filter(|d| code.as_ref().is_none_or(|code| d.code == *code));
                _ = reply.send(Ok(dropped.collect()));
            }
            Request::Events(reply) => _ = reply.send(Ok(events())),
            Request::Capture(query, reply) => {
                // Is over as soon as somebody reads it.
                let capture = Arc::new(Capture::new(Filter::default(), 0));
                capture.end();
                let interfaces = vec!["eth0".to_owned()];
                let capturing = request::Capturing { capture, interfaces, epoch_nanos: 0 };
                let unknown = query.service.filter(|name| *name != service.name);
                _ = reply.send(unknown.map_or(Ok(capturing), |name| Err(Refusal::unknown_service(&name))));
            }
            Request::Check(text, reply) => _ = reply.send(check(&text)),
            Request::Plan(text, reply) => _ = reply.send(planned(&text)),
            Request::Apply(text, confirm, _, reply) => {
                _ = reply.send(planned(&text).and_then(|planned| applied(planned, confirm)));
            }
            Request::Confirm(caller, reply) => {
                let uid = caller.uid.map_or_else(String::new, |uid| uid.to_string());
                _ = reply.send(Ok(view::Confirmed { number: 3, name: uid }));
            }
            Request::Rollback(to, _, reply) => {
                let missing = || Refusal::not_found("there is no such configuration");
                let text = ConfigText { name: "old.toml".to_owned(), text: String::new() };
                _ = reply.send(to.filter(|to| *to < 9).ok_or_else(missing).and_then(|_| planned(&text)));
            }
            Request::History(reply) => _ = reply.send(Ok(vec![put_in_force()])),
            Request::Text(number, reply) => _ = reply.send(Ok(format!("# number {number}\n"))),
            Request::Reload(_, reply) => _ = reply.send(Err(Refusal::failed("lb.toml is gone"))),
            Request::Persistence(_, reply) => _ = reply.send(Ok(vec![remembered()])),
            Request::Flush(query, reply) => {
                _ = reply.send(Ok(view::Forgotten { forgotten: usize::from(query.client.is_none()) }));
            }
            Request::Explain(name, (client, port), reply) => {
                _ = reply.send(Ok(explained(&name, client, port.unwrap_or(0))));
            }
            Request::Trace(query, reply) => _ = reply.send(Ok(traced(&query))),
            Request::SetBackend(wanted, change, reply) => {
                _ = reply.send(set_backend(&mut service, &wanted, change));
            }
        }
    }
}

fn load(config: &ConfigText) -> Result<(config::Config, Vec<config::Diagnostic>), Refusal> {
    let machine = Machine { cores: 4, hostname: "lb1".to_owned(), ..Machine::default() };
    let loaded = config::load_str(&config.name, &config.text, &machine);
    loaded.map_err(|errors| Refusal::invalid(&config.name, errors))
}

fn check(text: &ConfigText) -> Result<view::Checked, Refusal> {
    let (config, diagnostics) = load(text)?;
    let backends = config.services.iter().map(|s| s.backends.len()).sum();
    Ok(view::Checked { services: config.services.len(), backends, diagnostics })
}

fn planned(text: &ConfigText) -> Result<view::Planned, Refusal> {
    let (config, diagnostics) = load(text)?;
    let changes = config.services.iter().map(|s| format!("service {} is added", s.name)).collect();
    let needs_restart = match config.interfaces.len() {
        1 => Vec::new(),
        n => vec![format!("interfaces: 1 -> {n}")],
    };
    let (forecast, confirm_within_seconds) = (Some(forecast()), None);
    let plan = Plan { changes, needs_restart };
    Ok(view::Planned { plan, forecast, confirm_within_seconds, config_generation: 1, diagnostics })
}

fn applied(planned: view::Planned, confirm: Option<Duration>) -> Result<view::Planned, Refusal> {
    match planned.plan.needs_restart.is_empty() {
        true => Ok(view::Planned {
            config_generation: 2,
            forecast: None,
            confirm_within_seconds: confirm.map(|time| time.as_secs()),
            ..planned
        }),
        false => Err(Refusal::needs_restart("lb.toml", &planned.plan.needs_restart)),
    }
}

fn forecast() -> view::Forecast {
    let services =
        vec![view::ServiceForecast { service: "web".to_owned(), moved_percent: 12.5, exact: true }];
    view::Forecast {
        services,
        flows: 1000,
        flows_cut: 3,
        flows_of_leaving_backends: 40,
        table_bytes: 86 << 20,
        table_bytes_planned: 172 << 20,
        snat: vec![view::SnatForecast { service: "tls".to_owned(), capacity: 64_512, used: 60_000 }],
        mtu: vec![view::MtuForecast {
            service: "far".to_owned(),
            backend: "10.9.0.1".to_owned(),
            interface: "eth0".to_owned(),
            mtu: 1500,
            overhead: 24,
            fits: 1476,
            mss_clamp: 1436,
        }],
    }
}

fn put_in_force() -> view::Applied {
    view::Applied {
        number: 3,
        at: "2026-01-02T03:04:05Z".to_owned(),
        uid: Some(1000),
        user: Some("alice".to_owned()),
        how: "apply".to_owned(),
        name: "lb.toml".to_owned(),
        in_force: true,
        confirm_within_seconds: Some(42),
    }
}

fn set_backend(
    service: &mut view::Service,
    wanted: &BackendRef,
    change: view::BackendChange,
) -> Result<view::Backend, Refusal> {
    if wanted.service != service.name {
        return Err(Refusal::unknown_service(&wanted.service));
    }
    let place = wanted.find(service.backends.iter().map(|b| (b.address, b.port)))?;
    let backend = &mut service.backends[place];
    backend.admin = change.admin.unwrap_or(backend.admin);
    backend.weight = change.weight.unwrap_or(backend.weight);
    if backend.admin == view::Admin::Drain {
        backend.state = view::BackendState::Drain;
    }
    Ok(backend.clone())
}

pub(crate) fn remembered() -> view::Client {
    view::Client {
        services: vec!["web".to_owned(), "tls".to_owned()],
        client: "192.0.2.0/24".to_owned(),
        server: "10.0.1.11".to_owned(),
        left_seconds: 61.0,
    }
}

pub(crate) fn explained(service: &str, client: std::net::IpAddr, port: u16) -> view::Explained {
    view::Explained {
        service: service.to_owned(),
        client: std::net::SocketAddr::new(client, port),
        vip: "10.0.0.100:80".parse().unwrap(),
        backend: Some("10.0.1.11:8080".to_owned()),
        refused: None,
        why: vec!["scheduler maglev chooses it".to_owned()],
        backends: vec![view::Candidate {
            backend: "10.0.1.11:8080".to_owned(),
            weight: 100,
            active_flows: 2,
            note: "takes new flows".to_owned(),
        }],
    }
}

pub(crate) fn traced(query: &view::TraceQuery) -> view::Trace {
    let step = |stage: &str, finding: String| view::TraceStep { stage: stage.to_owned(), finding };
    let (what, frame) = match query {
        view::TraceQuery::Described { source, destination: (to, dport), protocol, port, .. } => {
            let (protocol, dport) = (protocol.word(), dport.unwrap());
            (format!("{protocol} {source} port {port} to {to} port {dport}"), String::new())
        }
        view::TraceQuery::Frame { bytes, .. } => (String::new(), format!("{bytes:?}")),
    };
    view::Trace {
        steps: vec![step("parse", what), step("verdict", "it leaves by eth1".to_owned())],
        verdict: "forwarded".to_owned(),
        reason: None,
        interface: Some("eth1".to_owned()),
        frame,
        sent: None,
    }
}

pub(crate) fn status() -> view::Status {
    view::Status {
        node: "lb1".to_owned(),
        version: "0.1.0".to_owned(),
        uptime_seconds: 12.3,
        config_generation: 1,
        interfaces: vec![view::Interface {
            name: "eth0".to_owned(),
            mac: Some("02:00:00:00:00:01".to_owned()),
            bridge: None,
            xdp: "native".to_owned(),
            zero_copy: false,
            vlan_tags: "in-frame".to_owned(),
            queues: 1,
            rx_packets: 1234,
            tx_packets: 99,
            rx_dropped: 0,
        }],
        workers: vec![view::Worker {
            id: 0,
            core: 1,
            poll: "adaptive".to_owned(),
            packets: 1234,
            batches: 400,
            busy_ratio: 0.02,
        }],
        flows: view::FlowTable { active: 3, capacity: 1_048_576, created: 5, expired: 2, refused: 0 },
        services: 1,
        vrrp: Vec::new(),
        disputes: vec![view::Dispute {
            address: [10, 0, 0, 100].into(),
            mac: "02:00:00:00:00:09".to_owned(),
            claims: 3,
            last_seconds: 4.0,
        }],
        log_lines_lost: 7,
        checks_stalled: false,
    }
}

pub(crate) fn service() -> view::Service {
    let backend = |address: &str| view::Backend {
        address: address.parse().unwrap(),
        port: Some(8080),
        weight: 100,
        effective_weight: 100,
        priority_group: 1,
        upper_threshold: 0,
        lower_threshold: 0,
        overloaded: false,
        state: view::BackendState::Up,
        admin: view::Admin::Enabled,
        drain: None,
        check: None,
        last_result: None,
        checks: Vec::new(),
        history: Vec::new(),
        last_change_seconds: Some(8.14),
        handshakes: view::Handshakes::default(),
        active_flows: 2,
        closing_flows: 0,
        total_flows: 5,
        packets_in: 7,
        bytes_in: 640,
    };
    view::Service {
        name: "web".to_owned(),
        address: "10.0.0.100".to_owned(),
        port: Some(80),
        ports: "80".to_owned(),
        protocol: "tcp".to_owned(),
        mode: "router".to_owned(),
        scheduler: "maglev".to_owned(),
        quorum: 1,
        up: true,
        backup: None,
        active_flows: 3,
        packets_in: 10,
        bytes_in: 900,
        packets_out: 9,
        bytes_out: 4000,
        guaranteed_flows: 524_288,
        half_open_flows: 1,
        pressure: false,
        stateless_packets: 0,
        recycled_flows: 0,
        clashed_flows: 0,
        syn_proxy: None,
        refused: [("denied".to_owned(), 0), ("service-share".to_owned(), 0)].into(),
        snat: None,
        backends: vec![backend("10.0.1.11"), backend("2001:db8::12")],
    }
}

pub(crate) fn flow() -> view::Flow {
    view::Flow {
        service: Some("web".to_owned()),
        protocol: "tcp".to_owned(),
        client: "10.0.0.2:40112".parse().unwrap(),
        vip: "10.0.0.100:80".parse().unwrap(),
        snat: None,
        backend: "10.0.1.11:8080".parse().unwrap(),
        state: "established".to_owned(),
        age_seconds: 200.0,
        idle_seconds: 0.4,
        packets_in: 4,
        packets_out: 3,
    }
}

pub(crate) fn neighbour() -> view::Neighbour {
    view::Neighbour {
        interface: "eth1".to_owned(),
        address: "10.0.1.11".parse().unwrap(),
        mac: None,
        state: "incomplete".to_owned(),
        used_for: vec!["web".to_owned(), "dns".to_owned()],
    }
}

pub(crate) fn stats() -> view::Stats {
    let frames =
        view::Frames { received: 10, forwarded: 6, to_linux: 1, to_management: 1, dropped: 2, originated: 3 };
    let drop = |code: &str, count, meaning: &str| view::Drop {
        code: code.to_owned(),
        count,
        meaning: meaning.to_owned(),
    };
    view::Stats {
        frames,
        drops: vec![
            drop("no-backend", 2, "every backend of the service is down"),
            drop("truncated", 0, "the frame ends too early"),
        ],
        workers: vec![view::WorkerFrames { id: 0, frames: view::Frames { to_linux: 0, ..frames } }],
        rings: vec![view::Ring {
            interface: "eth0".to_owned(),
            queue: 0,
            rx_ring_full: 1,
            fill_ring_empty: 0,
            tx_ring_empty: 2,
            rx_dropped: 0,
        }],
        client_address_omitted: 4,
        bfd_refused: [("auth-key".to_owned(), 7)].into(),
    }
}

pub(crate) fn dropped() -> Vec<view::Dropped> {
    let frame = view::DroppedFrame {
        seconds_ago: 0.42,
        interface: Some("eth0".to_owned()),
        service: Some("web".to_owned()),
        source: "10.0.0.2:40112".to_owned(),
        destination: "10.0.0.100:80".to_owned(),
        protocol: "tcp".to_owned(),
        detail: Some("syn".to_owned()),
        vlan: 7,
        length: 74,
        frame: "0200000000b0".to_owned(),
    };
    let none = stats().drops.into_iter().map(|view::Drop { code, count, meaning }| view::Dropped {
        frames: if count > 0 { vec![frame.clone()] } else { Vec::new() },
        code,
        count,
        meaning,
    });
    none.collect()
}

/// Three, and no more to come.
pub(crate) fn events() -> Arc<Events> {
    let events = Arc::<Events>::default();
    let at = std::time::UNIX_EPOCH + Duration::from_millis(1_767_323_045_678);
    events.add(
        at,
        tracing::Level::INFO,
        Some("vrrp".to_owned()),
        "is now vrrp=outside state=master".to_owned(),
    );
    events.add(
        at,
        tracing::Level::WARN,
        Some("backend".to_owned()),
        "backend is down service=web".to_owned(),
    );
    events.add(at, tracing::Level::INFO, None, "nobody else's".to_owned());
    events.end();
    events
}
