//! The daemon's answers as text for operators.

mod choice;
mod drops;
mod services;

use std::fmt::Write;
use std::time::Duration;

pub(super) use services::state_word;

use super::table::{Cell, Style, Table, Tone, row};
use crate::api::view;
use crate::config::Diagnostic;

/// An answer that can be shown.
pub(super) trait Render {
    fn render(&self, style: Style) -> String;
}

impl Render for view::Status {
    fn render(&self, style: Style) -> String {
        let mut text = String::new();
        let flows = &self.flows;
        let facts = [
            ("Node", self.node.clone()),
            ("Version", self.version.clone()),
            ("Up for", time(self.uptime_seconds)),
            ("Configuration", self.config_generation.to_string()),
            ("Services", self.services.to_string()),
            ("Flows", format!("{} of {}", flows.active, flows.capacity)),
            (
                "Flows since start",
                format!("{} new, {} expired, {} refused", flows.created, flows.expired, flows.refused),
            ),
        ];
        for (name, value) in facts {
            say(&mut text, format_args!("{:<19}{value}\n", format!("{name}:")));
        }
        for instance in &self.vrrp {
            say(&mut text, format_args!("{:<19}{} is {}\n", "VRRP:", instance.name, instance.state));
        }
        for dispute in &self.disputes {
            let view::Dispute { address, mac, claims, last_seconds } = dispute;
            let last = time(*last_seconds);
            say(
                &mut text,
                format_args!("{:<19}{address}, by {mac}, {claims} times, {last} ago\n", "Claimed elsewhere:"),
            );
        }
        if self.log_lines_lost > 0 {
            let lost = format!("{} lines: whatever reads the log is too slow, or hangs", self.log_lines_lost);
            say(&mut text, format_args!("{:<19}{lost}\n", "Log lost:"));
        }
        if self.checks_stalled {
            say(&mut text, format_args!("{:<19}{}\n", "Health checks:", "hang; backends stay as they are"));
        }
        let mut workers = Table::new("WORKER >CORE POLL >PACKETS >BATCHES >BUSY", style);
        for worker in &self.workers {
            let busy = format!("{:.0}%", worker.busy_ratio * 100.0);
            workers.push(row![worker.id, worker.core, &worker.poll, worker.packets, worker.batches, busy]);
        }
        text + "\n" + &self.interfaces.render(style) + "\n" + &workers.to_string()
    }
}

impl Render for Vec<view::Interface> {
    fn render(&self, style: Style) -> String {
        let mut table = Table::new(
            "INTERFACE MAC BRIDGE XDP ZERO-COPY >QUEUES >RX-PACKETS >TX-PACKETS >RX-DROPPED",
            style,
        );
        for interface in self {
            let tone = match interface.xdp.as_str() {
                "native" => Tone::Good,
                "generic" => Tone::Attention,
                _ => Tone::Bad,
            };
            table.push(row![
                &interface.name,
                interface.mac.clone().unwrap_or_default(),
                interface.bridge.clone().unwrap_or_default(),
                Cell::toned(&interface.xdp, tone),
                if interface.zero_copy { "yes" } else { "no" },
                interface.queues,
                interface.rx_packets,
                interface.tx_packets,
                interface.rx_dropped,
            ]);
        }
        table.to_string()
    }
}

impl Render for Vec<view::Flow> {
    fn render(&self, style: Style) -> String {
        let columns =
            "SERVICE PROTOCOL CLIENT VIRTUAL SNAT BACKEND STATE >PACKETS-IN >PACKETS-OUT >AGE >IDLE";
        let mut table = Table::new(columns, style);
        for flow in self {
            table.push(row![
                flow.service.clone().unwrap_or_default(),
                &flow.protocol,
                flow.client,
                flow.vip,
                flow.snat.map(|snat| snat.to_string()).unwrap_or_default(),
                flow.backend,
                &flow.state,
                flow.packets_in,
                flow.packets_out,
                time(flow.age_seconds),
                time(flow.idle_seconds),
            ]);
        }
        table.to_string()
    }
}

