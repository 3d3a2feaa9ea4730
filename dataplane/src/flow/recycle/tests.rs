//! A full table while another worker stands still.

use std::sync::Arc;

use crate::flow::Inserted;
use crate::flow::testing::{Share, table, tuple};
use crate::types::Protocol;
use crate::types::Tick;

/// Memory of flows that made way is not reused before the other worker has been seen to let go of it. However
/// many have made way by then: whoever was given room gets an entry, and so does a service with room of its own.
#[test]
fn who_was_given_room_gets_an_entry_while_another_worker_stands_still() {
    const FLOWS: u16 = 16_384;
    let table = Arc::new(table(usize::from(FLOWS), 2));
    let (mut at_work, still) = (Share::new(&table, 0), Share::new(&table, 1));
    still.pass();
    at_work.pass();
    let begin = |share: &mut Share, client| {
        let inserted = share.insert(&tuple(client, false, Protocol::Tcp), 2, false, Tick(0));
        assert!(matches!(inserted, Inserted::Created(_)), "flow {client}: {inserted:?}");
        share.pass();
        share.reclaim();
    };
    (0..FLOWS - 64).for_each(|client| begin(&mut at_work, client));
    let mut client = FLOWS;
    while at_work.recycle() {
        begin(&mut at_work, client);
        client += 1;
    }
    let made_way = client - FLOWS;
    assert!((3000..FLOWS / 2).contains(&made_way), "the memory in waiting has a bound: {made_way}");
    (0..64).for_each(|other| begin(&mut at_work, u16::MAX - other));
    still.leave();
    at_work.reclaim();
    assert!(at_work.recycle(), "and they make way again once it has moved");
}
