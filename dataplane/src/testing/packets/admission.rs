//! Which new flows may begin, on every way: access lists, limits, rates, thresholds, shares.

use super::way::{CLIENT_PORT, Way, ways};
use super::*;
use crate::admission::Limits;
use crate::engine::apportion;
use crate::snapshot::Snapshot;
use crate::testing::offer::Offer;
use crate::types::Prefix;
use Protocol::{Tcp, Udp};

pub(super) fn cases() -> Vec<Case> {
    let of_way = |way: &Way| {
        vec![
            denied(way),
            not_allowed(way),
            let_in(way),
            limit_of_flows(way),
            rates(way),
            rate_of_a_source(way),
            threshold(way),
            share(way),
            recycled(way),
        ]
    };
    ways().iter().flat_map(of_way).collect()
}

fn case(way: &Way, what: &str, snapshot: Snapshot, rows: Vec<Row>) -> Case {
    Case::new(format!("{}: {what}", way.name()), snapshot, rows)
}

fn segment(flags: u8) -> impl Fn(Build, u16, u16) -> Build {
    move |build, source, destination| build.tcp(source, destination, flags)
}

fn datagram(build: Build, source: u16, destination: u16) -> Build {
    build.udp(source, destination)
}

/// A segment of the client's next port.
fn next(way: &Way, flags: u8) -> Build {
    way.ask().tcp(CLIENT_PORT + 1, 80, flags)
}

/// The same, on its way to the backend.
fn next_inward(way: &Way, name: &'static str, moves: Moves, flags: u8) -> Row {
    let keeps_port = way.mode() != Mode::OneArm;
    let before = |build: Build, source, vip| build.tcp(source + 1, vip, flags);
    let behind = |build: Build, source, to| build.tcp(source + u16::from(keeps_port), to, flags);
    way.inward_changed(name, (Tcp, moves), before, behind)
}

fn drops(name: &'static str, build: &Build, reason: DropReason) -> Row {
    Row::drops(name, ETH0, build.build(), reason)
}

fn prefix(way: &Way, v4: &str, v6: &str) -> Prefix {
    let (address, length) = if way.client_v6 { v6 } else { v4 }.split_once('/').expect("a prefix");
    let address = address.parse().expect("an address");
    Prefix::new(address, length.parse().expect("a length")).expect("a prefix")
}

fn all_of_the_segment(way: &Way) -> Prefix {
    prefix(way, "10.0.0.0/24", "fd00::/64")
}

fn the_client(way: &Way) -> Prefix {
    prefix(way, "10.0.0.2/32", "fd00::2/128")
}

fn denied(way: &Way) -> Case {
    let change = |offer: &mut Offer| offer.access.1 = vec![all_of_the_segment(way)];
    let rows = vec![
        drops("SYN", &way.ask().tcp(CLIENT_PORT, 80, SYN), DropReason::Denied),
        drops("ACK without a connection", &way.ask().tcp(CLIENT_PORT, 80, ACK), DropReason::Denied),
        drops("datagram", &way.ask().udp(CLIENT_PORT, 53), DropReason::Denied),
    ];
    case(way, "a client that is denied", way.snapshot_with(change), rows)
}

fn not_allowed(way: &Way) -> Case {
    let change = |offer: &mut Offer| offer.access.0 = vec![prefix(way, "10.0.0.64/26", "fd00:0:0:1::/64")];
    let rows = vec![drops("SYN", &way.ask().tcp(CLIENT_PORT, 80, SYN), DropReason::Denied)];
    case(way, "a client that is not among those allowed", way.snapshot_with(change), rows)
}

fn let_in(way: &Way) -> Case {
    let change =
        |offer: &mut Offer| offer.access = (vec![the_client(way)], vec![all_of_the_segment(way)]);
    let rows = vec![
        way.inward("SYN", Tcp, Moves::OPENS, segment(SYN)),
        way.inward("datagram", Udp, Moves::OPENS, datagram),
    ];
    case(way, "a client of a network that is denied but for it", way.snapshot_with(change), rows)
}