impl Render for view::VrrpState {
    fn render(&self, _: Style) -> String {
        format!("{} is {}\n", self.name, self.state)
    }
}

impl Render for Vec<view::Vrrp> {
    fn render(&self, style: Style) -> String {
        if self.is_empty() {
            return "no VRRP instances\n".to_owned();
        }
        let mut table = Table::new("NAME INTERFACE >VRID FAMILY STATE >PRIORITY >EFFECTIVE MASTER", style);
        for instance in self {
            let tone = match instance.state.as_str() {
                "master" => Tone::Good,
                "fault" => Tone::Bad,
                _ => Tone::Neutral,
            };
            table.push(row![
                &instance.name,
                &instance.interface,
                instance.vrid,
                &instance.family,
                Cell::toned(&instance.state, tone),
                instance.priority,
                instance.effective_priority,
                instance.master.map(|m| m.to_string()).unwrap_or_default(),
            ]);
        }
        let mut text = table.to_string();
        for instance in self {
            for view::BfdSession { peer, said, .. } in &instance.bfd {
                say(&mut text, format_args!("{}: BFD with {peer}: {said}\n", instance.name));
            }
        }
        text
    }
}

impl Render for Vec<view::Neighbour> {
    fn render(&self, style: Style) -> String {
        let mut table = Table::new("INTERFACE ADDRESS MAC STATE USED-FOR", style);
        for neighbour in self {
            let tone = if neighbour.mac.is_some() { Tone::Good } else { Tone::Bad };
            table.push(row![
                &neighbour.interface,
                neighbour.address,
                neighbour.mac.clone().unwrap_or_default(),
                Cell::toned(&neighbour.state, tone),
                neighbour.used_for.join(", "),
            ]);
        }
        table.to_string()
    }
}

impl Render for view::Stats {
    fn render(&self, style: Style) -> String {
        let columns = "FRAMES >RECEIVED >FORWARDED >TO-LINUX >TO-MANAGEMENT >DROPPED >ORIGINATED";
        let mut frames = Table::new(columns, style);
        let line = |name: String, f: &view::Frames| {
            row![name, f.received, f.forwarded, f.to_linux, f.to_management, f.dropped, f.originated]
        };
        frames.push(line("all".to_owned(), &self.frames));
        for worker in &self.workers {
            frames.push(line(format!("worker-{}", worker.id), &worker.frames));
        }
        let mut drops = Table::new("DROPPED >COUNT MEANING", style);
        for drop in self.drops.iter().filter(|drop| drop.count > 0) {
            drops.push(row![&drop.code, drop.count, &drop.meaning]);
        }
        let columns = "INTERFACE >QUEUE >RX-RING-FULL >FILL-RING-EMPTY >TX-RING-EMPTY >RX-DROPPED";
        let mut rings = Table::new(columns, style);
        for ring in &self.rings {
            let (interface, full) = (&ring.interface, ring.rx_ring_full);
            rings.push(row![
                interface,
                ring.queue,
                full,
                ring.fill_ring_empty,
                ring.tx_ring_empty,
                ring.rx_dropped
            ]);
        }
        let mut text = format!("{frames}\n{drops}\n{rings}");
        if self.client_address_omitted > 0 {
            let count = self.client_address_omitted;
            say(&mut text, format_args!("\n{count} first segments had no room for the client's address\n"));
        }
        text
    }
}

/// Diagnostics for stderr, each followed by an empty line.
pub(super) fn diagnostics(found: &[Diagnostic]) -> String {
    found.iter().map(|diagnostic| format!("{diagnostic}\n\n")).collect()
}

fn say(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(what);
}

/// A length of time in one word: `0.4s`, `12s`, `3m20s`, `5h07m`, `12d03h`.
pub(super) fn time(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    match whole {
        0..10 => format!("{:.1}s", seconds.max(0.0)),
        10..60 => format!("{whole}s"),
        60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        3600..86_400 => format!("{}h{:02}m", whole / 3600, whole / 60 % 60),
        _ => format!("{}d{:02}h", whole / 86_400, whole / 3600 % 24),
    }
}

#[cfg(test)]
mod tests;
