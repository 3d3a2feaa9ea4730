//! Full NAT: the source that a new flow gets out of its backend's pool.

use super::context::Context;
use crate::flow::{Addresses, Endpoints, FlowTable, Inserted, Nat, NewFlow, Tuple};
use crate::limits::SNAT_TRIES;
use crate::mode::client_address;
use crate::packet::Headers;
use crate::packet::Packet;
use crate::snapshot::{ClientAddress, OneArm, PoolPart};
use crate::types::{BackendId, Port, SnatId, WorkerId};
use crate::verdict::DropReason;
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

/// Where the search for the next port begins, of one worker and for each backend: drawn before it is needed, so that
/// the table's bucket for the reply to that port is in the cache when the flow is put in.
#[derive(Debug)]
pub(crate) struct Draws {
    /// By the backend's number, modulo. 0: not yet drawn.
    next: Box<[u64; Self::PLACES]>,
    drawn: u64,
}

impl Draws {
    const PLACES: usize = 256;

    /// Nothing drawn. Each worker draws other numbers.
    pub(crate) fn new(worker: WorkerId) -> Self {
        Self { next: Box::new([0; Self::PLACES]), drawn: u64::from(worker.0) << 48 }
    }

    /// The number for the next flow to a backend, and the one for the flow after it.
    fn take(&mut self, table: &FlowTable, backend: BackendId) -> (u64, u64) {
        let mut draw = || {
            self.drawn += 1;
            table.random(self.drawn)
        };
        let place = &mut self.next[backend.index() % Self::PLACES];
        let now = if *place == 0 { draw() } else { *place };
        *place = draw();
        (now, *place)
    }
}

/// Puts a flow in with an address and port of the pool.
pub(super) fn insert(
    context: &mut Context<'_>,
    flow: &mut NewFlow<'_>,
    one_arm: &OneArm,
    stream: Stream,
) -> Result<Inserted, DropReason> {
    let (mut random, next) = context.draws.take(context.table, flow.backend);
    foresee(context, flow, one_arm, next);
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

/// The next flow to that backend: what it will need is loaded now.
fn foresee(context: &Context<'_>, flow: &NewFlow<'_>, one_arm: &OneArm, random: u64) {
    let (worker, workers) = (context.keeper.worker(), context.table.quiescence().workers());
    let Some(part) = parts(one_arm, random).next() else { return };
    let Some(port) = part.foresee(worker, workers, random, context.now) else { return };
    if let Some((address, server_port)) = context.snapshot.endpoint(flow.backend)
        && let Some(own) = context.snapshot.snat(part.address)
        && let Some(addresses) = Addresses::new(address, own)
    {
        let source_port = server_port.unwrap_or(flow.tuple.destination_port);
        let reply = Tuple { addresses, source_port, destination_port: port, protocol: flow.tuple.protocol };
        context.table.prefetch(context.table.hash(&reply));
    }
}

/// An address and port from anywhere in the pool: flows spread over its addresses.
fn take(context: &Context<'_>, one_arm: &OneArm, random: u64) -> Option<(SnatId, Port)> {
    let (worker, workers) = (context.keeper.worker(), context.table.quiescence().workers());
    let take = |part: &PoolPart| Some((part.address, part.take(worker, workers, random, context.now)?));
    parts(one_arm, random).find_map(take)
}

/// The pool's parts, from an arbitrary one on.
fn parts(one_arm: &OneArm, random: u64) -> impl Iterator<Item = &PoolPart> {
    let pool = &*one_arm.pool;
    #[expect(clippy::cast_possible_truncation, reason = "reduced to the pool's length")]
    let start = (random as usize) % pool.len().max(1);
    let (before, from) = pool.split_at_checked(start).unwrap_or_default();
    from.iter().chain(before)
}

/// Gives a port back.
pub(super) fn give(one_arm: &OneArm, address: SnatId, port: Port) {
    if let Some(part) = one_arm.pool.iter().find(|part| part.address == address) {
        part.ports.give(port);
    }
}
