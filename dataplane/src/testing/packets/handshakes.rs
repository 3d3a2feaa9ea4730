//! Services whose handshakes the box makes, on every way that translates: what each end gets, in the numbers that
//! it knows. Frames are read, not compared: the cookie is the box's secret.

use super::way::{CLIENT_PORT, Way, one_arm, ways};
use super::*;
use crate::admission::SynProxy;
use crate::snapshot::ClientAddress;
use crate::testing::offer::How;
use crate::types::Protocol::Tcp;
use crate::types::Tick;
use crate::wire::checksum::{fold, sum};
use crate::wire::compose::pseudo_header;
use crate::wire::tcp::Tcp as Header;

const ISN: u32 = 0xffff_fffe;
const SERVER_ISN: u32 = 0x1000;
const START: Tick = Tick(1_000_000);

/// A segment that has left the box.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    by: InterfaceId,
    flags: u8,
    sequence: u32,
    acknowledged: u32,
    window: u16,
    options: Vec<u8>,
    data: Vec<u8>,
}

/// Reads a frame, whose checksum has to be right and whose ends have to be those of `like`.
fn read(by: InterfaceId, frame: &[u8], like: &Build) -> Said {
    let like = like.build();
    assert_eq!((&frame[..6], &frame[12..14]), (&like[..6], &like[12..14]), "destination and family");
    let (header, addresses) = if frame[12..14] == [0x86, 0xdd] { (40, 8..40) } else { (20, 12..20) };
    let (packet, expected) = (&frame[14..], &like[14..]);
    assert_eq!(packet[addresses.clone()], expected[addresses.clone()], "addresses");
    let segment = &packet[header..];
    assert_eq!(segment[..4], expected[header..][..4], "ports");
    let pseudo = pseudo_header(&packet[addresses], 6, segment.len());
    assert_eq!(fold(sum(pseudo, segment)), 0xffff, "checksum");
    if header == 20 {
        assert_eq!(fold(sum(0, &packet[..20])), 0xffff, "checksum of the header");
    }
    let tcp = Header::new_checked(segment).unwrap();
    let (options, data) = segment.split_at(tcp.header_length());
    Said {
        by,
        flags: tcp.flags().0,
        sequence: tcp.sequence().0,
        acknowledged: tcp.acknowledgement().0,
        window: tcp.window(),
        options: options[20..].to_vec(),
        data: data.to_vec(),
    }
}

/// A client and a backend with the box between them.
struct Talk {
    way: Way,
    rig: Rig,
    now: Tick,
}

fn two_way() -> impl Iterator<Item = Way> {
    ways().into_iter().filter(Way::is_two_way)
}

impl Talk {
    fn new(way: &Way) -> Self {
        let snapshot = way.snapshot_with(|offer| {
            if offer.protocol == Tcp {
                offer.syn_proxy = SynProxy::Always;
            }
        });
        Self { way: way.clone(), rig: Rig::new(snapshot), now: START }
    }

    fn client(&self, flags: u8, sequence: u32, acknowledged: u32) -> Build {
        self.way.ask().tcp(CLIENT_PORT, 80, flags).numbers(sequence, acknowledged).payload(b"")
    }

    fn backend(&self, flags: u8, sequence: u32, acknowledged: u32) -> Build {
        let (_, (source, server)) = self.way.ports(Tcp);
        self.way.reply().tcp(server, source, flags).numbers(sequence, acknowledged).payload(b"")
    }

    /// What leaves because of a frame, or of the time.
    fn now(&mut self, frame: Option<(InterfaceId, Vec<u8>)>) -> Vec<Said> {
        let sent = self.rig.at(self.now, frame.as_ref().map(|(by, frame)| (*by, &frame[..])));
        let (_, (source, server)) = self.way.ports(Tcp);
        let inward = self.way.asked().tcp(source, server, ACK);
        let outward = self.way.replied().tcp(80, CLIENT_PORT, ACK);
        sent.iter()
            .map(|(by, bytes)| read(*by, bytes, if *by == ETH1 { &inward } else { &outward }))
            .collect()
    }

    fn client_sends(&mut self, build: &Build) -> Vec<Said> {
        self.now(Some((ETH0, build.build())))
    }

    fn backend_sends(&mut self, build: &Build) -> Vec<Said> {
        self.now(Some((ETH1, build.build())))
    }

    fn pass(&mut self, millis: u32) -> Vec<Said> {
        self.now = Tick(self.now.0 + millis);
        self.now(None)
    }

