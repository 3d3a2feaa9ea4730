//! What a snapshot says of admission.

use std::sync::Arc;

use super::access::AccessList;
use super::backend::{BackendMeter, Thresholds};
use super::meter::ServiceMeter;
use crate::schedule::{Load, Schedule};

/// Of a service.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    /// Which clients may use it. Shared with earlier snapshots while it is the same.
    pub access: Arc<AccessList>,
    /// How much of it there may be.
    pub limits: Limits,
    /// Its flows. Shared with all snapshots that know a service of that name.
    pub meter: Arc<ServiceMeter>,
    /// Modes that translate nothing, with a scheduler that does not choose by the packet alone: the
    /// one that finds the backend of packets for whose flow there is no room.
    pub fallback: Option<Arc<Schedule>>,
}

/// `None`: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Flows at once.
    pub flows: Option<u32>,
    /// New flows a second.
    pub new_per_second: Option<u32>,
    /// Of these, of one client: an IPv4 address, or a /64 of IPv6.
    pub new_per_second_per_source: Option<u32>,
}

/// Of a backend.
#[derive(Debug, Clone, Default)]
pub struct Meters {
    /// That of its service.
    pub service: Arc<ServiceMeter>,
    /// Its own.
    pub backend: Arc<BackendMeter>,
    /// How many flows it takes at once; `None`: any number.
    pub thresholds: Option<Thresholds>,
    /// Whether its answers to handshakes are of interest to the service, which may have to answer in its name.
    pub is_proxied: bool,
}

impl Meters {
    /// Whether less than half of all that flows to the backend may take is taken.
    pub(crate) fn have_plenty(&self) -> bool {
        self.service.has_plenty() && self.backend.has_plenty(self.thresholds)
    }

    /// What its backend has to do now.
    #[must_use]
    pub fn load(&self) -> Load {
        let (flows, inactive) = (self.backend.flows(), self.backend.closing());
        // Two words, read one after the other while others write them.
        let active = flows.saturating_sub(inactive);
        Load { active, inactive, is_full: !self.backend.has_room(self.thresholds) }
    }
}
