//! What a trace has said of a frame, held against what the worker then did: with every row of every table.

use super::{DropReason, Expect, InterfaceId};
use crate::pipeline::trace::{Outcome, Traced, ends};

/// What is used up by being asked for, so that a trace does not ask; what depends on rings; and of a flow that would begin with
/// a PROXY header, what stands in its way.
const NOT_ASKED: &[DropReason] = &[
    DropReason::Overload,
    DropReason::ServiceFull,
    DropReason::ServiceRate,
    DropReason::SourceRate,
    DropReason::ServiceShare,
    DropReason::TableFull,
    DropReason::SnatExhausted,
    DropReason::TxRingFull,
    DropReason::InterfaceGone,
    DropReason::SynWithData,
];

/// A trace must have said the same.
pub(super) fn check(sentence: &str, traced: &Traced, expect: &Expect, sent: &[(InterfaceId, Vec<u8>)]) {
    let said = &traced.outcome;
    let is_same = match (said, expect) {
        (Outcome::Forwarded { interface, frame }, Expect::Sends(by, bytes)) => {
            interface == by && is_alike(frame, bytes)
        }
        (Outcome::Forwarded { interface, .. }, Expect::Like(by, _)) => interface == by,
        (Outcome::Forwarded { interface, .. }, Expect::Releases(all) | Expect::Multiplies(all)) => {
            all.iter().any(|(by, _)| interface == by)
        }
        // Where a flow that was never established makes way, its port is free again.
        (Outcome::Dropped(DropReason::SnatExhausted), Expect::Sends(..) | Expect::Like(..)) => true,
        (Outcome::Forwarded { .. } | Outcome::Dropped(DropReason::SnatExhausted), Expect::Drops(reason)) => {
            NOT_ASKED.contains(reason)
        }
        (Outcome::Dropped(said), Expect::Drops(reason) | Expect::Answers(reason, ..)) => said == reason,
        (Outcome::TooBig { .. }, Expect::Multiplies(_)) => true,
        (Outcome::TooBig { .. }, Expect::Drops(reason) | Expect::Answers(reason, ..)) => {
            *reason == DropReason::TooLong
        }
        (Outcome::Reset, Expect::Drops(reason) | Expect::Answers(reason, ..)) => {
            *reason == DropReason::NoFlow
        }
        // Whose first fragment has come a worker alone knows.
        (Outcome::Fragment, _) => true,
        (Outcome::Waits, Expect::Holds) => true,
        (Outcome::Answered, Expect::Sends(..) | Expect::Like(..) | Expect::Releases(_)) => true,
        (Outcome::ToLinux, Expect::Drops(reason)) => *reason == DropReason::NotOurs,
        (Outcome::ToManagement, Expect::Punts) => true,
        (Outcome::ToManagement, Expect::Drops(reason)) => *reason == DropReason::PuntQueueFull,
        _ => false,
    };
    assert!(is_same, "{sentence}: traced as {said:?}, expected {expect:?}, sent {sent:02x?}");
}

/// The worker draws the port of a new flow with full NAT, and tells the backend of its client. Behind the header of an IPv6
/// fragment, ports are not looked at.
fn is_alike(traced: &[u8], sent: &[u8]) -> bool {
    const FRAGMENT: u8 = 44;
    let is_drawn = ends(traced).is_some_and(|ends| match ends.ports {
        Some((source, _)) => source == 0,
        None => ends.protocol == FRAGMENT,
    });
    traced == sent || is_drawn
}
