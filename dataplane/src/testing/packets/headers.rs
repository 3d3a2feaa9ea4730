//! What headers ask for: the TTL, options and extension headers, VLAN tags, and the segment size of a
//! handshake, on every way.

use super::way::{Way, ways};
use super::*;
use Protocol::{Tcp, Udp};

/// Destination options that nobody knows and everybody may skip.
const OPTIONS_V6: [u8; 8] = [0, 0, 1, 4, 0, 0, 0, 0];
const RECORD_ROUTE: [u8; 8] = [7, 7, 4, 0, 0, 0, 0, 0];
/// With a hop left to visit.
const SOURCE_ROUTE: [u8; 8] = [131, 7, 4, 10, 0, 9, 9, 0];

pub(super) fn cases() -> Vec<Case> {
    let of_way = |way: &Way| {
        let mut cases = vec![hop_limit(way), extra_headers(way), segment_size(way), classes(way)];
        cases.extend([("one tag", &[(0x8100, 100)][..]), ("two tags", &[(0x88a8, 7), (0x8100, 0x2064)])].map(
            |(name, tags)| tagged(way, name, tags),
        ));
        if way.is_two_way() {
            cases.push(hop_limit_back(way));
        }
        cases
    };
    ways().iter().flat_map(of_way).collect()
}

fn datagram(build: Build, source: u16, destination: u16) -> Build {
    build.udp(source, destination)
}

fn hop_limit(way: &Way) -> Case {
    let ttl = |ttl| move |build: Build, s, d| datagram(build, s, d).ttl(ttl);
    let time_exceeded = (if way.client_v6 { 3 } else { 11 }, 0, [0; 4]);
    let ends = |name, left, moves| {
        if !way.is_hop() {
            let moves = if moves == Moves::CREATES { Moves::OPENS } else { Moves::INWARD };
            return way.inward(name, Udp, moves, ttl(left));
        }
        let ((client, vip), _) = way.ports(Udp);
        let packet = ttl(left)(way.ask(), client, vip);
        way.answered(name, DropReason::TtlExceeded, time_exceeded, &packet).moving(moves)
    };
    let rows = vec![
        ends("TTL 1", 1, Moves::CREATES),
        way.inward("TTL 2", Udp, Moves::INWARD, ttl(2)),
        ends("TTL 0", 0, Moves::NOTHING),
        way.inward("TTL 255", Udp, Moves::INWARD, ttl(255)),
    ];
    Case::new(format!("{}: the hop limit", way.name()), way.snapshot(), rows)
}

/// A backend whose packet goes no further is told by the address that it has sent to, or by one of the
/// box's.
fn hop_limit_back(way: &Way) -> Case {
    let ttl = |ttl| move |build: Build, s, d| datagram(build, s, d).ttl(ttl);
    let mut rows = vec![
        way.inward("a flow", Udp, Moves::OPENS, datagram),
        way.outward("TTL 2 back", Udp, ttl(2)),
    ];
    let own = if way.server_v6 { "fd01::1" } else { "10.0.1.1" };
    if way.is_hop() {
        let (_, (source, server)) = way.ports(Udp);
        let input = ttl(1)(way.reply(), server, source);
        let (kind, class) = if way.server_v6 { (3, 0) } else { (11, 0xc0) };
        let error = way.answer_back(own).icmp_error(kind, 0, [0; 4], &input.packet());
        let error = error.traffic_class(class).identification(0).build();
        let expect = Expect::Answers(DropReason::TtlExceeded, ETH1, error);
        let (frame, moves) = (input.build(), Moves::NOTHING);
        rows.push(Row { name: "TTL 1 back", ingress: ETH1, frame, expect, moves });
    } else {
        rows.push(way.outward("TTL 1 back", Udp, ttl(1)));
    }
    let mut snapshot = way.snapshot();
    snapshot.local_addresses = vec![own.parse().expect("an address")];
    Case::new(format!("{}: the hop limit back", way.name()), snapshot, rows)
}

/// What has no place in the other family goes; what would change the packet's way ends it (RFC 7915).
fn extra_headers(way: &Way) -> Case {
    let options = |bytes: &'static [u8]| move |build: Build, s, d| datagram(build, s, d).options(bytes);
    let headers = |first, bytes: &'static [u8], patch| {
        move |build: Build, s, d| datagram(build, s, d).extensions(first, bytes, patch)
    };
    let ((client, vip), _) = way.ports(Udp);
    let refused =
        |name, packet: Build| Row::drops(name, ETH0, packet.build(), DropReason::Untranslatable);
    let mut rows = vec![way.inward("a flow", Udp, Moves::OPENS, datagram)];
    let known = (Udp, Moves::INWARD);
    let routing: &[u8] = &[0, 2, 0, 1, 0, 0, 0, 0, 0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    match (way.client_v6, way.crosses()) {
        (false, false) => {
            rows.push(way.inward("record route", Udp, Moves::INWARD, options(&RECORD_ROUTE)));
            rows.push(way.inward("source route", Udp, Moves::INWARD, options(&SOURCE_ROUTE)));
        }
        (false, true) => {
            rows.push(way.inward_changed("record route", known, options(&RECORD_ROUTE), datagram));
            rows.push(refused("source route", options(&SOURCE_ROUTE)(way.ask(), client, vip)));
        }
        (true, false) => {
            for (name, first) in [("hop-by-hop options", 0), ("destination options", 60)] {
                rows.push(way.inward(name, Udp, Moves::INWARD, headers(first, &OPTIONS_V6, 0)));
            }
        }
        (true, true) => {
            for (name, first) in [("hop-by-hop options", 0), ("destination options", 60)] {
                rows.push(way.inward_changed(name, known, headers(first, &OPTIONS_V6, 0), datagram));
            }
            rows.push(refused("a routing header", headers(43, routing, 0)(way.ask(), client, vip)));
        }
    }
    Case::new(format!("{}: options and extension headers", way.name()), way.snapshot(), rows)
}

