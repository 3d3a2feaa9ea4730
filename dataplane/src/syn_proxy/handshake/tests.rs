//! One connection's opening, segment by segment.

use proptest::prelude::*;

use super::super::options::{OptionBytes, Scales};
use super::super::promise::Offer;
use super::super::testing::{CLIENT_PORT, SERVICE_PORT, ends, place, tuple};
use super::*;
use crate::testing::frames::{Build, frame};
use crate::types::Mac;
use crate::wire::tcp_options::Mss;

const ACK: u8 = Flags::ACK;
const SYN: u8 = Flags::SYN;
const RST: u8 = Flags::RST;
const FIN: u8 = Flags::FIN;

const START: Tick = Tick(u32::MAX - 500);
const ISN: u32 = u32::MAX - 1;
const BACKEND_ISN: u32 = 0x1000;
const CLIENT_CLOCK: u32 = 500;
const BACKEND_CLOCK: u32 = 0xffff_ff00;

fn later(millis: u32) -> Tick {
    Tick(START.0.wrapping_add(millis))
}

/// A client with its cookie.
#[derive(Debug, Clone, Copy)]
struct Client {
    v6: bool,
    agreed: Option<Agreed>,
    cookie: u32,
    timestamp: u32,
}

fn secret() -> Secret {
    Secret::new(5, 6)
}

impl Client {
    fn new(v6: bool, agreed: Option<Agreed>) -> Self {
        let tuple = tuple(v6);
        let claim = Claim { tuple: &tuple, isn: Sequence(ISN), agreed };
        let issued = secret().issue(&claim, Some(Mss(1440)), START);
        let timestamp = issued.timestamp | agreed.map_or(0, Agreed::encode);
        Self { v6, agreed, cookie: issued.cookie.0, timestamp }
    }

    fn timestamps(&self) -> Option<Timestamps> {
        self.agreed.map(|_| Timestamps { value: CLIENT_CLOCK, echo: self.timestamp })
    }

    fn says(&self, flags: u8, sequence: u32, acknowledgement: u32) -> Build {
        let (client, service) = ends(self.v6);
        let build = frame((Mac::default(), client), (Mac::default(), service));
        let build = build.tcp(CLIENT_PORT, SERVICE_PORT, flags).numbers(sequence, acknowledgement);
        build.window(1000).tcp_options(OptionBytes::of(self.timestamps()).bytes()).payload(&[])
    }

    /// The last segment of the handshake.
    fn ack(&self) -> Build {
        self.says(ACK, ISN.wrapping_add(1), self.cookie.wrapping_add(1))
    }

    fn open(&self, build: &Build, now: Tick) -> Result<Opening, Reason> {
        let bytes = build.build();
        open(&bytes, &place(self.v6, &bytes, false), &secret(), now)
    }

    fn opening(&self) -> Opening {
        self.open(&self.ack(), START).unwrap()
    }

    fn to(&self, opening: &mut Opening, build: &Build, now: Tick) -> Step {
        let bytes = build.build();
        opening.on_client(&bytes, &place(self.v6, &bytes, false), now)
    }

    fn backend(&self, flags: u8, sequence: u32, acknowledgement: u32) -> Build {
        let (client, service) = ends(self.v6);
        let build = frame((Mac::default(), service), (Mac::default(), client));
        let build = build.tcp(SERVICE_PORT, CLIENT_PORT, flags).numbers(sequence, acknowledgement);
        build.window(64_000).payload(&[])
    }

    fn syn_ack(&self, options: SynOptions) -> Build {
        self.backend(SYN | ACK, BACKEND_ISN, ISN.wrapping_add(1)).tcp_options(options.write().bytes())
    }

    fn from(&self, build: &Build, promise: &Promise) -> Step {
        let bytes = build.build();
        self.opening().on_backend(&bytes, &place(self.v6, &bytes, true), promise, START)
    }

    fn opened(&self, options: SynOptions) -> Opened {
        match self.from(&self.syn_ack(options), &Promise::default()) {
            Step::Open(opened) => opened,
            step => panic!("{step:?}"),
        }
    }

    fn reset(&self) -> Segment {
        Segment::reset(Sequence(self.cookie.wrapping_add(1)), Some(Sequence(ISN.wrapping_add(1))))
    }
}

fn all() -> Agreed {
    let scales = Scales { client: WindowScale::new(3), promised: WindowScale::new(7) };
    Agreed { scales: Some(scales), sack: true }
}

/// A server's answer to a SYN with everything.
fn answer(scale: u8) -> SynOptions {
    SynOptions {
        mss: Some(Mss(1460)),
        window_scale: Some(WindowScale::new(scale)),
        sack_permitted: true,
        timestamps: Some(Timestamps { value: BACKEND_CLOCK, echo: CLIENT_CLOCK }),
    }
}

