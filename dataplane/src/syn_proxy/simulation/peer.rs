//! A model of a TCP host, as small as can be while it minds what the proxy translates: numbers, windows and
//! their scales, timestamps and selective acknowledgements. What it is told wrongly, it panics about.

use std::collections::BTreeMap;

use super::super::options::{self, OptionBytes, SynOptions, Timestamps, WindowScale};
use super::super::testing::{CLIENT_PORT, SERVICE_PORT, ends, place};
use crate::testing::frames::frame;
use crate::types::Mac;
use crate::wire::ipv4::Ipv4;
use crate::wire::tcp::{Flags, Tcp};
use crate::wire::tcp_options::{Mss, Walk, kind};

const SYN: u8 = Flags::SYN;
const ACK: u8 = Flags::ACK;
const FIN: u8 = Flags::FIN;

/// How long a segment is waited for before it is sent again.
const TIMEOUT: u64 = 300;

/// What a host has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traits {
    pub(super) mss: u16,
    pub(super) scale: Option<u8>,
    pub(super) sack: bool,
    pub(super) timestamps: bool,
    /// Room for what the program has not read yet.
    pub(super) buffer: usize,
    /// Bytes that the program reads in a step.
    pub(super) reads: usize,
    /// A closed window is probed with the next byte, not with an old number.
    pub(super) probes_with_data: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    SynSent,
    Listening,
    SynReceived,
    Established,
    Reset,
    Silent,
}

/// Places in streams count from their first bytes; the FIN is the one behind the last.
#[derive(Debug)]
pub(super) struct Peer {
    v6: bool,
    is_client: bool,
    traits: Traits,
    state: State,
    isn: u32,
    clock: u32,
    now: u64,
    data: Vec<u8>,
    acknowledged: usize,
    next: usize,
    furthest: usize,
    /// What the other has room for.
    edge: usize,
    updated_by: (usize, usize),
    deadline: u64,
    patience: u64,
    // Of the other.
    their_isn: u32,
    their_mss: u16,
    their_scale: u8,
    own_scale: u8,
    sack: bool,
    timestamps: bool,
    recent: u32,
    received: Vec<u8>,
    unread: usize,
    early: BTreeMap<usize, Vec<u8>>,
    fin_at: Option<usize>,
    has_fin: bool,
    promised: usize,
    last_window: usize,
}

impl Peer {
    pub(super) fn new(
        v6: bool,
        is_client: bool,
        traits: Traits,
        data: Vec<u8>,
        isn: u32,
        clock: u32,
    ) -> Self {
        let state = if is_client { State::Closed } else { State::Listening };
        Self {
            v6,
            is_client,
            traits,
            state,
            isn,
            clock,
            now: 0,
            data,
            acknowledged: 0,
            next: 0,
            furthest: 0,
            edge: 0,
            updated_by: (0, 0),
            deadline: 0,
            patience: 1000,
            their_isn: 0,
            their_mss: 0,
            their_scale: 0,
            own_scale: 0,
            sack: false,
            timestamps: false,
            recent: 0,
            received: Vec::new(),
            unread: 0,
            early: BTreeMap::new(),
            fin_at: None,
            has_fin: false,
            promised: 0,
            last_window: 0,
        }
    }

    pub(super) fn be_silent(&mut self) {
        self.state = State::Silent;
    }

    pub(super) fn is_reset(&self) -> bool {
        self.state == State::Reset
    }

    pub(super) fn has_all_of(&self, other: &Self) -> bool {
        if self.has_fin {
            assert_eq!(self.received, other.data, "the stream is another one");
        }
        self.has_fin
    }

    fn time(&self) -> u32 {
        self.clock.wrapping_add(u32::try_from(self.now).unwrap())
    }

    /// What has arrived in order, the FIN included.
    fn arrived(&self) -> usize {
        self.received.len() + usize::from(self.has_fin)
    }

    fn end(&self) -> usize {
        self.data.len() + 1
    }

    fn number(isn: u32, place: usize) -> u32 {
        isn.wrapping_add(1).wrapping_add(u32::try_from(place).unwrap())
    }

    /// A place in a stream; negative before its start.
    fn place(isn: u32, number: u32) -> i64 {
        i64::from(number.wrapping_sub(isn.wrapping_add(1)).cast_signed())
    }

