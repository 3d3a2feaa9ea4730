//! What is for a virtual router's master, while that is another box, is dropped here.

use super::context::Context;
use crate::packet::Batch;
use crate::types::Mac;
use crate::verdict::DropReason;

#[inline(never)]
pub(super) fn run(batch: &mut Batch, context: &mut Context<'_>) {
    let (tenancies, now) = (&context.snapshot.tenancies, context.now.0);
    if tenancies.are_all_held(now) {
        return;
    }
    batch.visit(|packet, headers, _| {
        let mac = packet.frame.bytes().first_chunk().map(|bytes| Mac(*bytes));
        if tenancies.is_elsewhere(headers.tuple.addresses.destination(), now)
            || mac.is_some_and(|mac| tenancies.is_mac_elsewhere(mac, now))
        {
            packet.drop_for(DropReason::NotMaster);
        }
    });
}
