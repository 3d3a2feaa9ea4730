//! Fragments: in order, reversed, with a hole, twice, too early and too many, on every way.

use super::pieces::{cut, named_as};
use super::way::{Way, network, ways};
use super::*;
use crate::limits::FRAGMENTS_HELD_PER_SOURCE;
use crate::testing::offer::How;
use Protocol::{Tcp, Udp};

/// Where the tables' packets are cut.
const PLACES: [usize; 2] = [24, 48];
/// What the pieces of an IPv6 packet have in common. That of IPv4 is the frame builder's.
const IDENTIFICATION: u32 = 0xabcd_0007;
const IDENTIFICATION_V4: u32 = 7;

pub(super) fn cases() -> Vec<Case> {
    let of_way = |way: &Way| {
        let mut cases = vec![in_order(way), reversed(way), repeated(way), holed(way), limited(way)];
        cases.extend([pings(way), late_pings(way), pings_to_nobody(way), refused(way)]);
        if way.is_two_way() {
            cases.push(back(way));
        }
        if way.crosses() && way.server_v6 {
            cases.push(unsummed(way));
        }
        cases
    };
    ways().iter().flat_map(of_way).collect()
}

/// One packet, in pieces, before and behind the box.
struct Packet {
    before: Vec<Vec<u8>>,
    behind: Vec<Looks>,
}

fn whole(build: Build, source: u16, destination: u16) -> Build {
    let text: Vec<u8> = (0..61).collect();
    build.udp(source, destination).fragment(0).payload(&text)
}

fn identification(v6: bool) -> u32 {
    if v6 { IDENTIFICATION } else { IDENTIFICATION_V4 }
}

/// What pieces leave as, if their addresses `hide` other hosts with the same identifications: with a name
/// of the worker's. Of IPv6 within the family all keep theirs, which are long and random (RFC 7739).
fn looks(way: &Way, build: Build, from_v6: bool, hide: bool) -> Vec<Looks> {
    let build = if way.is_hop() { build.hop() } else { build };
    let pieces = cut(&build.build(), &PLACES, identification(from_v6));
    let look = |piece: Vec<u8>| match hide && (way.crosses() || !from_v6) {
        true => Looks::new(move |actual| named_as(piece.clone(), actual)),
        false => Looks::exactly(piece),
    };
    pieces.into_iter().map(look).collect()
}

/// A packet of the client.
fn asking(way: &Way) -> Packet {
    let ((client, vip), (source, server)) = way.ports(Udp);
    let before = cut(&whole(way.ask(), client, vip).build(), &PLACES, identification(way.client_v6));
    let behind = match way.how {
        How::Tunnel(_) => {
            before.iter().map(|piece| way.wrapped(piece[network(piece)..].to_vec())).collect()
        }
        _ => {
            let hides = way.mode() == Mode::OneArm;
            looks(way, whole(way.asked(), source, server), way.client_v6, hides)
        }
    };
    Packet { before, behind }
}

/// A packet of the backend.
fn answering(way: &Way) -> Packet {
    let ((client, vip), (source, server)) = way.ports(Udp);
    let before = cut(&whole(way.reply(), server, source).build(), &PLACES, identification(way.server_v6));
    let behind = looks(way, whole(way.replied(), vip, client), way.server_v6, true);
    Packet { before, behind }
}

impl Packet {
    fn row(&self, name: &'static str, place: usize, ingress: InterfaceId, moves: Moves) -> Row {
        let egress = if ingress == ETH0 { ETH1 } else { ETH0 };
        let expect = Expect::Like(egress, self.behind[place].clone());
        Row { name, ingress, frame: self.before[place].clone(), expect, moves }
    }

    fn held(&self, name: &'static str, place: usize, ingress: InterfaceId) -> Row {
        let frame = self.before[place].clone();
        Row { name, ingress, frame, expect: Expect::Holds, moves: Moves::NOTHING }
    }

    /// The first piece, and those that have waited, in the order in which they are named.
    fn released(&self, name: &'static str, ingress: InterfaceId, waiting: &[usize], moves: Moves) -> Row {
        let egress = if ingress == ETH0 { ETH1 } else { ETH0 };
        let places = [0].iter().chain(waiting);
        let frames = places.map(|place| (egress, self.behind[*place].clone())).collect();
        Row { name, ingress, frame: self.before[0].clone(), expect: Expect::Releases(frames), moves }
    }
}

fn in_order(way: &Way) -> Case {
    let packet = asking(way);
    let rows = vec![
        packet.row("the first", 0, ETH0, Moves::OPENS),
        packet.row("the second", 1, ETH0, Moves::INWARD),
        packet.row("the last", 2, ETH0, Moves::INWARD),
    ];
    Case::new(format!("{}: fragments in order", way.name()), way.snapshot(), rows)
}

fn reversed(way: &Way) -> Case {
    let packet = asking(way);
    let rows = vec![
        packet.held("the last", 2, ETH0),
        packet.held("the second", 1, ETH0),
        packet.released("the first", ETH0, &[1, 2], Moves { created: 1, inward: 3, ..Moves::NOTHING }),
    ];
    Case::new(format!("{}: fragments reversed", way.name()), way.snapshot(), rows)
}