const RESET_BACKEND: fn() -> Segment = || Segment::reset(Sequence(ISN.wrapping_add(1)), None);

#[test]
fn the_backend_gets_the_clients_syn() {
    for v6 in [false, true] {
        let with_all = SynOptions {
            mss: Some(Mss(1440)),
            window_scale: Some(WindowScale::new(3)),
            sack_permitted: true,
            timestamps: Some(Timestamps { value: CLIENT_CLOCK, echo: 0 }),
        };
        let bare = SynOptions { mss: Some(Mss(1440)), ..SynOptions::default() };
        let none = SynOptions { timestamps: with_all.timestamps, ..bare };
        for (agreed, options, window) in [
            (Some(all()), with_all, 8000),
            (Some(Agreed { scales: None, sack: false }), none, 1000),
            (None, bare, 1000),
        ] {
            let syn = Segment {
                sequence: Sequence(ISN),
                acknowledgement: Sequence(0),
                flags: Flags(SYN),
                window,
                options: options.write(),
            };
            assert_eq!(Client::new(v6, agreed).opening().syn(), syn);
        }
    }
}

#[test]
fn whatever_the_client_sends_first_opens_the_connection() {
    for agreed in [None, Some(all())] {
        let client = Client::new(false, agreed);
        let (next, acknowledged) = (ISN.wrapping_add(1), client.cookie.wrapping_add(1));
        for first in [
            client.ack(),
            client.ack().payload(b"GET"),
            client.says(ACK | FIN, next, acknowledged),
            client.says(ACK, ISN, acknowledged),
        ] {
            assert_eq!(client.open(&first, later(60_000)).map(|opening| opening.isn), Ok(Sequence(ISN)));
        }
    }
}

#[test]
fn what_has_no_valid_cookie_opens_nothing() {
    let client = Client::new(false, Some(all()));
    let (next, acknowledged) = (ISN.wrapping_add(1), client.cookie.wrapping_add(1));
    let other = Client { timestamp: client.timestamp ^ 1, ..client };
    let nonsense = Client { timestamp: client.timestamp | 15 << 5, ..client };
    for (first, reason) in [
        (client.says(ACK, next, acknowledged ^ 16), Reason::BadCookie),
        (client.says(ACK, next.wrapping_add(1), acknowledged), Reason::BadCookie),
        (client.says(ACK, ISN, acknowledged).payload(b"1"), Reason::BadCookie),
        (client.ack().tcp_options(&[]), Reason::BadCookie),
        (other.ack(), Reason::BadCookie),
        (nonsense.ack(), Reason::BadCookie),
        (client.says(RST | ACK, next, acknowledged), Reason::OutOfPlace),
        (client.says(SYN | ACK, next, acknowledged), Reason::OutOfPlace),
        (client.says(SYN, next, acknowledged), Reason::OutOfPlace),
    ] {
        assert_eq!(client.open(&first, START).unwrap_err(), reason);
    }
    assert_eq!(client.open(&client.ack(), later(200_000)).unwrap_err(), Reason::BadCookie, "an old one");
    let mut bytes = client.ack().build();
    let at = place(false, &bytes, false);
    // The window is no part of the cookie.
    bytes[48] ^= 1;
    assert_eq!(open(&bytes, &at, &secret(), START).unwrap_err(), Reason::BadChecksum);
    let mut from_elsewhere = at;
    from_elsewhere.tuple.source_port.0 += 1;
    let bytes = client.ack().build();
    assert_eq!(open(&bytes, &from_elsewhere, &secret(), START).unwrap_err(), Reason::BadCookie, "a replay");
}

#[test]
fn a_silent_backend_is_asked_three_times_and_then_both_sides_are_told() {
    let client = Client::new(false, Some(all()));
    let mut opening = client.opening();
    let mut sent = Vec::new();
    let mut end = None;
    for millis in 0..20_000 {
        match opening.on_timer(later(millis)) {
            Some(Step::ToBackend(segment)) => {
                assert_eq!(segment, opening.syn());
                sent.push(millis);
            }
            Some(step) => {
                end = Some((millis, step));
                break;
            }
            None => {
                let deadline = opening.next_deadline(later(millis));
                let left = deadline.millis_since(later(millis));
                assert!((1..=4000).contains(&left), "{left}");
            }
        }
    }
    // Steps of 16 ms.
    let near = |millis: u32, expected: u32| millis.abs_diff(expected) <= 32;
    assert!(matches!(sent[..], [0, second, third] if near(second, 1000) && near(third, 3000)), "{sent:?}");
    let (millis, step) = end.unwrap();
    assert!(near(millis, 7000), "{millis}");
    let both = Step::End { to_client: Some(client.reset()), to_backend: Some(RESET_BACKEND()) };
    assert_eq!(step, both);
}

