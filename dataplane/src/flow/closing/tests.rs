//! Connections and how they end: segments with their numbers, and what the flow's timeout goes by then.

use std::sync::Arc;

use super::Direction::{Forward, Return};
use super::*;
use crate::flow::FlowState::{self, Closed, Established, Fin};
use crate::flow::tcp_state::Life::{self, BrokenHandshake, InDoubt, Open, Over};
use crate::flow::testing::{Share, table, tuple};
use crate::flow::{Inserted, Timeouts, Turn};
use crate::limits::ENDINGS;
use crate::types::Protocol;
use crate::types::Tick;

const SYN: u8 = Flags::SYN;
const SYN_ACK: u8 = Flags::SYN | Flags::ACK;
const ACK: u8 = Flags::ACK;
const FIN: u8 = Flags::FIN | Flags::ACK;
const RST: u8 = Flags::RST;
const RST_ACK: u8 = Flags::RST | Flags::ACK;

/// Direction, flags, number of the first byte, bytes, number that is acknowledged.
type Segment = (Direction, u8, u32, u32, u32);

/// The client goes on with 1000, the server with 5000.
const A: u32 = 1000;
const B: u32 = 5000;

const CLIENT_FINISHES: [Segment; 2] = [(Forward, FIN, A, 0, B), (Return, ACK, B, 0, A + 1)];
const SERVER_FINISHES: [Segment; 2] = [(Return, FIN, B, 0, A), (Forward, ACK, A, 0, B + 1)];

struct Connection {
    table: Arc<FlowTable>,
    share: Share,
    flow: EntryRef,
    turns: Vec<Turn>,
}

impl Connection {
    /// After a SYN.
    fn begun(two_way: bool) -> Self {
        let table = Arc::new(table(64, 1));
        let mut share = Share::new(&table, 0);
        let inserted = share.insert(&tuple(1, false, Protocol::Tcp), 2, two_way, Tick(0));
        let Inserted::Created(flow) = inserted else { panic!("{inserted:?}") };
        Self { table, share, flow, turns: Vec::new() }
    }

    fn established(two_way: bool) -> Self {
        let mut connection = Self::begun(two_way);
        if two_way {
            connection.takes(&[(Return, SYN_ACK, B - 1, 0, A)]);
        }
        connection.takes(&[(Forward, ACK, A, 0, B)]);
        connection
    }

    fn takes(&mut self, segments: &[Segment]) {
        for &(direction, flags, start, data, acknowledged) in segments {
            let flags = Flags(flags);
            let end = start.wrapping_add(data + u32::from(flags.has(Flags::FIN)));
            let acknowledged = flags.has(Flags::ACK).then_some(acknowledged);
            // As the pipeline: they are read where they are asked for.
            let asks = self.table.entry(self.flow).asks_for_numbers(flags) || flags.has(Flags::SYN);
            let numbers = asks.then_some(Numbers { start, end, acknowledged });
            self.turns.extend(self.table.note(self.flow, direction, flags, Tick(1), numbers));
        }
    }

    /// A connection to another address of the service, from the same client port to the same backend.
    fn other_begins(&mut self) -> Inserted {
        let mut other = tuple(1, false, Protocol::Tcp);
        let crate::flow::Addresses::V4 { destination, .. } = &mut other.addresses else { panic!("IPv4") };
        *destination = [10, 0, 0, 101].into();
        self.share.insert(&other, 2, true, Tick(2))
    }

    fn is(&self) -> (FlowState, Life) {
        let entry = self.table.entry(self.flow);
        (entry.state(), entry.life())
    }

    /// How many more times it has begun to count as closing than it has stopped.
    fn closing(&self) -> i32 {
        self.turns.iter().map(|turn| i32::from(turn.closing) - i32::from(turn.reopened)).sum()
    }
}

