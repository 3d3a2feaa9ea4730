//! A backend's packet on its way to the client, in the modes in which it passes through the box.

use super::super::answer::Stop;
use super::super::context::Context;
use super::super::egress;
use super::client;
use super::proxied;
use super::translate::{self, Rewrite};
use crate::flow::{Direction, EntryRef, Tuple};
use crate::mode::nat::Hop;
use crate::packet::Headers;
use crate::packet::Packet;
use crate::snapshot::Forwarding;
use crate::types::{BackendId, InterfaceId};
use crate::verdict::DropReason;

/// A packet of the backend: it seems to come from the virtual IP, to the client.
#[inline(never)]
pub(super) fn to_client(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    tuple: &Tuple,
    id: BackendId,
    flow: EntryRef,
) -> Result<InterfaceId, Stop> {
    let backend = context.snapshot.backend(id).ok_or(DropReason::NoBackend)?;
    let entry = context.table.entry(flow);
    let to = entry.forward_tuple().reversed();
    if backend.meters.is_proxied {
        proxied::learn(packet, headers, backend);
    }
    if matches!(backend.forwarding, Forwarding::Bridge) && egress::is_passing(packet, context) {
        // Where it leaves comes last: that may be by several ports, which get copies.
        Rewrite::new(tuple, &to, Hop::Transparent).apply(packet, context, headers)?;
        proxied::translate(packet, headers, entry, Direction::Return);
        super::clamp(packet, headers, backend);
        return Ok(egress::switch(packet, context, headers)?);
    }
    let growth = translate::growth(tuple, &to, headers);
    let leaves = egress::Source::Own(to.addresses.source());
    let query = egress::query(packet, headers, to.addresses.destination(), leaves);
    let way = egress::resolve(context, headers, &query, growth)?;
    let moved = Rewrite::new(tuple, &to, Hop::Counted).apply(packet, context, headers)?;
    let headers = moved.as_ref().unwrap_or(headers);
    proxied::translate(packet, headers, entry, Direction::Return);
    super::clamp(packet, headers, backend);
    if entry.tells() {
        client::untell(packet, headers, entry);
    }
    egress::readdress(packet, context, headers, way)
}
