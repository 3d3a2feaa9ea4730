//! Flows whose handshake the node has made: it acts for both ends until the backend answers, then it translates numbers.

use super::super::answer::Stop;
use super::super::context::Context;
use super::super::cookie;
use super::translate;
use crate::admission::Event;
use crate::flow::{Addresses, Direction, Entry, EntryRef, Found, Handshake};
use crate::mode::icmp_error::{self, Quoted};
use crate::packet::{Content, Headers, Piece};
use crate::packet::{Packet, Route};
use crate::snapshot::Backend;
use crate::syn_proxy::{Asked, Opened, Opening, Reason, Segment, Step, SynOptions, Translation};
use crate::types::{InterfaceId, VlanId};
use crate::verdict::DropReason;
use crate::wire::ethernet::{self, ethertype};
use crate::wire::tcp::{Flags, Sequence};
use crate::wire::{ipv4, ipv6};

/// What becomes of a packet of such a flow while its connection is being opened; `None`: it goes the flow's way.
#[inline(never)]
pub(super) fn instead(
    packet: &mut Packet,
    context: &mut Context<'_>,
    headers: &Headers,
    flow: Found,
) -> Option<Result<InterfaceId, Stop>> {
    match context.table.entry(flow.entry).handshake()? {
        Handshake::Opening(words) => Some(Handshaking { flow, words }.take(packet, context, headers)),
        Handshake::Stands(words) => {
            if headers.content == Content::Error && flow.direction == Direction::Forward {
                requote(packet, headers, Translation::from_words(words));
            }
            None
        }
    }
}

/// Translates a segment of a connection that stands. What each end wrote is in the packet until nothing can stop
/// it any more, for it may be quoted to who has sent it.
#[inline(always)]
pub(super) fn translate(packet: &mut Packet, headers: &Headers, entry: Entry<'_>, direction: Direction) {
    if entry.is_proxied() {
        translate_rarely(packet, headers, entry, direction);
    }
}

#[inline(never)]
fn translate_rarely(packet: &mut Packet, headers: &Headers, entry: Entry<'_>, direction: Direction) {
    let Some(Handshake::Stands(words)) = entry.handshake() else { return };
    let Some(segment) = translate::segment(packet, headers) else { return };
    match direction {
        Direction::Forward => Translation::from_words(words).to_backend(segment),
        Direction::Return => Translation::from_words(words).to_client(segment),
    }
}

/// What a backend answers to a handshake tells what the service can promise. What the box has asked for itself it
/// has looked at before.
#[inline(never)]
pub(super) fn learn(packet: &mut Packet, headers: &Headers, backend: &Backend) {
    if let Content::Segment { flags } = headers.content
        && flags.has(Flags::SYN)
        && headers.piece == Piece::Whole
        && let Some(segment) = translate::segment(packet, headers)
    {
        let answer = SynOptions::read(segment);
        backend.meters.service.cookies().promise().learn(Asked::default(), &answer);
    }
}

/// An error about a segment to the client quotes it in the client's numbers; the backend knows its own.
fn requote(packet: &mut Packet, headers: &Headers, translation: Translation) {
    let at = usize::from(headers.transport - headers.network);
    if let Some(bytes) = packet.frame.bytes_mut().get_mut(usize::from(headers.network)..)
        && let Ok(quoted) = Quoted::new_checked(bytes, at)
    {
        let _ = icmp_error::renumber(bytes, &quoted, |sequence| translation.for_backend(sequence));
    }
}

/// Time has passed: what is to be done about a flow that is still being opened. `vlan`: the client's.
pub(in super::super) fn on_time(context: &mut Context<'_>, entry: EntryRef, vlan: VlanId, step: Step) {
    let backend = context.table.entry(entry).backend();
    let flow = Found { entry, direction: Direction::Forward, backend };
    let (header, length) = link_header(vlan);
    let link = header.get(..length).unwrap_or_default();
    match step {
        Step::ToBackend(segment) => send(context, flow, link, &segment),
        Step::End { to_client, to_backend } => {
            end(context, flow);
            if let Some(segment) = to_backend {
                send(context, flow, link, &segment);
            }
            if let Some(segment) = to_client {
                send(context, Found { direction: Direction::Return, ..flow }, link, &segment);
            }
        }
        Step::Drop(_) | Step::Open(_) | Step::Anew { .. } => {}
    }
}

