//! Which service a packet belongs to, and what becomes of those that belong to none or find it closed.

use super::way::{CLIENT_PORT, POOL, SNAT_PORT, Way, one_arm, ways};
use super::*;
use crate::snapshot::{ClientAddress, MissingState, Snapshot};
use crate::testing::offer::{How, Offer, pool_address};
use crate::testing::rig::network as empty_network;
use crate::types::{Port, PortRange, Prefix, VlanId};
use Protocol::{Tcp, Udp};

pub(super) fn cases() -> Vec<Case> {
    let of_way = |way: &Way| {
        let mut cases = vec![closed(way), without_backends(way), without_a_way(way), in_a_vlan(way), echo(way)];
        cases.extend([any_port(way), most_specific(way)]);
        match way.is_two_way() {
            true => cases.extend([missing_state(way), dropped_state(way)]),
            false => cases.push(strays(way)),
        }
        if way.mode() == Mode::OneArm {
            cases.extend([exhausted(way), pool(way)]);
            cases.extend([forgotten_by_the_pool(way), forgotten_in_silence(way)]);
        }
        cases
    };
    ways().iter().flat_map(of_way).collect()
}

fn syn(build: Build, source: u16, destination: u16) -> Build {
    build.tcp(source, destination, SYN)
}

fn datagram(build: Build, source: u16, destination: u16) -> Build {
    build.udp(source, destination)
}

fn drops(name: &'static str, build: &Build, reason: DropReason) -> Row {
    Row::drops(name, ETH0, build.build(), reason)
}

fn case(way: &Way, what: &str, snapshot: Snapshot, rows: Vec<Row>) -> Case {
    Case::new(format!("{}: {what}", way.name()), snapshot, rows)
}

/// A VIP, but nothing behind that port or protocol; and no VIP at all.
fn closed(way: &Way) -> Case {
    use DropReason::{NotOurs, UnknownPort, UnknownProtocol};
    let other = backend(99, way.client_v6);
    let (timestamp, echo_reply) = if way.client_v6 { (133, 129) } else { (13, 0) };
    let rows = vec![
        drops("TCP to a port that is none", &way.ask().tcp(CLIENT_PORT, 81, SYN), UnknownPort),
        drops("TCP to the UDP port", &way.ask().tcp(CLIENT_PORT, 53, SYN), UnknownPort),
        drops("UDP to the TCP port", &way.ask().udp(CLIENT_PORT, 80), UnknownPort),
        drops("UDP to port 0", &way.ask().udp(CLIENT_PORT, 0), UnknownPort),
        drops("SCTP", &way.ask().protocol(132), UnknownProtocol),
        drops("ESP", &way.ask().protocol(50), UnknownProtocol),
        drops("an echo reply", &way.ask().icmp(echo_reply), UnknownProtocol),
        drops("a question that is no echo request", &way.ask().icmp(timestamp), UnknownProtocol),
        drops("somebody else's TCP", &way.ask().destination(&other).tcp(CLIENT_PORT, 80, SYN), NotOurs),
        drops("somebody else's UDP", &way.ask().destination(&other).udp(CLIENT_PORT, 53), NotOurs),
    ];
    case(way, "what is no service's", way.snapshot(), rows)
}

fn without_backends(way: &Way) -> Case {
    let snapshot = way.snapshot_with(|offer| offer.backends.0.clear());
    let rows = vec![
        drops("a new connection", &syn(way.ask(), CLIENT_PORT, 80), DropReason::NoBackend),
        drops("a datagram", &datagram(way.ask(), CLIENT_PORT, 53), DropReason::NoBackend),
    ];
    case(way, "no backend is up", snapshot, rows)
}

/// The backend's neighbour is not known, or no route leads there.
fn without_a_way(way: &Way) -> Case {
    let mut snapshot = way.snapshot();
    for backend in snapshot.backends.iter_mut().flatten() {
        backend.next_hop = None;
    }
    // The second one is beyond all routes.
    let beyond = if way.server_v6 { "fd77::1" } else { "192.0.2.1" };
    snapshot.backends[1].as_mut().expect("a backend").address = beyond.parse().expect("an address");
    let frame = syn(way.ask(), CLIENT_PORT, 80).build();
    let rows = vec![
        Row { name: "no MAC address yet", ingress: ETH0, frame, expect: Expect::Holds, moves: Moves::OPENS },
        drops("no route", &datagram(way.ask(), CLIENT_PORT, 53), DropReason::NoRoute).moving(Moves::CREATES),
    ];
    case(way, "no way to the backend", snapshot, rows)
}

