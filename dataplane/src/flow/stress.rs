//! Two real workers on one table, which insert, look up, end and let expire the same flows: short in the ordinary
//! tests, and as long as is asked for by `scripts/stress`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::testing::{Backends, Share, table, tuple};
use super::*;
use crate::snapshot::FlowTimeouts;
use crate::types::Tick;
use crate::types::{BackendId, Protocol};

/// Capacity of the table.
const FLOWS: usize = 2048;
/// Clients, of which each has the same tuple for all time: the flows of more of them than there is room for in
/// the index, and of a few that both workers have in their hands all the time.
const CLIENTS: u64 = 6_000;
const BUSY_CLIENTS: u64 = 32;
/// Look-ups and inserts of a batch.
const BATCH: usize = 16;
/// What one of the two does before both stop and the table is checked.
const BATCHES: usize = 5_000;
/// How long all of it takes, if nothing else is asked for.
const SECONDS: u64 = 2;

/// What a client's flow is like: the same for whoever inserts it.
fn client(number: u64) -> (Tuple, u32, bool) {
    let v6 = number.is_multiple_of(3);
    let protocol = if number.is_multiple_of(5) { Protocol::Udp } else { Protocol::Tcp };
    let backend = if v6 { 3 } else { 2 };
    (tuple(u16::try_from(number).unwrap(), v6, protocol), backend, number.is_multiple_of(2))
}

fn timeouts() -> Timeouts {
    let short = Duration::from_millis(200);
    Timeouts::from(&FlowTimeouts {
        tcp_syn: short,
        tcp_established: short,
        tcp_fin: short,
        udp: short,
        ..Default::default()
    })
}

#[derive(Debug)]
struct Worker {
    share: Share,
    random: u64,
    now: Tick,
    created: usize,
    expired: usize,
}

impl Worker {
    fn new(table: &Arc<FlowTable>, number: u16) -> Self {
        let random = 0x9e37_79b9_7f4a_7c15 ^ u64::from(number) << 17;
        Self { share: Share::new(table, number), random, now: Tick(0), created: 0, expired: 0 }
    }

    /// Xorshift: the same numbers in each run.
    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// A batch: all that is found in it stays what it is to the batch's end.
    fn batch(&mut self) {
        self.share.pass();
        let mut held: [Option<(EntryRef, Tuple, u32)>; BATCH] = [None; BATCH];
        for held in &mut held {
            let random = self.random();
            let clients = if random >> 20 & 1 == 0 { CLIENTS } else { BUSY_CLIENTS };
            let (tuple, backend, two_way) = client((random >> 40) % clients);
            *held = self.one(random, &tuple, backend, two_way).map(|entry| (entry, tuple, backend));
        }
        for (reference, tuple, backend) in held.into_iter().flatten() {
            let entry = self.share.table.entry(reference);
            assert_eq!((entry.forward_tuple(), entry.backend()), (tuple, BackendId(backend)));
        }
        self.now = Tick(self.now.0.wrapping_add(1));
        self.expired += self.share.sweep(&timeouts(), self.now);
        if self.random() & 15 == 0 {
            self.expired += usize::from(self.share.recycle());
        }
        self.share.reclaim();
    }

    /// Looks up or inserts, and ends one in eight of what is there. Returns the entry, if there is one.
    fn one(&mut self, random: u64, tuple: &Tuple, backend: u32, two_way: bool) -> Option<EntryRef> {
        if random & 3 == 0 {
            return self.share.find(tuple).map(|found| found.entry);
        }
        match self.share.insert(tuple, backend, two_way, self.now) {
            Inserted::Created(entry) => {
                self.created += 1;
                Some(entry)
            }
            Inserted::Existing(found) => {
                assert_eq!(found.direction, Direction::Forward);
                self.look_at_replies(found.entry);
                if random >> 2 & 7 == 0 {
                    self.share.end(found.entry);
                }
                Some(found.entry)
            }
            Inserted::Full => None,
            Inserted::TupleInUse => panic!("no two clients' replies are alike"),
        }
    }

