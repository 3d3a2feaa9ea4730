//! Packets that are longer than the way ahead takes: cut where their sender allows that, and answered
//! where not.

use super::pieces::{cut, named_as};
use super::way::{Way, network, ways};
use super::*;
use Protocol::Udp;

/// What the backends' side takes.
const MTU: u16 = 1400;

pub(super) fn cases() -> Vec<Case> {
    let of_way = |way: &Way| {
        let mut cases = vec![refused(way)];
        if !way.client_v6 {
            cases.push(divided(way, &[]));
            cases.push(divided(way, &[(0x88a8, 7), (0x8100, 100)]));
        }
        cases
    };
    ways().iter().flat_map(of_way).chain(back()).collect()
}

/// The longest packet of the client that gets through: what is put in front of it takes room, and so does
/// the longer header of IPv6.
fn room(way: &Way) -> u16 {
    use crate::snapshot::{GueVariant::Zero, TunnelKind};
    use crate::testing::offer::How;
    let outer = if way.server_v6 { 40 } else { 20 };
    match way.how {
        How::Tunnel(TunnelKind::Ipip) => MTU - outer,
        How::Tunnel(TunnelKind::Gre) => MTU - outer - 4,
        How::Tunnel(TunnelKind::Gue { variant: Zero, .. }) => MTU - outer - 12,
        How::Tunnel(TunnelKind::Gue { .. }) => MTU - outer - 8,
        _ if way.crosses() && way.server_v6 => MTU - 20,
        _ if way.crosses() => MTU + 20,
        _ => MTU,
    }
}

fn snapshot(way: &Way) -> crate::snapshot::Snapshot {
    let mut snapshot = way.snapshot();
    snapshot.interfaces[1].mtu = MTU;
    snapshot
}

/// A datagram whose packet is that long.
fn of_length(length: u16, v6: bool) -> impl Fn(Build, u16, u16) -> Build {
    let headers = if v6 { 48 } else { 28 };
    let text: Vec<u8> = (0..length - headers).map(|n| n.to_be_bytes()[1]).collect();
    move |build, source, destination| build.udp(source, destination).payload(&text)
}

fn refused(way: &Way) -> Case {
    let room = room(way);
    let ((client, vip), _) = way.ports(Udp);
    let [high, low] = room.to_be_bytes();
    let (kind, code) = if way.client_v6 { (2, 0) } else { (3, 4) };
    let long = of_length(room + 1, way.client_v6)(way.ask(), client, vip);
    let error = (kind, code, [0, 0, high, low]);
    let answered = |name| way.answered(name, DropReason::TooLong, error, &long);
    let rows = vec![
        answered("a byte too long").moving(Moves::CREATES),
        way.inward("just as long as may be", Udp, Moves::INWARD, of_length(room, way.client_v6)),
        answered("a byte too long again"),
        way.answered("in a VLAN", DropReason::TooLong, error, &long.clone().tags(&[(0x8100, 9)])),
    ];
    Case::new(format!("{}: what must not be cut", way.name()), snapshot(way), rows)
}

/// IPv4 without the don't-fragment flag (RFC 791).
fn divided(way: &Way, tags: &'static [(u16, u16)]) -> Case {
    let room = room(way);
    let ((client, vip), (source, server)) = way.ports(Udp);
    let packet = |build, s, d| of_length(room + 1, false)(build, s, d).fragment(0).tags(tags);
    let before = packet(way.ask(), client, vip).build();
    // Eight bytes are left for the header that fragments have in IPv6.
    let place = usize::from(room - 28) & !7;
    let looks: Vec<_> = if way.is_tunnel() {
        let pieces = cut(&before, &[place], 0);
        pieces.iter().map(|piece| way.wrapped(piece[network(piece)..].to_vec())).collect()
    } else {
        let behind = packet(way.asked(), source, server);
        let behind = if way.is_hop() { behind.hop() } else { behind };
        let look = |piece: Vec<u8>| match way.mode() {
            Mode::OneArm => Looks::new(move |actual| named_as(piece.clone(), actual)),
            _ => Looks::exactly(piece),
        };
        cut(&behind.build(), &[place], 7).into_iter().map(look).collect()
    };
    let expect = Expect::Multiplies(looks.into_iter().map(|looks| (ETH1, looks)).collect());
    let moves = Moves { created: 1, inward: 2, ..Moves::NOTHING };
    let name = "a byte too long";
    let rows = vec![Row { name, ingress: ETH0, frame: before, expect, moves }];
    Case::new(format!("{}: what may be cut, {} tags", way.name(), tags.len()), snapshot(way), rows)
}

/// The way to the client may be the narrower one.
fn back() -> impl Iterator<Item = Case> {
    ways().into_iter().filter(|way| way.is_two_way() && way.is_hop()).map(|way| {
        let (_, (source, server)) = way.ports(Udp);
        let mut snapshot = way.snapshot();
        snapshot.interfaces[0].mtu = MTU;
        let own = if way.server_v6 { "fd01::1" } else { "10.0.1.1" };
        snapshot.local_addresses = vec![own.parse().expect("an address")];
        let room = match (way.crosses(), way.client_v6) {
            (false, _) => MTU,
            (true, true) => MTU - 20,
            (true, false) => MTU + 20,
        };
        let input = of_length(room + 1, way.server_v6)(way.reply(), server, source);
        let packet = input.packet();
        let [high, low] = room.to_be_bytes();
        let (kind, code, class, longest) =
            if way.server_v6 { (2, 0, 0, 1280 - 48) } else { (3, 4, 0xc0, 576 - 28) };
        let error = way.answer_back(own).icmp_error(kind, code, [0, 0, high, low], &packet[..longest]);
        let error = error.traffic_class(class).identification(0).build();
        let expect = Expect::Answers(DropReason::TooLong, ETH1, error);
        let (frame, moves) = (input.build(), Moves::NOTHING);
        let rows = vec![
            way.inward("a question", Udp, Moves::OPENS, |b: Build, s, d| b.udp(s, d)),
            Row { name: "a byte too long", ingress: ETH1, frame, expect, moves },
            way.outward("just as long as may be", Udp, of_length(room, way.server_v6)),
        ];
        Case::new(format!("{}: what must not be cut, back", way.name()), snapshot, rows)
    })
}

/// A sender that fills the link with long datagrams gets all of them through.
#[test]
fn a_whole_batch_is_cut() {
    use crate::limits::BATCH;
    for way in ways().iter().filter(|way| !way.client_v6) {
        let mut rig = Rig::new(snapshot(way));
        let ((client, vip), _) = way.ports(Udp);
        let long = of_length(room(way) + 1, false)(way.ask(), client, vip).fragment(0).build();
        let sent = rig.receive(ETH0, &vec![long; BATCH]).len();
        assert_eq!(sent, 2 * BATCH, "{}", way.name());
        let frames = rig.stats().frames;
        assert_eq!((frames.forwarded, frames.originated, frames.dropped), (64, 64, 0), "{}", way.name());
    }
}
