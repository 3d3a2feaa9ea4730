//! The table against a simple model, and over time.

use std::collections::HashMap;

use proptest::prelude::*;

use super::testing::{Backends, table, tuple};
use super::*;
use crate::snapshot::FlowTimeouts;
use crate::types::Tick;
use crate::types::{BackendId, Protocol, WorkerId};
use crate::wire::tcp::Flags;

struct Bench {
    table: FlowTable,
    keeper: Keeper,
    timeouts: Timeouts,
}

fn bench(flows: usize) -> Bench {
    let table = table(flows, 1);
    let keeper = Keeper::new(&table, WorkerId(0));
    Bench { table, keeper, timeouts: Timeouts::from(&FlowTimeouts::default()) }
}

impl Bench {
    fn insert(&mut self, tuple: &Tuple, backend: u32, two_way: bool, now: Tick) -> Inserted {
        self.table.quiescence().pass(WorkerId(0));
        let flags = Flags(Flags::SYN);
        let flow = NewFlow {
            tuple,
            hash: self.table.hash(tuple),
            backend: BackendId(backend),
            two_way,
            flags,
            nat: None,
            handshake: None,
        };
        let inserted = self.table.insert(&mut self.keeper, &flow, &Backends, now);
        self.keeper.reclaim(&self.table);
        inserted
    }

    fn find(&self, tuple: &Tuple) -> Option<Found> {
        self.table.find(self.table.hash(tuple), tuple, &Backends)
    }