    fn build(
        &self,
        flags: u8,
        sequence: u32,
        window: u16,
        options: &OptionBytes,
        extra: &[u8],
        data: &[u8],
    ) -> Vec<u8> {
        let ((client, service), mac) = (ends(self.v6), Mac::default());
        let acknowledgement = if flags & ACK == 0 { 0 } else { Self::number(self.their_isn, self.arrived()) };
        let (build, from, to) = if self.is_client {
            (frame((mac, client), (mac, service)), CLIENT_PORT, SERVICE_PORT)
        } else {
            (frame((mac, service), (mac, client)), SERVICE_PORT, CLIENT_PORT)
        };
        let build = build.tcp(from, to, flags).numbers(sequence, acknowledgement).window(window);
        build.tcp_options(&[options.bytes(), extra].concat()).payload(data).build()
    }

    fn stamps(&self) -> Option<Timestamps> {
        self.timestamps.then(|| Timestamps { value: self.time(), echo: self.recent })
    }

    fn room(&self) -> usize {
        self.traits.buffer - self.unread
    }

    fn syn(&mut self) -> Vec<u8> {
        let answers = !self.is_client;
        let window = u16::try_from(self.room()).unwrap_or(u16::MAX);
        let options = SynOptions {
            mss: Some(Mss(self.traits.mss)),
            window_scale: self
                .traits
                .scale
                .filter(|_| !answers || self.their_scale != NONE)
                .map(WindowScale::new),
            sack_permitted: if answers { self.sack } else { self.traits.sack },
            timestamps: if answers {
                self.stamps()
            } else {
                self.traits.timestamps.then(|| Timestamps { value: self.time(), echo: 0 })
            },
        };
        self.promised = self.promised.max(window.into());
        self.build(if answers { SYN | ACK } else { SYN }, self.isn, window, &options.write(), &[], &[])
    }

    /// Any segment of an established connection.
    fn segment(&mut self, flags: u8, sequence: u32, data: &[u8]) -> Vec<u8> {
        let window = u16::try_from(self.room() >> self.own_scale).unwrap_or(u16::MAX);
        self.last_window = usize::from(window) << self.own_scale;
        self.promised = self.promised.max(self.arrived() + self.last_window);
        let mut blocks = Vec::new();
        if self.sack && !self.early.is_empty() {
            let edges: Vec<_> =
                self.early.iter().take(2).flat_map(|(at, bytes)| [*at, at + bytes.len()]).collect();
            blocks.extend([1, 1, kind::SACK, u8::try_from(2 + 4 * edges.len()).unwrap()]);
            blocks.extend(edges.iter().flat_map(|edge| Self::number(self.their_isn, *edge).to_be_bytes()));
        }
        let options = OptionBytes::of(self.stamps());
        self.build(flags | ACK, sequence, window, &options, &blocks, data)
    }

    fn ack(&mut self) -> Vec<u8> {
        let sequence = Self::number(self.isn, self.next);
        self.segment(0, sequence, &[])
    }

    /// Time passes: the program reads, and what was lost is sent again.
    pub(super) fn poll(&mut self, now: u64) -> Vec<Vec<u8>> {
        self.now = now;
        let mut out = Vec::new();
        self.unread = self.unread.saturating_sub(self.traits.reads);
        match self.state {
            State::Closed => {
                self.state = State::SynSent;
                self.deadline = now + self.patience;
                out.push(self.syn());
            }
            State::SynSent | State::SynReceived if now >= self.deadline => {
                self.patience = (self.patience * 2).min(8000);
                self.deadline = now + self.patience;
                out.push(self.syn());
            }
            State::Established => {
                let least = usize::from(self.traits.mss).min(self.traits.buffer / 2);
                if self.last_window < least && self.room() >= least {
                    out.push(self.ack());
                }
                if now >= self.deadline && self.acknowledged < self.end() {
                    self.deadline = now + TIMEOUT;
                    if self.acknowledged >= self.edge {
                        out.push(self.probe());
                    } else {
                        self.next = self.acknowledged;
                        out.extend(self.send_next());
                    }
                }
                out.extend(self.send());
            }
            _ => {}
        }
        out
    }

    fn probe(&mut self) -> Vec<u8> {
        let at = Self::number(self.isn, self.acknowledged);
        if !self.traits.probes_with_data || self.acknowledged >= self.data.len() {
            return self.segment(0, at.wrapping_sub(1), &[]);
        }
        let byte = [self.data[self.acknowledged]];
        self.furthest = self.furthest.max(self.acknowledged + 1);
        self.segment(0, at, &byte)
    }

