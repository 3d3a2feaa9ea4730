//! ICMP errors: they follow the flow that they quote, in both directions.

use super::way::{BACKEND, Way, network, ways};
use super::*;
use crate::wire::checksum::{fold, sum};
use Protocol::{Tcp, Udp};

/// Type, code and what stands behind the checksum.
type Error = (u8, u8, [u8; 4]);

/// Every error of IPv4 that is about a packet (RFC 792, RFC 1122, RFC 1191, RFC 1812).
fn all_v4() -> Vec<Error> {
    let unreachable = (0..=15).map(|code| (3, code, if code == 4 { [0, 0, 5, 0xdc] } else { [0; 4] }));
    let others = [(4, 0), (11, 0), (11, 1), (12, 0), (12, 1), (12, 2)];
    unreachable.chain(others.map(|(kind, code)| (kind, code, [0; 4]))).collect()
}

/// The same of IPv6 (RFC 4443).
fn all_v6() -> Vec<Error> {
    let unreachable = (0..=6).map(|code| (1, code, [0; 4]));
    let others = [(2, 0, [0, 0, 5, 0xdc]), (3, 0, [0; 4]), (3, 1, [0; 4]), (4, 0, [0, 0, 0, 40])];
    unreachable.chain(others).chain([(4, 1, [0, 0, 0, 6]), (4, 2, [0; 4])]).collect()
}

pub(super) fn cases() -> Vec<Case> {
    let of_way = |way: &Way| {
        let mut cases = vec![inward(way), refused(way)];
        if way.is_two_way() {
            cases.push(outward(way));
        }
        if !way.crosses() {
            cases.push(of_routers(way));
        }
        cases
    };
    ways().iter().flat_map(of_way).collect()
}

fn packet(protocol: Protocol) -> impl Fn(Build, u16, u16) -> Build {
    move |build, source, destination| match protocol {
        Protocol::Tcp => build.tcp(source, destination, ACK),
        Protocol::Udp => build.udp(source, destination),
    }
}

fn flows(way: &Way) -> Vec<Row> {
    vec![
        way.inward("a TCP flow", Tcp, Moves::OPENS, |b: Build, s, d| b.tcp(s, d, SYN)),
        way.inward("a UDP flow", Udp, Moves::OPENS, packet(Udp)),
    ]
}

/// What an error means behind the box; `None`: the other family has no word for it.
fn translated(way: &Way, from_v6: bool, error: Error) -> Option<Error> {
    match (way.crosses(), from_v6) {
        (false, _) => Some(error),
        (true, false) => to_v6(error),
        (true, true) => to_v4(error),
    }
}

/// RFC 7915 section 4.2.
fn to_v6((kind, code, rest): Error) -> Option<Error> {
    match (kind, code) {
        (3, 0 | 1 | 5..=8 | 11 | 12) => Some((1, 0, [0; 4])),
        (3, 2) => Some((4, 1, [0, 0, 0, 6])),
        (3, 3) => Some((1, 4, [0; 4])),
        // 1500 bytes and the longer header, but no more than the links here take.
        (3, 4) => Some((2, 0, [0, 0, 5, 0xdc])),
        (3, 9 | 10 | 13 | 15) => Some((1, 1, [0; 4])),
        (11, code) => Some((3, code, [0; 4])),
        (12, 0 | 2) => Some((4, 0, rest)),
        _ => None,
    }
}

/// RFC 7915 section 5.2.
fn to_v4((kind, code, rest): Error) -> Option<Error> {
    match (kind, code) {
        (1, 0 | 2 | 3) => Some((3, 1, [0; 4])),
        (1, 1) => Some((3, 10, [0; 4])),
        (1, 4) => Some((3, 3, [0; 4])),
        (2, _) => Some((3, 4, [0, 0, 5, 0xc8])),
        (3, code) => Some((11, code, [0; 4])),
        // The pointer is at an extension header, which IPv4 has not.
        (4, 0) if rest == [0, 0, 0, 40] => None,
        (4, 1) => Some((3, 2, [0; 4])),
        _ => None,
    }
}

/// The quote of a packet that was of IPv6 has neither name nor flags.
fn quote(way: &Way, v6: bool, build: Build) -> Vec<u8> {
    if way.crosses() && !v6 { build.identification(0).fragment(0).packet() } else { build.packet() }
}

/// What an error looks like when it leaves: one that was of IPv6 has no name, and is short.
fn leaves(way: &Way, interface: InterfaceId, v6: bool, build: Build) -> Expect {
    let build = if way.is_hop() { build.hop() } else { build };
    let build = if way.crosses() && !v6 { build.identification(0).fragment(0) } else { build };
    Expect::Sends(interface, build.build())
}