#[track_caller]
fn ends(segments: &[Segment], expected: (FlowState, Life)) {
    let mut connection = Connection::established(true);
    connection.takes(segments);
    assert_eq!(connection.is(), expected);
    assert_eq!(connection.closing(), i32::from(expected.0 != Established), "it counts as what it is");
}

#[test]
fn both_sides_finish_and_acknowledge() {
    ends(&[], (Established, Open));
    for finishes in [CLIENT_FINISHES, SERVER_FINISHES] {
        ends(&finishes[..1], (Fin, Open));
        ends(&finishes, (Fin, Open));
    }
    let last = [(Return, FIN, B, 0, A + 1), (Forward, ACK, A + 1, 0, B + 1)];
    ends(&[CLIENT_FINISHES[0], last[0]], (Fin, InDoubt));
    ends(&[CLIENT_FINISHES[0], last[0], last[1]], (Fin, Over));
    // Each FIN and each ACK once more changes nothing.
    ends(&[CLIENT_FINISHES[0], last[0], last[1], last[0], last[1], CLIENT_FINISHES[0]], (Fin, Over));
    let server_first = [(Forward, FIN, A, 0, B + 1), (Return, ACK, B + 1, 0, A + 1)];
    ends(&[SERVER_FINISHES[0], SERVER_FINISHES[1], server_first[0], server_first[1]], (Fin, Over));
    // Both at once.
    let crossed = [(Return, FIN, B, 0, A), (Return, ACK, B + 1, 0, A + 1), (Forward, ACK, A + 1, 0, B + 1)];
    ends(&[CLIENT_FINISHES[0], crossed[0], crossed[1], crossed[2]], (Fin, Over));
}

#[test]
fn the_answer_to_a_client_that_has_finished_may_be_long() {
    let mut connection = Connection::established(true);
    connection.takes(&CLIENT_FINISHES);
    for n in 0..5000 {
        let number = B.wrapping_add(1_000_000_u32.wrapping_mul(n));
        connection.takes(&[(Return, ACK, number, 1_000_000, A + 1), (Forward, ACK, A + 1, 0, number)]);
        assert_eq!(connection.is(), (Fin, Open));
    }
    let end = B.wrapping_add(5000_u32.wrapping_mul(1_000_000));
    connection.takes(&[(Return, FIN, end, 0, A + 1), (Forward, ACK, A + 1, 0, end + 1)]);
    assert_eq!(connection.is(), (Fin, Over));
}

#[test]
fn what_was_sent_before_a_fin_and_comes_behind_it_takes_nothing_back() {
    ends(
        &[(Forward, FIN, A + 3000, 100, B), (Forward, ACK, A, 1500, B), (Forward, ACK, A + 1500, 1500, B)],
        (Fin, Open),
    );
    let retransmitted = [(Forward, ACK, A + 1500, 1500, B), (Return, ACK, B, 0, A + 3101)];
    let server = [(Return, FIN, B, 0, A + 3101), (Forward, ACK, A + 3101, 0, B + 1)];
    ends(
        &[(Forward, FIN, A + 3000, 100, B), retransmitted[0], retransmitted[1], server[0], server[1]],
        (Fin, Over),
    );
}

#[test]
fn a_reset_out_of_the_blue_waits_and_what_follows_takes_it_back() {
    for side in [Forward, Return] {
        for flags in [RST, RST_ACK] {
            let blind = (side, flags, 0x7777_7777, 0, 0x1234_5678);
            ends(&[blind], (Closed, InDoubt));
            for other in [Forward, Return] {
                let (start, acknowledged) = if other == Forward { (A, B) } else { (B, A) };
                ends(&[blind, (other, ACK, start, 0, acknowledged)], (Established, Open));
                ends(&[blind, (other, ACK, start, 9, acknowledged), blind], (Closed, InDoubt));
            }
        }
    }
}