    /// Sweeps until nothing is due; returns how many flows expired.
    fn sweep(&mut self, now: Tick) -> usize {
        let mut expired = 0;
        let mut behind = true;
        while behind {
            self.table.quiescence().pass(WorkerId(0));
            behind = self.keeper.sweep(&self.table, &Backends, &self.timeouts, now, |_| expired += 1);
            self.keeper.reclaim(&self.table);
        }
        expired
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_table_does_what_a_map_does(
        steps in proptest::collection::vec((0_u8..4, 0_u16..200, any::<bool>(), any::<bool>()), 1..600),
    ) {
        let mut bench = bench(4096);
        let mut model: HashMap<Tuple, u32> = HashMap::new();
        for (action, client, v6, udp) in steps {
            let protocol = if udp { Protocol::Udp } else { Protocol::Tcp };
            let tuple = tuple(client, v6, protocol);
            let backend = u32::from(v6) + 2 * u32::from(client % 100);
            match action {
                0 | 1 => {
                    let inserted = bench.insert(&tuple, backend, action == 0, Tick(0));
                    let is_new = matches!(inserted, Inserted::Created(_));
                    prop_assert_eq!(is_new, !model.contains_key(&tuple), "{:?}", inserted);
                    model.insert(tuple, backend);
                }
                2 => {
                    if let Some(found) = bench.find(&tuple) {
                        bench.table.end(found.entry, &Backends);
                    }
                    model.remove(&tuple);
                }
                _ => {
                    bench.sweep(Tick(1));
                }
            }
            let found = bench.find(&tuple).map(|found| bench.table.entry(found.entry).backend().0);
            prop_assert_eq!(found, model.get(&tuple).copied());
        }
        prop_assert_eq!(bench.table.flows(Tick(0)).count(), model.len());
    }
}

#[test]
fn both_directions_lead_to_one_entry() {
    let mut bench = bench(64);
    for (backend, v6) in [(12, false), (13, true)] {
        let forward = tuple(7, v6, Protocol::Tcp);
        let Inserted::Created(entry) = bench.insert(&forward, backend, true, Tick(0)) else {
            panic!("no room")
        };
        let back = bench.table.entry(entry).return_tuple(&Backends).unwrap();
        assert_eq!(
            bench.find(&forward),
            Some(Found { entry, direction: Direction::Forward, backend: BackendId(backend) })
        );
        assert_eq!(
            bench.find(&back),
            Some(Found { entry, direction: Direction::Return, backend: BackendId(backend) })
        );
        bench.table.end(entry, &Backends);
        assert_eq!((bench.find(&forward), bench.find(&back)), (None, None));
    }
}

#[test]
fn a_table_has_room_for_the_configured_number_of_either_family() {
    for v6 in [false, true] {
        for two_way in [false, true] {
            let mut bench = bench(5000);
            let backend = u32::from(v6);
            let created = (0..5000).filter(|n| {
                let inserted = bench.insert(&tuple(*n, v6, Protocol::Udp), backend, two_way, Tick(0));
                matches!(inserted, Inserted::Created(_))
            });
            let created = created.count();
            // All buckets of a tuple may be full a little before the table is.
            assert!((4999..=5000).contains(&created), "{created} flows, v6: {v6}, two-way: {two_way}");
        }
    }
}

#[test]
fn idle_flows_expire_after_their_states_timeout_and_make_room() {
    // Large enough beside the flows that no tuple meets two full buckets.
    let mut bench = bench(4000);
    for client in 0..1000 {
        assert!(is_new(bench.insert(&tuple(client, false, Protocol::Tcp), 2, true, Tick(0))));
    }
    for client in (0..1000).step_by(2) {
        let flow = bench.find(&tuple(client, false, Protocol::Tcp)).unwrap().entry;
        bench.table.note(flow, Direction::Return, Flags(Flags::SYN | Flags::ACK), Tick(1), None);
        bench.table.note(flow, Direction::Forward, Flags(Flags::ACK), Tick(1), None);
    }
    assert_eq!(bench.sweep(Tick(9_000)), 0, "10 s for a half-open flow are not over");
    // A sweep round takes half the smallest timeout, so one more such time suffices.
    assert_eq!(bench.sweep(Tick(10_000)) + bench.sweep(Tick(15_001)), 500);
    assert_eq!(bench.table.flows(Tick(15_001)).count(), 500);
    assert_eq!(bench.sweep(Tick(15 * 60_000 + 2)) + bench.sweep(Tick(16 * 60_000)), 500);
    assert_eq!(bench.table.flows(Tick(16 * 60_000)).count(), 0);
}

#[test]
fn a_round_that_gives_blocks_back_is_not_slowed_down_by_that() {
    let mut bench = bench(60_000);
    for client in 0..60_000 {
        bench.insert(&tuple(client, false, Protocol::Tcp), 2, false, Tick(0));
    }
    bench.sweep(Tick(10_000));
    // In small steps, as a worker does: within the round that has begun all are gone.
    let expired: usize = (10_010..=15_100).step_by(10).map(|now| bench.sweep(Tick(now))).sum();
    assert!(bench.table.flows(Tick(0)).next().is_none(), "{expired} of 60 000 have expired");
}

#[test]
fn the_room_of_expired_flows_is_used_again_by_either_family() {
    let mut bench = bench(1024);
    let fill = |bench: &mut Bench, v6: bool, now| {
        let clients = 0..1024_u16;
        clients
            .filter(|c| is_new(bench.insert(&tuple(*c, v6, Protocol::Udp), u32::from(v6), false, now)))
            .count()
    };
    let mut now = 0;
    for v6 in [false, false, true, false, true, true] {
        let filled = fill(&mut bench, v6, Tick(now));
        // What the worker keeps in hand for the other family is missing from the full number.
        assert!((768..=1024).contains(&filled), "{filled} flows, v6: {v6}");
        now += 61_000;
        assert_eq!(bench.sweep(Tick(now)) + bench.sweep(Tick(now + 6_000)), filled);
    }
}

fn is_new(inserted: Inserted) -> bool {
    matches!(inserted, Inserted::Created(_))
}

#[test]
fn an_entry_is_not_reused_while_another_worker_may_hold_it() {
    let table = table(1, 2);
    let mut keeper = Keeper::new(&table, WorkerId(0));
    let insert = |keeper: &mut Keeper, client| {
        table.quiescence().pass(WorkerId(0));
        let tuple = tuple(client, false, Protocol::Udp);
        let flow = NewFlow {
            tuple: &tuple,
            hash: table.hash(&tuple),
            backend: BackendId(2),
            two_way: false,
            nat: None,
            handshake: None,
            flags: Flags::default(),
        };
        table.insert(keeper, &flow, &Backends, Tick(0))
    };
    let Inserted::Created(entry) = insert(&mut keeper, 1) else { panic!("no room") };
    table.quiescence().pass(WorkerId(1)); // worker 1 is in a batch and has found the entry
    table.end(entry, &Backends);
    let timeouts = Timeouts::from(&FlowTimeouts::default());
    keeper.sweep(&table, &Backends, &timeouts, Tick(60_000), |_| ());
    keeper.reclaim(&table);
    table.quiescence().pass(WorkerId(0));
    keeper.reclaim(&table);
    let Inserted::Created(other) = insert(&mut keeper, 2) else { panic!("no room") };
    assert_ne!(other, entry);
    table.quiescence().pass(WorkerId(1));
    keeper.reclaim(&table);
    assert_eq!(insert(&mut keeper, 3), Inserted::Created(entry));
}

#[test]
fn an_entry_that_expires_still_names_its_backend_to_who_has_found_it() {
    let mut bench = bench(64);
    let tuple = tuple(1, false, Protocol::Udp);
    bench.insert(&tuple, 42, false, Tick(0));
    let found = bench.find(&tuple).unwrap();
    assert_eq!(bench.sweep(Tick(70_000)), 1);
    let entry = bench.table.entry(found.entry);
    assert_eq!((entry.backend(), entry.protocol()), (BackendId(42), Protocol::Udp));
    assert_eq!(bench.find(&tuple), None);
}