    /// Whoever has the return tuple is this flow or one of the same client.
    fn look_at_replies(&self, reference: EntryRef) {
        let entry = self.share.table.entry(reference);
        let tuple = entry.return_tuple(&Backends).unwrap();
        if let Some(found) = self.share.find(&tuple) {
            assert_eq!(found.direction, Direction::Return);
            assert_eq!(self.share.table.entry(found.entry).forward_tuple(), entry.forward_tuple());
        }
    }

    /// Lets all flows of this worker expire and all grace periods end.
    fn drain(&mut self) {
        for _ in 0..16 {
            self.now = Tick(self.now.0.wrapping_add(100));
            // What waits may be so much that the sweep does not go on.
            self.share.reclaim();
            self.expired += self.share.sweep(&timeouts(), self.now);
        }
        (0..2).for_each(|_| self.share.reclaim());
        assert_eq!((self.share.keeper.used(), self.share.keeper.waiting()), (0, 0));
    }

    /// Flows of one size that this worker can still put in.
    fn fill(&mut self, clients: std::ops::Range<u16>, v6: bool) -> usize {
        self.share.pass();
        let is_in = |client: &u16| {
            let tuple = tuple(*client, v6, Protocol::Udp);
            matches!(self.share.insert(&tuple, u32::from(v6), false, self.now), Inserted::Created(_))
        };
        let filled = clients.filter(is_in).count();
        self.share.leave();
        self.created += filled;
        filled
    }
}

/// What must hold while both stand still.
fn check(table: &FlowTable, workers: &[Worker; 2]) {
    let count = |of: &dyn Fn(&Worker) -> usize| workers.iter().map(of).sum::<usize>();
    let alive = count(&|worker| worker.created) - count(&|worker| worker.expired);
    assert_eq!(alive, count(&|worker| worker.share.keeper.flows(table, true)), "created and not expired");
    let used = count(&|worker| worker.share.keeper.used() - worker.share.keeper.waiting());
    assert_eq!(alive, used, "entries in use");
    let flows = count(&|worker| worker.share.keeper.flows(table, false));
    assert_eq!(flows, table.check(&Backends), "flows in the index, and those that have not ended");
}

/// Nothing is lost: the table takes as many flows as ever, and each block is somebody's or free.
fn check_room(table: &FlowTable, workers: &mut [Worker; 2]) {
    workers.iter_mut().for_each(Worker::drain);
    let clients = 10_000..10_000 + u16::try_from(FLOWS / 2).unwrap();
    let filled = [false, true].into_iter().zip(&mut *workers);
    let filled: usize = filled.map(|(v6, worker)| worker.fill(clients.clone(), v6)).sum();
    assert_eq!(filled, FLOWS);
    assert_eq!(table.check(&Backends), FLOWS);
    let held: usize = workers.iter().map(|worker| worker.share.keeper.block_count()).sum();
    assert_eq!(table.slab().free_block_count() + held, table.slab().block_count() - 1);
    workers.iter_mut().for_each(Worker::drain);
}

fn work(worker: &mut Worker) {
    for _ in 0..BATCHES {
        worker.batch();
    }
    worker.share.leave();
}

#[test]
fn two_workers_inserting_finding_ending_and_expiring_the_same_flows_never_disagree() {
    let seconds = std::env::var("PENSTOCK_STRESS_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let time = Duration::from_secs(seconds.unwrap_or(SECONDS));
    #[expect(clippy::disallowed_methods, reason = "only tells when to stop; the table has virtual time")]
    let start = Instant::now();
    let table = Arc::new(table(FLOWS, 2));
    let mut workers = [0, 1].map(|number| Worker::new(&table, number));
    let mut rounds = 0_u32;
    while rounds == 0 || start.elapsed() < time {
        std::thread::scope(|scope| {
            for worker in &mut workers {
                scope.spawn(|| work(worker));
            }
        });
        check(&table, &workers);
        if rounds.is_multiple_of(16) {
            check_room(&table, &mut workers);
        }
        rounds += 1;
    }
    check_room(&table, &mut workers);
    let created: usize = workers.iter().map(|worker| worker.created).sum();
    println!("{rounds} rounds, {created} flows in {:.0?}", start.elapsed());
}
