//! A connection and an exchange of datagrams, from their first packet to their last, on every way.

use super::way::{Way, ways};
use super::*;
use Protocol::{Tcp, Udp};

pub(super) fn cases() -> Vec<Case> {
    ways().iter().flat_map(|way| [connection(way), reset(way), datagrams(way)]).collect()
}

fn segment(flags: u8, payload: &'static [u8]) -> impl Fn(Build, u16, u16) -> Build {
    move |build, source, destination| build.tcp(source, destination, flags).payload(payload)
}

fn connection(way: &Way) -> Case {
    let mut rows = vec![way.inward("SYN", Tcp, Moves::OPENS, segment(SYN, b""))];
    if way.is_two_way() {
        rows.push(way.outward("SYN-ACK", Tcp, segment(SYN_ACK, b"")));
    }
    rows.push(way.inward("ACK", Tcp, Moves::INWARD, segment(ACK, b"")));
    rows.push(way.inward("data of odd length", Tcp, Moves::INWARD, segment(ACK, b"GET")));
    if way.is_two_way() {
        rows.push(way.outward("data of odd length back", Tcp, segment(ACK, b"answer!")));
        rows.push(way.outward("FIN back", Tcp, segment(FIN_ACK, b"")));
    }
    rows.push(way.inward("FIN", Tcp, Moves::INWARD, segment(FIN_ACK, b"x")));
    rows.push(way.inward("the last ACK", Tcp, Moves::INWARD, segment(ACK, b"")));
    Case::new(format!("{}: a connection", way.name()), way.snapshot(), rows)
}

fn reset(way: &Way) -> Case {
    let mut rows = vec![
        way.inward("SYN", Tcp, Moves::OPENS, segment(SYN, b"")),
        way.inward("SYN again", Tcp, Moves::INWARD, segment(SYN, b"")),
    ];
    if way.is_two_way() {
        rows.push(way.outward("RST of the server", Tcp, segment(RST, b"")));
    }
    rows.push(way.inward("RST of the client", Tcp, Moves::INWARD, segment(RST, b"")));
    Case::new(format!("{}: a refused connection", way.name()), way.snapshot(), rows)
}

fn datagrams(way: &Way) -> Case {
    let datagram = |payload: &'static [u8]| {
        move |build: Build, source, destination| build.udp(source, destination).payload(payload)
    };
    let mut rows = vec![way.inward("question", Udp, Moves::OPENS, datagram(b"odd"))];
    if way.is_two_way() {
        rows.push(way.outward("answer", Udp, datagram(b"even")));
        rows.push(way.outward("empty answer", Udp, datagram(b"")));
    }
    rows.push(way.inward("empty question", Udp, Moves::INWARD, datagram(b"")));
    if !way.client_v6 {
        rows.push(unsummed(way));
    }
    Case::new(format!("{}: datagrams", way.name()), way.snapshot(), rows)
}

/// No checksum over IPv4: none behind the box, but where IPv6 asks for one (RFC 8200 section 8.1).
fn unsummed(way: &Way) -> Row {
    let without = |build: Build, source, destination| build.udp_without_checksum(source, destination);
    let row = way.inward("no checksum", Udp, Moves::INWARD, without);
    if !way.crosses() {
        return row;
    }
    let summed = way.inward("summed", Udp, Moves::INWARD, |build: Build, s, d| build.udp(s, d));
    Row { expect: summed.expect, ..row }
}
