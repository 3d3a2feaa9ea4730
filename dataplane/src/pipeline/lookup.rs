//! Which flow a segment belongs to.
//!
//! Three passes over the batch, so that no frame waits for memory alone: hash all and start loading
//! their buckets; read the buckets and start loading the entries; read the entries.

use super::batch::{Batch, Route};
use super::context::Context;

pub(super) fn run(batch: &mut Batch, context: &mut Context<'_>) {
    let table = context.table;
    for (packet, headers) in batch.undecided() {
        if let Some(tuple) = headers.content.tuple() {
            packet.hash = table.hash(&tuple);
            table.prefetch(packet.hash);
        }
    }
    for (packet, _) in batch.undecided() {
        packet.peeked = table.peek(packet.hash);
    }
    for (packet, headers) in batch.undecided() {
        if let Some(tuple) = headers.content.tuple()
            && let Some(found) = table.confirm(packet.peeked, packet.hash, &tuple, context.snapshot)
        {
            packet.route = Route::Flow(found);
        }
    }
}
