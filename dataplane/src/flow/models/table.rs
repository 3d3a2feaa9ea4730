//! Whole flows: two places and an entry.

use std::sync::Arc;
use std::time::Duration;

use loom::thread;

use crate::flow::testing::{Backends, Share, table, tuple};
use crate::flow::{FlowTable, Inserted, Timeouts};
use crate::snapshot::FlowTimeouts;
use crate::sync::explore;
use crate::types::Protocol;
use crate::types::Tick;

fn timeouts() -> Timeouts {
    Timeouts::from(&FlowTimeouts { udp: Duration::from_secs(1), ..Default::default() })
}

/// Lets all that has ended and all grace periods end; what then is used are flows. Returns how many.
fn settle(table: &Arc<FlowTable>, shares: &mut [&mut Share]) -> usize {
    for share in shares.iter() {
        share.leave();
    }
    for share in shares.iter_mut() {
        share.sweep(&timeouts(), Tick(500));
        // What has just ended, and before that what waits for an earlier moment.
        share.reclaim();
        share.reclaim();
        share.reclaim();
        assert_eq!(share.keeper.waiting(), 0);
    }
    let used: usize = shares.iter().map(|share| share.keeper.used()).sum();
    assert_eq!(table.check(&Backends), used, "flows in the index, and entries that are not free");
    used
}

/// One of two has put the flow in, and the other has found it.
fn one_has_created(outcomes: [Inserted; 2]) {
    let created = outcomes.iter().filter(|outcome| matches!(outcome, Inserted::Created(_))).count();
    let existing = outcomes.iter().filter(|outcome| matches!(outcome, Inserted::Existing(_))).count();
    assert_eq!((created, existing), (1, 1), "{outcomes:?}");
}

/// Two workers insert one tuple, each with its own backend.
fn both_insert(two_way: bool) {
    let table = Arc::new(table(8, 2));
    let client = tuple(1, false, Protocol::Udp);
    let insert = move |mut share: Share, backend: u32| {
        share.pass();
        let inserted = share.insert(&client, backend, two_way, Tick(0));
        (share, inserted)
    };
    let (mine, others) = (Share::new(&table, 0), Share::new(&table, 1));
    let other = thread::spawn(move || insert(others, 4));
    let (mut mine, my_outcome) = insert(mine, 2);
    let (mut others, others_outcome) = other.join().unwrap();
    one_has_created([my_outcome, others_outcome]);
    assert_eq!(settle(&table, &mut [&mut mine, &mut others]), 1);
}

#[test]
fn two_workers_that_insert_one_tuple_at_the_same_moment_make_one_flow() {
    explore(4, || both_insert(false));
}

#[test]
fn two_workers_that_insert_one_tuple_while_its_bucket_gets_room_make_one_flow() {
    explore(3, || {
        let table = Arc::new(table(8, 2));
        let client = tuple(1, false, Protocol::Udp);
        table.crowd(&client);
        let (mut mine, mut others) = (Share::new(&table, 0), Share::new(&table, 1));
        let other = thread::spawn(move || {
            others.pass();
            assert!(others.table.uncrowd(&client));
            let inserted = others.insert(&client, 4, false, Tick(0));
            (others, inserted)
        });
        mine.pass();
        let my_outcome = mine.insert(&client, 2, false, Tick(0));
        let (mut others, others_outcome) = other.join().unwrap();
        one_has_created([my_outcome, others_outcome]);
        while table.uncrowd(&client) {}
        assert_eq!(settle(&table, &mut [&mut mine, &mut others]), 1);
    });
}

#[test]
fn two_workers_that_insert_both_directions_of_one_flow_make_one_flow() {
    explore(3, || both_insert(true));
}

#[test]
fn two_flows_whose_replies_would_be_the_same_are_never_both_in() {
    explore(2, || {
        let table = Arc::new(table(8, 2));
        let insert = |mut share: Share, port: u16| {
            share.pass();
            let mut client = tuple(1, false, Protocol::Udp);
            // Another virtual port of the same backend.
            client.destination_port.0 = port;
            let inserted = share.insert(&client, 2, true, Tick(0));
            (share, inserted)
        };
        let (mine, others) = (Share::new(&table, 0), Share::new(&table, 1));
        let other = thread::spawn(move || insert(others, 81));
        let (mut mine, my_outcome) = insert(mine, 80);
        let (mut others, others_outcome) = other.join().unwrap();
        let outcomes = [my_outcome, others_outcome];
        let created = outcomes.iter().filter(|outcome| matches!(outcome, Inserted::Created(_))).count();
        assert!(created == 1 && outcomes.contains(&Inserted::TupleInUse), "{outcomes:?}");
        assert_eq!(settle(&table, &mut [&mut mine, &mut others]), 1);
    });
}

