//! The keys of `[[service]]` that say which backends take new flows.

use std::time::Duration;

use dataplane::schedule::{HashOn, Kind};

use super::super::choice::Then;
use super::super::diagnostic::Report;
use super::super::later;
use super::super::model::{Backup, Choice, Drain, Persistence};
use super::super::reader::Reader;
use super::super::value::{address, boolean, duration, integer, string, word};
use super::{SCHEDULERS, Table};

const HASH_ON: &[(&str, HashOn)] = &[
    ("source", HashOn::Source),
    ("source+port", HashOn::SourceAndPort),
    ("destination-port", HashOn::DestinationPort),
];

const ON_FAILURE: &[(&str, Then)] = &[("keep", Then::Leave), ("reset", Then::Reset), ("move", Then::Move)];
const THEN: &[(&str, Then)] = &[("leave", Then::Leave), ("reset", Then::Reset), ("move", Then::Move)];

/// A backend that is not warm after a day never is.
const SLOWEST: Duration = Duration::from_secs(86_400);

/// The tables among the keys: they are read when the service's own keys are.
pub(super) struct Tables<'r, 'i> {
    backup: Option<Table<'r, 'i>>,
    persistence: Option<Table<'r, 'i>>,
    drain: Option<Table<'r, 'i>>,
}

pub(super) fn keys<'r, 'i>(reader: &mut Reader<'r, 'i, '_>) -> (Choice, Tables<'r, 'i>) {
    let choice = Choice {
        scheduler: reader.take_or("scheduler", Kind::Maglev, word(SCHEDULERS, later::SCHEDULERS)),
        hash_on: reader.take("hash_on", word(HASH_ON, &[])),
        fallback: reader.take("hash_fallback", boolean),
        group_minimum: reader.take_or("group_minimum", 1, integer(1..=u32::MAX)),
        quorum: reader.take("quorum", integer(1..=u32::MAX)),
        hysteresis: reader.take("hysteresis", integer(0..=u32::MAX)),
        notify: reader.take("notify", string),
        backup: None,
        slow_start: reader.take_or("slow_start", Duration::ZERO, duration(Duration::ZERO..=SLOWEST)),
        persistence: None,
        on_failure: reader.take_or("on_backend_failure", Then::Leave, word(ON_FAILURE, &[])),
        drain: None,
    };
    let [backup, persistence, drain] = ["backup", "persistence", "drain"].map(|key| reader.table(key));
    let tables = Tables { backup, persistence, drain };
    (choice, tables)
}

pub(super) fn tables(choice: &mut Choice, tables: Tables<'_, '_>, report: &mut Report<'_>) {
    choice.backup = tables.backup.map(|table| backup(table, report));
    choice.persistence = tables.persistence.map(|table| persistence(table, report));
    choice.drain = tables.drain.map(|table| drain(table, report));
}

fn persistence(table: Table<'_, '_>, report: &mut Report<'_>) -> Persistence {
    let mut reader = Reader::new("persistence", table, report);
    let timeout =
        reader.take_or("timeout", Duration::from_secs(300), duration(Duration::from_secs(1)..=SLOWEST * 7));
    let masks =
        (reader.take_or("mask4", 32, integer(1..=32)), reader.take_or("mask6", 128, integer(1..=128)));
    let group = reader.take("group", string);
    reader.finish();
    Persistence { timeout, masks, group }
}

fn drain(table: Table<'_, '_>, report: &mut Report<'_>) -> Drain {
    let mut reader = Reader::new("drain", table, report);
    let deadline = reader.take("deadline", duration(Duration::from_secs(1)..=SLOWEST * 7));
    let then = reader.take("then", word(THEN, &[]));
    reader.finish();
    Drain { deadline, then }
}

fn backup(table: Table<'_, '_>, report: &mut Report<'_>) -> Backup {
    let mut reader = Reader::new("backup", table, report);
    let address = reader.need("address", "\"10.0.1.250\"", address);
    let port = reader.take("port", integer(1..=u16::MAX));
    reader.finish();
    Backup { address, port }
}

/// What operators write for what a hash looks at.
pub(in super::super) fn hash_on_word(hash_on: HashOn) -> &'static str {
    HASH_ON.iter().find(|(_, h)| *h == hash_on).map_or("unknown", |(word, _)| word)
}

/// What operators write for what becomes of a failed backend's flows.
pub(in super::super) fn on_failure_word(then: Then) -> &'static str {
    ON_FAILURE.iter().find(|(_, t)| *t == then).map_or("unknown", |(word, _)| word)
}

/// What operators write for what becomes of a drained backend's flows.
pub(in super::super) fn then_word(then: Then) -> &'static str {
    THEN.iter().find(|(_, t)| *t == then).map_or("unknown", |(word, _)| word)
}