fn limit_of_flows(way: &Way) -> Case {
    let limits = Limits { flows: Some(1), ..Limits::default() };
    let rows = vec![
        way.inward("the first", Tcp, Moves::OPENS, segment(SYN)),
        way.inward("it again", Tcp, Moves::INWARD, segment(SYN)),
        drops("the second", &next(way, SYN), DropReason::ServiceFull),
        way.inward("another service", Udp, Moves::OPENS, datagram),
        way.inward("the first goes on", Tcp, Moves::INWARD, segment(ACK)),
    ];
    case(way, "a limit of flows", way.snapshot_with(|offer| offer.limits = limits), rows)
}

fn rates(way: &Way) -> Case {
    let limits = Limits { new_per_second: Some(1), ..Limits::default() };
    let rows = vec![
        way.inward("the first", Tcp, Moves::OPENS, segment(SYN)),
        way.inward("it again", Tcp, Moves::INWARD, segment(SYN)),
        drops("the second", &next(way, SYN), DropReason::ServiceRate),
        way.inward("another service", Udp, Moves::OPENS, datagram),
    ];
    case(way, "a limit of new flows a second", way.snapshot_with(|offer| offer.limits = limits), rows)
}

fn rate_of_a_source(way: &Way) -> Case {
    let limits = Limits { new_per_second_per_source: Some(1), ..Limits::default() };
    let rows = vec![
        way.inward("the first", Tcp, Moves::OPENS, segment(SYN)),
        drops("the second", &next(way, SYN), DropReason::SourceRate),
        way.inward("another service", Udp, Moves::OPENS, datagram),
    ];
    case(way, "a limit of a source's new flows", way.snapshot_with(|offer| offer.limits = limits), rows)
}

fn threshold(way: &Way) -> Case {
    let rows = vec![
        way.inward("the first", Tcp, Moves::OPENS, segment(SYN)),
        drops("the second", &next(way, SYN), DropReason::BackendsFull),
        way.inward("the first goes on", Tcp, Moves::INWARD, segment(ACK)),
    ];
    case(way, "a backend's threshold", way.snapshot_with(|offer| offer.upper_threshold = Some(1)), rows)
}

/// A table of one flow: two services have no room of their own in it.
fn tight(way: &Way) -> Snapshot {
    let snapshot = way.snapshot();
    apportion(&snapshot, 1);
    snapshot
}

/// What is established stays. What comes then goes on without a flow where nothing is translated.
fn share(way: &Way) -> Case {
    let mut rows = vec![way.inward("SYN", Tcp, Moves::OPENS, segment(SYN))];
    if way.is_two_way() {
        rows.push(way.outward("SYN-ACK", Tcp, segment(SYN_ACK)));
    }
    rows.push(way.inward("ACK", Tcp, Moves::INWARD, segment(ACK)));
    rows.push(way.inward("data", Tcp, Moves::INWARD, segment(ACK)));
    if way.is_two_way() {
        let refused = Moves { refused: 1, ..Moves::NOTHING };
        let share = DropReason::ServiceShare;
        rows.push(drops("another SYN", &next(way, SYN), share).moving(refused));
        rows.push(drops("datagram", &way.ask().udp(CLIENT_PORT, 53), share).moving(refused));
        rows.push(drops("an ACK to it", &next(way, ACK), DropReason::NoFlow));
    } else {
        rows.push(next_inward(way, "another SYN", Moves::INWARD, SYN));
        rows.push(next_inward(way, "its ACK", Moves::INWARD, ACK));
        rows.push(way.inward("datagram", Udp, Moves::INWARD, datagram));
        rows.push(drops("its RST", &next(way, RST), DropReason::NoFlow));
    }
    rows.push(way.inward("the first goes on", Tcp, Moves::INWARD, segment(ACK)));
    case(way, "a service's share", tight(way), rows)
}

/// What was never established makes way.
fn recycled(way: &Way) -> Case {
    let mut rows = vec![
        way.inward("SYN", Tcp, Moves::OPENS, segment(SYN)),
        next_inward(way, "another SYN", Moves::OPENS, SYN),
        way.inward("datagram", Udp, Moves::OPENS, datagram),
        way.inward("SYN again", Tcp, Moves::OPENS, segment(SYN)),
    ];
    if way.is_two_way() {
        rows.push(drops("an ACK to what has made way", &next(way, ACK), DropReason::NoFlow));
    }
    case(way, "a handshake that nobody finishes", tight(way), rows)
}
