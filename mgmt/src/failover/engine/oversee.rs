//! The look at the supervisor: without it neither neighbours nor checks nor requests are served, so this node must not
//! be master.

use std::time::Instant;

use super::Engine;
use crate::pulse::Change;
use crate::vrrp::router::Standing;
use crate::vrrp::wanted::Wanted;

impl Engine {
    /// Leaves the election while the supervisor is stalled, and comes back to it. The state of each virtual router is
    /// news for the log, which the supervisor writes once it turns again.
    pub(super) fn oversee(&mut self, now: Instant) {
        if self.wanted.is_empty() || self.is_ending {
            return;
        }
        match self.supervisor.look(now) {
            Some(Change::Stalled | Change::GoesOn) => {
                let wanted = effective(&self.wanted, self.supervisor.is_stalled());
                self.fleet.follow(wanted, now);
                self.carry_out(now);
                self.has_other_words = true;
            }
            None => {}
        }
    }

    /// When the supervisor is looked at next.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let is_watched = !self.wanted.is_empty() && !self.is_ending;
        self.supervisor.next().filter(|_| is_watched)
    }
}

/// The virtual routers as they may be. A node that is stalled takes part in no election.
pub(super) fn effective(wanted: &[Wanted], is_stalled: bool) -> Vec<Wanted> {
    let mut wanted = wanted.to_vec();
    if is_stalled {
        wanted.iter_mut().for_each(|one| one.standing = Standing::Unfit);
    }
    wanted
}
