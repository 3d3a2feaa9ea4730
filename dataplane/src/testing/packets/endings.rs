//! How connections end, in virtual time and in every mode that translates: what a half-closed connection, a forged reset
//! and a real one leave of their flow.

use super::way::{CLIENT_PORT, Way, ways};
use super::*;
use crate::admission::{Limits, SynProxy};
use crate::flow::FlowState::{self, Closed, Established, Fin};
use crate::snapshot::{ClientAddress, Fate, Snapshot};
use crate::testing::offer::{How, Offer};
use crate::types::BackendId;
use crate::types::Protocol::Tcp;
use crate::types::Tick;
use crate::wire::tcp::Tcp as Header;

const START: u32 = 1_000_000;
const MINUTE: u32 = 60_000;
/// Where the client and the server go on.
const A: u32 = 1000;
const B: u32 = 0x5000_0000;
const RST_ACK: u8 = Flags::RST | Flags::ACK;

/// A client, a backend and the node between them; a side that sends, as an index.
struct Talk {
    way: Way,
    rig: Rig,
    now: u32,
    /// The client's port as the backend sees it.
    port: u16,
    /// What each side calls the other's numbers, as a difference to A and B.
    shifts: [u32; 2],
}

const CLIENT: usize = 0;
const SERVER: usize = 1;

/// Every mode that translates, from all ports of a pool, with the client told of in both ways.
fn two_way() -> Vec<Way> {
    let mut all: Vec<_> = ways().into_iter().filter(Way::is_two_way).collect();
    let told = all.iter().filter(|way| way.mode() == Mode::OneArm).cloned().flat_map(|way| {
        [ClientAddress::ProxyV2, ClientAddress::Toa].map(|client_address| {
            let How::OneArm(pool) = &way.how else { panic!("one-arm") };
            let how = How::OneArm(crate::testing::offer::Pool { client_address, ..pool.clone() });
            Way { how, ..way.clone() }
        })
    });
    all.extend(told.collect::<Vec<_>>());
    for way in &mut all {
        if let How::OneArm(pool) = &mut way.how {
            pool.free = None;
        }
    }
    all
}

fn header(frame: &[u8]) -> Header<'_> {
    let network = way::network(frame);
    Header::new_checked(&frame[network + if frame[network] >> 4 == 4 { 20 } else { 40 }..]).unwrap()
}

impl Talk {
    fn of(way: &Way, change: impl Fn(&mut Offer)) -> Self {
        let rig = Rig::new(way.snapshot_with(change));
        Self { way: way.clone(), rig, now: START, port: CLIENT_PORT, shifts: [0, 0] }
    }

    /// Established.
    fn new(way: &Way) -> Self {
        Self::with(way, |_| ())
    }

    fn with(way: &Way, change: impl Fn(&mut Offer)) -> Self {
        let mut talk = Self::of(way, change);
        let sent = talk.sends(CLIENT, SYN, A - 1, 0, 0);
        talk.port = header(&sent[0].1).source_port().0;
        talk.sends(SERVER, SYN_ACK, B - 1, 0, A);
        talk.sends(CLIENT, ACK, A, 0, B);
        talk.gets_the_header();
        talk
    }

    /// A PROXY header lies in front of the client's stream, and the server acknowledges it.
    fn gets_the_header(&mut self) {
        if matches!(&self.way.how, How::OneArm(pool) if pool.client_address == ClientAddress::ProxyV2) {
            self.shifts[CLIENT] = if self.way.client_v6 { 52 } else { 28 };
            self.sends(SERVER, ACK, B, 0, A);
        }
    }

    /// Behind a cookie: the client knows other numbers of the server.
    fn by_cookie(way: &Way) -> Self {
        let mut talk = Self::of(way, |offer| {
            if offer.protocol == Tcp {
                offer.syn_proxy = SynProxy::Always;
            }
        });
        let answer = talk.sends(CLIENT, SYN, A - 1, 0, 0);
        talk.shifts[SERVER] = header(&answer[0].1).sequence().0.wrapping_add(1).wrapping_sub(B);
        let asked = talk.sends(CLIENT, ACK, A, 0, B);
        talk.port = header(&asked[0].1).source_port().0;
        talk.sends(SERVER, SYN_ACK, B - 1, 0, A);
        talk.gets_the_header();
        talk
    }