fn in_a_vlan(way: &Way) -> Case {
    let tagged = |tags: &'static [(u16, u16)]| move |build: Build, s, d| syn(build, s, d).tags(tags);
    let wrong = |name, build: Build| drops(name, &build, DropReason::WrongVlan);
    let rows = vec![
        wrong("no tag", syn(way.ask(), CLIENT_PORT, 80)),
        wrong("another VLAN", tagged(&[(0x8100, 101)])(way.ask(), CLIENT_PORT, 80)),
        wrong("the VLAN as the inner one", tagged(&[(0x88a8, 7), (0x8100, 100)])(way.ask(), CLIENT_PORT, 80)),
        way.inward("the VLAN, with a priority", Tcp, Moves::OPENS, tagged(&[(0x8100, 0xe064)])),
        way.inward("the VLAN as the outer one", Tcp, Moves::INWARD, tagged(&[(0x8100, 100), (0x8100, 7)])),
    ];
    case(way, "a service in a VLAN", way.snapshot_with(|offer| offer.vlan = Some(VlanId(100))), rows)
}

/// Answered while the VIP has a service that is up.
fn echo(way: &Way) -> Case {
    let request = if way.client_v6 { 128 } else { 8 };
    let snapshot = way.snapshot_with(|offer| offer.echo = false);
    let rows = vec![drops("ping", &way.ask().icmp(request), DropReason::ServiceDown)];
    case(way, "echo of a service that is down", snapshot, rows)
}

/// A service of all ports: the backend is asked on the port that the client has asked for.
fn any_port(way: &Way) -> Case {
    let mut snapshot = empty_network();
    let mut offer = way.offer(Tcp);
    (offer.ports, offer.inner) = (PortRange::ANY, None);
    offer.add_to(&mut snapshot);
    (offer.protocol, offer.ports) = (Udp, PortRange { first: Port(5000), last: Port(5999) });
    offer.add_to(&mut snapshot);
    let tcp = |port| move |build: Build, s, _: u16| build.tcp(s, port, SYN);
    let udp = |port| move |build: Build, s, _: u16| build.udp(s, port);
    let mut rows = vec![way.inward("the highest port", Tcp, Moves::OPENS, tcp(65_535))];
    if way.is_two_way() {
        rows.push(way.outward("back", Tcp, |build: Build, _, d| build.tcp(65_535, d, SYN_ACK)));
    }
    rows.extend([
        way.inward("the first of a range", Udp, Moves::OPENS, udp(5000)),
        drops("below a range", &way.ask().udp(CLIENT_PORT, 4999), DropReason::UnknownPort),
        drops("beyond a range", &way.ask().udp(CLIENT_PORT, 6000), DropReason::UnknownPort),
    ]);
    case(way, "any port", snapshot, rows)
}

/// An address and port before a prefix, and a narrow range before a wide one.
fn most_specific(way: &Way) -> Case {
    let mut snapshot = empty_network();
    let vip = way.offer(Udp).vip.address();
    let wide = Prefix::new(vip, if way.client_v6 { 64 } else { 24 }).expect("a prefix");
    let empty = |vip, ports| Offer { vip, ports, backends: (vec![], way.server_v6), ..way.offer(Udp) };
    empty(wide, PortRange::ANY).add_to(&mut snapshot);
    empty(Prefix::host(vip), PortRange { first: Port(50), last: Port(60) }).add_to(&mut snapshot);
    way.offer(Udp).add_to(&mut snapshot);
    let other = if way.client_v6 { "fd00::199" } else { "10.0.0.199" };
    let rows = vec![
        way.inward("the address and the port", Udp, Moves::OPENS, datagram),
        drops("a range of the address", &datagram(way.ask(), CLIENT_PORT, 54), DropReason::NoBackend),
        drops("the prefix", &datagram(way.ask(), CLIENT_PORT, 99), DropReason::NoBackend),
        drops(
            "another address of it",
            &datagram(way.ask().destination(other), CLIENT_PORT, 53),
            DropReason::NoBackend,
        ),
    ];
    case(way, "services within services", snapshot, rows)
}

