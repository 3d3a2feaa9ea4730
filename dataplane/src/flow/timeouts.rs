//! How long a silent flow is remembered.

use std::time::Duration;

use crate::engine::FlowState;
use crate::snapshot::FlowTimeouts;

/// Idle times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    syn: u32,
    established: u32,
    fin: u32,
    udp: u32,
}

impl From<&FlowTimeouts> for Timeouts {
    fn from(timeouts: &FlowTimeouts) -> Self {
        let millis = |d: Duration| u32::try_from(d.as_millis()).unwrap_or(u32::MAX / 2);
        Self {
            syn: millis(timeouts.tcp_syn),
            established: millis(timeouts.tcp_established),
            fin: millis(timeouts.tcp_fin),
            udp: millis(timeouts.udp),
        }
    }
}

impl Timeouts {
    pub(super) fn of(&self, state: FlowState) -> u32 {
        match state {
            FlowState::Syn => self.syn,
            FlowState::Established => self.established,
            FlowState::Fin | FlowState::Closed => self.fin,
            FlowState::Udp => self.udp,
        }
    }

    pub(super) fn smallest(&self) -> u32 {
        self.syn.min(self.established).min(self.fin).min(self.udp).max(1)
    }
}
