//! A health check's packet on the way of a client's: to a backend that the check names, whatever the schedulers
//! say. No flow remembers it, and nothing counts it.

use super::context::Context;
use super::{parse, rewrite};
use crate::io::Frame;
use crate::packet::Packet;
use crate::types::{BackendId, InterfaceId};

/// The frame as it leaves, and where; an error: it cannot.
pub(crate) fn probe(
    frame: Frame,
    context: &mut Context<'_>,
    backend: BackendId,
) -> Result<(InterfaceId, Frame), Frame> {
    let mut packet = Packet::made(frame);
    let Ok(headers) = parse::of_box(&packet) else { return Err(packet.frame) };
    // The path of a client's connection with these ports, where there are several.
    packet.hash = context.table.hash(&headers.tuple);
    match rewrite::to_backend(&mut packet, context, &headers, &headers.tuple, backend, None) {
        Ok(interface) => Ok((interface, packet.frame)),
        Err(_) => Err(packet.frame),
    }
}
