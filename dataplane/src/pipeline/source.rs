//! Full NAT: the source that a new flow gets out of its backend's pool.

use super::batch::Packet;
use super::context::Context;
use super::headers::Headers;
use super::verdict::DropReason;
use crate::flow::{Inserted, Nat, NewFlow, Tuple};
use crate::limits::SNAT_TRIES;
use crate::mode::client_address;
use crate::snapshot::{ClientAddress, OneArm};
use crate::types::{Port, SnatId};
use crate::wire::tcp::{Sequence, Tcp};

/// What the box does to the client's stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    start: Sequence,
    shift: u8,
    client_address: ClientAddress,
}

/// What is to be remembered of a stream into which the client's address goes. `first_byte`: the number of that, of
/// a client whose SYN has been answered before.
pub(super) fn stream(
    packet: &Packet,
    headers: &Headers,
    tuple: &Tuple,
    how: ClientAddress,
    first_byte: Option<Sequence>,
) -> Stream {
    let segment = packet.frame.bytes().get(usize::from(headers.transport)..).unwrap_or_default();
    // The SYN has a place in the sequence itself (RFC 9293 section 3.4).
    let behind_syn = || Tcp::new_checked(segment).ok().map(|tcp| Sequence(tcp.sequence().0.wrapping_add(1)));
    let start = match how {
        ClientAddress::None => None,
        ClientAddress::ProxyV1 | ClientAddress::ProxyV2 | ClientAddress::Toa => {
            first_byte.or_else(behind_syn)
        }
    };
    match start {
        None => Stream { start: Sequence(0), shift: 0, client_address: ClientAddress::None },
        Some(start) => Stream { start, shift: client_address::length(tuple, how), client_address: how },
    }
}

/// Puts a flow in with an address and port of the pool.
pub(super) fn insert(
    context: &mut Context<'_>,
    flow: &mut NewFlow<'_>,
    one_arm: &OneArm,
    stream: Stream,
) -> Result<Inserted, DropReason> {
    let mut random = flow.hash.0;
    for _ in 0..SNAT_TRIES {
        let Some((address, port)) = take(context, one_arm, random) else {
            return Err(DropReason::SnatExhausted);
        };
        let Stream { start: Sequence(start), shift, client_address } = stream;
        flow.nat = Some(Nat { address, port, start, shift, client_address });
        let inserted = context.table.insert(context.keeper, flow, context.snapshot, context.now);
        match inserted {
            Inserted::Created(_) => return Ok(inserted),
            // Somebody else's, from before the ports' classes changed.
            Inserted::TupleInUse => {}
            Inserted::Existing(_) | Inserted::Full => {
                give(one_arm, address, port);
                return Ok(inserted);
            }
        }
        give(one_arm, address, port);
        random = random.rotate_left(23).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    Ok(Inserted::TupleInUse)
}

/// An address and port from anywhere in the pool: flows spread over its addresses.
fn take(context: &Context<'_>, one_arm: &OneArm, random: u64) -> Option<(SnatId, Port)> {
    let pool = &*one_arm.pool;
    let worker = context.keeper.worker();
    let workers = context.table.quiescence().workers();
    #[expect(clippy::cast_possible_truncation, reason = "reduced to the pool's length")]
    let start = (random as usize) % pool.len().max(1);
    let (before, from) = pool.split_at_checked(start)?;
    let mut parts = from.iter().chain(before);
    parts.find_map(|part| Some((part.address, part.take(worker, workers, random, context.now)?)))
}

/// Gives a port back.
pub(super) fn give(one_arm: &OneArm, address: SnatId, port: Port) {
    if let Some(part) = one_arm.pool.iter().find(|part| part.address == address) {
        part.ports.give(port);
    }
}
