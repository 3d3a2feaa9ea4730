//! All that a stage may touch besides the batch.

use std::net::IpAddr;

use super::answer::Budget;
use super::openings::Openings;
use super::source::Draws;
use super::spares::Spares;
use crate::flow::{Endpoints, FlowTable, Keeper};
use crate::fragment::Fragments;
use crate::snapshot::{Backend, Endpoint, Fate, Forwarding, Snapshot};
use crate::stats::WorkerCounters;
use crate::syn_proxy::Secret;
use crate::types::Tick;
use crate::types::{BackendId, InterfaceId, Mac, Port, ServiceId, SnatId};
use crate::unresolved::Unresolved;

/// See the module's head. Made anew for every batch: the snapshot and the time are read once.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) table: &'a FlowTable,
    pub(crate) keeper: &'a mut Keeper,
    pub(crate) counters: &'a WorkerCounters,
    pub(crate) now: Tick,
    pub(crate) fragments: &'a mut Fragments,
    pub(crate) answers: &'a mut Budget,
    pub(crate) spares: &'a mut Spares,
    pub(crate) openings: &'a mut Openings,
    pub(crate) draws: &'a mut Draws,
    /// Of the cookies.
    pub(crate) secret: &'a Secret,
    /// Frames are coming faster than this worker can take them.
    pub(crate) is_overloaded: bool,
    /// The service that was asked for last in this batch.
    pub(crate) asked: Option<(Endpoint, ServiceId)>,
    pub(crate) unresolved: &'a mut Unresolved,
    /// The last station that the kernel's bridge does not know; the worker reports it to management.
    pub(crate) station: Option<Station>,
}

/// A station behind a port of a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Station {
    pub(crate) interface: InterfaceId,
    pub(crate) mac: Mac,
}

impl Endpoints for Snapshot {
    #[inline(always)]
    fn endpoint(&self, backend: BackendId) -> Option<(IpAddr, Option<Port>)> {
        self.backend(backend).map(|b| (b.address, b.port))
    }

    #[inline(always)]
    fn snat(&self, address: SnatId) -> Option<IpAddr> {
        self.snat.get(address.index()).copied().flatten()
    }

    /// Not a flow of a backend on its way out: the drain ends with the last flow.
    fn may_wait(&self, backend: BackendId, snat: Option<(SnatId, Port)>) -> bool {
        let has_ports = |backend: &Backend| match (&backend.forwarding, snat) {
            (Forwarding::OneArm(one_arm), Some((address, _))) => one_arm.has_plenty_of_ports(address),
            _ => true,
        };
        self.fate(backend) == Fate::Stays
            && self.backend(backend).is_some_and(|backend| backend.meters.have_plenty() && has_ports(backend))
    }
}
