//! Packets for who asks to see them.

use std::time::UNIX_EPOCH;

use dataplane::capture::Filter;

use super::{Supervisor, drops};
use crate::api::request::{CaptureQuery, Capturing, Refusal};

impl Supervisor {
    pub(super) fn capture(&mut self, query: &CaptureQuery) -> Result<Capturing, Refusal> {
        let service = query.service.as_deref().map(|name| {
            let service = self.config.services.iter().find(|service| service.name == name);
            let service = service.ok_or_else(|| Refusal::unknown_service(name))?;
            Ok::<_, Refusal>((service.address, service.protocol, service.ports))
        });
        let drop = query.drop.as_deref().map(drops::reason).transpose()?;
        let filter = Filter { service: service.transpose()?, client: query.client, drop };
        let taken =
            || Refusal::conflict("somebody captures packets already: one capture at a time is possible");
        let capture = self.dataplane.capture(filter).ok_or_else(taken)?;
        let age = crate::clock::now().saturating_duration_since(self.dataplane.epoch());
        let epoch = crate::clock::wall().checked_sub(age).and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        Ok(Capturing {
            capture,
            interfaces: self.config.interfaces.iter().map(|interface| interface.name.clone()).collect(),
            epoch_nanos: u64::try_from(epoch.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX),
        })
    }
}