fn tagged(way: &Way, name: &str, tags: &'static [(u16, u16)]) -> Case {
    let segment = |flags| move |build: Build, s, d| build.tcp(s, d, flags).tags(tags);
    let mut rows = vec![way.inward("SYN", Tcp, Moves::OPENS, segment(SYN))];
    if way.is_two_way() {
        rows.push(way.outward("SYN-ACK", Tcp, segment(SYN_ACK)));
    }
    rows.push(way.inward("ACK", Tcp, Moves::INWARD, segment(ACK)));
    let (request, reply) = if way.client_v6 { (128, 129) } else { (8, 0) };
    let expect = Expect::Sends(ETH0, way.answer().icmp(reply).tags(tags).build());
    let frame = way.ask().icmp(request).tags(tags).build();
    rows.push(Row { name: "ping", ingress: ETH0, frame, expect, moves: Moves::NOTHING });
    if way.is_hop() {
        let time_exceeded = (if way.client_v6 { 3 } else { 11 }, 0, [0; 4]);
        let packet = segment(ACK)(way.ask(), way::CLIENT_PORT, 80).ttl(1);
        rows.push(way.answered("TTL 1", DropReason::TtlExceeded, time_exceeded, &packet));
    }
    Case::new(format!("{}: {name}", way.name()), way.snapshot(), rows)
}

/// DSCP and ECN pass, also into a tunnel (RFC 6040).
fn classes(way: &Way) -> Case {
    let class = |class| move |build: Build, s, d| datagram(build, s, d).traffic_class(class);
    let marked = |ecn| {
        let code_point = way::CODE_POINT << 2;
        move |build: Build, s, d| datagram(build, s, d).traffic_class(code_point | ecn)
    };
    let row = |name, value: u8, moves| match way.how {
        crate::testing::offer::How::Dsr(Some(_)) => {
            way.inward_changed(name, (Udp, moves), class(value), marked(value & 3))
        }
        _ => way.inward(name, Udp, moves, class(value)),
    };
    let mut rows = vec![
        row("expedited forwarding", 0xb8, Moves::OPENS),
        row("ECT(0)", 2, Moves::INWARD),
        row("congestion experienced", 0xbb, Moves::INWARD),
    ];
    if way.is_two_way() {
        rows.push(way.outward("congestion experienced back", Udp, class(0x2b)));
    }
    Case::new(format!("{}: traffic classes", way.name()), way.snapshot(), rows)
}

/// The clamp of a service lowers what both sides announce.
fn segment_size(way: &Way) -> Case {
    let announcing = |flags, mss: u16, odd: bool| {
        let [high, low] = mss.to_be_bytes();
        let options = if odd { [1, 2, 4, high, low, 0, 0, 0] } else { [2, 4, high, low, 1, 1, 4, 2] };
        move |build: Build, s, d| build.tcp(s, d, flags).tcp_options(&options)
    };
    let syn = |moves| (Tcp, moves);
    let mut rows = vec![
        way.inward_changed(
            "SYN of 1460",
            syn(Moves::OPENS),
            announcing(SYN, 1460, false),
            announcing(SYN, 1200, false),
        ),
        way.inward_changed(
            "SYN of 1460 at an odd place",
            syn(Moves::INWARD),
            announcing(SYN, 1460, true),
            announcing(SYN, 1200, true),
        ),
        way.inward("SYN of 1100", Tcp, Moves::INWARD, announcing(SYN, 1100, false)),
    ];
    if way.is_two_way() {
        rows.push(way.outward_changed(
            "SYN-ACK of 8960",
            Tcp,
            announcing(SYN_ACK, 8960, false),
            announcing(SYN_ACK, 1200, false),
        ));
        rows.push(way.outward("SYN-ACK of 536", Tcp, announcing(SYN_ACK, 536, true)));
    }
    rows.push(way.inward("no SYN", Tcp, Moves::INWARD, announcing(ACK, 1460, false)));
    let snapshot = way.snapshot_with(|offer| offer.mss_clamp = Some(1200));
    Case::new(format!("{}: the segment size", way.name()), snapshot, rows)
}