    fn frame(&self, side: usize, flags: u8, sequence: u32, data: usize, acknowledged: u32) -> Vec<u8> {
        let (build, acknowledged) = match side {
            CLIENT => {
                (self.way.ask().tcp(CLIENT_PORT, 80, flags), acknowledged.wrapping_add(self.shifts[SERVER]))
            }
            _ => {
                (self.way.reply().tcp(8080, self.port, flags), acknowledged.wrapping_add(self.shifts[CLIENT]))
            }
        };
        build.numbers(sequence, acknowledged).payload(&vec![7; data]).build()
    }

    fn sends(
        &mut self,
        side: usize,
        flags: u8,
        sequence: u32,
        data: usize,
        acknowledged: u32,
    ) -> Vec<(InterfaceId, Vec<u8>)> {
        let frame = self.frame(side, flags, sequence, data, acknowledged);
        self.rig.at(Tick(self.now), Some(([ETH0, ETH1][side], &frame)))
    }

    /// Whether a segment of `side` gets to the other one.
    fn reaches(&mut self, side: usize, flags: u8, sequence: u32, data: usize, acknowledged: u32) -> bool {
        let sent = self.sends(side, flags, sequence, data, acknowledged);
        matches!(&sent[..], [(interface, _)] if *interface == [ETH1, ETH0][side])
    }

    fn pass(&mut self, millis: u32) {
        let end = self.now + millis;
        while self.now < end {
            self.now += (end - self.now).min(500);
            self.rig.at(Tick(self.now), None);
        }
    }

    fn state(&self) -> Option<FlowState> {
        self.rig.table.flows(Tick(self.now)).map(|flow| flow.state).next()
    }

    fn closing(&self) -> u32 {
        self.rig.publisher.current().backend(BackendId(0)).unwrap().meters.backend.closing()
    }

    /// One side finishes, and the other acknowledges it.
    fn finishes(&mut self, side: usize) {
        let (own, other) = if side == CLIENT { (A, B) } else { (B, A) };
        self.sends(side, FIN_ACK, own, 0, other);
        self.sends(1 - side, ACK, other, 0, own + 1);
    }

    fn publish(&mut self, change: impl Fn(&mut Snapshot)) {
        let mut next = Snapshot::clone(&self.rig.publisher.current());
        next.generation += 1;
        change(&mut next);
        self.rig.publisher.publish(next);
        self.rig.at(Tick(self.now), None);
    }
}

/// A conversation on each way, both with a handshake of the ends' own and behind a cookie.
fn on_all(check: impl Fn(&str, &mut dyn FnMut() -> Talk)) {
    for way in two_way() {
        check(&way.name(), &mut || Talk::new(&way));
        check(&format!("{}, behind a cookie", way.name()), &mut || Talk::by_cookie(&way));
    }
}

#[test]
fn a_half_closed_connection_of_ten_minutes_gets_its_answer() {
    on_all(|name, talk| {
        for side in [CLIENT, SERVER] {
            let mut talk = talk();
            talk.finishes(side);
            assert_eq!(talk.state(), Some(Fin), "{name}");
            talk.pass(10 * MINUTE);
            let (own, other) = if side == CLIENT { (A, B) } else { (B, A) };
            for n in 0..3 {
                assert!(
                    talk.reaches(1 - side, ACK, other + 100 * n, 100, own + 1),
                    "{name}, {side}: the answer"
                );
                assert!(talk.reaches(side, ACK, own + 1, 0, other + 100 * (n + 1)), "{name}, {side}");
                talk.pass(MINUTE);
            }
            // Then the other one finishes as well.
            talk.sends(1 - side, FIN_ACK, other + 300, 0, own + 1);
            talk.sends(side, ACK, own + 1, 0, other + 301);
            talk.pass(29_000);
            assert_eq!(talk.state(), Some(Fin), "{name}");
            talk.pass(7_000);
            assert_eq!((talk.state(), talk.closing()), (None, 0), "{name}: over after half a minute");
        }
    });
}

