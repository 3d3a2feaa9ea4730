//! The hash that hashing schedulers choose by: the same on every box of a group, for ever.

use std::cell::Cell;
use std::net::IpAddr;

use super::maglev::{spread, stable_hash};
use penstock_types::Tick;
use penstock_types::{Port, WorkerId};

/// What a hashing scheduler looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HashOn {
    /// The client's address: all its flows go to one backend.
    Source,
    /// The client's address and port: IPVS's `sh-port` and `mh-port`.
    #[default]
    SourceAndPort,
    /// The port that was asked for alone, so that all flows of a call or a room meet.
    DestinationPort,
    /// The address that was asked for: `dh`.
    Destination,
    /// That address and the port: `dh` with `destination-port`.
    DestinationAndPort,
}

/// A flow that asks for a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    pub(super) worker: WorkerId,
    pub(super) hash: u64,
    /// What `lblc` and `lblcr` remember a backend by.
    pub(super) destination: u64,
    pub(super) now: Tick,
    /// Nothing is to change by asking: the place that the order has come to is kept here, so that a question which is
    /// asked again gets the next answer, as a worker would.
    question: Option<Cell<Option<u64>>>,
    /// The flow cannot go where its like goes, and what is remembered of those stays.
    is_detour: bool,
}

/// The ends of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Address and port of the client.
    pub source: (IpAddr, Port),
    /// Address and port of the virtual service.
    pub destination: (IpAddr, Port),
}

impl Ask {
    /// A flow of a known hash, on a worker.
    #[must_use]
    pub fn new(worker: WorkerId, hash: u64) -> Self {
        Self { worker, hash, destination: hash, now: Tick(0), question: None, is_detour: false }
    }

    /// A flow between these ends.
    pub fn of(seed: u64, hash_on: HashOn, ends: &Ends) -> Self {
        let [source, destination] = [ends.source, ends.destination];
        let of_destination = hash(seed, destination.0, destination.1);
        let hash = match hash_on {
            HashOn::Source => hash(seed, source.0, Port(0)),
            HashOn::SourceAndPort => hash(seed, source.0, source.1),
            HashOn::DestinationPort => spread(seed ^ u64::from(destination.1.0)),
            HashOn::Destination => hash(seed, destination.0, Port(0)),
            HashOn::DestinationAndPort => of_destination,
        };
        Self { destination: of_destination, ..Self::new(WorkerId(0), hash) }
    }

    /// The same on a worker, now.
    pub fn on(self, worker: WorkerId, now: Tick) -> Self {
        Self { worker, now, ..self }
    }

    /// The same, by somebody who only wants to know.
    #[must_use]
    pub fn as_question(self) -> Self {
        Self { question: Some(Cell::new(None)), ..self }
    }

    /// The same flow, which cannot go where it was sent first.
    pub fn on_detour(self) -> Self {
        Self { is_detour: true, ..self }
    }

    /// Whether the answer may be remembered for the flows that follow.
    pub(super) fn is_remembered(&self) -> bool {
        self.question.is_none() && !self.is_detour
    }

    /// The place that an order has come to: of a question, its own one.
    pub(super) fn place(&self, of_worker: impl FnOnce() -> u64) -> u64 {
        self.question.as_ref().and_then(Cell::get).unwrap_or_else(of_worker)
    }

    /// The place that it has come to now.
    pub(super) fn move_on(&self, place: u64, of_worker: impl FnOnce(u64)) {
        match &self.question {
            Some(own) => own.set(Some(place)),
            None => of_worker(place),
        }
    }

    /// The 64-bit hash that hashing schedulers choose by.
    pub fn hash(&self) -> u64 {
        self.hash
    }
}

/// The seed that boxes of one cluster share.
#[must_use]
pub fn cluster_seed(cluster: &str) -> u64 {
    stable_hash(0, cluster.as_bytes())
}

/// The hash of an address and a port.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the two halves of the address")]
pub fn hash(seed: u64, address: IpAddr, port: Port) -> u64 {
    let bits = match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let upper = spread(seed ^ (bits >> 64) as u64);
    spread(spread(upper ^ bits as u64) ^ u64::from(port.0))
}

/// The hash to go on with where the first one leads to a backend that does not take the flow.
pub(super) fn rehash(hash: u64) -> u64 {
    spread(hash.wrapping_add(0x9e37_79b9_7f4a_7c15))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers: fail when a change of the code would make two versions of the box disagree.
    #[test]
    fn the_hash_is_the_same_in_every_version() {
        let hash = |address: &str, port| hash(cluster_seed("edge-1"), address.parse().unwrap(), Port(port));
        let hashes = [hash("10.0.0.2", 40000), hash("10.0.0.2", 40001), hash("fd00::2", 40000)];
        assert_eq!(hashes, KNOWN, "{hashes:#x?}");
    }
    const KNOWN: [u64; 3] = [0x218b_2286_9300_d807, 0xe3b6_6020_fb5a_2cc2, 0xabb7_60b3_85f0_3c49];

    #[test]
    fn the_hash_looks_at_what_it_is_told_to() {
        let ends = |source: &str, port, to: &str, to_port| Ends {
            source: (source.parse().unwrap(), Port(port)),
            destination: (to.parse().unwrap(), Port(to_port)),
        };
        let one = ends("10.0.0.2", 1000, "10.0.0.100", 80);
        let changed = [
            ends("10.0.0.3", 1000, "10.0.0.100", 80),
            ends("10.0.0.2", 1001, "10.0.0.100", 80),
            ends("10.0.0.2", 1000, "10.0.0.101", 80),
            ends("10.0.0.2", 1000, "10.0.0.100", 81),
        ];
        let differs = |hash_on| {
            let hash = |ends: &Ends| Ask::of(7, hash_on, ends).hash;
            changed.map(|other| hash(&other) != hash(&one))
        };
        assert_eq!(differs(HashOn::Source), [true, false, false, false]);
        assert_eq!(differs(HashOn::SourceAndPort), [true, true, false, false]);
        assert_eq!(differs(HashOn::DestinationPort), [false, false, false, true]);
        assert_eq!(differs(HashOn::Destination), [false, false, true, false]);
        assert_eq!(differs(HashOn::DestinationAndPort), [false, false, true, true]);
    }
}