#[test]
fn a_reset_that_fits_ends_the_connection() {
    // The client is gone while data is on its way: each segment of that is answered by a reset where it acknowledges.
    let download = [(Forward, RST_ACK, A, 0, B), (Return, ACK, B, 1460, A), (Forward, RST, A, 0, 0)];
    ends(&download[..2], (Established, Open));
    ends(&download, (Closed, Over));
    // What is still on its way does not bring it back.
    ends(&[download[0], download[1], download[2], (Return, ACK, B + 1460, 1460, A)], (Closed, Over));
    // The server is gone when the client finishes.
    ends(&[CLIENT_FINISHES[0], (Return, RST, B, 0, 0)], (Closed, Over));
    // The server has finished, and the client ends by a reset.
    ends(&[SERVER_FINISHES[0], SERVER_FINISHES[1], (Forward, RST_ACK, A, 0, B + 1)], (Closed, Over));
    // The client has finished, and does not want the answer.
    let answer = [(Return, ACK, B, 100, A + 1), (Forward, RST, A + 1, 0, 0)];
    ends(&[CLIENT_FINISHES[0], CLIENT_FINISHES[1], answer[0], answer[1]], (Closed, Over));
    // After all is over it changes nothing.
    let over = [(Return, FIN, B, 0, A + 1), (Forward, ACK, A + 1, 0, B + 1), (Forward, RST, A + 1, 0, 0)];
    ends(&[CLIENT_FINISHES[0], over[0], over[1], over[2]], (Closed, Over));
}

#[test]
fn blind_fins_end_nothing() {
    let fins = [(Forward, FIN, 0x7777_7777, 0, 1), (Return, FIN, 0x5555_5555, 0, 2)];
    ends(&fins[..1], (Fin, Open));
    ends(&fins, (Fin, InDoubt));
    // The ends answer what does not fit with where they are (RFC 9293 section 3.10.7.4), or simply go on.
    let go_on = [(Return, ACK, B, 0, A), (Forward, ACK, A, 0, B)];
    ends(&[fins[0], go_on[0]], (Fin, Open));
    ends(&[fins[0], go_on[1]], (Established, Open));
    ends(&[fins[0], fins[1], go_on[0]], (Fin, Open));
    ends(&[fins[0], fins[1], go_on[0], go_on[1]], (Established, Open));
    // A reset with the number of a FIN that has been made up as well proves nothing.
    ends(&[fins[0], (Forward, RST, 0x7777_7778, 0, 0)], (Closed, InDoubt));
    ends(&[fins[0], fins[1], (Forward, RST, 0x7777_7778, 0, 0), go_on[0], go_on[1]], (Established, Open));
}

#[test]
fn ten_thousand_blind_segments_end_nothing() {
    let mut connection = Connection::established(true);
    let mut random = 0x9e37_79b9_u32;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        random
    };
    for n in 0..10_000 {
        let side = if next() & 1 == 0 { Forward } else { Return };
        let flags = [FIN, RST, RST_ACK, ACK][n % 4];
        connection.takes(&[(side, flags, next(), 0, next())]);
        assert_ne!(connection.is().1, Over, "{n}");
    }
    connection.takes(&[(Return, ACK, B, 10, A), (Forward, ACK, A, 0, B + 10)]);
    connection.takes(&[(Return, ACK, B + 10, 10, A), (Forward, ACK, A, 0, B + 20)]);
    assert_eq!((connection.is(), connection.closing()), ((Established, Open), 0));
}

#[test]
fn a_fin_that_another_one_has_displaced_can_still_be_the_right_one() {
    let (right, blind) = (CLIENT_FINISHES[0], (Forward, FIN, 0x7777_7777, 0, 1));
    ends(
        &[blind, right, CLIENT_FINISHES[1], SERVER_FINISHES[0], (Forward, ACK, A + 1, 0, B + 1)],
        (Fin, Over),
    );
    // A blind one behind the right one takes its proof away, until its sender goes on.
    let over = [right, CLIENT_FINISHES[1], (Return, FIN, B, 0, A + 1), (Forward, ACK, A + 1, 0, B + 1)];
    ends(&[over[0], over[1], over[2], over[3], blind], (Fin, InDoubt));
}