#[test]
fn the_clients_segments_are_kept_out_and_serve_as_a_timer() {
    let client = Client::new(true, Some(all()));
    let (next, acknowledged) = (ISN.wrapping_add(1), client.cookie.wrapping_add(1));
    for segment in [
        client.ack(),
        client.ack().payload(b"GET"),
        client.says(ACK | FIN, next, acknowledged),
        client.says(ACK, ISN, acknowledged),
    ] {
        let mut opening = client.opening();
        let syn = opening.syn();
        assert_eq!(client.to(&mut opening, &segment, START), Step::ToBackend(syn));
        assert_eq!(client.to(&mut opening, &segment, later(900)), Step::Drop(Reason::Waiting));
        assert_eq!(client.to(&mut opening, &segment, later(1100)), Step::ToBackend(syn));
        assert_eq!(client.to(&mut opening, &segment, later(1110)), Step::Drop(Reason::Waiting));
        assert_eq!(client.to(&mut opening, &segment, later(3200)), Step::ToBackend(syn));
        assert!(matches!(client.to(&mut opening, &segment, later(7300)), Step::End { .. }));
    }
    let mut opening = client.opening();
    for other in [
        client.says(SYN, ISN, 0),
        client.says(ACK, next, acknowledged.wrapping_add(1)),
        client.says(RST, next.wrapping_add(1), 0),
        client.says(RST, ISN, 0),
        client.says(0, next, acknowledged),
    ] {
        assert_eq!(client.to(&mut opening, &other, later(1100)), Step::Drop(Reason::OutOfPlace));
    }
    let mut bytes = client.ack().build();
    bytes[70] ^= 1;
    let step = opening.on_client(&bytes, &place(true, &bytes, false), later(1100));
    assert_eq!(step, Step::Drop(Reason::BadChecksum));
}

#[test]
fn a_client_that_gives_up_ends_it_on_both_sides() {
    let client = Client::new(false, None);
    let next = ISN.wrapping_add(1);
    for reset in [client.says(RST, next, 0), client.says(RST | ACK, next, client.cookie.wrapping_add(1))] {
        let step = client.to(&mut client.opening(), &reset, START);
        assert_eq!(step, Step::End { to_client: None, to_backend: Some(RESET_BACKEND()) });
    }
}

#[test]
fn a_backend_that_refuses_is_heard_only_about_this_connection() {
    let client = Client::new(false, None);
    let promise = Promise::default();
    let refusal = client.backend(RST | ACK, 0, ISN.wrapping_add(1));
    let end = Step::End { to_client: Some(client.reset()), to_backend: None };
    assert_eq!(client.from(&refusal, &promise), end);
    for other in [
        client.backend(RST | ACK, 0, ISN),
        client.backend(RST, 0, ISN.wrapping_add(1)),
        client.backend(SYN, BACKEND_ISN, 0),
        client.backend(ACK, BACKEND_ISN, ISN.wrapping_add(1)),
    ] {
        assert_eq!(client.from(&other, &promise), Step::Drop(Reason::OutOfPlace));
    }
    // RFC 9293 section 3.10.7.3: what it acknowledges instead is where its older connection is.
    for older in [client.backend(ACK, 7, 0x7777), client.backend(SYN | ACK, 7, 0x7777)] {
        let reset = Segment::reset(Sequence(0x7777), None);
        let mut opening = client.opening();
        let bytes = older.build();
        let mut answers = || opening.on_backend(&bytes, &place(false, &bytes, true), &promise, START);
        // The SYNs are counted: two that do not understand each other do not go on for ever.
        let syn = Some(client.opening().syn());
        assert_eq!([(); 3].map(|()| answers()), [Step::Anew { reset, syn }; 3]);
        assert_eq!(answers(), Step::Anew { reset, syn: None });
    }
}

#[test]
fn the_backends_answer_opens_the_connection() {
    for v6 in [false, true] {
        let client = Client::new(v6, Some(all()));
        let opened = client.opened(answer(7));
        let translation = Translation {
            delta: client.cookie.wrapping_sub(BACKEND_ISN),
            ts_delta: client.timestamp.wrapping_sub(BACKEND_CLOCK),
            ..Translation::default()
        };
        assert_eq!(opened.translation, translation);
        let plain = Segment {
            sequence: Sequence(ISN.wrapping_add(1)),
            acknowledgement: Sequence(client.cookie.wrapping_add(1)),
            flags: Flags(ACK),
            window: 1000,
            options: OptionBytes::of(client.timestamps()),
        };
        assert_eq!(opened.acknowledgement, plain);
        let update = Segment {
            sequence: Sequence(BACKEND_ISN + 1),
            acknowledgement: Sequence(ISN.wrapping_add(1)),
            flags: Flags(ACK),
            window: 64_000 >> 7,
            options: OptionBytes::of(answer(7).timestamps),
        };
        assert_eq!(opened.update, update);
    }
}

