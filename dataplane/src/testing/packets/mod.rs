//! Packet in, packet out: what a worker does, as tables of cases. Each row is a sentence, a frame
//! in, and the frame out or the reason why not; every counter that moves is checked with it.

mod case;
mod check;
mod clashes;
mod control;
mod crowds;
mod dsr;
mod endings;
mod foretold;
mod handshakes;
mod lasting;
mod life;
mod malformed;
mod paths;
mod pieces;
mod pools;
mod recorded;
mod retire;
mod router;
mod shares;
mod stations;
mod tenure;
mod trace;
mod waits;
mod way;
mod wrap;

use super::frames::{Build, frame};
use super::rig::{BOX0, BOX1, CLIENT, ETH0, ETH1, Rig, backend_mac, snapshot, vip};
use crate::types::{InterfaceId, Mode, Protocol};
use crate::verdict::DropReason;
use crate::wire::tcp::Flags;
use case::{Case, Row, run};
use check::{Expect, Looks, Moves, check};

/// Tables of cases, each in a file of its own: a test for each, and all of them together.
macro_rules! tables {
    ($($table:ident),* $(,)?) => {
        $(mod $table;)*
        $(#[test] fn $table() { run($table::cases()); })*
        const TABLES: &[fn() -> Vec<Case>] = &[$($table::cases),*];
    };
}

tables!(admission, bridge, checksums, errors, flows, fragments, headers, services, sizes, streams);

/// What is promised of the tables: so many frames, each with its fate and the counters that it moves, and no
/// two cases of one name.
#[test]
fn the_tables_are_as_large_as_they_should_be() {
    let cases: Vec<_> = TABLES.iter().flat_map(|cases| cases()).collect();
    let names: std::collections::HashSet<_> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "names are unique");
    let rows: usize = cases.iter().map(|case| case.rows.len()).sum();
    assert!(cases.len() >= 150, "{} cases of {rows} frames", cases.len());
}

const SYN: u8 = Flags::SYN;
const ACK: u8 = Flags::ACK;
const SYN_ACK: u8 = Flags::SYN | Flags::ACK;
const FIN_ACK: u8 = Flags::FIN | Flags::ACK;
const RST: u8 = Flags::RST;

/// What the box answers to a frame of the client, in the name of the VIP: an ICMP error that quotes the
/// packet, as long as it is short.
fn icmp_answer(mode: Mode, v6: bool, (kind, code, rest): (u8, u8, [u8; 4]), about: &[u8]) -> Vec<u8> {
    let (longest, class) = if v6 { (1280 - 48, 0) } else { (576 - 28, 0xc0) };
    let packet = &about[14..];
    let quote = &packet[..packet.len().min(longest)];
    let answer = from_vip(mode, v6).icmp_error(kind, code, rest, quote).traffic_class(class);
    answer.identification(0).build()
}

fn time_exceeded(mode: Mode, v6: bool, about: &[u8]) -> Expect {
    let kind = if v6 { 3 } else { 11 };
    Expect::Answers(DropReason::TtlExceeded, ETH0, icmp_answer(mode, v6, (kind, 0, [0; 4]), about))
}

fn too_big(mode: Mode, v6: bool, mtu: u16, about: &[u8]) -> Expect {
    let [high, low] = mtu.to_be_bytes();
    let (kind, code) = if v6 { (2, 0) } else { (3, 4) };
    let rest = [0, 0, high, low];
    Expect::Answers(DropReason::TooLong, ETH0, icmp_answer(mode, v6, (kind, code, rest), about))
}

fn client(v6: bool) -> &'static str {
    if v6 { "fd00::2" } else { "10.0.0.2" }
}

fn backend(last: u8, v6: bool) -> String {
    super::rig::backend_address(last, v6).to_string()
}

/// Client to VIP, as it arrives on eth0.
fn to_vip(mode: Mode, v6: bool) -> Build {
    frame((CLIENT, client(v6)), (BOX0, vip(mode, v6)))
}

/// Client to backend, as it leaves by eth1.
fn to_backend(last: u8, v6: bool) -> Build {
    frame((BOX1, client(v6)), (backend_mac(last), &backend(last, v6)))
}

/// Backend to client, as it arrives on eth1.
fn from_backend(last: u8, v6: bool) -> Build {
    frame((backend_mac(last), &backend(last, v6)), (BOX1, client(v6)))
}

/// VIP to client, as it leaves by eth0.
fn from_vip(mode: Mode, v6: bool) -> Build {
    frame((BOX0, vip(mode, v6)), (CLIENT, client(v6)))
}