#[test]
fn a_connection_that_both_sides_have_finished_is_forgotten_after_half_a_minute() {
    on_all(|name, talk| {
        for side in [CLIENT, SERVER] {
            let mut talk = talk();
            let (own, other) = if side == CLIENT { (A, B) } else { (B, A) };
            talk.sends(side, FIN_ACK, own, 10, other);
            talk.sends(1 - side, FIN_ACK, other, 0, own + 11);
            talk.sends(side, ACK, own + 11, 0, other + 1);
            talk.pass(29_000);
            assert_eq!(talk.state(), Some(Fin), "{name}");
            talk.pass(7_000);
            assert_eq!(talk.state(), None, "{name}");
        }
    });
}

#[test]
fn a_forged_reset_or_fin_ends_no_connection_that_goes_on_within_four_minutes() {
    on_all(|name, talk| {
        for (side, flags) in
            [(CLIENT, RST), (SERVER, RST), (CLIENT, RST_ACK), (SERVER, RST_ACK), (CLIENT, FIN_ACK)]
        {
            let mut talk = talk();
            talk.sends(side, flags, 0x7777_7777, 0, 0x3333_3333);
            if flags == FIN_ACK {
                talk.sends(SERVER, FIN_ACK, 0x7777_7777, 0, 0x3333_3333);
                talk.sends(CLIENT, ACK, 0x7777_7778, 0, 0x3333_3333);
            }
            assert_ne!((talk.state(), talk.closing()), (Some(Established), 0), "{name}");
            talk.pass(4 * MINUTE - 2000);
            assert!(talk.reaches(SERVER, ACK, B, 10, A), "{name}, {side} {flags:#x}");
            assert!(talk.reaches(CLIENT, ACK, A, 0, B + 10), "{name}");
            assert_eq!((talk.state(), talk.closing()), (Some(Established), 0), "{name}, {side} {flags:#x}");
            talk.pass(10 * MINUTE);
            assert!(talk.reaches(CLIENT, ACK, A, 10, B + 10), "{name}: it is a connection like others");
        }
    });
}

#[test]
fn a_reset_is_believed_after_four_minutes_or_when_its_number_fits() {
    on_all(|name, talk| {
        let mut out_of_the_blue = talk();
        out_of_the_blue.sends(CLIENT, RST_ACK, A, 0, B);
        out_of_the_blue.pass(4 * MINUTE - 2000);
        assert_eq!(out_of_the_blue.state(), Some(Closed), "{name}");
        out_of_the_blue.pass(9000);
        assert_eq!((out_of_the_blue.state(), out_of_the_blue.closing()), (None, 0), "{name}");
        let mut answer = talk();
        answer.sends(CLIENT, RST_ACK, A, 0, B);
        answer.sends(SERVER, ACK, B, 1000, A);
        assert_eq!(answer.state(), Some(Established), "{name}");
        answer.sends(CLIENT, RST, A, 0, 0);
        let mut half = talk();
        half.finishes(CLIENT);
        half.sends(SERVER, RST, B, 0, 0);
        let mut after = talk();
        after.finishes(SERVER);
        after.sends(CLIENT, RST_ACK, A, 0, B + 1);
        for mut talk in [answer, half, after] {
            assert_eq!(talk.state(), Some(Closed), "{name}");
            talk.pass(36_000);
            assert_eq!(talk.state(), None, "{name}: its number fits");
        }
    });
}

#[test]
fn ten_thousand_forged_segments_end_nothing_in_any_mode() {
    for way in two_way() {
        let mut talk = Talk::new(&way);
        let mut random = 0x9e37_79b9_u32;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            random
        };
        for n in 0..10_000 {
            let (side, flags) = (n % 2, [RST, FIN_ACK, RST_ACK][n / 2 % 3]);
            talk.sends(side, flags, next(), 0, next());
        }
        talk.pass(4 * MINUTE - 2000);
        assert!(talk.reaches(CLIENT, ACK, A, 10, B), "{}", way.name());
        assert!(talk.reaches(SERVER, ACK, B, 10, A + 10), "{}", way.name());
        assert!(talk.reaches(CLIENT, ACK, A + 10, 0, B + 10), "{}", way.name());
        assert_eq!((talk.state(), talk.closing()), (Some(Established), 0), "{}", way.name());
        talk.pass(14 * MINUTE);
        assert!(talk.reaches(CLIENT, ACK, A + 10, 0, B + 10), "{}", way.name());
    }
}