    fn send(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.send_next()).collect()
    }

    fn send_next(&mut self) -> Option<Vec<u8>> {
        let limit = self.edge.min(self.end());
        if self.next >= limit {
            return None;
        }
        if self.next == self.acknowledged {
            self.deadline = self.now + TIMEOUT;
        }
        let longest = usize::from(self.their_mss.min(1460)) - if self.timestamps { 12 } else { 0 };
        let until = limit.min(self.next + longest).min(self.data.len());
        let data = self.data[self.next.min(self.data.len())..until].to_vec();
        let sequence = Self::number(self.isn, self.next);
        self.next += data.len();
        let mut flags = 0;
        if self.next == self.data.len() && self.next < limit {
            flags |= FIN;
            self.next += 1;
        }
        self.furthest = self.furthest.max(self.next);
        Some(self.segment(flags, sequence, &data))
    }

    /// A frame arrives.
    pub(super) fn receive(&mut self, bytes: &[u8], now: u64) -> Vec<Vec<u8>> {
        self.now = now;
        let at = place(self.v6, bytes, self.is_client);
        assert!(self.v6 || Ipv4::new_checked(&bytes[14..]).unwrap().0.checksum_is_right());
        let segment = at.segment(bytes).expect("the checksum is right");
        let tcp = Tcp::new_checked(segment).unwrap();
        let data = &segment[tcp.header_length()..];
        match self.state {
            State::SynSent => self.in_syn_sent(&tcp, segment),
            State::Listening => self.in_listening(&tcp, segment),
            State::SynReceived | State::Established => self.in_established(&tcp, segment, data),
            State::Closed | State::Reset | State::Silent => Vec::new(),
        }
    }

    fn agree(&mut self, tcp: &Tcp<'_>, options: &SynOptions) {
        self.their_isn = tcp.sequence().0;
        self.their_mss = options.mss.expect("a segment size").0;
        let scales = self.traits.scale.zip(options.window_scale);
        (self.own_scale, self.their_scale) = scales.map_or((0, NONE), |(own, their)| (own, their.shift()));
        self.sack = self.traits.sack && options.sack_permitted;
        self.timestamps = self.traits.timestamps && options.timestamps.is_some();
        self.recent = options.timestamps.map_or(0, |stamps| stamps.value);
        self.edge = tcp.window().into();
    }

    fn in_syn_sent(&mut self, tcp: &Tcp<'_>, segment: &[u8]) -> Vec<Vec<u8>> {
        let flags = tcp.flags();
        if !flags.has(ACK) || tcp.acknowledgement().0 != Self::number(self.isn, 0) {
            return Vec::new();
        }
        if flags.has(Flags::RST) {
            self.state = State::Reset;
            return Vec::new();
        }
        if !flags.has(SYN) {
            return Vec::new();
        }
        assert_eq!(tcp.window(), 0, "nobody is there yet");
        let options = SynOptions::read(segment);
        let stamp = options.timestamps;
        assert!(self.traits.timestamps || stamp.is_none(), "they were not asked for");
        assert!(self.traits.scale.is_some() || options.window_scale.is_none(), "it was not asked for");
        assert!(self.traits.sack || !options.sack_permitted, "it was not asked for");
        self.agree(tcp, &options);
        self.state = State::Established;
        self.deadline = self.now + TIMEOUT;
        vec![self.ack()]
    }

    fn in_listening(&mut self, tcp: &Tcp<'_>, segment: &[u8]) -> Vec<Vec<u8>> {
        assert!(!tcp.flags().has(ACK), "a segment before the SYN");
        if !tcp.flags().opens() {
            return Vec::new();
        }
        self.agree(tcp, &SynOptions::read(segment));
        self.state = State::SynReceived;
        self.deadline = self.now + self.patience;
        vec![self.syn()]
    }

    fn in_established(&mut self, tcp: &Tcp<'_>, segment: &[u8], data: &[u8]) -> Vec<Vec<u8>> {
        let flags = tcp.flags();
        let at = Self::place(self.their_isn, tcp.sequence().0);
        if flags.has(Flags::RST) {
            // RFC 5961 section 3.2.
            if at == i64::try_from(self.arrived()).unwrap() {
                self.state = if self.is_client { State::Reset } else { State::Listening };
            }
            return Vec::new();
        }
        if flags.has(SYN) {
            let again = self.state == State::SynReceived;
            return vec![if again { self.syn() } else { self.ack() }];
        }
        if self.is_old(segment, at) {
            return vec![self.ack()];
        }
        self.check_blocks(segment);
        let acknowledged = Self::place(self.isn, tcp.acknowledgement().0);
        assert!(acknowledged <= i64::try_from(self.furthest).unwrap(), "more than was sent");
        let Ok(acknowledged) = usize::try_from(acknowledged) else { return Vec::new() };
        if self.state == State::SynReceived {
            self.state = State::Established;
            self.last_window = self.promised;
        }
        if acknowledged > self.acknowledged {
            self.acknowledged = acknowledged;
            self.next = self.next.max(acknowledged);
            self.deadline = self.now + TIMEOUT;
        }
        let place = (usize::try_from(at.max(0)).unwrap(), acknowledged);
        if acknowledged >= self.acknowledged && place >= self.updated_by {
            self.updated_by = place;
            let scale = if self.their_scale == NONE { 0 } else { self.their_scale };
            self.edge = acknowledged + (usize::from(tcp.window()) << scale);
        }
        let must_answer = self.take(at, data, flags.has(FIN));
        let mut out = self.send();
        if must_answer && out.is_empty() {
            out.push(self.ack());
        }
        out
    }

    /// Checks the timestamps; whether they are those of an old duplicate (RFC 7323 section 5.3).
    fn is_old(&mut self, segment: &[u8], at: i64) -> bool {
        let stamps = options::timestamps(segment);
        assert_eq!(stamps.is_some(), self.timestamps, "as it was agreed");
        let Some(stamps) = stamps else { return false };
        let age = self.time().wrapping_sub(stamps.echo);
        assert!(u64::from(age) <= self.now, "it echoes a time that never was: {age} ms ago");
        if stamps.value.wrapping_sub(self.recent).cast_signed() < 0 {
            return true;
        }
        if at <= i64::try_from(self.arrived()).unwrap() {
            self.recent = stamps.value;
        }
        false
    }

    fn check_blocks(&self, segment: &[u8]) {
        let mut walk = Walk::new(segment).unwrap();
        while let Some(option) = walk.next(segment) {
            if option.kind == kind::SACK {
                assert!(self.sack, "blocks that were not permitted");
                for edge in segment[option.value..][..option.length].as_chunks::<4>().0 {
                    let place = Self::place(self.isn, u32::from_be_bytes(*edge));
                    assert!(
                        (0..=i64::try_from(self.furthest).unwrap()).contains(&place),
                        "a block of nothing"
                    );
                }
            }
        }
    }

    /// Takes data; whether it must be answered.
    fn take(&mut self, at: i64, data: &[u8], fin: bool) -> bool {
        let arrived = i64::try_from(self.arrived()).unwrap();
        if data.is_empty() && !fin {
            return at != arrived && at < arrived;
        }
        let Ok(at) = usize::try_from(at) else { return true };
        let end = at + data.len();
        assert!(end <= self.promised + 1, "{end} is beyond the window that ends at {}", self.promised);
        if self.is_client {
            let longest = usize::from(self.traits.mss) - if self.timestamps { 12 } else { 0 };
            assert!(data.len() <= longest, "{} is longer than what was asked for", data.len());
        }
        if end > self.promised {
            // A probe of a closed window.
            return true;
        }
        if fin {
            self.fin_at = Some(end);
        }
        if !data.is_empty() && end > self.received.len() && !self.has_fin {
            let longer = self.early.get(&at).is_none_or(|known| known.len() < data.len());
            if longer {
                self.early.insert(at, data.to_vec());
            }
        }
        while let Some((at, bytes)) = self.early.pop_first() {
            if at > self.received.len() {
                self.early.insert(at, bytes);
                break;
            }
            let new = bytes.get(self.received.len() - at..).unwrap_or_default();
            self.unread = (self.unread + new.len()).min(self.traits.buffer);
            self.received.extend(new);
        }
        self.has_fin |= self.fin_at == Some(self.received.len());
        true
    }
}

/// Neither side scales.
const NONE: u8 = u8::MAX;