    /// The client's SYN is answered; the cookie.
    fn cookie(&mut self) -> u32 {
        let syn = self.client(SYN, ISN, 0).tcp_options(&[2, 4, 5, 0xb4]);
        let answered = self.client_sends(&syn);
        let [answer] = &answered[..] else { panic!("{answered:?}") };
        assert_eq!((answer.by, answer.flags, answer.window), (ETH0, SYN_ACK, 0));
        assert_eq!((answer.acknowledged, &answer.data[..]), (ISN.wrapping_add(1), &b""[..]));
        assert_eq!(self.rig.stats().flows_created, 0, "nothing is remembered");
        answer.sequence
    }

    /// Its ACK opens the connection to the backend; the cookie.
    fn open(&mut self) -> u32 {
        let cookie = self.cookie();
        let ack = self.client(ACK, ISN.wrapping_add(1), cookie.wrapping_add(1)).window(500);
        let asked = self.client_sends(&ack);
        let [syn] = &asked[..] else { panic!("{asked:?}") };
        assert_eq!((syn.by, syn.flags, syn.sequence, syn.window), (ETH1, SYN, ISN, 500));
        assert_eq!(self.rig.stats().flows_created, 1);
        cookie
    }

    /// The backend takes it.
    fn establish(&mut self) -> u32 {
        let cookie = self.open();
        let answer = self.backend(SYN_ACK, SERVER_ISN, ISN.wrapping_add(1)).window(9000);
        let mut said = self.backend_sends(&answer.tcp_options(&[2, 4, 5, 0xb4]));
        said.sort_by_key(|said| said.by.0);
        let [update, acknowledgement] = &said[..] else { panic!("{said:?}") };
        let numbers = |said: &Said| (said.by, said.flags, said.sequence, said.acknowledged, said.window);
        let next = ISN.wrapping_add(1);
        assert_eq!(numbers(update), (ETH0, ACK, cookie.wrapping_add(1), next, 9000));
        assert_eq!(numbers(acknowledgement), (ETH1, ACK, next, SERVER_ISN + 1, 500));
        cookie
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        self.rig.dropped(reason)
    }
}

#[test]
fn a_client_that_exists_gets_to_the_backend_and_both_count_as_they_did() {
    for way in two_way() {
        let mut talk = Talk::new(&way);
        let cookie = talk.establish();
        let (sent, heard) = (ISN.wrapping_add(1), cookie.wrapping_add(1));
        let said = talk.client_sends(&talk.client(ACK, sent, heard).payload(b"GET"));
        let at_backend = said.iter().map(|said| (said.sequence, said.acknowledged, &said.data[..]));
        assert_eq!(at_backend.collect::<Vec<_>>(), [(sent, SERVER_ISN + 1, &b"GET"[..])], "{}", way.name());
        let said =
            talk.backend_sends(&talk.backend(ACK, SERVER_ISN + 1, sent.wrapping_add(3)).payload(b"200"));
        let at_client = said.iter().map(|said| (said.sequence, said.acknowledged, &said.data[..]));
        assert_eq!(
            at_client.collect::<Vec<_>>(),
            [(heard, sent.wrapping_add(3), &b"200"[..])],
            "{}",
            way.name()
        );
        // Its counters: no half-open flow is left.
        let snapshot = talk.rig.publisher.current();
        let meter = &snapshot.services[0].admission.meter;
        assert_eq!((meter.half_open(), meter.flows()), (0, 1));
        let counts = meter.counts();
        assert_eq!((counts.cookies_sent, counts.cookies_taken, counts.not_taken), (1, 1, 0));
        let FrameTotals { received, forwarded, originated } = FrameTotals::of(&talk.rig);
        assert_eq!((received, forwarded, originated), (5, 5, 1), "{}", way.name());
    }
}

struct FrameTotals {
    received: u64,
    forwarded: u64,
    originated: u64,
}

impl FrameTotals {
    fn of(rig: &Rig) -> Self {
        let frames = rig.stats().frames;
        Self { received: frames.received, forwarded: frames.forwarded, originated: frames.originated }
    }
}