#[test]
fn where_replies_bypass_the_node_a_forged_segment_ends_nothing_either() {
    for way in ways().into_iter().filter(|way| !way.is_two_way()) {
        for flags in [RST, RST_ACK, FIN_ACK] {
            // A scheduler by which the packet alone does not lead to the same backend.
            let mut talk =
                Talk::of(&way, |offer| offer.scheduler = Some(crate::schedule::Kind::LeastConnections));
            talk.sends(CLIENT, SYN, A - 1, 0, 0);
            talk.sends(CLIENT, ACK, A, 0, B);
            talk.sends(CLIENT, flags, 0x7777_7777, 0, 0x3333_3333);
            talk.pass(4 * MINUTE - 2000);
            assert!(matches!(talk.state(), Some(Closed | Fin)), "{}", way.name());
            talk.sends(CLIENT, ACK, A, 10, B);
            assert_eq!(talk.rig.stats().flows_created, 1, "{}: it is the same flow", way.name());
            assert_eq!((talk.state(), talk.closing()), (Some(Established), 0), "{} {flags:#x}", way.name());
            talk.pass(14 * MINUTE);
            assert_eq!(talk.state(), Some(Established), "{}", way.name());
            talk.sends(CLIENT, FIN_ACK, A + 10, 0, B);
            talk.sends(CLIENT, ACK, A + 11, 0, B + 1);
            talk.pass(4 * MINUTE + 7000);
            assert_eq!((talk.state(), talk.closing()), (None, 0), "{}", way.name());
        }
    }
}

/// Each waits only where there is room: what is short, and that the flow is forgotten as soon as ever then.
#[test]
fn where_room_is_short_a_reset_connection_does_not_wait() {
    let limited =
        |flows| move |offer: &mut Offer| offer.limits = Limits { flows: Some(flows), ..Limits::default() };
    for way in two_way() {
        let waits = |talk: &mut Talk| {
            talk.sends(CLIENT, RST_ACK, A, 0, B);
            talk.pass(29_000);
            assert_eq!(talk.state(), Some(Closed), "{}", way.name());
            talk.pass(MINUTE);
            talk.state() == Some(Closed)
        };
        assert!(waits(&mut Talk::with(&way, limited(4))), "{}", way.name());
        assert!(!waits(&mut Talk::with(&way, limited(2))), "{}: the service's limit", way.name());
        assert!(waits(&mut Talk::with(&way, |offer| offer.upper_threshold = Some(4))), "{}", way.name());
        assert!(
            !waits(&mut Talk::with(&way, |offer| offer.upper_threshold = Some(2))),
            "{}: the backend's",
            way.name()
        );
        let mut talk = Talk::new(&way);
        crate::engine::apportion(&talk.rig.publisher.current(), 1024);
        assert!(waits(&mut talk), "{}", way.name());
        let mut talk = Talk::new(&way);
        crate::engine::apportion(&talk.rig.publisher.current(), 1);
        assert!(!waits(&mut talk), "{}: the table", way.name());
        for fate in [Fate::Leave, Fate::Reset, Fate::Move] {
            let mut talk = Talk::new(&way);
            talk.publish(|snapshot| snapshot.fates.set(BackendId(0), fate));
            assert!(!waits(&mut talk), "{}: {fate:?}", way.name());
        }
        if let How::OneArm(pool) = &way.how {
            let mut few = way.clone();
            few.how =
                How::OneArm(crate::testing::offer::Pool { free: Some(vec![way::SNAT_PORT]), ..pool.clone() });
            assert!(!waits(&mut Talk::new(&few)), "{}: ports", way.name());
        }
    }
}

