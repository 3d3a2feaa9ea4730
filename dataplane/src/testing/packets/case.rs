//! Rows of a table: a configuration and frames one after another, each with its fate.

use super::check::check_all;
use super::{DropReason, Expect, InterfaceId, Moves, Rig};
use crate::snapshot::Snapshot;

/// A worker of its own, and what happens to it.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) snapshot: Snapshot,
    pub(super) rows: Vec<Row>,
}

/// A frame in, and what becomes of it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) ingress: InterfaceId,
    pub(super) frame: Vec<u8>,
    pub(super) expect: Expect,
    pub(super) moves: Moves,
}

impl Case {
    pub(super) fn new(name: impl Into<String>, snapshot: Snapshot, rows: Vec<Row>) -> Self {
        Self { name: name.into(), snapshot, rows }
    }
}

impl Row {
    /// A frame that is dropped, and moves no other counter.
    pub(super) fn drops(
        name: &'static str,
        ingress: InterfaceId,
        frame: Vec<u8>,
        reason: DropReason,
    ) -> Self {
        Self { name, ingress, frame, expect: Expect::Drops(reason), moves: Moves::NOTHING }
    }

    /// The same row with other counters.
    pub(super) fn moving(self, moves: Moves) -> Self {
        Self { moves, ..self }
    }
}

/// Runs all cases, and then says which of them have failed.
pub(super) fn run(cases: Vec<Case>) {
    let failed: Vec<_> = cases.into_iter().filter_map(failed).collect();
    assert!(failed.is_empty(), "{} cases failed:\n{}", failed.len(), failed.join("\n"));
}

/// The name of a case, if it fails.
fn failed(case: Case) -> Option<String> {
    let name = case.name.clone();
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run_one(case))).err().map(|_| name)
}

fn run_one(case: Case) {
    let mut rig = Rig::new(case.snapshot);
    for row in &case.rows {
        let sentence = format!("{}: {}", case.name, row.name);
        check_all(&mut rig, &sentence, (row.ingress, &row.frame), &row.expect, row.moves);
    }
}