/// An empty header, with a tag if there is a VLAN; the EtherType behind it is the packet's.
fn link_header(VlanId(vlan): VlanId) -> ([u8; TAGGED], usize) {
    let mut header = [0; TAGGED];
    if vlan == 0 {
        return (header, ethernet::LENGTH);
    }
    header[12..14].copy_from_slice(&ethertype::VLAN.to_be_bytes());
    header[14..16].copy_from_slice(&vlan.to_be_bytes());
    (header, TAGGED)
}

const TAGGED: usize = ethernet::LENGTH + 4;

/// A flow that is being opened.
#[derive(Debug, Clone, Copy)]
struct Handshaking {
    flow: Found,
    words: [u32; 5],
}

impl Handshaking {
    fn take(
        self,
        packet: &mut Packet,
        context: &mut Context<'_>,
        headers: &Headers,
    ) -> Result<InterfaceId, Stop> {
        if headers.content == Content::Error {
            return Err(DropReason::IcmpError.into());
        }
        let place = cookie::place(headers).ok_or(DropReason::OutOfHandshake)?;
        let mut opening = Opening::from_words(self.words);
        let step = match self.flow.direction {
            Direction::Forward => opening.on_client(packet.frame.bytes(), &place, context.now),
            Direction::Return => {
                let backend = context.snapshot.backend(self.flow.backend).ok_or(DropReason::NoBackend)?;
                let promise = backend.meters.service.cookies().promise();
                opening.on_backend(packet.frame.bytes(), &place, promise, context.now)
            }
        };
        let after = opening.to_words();
        if after != self.words && !context.table.entry(self.flow.entry).goes_on(self.words, after) {
            return Err(DropReason::BackendPending.into());
        }
        self.perform(packet, context, headers, step)
    }

    fn perform(
        self,
        packet: &mut Packet,
        context: &mut Context<'_>,
        headers: &Headers,
        step: Step,
    ) -> Result<InterfaceId, Stop> {
        match (step, self.flow.direction) {
            (Step::Drop(reason), _) => Err(DropReason::from(reason).into()),
            (Step::ToBackend(segment), Direction::Forward) => {
                self.replace(packet, context, headers, &segment)
            }
            (Step::ToBackend(segment), Direction::Return) => {
                self.send(context, packet, headers, Direction::Forward, &segment);
                Err(DropReason::OutOfHandshake.into())
            }
            (Step::Anew { reset, syn }, _) => {
                for segment in [Some(reset), syn].into_iter().flatten() {
                    self.send(context, packet, headers, Direction::Forward, &segment);
                }
                Err(DropReason::OutOfHandshake.into())
            }
            (Step::Open(opened), _) => self.open(packet, context, headers, &opened),
            (Step::End { to_client, to_backend }, direction) => {
                end(context, self.flow);
                let (own, other) = match direction {
                    Direction::Forward => (to_backend, to_client),
                    Direction::Return => (to_client, to_backend),
                };
                if let Some(segment) = other {
                    self.send(context, packet, headers, direction.reversed(), &segment);
                }
                let segment = own.ok_or(DropReason::OutOfHandshake)?;
                self.replace(packet, context, headers, &segment)
            }
        }
    }

