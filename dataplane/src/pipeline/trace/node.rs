//! Packets of the node itself: Linux sends them, and no worker gets them.

use super::{Outcome, Question, Step};
use crate::snapshot::Snapshot;
use crate::types::Tick;

/// What becomes of a packet whose source is an address of the node; `None`: it is another one.
pub(super) fn own(snapshot: &Snapshot, question: &Question, now: Tick) -> Option<(Vec<Step>, Outcome)> {
    let destination = question.destination.ip();
    if !snapshot.local_addresses.contains(&question.source.ip()) {
        return None;
    }
    let mut steps = vec![Step::OwnAddress];
    if !snapshot.vips.contains(destination) {
        return Some((steps, Outcome::SentByLinux));
    }
    let is_elsewhere = snapshot.tenancies.is_elsewhere(destination, now.0);
    if is_elsewhere || snapshot.tenancies.of(destination).is_some() {
        steps.push(Step::Master(!is_elsewhere));
    }
    Some((steps, if is_elsewhere { Outcome::SentByLinux } else { Outcome::NotServed }))
}