#[test]
fn a_half_closed_connection_waits_however_short_room_is() {
    for way in two_way() {
        let mut talk = Talk::with(&way, |offer| {
            offer.limits = Limits { flows: Some(1), ..Limits::default() };
            offer.upper_threshold = Some(1);
        });
        talk.finishes(CLIENT);
        talk.publish(|snapshot| snapshot.fates.set(BackendId(0), Fate::Leave));
        talk.pass(10 * MINUTE);
        assert!(talk.reaches(SERVER, ACK, B, 100, A + 1), "{}", way.name());
    }
}

#[test]
fn the_timeouts_are_those_of_the_configuration() {
    for way in two_way() {
        let mut talk = Talk::new(&way);
        talk.publish(|snapshot| {
            snapshot.timeouts.tcp_fin = std::time::Duration::from_secs(2);
            snapshot.timeouts.tcp_reset = std::time::Duration::from_secs(20);
            snapshot.timeouts.tcp_established = std::time::Duration::from_secs(40);
        });
        talk.finishes(CLIENT);
        talk.pass(39_000);
        assert_eq!(talk.state(), Some(Fin), "{}", way.name());
        talk.sends(SERVER, RST, 7, 0, 0);
        talk.pass(19_000);
        assert_eq!(talk.state(), Some(Closed), "{}", way.name());
        talk.pass(3_000);
        assert_eq!(talk.state(), None, "{}", way.name());
    }
}

/// A flood of resets must not keep what they are about for longer than a connection is kept.
#[test]
fn a_reset_connection_is_kept_no_longer_than_an_established_one() {
    let way = &two_way()[0];
    let mut talk = Talk::new(way);
    talk.publish(|snapshot| snapshot.timeouts.tcp_established = std::time::Duration::from_secs(60));
    for _ in 0..100 {
        talk.sends(CLIENT, RST, 7, 0, 0);
    }
    talk.pass(66_000);
    assert_eq!(talk.state(), None);
}

/// A host that knows addresses and ports alone ends a live connection, or moves it to another backend.
#[test]
fn blind_segments_and_a_blind_syn_leave_a_connection_where_it_is() {
    let x = 0x7777_7777;
    let attacks: [&[(usize, u8, u32, u32)]; 6] = [
        &[(CLIENT, RST, x, 0)],
        &[(SERVER, RST, x, 0)],
        &[(CLIENT, FIN_ACK, x, 1)],
        &[(CLIENT, FIN_ACK, x - 1, 1), (CLIENT, ACK, x + 0x4000_0000, 1), (CLIENT, RST, x, 0)],
        &[(CLIENT, FIN_ACK, x, 9), (SERVER, FIN_ACK, 9, x + 1), (CLIENT, ACK, x + 1, 10)],
        &[(CLIENT, RST_ACK, x, 9), (SERVER, ACK, 9, x), (CLIENT, RST, x, 0)],
    ];
    on_all(|name, talk| {
        for attack in attacks {
            let mut talk = talk();
            for &(side, flags, sequence, acknowledged) in attack {
                talk.sends(side, flags, sequence, 0, acknowledged);
            }
            assert!(talk.reaches(CLIENT, SYN, 0x1234_5678, 0, 0), "{name}: {attack:x?}");
            assert_eq!(talk.rig.stats().flows_created, 1, "{name}: {attack:x?}");
            talk.pass(4 * MINUTE - 2000);
            // Where it is (RFC 5961 section 4).
            assert!(talk.reaches(SERVER, ACK, B, 0, A), "{name}: {attack:x?}");
            assert!(talk.reaches(CLIENT, ACK, A, 10, B), "{name}: {attack:x?}");
            assert!(talk.reaches(SERVER, ACK, B, 10, A + 10), "{name}: {attack:x?}");
            assert!(talk.reaches(CLIENT, ACK, A + 10, 0, B + 10), "{name}: {attack:x?}");
            assert_eq!((talk.state(), talk.closing()), (Some(Established), 0), "{name}: {attack:x?}");
            assert_eq!(talk.rig.stats().flows_created, 1, "{name}: {attack:x?}");
        }
    });
}

