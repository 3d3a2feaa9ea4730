//! Two real workers on one table, which insert, look up, end and let expire the same flows: short in the ordinary
//! tests, and as long as is asked for by `scripts/stress`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::testing::{Backends, Share, table, tuple};
use super::*;
use crate::snapshot::FlowTimeouts;
use crate::tick::Tick;
use crate::types::{BackendId, Protocol};

/// Capacity of the table: little, so that it is full now and then, and buckets are all the time.
const FLOWS: usize = 256;
/// Clients, of which each has the same tuple for all time.
const CLIENTS: u64 = 400;
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
            let (tuple, backend, two_way) = client(random % CLIENTS);
            *held = self.one(random >> 32, &tuple, backend, two_way).map(|entry| (entry, tuple, backend));
        }
        for (reference, tuple, backend) in held.into_iter().flatten() {
            let entry = self.share.table.entry(reference);
            assert_eq!((entry.forward_tuple(), entry.backend()), (tuple, BackendId(backend)));
        }
        self.now = Tick(self.now.0.wrapping_add(1));
        self.expired += self.share.sweep(&timeouts(), self.now);
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

    /// Sweeps past all entries once, so that those that were ended are retired.
    fn sweep_round(&mut self, millis: u32) {
        self.now = Tick(self.now.0.wrapping_add(millis));
        for _ in 0..4 {
            self.expired += self.share.sweep(&timeouts(), self.now);
        }
        self.share.reclaim();
    }

    /// Lets all flows of this worker expire and all grace periods end.
    fn drain(&mut self) {
        (0..4).for_each(|_| self.sweep_round(200));
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

/// What must hold while both stand still, when what has been ended is swept.
fn check(table: &FlowTable, workers: &mut [Worker; 2]) {
    workers.iter_mut().for_each(|worker| worker.sweep_round(100));
    let count = |of: fn(&Worker) -> usize| workers.iter().map(of).sum::<usize>();
    let alive = count(|worker| worker.created) - count(|worker| worker.expired);
    let used = count(|worker| worker.share.keeper.used() - worker.share.keeper.waiting());
    assert_eq!((table.check(&Backends), used), (alive, alive), "flows in the index, and entries in use");
}

/// Nothing is lost: the table takes as many as ever, if those of each size are used that workers keep in hand.
fn check_room(workers: &mut [Worker; 2]) {
    workers.iter_mut().for_each(Worker::drain);
    let mut filled = 0;
    for (worker, clients) in workers.iter_mut().zip([1_000..2_000, 2_000..3_000]) {
        filled += worker.fill(clients.clone(), false) + worker.fill(clients, true);
    }
    // A worker has to leave what the other keeps; of that it takes the rest.
    assert_eq!(filled, FLOWS);
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
        check(&table, &mut workers);
        if rounds.is_multiple_of(16) {
            check_room(&mut workers);
        }
        rounds += 1;
    }
    check_room(&mut workers);
    let created: usize = workers.iter().map(|worker| worker.created).sum();
    println!("{rounds} rounds, {created} flows in {:.0?}", start.elapsed());
}
