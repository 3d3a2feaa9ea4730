//! What a flow remembers.
//!
//! Words of 32 bits, all atomic. The identity is written before the entry's number gets into the
//! index and does not change until the entry is reused; the rest is written by packets.
//!
//! | word | IPv4 | IPv6 | |
//! | --- | --- | --- | --- |
//! | 0 | kind 8, free 2, [`Proofs`] 4, backend 18 | the same | identity, but for the proofs |
//! | 1 | client port 16, VIP port 16 | the same | identity |
//! | 2 | tick of the last packet | the same | |
//! | 3 | tick of the first packet / 256: 24, seen: 8 | the same | |
//! | 4, 5 | packets towards the backend, and back | the same | |
//! | 6 .. | client, VIP | client (4 words), VIP (4) | identity |
//! | 8, or 14 | with full NAT only: pool address 16, port 16 | the same | identity |
//! | the next two | where the backend is told of the client: the rest of [`Nat`](super::Nat) | the same | identity |
//! | the next seven | where the box makes the handshake: [`handshake`](super::handshake) | the same | |

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::insert::NewFlow;
use super::key::{Addresses, Tuple};
use super::kind::Kind;
use super::proofs::Proofs;
use super::table::Endpoints;
use super::tcp_state::Seen;
use crate::flow::FlowInfo;
use crate::limits::MAX_BACKENDS;
use crate::sync::AtomicU32;
use crate::sync::Ordering::Relaxed;
use crate::types::Tick;
use crate::types::{BackendId, Port, Protocol};

/// Words of an IPv4 entry: half a cache line.
pub(super) const NARROW: usize = 8;
/// Words of IPv4 with full NAT or with a handshake that the box makes, and of IPv6: one line.
pub(super) const WIDE: usize = 16;
/// Words of the largest entry, which has more of these at once: two lines.
pub(super) const EXTENDED: usize = 32;

/// The bits of word 0 that are the backend's.
const BACKEND: u32 = (1 << 18) - 1;
const _: () = assert!(MAX_BACKENDS <= BACKEND as usize + 1, "a flow entry keeps a backend in 18 bits");
const _: () = assert!(Proofs::ALL.0 & (BACKEND | 0xff << 24) == 0, "between the backend and the kind");

/// Which way a packet of a flow goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Client to backend.
    Forward,
    /// Backend to client, through the box.
    Return,
}

impl Direction {
    /// The other one.
    #[inline(always)]
    pub(crate) fn reversed(self) -> Self {
        match self {
            Self::Forward => Self::Return,
            Self::Return => Self::Forward,
        }
    }
}

/// A view of an entry in the slab. Smaller entries use the first words alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'t>(pub(super) &'t [AtomicU32; EXTENDED]);

