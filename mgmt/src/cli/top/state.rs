//! What `penstock top` shows and how keys change it; without a terminal and without a clock.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use crate::api::view;
use crate::cli::render::state_word;

/// Flows that are asked for at a time, to see who has the most.
pub(super) const FLOWS: usize = 2000;

/// What the daemon has said, all of one moment.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) status: view::Status,
    pub(super) services: Vec<view::Service>,
    pub(super) stats: view::Stats,
    pub(super) vrrp: Vec<view::Vrrp>,
    pub(super) flows: Vec<view::Flow>,
    pub(super) events: Vec<view::Event>,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Help,
    Pause,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
}

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) now: Option<Sample>,
    before: Option<Sample>,
    /// The last answer was none.
    pub(super) trouble: Option<String>,
    pub(super) helps: bool,
    pub(super) pauses: bool,
    /// Lines of the table of services above the first that is shown.
    pub(super) scrolled: usize,
}

/// A line of the table of services.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) is_service: bool,
    pub(super) name: String,
    pub(super) state: String,
    pub(super) flows: u64,
    pub(super) new_per_second: f64,
    pub(super) packets_per_second: f64,
    pub(super) bits_per_second: f64,
}

/// Who has flows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) address: IpAddr,
    pub(super) flows: usize,
    pub(super) packets: u64,
}

impl State {
    /// Whether to go on.
    pub(super) fn press(&mut self, key: Key) -> bool {
        const PAGE: usize = 10;
        let last = self.lines().len().saturating_sub(1);
        match key {
            Key::Quit if self.helps => self.helps = false,
            Key::Quit => return false,
            Key::Help => self.helps = !self.helps,
            Key::Pause => self.pauses = !self.pauses,
            Key::Up => self.scrolled = self.scrolled.saturating_sub(1),
            Key::Down => self.scrolled = (self.scrolled + 1).min(last),
            Key::PageUp => self.scrolled = self.scrolled.saturating_sub(PAGE),
            Key::PageDown => self.scrolled = (self.scrolled + PAGE).min(last),
            Key::Home => self.scrolled = 0,
        }
        true
    }

    /// Takes in what was asked for, or why there was no answer.
    pub(super) fn hear(&mut self, answer: Result<Sample, String>) {
        match answer {
            Ok(sample) => {
                self.before = self.now.replace(sample);
                self.trouble = None;
                self.scrolled = self.scrolled.min(self.lines().len().saturating_sub(1));
            }
            Err(why) => self.trouble = Some(why),
        }
    }

    /// By how much something has grown in a second. What goes back has begun anew.
    fn rate(&self, of: impl Fn(&Sample) -> u64) -> f64 {
        let (Some(now), Some(before)) = (&self.now, &self.before) else { return 0.0 };
        let seconds = now.at.saturating_duration_since(before.at).as_secs_f64();
        if seconds > 0.0 { of(now).saturating_sub(of(before)) as f64 / seconds } else { 0.0 }
    }

    pub(super) fn forwarded(&self) -> f64 {
        self.rate(|sample| sample.stats.frames.forwarded)
    }

    pub(super) fn new_flows(&self) -> f64 {
        self.rate(|sample| sample.status.flows.created)
    }

    pub(super) fn dropped(&self) -> f64 {
        self.rate(|sample| sample.stats.frames.dropped)
    }

    /// Each service, and its backends below it.
    pub(super) fn lines(&self) -> Vec<Line> {
        let services = self.now.iter().flat_map(|now| &now.services);
        services.flat_map(|service| self.service(service)).collect()
    }

    fn service(&self, service: &view::Service) -> Vec<Line> {
        let of = |sample: &Sample, get: fn(&view::Service) -> u64| {
            sample.services.iter().find(|other| other.name == service.name).map_or(0, get)
        };
        let total = |s: &view::Service| s.backends.iter().map(|backend| backend.total_flows).sum();
        let backup = service.backup.as_ref().is_some_and(|backup| backup.in_use);
        let mut lines = vec![Line {
            is_service: true,
            name: format!("{}  {}/{}", service.name, service.endpoint(), service.protocol),
            state: if service.up {
                "up"
            } else if backup {
                "backup"
            } else {
                "down"
            }
            .to_owned(),
            flows: service.active_flows,
            new_per_second: self.rate(|sample| of(sample, total)),
            packets_per_second: self.rate(|sample| of(sample, |s| s.packets_in + s.packets_out)),
            bits_per_second: 8.0 * self.rate(|sample| of(sample, |s| s.bytes_in + s.bytes_out)),
        }];
        lines.extend(service.backends.iter().map(|backend| self.backend(service, backend)));
        lines
    }

    fn backend(&self, service: &view::Service, backend: &view::Backend) -> Line {
        let of = |sample: &Sample, get: fn(&view::Backend) -> u64| {
            let service = sample.services.iter().find(|other| other.name == service.name);
            let is_it =
                |other: &&view::Backend| (other.address, other.port) == (backend.address, backend.port);
            service.and_then(|service| service.backends.iter().find(is_it)).map_or(0, get)
        };
        Line {
            is_service: false,
            name: backend.name(),
            state: state_word(backend.state).to_owned(),
            flows: backend.active_flows,
            new_per_second: self.rate(|sample| of(sample, |b| b.total_flows)),
            packets_per_second: self.rate(|sample| of(sample, |b| b.packets_in)),
            bits_per_second: 8.0 * self.rate(|sample| of(sample, |b| b.bytes_in)),
        }
    }

    /// Those with the most flows, of as many flows as were asked for.
    pub(super) fn clients(&self) -> Vec<Client> {
        let mut clients: HashMap<IpAddr, Client> = HashMap::new();
        for flow in self.now.iter().flat_map(|now| &now.flows) {
            let address = flow.client.ip();
            let client = clients.entry(address).or_insert(Client { address, flows: 0, packets: 0 });
            client.flows += 1;
            client.packets += flow.packets_in + flow.packets_out;
        }
        let mut clients: Vec<_> = clients.into_values().collect();
        clients.sort_by_key(|client| (std::cmp::Reverse((client.flows, client.packets)), client.address));
        clients
    }

    /// Reasons with frames, the quickest first: code, a second, all.
    pub(super) fn drops(&self) -> Vec<(String, f64, u64)> {
        let drops = self.now.iter().flat_map(|now| &now.stats.drops).filter(|drop| drop.count > 0);
        let count = |sample: &Sample, code: &str| {
            sample.stats.drops.iter().find(|drop| drop.code == code).map_or(0, |drop| drop.count)
        };
        let line = |drop: &view::Drop| {
            (drop.code.clone(), self.rate(|sample| count(sample, &drop.code)), drop.count)
        };
        let mut drops: Vec<_> = drops.map(line).collect();
        drops.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.2.cmp(&a.2)));
        drops
    }
}

/// `1234567` as `1.2 M`.
pub(super) fn short(number: f64) -> String {
    match number {
        1e9.. => format!("{:.1} G", number / 1e9),
        1e6.. => format!("{:.1} M", number / 1e6),
        1e3.. => format!("{:.1} k", number / 1e3),
        _ if number > 0.0 && number < 10.0 && number.fract() != 0.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}
