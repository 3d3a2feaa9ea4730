//! What is not a flow's is settled here: an echo request to a virtual IP is answered.

use super::answer::own_source;
use super::batch::{Batch, Packet};
use super::context::Context;
use super::headers::{Content, Headers};
use super::verdict::{DropReason, Verdict};
use crate::mode;

#[inline(never)]
pub(super) fn run(batch: &mut Batch, context: &mut Context<'_>) {
    batch.visit_some(batch.unusual, |packet, headers, _| match headers.content {
        Content::Echo => match context.snapshot.vips.get(headers.tuple.addresses.destination()) {
            Some(vip) if vip.echo => answer(packet, context, headers),
            Some(_) => packet.drop_for(DropReason::ServiceDown),
            None => packet.drop_for(DropReason::NotOurs),
        },
        Content::Segment { .. } | Content::Error | Content::Fragment => {}
    });
}

/// The reply leaves by the way the request came: it counts as a frame forwarded.
fn answer(packet: &mut Packet, context: &Context<'_>, headers: &Headers) {
    let (network, transport) = (usize::from(headers.network), usize::from(headers.transport));
    match mode::echo_reply(packet.frame.bytes_mut(), network, transport) {
        Some(()) => {
            own_source(packet, context);
            packet.verdict = Verdict::Transmit(packet.ingress);
        }
        None => packet.drop_for(DropReason::MartianSource),
    }
}