/// The client's errors are about what it has got from the VIP.
fn client_error(way: &Way, protocol: Protocol, (kind, code, rest): Error) -> Row {
    let ((client, vip), (source, server)) = way.ports(protocol);
    let seen = packet(protocol)(way.replied(), vip, client).packet();
    let input = way.ask().icmp_error(kind, code, rest, &seen);
    let row = Row::drops("an error of the client", ETH0, input.build(), DropReason::IcmpError);
    if way.is_tunnel() {
        let expect = Expect::Like(ETH1, way.wrapped(input.packet()));
        return Row { expect, ..row }.moving(Moves::INWARD);
    }
    let Some((kind, code, rest)) = translated(way, way.client_v6, (kind, code, rest)) else { return row };
    let meant = match way.is_two_way() {
        true => quote(way, way.server_v6, packet(protocol)(way.reply(), server, source)),
        false => seen,
    };
    let expect = leaves(way, ETH1, way.server_v6, way.asked().icmp_error(kind, code, rest, &meant));
    Row { expect, ..row }.moving(Moves::INWARD)
}

/// The backend's errors are about what it has got from the box.
fn backend_error(way: &Way, protocol: Protocol, (kind, code, rest): Error) -> Row {
    let ((client, vip), (source, server)) = way.ports(protocol);
    let seen = packet(protocol)(way.asked(), source, server).packet();
    let input = way.reply().icmp_error(kind, code, rest, &seen).build();
    let row = Row::drops("an error of the backend", ETH1, input, DropReason::IcmpError);
    let Some((kind, code, rest)) = translated(way, way.server_v6, (kind, code, rest)) else { return row };
    let meant = quote(way, way.client_v6, packet(protocol)(way.ask(), client, vip));
    let expect = leaves(way, ETH0, way.client_v6, way.replied().icmp_error(kind, code, rest, &meant));
    Row { expect, ..row }.moving(Moves::OUTWARD)
}

fn inward(way: &Way) -> Case {
    let mut rows = flows(way);
    let errors = if way.client_v6 { all_v6() } else { all_v4() };
    rows.extend(errors.into_iter().flat_map(|e| [Tcp, Udp].map(|protocol| client_error(way, protocol, e))));
    Case::new(format!("{}: errors of the client", way.name()), way.snapshot(), rows)
}

fn outward(way: &Way) -> Case {
    let mut rows = flows(way);
    let errors = if way.server_v6 { all_v6() } else { all_v4() };
    rows.extend(errors.into_iter().flat_map(|e| [Tcp, Udp].map(|protocol| backend_error(way, protocol, e))));
    Case::new(format!("{}: errors of the backend", way.name()), way.snapshot(), rows)
}

/// A router on the way to the client keeps its address where no address of the client's side is hidden;
/// one on the way to the backend is hidden with the backend.
fn of_routers(way: &Way) -> Case {
    let (outer, inner) = if way.client_v6 { ("fd09::1", "fd09::2") } else { ("10.0.9.1", "10.0.9.2") };
    let (kind, code) = if way.client_v6 { (3, 0) } else { (11, 0) };
    let error = (kind, code, [0; 4]);
    let mut rows = flows(way);
    let ((client, vip), (source, server)) = way.ports(Udp);
    let seen = packet(Udp)(way.replied(), vip, client).packet();
    let meant =
        if way.is_two_way() { packet(Udp)(way.reply(), server, source).packet() } else { seen.clone() };
    let input = way.ask().source(outer).icmp_error(kind, code, [0; 4], &seen);
    let asked = if way.mode() == Mode::OneArm { way.asked() } else { way.asked().source(outer) };
    let expect = match way.is_tunnel() {
        true => Expect::Like(ETH1, way.wrapped(input.packet())),
        false => leaves(way, ETH1, way.server_v6, asked.icmp_error(kind, code, [0; 4], &meant)),
    };
    let (frame, moves) = (input.build(), Moves::INWARD);
    rows.push(Row { name: "a router towards the client", ingress: ETH0, frame, expect, moves });
    if way.is_two_way() {
        let seen = packet(Udp)(way.asked(), source, server).packet();
        let frame = way.reply().source(inner).icmp_error(kind, code, [0; 4], &seen).build();
        let name = "a router towards the backend";
        rows.push(Row { name, frame, ..backend_error(way, Udp, error) });
    }
    Case::new(format!("{}: errors of routers", way.name()), way.snapshot(), rows)
}

