//! What would become of packets and flows, for people: nothing is sent, counted or remembered.

use std::net::SocketAddr;

use super::Dataplane;
use crate::clock::Clock;
use crate::pipeline::trace::{Question, Traced, Tracer};
use crate::pipeline::{self, Explained};
use crate::types::{InterfaceId, Protocol};

impl Dataplane {
    /// What would happen to a packet that is described in words, or to a frame. Without an interface, it comes by the one
    /// that its source is behind. `None`: its ends are of different families.
    pub fn trace(
        &mut self,
        ingress: Option<InterfaceId>,
        packet: Result<&Question, &[u8]>,
    ) -> std::io::Result<Option<Traced>> {
        let (snapshot, now) = (self.snapshot(), Clock::tick(self.clock.nanos()));
        let tracer = match &mut self.tracer {
            Some(tracer) => tracer,
            none => none.insert(Tracer::new(&self.table)?),
        };
        let known = (&*snapshot, &*self.table);
        Ok(match packet {
            Ok(question) => tracer.described(known, ingress, question, now),
            Err(frame) => Some(tracer.frame(known, ingress.unwrap_or(InterfaceId(0)), frame, now)),
        })
    }

    /// What would become of a flow from `client` to `virtual_end`, if it began now: see [`Explained`].
    #[must_use]
    pub fn explain(
        &self,
        client: SocketAddr,
        virtual_end: SocketAddr,
        protocol: Protocol,
    ) -> Option<Explained> {
        let (snapshot, now) = (self.snapshot(), Clock::tick(self.clock.nanos()));
        pipeline::explain((&snapshot, &self.table), client, virtual_end, protocol, now)
    }
}
