//! A service: what clients connect to.

use std::sync::Arc;

use crate::admission::{Admission, SynProxy};
use crate::persistence::Persistence;
use crate::schedule::{HashOn, Schedule};
use crate::types::ClientAddress;
use crate::types::{Mode, PortRange, Prefix, Protocol, VlanId};

/// A virtual IP, protocol and port, and how its new flows find a backend.
#[derive(Debug, Clone)]
pub struct Service {
    /// The virtual IP, or all of a prefix.
    pub vip: Prefix,
    /// The virtual ports.
    pub ports: PortRange,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// How packets are forwarded.
    pub mode: Mode,
    /// The VLAN that clients have to come by; `None`: any, or none.
    pub vlan: Option<VlanId>,
    /// What becomes of a segment from the middle of a connection that the box does not know, in modes
    /// that translate.
    pub missing_state: MissingState,
    /// The compiled scheduler over the backends that take new flows. Shared with earlier
    /// snapshots while the backends are the same, so that its place in the order is kept.
    pub schedule: Arc<Schedule>,
    /// What hashing schedulers look at.
    pub hash_on: HashOn,
    /// Whether a client's flows go to one server.
    pub persistence: Option<Persistence>,
    /// Whether a new flow may begin.
    pub admission: Admission,
    /// Whether handshakes are answered by cookie, so that a flow begins when its client has shown that it
    /// exists.
    pub syn_proxy: SynProxy,
    /// The largest TCP segment that every backend of it can be sent, for an answer in their name.
    pub largest_segment: u16,
    /// How its backends are told who the client is, where they are.
    pub client_address: ClientAddress,
}

impl Service {
    /// Whether a new handshake is to be answered by cookie now.
    #[must_use]
    pub fn answers_by_cookie(&self) -> bool {
        self.admission.meter.answers_by_cookie(self.syn_proxy)
    }

    /// The scheduler that finds the same backend for all packets of a flow that is not remembered; `None`:
    /// nothing finds it, or what is translated cannot be guessed.
    pub(crate) fn stateless(&self) -> Option<&Schedule> {
        let consistent = match &self.admission.fallback {
            Some(fallback) => fallback,
            None => &self.schedule,
        };
        (!self.mode.is_two_way() && consistent.is_consistent()).then_some(&**consistent)
    }
}

/// See [`Service::missing_state`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingState {
    /// It is dropped; the sender finds out by its timeouts.
    #[default]
    Drop,
    /// It is answered with a RST: the sender knows at once.
    Reset,
}
