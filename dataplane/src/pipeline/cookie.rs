//! A service whose handshakes the box makes: a SYN is answered, and the acknowledgement of the answer begins a
//! flow. What comes then is the flow's: see the rewrite's `proxied`.

use super::context::Context;
use crate::admission::Event;
use crate::flow::Addresses;
use crate::mode::client_address;
use crate::packet::Packet;
use crate::packet::{Headers, Piece};
use crate::snapshot::Service;
use crate::syn_proxy::{Opening, Place, Reason, answer as answer_syn, open};
use crate::verdict::DropReason;
use crate::wire::tcp::Flags;
use crate::wire::tcp_options::Mss;

impl From<Reason> for DropReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Broken => Self::BadHeader,
            Reason::BadChecksum => Self::BadChecksum,
            Reason::NoHost => Self::MartianSource,
            Reason::OutOfPlace => Self::OutOfHandshake,
            Reason::BadCookie => Self::NoFlow,
            Reason::Waiting => Self::BackendPending,
        }
    }
}

/// Where a whole TCP segment is in its frame.
pub(super) fn place(headers: &Headers) -> Option<Place> {
    let is_whole = headers.piece == Piece::Whole && headers.has_tcp_header();
    let network = usize::from(headers.network);
    let (transport, end) = (usize::from(headers.transport), network + usize::from(headers.packet_length));
    is_whole.then_some(Place { tuple: headers.tuple, network, transport, end })
}

/// Turns a SYN into the answer to it. Nothing is remembered.
#[inline(never)]
pub(super) fn answer(
    packet: &mut Packet,
    context: &Context<'_>,
    headers: &Headers,
    service: &Service,
) -> Result<(), DropReason> {
    // Nobody cuts a SYN in pieces.
    let place = place(headers).ok_or(DropReason::OutOfHandshake)?;
    let cookies = service.admission.meter.cookies();
    let v6 = matches!(place.tuple.addresses, Addresses::V6 { .. });
    let offer = cookies.promise().offer(v6).at_most(Mss(service.largest_segment));
    // What the box puts in front of the stream has to fit in as well.
    let header = client_address::length(&place.tuple, service.client_address);
    let offer = offer.at_most(Mss(offer.mss.0.saturating_sub(header.into())));
    answer_syn(&mut packet.frame, &place, context.secret, &offer, context.now)?;
    cookies.issue(context.now);
    service.admission.meter.count(context.keeper.worker(), Event::CookieSent);
    Ok(())
}

/// The connection that a segment begins by bringing a cookie back; `None`: it brings none, and nothing has been
/// spent on it where there is none about.
pub(super) fn opening(
    packet: &Packet,
    context: &Context<'_>,
    headers: &Headers,
    service: &Service,
    flags: Flags,
) -> Option<Opening> {
    let may = service.mode.is_two_way()
        && flags.has(Flags::ACK)
        && service.admission.meter.cookies().may_come_back(context.now);
    if !may {
        return None;
    }
    open(packet.frame.bytes(), &place(headers)?, context.secret, context.now).ok()
}