/// Segments from the middle of connections, where only the flow knows the translation.
fn dropped_state(way: &Way) -> Case {
    let rows = [("ACK", ACK), ("SYN-ACK", SYN_ACK), ("FIN", FIN_ACK), ("RST", RST), ("no flag", 0)]
        .map(|(name, flags)| drops(name, &way.ask().tcp(CLIENT_PORT, 80, flags), DropReason::NoFlow));
    case(way, "segments without a connection", way.snapshot(), rows.into())
}

/// The same, answered as RFC 9293 section 3.10.7.1 has it.
fn missing_state(way: &Way) -> Case {
    let reset = |name, build: Build, (flags, sequence, acknowledged): (u8, u32, u32)| {
        let frame = build.build();
        let answer = way.answer().tcp(80, CLIENT_PORT, flags).numbers(sequence, acknowledged).payload(b"");
        let mut answer = answer.identification(0).tags(&way::tags(&frame)).build();
        clear_window(&mut answer);
        let expect = Expect::Answers(DropReason::NoFlow, ETH0, answer);
        Row { name, ingress: ETH0, frame, expect, moves: Moves::NOTHING }
    };
    let segment = |flags| way.ask().tcp(CLIENT_PORT, 80, flags).numbers(1000, 9000);
    let rows = vec![
        reset("ACK", segment(ACK), (RST, 9000, 0)),
        reset("FIN", segment(FIN_ACK), (RST, 9000, 0)),
        reset("in a VLAN", segment(ACK).tags(&[(0x8100, 9)]), (RST, 9000, 0)),
        reset("SYN-ACK", segment(SYN_ACK), (RST, 9000, 0)),
        // Nothing is acknowledged: all of it is, the FIN too.
        reset("FIN alone", segment(Flags::FIN), (RST | ACK, 0, 1000 + 8 + 1)),
        drops("RST", &segment(RST), DropReason::NoFlow),
        way.inward("SYN", Tcp, Moves::OPENS, syn),
    ];
    let snapshot = way.snapshot_with(|offer| offer.missing_state = MissingState::Reset);
    case(way, "segments without a connection, answered", snapshot, rows)
}

/// The backend goes on with a connection that the node has forgotten: it is answered as the client would be.
fn forgotten_by_the_pool(way: &Way) -> Case {
    let (_, (source, server)) = way.ports(Tcp);
    let segment = |flags| way.reply().tcp(server, source, flags).numbers(1000, 9000);
    let reset = |name, build: Build, (flags, sequence, acknowledged): (u8, u32, u32)| {
        let answer = way.answer_back("").tcp(source, server, flags).numbers(sequence, acknowledged).payload(b"");
        let mut answer = answer.identification(0).build();
        clear_window(&mut answer);
        let expect = Expect::Answers(DropReason::NoFlow, ETH1, answer);
        Row { name, ingress: ETH1, frame: build.build(), expect, moves: Moves::NOTHING }
    };
    let silent =
        |name, build: Build, reason| Row::drops(name, ETH1, build.build(), reason);
    let rows = vec![
        reset("data", segment(ACK), (RST, 9000, 0)),
        reset("FIN", segment(FIN_ACK), (RST, 9000, 0)),
        reset("SYN-ACK", segment(SYN_ACK), (RST, 9000, 0)),
        reset("no ACK", segment(Flags::FIN), (RST | ACK, 0, 1000 + 8 + 1)),
        silent("RST", segment(RST), DropReason::NoFlow),
        silent("SYN", segment(SYN), DropReason::UnknownPort),
        silent("from another port", way.reply().tcp(server + 1, source, ACK), DropReason::UnknownPort),
        silent("a datagram", way.reply().udp(server, source), DropReason::UnknownPort),
        way.inward("SYN", Tcp, Moves::OPENS, syn),
        way.outward("what is known", Tcp, |b: Build, s, d| b.tcp(s, d, SYN_ACK)),
    ];
    let snapshot = way.snapshot_with(|offer| offer.missing_state = MissingState::Reset);
    case(way, "segments of a backend without a connection, answered", snapshot, rows)
}