/// What quotes no packet of a flow, or is not what it seems.
fn refused(way: &Way) -> Case {
    use DropReason::{BadChecksum, IcmpError, Truncated};
    let ((client, vip), _) = way.ports(Udp);
    let kind = if way.client_v6 { 1 } else { 3 };
    let of_flow = || packet(Udp)(way.replied(), vip, client);
    let error = |quote: &[u8]| way.ask().icmp_error(kind, 1, [0; 4], quote);
    let row = |name, build: Build, reason| Row::drops(name, ETH0, build.build(), reason);
    let damaged = {
        let mut frame = error(&of_flow().packet()).build();
        *frame.last_mut().expect("a byte") ^= 1;
        frame
    };
    let header = if way.client_v6 { 40 } else { 20 };
    let forged = of_flow().source(&backend(99, way.client_v6)).packet();
    let mut rows = flows(way);
    rows.extend([
        Row::drops("a damaged error", ETH0, damaged, BadChecksum),
        row("about somebody else's packet", error(&forged), IcmpError),
        row("about an echo request", error(&way.replied().icmp(8).packet()), IcmpError),
        row("about a protocol that is not balanced", error(&way.replied().protocol(132).packet()), IcmpError),
        row("a quote without ports", error(&of_flow().packet()[..header + 3]), Truncated),
        row("a quote without a whole IP header", error(&of_flow().packet()[..19]), Truncated),
        about_no_flow(way, error(&of_flow().udp(vip, client + 1).packet())),
    ]);
    if !way.client_v6 {
        rows.push(row("about a later fragment", error(&of_flow().fragment(9).packet()), IcmpError));
        rows.push(row("a redirect", way.ask().icmp_error(5, 1, [0; 4], &of_flow().packet()), IcmpError));
    }
    if way.is_hop() {
        rows.push(row("with TTL 1", error(&of_flow().packet()).ttl(1), DropReason::TtlExceeded));
    }
    rows.push(short(way));
    Case::new(format!("{}: errors about nothing", way.name()), way.snapshot(), rows)
}

/// Where nothing is translated, the scheduler finds the backend without a flow.
fn about_no_flow(way: &Way, error: Build) -> Row {
    let name = "about no flow";
    let row = Row::drops(name, ETH0, error.build(), DropReason::IcmpError);
    let looks = match way.how {
        _ if way.is_two_way() => return row,
        crate::testing::offer::How::Tunnel(_) => way.wrapped(error.packet()),
        crate::testing::offer::How::Dsr(None) => Looks::exactly(moved(error.build())),
        _ => {
            let class = way::CODE_POINT << 2;
            let to = backend(BACKEND, way.server_v6);
            Looks::exactly(moved(error.destination(&to).traffic_class(class).hop().build()))
        }
    };
    Row { expect: Expect::Like(ETH1, looks), ..row }.moving(Moves::INWARD)
}

/// With the MAC addresses of the second hop.
fn moved(mut frame: Vec<u8>) -> Vec<u8> {
    frame[..6].copy_from_slice(&backend_mac(BACKEND).0);
    frame[6..12].copy_from_slice(&BOX1.0);
    frame
}

/// Eight bytes behind the IP header are enough (RFC 792), although the quote's checksum is cut off.
fn short(way: &Way) -> Row {
    let whole = client_error(way, Tcp, if way.client_v6 { (1, 4, [0; 4]) } else { (3, 3, [0; 4]) });
    let frame = shortened(&whole.frame, way.client_v6);
    let expect = match whole.expect {
        Expect::Sends(interface, expected) => {
            Expect::Sends(interface, shortened(&expected, way.server_v6 && !way.is_tunnel()))
        }
        _ => Expect::Like(ETH1, way.wrapped(frame[network(&frame)..].to_vec())),
    };
    Row { name: "eight bytes of TCP", frame, expect, ..whole }
}

/// The frame of an error whose quote is cut behind eight bytes of TCP, with its lengths and checksums.
fn shortened(frame: &[u8], v6: bool) -> Vec<u8> {
    let (at, header) = (network(frame), if v6 { 40 } else { 20 });
    let mut frame = frame[..at + 2 * header + 16].to_vec();
    let length = u16::try_from(frame.len() - at).expect("short");
    let icmp = at + header;
    frame[icmp + 2..icmp + 4].fill(0);
    let pseudo = if v6 {
        frame[at + 4..at + 6].copy_from_slice(&(length - 40).to_be_bytes());
        sum(u64::from(length - 40) + 58, &frame[at + 8..at + 40])
    } else {
        frame[at + 2..at + 4].copy_from_slice(&length.to_be_bytes());
        frame[at + 10..at + 12].fill(0);
        let checksum = !fold(sum(0, &frame[at..icmp]));
        frame[at + 10..at + 12].copy_from_slice(&checksum.to_be_bytes());
        0
    };
    let checksum = !fold(sum(pseudo, &frame[icmp..]));
    frame[icmp + 2..icmp + 4].copy_from_slice(&checksum.to_be_bytes());
    frame
}