impl Entry<'_> {
    #[inline(always)]
    pub(super) fn word(&self, at: usize) -> u32 {
        self.0[at].load(Relaxed)
    }

    #[inline(always)]
    pub(super) fn set(&self, at: usize, value: u32) {
        self.0[at].store(value, Relaxed);
    }

    /// Fills an entry that nobody can see yet. Apart, since it leaves `insert` its registers.
    #[inline(never)]
    pub(super) fn create(&self, kind: Kind, flow: &NewFlow<'_>, now: Tick) {
        let tuple = flow.tuple;
        let seen = Seen::at_birth(tuple.protocol, flow.flags);
        self.set(1, ports(tuple));
        self.set(2, now.0);
        self.set(3, now.0 & !0xff | u32::from(seen.0));
        self.set(4, 0);
        self.set(5, 0);
        match tuple.addresses {
            Addresses::V4 { source, destination } => {
                self.set(6, source.to_bits());
                self.set(7, destination.to_bits());
            }
            Addresses::V6 { source, destination } => {
                self.set_address6(6, source);
                self.set_address6(10, destination);
            }
        }
        if let Some(nat) = flow.nat {
            self.create_nat(kind, nat);
        }
        if let Some(words) = flow.handshake {
            self.create_handshake(kind, words);
        }
        let proofs = Proofs::at_birth(flow.flags);
        self.set(0, u32::from(kind.0) << 24 | proofs.0 | flow.backend.0 & BACKEND);
    }

    /// Ends it as a flow. What it says of itself stays, for whoever has found it in this batch.
    pub(super) fn end(&self) {
        self.0[0].fetch_and(!(u32::from(Kind::LIVE) << 24), Relaxed);
    }

    #[inline(always)]
    pub(super) fn kind(&self) -> Kind {
        Kind((self.word(0) >> 24) as u8)
    }

    pub(super) fn is_live(&self) -> bool {
        self.kind().is_live()
    }

    /// Whether it has a word in the index for its return tuple.
    pub(crate) fn is_two_way(&self) -> bool {
        self.kind().is_two_way()
    }

    #[inline(always)]
    pub(crate) fn backend(&self) -> BackendId {
        BackendId(self.word(0) & BACKEND)
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.kind().protocol()
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the word")]
    fn ports(&self) -> (Port, Port) {
        let word = self.word(1);
        (Port((word >> 16) as u16), Port(word as u16))
    }

    #[inline(always)]
    fn address6(&self, at: usize) -> Ipv6Addr {
        let word = |i: usize| u128::from(self.word(at + i));
        Ipv6Addr::from_bits(word(0) << 96 | word(1) << 64 | word(2) << 32 | word(3))
    }

    #[expect(clippy::cast_possible_truncation, reason = "a quarter of the address")]
    fn set_address6(&self, at: usize, address: Ipv6Addr) {
        for i in 0..4 {
            self.set(at + i, (address.to_bits() >> (96 - 32 * i)) as u32);
        }
    }

    /// The tuple of the client's packets.
    #[inline(always)]
    pub(crate) fn forward_tuple(&self) -> Tuple {
        let (source_port, destination_port) = self.ports();
        let addresses = if self.kind().is_v6() {
            Addresses::V6 { source: self.address6(6), destination: self.address6(10) }
        } else {
            Addresses::V4 { source: self.word(6).into(), destination: self.word(7).into() }
        };
        Tuple { addresses, source_port, destination_port, protocol: self.protocol() }
    }

    /// The tuple of the backend's replies.
    pub(crate) fn return_tuple(&self, endpoints: &impl Endpoints) -> Option<Tuple> {
        let forward = self.forward_tuple();
        let (address, port) = endpoints.endpoint(self.backend())?;
        let (destination, destination_port) = match self.snat() {
            Some((address, port)) => (endpoints.snat(address)?, port),
            None => (forward.addresses.source(), forward.source_port),
        };
        Some(Tuple {
            addresses: Addresses::new(address, destination)?,
            source_port: port.unwrap_or(forward.destination_port),
            destination_port,
            protocol: forward.protocol,
        })
    }

    /// Whether a packet of `tuple` belongs to this flow, in the client's direction. All is compared at once:
    /// whether the first words differ is as good as random where a tag has misled.
    #[inline(always)]
    pub(super) fn is_forward(&self, tuple: &Tuple) -> bool {
        let kind = self.kind().identity() ^ Kind::of(tuple).identity();
        let ports = self.word(1) ^ ports(tuple);
        match tuple.addresses {
            Addresses::V4 { source, destination } => {
                let addresses = self.word(6) ^ source.to_bits() | self.word(7) ^ destination.to_bits();
                u32::from(kind) | ports | addresses == 0
            }
            Addresses::V6 { source, destination } => {
                let client = self.address6(6).to_bits() ^ source.to_bits();
                let vip = self.address6(10).to_bits() ^ destination.to_bits();
                u32::from(kind) | ports == 0 && client | vip == 0
            }
        }
    }

    /// Whether a packet of `tuple` belongs to this flow, in the backend's direction.
    #[inline(always)]
    pub(super) fn is_return(&self, tuple: &Tuple, endpoints: &impl Endpoints) -> bool {
        self.is_live() && self.return_tuple(endpoints).is_some_and(|own| own == *tuple)
    }

    /// All of it, for people. Read while packets write, so the caller checks that the entry was
    /// the same before and after.
    pub(super) fn describe(&self, now: Tick) -> FlowInfo {
        let tuple = self.forward_tuple();
        let age = now.0.wrapping_sub(self.birth().0);
        FlowInfo {
            backend: self.backend(),
            protocol: tuple.protocol,
            client: SocketAddr::new(tuple.addresses.source(), tuple.source_port.0),
            vip: SocketAddr::new(tuple.addresses.destination(), tuple.destination_port.0),
            state: self.state(),
            age: Duration::from_millis(u64::from(age)),
            idle: now.since(self.last_packet()),
            packets_in: self.word(4),
            packets_out: self.word(5),
            snat: self.snat(),
        }
    }
}

/// The word of a tuple's ports.
#[inline(always)]
fn ports(tuple: &Tuple) -> u32 {
    u32::from(tuple.source_port.0) << 16 | u32::from(tuple.destination_port.0)
}
