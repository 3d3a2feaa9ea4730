//! Backends towards which a new flow finds no reply tuple: another flow has it, or the source-NAT pool is exhausted.

use super::admit::{self, Candidate, Chosen};
use super::context::Context;
use crate::admission::Event;
use crate::flow::{Addresses, FlowTable, Inserted, Tuple};
use crate::limits::CLASH_TRIES;
use crate::packet::Headers;
use crate::packet::Packet;
use crate::schedule::{Load, Loads};
use crate::snapshot::{Forwarding, PoolPart, Snapshot};
use crate::types::BackendId;
use crate::verdict::DropReason;

/// Backends that have no reply tuple left for a flow.
#[derive(Debug, Default)]
pub(super) struct Clashes {
    ids: [BackendId; CLASH_TRIES],
    count: usize,
    reason: Option<DropReason>,
}

impl Clashes {
    pub(super) fn are_none(&self) -> bool {
        self.count == 0
    }

    /// Notes another one. An error: there have been as many as are tried.
    pub(super) fn note(&mut self, id: BackendId, reason: DropReason) -> Result<(), DropReason> {
        self.reason = Some(reason);
        *self.ids.get_mut(self.count).ok_or(reason)? = id;
        self.count += 1;
        Ok(())
    }

    pub(super) fn has(&self, id: BackendId) -> bool {
        self.ids.iter().take(self.count).any(|noted| *noted == id)
    }

    /// Why there is no backend at all, where `reason` would be it without these.
    pub(super) fn or(&self, reason: DropReason) -> DropReason {
        self.reason.unwrap_or(reason)
    }
}

/// Loads for a scheduler that is to leave out those backends: they are as good as full.
pub(super) struct WithoutClashes<'a>(pub(super) &'a Snapshot, pub(super) &'a Clashes);

impl Loads for WithoutClashes<'_> {
    fn load(&self, id: BackendId) -> Load {
        let load = self.0.load(id);
        Load { is_full: load.is_full || self.1.has(id), ..load }
    }
}

/// Why a backend has no reply tuple left for a flow; `None`: it has one, as far as that can be known without asking
/// for it.
pub(super) fn clash(
    (snapshot, table): (&Snapshot, &FlowTable),
    tuple: &Tuple,
    id: BackendId,
) -> Option<DropReason> {
    let backend = snapshot.backend(id)?;
    match &backend.forwarding {
        Forwarding::OneArm(arm) => {
            let has_room = |part: &PoolPart| part.open && !part.ports.is_exhausted();
            (!arm.pool.iter().any(has_room)).then_some(DropReason::SnatExhausted)
        }
        Forwarding::Bridge | Forwarding::Router => {
            let addresses = Addresses::new(backend.address, tuple.addresses.source())?;
            let source_port = backend.port.unwrap_or(tuple.destination_port);
            let (destination_port, protocol) = (tuple.source_port, tuple.protocol);
            let back = Tuple { addresses, source_port, destination_port, protocol };
            table.is_in_use(tuple, &back, snapshot).then_some(DropReason::TupleInUse)
        }
        Forwarding::Dsr(_) | Forwarding::Tunnel(_) => None,
    }
}

/// The flow's reply tuple towards the chosen backend is in use, or the pool is exhausted: the client would send again and
/// find the same, for as long as the other flow lives. Another backend takes the flow.
#[cold]
#[inline(never)]
pub(super) fn elsewhere<'a>(
    packet: &Packet,
    context: &mut Context<'a>,
    headers: &Headers,
    candidate: Candidate<'_>,
    (mut chosen, mut reason): (Chosen<'a>, DropReason),
) -> (Result<Chosen<'a>, DropReason>, Result<Inserted, DropReason>) {
    let home = chosen.home;
    let mut clashes = Clashes::default();
    loop {
        if let Err(reason) = clashes.note(chosen.id, reason) {
            return (Ok(chosen), Err(reason));
        }
        chosen = match admit::choose(context, candidate, &clashes) {
            Ok(other) => Chosen { home, ..other },
            Err(reason) => return (Err(reason), Err(clashes.or(reason))),
        };
        let known = (context.snapshot, context.table);
        let outcome = match clash(known, candidate.tuple, chosen.id) {
            Some(reason) => {
                chosen.backend.meters.backend.end(false);
                Err(reason)
            }
            None => admit::enroll(packet, context, headers, candidate, chosen),
        };
        match outcome {
            Err(again @ (DropReason::TupleInUse | DropReason::SnatExhausted)) => reason = again,
            Ok(Inserted::Created(_)) => {
                candidate.service.admission.meter.count(context.keeper.worker(), Event::Clashed);
                return (Ok(chosen), outcome);
            }
            other => return (Ok(chosen), other),
        }
    }
}