/// A worker inserts a flow; another ends it as soon as it finds it, and perhaps begins it anew.
fn insert_while_other_ends(anew: bool) {
    let table = Arc::new(table(8, 2));
    let client = tuple(1, false, Protocol::Udp);
    let (mut mine, mut others) = (Share::new(&table, 0), Share::new(&table, 1));
    mine.pass();
    let other = thread::spawn(move || {
        others.pass();
        let found = others.find(&client);
        if let Some(found) = found {
            others.end(found.entry);
        }
        let again = found.filter(|_| anew).map(|_| others.insert(&client, 2, true, Tick(0)));
        (others, again)
    });
    let inserted = mine.insert(&client, 2, true, Tick(0));
    let (mut others, again) = other.join().unwrap();
    // What is there is a whole flow at once, not only after the owner has swept.
    let flows = table.check(&Backends);
    let is_created = |outcome: &Inserted| matches!(outcome, Inserted::Created(_));
    assert!([Some(inserted), again].iter().flatten().any(is_created), "{inserted:?} {again:?}");
    assert_eq!(settle(&table, &mut [&mut mine, &mut others]), flows);
}

#[test]
fn a_flow_that_another_worker_ends_while_it_is_put_in_leaves_nothing_behind() {
    explore(3, || insert_while_other_ends(false));
}

#[test]
fn a_flow_that_another_worker_ends_and_begins_while_it_is_put_in_is_there_once() {
    explore(2, || insert_while_other_ends(true));
}

#[test]
fn who_finds_a_flow_that_is_just_put_in_sees_all_of_it() {
    explore(3, || {
        let table = Arc::new(table(8, 2));
        let client = tuple(1, false, Protocol::Udp);
        let (mut mine, others) = (Share::new(&table, 0), Share::new(&table, 1));
        mine.pass();
        let other = thread::spawn(move || {
            others.pass();
            if let Some(found) = others.find(&client) {
                let entry = others.table.entry(found.entry);
                assert_eq!((entry.forward_tuple(), entry.last_packet()), (client, Tick(7)));
            }
        });
        assert!(matches!(mine.insert(&client, 2, false, Tick(7)), Inserted::Created(_)));
        other.join().unwrap();
    });
}

#[test]
fn a_flow_that_expires_gives_way_to_the_same_flow_anew() {
    explore(3, || {
        let table = Arc::new(table(8, 2));
        let client = tuple(1, false, Protocol::Udp);
        let (mut mine, mut others) = (Share::new(&table, 0), Share::new(&table, 1));
        mine.pass();
        assert!(matches!(mine.insert(&client, 2, true, Tick(0)), Inserted::Created(_)));
        let other = thread::spawn(move || {
            others.pass();
            let inserted = others.insert(&client, 2, true, Tick(0));
            assert!(matches!(inserted, Inserted::Created(_) | Inserted::Existing(_)), "{inserted:?}");
            (others, inserted)
        });
        mine.sweep(&timeouts(), Tick(1_000));
        let (mut others, inserted) = other.join().unwrap();
        let flows = usize::from(matches!(inserted, Inserted::Created(_)));
        assert_eq!(settle(&table, &mut [&mut mine, &mut others]), flows);
    });
}

#[test]
fn two_workers_that_end_one_flow_while_its_owner_lets_it_expire_leave_nothing_behind() {
    explore(2, || {
        let table = Arc::new(table(4, 3));
        let client = tuple(1, false, Protocol::Udp);
        let mut mine = Share::new(&table, 0);
        mine.pass();
        assert!(matches!(mine.insert(&client, 2, true, Tick(0)), Inserted::Created(_)));
        let enders = [1, 2].map(|worker| {
            let share = Share::new(&table, worker);
            thread::spawn(move || {
                share.pass();
                if let Some(found) = share.find(&client) {
                    share.end(found.entry);
                }
                share.leave();
            })
        });
        mine.sweep(&timeouts(), Tick(2_000));
        mine.reclaim();
        enders.into_iter().for_each(|ender| ender.join().unwrap());
        assert_eq!(settle(&table, &mut [&mut mine]), 0);
    });
}