#[test]
fn a_handshake_that_is_ended_stays_one() {
    for (side, flags) in
        [(Return, RST_ACK), (Forward, RST), (Forward, RST_ACK), (Forward, FIN), (Return, FIN)]
    {
        let mut connection = Connection::begun(true);
        connection.takes(&[(side, flags, 1, 0, 1)]);
        assert_eq!(connection.is().1, BrokenHandshake, "{side:?} {flags:#x}");
        connection.takes(&[(Return, SYN_ACK, B - 1, 0, A), (side, flags, 1, 0, 1)]);
        assert_eq!(connection.is().1, BrokenHandshake, "{side:?} {flags:#x}, answered");
        assert!(connection.table.entry(connection.flow).is_young(), "the first to make way");
        // The client goes on: it was nothing.
        connection.takes(&[(Forward, ACK, A, 0, B), (Return, ACK, B, 0, A)]);
        assert_eq!(connection.is().1, Open);
        assert_eq!(connection.turns.iter().filter(|turn| turn.established).count(), 1, "counted once");
    }
    let mut connection = Connection::begun(true);
    connection.takes(&[
        (Return, SYN_ACK, B - 1, 0, A),
        (Forward, FIN, A, 10, B),
        (Return, ACK, B, 0, A + 11),
    ]);
    assert_eq!(connection.is(), (Fin, Open), "the end of a handshake with data and a FIN, acknowledged");
}

#[test]
fn where_replies_bypass_the_node_a_fin_is_in_doubt_until_its_sender_goes_on_elsewhere() {
    let fin = (Forward, FIN, A, 0, B);
    for (segments, expected) in [
        (vec![fin], (Fin, InDoubt)),
        (vec![fin, (Forward, ACK, A + 1, 0, B + 1)], (Fin, InDoubt)),
        (vec![(Forward, FIN, 0x7777_7777, 0, B), (Forward, ACK, A, 0, B)], (Established, Open)),
        (vec![(Forward, RST, 0x7777_7777, 0, B)], (Closed, InDoubt)),
        (vec![(Forward, RST, 0x7777_7777, 0, B), (Forward, ACK, A, 0, B)], (Established, Open)),
    ] {
        let mut connection = Connection::established(false);
        connection.takes(&segments);
        assert_eq!(connection.is(), expected, "{segments:?}");
    }
}

#[test]
fn a_flow_that_begins_with_a_fin_has_nothing_to_wait_for() {
    let table = table(64, 1);
    let tuple = tuple(1, false, Protocol::Tcp);
    let flags = Flags(FIN);
    let (hash, backend) = (table.hash(&tuple), crate::types::BackendId(2));
    let flow = crate::flow::NewFlow {
        tuple: &tuple,
        hash,
        backend,
        two_way: false,
        flags,
        nat: None,
        handshake: None,
    };
    let mut keeper = crate::flow::Keeper::new(&table, crate::types::WorkerId(0));
    let inserted = table.insert(&mut keeper, &flow, &crate::flow::testing::Backends, Tick(0));
    let Inserted::Created(entry) = inserted else { panic!("{inserted:?}") };
    assert_eq!((table.entry(entry).life(), table.entry(entry).backend()), (Over, backend));
    table.note(entry, Forward, flags, Tick(1), Some(Numbers { start: 1, end: 2, acknowledged: None }));
    assert_eq!(table.entry(entry).life(), Over, "once more");
}

