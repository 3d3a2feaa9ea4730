//! What the segments of a connection show of its backend.

use std::sync::Arc;

use super::Direction::{Forward, Return};
use super::*;
use crate::flow::Inserted;
use crate::flow::testing::{Share, table, tuple};

const OPEN: u8 = Flags::SYN;
const ANSWER: u8 = Flags::SYN | Flags::ACK;
const ACK: u8 = Flags::ACK;
const FIN: u8 = Flags::FIN | Flags::ACK;
const RST: u8 = Flags::RST;

/// After a SYN at the tick 0, segments with their ticks: what each has shown.
fn shown(two_way: bool, segments: &[(Direction, u8, u32)]) -> Vec<Option<Reception>> {
    let table = Arc::new(table(8, 1));
    let mut share = Share::new(&table, 0);
    let tuple = tuple(1, false, Protocol::Tcp);
    let Inserted::Created(entry) = share.insert(&tuple, 2, two_way, Tick(0)) else { panic!("no room") };
    let note = |(direction, flags, at): &(Direction, u8, u32)| {
        table.note(entry, *direction, Flags(*flags), Tick(*at), None).and_then(|turn| turn.reception)
    };
    segments.iter().map(note).collect()
}

const fn answered(millis: u32) -> Option<Reception> {
    Some(Reception::Answered { millis })
}

#[test]
fn a_handshake_takes_from_the_last_syn_to_the_answer() {
    let usual = [(Return, ANSWER, 7), (Forward, ACK, 9), (Return, ANSWER, 12)];
    assert_eq!(shown(true, &usual), [answered(7), None, None]);
    let late = [(Forward, OPEN, 1000), (Forward, OPEN, 3000), (Return, ANSWER, 3004)];
    let unanswered = Some(Reception::Unanswered);
    assert_eq!(shown(true, &late), [unanswered, unanswered, answered(4)]);
}

#[test]
fn where_replies_bypass_the_box_the_clients_next_segment_shows_the_answer_and_nothing_shows_silence() {
    assert_eq!(shown(false, &[(Forward, ACK, 30), (Forward, ACK, 31)]), [answered(30), None]);
    assert_eq!(shown(false, &[(Forward, OPEN, 1000), (Forward, OPEN, 3000)]), [None, None]);
    assert_eq!(shown(false, &[(Forward, RST, 5)]), [None], "the client's own");
}

#[test]
fn a_copy_of_a_syn_is_no_silence_and_neither_is_one_after_the_answer() {
    assert_eq!(shown(true, &[(Forward, OPEN, 3)]), [None]);
    let lost = [(Return, ANSWER, 1), (Forward, OPEN, 1000)];
    assert_eq!(shown(true, &lost), [answered(1), None], "the answer was lost behind the box");
}

#[test]
fn a_reset_refuses_a_connection_or_cuts_it_and_is_nothing_after_a_fin_or_before_the_ack() {
    let (refused, cut) = (Some(Reception::Refused), Some(Reception::Cut));
    assert_eq!(shown(true, &[(Return, RST | ACK, 1), (Return, RST, 2)]), [refused, None]);
    let established = [(Return, ANSWER, 0), (Forward, ACK, 0), (Return, RST, 9)];
    assert_eq!(shown(true, &established), [answered(0), None, cut]);
    let closing = [(Return, ANSWER, 0), (Forward, ACK, 0), (Forward, FIN, 1), (Return, RST, 9)];
    assert_eq!(shown(true, &closing)[3], None);
    assert_eq!(shown(true, &[(Return, ANSWER, 0), (Return, RST, 9)])[1], None);
    assert_eq!(shown(true, &[(Return, ANSWER, 0), (Forward, RST, 9)])[1], None, "the client's own");
}