    /// Both ends get what they are waiting for: the backend the client's acknowledgement, the client a window.
    fn open(
        self,
        packet: &mut Packet,
        context: &mut Context<'_>,
        headers: &Headers,
        opened: &Opened,
    ) -> Result<InterfaceId, Stop> {
        let entry = context.table.entry(self.flow.entry);
        if !entry.stands(opened.translation.to_words()) {
            return Err(DropReason::from(Reason::OutOfPlace).into());
        }
        self.send(context, packet, headers, Direction::Forward, &opened.acknowledgement);
        let (flow, flags) = (self.flow.entry, opened.acknowledgement.flags);
        let Sequence(client) = opened.acknowledgement.sequence;
        let Sequence(server) = opened.translation.for_backend(opened.acknowledgement.acknowledgement);
        context.table.begins(flow, client, server);
        if let Some(turn) = context.table.note(flow, Direction::Forward, flags, context.now, None) {
            super::turned(context, self.flow.backend, turn);
        }
        self.replace(packet, context, headers, &opened.update)
    }

    /// A segment takes the place of the packet at hand, whose way it goes.
    fn replace(
        self,
        packet: &mut Packet,
        context: &mut Context<'_>,
        headers: &Headers,
        segment: &Segment,
    ) -> Result<InterfaceId, Stop> {
        let headers = put(packet, context, self.flow, headers, segment)?;
        packet.route = Route::Flow(self.flow);
        super::carry(packet, context, &headers, &headers.tuple, self.flow)
    }

    /// Sends a segment besides, in the VLAN of the packet at hand.
    fn send(
        self,
        context: &mut Context<'_>,
        packet: &Packet,
        headers: &Headers,
        direction: Direction,
        segment: &Segment,
    ) {
        let link = packet.frame.bytes().get(..usize::from(headers.network)).unwrap_or_default();
        send(context, Found { direction, ..self.flow }, link, segment);
    }
}

/// Sends a segment of the box's own, in a direction of the flow, behind a header like `link`. What cannot leave is
/// lost, as any segment may be.
fn send(context: &mut Context<'_>, flow: Found, link: &[u8], segment: &Segment) {
    let Some(mut frame) = context.spares.take() else { return };
    frame.fill(link);
    let mut packet = Packet::of_box(frame, flow);
    let network = u16::try_from(link.len()).unwrap_or(0);
    let sent = match put(&mut packet, context, flow, &Headers { network, ..Headers::NONE }, segment) {
        Ok(headers) => {
            packet.hash = context.table.hash(&headers.tuple);
            super::carry(&mut packet, context, &headers, &headers.tuple, flow)
        }
        Err(reason) => Err(reason.into()),
    };
    match sent {
        Ok(interface) => context.spares.send(interface, packet.frame),
        Err(_) => context.spares.give(packet.frame),
    }
}

/// Makes the segment the frame's packet, behind what is in front of `headers.network`; gives its headers.
fn put(
    packet: &mut Packet,
    context: &Context<'_>,
    flow: Found,
    headers: &Headers,
    segment: &Segment,
) -> Result<Headers, DropReason> {
    let entry = context.table.entry(flow.entry);
    let tuple = match flow.direction {
        Direction::Forward => entry.forward_tuple(),
        Direction::Return => entry.return_tuple(context.snapshot).ok_or(DropReason::NoBackend)?,
    };
    let network = usize::from(headers.network);
    segment.put(&mut packet.frame, network, &tuple).ok_or(DropReason::Truncated)?;
    let header = match tuple.addresses {
        Addresses::V4 { .. } => ipv4::LENGTH,
        Addresses::V6 { .. } => ipv6::LENGTH,
    };
    let length = packet.frame.bytes().len() - network;
    let narrow = |length: usize| u16::try_from(length).map_err(|_| DropReason::TooLong);
    Ok(Headers {
        tuple,
        content: Content::Segment { flags: segment.flags },
        transport: narrow(network + header)?,
        packet_length: narrow(length)?,
        ttl: Segment::TTL,
        piece: Piece::Whole,
        ..*headers
    })
}

/// Ends a flow whose connection does not come about.
fn end(context: &Context<'_>, flow: Found) {
    context.table.end(flow.entry, context.snapshot);
    if let Some(backend) = context.snapshot.backend(flow.backend) {
        backend.meters.service.count(context.keeper.worker(), Event::NotTaken);
    }
}
