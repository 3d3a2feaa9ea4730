//! A client and a server talk through the proxy over a network that loses, repeats and reorders frames,
//! under virtual time: what each says arrives at the other, whatever options they have.

mod peer;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;

use super::testing::{chunk, place};
use super::*;
use crate::io::Frame;
use crate::types::Tick;
use peer::{Peer, Traits};

/// Small, fast and good enough for a network's whims (xorshift64*).
#[derive(Debug, Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }

    fn number(&mut self) -> u32 {
        // Half of them near the wrap.
        let number = u32::try_from(self.roll(1 << 31)).unwrap();
        if self.roll(2) == 0 { u32::MAX - number % 5000 } else { number << 1 }
    }
}

/// What the flow table knows of the connection: words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    None,
    Opening([u32; 5]),
    Open([u32; 3]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum To {
    Client,
    Server,
    /// The box, from the client.
    Inward,
    /// The box, from the server.
    Outward,
}

/// The box, as its integrator drives it, without NAT.
struct Proxy {
    v6: bool,
    secret: Secret,
    promise: Promise,
    flow: Flow,
    frame: Frame,
}

impl Proxy {
    fn new(v6: bool) -> Self {
        let frame = Frame::copied(chunk(), &[]);
        Self { v6, secret: Secret::random(), promise: Promise::default(), flow: Flow::None, frame }
    }

    fn on_client(&mut self, bytes: &[u8], now: Tick) -> Vec<(To, Vec<u8>)> {
        let at = place(self.v6, bytes, false);
        match self.flow {
            Flow::None if bytes[at.transport + 13] & 0x12 == 0x02 => {
                self.frame.fill(bytes);
                answer(&mut self.frame, &at, &self.secret, &self.promise.offer(self.v6), now).unwrap();
                vec![(To::Client, self.frame.bytes().to_vec())]
            }
            Flow::None => match open(bytes, &at, &self.secret, now) {
                Ok(opening) => {
                    self.flow = Flow::Opening(opening.to_words());
                    self.on_client(bytes, now)
                }
                Err(_) => Vec::new(),
            },
            Flow::Opening(words) => {
                let mut opening = Opening::from_words(words);
                let step = opening.on_client(bytes, &at, now);
                self.flow = Flow::Opening(opening.to_words());
                self.take(step, bytes)
            }
            Flow::Open(words) => {
                let mut bytes = bytes.to_vec();
                Translation::from_words(words).to_backend(&mut bytes[at.transport..]);
                vec![(To::Server, bytes)]
            }
        }
    }

    fn on_server(&mut self, bytes: &[u8], now: Tick) -> Vec<(To, Vec<u8>)> {
        let at = place(self.v6, bytes, true);
        match self.flow {
            Flow::None => Vec::new(),
            Flow::Opening(words) => {
                let mut opening = Opening::from_words(words);
                let step = opening.on_backend(bytes, &at, &self.promise, now);
                self.flow = Flow::Opening(opening.to_words());
                self.take(step, bytes)
            }
            Flow::Open(words) => {
                let mut bytes = bytes.to_vec();
                Translation::from_words(words).to_client(&mut bytes[at.transport..]);
                vec![(To::Client, bytes)]
            }
        }
    }

    fn on_timer(&mut self, now: Tick) -> Vec<(To, Vec<u8>)> {
        let Flow::Opening(words) = self.flow else { return Vec::new() };
        let mut opening = Opening::from_words(words);
        let Some(step) = opening.on_timer(now) else { return Vec::new() };
        self.flow = Flow::Opening(opening.to_words());
        self.take(step, &[0; 14])
    }

    fn take(&mut self, step: Step, link: &[u8]) -> Vec<(To, Vec<u8>)> {
        match step {
            Step::Drop(_) => Vec::new(),
            Step::ToBackend(segment) => vec![(To::Server, self.put(link, segment, false))],
            Step::Anew { reset, syn } => {
                let both = [Some(reset), syn].into_iter().flatten();
                both.map(|segment| (To::Server, self.put(link, segment, false))).collect()
            }
            Step::Open(opened) => {
                self.flow = Flow::Open(opened.translation.to_words());
                let acknowledgement = self.put(link, opened.acknowledgement, false);
                let update = self.put(link, opened.update, true);
                // Both go the way of all segments.
                [self.on_client(&acknowledgement, Tick(0)), self.on_server(&update, Tick(0))].concat()
            }
            Step::End { to_client, to_backend } => {
                self.flow = Flow::None;
                let client = to_client.map(|segment| (To::Client, self.put(link, segment, true)));
                let server = to_backend.map(|segment| (To::Server, self.put(link, segment, false)));
                client.into_iter().chain(server).collect()
            }
        }
    }

    fn put(&mut self, link: &[u8], segment: Segment, back: bool) -> Vec<u8> {
        self.frame.fill(link);
        let tuple = testing::tuple(self.v6);
        let tuple = if back { tuple.reversed() } else { tuple };
        segment.put(&mut self.frame, 14, &tuple).unwrap();
        self.frame.bytes().to_vec()
    }
}

/// How bad the network is, in per cent.
#[derive(Debug, Clone, Copy)]
struct Network {
    loss: u64,
    repeats: u64,
    delay: u64,
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Both have all of the other's stream.
    Whole,
    /// The client was told that there is no connection.
    Reset,
}

/// Frames under way: when they arrive, a number that keeps frames of one moment in order, and where to.
type Queue = BinaryHeap<Reverse<(u64, u64, To, Vec<u8>)>>;

/// Runs one connection; `start`: the box's clock.
fn connect(
    proxy: &mut Proxy,
    client: &mut Peer,
    server: &mut Peer,
    network: Network,
    dice: &mut Dice,
    start: u32,
) -> End {
    let mut queue = Queue::new();
    let mut count = 0_u64;
    let mut send = |queue: &mut Queue, dice: &mut Dice, now: u64, to: To, bytes: Vec<u8>| {
        let copies = if dice.roll(100) < network.repeats { 2 } else { 1 };
        for _ in 0..copies {
            if dice.roll(100) >= network.loss {
                count += 1;
                queue.push(Reverse((now + 1 + dice.roll(network.delay), count, to, bytes.clone())));
            }
        }
    };
    for now in 0..400_000_u64 {
        let tick = Tick(start.wrapping_add(u32::try_from(now).unwrap()));
        let mut out: Vec<(To, Vec<u8>)> = Vec::new();
        while queue.peek().is_some_and(|Reverse((time, ..))| *time <= now) {
            let Some(Reverse((_, _, to, bytes))) = queue.pop() else { break };
            match to {
                To::Client => out.extend(client.receive(&bytes, now).into_iter().map(|f| (To::Inward, f))),
                To::Server => out.extend(server.receive(&bytes, now).into_iter().map(|f| (To::Outward, f))),
                To::Inward => out.extend(proxy.on_client(&bytes, tick)),
                To::Outward => out.extend(proxy.on_server(&bytes, tick)),
            }
        }
        if now % 10 == 0 {
            out.extend(client.poll(now).into_iter().map(|f| (To::Inward, f)));
            out.extend(server.poll(now).into_iter().map(|f| (To::Outward, f)));
            out.extend(proxy.on_timer(tick));
        }
        for (to, bytes) in out {
            send(&mut queue, dice, now, to, bytes);
        }
        if client.is_reset() {
            return End::Reset;
        }
        if client.has_all_of(server) && server.has_all_of(client) {
            return End::Whole;
        }
    }
    panic!("nothing moves any more\n{proxy_flow:?}\n{client:?}\n{server:?}", proxy_flow = proxy.flow);
}

fn traits() -> impl Strategy<Value = Traits> {
    (
        prop_oneof![Just(1460_u16), Just(1400), 536..=1460_u16],
        proptest::option::weighted(0.8, 0..=14_u8),
        proptest::bool::weighted(0.8),
        proptest::bool::weighted(0.8),
        (2000..200_000_usize, 20..2000_usize, any::<bool>()),
    )
        .prop_map(|(mss, scale, sack, timestamps, (buffer, reads, probes_with_data))| {
            // Without a scale no window says more, and no unit is larger than the buffer.
            let scale = scale.map(|scale| scale.min(u8::try_from(buffer.ilog2() - 9).unwrap()));
            Traits { mss, scale, sack, timestamps, buffer, reads, probes_with_data }
        })
}

fn stream(dice: &mut Dice, length: usize) -> Vec<u8> {
    (0..length).map(|_| u8::try_from(dice.roll(256)).unwrap()).collect()
}

/// Connections, until one has stood: where the backend has no timestamps and the client was promised some, that
/// is the second one.
fn talk(v6: bool, client: Traits, server: Traits, network: Network, lengths: (usize, usize), seed: u64) {
    let mut dice = Dice(seed | 1);
    let mut proxy = Proxy::new(v6);
    let (there, back) = (stream(&mut dice, lengths.0), stream(&mut dice, lengths.1));
    let mut run = |proxy: &mut Proxy| {
        proxy.flow = Flow::None;
        let mut ends = [(client, &there, true), (server, &back, false)].map(|(traits, data, is_client)| {
            Peer::new(v6, is_client, traits, data.clone(), dice.number(), dice.number())
        });
        let start = dice.number();
        let [client, server] = &mut ends;
        connect(proxy, client, server, network, &mut dice, start)
    };
    let breaks = client.timestamps && !server.timestamps;
    if network.loss == 0 {
        assert_eq!(run(&mut proxy), if breaks { End::Reset } else { End::Whole });
        assert_eq!(run(&mut proxy), End::Whole);
    } else {
        // Three SYNs in a row may be lost, and the client told that there is nobody: it tries again.
        let tries = (0..20).take_while(|_| run(&mut proxy) == End::Reset).count();
        assert!(tries < 20, "no connection comes about");
    }
}

const QUIET: Network = Network { loss: 0, repeats: 0, delay: 1 };
const ORDINARY: Traits = Traits {
    mss: 1460,
    scale: Some(7),
    sack: true,
    timestamps: true,
    buffer: 65_535,
    reads: 5000,
    probes_with_data: false,
};

#[test]
fn streams_arrive_over_a_quiet_network() {
    for v6 in [false, true] {
        for length in [1, 1000, 100_000] {
            talk(v6, ORDINARY, ORDINARY, QUIET, (length, length), 7);
            let plain = Traits { scale: None, sack: false, timestamps: false, ..ORDINARY };
            for server in [plain, Traits { timestamps: true, ..plain }, Traits { scale: Some(2), ..ORDINARY }]
            {
                talk(v6, ORDINARY, server, QUIET, (length, 0), 8);
                talk(v6, plain, server, QUIET, (length, 10), 9);
            }
        }
    }
}

proptest! {
    #[test]
    fn streams_arrive_intact_over_any_network(
        v6: bool, client in traits(), server in traits(), loss in 0..25_u64, repeats in 0..20_u64, delay in 1..120_u64,
        lengths in (1..20_000_usize, 0..20_000_usize), seed: u64,
    ) {
        talk(v6, client, server, Network { loss, repeats, delay }, lengths, seed);
    }
}

#[test]
fn a_refused_client_is_told_even_if_the_backend_never_answers() {
    let mut dice = Dice(11);
    let mut proxy = Proxy::new(false);
    let mut client = Peer::new(false, true, ORDINARY, vec![1], 1, 2);
    let mut silent = Peer::new(false, false, ORDINARY, Vec::new(), 3, 4);
    silent.be_silent();
    assert_eq!(connect(&mut proxy, &mut client, &mut silent, QUIET, &mut dice, 5), End::Reset);
    assert_eq!(proxy.flow, Flow::None);
}
