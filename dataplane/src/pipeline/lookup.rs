//! Which flow a segment belongs to.
//!
//! No frame waits for memory alone: while frames were parsed their buckets began to load; one pass reads the
//! buckets and starts loading the entries, the next one reads the entries.

use super::context::Context;
use crate::flow::{Direction, Found, Peeked};
use crate::packet::{Batch, Marks, Packet, Route};
use crate::packet::{Content, Headers};
use crate::snapshot::Fate;

#[inline(never)]
pub(super) fn run(batch: &mut Batch, context: &mut Context<'_>) {
    let table = context.table;
    batch.look_at(|packet| packet.peeked = table.peek(packet.hash));
    batch.visit(|packet, headers, marks| {
        if let Some(found) = table.confirm(packet.peeked, &headers.tuple, context.snapshot) {
            belongs(packet, headers, marks, found, context);
        } else if packet.peeked == Peeked::Nobody {
            marks.flowless();
        } else {
            search(packet, headers, marks, context);
        }
    });
}

#[inline(always)]
fn belongs(packet: &mut Packet, headers: &Headers, marks: Marks<'_>, found: Found, context: &Context<'_>) {
    packet.route = Route::Flow(found);
    // A SYN may begin a flow anew, and so may any packet of a backend that is on its way out.
    let opens = matches!(headers.content, Content::Segment { flags } if flags.opens());
    let is_retired = context.snapshot.fate(found.backend) != Fate::Stays;
    if opens && found.direction == Direction::Forward || is_retired {
        marks.flowless();
    }
}

/// Another flow has the same tag, or the tuple's first bucket is full: both are rare.
#[inline(never)]
fn search(packet: &mut Packet, headers: &Headers, marks: Marks<'_>, context: &Context<'_>) {
    match context.table.find(packet.hash, &headers.tuple, context.snapshot) {
        Some(found) => belongs(packet, headers, marks, found, context),
        None => marks.flowless(),
    }
}