fn repeated(way: &Way) -> Case {
    let packet = asking(way);
    let rows = vec![
        packet.row("the first", 0, ETH0, Moves::OPENS),
        packet.row("the first again", 0, ETH0, Moves::INWARD),
        packet.row("the second", 1, ETH0, Moves::INWARD),
        packet.row("the second again", 1, ETH0, Moves::INWARD),
        packet.row("the last", 2, ETH0, Moves::INWARD),
    ];
    Case::new(format!("{}: fragments twice", way.name()), way.snapshot(), rows)
}

/// Nobody waits for what is missing.
fn holed(way: &Way) -> Case {
    let packet = asking(way);
    let rows = vec![
        packet.held("the last", 2, ETH0),
        packet.released("the first", ETH0, &[2], Moves { created: 1, inward: 2, ..Moves::NOTHING }),
        way.inward("a whole packet", Udp, Moves::INWARD, |b: Build, s, d| b.udp(s, d)),
    ];
    Case::new(format!("{}: fragments with a hole", way.name()), way.snapshot(), rows)
}

fn back(way: &Way) -> Case {
    let packet = answering(way);
    let rows = vec![
        way.inward("a question", Udp, Moves::OPENS, |b: Build, s, d| b.udp(s, d)),
        packet.held("the last", 2, ETH1),
        packet.released("the first", ETH1, &[2], Moves { outward: 2, ..Moves::NOTHING }),
        packet.row("the second", 1, ETH1, Moves::OUTWARD),
    ];
    Case::new(format!("{}: fragments back", way.name()), way.snapshot(), rows)
}

/// One source has no more than its share of what waits; another one has its own.
fn limited(way: &Way) -> Case {
    let packet = asking(way);
    let mut rows = vec![packet.held("one of many", 1, ETH0); FRAGMENTS_HELD_PER_SOURCE];
    rows.push(Row::drops("one too many", ETH0, packet.before[1].clone(), DropReason::Fragment));
    let ((client, vip), _) = way.ports(Udp);
    let other = if way.client_v6 { "fd00::3" } else { "10.0.0.3" };
    let frame = cut(&whole(way.ask().source(other), client, vip).build(), &PLACES, 1).remove(1);
    let (expect, moves) = (Expect::Holds, Moves::NOTHING);
    rows.push(Row { name: "another source", ingress: ETH0, frame, expect, moves });
    Case::new(format!("{}: too many fragments", way.name()), way.snapshot(), rows)
}

/// An echo request in pieces, and the answer to it.
fn ping(way: &Way) -> [Vec<Vec<u8>>; 2] {
    let (request, reply) = if way.client_v6 { (128, 129) } else { (8, 0) };
    let text: Vec<u8> = (0..61).collect();
    [(way.ask(), request), (way.answer(), reply)].map(|(build, kind)| {
        let whole = build.icmp(kind).fragment(0).payload(&text).build();
        cut(&whole, &PLACES, identification(way.client_v6))
    })
}

fn pings(way: &Way) -> Case {
    let [before, behind] = ping(way);
    let row = |name, place: usize| {
        let expect = Expect::Sends(ETH0, behind[place].clone());
        Row { name, ingress: ETH0, frame: before[place].clone(), expect, moves: Moves::NOTHING }
    };
    let rows = vec![
        row("the first", 0),
        row("the second", 1),
        row("the first again", 0),
        row("the last", 2),
        row("the last again", 2),
    ];
    Case::new(format!("{}: pieces of a ping", way.name()), way.snapshot(), rows)
}

fn late_pings(way: &Way) -> Case {
    let [before, behind] = ping(way);
    let held = |name, place: usize| {
        let (expect, moves) = (Expect::Holds, Moves::NOTHING);
        Row { name, ingress: ETH0, frame: before[place].clone(), expect, moves }
    };
    let all = behind.iter().map(|frame| (ETH0, Looks::exactly(frame.clone()))).collect();
    let (name, expect, moves) = ("the first", Expect::Releases(all), Moves::NOTHING);
    let first = Row { name, ingress: ETH0, frame: before[0].clone(), expect, moves };
    // Of a datagram that has the same identification.
    let other = asking(way);
    let datagram = other.held("a piece of a datagram", 1, ETH0);
    let rows = vec![datagram, held("the last", 2), held("the second", 1), first];
    Case::new(format!("{}: pieces of a ping in disorder", way.name()), way.snapshot(), rows)
}

fn pings_to_nobody(way: &Way) -> Case {
    let [before, _] = ping(way);
    let drops = |name, place: usize| Row::drops(name, ETH0, before[place].clone(), DropReason::ServiceDown);
    let rows = vec![drops("the first", 0), drops("the second", 1)];
    let snapshot = way.snapshot_with(|offer| offer.echo = false);
    Case::new(format!("{}: pieces of a ping to a service that is down", way.name()), snapshot, rows)
}

