//! Checksums that a sender has left to a NIC that does not exist, on interfaces where that happens: they leave whole.

use super::way::{Way, ways};
use super::*;
use crate::snapshot::{InterfaceSet, Snapshot};
use Protocol::{Tcp, Udp};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for way in ways() {
        cases.extend([there_and_back(&way), left_alone(&way), elsewhere(&way)]);
    }
    cases
}

fn unfinished(snapshot: Snapshot, interfaces: impl IntoIterator<Item = InterfaceId>) -> Snapshot {
    Snapshot { unfinished: interfaces.into_iter().collect::<InterfaceSet>(), ..snapshot }
}

fn segment(flags: u8, payload: &'static [u8]) -> impl Fn(Build, u16, u16) -> Build + Copy {
    move |build, source, destination| build.tcp(source, destination, flags).payload(payload)
}

fn datagram(build: Build, source: u16, destination: u16) -> Build {
    build.udp(source, destination).payload(b"odd")
}

/// What comes in unfinished leaves as if it had come in finished.
fn there_and_back(way: &Way) -> Case {
    let tags: &[(u16, u16)] = &[(0x8100, 7)];
    let tagged = |build: Build, s, d| segment(ACK, b"abcd")(build, s, d).tags(tags);
    let mut rows = vec![inward(way, "SYN", (Tcp, Moves::OPENS), segment(SYN, b""))];
    if way.is_two_way() {
        rows.push(outward(way, "SYN-ACK", Tcp, segment(SYN_ACK, b"")));
    }
    rows.push(inward(way, "data of odd length", (Tcp, Moves::INWARD), segment(ACK, b"abc")));
    rows.push(inward(way, "behind a tag", (Tcp, Moves::INWARD), tagged));
    rows.push(inward(way, "a datagram", (Udp, Moves::OPENS), datagram));
    if way.is_two_way() {
        rows.push(outward(way, "its answer", Udp, datagram));
    }
    Case::new(format!("{}: unfinished checksums", way.name()), unfinished(way.snapshot(), [ETH0, ETH1]), rows)
}

fn inward(
    way: &Way,
    name: &'static str,
    known: (Protocol, Moves),
    packet: impl Fn(Build, u16, u16) -> Build,
) -> Row {
    way.inward_changed(name, known, |build, s, d| packet(build, s, d).unfinished(), &packet)
}

fn outward(
    way: &Way,
    name: &'static str,
    protocol: Protocol,
    packet: impl Fn(Build, u16, u16) -> Build,
) -> Row {
    way.outward_changed(name, protocol, |build, s, d| packet(build, s, d).unfinished(), &packet)
}

/// What is finished already stays as it is, and so does a datagram without a checksum.
fn left_alone(way: &Way) -> Case {
    let mut rows = vec![way.inward("SYN", Tcp, Moves::OPENS, segment(SYN, b""))];
    if !way.client_v6 && !way.crosses() {
        let without = |build: Build, s, d| build.udp_without_checksum(s, d);
        rows.push(way.inward("a datagram without a checksum", Udp, Moves::OPENS, without));
    }
    Case::new(format!("{}: finished checksums", way.name()), unfinished(way.snapshot(), [ETH0, ETH1]), rows)
}

/// On an interface where checksums come finished, nothing is summed: a wrong one stays wrong.
fn elsewhere(way: &Way) -> Case {
    let mut rows = vec![way.inward("SYN", Tcp, Moves::OPENS, segment(SYN, b""))];
    if matches!(way.how, crate::testing::offer::How::Dsr(None)) {
        let wrong = |build: Build, s, d| segment(ACK, b"abc")(build, s, d).unfinished();
        rows.push(way.inward("data", Tcp, Moves::INWARD, wrong));
    }
    Case::new(format!("{}: checksums elsewhere", way.name()), unfinished(way.snapshot(), [ETH1]), rows)
}
