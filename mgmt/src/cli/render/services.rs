//! Services, their pools and their backends.

use super::{Render, time};
use crate::api::view;
use crate::cli::table::{Cell, Style, Table, Tone, row};

impl Render for Vec<view::Service> {
    fn render(&self, style: Style) -> String {
        if self.is_empty() {
            return "no services\n".to_owned();
        }
        let columns = "SERVICE PROTOCOL ADDRESS MODE SCHEDULER STATE >FLOWS >PACKETS-IN >BYTES-IN >PACKETS-OUT >BYTES-OUT";
        let mut services = Table::new(columns, style);
        let columns =
            "SERVICE BACKEND STATE ADMIN >WEIGHT >NOW >FLOWS >TOTAL-FLOWS >PACKETS-IN >BYTES-IN SINCE CHECK";
        let mut backends = Table::new(columns, style);
        for service in self {
            let on_backup = service.backup.as_ref().is_some_and(|backup| backup.in_use);
            let (state, tone) = match (service.up, on_backup) {
                (true, _) => ("up", Tone::Good),
                (false, true) => ("backup", Tone::Attention),
                (false, false) => ("down", Tone::Bad),
            };
            services.push(row![
                &service.name,
                &service.protocol,
                service.endpoint(),
                &service.mode,
                &service.scheduler,
                Cell::toned(state, tone),
                service.active_flows,
                service.packets_in,
                service.bytes_in,
                service.packets_out,
                service.bytes_out,
            ]);
            for backend in &service.backends {
                backends.push(backend_row(&service.name, backend));
            }
        }
        let more =
            [drains(self, style), pools(self, style), admission(self, style), syn_proxies(self, style)]
                .concat();
        format!("{services}\n{backends}{more}")
    }
}

impl Render for view::Service {
    fn render(&self, style: Style) -> String {
        vec![self.clone()].render(style) + &checks(self, style) + &history(self, style)
    }
}

/// Each check by itself. Nothing, unless there is one.
fn checks(service: &view::Service, style: Style) -> String {
    let mut table =
        Table::new("BACKEND CHECK STATE AGAINST >LATENCY >RESULTS >FAILURES SINCE RESULT WARNING", style);
    for backend in &service.backends {
        for check in &backend.checks {
            let (state, tone) = if check.up { ("up", Tone::Good) } else { ("down", Tone::Bad) };
            table.push(row![
                backend.name(),
                &check.kind,
                Cell::toned(state, tone),
                check.contradictions,
                check.latency_seconds.map(latency).unwrap_or_default(),
                check.results,
                check.failures,
                time(check.since_seconds),
                check.last_result.clone().unwrap_or_default(),
                Cell::toned(check.warning.as_deref().unwrap_or_default(), Tone::Attention),
            ]);
        }
    }
    let has_checks = service.backends.iter().any(|backend| !backend.checks.is_empty());
    if has_checks { format!("\n{table}") } else { String::new() }
}

/// What went up and down, the latest first. Nothing, if nothing did.
fn history(service: &view::Service, style: Style) -> String {
    let mut table = Table::new("BACKEND BECAME AGO BY", style);
    let of = |backend: &view::Backend| {
        let name = backend.name();
        backend.history.iter().cloned().map(move |change| (name.clone(), change)).collect::<Vec<_>>()
    };
    let mut changes: Vec<_> = service.backends.iter().flat_map(of).collect();
    changes.sort_by(|a, b| a.1.seconds_ago.total_cmp(&b.1.seconds_ago));
    for (backend, change) in &changes {
        let cell = Cell::toned(state_word(change.state), tone(change.state));
        table.push(row![backend, cell, time(change.seconds_ago), &change.why]);
    }
    if changes.is_empty() { String::new() } else { format!("\n{table}") }
}

fn latency(seconds: f64) -> String {
    format!("{:.1}ms", seconds * 1000.0)
}

/// Of backends that are drained.
fn drains(services: &[view::Service], style: Style) -> String {
    let mut table = Table::new("SERVICE DRAINED >FLOWS-LEFT OLDEST SINCE DEADLINE THEN", style);
    let mut has_drains = false;
    for (service, backend) in services.iter().flat_map(|s| s.backends.iter().map(move |b| (s, b))) {
        let Some(drain) = &backend.drain else { continue };
        has_drains = true;
        table.push(row![
            &service.name,
            backend.name(),
            backend.active_flows,
            drain.oldest_flow_seconds.map(time).unwrap_or_default(),
            time(drain.since_seconds),
            drain.deadline_seconds.map(time).unwrap_or_default(),
            &drain.then,
        ]);
    }
    if has_drains { format!("\n{table}") } else { String::new() }
}

