//! The end of a connection, whose segments in the two directions may come to two workers.

use std::sync::Arc;

use loom::thread;

use crate::flow::tcp_state::Life;
use crate::flow::testing::{Share, table, tuple};
use crate::flow::{Direction, EntryRef, FlowTable, Inserted, Numbers};
use crate::sync::explore;
use crate::types::Protocol;
use crate::types::Tick;
use crate::wire::tcp::Flags;
use Direction::{Forward, Return};

/// Where the client and the server go on.
const A: u32 = 1000;
const B: u32 = 5000;
const ACK: u8 = Flags::ACK;
const FIN: u8 = Flags::FIN | Flags::ACK;

fn takes(table: &FlowTable, flow: EntryRef, direction: Direction, flags: u8, start: u32, acknowledged: u32) {
    let length = u32::from(Flags(flags).has(Flags::FIN));
    let numbers = Numbers { start, end: start + length, acknowledged: Some(acknowledged) };
    table.note(flow, direction, Flags(flags), Tick(1), Some(numbers));
}

/// A connection whose server has finished.
fn half_closed() -> (Arc<FlowTable>, EntryRef) {
    let table = Arc::new(table(4, 1));
    let mut share = Share::new(&table, 0);
    let inserted = share.insert(&tuple(1, false, Protocol::Tcp), 2, true, Tick(0));
    let Inserted::Created(flow) = inserted else { panic!("{inserted:?}") };
    takes(&table, flow, Return, Flags::SYN | Flags::ACK, B - 1, A - 100);
    takes(&table, flow, Forward, ACK, A - 100, B);
    // Data of the client is on its way.
    takes(&table, flow, Return, FIN, B, A - 100);
    (table, flow)
}

#[test]
fn a_fin_and_an_older_acknowledgement_that_meet_leave_the_fin() {
    explore(4, || {
        let (table, flow) = half_closed();
        let others = Arc::clone(&table);
        let other = thread::spawn(move || takes(&others, flow, Return, ACK, B + 1, A));
        takes(&table, flow, Forward, FIN, A, B + 1);
        other.join().unwrap();
        takes(&table, flow, Return, ACK, B + 1, A + 1);
        assert_eq!(table.entry(flow).life(), Life::Over);
    });
}

#[test]
fn a_fin_and_its_acknowledgement_that_meet_a_late_segment_are_proven_in_the_end() {
    explore(3, || {
        let (table, flow) = half_closed();
        takes(&table, flow, Forward, FIN, A + (2 << 20), B + 1);
        let others = Arc::clone(&table);
        let other = thread::spawn(move || takes(&others, flow, Return, ACK, B + 1, A + (2 << 20) + 1));
        takes(&table, flow, Forward, ACK, A, B + 1);
        other.join().unwrap();
        // Sent again, for the late segment came behind it.
        takes(&table, flow, Return, ACK, B + 1, A + (2 << 20) + 1);
        assert_eq!(table.entry(flow).life(), Life::Over);
    });
}