/// The same, where the service does not ask for it.
fn forgotten_in_silence(way: &Way) -> Case {
    let (_, (source, server)) = way.ports(Tcp);
    let row = |name, flags| {
        let frame = way.reply().tcp(server, source, flags).build();
        Row::drops(name, ETH1, frame, DropReason::UnknownPort)
    };
    let rows = vec![row("data", ACK), row("FIN", FIN_ACK), row("RST", RST)];
    case(way, "segments of a backend without a connection", way.snapshot(), rows)
}

/// Nobody may send anything to who sends a reset.
fn clear_window(frame: &mut [u8]) {
    use crate::wire::checksum::Delta;
    let at = way::network(frame) + if frame[way::network(frame)] >> 4 == 4 { 20 } else { 40 };
    let delta = Delta::default().word(way::field(frame, at + 14), 0);
    let checksum = delta.apply(way::field(frame, at + 16));
    frame[at + 14..at + 16].fill(0);
    frame[at + 16..at + 18].copy_from_slice(&checksum.to_be_bytes());
}

/// Where nothing is translated, the scheduler knows whose they are.
fn strays(way: &Way) -> Case {
    let rows = vec![
        drops("RST", &way.ask().tcp(CLIENT_PORT, 80, RST), DropReason::NoFlow),
        way.inward("ACK", Tcp, Moves::OPENS, |b: Build, s, d| b.tcp(s, d, ACK)),
        way.inward("RST of what is known now", Tcp, Moves::INWARD, |b: Build, s, d| b.tcp(s, d, RST)),
        way.inward("FIN of a closed flow", Tcp, Moves::INWARD, |b: Build, s, d| b.tcp(s, d, FIN_ACK)),
    ];
    case(way, "segments without a connection", way.snapshot(), rows)
}

/// The pool has one port, which one flow has.
fn exhausted(way: &Way) -> Case {
    let other = |build: Build, _: u16, d| build.udp(CLIENT_PORT + 1, d);
    let rows = vec![
        way.inward("the last port", Udp, Moves::OPENS, datagram),
        drops("one flow more", &other(way.ask(), 0, 53), DropReason::SnatExhausted),
        way.inward("the flow that has it", Udp, Moves::INWARD, datagram),
        way.inward("another backend endpoint", Tcp, Moves::OPENS, syn),
    ];
    case(way, "no port is left", way.snapshot(), rows)
}

/// The pool's address is the box's, but nobody's service; its second address serves when the first has no
/// port left.
fn pool(way: &Way) -> Case {
    let mut snapshot = empty_network();
    let How::OneArm(mut pool) = one_arm(way.server_v6, ClientAddress::None) else { panic!("one-arm") };
    pool.addresses.push(pool_address(POOL + 1, way.server_v6));
    pool.free = Some(vec![]);
    Offer { how: How::OneArm(pool), ..way.offer(Udp) }.add_to(&mut snapshot);
    way.offer(Tcp).add_to(&mut snapshot);
    let Some(crate::snapshot::Forwarding::OneArm(one_arm)) =
        snapshot.backends[0].as_ref().map(|backend| &backend.forwarding)
    else {
        panic!("one-arm")
    };
    one_arm.pool[1].ports.give(Port(SNAT_PORT));
    let (_, (source, server)) = way.ports(Udp);
    let second = pool_address(POOL + 1, way.server_v6).to_string();
    let behind = |build: Build, _, _| build.udp(source, server).source(&second);
    let stray = way.reply().tcp(8080, SNAT_PORT, SYN_ACK).build();
    let rows = vec![
        Row::drops("a reply to nobody", ETH1, stray, DropReason::UnknownPort),
        way.inward_changed("by the second address", (Udp, Moves::OPENS), datagram, behind),
        drops("no third", &way.ask().udp(CLIENT_PORT + 1, 53), DropReason::SnatExhausted),
    ];
    case(way, "the pool's addresses", snapshot, rows)
}
