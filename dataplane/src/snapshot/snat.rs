//! Source-NAT pools: which address and port of the box's own a flow of one-arm mode comes from.
//!
//! A reply is told apart by its whole tuple, so one (address, port) serves any number of flows as long
//! as they go to different server endpoints: there is a set of ports for each pair of pool address and
//! endpoint. A set is 128 classes of 512 ports; a class is a cache line of bits. Taking and giving back
//! a port is one atomic operation on one word; nobody waits.
//!
//! Classes are what makes a reply come back to the worker that owns the flow. A NIC picks the queue
//! by `indirection[toeplitz(tuple) % size]`, and Toeplitz is linear: the hash of a tuple is the
//! exclusive or of the hashes of its parts. Ports of one class have the same low bits in their
//! part, so that a whole class leads to the same queue, see [`Rss`](super::Rss).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::types::Tick;
use crate::types::{Port, SnatId, WorkerId};
use crate::xdp::{CLASSES, PortClasses};

/// Ports of a class.
const CLASS_PORTS: usize = 65_536 / CLASSES;
/// Words of a class.
const WORDS: usize = CLASS_PORTS / 64;
/// Ports below are left to those who know them by name (RFC 6335 section 6).
pub const FIRST_PORT: u16 = 1024;
/// Ports that a set has to give.
pub const CAPACITY: u32 = 65_536 - FIRST_PORT as u32;

/// An address of a pool, and its ports towards one server endpoint.
#[derive(Debug, Clone)]
pub struct PoolPart {
    /// The address.
    pub address: SnatId,
    /// Its ports. Shared by all backends with that endpoint, and by later snapshots.
    pub ports: Arc<PortSet>,
    /// The worker that meets the replies to ports of each class; `None`: nobody knows.
    pub owners: Option<Arc<[WorkerId; CLASSES]>>,
    /// Whether new flows may come from it: an address that has left the configuration only
    /// serves the flows it has.
    pub open: bool,
}

impl PoolPart {
    /// Takes a port whose replies this worker meets, if one is left, or else any. `random` says where
    /// the search begins, so that ports cannot be guessed (RFC 6056): among a few thousand at a time, in
    /// classes that move on with the time `now`. What is written over and over, and given back in the
    /// order in which it was taken, stays in the processor's cache so.
    pub(crate) fn take(&self, worker: WorkerId, workers: usize, random: u64, now: Tick) -> Option<Port> {
        self.search(worker, workers, random, now, PortSet::take)
    }

    /// The port that [`Self::take`] would give now.
    pub(crate) fn foresee(&self, worker: WorkerId, workers: usize, random: u64, now: Tick) -> Option<Port> {
        self.search(worker, workers, random, now, PortSet::foresee)
    }

    #[inline(always)]
    fn search(
        &self,
        worker: WorkerId,
        workers: usize,
        random: u64,
        now: Tick,
        from: impl Fn(&PortSet, usize, u32) -> Option<Port>,
    ) -> Option<Port> {
        const AT_A_TIME: usize = 8;
        const MILLIS: u32 = 16;
        if !self.open || self.ports.is_exhausted() {
            return None;
        }
        let own = |class: usize| match &self.owners {
            Some(owners) => owners[class] == worker,
            // So that at least no two workers write to the same lines.
            None => class % workers.max(1) == worker.index(),
        };
        #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
        let (offset, within) = ((random >> 32) as usize % AT_A_TIME, random as u32);
        let start = (now.0 / MILLIS) as usize * AT_A_TIME + offset;
        let classes = || (0..CLASSES).map(|step| (start + step) % CLASSES);
        let mut wanted = classes().filter(|class| own(*class)).chain(classes().filter(|class| !own(*class)));
        wanted.find_map(|class| from(&self.ports, class, within))
    }
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Class([AtomicU64; WORDS]);

/// The ports of one address towards one server endpoint.
pub struct PortSet {
    classes: Box<[Class]>,
    layout: Arc<PortClasses>,
    used: AtomicU32,
}

impl std::fmt::Debug for PortSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PortSet({} of {CAPACITY} used)", self.used())
    }
}

impl PortSet {
    /// All ports free, in the classes of the NIC that replies come in by.
    #[must_use]
    pub fn new(layout: Arc<PortClasses>) -> Self {
        let classes: Box<[Class]> = std::iter::repeat_with(Class::default).take(CLASSES).collect();
        let set = Self { classes, layout, used: AtomicU32::new(0) };
        for port in 0..FIRST_PORT {
            let (class, bit) = set.layout.place(Port(port));
            set.classes[class].0[bit / 64].fetch_or(1 << (bit % 64), Ordering::Relaxed);
        }
        set
    }

