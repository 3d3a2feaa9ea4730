//! A connection and an exchange of datagrams, from their first packet to their last, on every way.

use super::way::{Way, ways};
use super::*;
use Protocol::{Tcp, Udp};

pub(super) fn cases() -> Vec<Case> {
    ways().iter().flat_map(|way| [connection(way), reset(way), datagrams(way), sums(way)]).collect()
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

/// Sums at the edge: a checksum of zero would say that there is none, so that 0xffff stands for it (RFC 768).
fn sums(way: &Way) -> Case {
    let ((client, vip), (source, server)) = way.ports(Udp);
    let sum_of = |build: Build| {
        let frame = build.payload(&[0; 2]).build();
        way::field(&frame, frame.len() - 4).to_be_bytes()
    };
    // What a checksum says of zeros is what has to stand in their place for it to become zero.
    let before = sum_of(way.ask().udp(client, vip));
    let datagram = |payload: [u8; 2]| move |build: Build, s, d| build.udp(s, d).payload(&payload);
    let mut rows = vec![way.inward("a checksum that was zero", Udp, Moves::OPENS, datagram(before))];
    if way.is_two_way() {
        let behind = sum_of(way.asked().udp(source, server));
        let back = sum_of(way.replied().udp(vip, client));
        rows.push(way.inward("one that becomes zero", Udp, Moves::INWARD, datagram(behind)));
        rows.push(way.outward("one that becomes zero back", Udp, datagram(back)));
    }
    let damaged = |row: Row| {
        let Row { mut frame, expect, .. } = row.clone();
        *frame.last_mut().expect("a byte") ^= 0x55;
        let expect = match expect {
            Expect::Sends(interface, mut frame) => {
                *frame.last_mut().expect("a byte") ^= 0x55;
                Expect::Sends(interface, frame)
            }
            _ => return None,
        };
        Some(Row { name: "a damaged payload stays damaged", frame, expect, ..row })
    };
    rows.extend(damaged(way.inward("a datagram", Udp, Moves::INWARD, datagram([1, 2]))));
    Case::new(format!("{}: checksums at the edge", way.name()), way.snapshot(), rows)
}

/// All modes in one configuration. Their flows are of one client port to one backend: each ends before the
/// next one begins.
#[test]
fn modes_and_families_live_side_by_side() {
    let is_first = |way: &Way, before: &[Way]| {
        before.iter().all(|other| (other.mode(), other.client_v6) != (way.mode(), way.client_v6))
    };
    let all = ways();
    let some: Vec<_> = (0..all.len()).filter(|n| is_first(&all[*n], &all[..*n])).map(|n| &all[n]).collect();
    assert_eq!(some.len(), 10, "five modes, two families");
    let mut snapshot = crate::testing::rig::network();
    for way in &some {
        for protocol in [Tcp, Udp] {
            way.offer(protocol).add_to(&mut snapshot);
        }
    }
    let mut rig = Rig::new(snapshot);
    for way in some {
        for row in reset(way).rows {
            let sentence = format!("{}: {}", way.name(), row.name);
            check::check_all(&mut rig, &sentence, (row.ingress, &row.frame), &row.expect, row.moves);
        }
    }
}