/// Nothing, unless a service has one.
fn pools(services: &[view::Service], style: Style) -> String {
    let mut table = Table::new("SERVICE >POOL-ADDRESSES >PORTS-USED >PORTS >USED", style);
    for service in services {
        let Some(snat) = &service.snat else { continue };
        let percent = snat.used * 100 / snat.capacity.max(1);
        table.push(row![&service.name, snat.addresses, snat.used, snat.capacity, format!("{percent}%")]);
    }
    let has_pools = services.iter().any(|service| service.snat.is_some());
    if has_pools { format!("\n{table}") } else { String::new() }
}

/// Of services that had to refuse something, or to do without flows.
fn admission(services: &[view::Service], style: Style) -> String {
    let mut table =
        Table::new("SERVICE SHARE >GUARANTEED >HALF-OPEN >STATELESS-PACKETS >RECYCLED REFUSED", style);
    let has_refused = |service: &view::Service| service.refused.values().any(|count| *count > 0);
    let is_told = |service: &&view::Service| {
        service.pressure || service.stateless_packets + service.recycled_flows > 0 || has_refused(service)
    };
    let mut told = services.iter().filter(is_told).peekable();
    if told.peek().is_none() {
        return String::new();
    }
    for service in told {
        let share = match service.pressure {
            true => Cell::toned("used-up", Tone::Attention),
            false => Cell::toned("within", Tone::Good),
        };
        let refused = service.refused.iter().filter(|(_, count)| **count > 0);
        table.push(row![
            &service.name,
            share,
            service.guaranteed_flows,
            service.half_open_flows,
            service.stateless_packets,
            service.recycled_flows,
            refused.map(|(code, count)| format!("{code}: {count}")).collect::<Vec<_>>().join(", "),
        ]);
    }
    format!("\n{table}")
}

/// Of services whose handshakes the box may make.
fn syn_proxies(services: &[view::Service], style: Style) -> String {
    let mut table = Table::new("SERVICE SYN-PROXY NOW >COOKIES-SENT >TAKEN >NOT-TAKEN", style);
    let mut any = false;
    for service in services {
        let Some(proxy) = &service.syn_proxy else { continue };
        let now = match proxy.active {
            true => Cell::toned("answers", Tone::Attention),
            false => Cell::toned("waits", Tone::Good),
        };
        any = true;
        table.push(row![
            &service.name,
            &proxy.setting,
            now,
            proxy.cookies_sent,
            proxy.cookies_taken,
            proxy.not_taken,
        ]);
    }
    if any { format!("\n{table}") } else { String::new() }
}

fn tone(state: view::BackendState) -> Tone {
    match state {
        view::BackendState::Up => Tone::Good,
        view::BackendState::Down => Tone::Bad,
        view::BackendState::Drain | view::BackendState::Disabled | view::BackendState::Unknown => {
            Tone::Attention
        }
    }
}

fn backend_row(service: &str, backend: &view::Backend) -> Vec<Cell> {
    let check = [&backend.check, &backend.last_result].into_iter().flatten();
    row![
        service,
        backend.name(),
        Cell::toned(state_word(backend.state), tone(backend.state)),
        backend.admin.word(),
        backend.weight,
        backend.effective_weight,
        backend.active_flows,
        backend.total_flows,
        backend.packets_in,
        backend.bytes_in,
        backend.last_change_seconds.map(time).unwrap_or_default(),
        check.cloned().collect::<Vec<_>>().join(": "),
    ]
}

pub(in crate::cli) fn state_word(state: view::BackendState) -> &'static str {
    match state {
        view::BackendState::Up => "up",
        view::BackendState::Down => "down",
        view::BackendState::Drain => "drain",
        view::BackendState::Disabled => "disabled",
        view::BackendState::Unknown => "unknown",
    }
}

impl Render for view::Backend {
    fn render(&self, _: Style) -> String {
        let backend = self.name();
        let (admin, state) = (self.admin.word(), state_word(self.state));
        format!("{backend}: {admin}, weight {}, state {state}\n", self.weight)
    }
}