#[test]
fn a_backend_with_another_window_scale_is_translated() {
    let client = Client::new(false, Some(all()));
    for (scale, shift) in [(0, -7), (5, -2), (9, 2), (14, 7)] {
        let Opened { translation, update, .. } = client.opened(answer(scale));
        assert_eq!((translation.window_to_client, translation.window_to_backend), (shift, 0));
        assert_eq!(update.window, 64_000 >> scale);
    }
    let Opened { translation, update, .. } = client.opened(SynOptions { window_scale: None, ..answer(0) });
    assert_eq!((translation.window_to_client, translation.window_to_backend), (-7, 3), "neither side scales");
    assert_eq!(update.window, 64_000);
    let unscaled = Client::new(false, Some(Agreed { scales: None, sack: true }));
    let Opened { translation, .. } = unscaled.opened(answer(9));
    assert_eq!((translation.window_to_client, translation.window_to_backend), (0, 0), "it was not asked");
}

#[test]
fn a_backend_without_selective_acknowledgements_gets_none() {
    let without = SynOptions { sack_permitted: false, ..answer(7) };
    assert!(Client::new(false, Some(all())).opened(without).translation.strips_sack);
    let unasked = Client::new(false, Some(Agreed { sack: false, ..all() }));
    assert!(!unasked.opened(without).translation.strips_sack);
}

#[test]
fn a_backend_without_timestamps_ends_the_connection_and_the_next_client_is_promised_none() {
    let client = Client::new(false, Some(all()));
    let promise = Promise::default();
    let without = SynOptions { timestamps: None, ..answer(7) };
    let step = client.from(&client.syn_ack(without), &promise);
    assert_eq!(step, Step::End { to_client: Some(client.reset()), to_backend: Some(RESET_BACKEND()) });
    assert_eq!(promise.offer(true), Offer { timestamps: false, ..Promise::default().offer(true) });
    let next = Client::new(false, None);
    let opened = next.opened(SynOptions { mss: Some(Mss(1460)), ..SynOptions::default() });
    assert_eq!((opened.translation.ts_delta, opened.update.options.bytes()), (0, &[][..]));
}

proptest! {
    #[test]
    fn five_words_have_all_of_it(window: u16, tries in 0..4_u8, tick: u32, isn: u32, cookie: u32, stamps: Option<(u32, u32)>) {
        let timestamps = stamps.map(|(value, echo)| Timestamps { value, echo });
        let opening = Opening { isn: Sequence(isn), cookie: Sequence(cookie), timestamps, window, tries, sent: Moment::of(Tick(tick)) };
        prop_assert_eq!(Opening::from_words(opening.to_words()), opening);
    }

    #[test]
    fn arbitrary_frames_and_words_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120), words: [u32; 5], transport in 0..100_usize, end in 0..130_usize, now: u32, v6: bool) {
        let place = Place { tuple: tuple(v6), network: 14, transport, end };
        let mut opening = Opening::from_words(words);
        let _ = open(&bytes, &place, &secret(), Tick(now));
        let _ = opening.on_backend(&bytes, &place, &Promise::default(), Tick(now));
        let _ = opening.on_client(&bytes, &place, Tick(now));
        let _ = opening.on_timer(Tick(now.wrapping_add(9000)));
        let _ = opening.next_deadline(Tick(now));
        let _ = opening.syn();
    }

    /// With right checksums, so that headers and options are read.
    #[test]
    fn arbitrary_segments_never_panic(
        words: [u32; 5], options in proptest::collection::vec(any::<[u8; 4]>(), 0..=10), flags in 0..64_u8, near: bool, numbers: (u32, u32), v6: bool,
    ) {
        let mut opening = Opening::from_words(words);
        let numbers = if near { (words[0].wrapping_add(1), words[1].wrapping_add(1)) } else { numbers };
        let client = Client { v6, agreed: None, cookie: 0, timestamp: 0 };
        for (build, back) in [(client.says(flags, numbers.0, numbers.1), false), (client.backend(flags, numbers.1, numbers.0), true)] {
            let bytes = build.tcp_options(&options.concat()).build();
            let place = place(v6, &bytes, back);
            if back { let _ = opening.on_backend(&bytes, &place, &Promise::default(), START); }
            else { let _ = opening.on_client(&bytes, &place, START); let _ = open(&bytes, &place, &secret(), START); }
        }
    }
}
