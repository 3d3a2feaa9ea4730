//! What workers drop is recorded as it came: over all tables, the first frame of each reason in each case.

use std::collections::HashSet;

use super::*;
use crate::limits::RECORDED_BYTES;
use crate::types::Tick;

/// Found when the frame is rewritten already: it is recorded as it would have left.
const FOUND_LATE: [DropReason; 3] = [DropReason::SameSegment, DropReason::SynWithData, DropReason::TooLong];

/// How many frames of which reasons.
fn check_case(case: Case) -> HashSet<DropReason> {
    let mut rig = Rig::new(case.snapshot);
    let mut seen = HashSet::new();
    for row in &case.rows {
        rig.receive(row.ingress, std::slice::from_ref(&row.frame));
        let reason = match &row.expect {
            Expect::Drops(reason) | Expect::Answers(reason, ..) => *reason,
            _ => continue,
        };
        if seen.insert(reason) {
            let sentence = format!("{}: {}", case.name, row.name);
            let recorded: Vec<_> = rig.counters.recorder.read(reason, Tick(0)).collect();
            let beginning = &row.frame[..row.frame.len().min(RECORDED_BYTES)];
            let [frame] = &recorded[..] else { panic!("{sentence}: {recorded:02x?}") };
            assert_eq!(frame.ingress, Some(row.ingress), "{sentence}");
            if !FOUND_LATE.contains(&reason) {
                assert_eq!(usize::from(frame.length), row.frame.len(), "{sentence}");
                assert_eq!(format!("{:02x?}", frame.bytes), format!("{beginning:02x?}"), "{sentence}");
            }
        }
    }
    seen
}

#[test]
fn what_is_dropped_is_recorded_as_it_came() {
    let seen: HashSet<_> = TABLES.iter().flat_map(|cases| cases()).flat_map(check_case).collect();
    assert!(seen.len() >= 20, "of {} reasons", seen.len());
}