/// A server's resets are a sign of its health; those that are taken back must not be one each.
#[test]
fn of_resets_that_are_taken_back_one_counts_as_the_servers() {
    let mut connection = Connection::established(true);
    for _ in 0..100 {
        connection.takes(&[(Return, RST, 7, 0, 0), (Forward, ACK, A, 0, B)]);
    }
    let cut = connection.turns.iter().filter(|turn| turn.reception == Some(crate::flow::Reception::Cut));
    assert_eq!(cut.count(), 1);
}

#[test]
fn numbers_are_remembered_of_the_latest_that_has_the_place() {
    use crate::flow::sequences::{Known, Sequences};
    let sequences = Sequences::new(usize::MAX >> 1);
    let [one, other] = [7, 7 + u32::try_from(ENDINGS).unwrap()].map(EntryRef::from_number);
    let all = |number| [Known::GoesOn, Known::Fin, Known::DoubtedFin, Known::Syn].map(|known| known(number));
    for known in all(1).into_iter().chain(all(0)).chain(all(u32::MAX)) {
        sequences.set(one, Forward, known);
        sequences.set(one, Return, Known::Fin(2));
        assert_eq!([Forward, Return].map(|of| sequences.known(one, of)), [known, Known::Fin(2)]);
        assert!(!sequences.replace(one, Forward, Known::Nothing, Known::Fin(3)));
        assert!(!sequences.replace(one, Forward, Known::GoesOn(3), Known::Fin(3)));
        assert!(sequences.replace(one, Forward, known, Known::Fin(3)));
        sequences.forget(one);
        assert!(sequences.replace(one, Forward, Known::Nothing, Known::Fin(3)));
    }
    sequences.begin(one, 10, 20);
    assert_eq!([Forward, Return].map(|of| sequences.distance(one, of, 30)), [Some(20), Some(10)]);
    assert!(sequences.replace(other, Forward, Known::Nothing, Known::Fin(4)), "whatever the place has");
    assert_eq!([one, other].map(|entry| sequences.known(entry, Forward)), [Known::Nothing, Known::Fin(4)]);
    assert_eq!(sequences.distance(other, Forward, 30), None);
    sequences.forget(one);
    assert_eq!(sequences.known(other, Forward), Known::Fin(4));
    assert_eq!(sequences.distance(one, Forward, 30), None);
}

#[test]
fn a_connection_keeps_the_port_of_its_client_until_both_sides_have_finished() {
    let mut connection = Connection::established(true);
    connection.takes(&CLIENT_FINISHES);
    assert_eq!(connection.other_begins(), Inserted::TupleInUse);
    connection.takes(&[(Return, FIN, B, 0, A + 1)]);
    assert_eq!(connection.other_begins(), Inserted::TupleInUse, "the client has not acknowledged it");
    connection.takes(&[(Forward, ACK, A + 1, 0, B + 1)]);
    assert!(matches!(connection.other_begins(), Inserted::Created(_)));
}

#[test]
fn a_connection_whose_end_may_be_forged_keeps_the_port_of_its_client() {
    for side in [Forward, Return] {
        let mut connection = Connection::established(true);
        connection.takes(&[(side, RST, 0x7777_7777, 0, 0)]);
        assert_eq!(connection.other_begins(), Inserted::TupleInUse, "{side:?}");
        connection.takes(&[(Return, ACK, B, 10, A), (Forward, ACK, A, 0, B + 10)]);
        assert_eq!(connection.is(), (Established, Open), "{side:?}");
        connection.takes(&[(Forward, FIN, 7, 0, 9), (Return, FIN, 9, 0, 8)]);
        assert_eq!(connection.other_begins(), Inserted::TupleInUse, "{side:?}, two FINs");
    }
    let mut refused = Connection::begun(true);
    refused.takes(&[(Return, RST_ACK, 0, 0, A)]);
    assert!(matches!(refused.other_begins(), Inserted::Created(_)), "a handshake that is refused");
}