    /// The port that [`Self::take`] would give now.
    fn foresee(&self, class: usize, random: u32) -> Option<Port> {
        let words = &self.classes[class % CLASSES].0;
        let at = random as usize / 64 % WORDS;
        let bits = words[at].load(Ordering::Relaxed);
        (bits != u64::MAX)
            .then(|| self.layout.port(class % CLASSES, at * 64 + first_free(bits, random) as usize))
    }

    /// Takes a free port of class `class`, from an arbitrary place on: `random` says which.
    pub(crate) fn take(&self, class: usize, random: u32) -> Option<Port> {
        let words = &self.classes[class % CLASSES].0;
        for step in 0..WORDS {
            let at = (random as usize / 64 + step) % WORDS;
            let mut bits = words[at].load(Ordering::Relaxed);
            while bits != u64::MAX {
                let bit = first_free(bits, random);
                bits = words[at].fetch_or(1 << bit, Ordering::Relaxed);
                if bits & 1 << bit == 0 {
                    self.used.fetch_add(1, Ordering::Relaxed);
                    return Some(self.layout.port(class % CLASSES, at * 64 + bit as usize));
                }
            }
        }
        None
    }

    /// Gives a port back.
    pub(crate) fn give(&self, port: Port) {
        let (class, bit) = self.layout.place(port);
        let before = self.classes[class].0[bit / 64].fetch_and(!(1 << (bit % 64)), Ordering::Relaxed);
        if before & 1 << (bit % 64) != 0 {
            self.used.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How many ports are taken.
    #[must_use]
    pub fn used(&self) -> u32 {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether none is left.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.used() >= CAPACITY
    }

    /// Which class a port is in.
    #[must_use]
    pub fn layout(&self) -> &Arc<PortClasses> {
        &self.layout
    }
}

/// The first bit that is not set from a random place in the word on, round about.
fn first_free(bits: u64, random: u32) -> u32 {
    let turn = random % 64;
    ((!bits).rotate_right(turn).trailing_zeros() + turn) % 64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_port_above_the_known_ones_is_given_once() {
        let set = PortSet::new(Arc::default());
        let mut taken = HashSet::new();
        for class in 0..CLASSES {
            for random in (0..).step_by(7) {
                let Some(port) = set.take(class, random) else { break };
                assert!(port.0 >= FIRST_PORT && taken.insert(port), "{port}");
                assert_eq!(set.layout().place(port).0, class);
            }
        }
        assert_eq!(taken.len(), CAPACITY as usize);
        assert!(set.is_exhausted());
    }

    #[test]
    fn a_port_that_is_given_back_is_given_again_and_giving_twice_does_no_harm() {
        let set = PortSet::new(Arc::default());
        let port = set.take(5, 0).unwrap();
        set.give(port);
        set.give(port);
        assert_eq!(set.used(), 0);
        assert_eq!(set.take(5, 0), Some(port));
        assert_ne!(set.take(5, 0), Some(port));
    }

    #[test]
    fn a_worker_takes_its_own_classes_first_and_foreign_ones_when_they_are_used_up() {
        let owners = std::array::from_fn(|class| WorkerId(u16::from(class % 4 == 1)));
        let part = PoolPart {
            address: SnatId(0),
            ports: Arc::new(PortSet::new(Arc::default())),
            owners: Some(Arc::new(owners)),
            open: true,
        };
        let class = |random| {
            part.take(WorkerId(1), 2, random, Tick(0)).map(|port| part.ports.layout().place(port).0 % 4)
        };
        let own = 32 * 512 - (0..FIRST_PORT).filter(|port| port % 4 == 1).count() as u64;
        assert!((0..own).all(|n| class(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) == Some(1)));
        assert!(class(1).is_some_and(|class| class != 1));
        let closed = PoolPart { open: false, ..part.clone() };
        assert_eq!(closed.take(WorkerId(1), 2, 0, Tick(0)), None);
    }

    #[test]
    fn what_is_foreseen_is_what_is_taken() {
        let ports = Arc::new(PortSet::new(Arc::default()));
        let part = PoolPart { address: SnatId(0), ports, owners: None, open: true };
        // As long as no word of those that are in use at a time is full.
        for n in 0..1500_u64 {
            let random = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let foreseen = part.foresee(WorkerId(0), 1, random, Tick(0));
            assert!(foreseen.is_some());
            assert_eq!(foreseen, part.take(WorkerId(0), 1, random, Tick(0)), "{n}");
        }
    }

    #[test]
    fn two_threads_never_get_the_same_port() {
        let set = PortSet::new(Arc::default());
        let take = || (0..10_000_u32).filter_map(|n| set.take(n as usize, n)).collect::<Vec<_>>();
        let (a, b) = std::thread::scope(|scope| {
            let (a, b) = (scope.spawn(take), scope.spawn(take));
            (a.join().unwrap(), b.join().unwrap())
        });
        let distinct: HashSet<_> = a.iter().chain(&b).collect();
        assert_eq!(distinct.len(), a.len() + b.len());
        assert_eq!(set.used() as usize, distinct.len());
    }
}
