//! When an entry may be used again.

use std::sync::Arc;
use std::time::Duration;

use loom::thread;

use crate::flow::testing::{Share, table, tuple};
use crate::flow::{Inserted, Timeouts};
use crate::snapshot::FlowTimeouts;
use crate::sync::explore;
use crate::types::Tick;
use crate::types::{BackendId, Protocol};

/// The two flows that have one entry, one after the other, and what has all others.
const FIRST: (u16, u32) = (1, 2);
const SECOND: (u16, u32) = (2, 4);
const OTHERS: std::ops::Range<u16> = 3..100;

/// Looks the first flow up in each of `batches` batches: who has found it never sees another in its entry.
fn reader(share: Share, batches: usize) -> impl FnOnce() {
    move || {
        let tuple = tuple(FIRST.0, false, Protocol::Udp);
        for _ in 0..batches {
            share.pass();
            if let Some(found) = share.find(&tuple) {
                assert_eq!(found.backend, BackendId(FIRST.1));
                let entry = share.table.entry(found.entry);
                assert_eq!((entry.forward_tuple(), entry.backend()), (tuple, BackendId(FIRST.1)));
            }
        }
        share.leave();
    }
}

/// When the other flows' last packets come.
const LATER: Tick = Tick(10_000);

fn timeouts() -> Timeouts {
    Timeouts::from(&FlowTimeouts { udp: Duration::from_secs(1), ..Default::default() })
}

/// Puts the second flow into the entry as soon as that is free.
fn reuse(share: &mut Share, batches: usize) -> bool {
    (0..batches).any(|_| {
        share.pass();
        share.reclaim();
        let second = share.insert(&tuple(SECOND.0, false, Protocol::Udp), SECOND.1, false, Tick(0));
        matches!(second, Inserted::Created(_))
    })
}

fn owner_with_first_flow(workers: usize) -> Share {
    let table = Arc::new(table(4, workers));
    let mut owner = Share::new(&table, 0);
    owner.pass();
    let first = owner.insert(&tuple(FIRST.0, false, Protocol::Udp), FIRST.1, false, Tick(0));
    assert!(matches!(first, Inserted::Created(_)));
    // Much later, so that they stay.
    let mut others = OTHERS.map(|client| owner.insert(&tuple(client, false, Protocol::Udp), 2, false, LATER));
    assert!(others.any(|other| other == Inserted::Full));
    drop(others);
    owner
}

#[test]
fn an_entry_that_expires_is_not_used_again_while_another_worker_holds_it() {
    explore(3, || {
        let mut owner = owner_with_first_flow(2);
        let reader = thread::spawn(reader(Share::new(&owner.table, 1), 2));
        assert_eq!(owner.sweep(&timeouts(), Tick(1_000)), 1);
        owner.reclaim();
        let reused = reuse(&mut owner, 3);
        reader.join().unwrap();
        assert!(reused || reuse(&mut owner, 2), "nobody holds it any more");
    });
}

#[test]
fn an_entry_that_a_worker_ends_is_not_used_again_while_another_holds_it() {
    explore(2, || {
        let mut owner = owner_with_first_flow(3);
        let reader = thread::spawn(reader(Share::new(&owner.table, 1), 1));
        let ender = Share::new(&owner.table, 2);
        let ender = thread::spawn(move || {
            ender.pass();
            if let Some(found) = ender.find(&tuple(FIRST.0, false, Protocol::Udp)) {
                ender.end(found.entry);
            }
            ender.leave();
        });
        if owner.sweep(&timeouts(), Tick(500)) == 1 {
            owner.reclaim();
            reuse(&mut owner, 3);
        }
        reader.join().unwrap();
        ender.join().unwrap();
    });
}