#[test]
fn the_number_of_a_fin_that_was_taken_back_proves_no_reset() {
    // Three blind packets of one side.
    let blind = [
        (Forward, FIN, 0x7777_7776, 0, 1),
        (Forward, ACK, 0xb777_7777, 0, 1),
        (Forward, RST, 0x7777_7777, 0, 0),
    ];
    let go_on = [(Return, ACK, B, 10, A), (Forward, ACK, A, 0, B + 10)];
    ends(&blind, (Closed, InDoubt));
    ends(&[blind[0], blind[1], blind[2], go_on[0], go_on[1]], (Established, Open));
    for side in [Forward, Return] {
        let as_side = |number: usize| (side, blind[number].1, blind[number].2, 0, 1);
        ends(&[as_side(0), as_side(1), as_side(2)], (Closed, InDoubt));
    }
}

/// A host that knows addresses and ports alone, and sends as both sides: what it sends fits itself, and the numbers of
/// the connection only by chance.
#[test]
fn what_both_sides_are_made_up_to_agree_on_proves_nothing() {
    let (x, y) = (0x7777_7777, 0x5555_5555);
    let attempts: [&[Segment]; 5] = [
        &[(Forward, FIN, x, 0, y), (Return, FIN, y, 0, x + 1), (Forward, ACK, x + 1, 0, y + 1)],
        &[(Forward, FIN, x, 0, y), (Return, ACK, y, 0, x + 1), (Return, RST, y, 0, 0)],
        &[(Forward, RST_ACK, x, 0, y), (Forward, ACK, x, 0, y), (Return, RST, y, 0, 0)],
        &[(Forward, RST_ACK, x, 0, y), (Return, ACK, y, 0, x), (Forward, RST, x, 0, 0)],
        &[
            (Forward, RST, x, 0, y),
            (Forward, SYN, x, 0, 0),
            (Return, SYN_ACK, y, 0, x + 1),
            (Forward, ACK, x + 1, 0, y + 1),
            (Forward, FIN, x + 1, 0, y + 1),
            (Return, FIN, y + 1, 0, x + 2),
            (Forward, ACK, x + 2, 0, y + 2),
        ],
    ];
    for attempt in attempts {
        let mut connection = Connection::established(true);
        connection.takes(attempt);
        assert_ne!(connection.is().1, Over, "{attempt:x?}");
        assert_eq!(connection.other_begins(), Inserted::TupleInUse, "{attempt:x?}");
        connection.takes(&[(Return, ACK, B, 10, A), (Forward, ACK, A, 0, B + 10)]);
        connection.takes(&[(Return, ACK, B + 10, 10, A), (Forward, ACK, A, 0, B + 20)]);
        assert_eq!((connection.is(), connection.closing()), ((Established, Open), 0), "{attempt:x?}");
    }
}

#[test]
fn the_numbers_of_an_earlier_flow_of_the_entry_prove_nothing() {
    for side in [Forward, Return] {
        let (start, acknowledged) = if side == Forward { (A, B) } else { (B, A) };
        let mut connection = Connection::established(true);
        let (first, timeouts) = (connection.flow, Timeouts::from(&crate::snapshot::FlowTimeouts::default()));
        let (end, answer) =
            ((side, RST_ACK, start, 0, acknowledged), (side.reversed(), ACK, acknowledged, 0, start));
        connection.takes(&[end, answer]);
        connection.share.end(first);
        for n in 1..10_000 {
            connection.share.pass();
            connection.share.sweep(&timeouts, Tick(n * 100));
            connection.share.reclaim();
        }
        let taken = (2..100).find_map(|client| {
            let tuple = tuple(client, false, Protocol::Tcp);
            match connection.share.insert(&tuple, 2, true, Tick(1_000_000)) {
                Inserted::Created(flow) if flow == first => Some(flow),
                _ => None,
            }
        });
        connection.flow = taken.expect("the entry is used again");
        connection.takes(&[(Return, SYN_ACK, B - 1, 0, A), (Forward, ACK, A, 0, B)]);
        connection.takes(&[(side, RST, start, 0, 0)]);
        assert_eq!(connection.is(), (Closed, InDoubt), "{side:?}");
    }
}