#[test]
fn who_guesses_gets_nothing_and_is_remembered_nowhere() {
    for way in two_way() {
        let mut talk = Talk::new(&way);
        let early = talk.client(ACK, ISN.wrapping_add(1), 7);
        assert!(talk.client_sends(&early).is_empty(), "before any cookie was issued");
        let cookie = talk.cookie();
        let next = ISN.wrapping_add(1);
        for guess in [
            talk.client(ACK, next, cookie),
            talk.client(ACK, next, cookie.wrapping_add(2)),
            talk.client(ACK, next.wrapping_add(2), cookie.wrapping_add(1)),
            talk.client(SYN_ACK, next, cookie.wrapping_add(1)),
            talk.client(RST, next, cookie.wrapping_add(1)),
        ] {
            assert!(talk.client_sends(&guess).is_empty(), "{}", way.name());
        }
        let damaged = talk.client(ACK, next, cookie.wrapping_add(1)).payload(b"GET");
        let mut bytes = damaged.build();
        *bytes.last_mut().unwrap() ^= 1;
        assert!(talk.now(Some((ETH0, bytes))).is_empty());
        assert_eq!((talk.dropped(DropReason::NoFlow), talk.rig.stats().flows_created), (7, 0));
        let mut bytes = talk.client(SYN, ISN, 0).build();
        *bytes.last_mut().unwrap() ^= 1;
        assert!(talk.now(Some((ETH0, bytes))).is_empty());
        assert_eq!(talk.dropped(DropReason::BadChecksum), 1);
        // A cookie dies of age.
        talk.now = Tick(talk.now.0 + 140_000);
        let late = talk.client(ACK, next, cookie.wrapping_add(1));
        assert!(talk.client_sends(&late).is_empty());
        assert_eq!(talk.dropped(DropReason::NoFlow), 8);
    }
}

#[test]
fn until_the_backend_has_answered_the_client_waits_and_the_syn_is_repeated() {
    for way in two_way() {
        let mut talk = Talk::new(&way);
        let cookie = talk.open();
        let data = talk.client(ACK, ISN.wrapping_add(1), cookie.wrapping_add(1)).payload(b"GET");
        assert!(talk.client_sends(&data).is_empty());
        assert_eq!(talk.dropped(DropReason::BackendPending), 1);
        let out = talk.client(ACK, ISN.wrapping_add(1), cookie.wrapping_add(9));
        assert!(talk.client_sends(&out).is_empty());
        assert_eq!(talk.dropped(DropReason::OutOfHandshake), 1);
        let said = |said: Vec<Said>| said.iter().map(|s| (s.by, s.flags, s.sequence)).collect::<Vec<_>>();
        assert_eq!(said(talk.pass(990)), []);
        assert_eq!(said(talk.pass(40)), [(ETH1, SYN, ISN)], "{}", way.name());
        assert_eq!(said(talk.pass(1900)), []);
        assert_eq!(said(talk.pass(140)), [(ETH1, SYN, ISN)]);
        assert_eq!(said(talk.pass(3900)), []);
        let mut end = said(talk.pass(150));
        end.sort_unstable_by_key(|(by, ..)| by.0);
        let expected = [(ETH0, RST | ACK, cookie.wrapping_add(1)), (ETH1, RST, ISN.wrapping_add(1))];
        assert_eq!(end, expected, "both are told");
        let counts = talk.rig.publisher.current().services[0].admission.meter.counts();
        assert_eq!(counts.not_taken, 1);
        assert_eq!(said(talk.pass(8000)), []);
        assert_eq!(talk.rig.stats().flows_expired, 1);
    }
}

#[test]
fn a_refusal_of_either_end_reaches_the_other() {
    for way in two_way() {
        let mut talk = Talk::new(&way);
        let cookie = talk.open();
        let refusal = talk.backend(RST | ACK, 0, ISN.wrapping_add(1));
        let said = talk.backend_sends(&refusal);
        let [reset] = &said[..] else { panic!("{said:?}") };
        assert_eq!((reset.by, reset.flags, reset.sequence), (ETH0, RST | ACK, cookie.wrapping_add(1)));

        let mut talk = Talk::new(&way);
        talk.open();
        let said = talk.client_sends(&talk.client(RST, ISN.wrapping_add(1), 0));
        let [reset] = &said[..] else { panic!("{said:?}") };
        assert_eq!((reset.by, reset.flags, reset.sequence), (ETH1, RST, ISN.wrapping_add(1)));
        assert!(talk.client_sends(&talk.client(ACK, ISN.wrapping_add(1), 1)).is_empty(), "it is over");
    }
}

#[test]
fn a_backend_that_remembers_another_connection_is_reset_and_asked_again() {
    for way in two_way() {
        let mut talk = Talk::new(&way);
        talk.open();
        let said = talk.backend_sends(&talk.backend(ACK, 5, 77));
        let said: Vec<_> = said.iter().map(|said| (said.by, said.flags, said.sequence)).collect();
        assert_eq!(said, [(ETH1, RST, 77), (ETH1, SYN, ISN)], "{}", way.name());
        assert_eq!(talk.dropped(DropReason::OutOfHandshake), 1);
        assert_eq!((talk.pass(1040).len(), talk.pass(1000).len()), (0, 1), "the third SYN");
    }
}

