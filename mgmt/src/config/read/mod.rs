//! TOML tables to [`Model`]: one function per table of the contract, its keys in the contract's order.

mod choice;
mod health;
mod service;
mod vrrp;

pub(super) use choice::{hash_on_word, on_failure_word, then_word};
pub(super) use service::{client_address_word, missing_state_word, ping_word, syn_proxy_word};
pub(super) use vrrp::mac_word;

use std::net::SocketAddr;
use std::time::Duration;

use dataplane::schedule::Kind;
use dataplane::snapshot::FlowTimeouts;
use dataplane::{HugePages, Poll, XdpPreference};
use toml::de::DeTable;

use super::diagnostic::{Report, Span};
use super::model::{Dataplane, Interface, Model, Node};
use super::reader::Reader;
use super::value::{duration, integer, socket_address, string, word};

/// The most flows that may be asked for: the flow table's indexes are 32 bits wide, links included.
const MAX_FLOWS: usize = 1 << 28;

/// Clients that are remembered: half a gigabyte.
const MAX_CLIENTS: usize = 1 << 24;

/// A day is far beyond any useful idle time, and keeps the arithmetic of coarse clocks small.
const TIMEOUT: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(86_400);

const POLLS: &[(&str, Poll)] = &[("busy", Poll::Busy), ("adaptive", Poll::Adaptive)];
const HUGE_PAGES: &[(&str, HugePages)] =
    &[("auto", HugePages::Auto), ("require", HugePages::Require), ("off", HugePages::Off)];
const XDP: &[(&str, XdpPreference)] = &[
    ("auto", XdpPreference::Auto),
    ("zero-copy", XdpPreference::ZeroCopy),
    ("copy", XdpPreference::Copy),
    ("generic", XdpPreference::Generic),
];
const SCHEDULERS: &[(&str, Kind)] = &[
    ("rr", Kind::RoundRobin),
    ("wrr", Kind::WeightedRoundRobin),
    ("lc", Kind::LeastConnections),
    ("wlc", Kind::WeightedLeastConnections),
    ("sh", Kind::SourceHash),
    ("dh", Kind::DestinationHash),
    ("maglev", Kind::Maglev),
    ("sed", Kind::ShortestDelay),
    ("nq", Kind::NeverQueue),
    ("fo", Kind::Failover),
    ("ovf", Kind::Overflow),
    ("lblc", Kind::Locality),
    ("lblcr", Kind::LocalityReplicated),
    ("random", Kind::Random),
    ("twos", Kind::TwoChoices),
];

/// A table and the place where it begins.
type Table<'r, 'i> = (Span, &'r DeTable<'i>);

/// The whole file.
pub(super) fn file(table: &DeTable<'_>, report: &mut Report<'_>) -> Model {
    // What is missing in the file as a whole is reported at its first character.
    let mut reader = Reader::new("the file", (0..0, table), report);
    let node_table = reader.table("node");
    let dataplane_table = reader.table("dataplane");
    let metrics_table = reader.table("metrics");
    let interfaces = reader.tables("interface");
    let instances = reader.tables("vrrp");
    let services = reader.tables("service");
    let report = reader.finish();
    Model {
        node: node_table.map_or_else(Node::default, |table| node(table, report)),
        dataplane: dataplane_table.map_or_else(Dataplane::default, |table| dataplane(table, report)),
        listen: metrics_table.and_then(|table| metrics(table, report)),
        interfaces: interfaces.into_iter().map(|table| interface(table, report)).collect(),
        vrrp: instances.into_iter().map(|table| vrrp::instance(table, report)).collect(),
        services: services.into_iter().map(|table| service::service(table, report)).collect(),
    }
}

fn node(table: Table<'_, '_>, report: &mut Report<'_>) -> Node {
    let mut reader = Reader::new("[node]", table, report);
    let node = Node {
        name: reader.take("name", string),
        run_dir: reader.take("run_dir", string),
        state_dir: reader.take("state_dir", string),
        cluster: reader.take("cluster", string),
    };
    reader.finish();
    node
}

fn dataplane(table: Table<'_, '_>, report: &mut Report<'_>) -> Dataplane {
    let default = Dataplane::default();
    let mut reader = Reader::new("[dataplane]", table, report);
    let cores = reader.take_list("cores", integer(0..=usize::from(u16::MAX)));
    let poll = reader.take_or("poll", default.poll, word(POLLS, &[]));
    let flows = reader.take_or("flows", default.flows, integer(1..=MAX_FLOWS));
    let huge_pages = reader.take_or("hugepages", default.huge_pages, word(HUGE_PAGES, &[]));
    let persistence = reader.take_or("persistence", default.persistence, integer(1..=MAX_CLIENTS));
    let timeouts = reader.table("flow_timeouts");
    let report = reader.finish();
    let flow_timeouts = timeouts.map_or(default.flow_timeouts, |table| flow_timeouts(table, report));
    Dataplane { cores, poll, flows, huge_pages, flow_timeouts, persistence }
}

fn metrics(table: Table<'_, '_>, report: &mut Report<'_>) -> Option<SocketAddr> {
    let mut reader = Reader::new("[metrics]", table, report);
    let listen = reader.take("listen", socket_address);
    reader.finish();
    listen.map(toml::Spanned::into_inner)
}

fn flow_timeouts(table: Table<'_, '_>, report: &mut Report<'_>) -> FlowTimeouts {
    let default = FlowTimeouts::default();
    let mut reader = Reader::new("flow_timeouts", table, report);
    let mut time = |key, default| reader.take_or(key, default, duration(TIMEOUT));
    let timeouts = FlowTimeouts {
        tcp_syn: time("tcp_syn", default.tcp_syn),
        tcp_established: time("tcp_established", default.tcp_established),
        tcp_fin: time("tcp_fin", default.tcp_fin),
        tcp_reset: time("tcp_reset", default.tcp_reset),
        udp: time("udp", default.udp),
        icmp: time("icmp", default.icmp),
    };
    reader.finish();
    timeouts
}

fn interface(table: Table<'_, '_>, report: &mut Report<'_>) -> Interface {
    let mut reader = Reader::new("[[interface]]", table, report);
    let name = reader.need("name", "\"eth0\"", string);
    let xdp = reader.take_or("xdp", XdpPreference::Auto, word(XDP, &[]));
    let bridge = reader.take("bridge", string);
    reader.finish();
    Interface { name, xdp, bridge }
}

/// What operators write for a scheduler.
pub(super) fn scheduler_word(kind: Kind) -> &'static str {
    SCHEDULERS.iter().find(|(_, k)| *k == kind).map_or("unknown", |(word, _)| word)
}

/// What operators write for what a worker does when it is idle.
pub(super) fn poll_word(poll: Poll) -> &'static str {
    POLLS.iter().find(|(_, p)| *p == poll).map_or("unknown", |(word, _)| word)
}

/// What operators write for where the flow table's memory comes from.
pub(super) fn huge_pages_word(huge_pages: HugePages) -> &'static str {
    HUGE_PAGES.iter().find(|(_, h)| *h == huge_pages).map_or("unknown", |(word, _)| word)
}

/// What operators write for what is asked of a driver.
pub(super) fn xdp_word(xdp: XdpPreference) -> &'static str {
    XDP.iter().find(|(_, x)| *x == xdp).map_or("unknown", |(word, _)| word)
}
