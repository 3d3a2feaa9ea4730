//! What is not a flow's is settled here: an echo request to a virtual IP is answered.

use super::answer::own_source;
use super::context::Context;
use super::fragments;
use crate::mode;
use crate::packet::Piece;
use crate::packet::{Batch, Packet};
use crate::packet::{Content, Headers};
use crate::verdict::{DropReason, Verdict};

#[inline(never)]
pub(super) fn run(batch: &mut Batch, context: &mut Context<'_>) {
    batch.visit_some(batch.unusual, |packet, headers, _| {
        if !matches!(headers.content, Content::Echo | Content::EchoFragment) {
            return;
        }
        match context.snapshot.vips.get(headers.tuple.addresses.destination()) {
            Some(vip) if vip.echo => echo(packet, context, headers),
            Some(_) => packet.drop_for(DropReason::ServiceDown),
            None => packet.drop_for(DropReason::NotOurs),
        }
    });
}

/// A request in fragments is answered fragment by fragment: the answer's are as long as the request's, so nothing has to
/// be put together. Those that come before the first one wait for it, as those of a flow do.
fn echo(packet: &mut Packet, context: &mut Context<'_>, headers: &Headers) {
    match (headers.content, headers.piece) {
        (Content::Echo, Piece::Whole) => answer(packet, context, headers),
        (Content::Echo, _) if fragments::first_of_echo(packet, context, headers) => {
            answer(packet, context, headers);
        }
        (Content::EchoFragment, _) => match fragments::later_of_echo(packet, context, headers) {
            Some(true) => answer(packet, context, headers),
            Some(false) => packet.verdict = Verdict::Hold,
            None => packet.drop_for(DropReason::Fragment),
        },
        _ => packet.drop_for(DropReason::Fragment),
    }
}

/// The reply leaves by the way the request came: it counts as a frame forwarded.
fn answer(packet: &mut Packet, context: &Context<'_>, headers: &Headers) {
    let (network, transport) = (usize::from(headers.network), usize::from(headers.transport));
    let frame = packet.frame.bytes_mut();
    let is_answered = match headers.piece.is_later() {
        true => mode::echo_later_fragment(frame, network).is_some(),
        false => mode::echo_reply(frame, network, transport).is_some(),
    };
    if is_answered {
        own_source(packet, context);
        packet.verdict = Verdict::Transmit(packet.ingress);
    } else {
        packet.drop_for(DropReason::MartianSource);
    }
}