#[test]
fn a_client_that_uses_its_port_again_after_a_close_gets_a_new_flow_at_once() {
    on_all(|name, talk| {
        let mut closed = talk();
        closed.sends(CLIENT, FIN_ACK, A, 10, B);
        closed.sends(SERVER, FIN_ACK, B, 0, A + 11);
        closed.sends(CLIENT, ACK, A + 11, 0, B + 1);
        let mut reset = talk();
        reset.finishes(SERVER);
        reset.sends(CLIENT, RST_ACK, A, 0, B + 1);
        for mut talk in [closed, reset] {
            talk.sends(CLIENT, SYN, 0x1000_0000, 0, 0);
            let stats = talk.rig.stats();
            // By cookie, the flow begins with the next segment.
            assert!(stats.flows_created == 2 || talk.state().is_none(), "{name}");
        }
    });
}

/// A reset out of the blue was a real one: the node cannot know, but the backend does.
#[test]
fn a_client_that_uses_its_port_again_after_a_reset_gets_its_connection() {
    on_all(|name, talk| {
        let mut talk = talk();
        talk.sends(CLIENT, RST_ACK, A, 0, B);
        talk.pass(MINUTE);
        let (x, y) = (0x1000_0000, 0x2000_0000);
        assert!(talk.reaches(CLIENT, SYN, x, 0, 0), "{name}");
        let is_answered = talk.reaches(SERVER, SYN_ACK, y, 0, x + 1);
        let is_plain = !name.contains("cookie") && talk.shifts == [0, 0];
        if is_answered {
            assert!(talk.reaches(CLIENT, ACK, x + 1, 10, y + 1), "{name}");
            assert!(talk.reaches(SERVER, ACK, y + 1, 10, x + 11), "{name}");
            assert_eq!((talk.state(), talk.closing()), (Some(Established), 0), "{name}");
            assert_eq!(talk.rig.stats().flows_created, 1, "{name}");
        } else {
            // What its first segments have to be given is another's: the SYN that is sent again begins a flow.
            assert_eq!(talk.state(), None, "{name}");
            talk.pass(1000);
            assert_eq!(talk.sends(CLIENT, SYN, x, 0, 0).len(), 1, "{name}");
        }
        assert!(is_answered || !is_plain || name.contains("oa"), "{name}");
    });
}

#[test]
fn where_replies_bypass_the_node_a_client_that_uses_its_port_again_gets_its_connection() {
    for way in ways().into_iter().filter(|way| !way.is_two_way()) {
        for (flags, behind) in [(RST, 0), (FIN_ACK, 1)] {
            let mut talk =
                Talk::of(&way, |offer| offer.scheduler = Some(crate::schedule::Kind::LeastConnections));
            talk.sends(CLIENT, SYN, A - 1, 0, 0);
            talk.sends(CLIENT, ACK, A, 0, B);
            talk.sends(CLIENT, flags, A, 0, B);
            talk.sends(CLIENT, ACK, A + behind, 0, B + 1);
            talk.pass(MINUTE);
            let x = 0x1000_0000;
            for (flags, start, data) in [(SYN, x, 0), (ACK, x + 1, 0), (ACK, x + 1, 10)] {
                assert_eq!(talk.sends(CLIENT, flags, start, data, 9).len(), 1, "{}", way.name());
            }
            assert_eq!(talk.rig.stats().flows_created, 1, "{}: at the same backend", way.name());
            assert_eq!((talk.state(), talk.closing()), (Some(Established), 0), "{} {flags:#x}", way.name());
        }
    }
}

#[test]
fn a_handshake_that_is_broken_off_is_followed_by_another_one_at_once() {
    for way in two_way() {
        for (side, flags) in [(CLIENT, RST), (SERVER, RST_ACK)] {
            let mut talk = Talk::of(&way, |_| ());
            let sent = talk.sends(CLIENT, SYN, A - 1, 0, 0);
            talk.port = header(&sent[0].1).source_port().0;
            talk.sends(side, flags, if side == CLIENT { A } else { 0 }, 0, A);
            assert!(talk.reaches(CLIENT, SYN, 0x1000_0000, 0, 0), "{}", way.name());
            assert_eq!(talk.rig.stats().flows_created, 2, "{}", way.name());
        }
    }
}
