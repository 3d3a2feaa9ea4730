//! Interfaces that vanish and come back.

use std::collections::HashSet;

use dataplane::types::{InterfaceId, WorkerId};

use super::Supervisor;

/// What is known of the interfaces since the last look.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The kernel's number of each interface that is in use.
    pub(super) in_use: Vec<Option<u32>>,
    /// Interfaces that are there and could not be taken back, so that it is said once.
    complained: HashSet<InterfaceId>,
    dead: HashSet<WorkerId>,
}

impl Watch {
    /// All are in use at first.
    pub(super) fn new(setup: &dataplane::Setup) -> Self {
        Self { in_use: setup.interfaces.iter().map(|i| Some(i.index)).collect(), ..Self::default() }
    }
}

impl Supervisor {
    /// Lets go of interfaces that have vanished and takes back those that returned.
    pub(super) fn watch_interfaces(&mut self) {
        for (id, interface) in (0..).map(InterfaceId).zip(&self.config.interfaces) {
            let there = self.netlink.state().link(&interface.name).map(|link| link.index);
            let in_use = self.interfaces.in_use.get(id.index()).copied().flatten();
            if in_use == there {
                continue;
            }
            if in_use.is_some() {
                tracing::error!(
                    interface = interface.name,
                    "has vanished; its services rest until it is back"
                );
                self.dataplane.detach(id);
                self.interfaces.in_use[id.index()] = None;
            }
            let Some(index) = there else { continue };
            match self.dataplane.attach(id, index) {
                Ok(()) => {
                    tracing::info!(interface = interface.name, "is back");
                    self.interfaces.in_use[id.index()] = Some(index);
                    self.interfaces.complained.remove(&id);
                }
                Err(error) => {
                    if self.interfaces.complained.insert(id) {
                        tracing::error!(%error, "is back but cannot be used; tried again each second");
                    }
                }
            }
        }
    }

    pub(super) fn report_dead_workers(&mut self) {
        for worker in self.dataplane.dead_workers() {
            if self.interfaces.dead.insert(worker) {
                tracing::error!(%worker, "has ended by a defect: its queues are not served; restart penstockd");
            }
        }
    }
}