#[test]
fn a_second_answer_of_the_backend_is_acknowledged_by_the_client_like_any_old_segment() {
    for way in two_way() {
        let mut talk = Talk::new(&way);
        let cookie = talk.establish();
        let said = talk.backend_sends(&talk.backend(SYN_ACK, SERVER_ISN, ISN.wrapping_add(1)));
        let [again] = &said[..] else { panic!("{said:?}") };
        assert_eq!((again.by, again.flags, again.sequence), (ETH0, SYN_ACK, cookie), "{}", way.name());
    }
}

#[test]
fn pieces_of_a_handshake_are_dropped() {
    for way in two_way().filter(|way| !way.client_v6) {
        let mut talk = Talk::new(&way);
        let syn = talk.client(SYN, ISN, 0).payload(&[7; 64]).fragment(0x2000);
        assert!(talk.client_sends(&syn).is_empty());
        assert_eq!(talk.dropped(DropReason::OutOfHandshake), 1, "{}", way.name());
    }
}

#[test]
fn an_error_about_a_segment_to_the_client_is_in_the_backends_numbers() {
    for way in two_way().filter(|way| !way.crosses()) {
        let mut talk = Talk::new(&way);
        let cookie = talk.establish();
        // What the client's side got: a packet of the backend's stream, from its 100th byte on.
        let quote =
            talk.way.replied().tcp(80, CLIENT_PORT, ACK).numbers(cookie.wrapping_add(100), 1).packet();
        let (kind, code, rest) = if way.client_v6 { (2, 0, [0, 0, 5, 0]) } else { (3, 4, [0, 0, 5, 0]) };
        let error = talk.way.ask().icmp_error(kind, code, rest, &quote).build();
        let sent = talk.rig.at(talk.now, Some((ETH0, &error)));
        let [(ETH1, frame)] = &sent[..] else { panic!("{}: {sent:?}", way.name()) };
        let header = if way.client_v6 { 40 } else { 20 };
        let message = &frame[14 + header..];
        let quoted = &message[8 + header..];
        assert_eq!(quoted[4..8], (SERVER_ISN + 100).to_be_bytes(), "{}", way.name());
        let pseudo = if way.client_v6 { pseudo_header(&frame[22..54], 58, message.len()) } else { 0 };
        assert_eq!(fold(sum(pseudo, message)), 0xffff);
    }
}

#[test]
fn the_header_that_tells_of_the_client_comes_in_front_of_the_stream() {
    for how in [ClientAddress::ProxyV1, ClientAddress::ProxyV2] {
        let way = Way { how: one_arm(false, how), client_v6: false, server_v6: false };
        let mut talk = Talk::new(&way);
        let cookie = talk.cookie();
        let (sent, heard) = (ISN.wrapping_add(1), cookie.wrapping_add(1));
        assert_eq!(talk.client_sends(&talk.client(ACK, sent, heard)).len(), 1);
        let answer = talk.backend(SYN_ACK, SERVER_ISN, sent);
        assert_eq!(talk.backend_sends(&answer).len(), 2);
        let said = talk.client_sends(&talk.client(ACK, sent, heard).payload(b"GET"));
        let [first] = &said[..] else { panic!("{said:?}") };
        assert_eq!((first.sequence, first.acknowledged), (sent, SERVER_ISN + 1));
        let prefix: &[u8] = if how == ClientAddress::ProxyV1 { b"PROXY TCP4" } else { b"\r\n\r\n\0\r\nQUIT" };
        assert!(first.data.starts_with(prefix) && first.data.ends_with(b"GET"), "{:?}", first.data);
    }
}

#[test]
fn a_service_under_pressure_begins_to_answer_by_cookie_and_stops_again() {
    let way = Way { how: How::Router, client_v6: false, server_v6: false };
    let snapshot = way.snapshot_with(|offer| offer.syn_proxy = SynProxy::Auto);
    crate::engine::apportion(&snapshot, 64);
    let mut rig = Rig::new(snapshot);
    let mut at = |port, now| {
        let syn = way.ask().tcp(port, 80, SYN).payload(b"").build();
        let [(by, _)] = rig.at(now, Some((ETH0, &syn)))[..] else { panic!("one frame") };
        by
    };
    let ways: Vec<_> = (0..64).map(|port| at(port + 1, START)).collect();
    let first = ways.iter().position(|by| *by == ETH0).expect("a cookie");
    assert!(ways[..first].iter().all(|by| *by == ETH1) && ways[first..].iter().all(|by| *by == ETH0));
    // The half-open flows end in time.
    for _ in 0..8 {
        rig.at(Tick(START.0 + 20_000), None);
    }
    let syn = way.ask().tcp(999, 80, SYN).payload(b"").build();
    let sent = rig.at(Tick(START.0 + 20_000), Some((ETH0, &syn)));
    assert!(matches!(sent[..], [(ETH1, _)]), "it begins a flow");
}
