//! What was seen so far of what is looked at again and again.

use std::sync::Arc;

use super::{claims, pressure, quorum, workers};
use crate::health::engine::Checks;
use crate::pulse;

/// See the module's head.
#[derive(Debug)]
pub(super) struct Watched {
    /// The thread of the checks.
    pub(super) checks: pulse::Watch,
    pub(super) pressures: pressure::Pressures,
    /// Services whose handshakes are answered by cookie.
    pub(super) cookies: pressure::Pressures,
    pub(super) quorums: quorum::Quorums,
    pub(super) claims: claims::Claims,
    pub(super) workers: workers::Workers,
}

impl Watched {
    pub(super) fn new(checks: &Checks) -> Self {
        Self {
            checks: pulse::Watch::new(Arc::clone(checks.beat())),
            pressures: pressure::Pressures::default(),
            cookies: pressure::Pressures::default(),
            quorums: quorum::Quorums::default(),
            claims: claims::Claims::default(),
            workers: workers::Workers::default(),
        }
    }
}
