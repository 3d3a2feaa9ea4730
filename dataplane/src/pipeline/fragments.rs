//! Gives fragments the ports of the packet that they are parts of.

use super::batch::{Batch, Packet};
use super::context::Context;
use super::headers::{Content, Headers, Piece};
use super::verdict::{DropReason, Verdict};
use crate::flow::{Addresses, Tuple};
use crate::fragment::Key;
use crate::types::Protocol;
use crate::wire::ipv4::Ipv4;
use crate::wire::ipv6::{Extensions, Ipv6};
use crate::wire::tcp::Flags;

pub(super) fn run(batch: &mut Batch, context: &mut Context<'_>) {
    for (packet, headers) in batch.undecided() {
        let outcome = match (headers.content, headers.piece) {
            (Content::Segment { tuple, .. }, Piece::First { .. }) => first(packet, context, headers, &tuple),
            (Content::Fragment { addresses, protocol }, _) => {
                later(packet, context, headers, addresses, protocol)
            }
            _ => continue,
        };
        match outcome {
            Some(headers) => packet.headers = Some(headers),
            None => packet.drop_for(DropReason::Fragment),
        }
    }
}

fn first(packet: &Packet, context: &mut Context<'_>, headers: Headers, tuple: &Tuple) -> Option<Headers> {
    let key = key(packet, &headers, tuple.addresses, tuple.protocol)?;
    let ports = (tuple.source_port, tuple.destination_port);
    let first = context.fragments.first(&key, ports, context.now)?;
    Some(Headers { piece: Piece::First { id: Some(first.id) }, ..headers })
}

/// A later fragment gets the ports; one that came too early waits.
fn later(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: Headers,
    addresses: Addresses,
    protocol: Protocol,
) -> Option<Headers> {
    let key = key(packet, &headers, addresses, protocol)?;
    let Some(first) = context.fragments.find(&key, context.now) else {
        packet.verdict = Verdict::Hold;
        return Some(headers);
    };
    let (source_port, destination_port) = (first.source_port, first.destination_port);
    let tuple = Tuple { addresses, source_port, destination_port, protocol };
    let content = Content::Segment { tuple, flags: Flags::default() };
    Some(Headers { content, piece: Piece::Later { id: Some(first.id) }, ..headers })
}

/// What a fragment that waits has in common with the first one of its packet.
pub(crate) fn key_of_waiting(packet: &Packet) -> Option<Key> {
    let headers = packet.headers?;
    let Content::Fragment { addresses, protocol } = headers.content else { return None };
    key(packet, &headers, addresses, protocol)
}

/// What all fragments of this one's packet have.
pub(super) fn key(
    packet: &Packet,
    headers: &Headers,
    addresses: Addresses,
    protocol: Protocol,
) -> Option<Key> {
    let bytes = packet.frame.bytes().get(usize::from(headers.network)..)?;
    let identification = match addresses {
        Addresses::V4 { .. } => Ipv4::new_checked(bytes).ok()?.0.fragment()?.identification,
        Addresses::V6 { .. } => {
            let (ipv6, payload) = Ipv6::new_checked(bytes).ok()?;
            Extensions::read(ipv6.next_header(), payload).ok()??.fragment?.identification
        }
    };
    Some(Key { addresses, protocol, identification })
}
