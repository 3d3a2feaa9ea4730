//! Which flow a segment belongs to.
//!
//! No frame waits for memory alone: while frames were parsed their buckets began to load; one pass reads the
//! buckets and starts loading the entries, the next one reads the entries.

use super::batch::{Batch, Route};
use super::context::Context;
use super::headers::Content;
use crate::flow::Direction;

pub(super) fn run(batch: &mut Batch, context: &mut Context<'_>) {
    let table = context.table;
    batch.visit(|packet, _, _| packet.peeked = table.peek(packet.hash));
    batch.visit(|packet, headers, marks| {
        let found = table.confirm(packet.peeked, packet.hash, &headers.tuple, context.snapshot);
        match found {
            Some(found) => {
                packet.route = Route::Flow(found);
                // A SYN may begin a flow anew.
                if found.direction == Direction::Forward
                    && matches!(headers.content, Content::Segment { flags } if flags.opens())
                {
                    marks.flowless();
                }
            }
            None => marks.flowless(),
        }
    });
}
