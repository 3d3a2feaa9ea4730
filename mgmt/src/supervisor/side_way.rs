//! Packets of checks that take the data path: from the kernel to the workers.

use std::collections::HashMap;
use std::io;

use dataplane::types::BackendId;

use super::Supervisor;
use crate::config::health::Via;
use crate::health::{Subject, ways};
use crate::net::SideDevice;

/// A packet, at most.
pub(super) const PACKET: usize = 2048;

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct SideWay {
    device: Option<SideDevice>,
    /// The backends that are checked so.
    backends: HashMap<Subject, BackendId>,
}

impl SideWay {
    /// The length of the next packet.
    pub(super) async fn receive(&self, packet: &mut [u8; PACKET]) -> io::Result<usize> {
        match &self.device {
            Some(device) => device.receive(packet).await,
            None => std::future::pending().await,
        }
    }

    /// Takes back what would outlive the daemon.
    pub(super) async fn release(&mut self) {
        if let Some(device) = self.device.take() {
            device.release().await;
        }
    }
}

impl Supervisor {
    /// Has a device while there are such checks, and none otherwise.
    pub(super) async fn follow_side_way(&mut self) {
        let mut backends = HashMap::new();
        for service in &self.config.services {
            let is_meant = |backend: &&crate::config::Backend| {
                let checks = backend.health.iter().flat_map(|health| &health.checks);
                checks.into_iter().any(|check| check.via == Via::DataPath)
            };
            for backend in service.backends.iter().filter(is_meant) {
                let id = self.inventory.number(service, backend.address, backend.port);
                let member = id.and_then(|id| Some((self.inventory.get(id)?.subject(), id)));
                backends.extend(member);
            }
        }
        match (backends.is_empty(), self.side_way.device.is_some()) {
            (true, true) => self.side_way.release().await,
            (false, false) => match self.netlink.side_device(ways::MARK).await {
                Ok(device) => self.side_way.device = Some(device),
                Err(error) => tracing::error!(%error, "checks that take the data path cannot run"),
            },
            _ => {}
        }
        self.side_way.backends = backends;
    }

    /// Sends a packet on as a worker sends a client's.
    pub(super) fn send_by_the_data_path(&mut self, packet: io::Result<&[u8]>) {
        let packet = match packet {
            Ok(packet) => packet,
            Err(error) => {
                tracing::error!(%error, "the device of checks that take the data path is gone");
                self.side_way.device = None;
                return;
            }
        };
        let backend = self.checks.ways().of(packet);
        let id = backend.and_then(|backend| self.side_way.backends.get(&*backend).copied());
        // What finds no room is lost as any packet may be.
        let _ = id.is_some_and(|id| self.dataplane.probe(id, packet));
    }
}