/// What is cut where nobody should cut.
fn refused(way: &Way) -> Case {
    let id = identification(way.client_v6);
    let ((client, vip), _) = way.ports(Tcp);
    let segment = way.ask().tcp(client, vip, SYN).fragment(0).payload(&[7; 40]).build();
    let tiny = cut(&segment, &[8], id).remove(0);
    let reply = if way.client_v6 { 129 } else { 0 };
    let other = cut(&way.ask().icmp(reply).fragment(0).payload(&[7; 40]).build(), &[16], id);
    let (name, expect, moves) = ("a later piece of it", Expect::Holds, Moves::NOTHING);
    let mut rows = vec![
        Row::drops("a TCP header in two pieces", ETH0, tiny, DropReason::Truncated),
        Row::drops("the first piece of an ICMP message", ETH0, other[0].clone(), DropReason::Fragment),
        Row { name, ingress: ETH0, frame: other[1].clone(), expect, moves },
    ];
    if way.client_v6 {
        // An atomic fragment is a whole packet (RFC 6946).
        let atomic = |b: Build, s, d| b.udp(s, d).extensions(44, &[0, 0, 0, 0, 0, 0, 0, 9], 0);
        let kept = (Udp, Moves::OPENS);
        rows.push(match way.crosses() {
            false => way.inward("an atomic fragment", Udp, Moves::OPENS, atomic),
            true => {
                let behind = |b: Build, s, d| b.udp(s, d).identification(9).fragment(0);
                way.inward_changed("an atomic fragment", kept, atomic, behind)
            }
        });
    }
    Case::new(format!("{}: fragments of what is never cut", way.name()), way.snapshot(), rows)
}

/// IPv6 asks for a checksum, and nobody has seen the whole datagram (RFC 7915 section 4.5).
fn unsummed(way: &Way) -> Case {
    let ((client, vip), _) = way.ports(Udp);
    let text: Vec<u8> = (0..61).collect();
    let frame = way.ask().udp_without_checksum(client, vip).fragment(0).payload(&text).build();
    let first = cut(&frame, &PLACES, 0).remove(0);
    let rows = vec![
        Row::drops("the first", ETH0, first, DropReason::Untranslatable).moving(Moves::CREATES),
    ];
    Case::new(format!("{}: fragments without a checksum", way.name()), way.snapshot(), rows)
}

/// Two clients use one identification: behind the pool's address their packets have two, and all pieces of
/// a packet the same.
#[test]
fn pieces_from_a_pool_can_be_put_together_again() {
    let hides = |way: &&Way| way.mode() == Mode::OneArm && (way.crosses() || !way.client_v6);
    for way in ways().iter().filter(hides) {
        let mut rig = Rig::new(way.snapshot_with(|offer| match &mut offer.how {
            How::OneArm(pool) => pool.free = None,
            _ => panic!("one-arm"),
        }));
        let clients = if way.client_v6 { ["fd00::2", "fd00::3"] } else { ["10.0.0.2", "10.0.0.3"] };
        let [first, second] = clients.map(|address| {
            let build = whole(way.ask().source(address), way::CLIENT_PORT, 53);
            let frames = cut(&build.build(), &PLACES, identification(way.client_v6));
            let sent = rig.receive(ETH0, &frames);
            let place = if way.server_v6 { 14 + 44..14 + 48 } else { 14 + 4..14 + 6 };
            sent.into_iter().map(|(_, frame)| frame[place.clone()].to_vec()).collect::<Vec<_>>()
        });
        for names in [&first, &second] {
            assert_eq!(names.len(), 3, "{}", way.name());
            assert!(names.iter().all(|name| *name == names[0]), "{}: {names:x?}", way.name());
        }
        assert_ne!(first[0], second[0], "{}", way.name());
    }
}

/// The network may turn them round so little that one batch has them all.
#[test]
fn fragments_that_are_reversed_within_a_batch_all_get_through() {
    for way in ways() {
        let mut rig = Rig::new(way.snapshot());
        let mut frames = asking(&way).before;
        frames.reverse();
        let sent = rig.receive(ETH0, &frames);
        assert_eq!(sent.len(), 3, "{}", way.name());
        assert_eq!(rig.stats().flows_created, 1, "{}", way.name());
        let frames = rig.stats().frames;
        assert_eq!((frames.received, frames.forwarded, frames.dropped), (3, 3, 0), "{}", way.name());
    }
}

#[test]
fn a_fragment_whose_first_one_never_comes_is_given_up() {
    // Waiting is the same in all modes, and takes its time.
    for way in ways().into_iter().filter(|way| matches!(way.how, How::Router)) {
        let mut rig = Rig::new(way.snapshot());
        rig.receive(ETH0, &[asking(&way).before.remove(1)]);
        assert_eq!(rig.dropped(DropReason::Fragment), 0);
        let began = rig.stats().total_nanos;
        while rig.dropped(DropReason::Fragment) == 0 {
            rig.receive(ETH0, &[]);
            let waited = rig.stats().total_nanos - began;
            assert!(waited < 10_000_000_000, "{}: it waits for ever", way.name());
        }
        assert!(rig.stats().total_nanos - began > 400_000_000, "{}: others may be late", way.name());
        let frames = rig.stats().frames;
        assert_eq!((frames.received, frames.dropped), (1, 1));
    }
}
