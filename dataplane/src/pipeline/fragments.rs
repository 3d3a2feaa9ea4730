//! Gives fragments the ports of the packet that they are parts of.

use super::context::Context;
use crate::flow::{Addresses, Tuple};
use crate::fragment::Key;
use crate::io::Frame;
use crate::packet::{Batch, Content, Headers, Packet, Piece};
use crate::verdict::{DropReason, Verdict};
use crate::wire::icmp::{v4, v6};
use crate::wire::ipv4::Ipv4;
use crate::wire::ipv6::{Extensions, Ipv6};
use crate::wire::tcp::Flags;

#[inline(never)]
pub(super) fn run(batch: &mut Batch, context: &mut Context<'_>) {
    batch.visit_some(batch.unusual, |packet, headers, _| {
        let outcome = match (headers.content, headers.piece) {
            (Content::Segment { .. }, Piece::First { .. }) => first(packet, context, *headers),
            (Content::Fragment, _) => later(packet, context, *headers),
            _ => return,
        };
        match outcome {
            Some(with_ports) => {
                packet.hash = context.table.hash(&with_ports.tuple);
                *headers = with_ports;
            }
            None => packet.drop_for(DropReason::Fragment),
        }
    });
}

fn first(packet: &Packet, context: &mut Context<'_>, headers: Headers) -> Option<Headers> {
    let (key, tuple) = (key(&packet.frame, &headers)?, headers.tuple);
    let ports = (tuple.source_port, tuple.destination_port);
    let first = context.fragments.first(&key, ports, context.now)?;
    Some(Headers { piece: Piece::First { id: Some(first.id) }, ..headers })
}

/// A later fragment gets the ports; one that came too early waits.
fn later(packet: &mut Packet, context: &mut Context<'_>, headers: Headers) -> Option<Headers> {
    let key = key(&packet.frame, &headers)?;
    let Some(first) = context.fragments.find(&key, context.now) else {
        packet.verdict = Verdict::Hold;
        return Some(headers);
    };
    let (source_port, destination_port) = (first.source_port, first.destination_port);
    let tuple = Tuple { source_port, destination_port, ..headers.tuple };
    let content = Content::Segment { flags: Flags::default() };
    Some(Headers { tuple, content, piece: Piece::Later { id: Some(first.id) }, ..headers })
}

/// Notes the first fragment of an echo request. Not if its source has too many.
pub(super) fn first_of_echo(packet: &Packet, context: &mut Context<'_>, headers: &Headers) -> bool {
    let ports = (headers.tuple.source_port, headers.tuple.destination_port);
    key(&packet.frame, headers).is_some_and(|key| context.fragments.first(&key, ports, context.now).is_some())
}

/// Whether the first fragment of a later one's message has come, and was of an echo request: those of others are not
/// noted. `None`: it is no fragment.
pub(super) fn later_of_echo(packet: &Packet, context: &Context<'_>, headers: &Headers) -> Option<bool> {
    Some(context.fragments.find(&key(&packet.frame, headers)?, context.now).is_some())
}

/// What a fragment that waits has in common with the first one of its packet.
pub(crate) fn key_of_waiting(frame: &Frame, headers: &Headers) -> Option<Key> {
    matches!(headers.content, Content::Fragment | Content::EchoFragment).then(|| key(frame, headers))?
}

/// What all fragments of this one's packet have.
fn key(frame: &Frame, headers: &Headers) -> Option<Key> {
    let Tuple { addresses, protocol, .. } = headers.tuple;
    let protocol = match headers.content {
        Content::Echo | Content::EchoFragment if headers.tuple.addresses.source().is_ipv4() => v4::PROTOCOL,
        Content::Echo | Content::EchoFragment => v6::PROTOCOL,
        Content::Segment { .. } | Content::Error | Content::Fragment => protocol.number(),
    };
    let bytes = frame.bytes().get(usize::from(headers.network)..)?;
    let identification = match addresses {
        Addresses::V4 { .. } => Ipv4::new_checked(bytes).ok()?.0.fragment()?.identification,
        Addresses::V6 { .. } => {
            let (ipv6, payload) = Ipv6::new_checked(bytes).ok()?;
            Extensions::read(ipv6.next_header(), payload).ok()??.fragment?.identification
        }
    };
    Some(Key { addresses, protocol, identification })
}