/// A fast download: the FIN is far ahead of what was lost and is sent again.
#[test]
fn a_fin_far_ahead_of_a_late_segment_is_proven_when_it_is_acknowledged() {
    let end = B + (2 << 20);
    let late = [
        (Return, FIN, end, 0, A),
        (Forward, ACK, A, 0, B + 1460),
        (Return, ACK, B + 1460, 1460, A),
        (Forward, ACK, A, 0, B + 2920),
        (Return, ACK, B + 2920, 1460, A),
    ];
    let all =
        [(Forward, ACK, A, 0, end + 1), (Forward, FIN, A, 0, end + 1), (Return, ACK, end + 1, 0, A + 1)];
    let mut connection = Connection::established(true);
    connection.takes(&late);
    assert_eq!(connection.is(), (Established, Open), "its sender seems to go on elsewhere");
    connection.takes(&all[..1]);
    assert_eq!(connection.is(), (Fin, Open));
    connection.takes(&all[1..]);
    assert_eq!((connection.is(), connection.closing()), ((Fin, Over), 1));
    // The client finishes and acknowledges at once.
    let at_once =
        [late[0], late[1], late[2], (Forward, FIN, A, 0, end + 1), (Return, ACK, end + 1, 0, A + 1)];
    ends(&at_once, (Fin, Over));
}

/// Two workers: one has looked at the flow before the FIN, and finishes behind it.
#[test]
fn an_acknowledgement_does_not_displace_a_fin_that_came_meanwhile() {
    let mut connection = Connection::established(true);
    connection.takes(&[(Return, FIN, B, 0, A)]);
    let before = connection.table.entry(connection.flow).seen();
    connection.takes(&[(Forward, FIN, A, 0, B + 1)]);
    let numbers = Some(Numbers { start: B + 1, end: B + 1, acknowledged: Some(A) });
    let older = Ending { flow: connection.flow, direction: Return, flags: Flags(ACK), numbers };
    connection.table.weigh(older, before);
    connection.takes(&[(Return, ACK, B + 1, 0, A + 1), (Forward, ACK, A + 1, 0, B + 1)]);
    assert_eq!(connection.is(), (Fin, Over));
}

/// A client that uses its port again, at a backend that knows more of the end than the node does.
#[test]
fn a_handshake_that_the_backend_takes_makes_a_closed_connection_an_open_one() {
    let (x, y) = (0x7777_0000, 0x5555_0000);
    for end in [&[(Forward, RST_ACK, A, 0, B)][..], &CLIENT_FINISHES[..1]] {
        let mut connection = Connection::established(true);
        connection.takes(end);
        connection.takes(&[
            (Forward, SYN, x, 0, 0),
            (Return, SYN_ACK, y, 0, x + 1),
            (Forward, ACK, x + 1, 0, y + 1),
        ]);
        assert_eq!((connection.is(), connection.closing()), ((Established, Open), 0), "{end:?}");
        connection.takes(&[(Forward, FIN, x + 1, 0, y + 1), (Return, FIN, y + 1, 0, x + 2)]);
        connection.takes(&[(Forward, ACK, x + 2, 0, y + 2)]);
        assert_eq!(
            (connection.is(), connection.closing()),
            ((Fin, InDoubt), 1),
            "{end:?}: its numbers are not known"
        );
    }
    // One that is alive answers by where it is (RFC 5961 section 4), and the client that has forgotten it resets it there.
    let forgotten =
        [(Forward, RST, 7, 0, 0), (Forward, SYN, x, 0, 0), (Return, ACK, B, 0, A), (Forward, RST, A, 0, 0)];
    ends(&forgotten[..3], (Established, Open));
    ends(&forgotten, (Closed, Over));
}
