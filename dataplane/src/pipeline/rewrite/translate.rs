//! Carrying a packet from one tuple to another: whatever it is, and whatever family it ends up in.

use super::super::answer::Stop;
use super::super::context::Context;
use super::super::egress::Growth;
use crate::flow::{Addresses, Tuple};
use crate::io::Frame;
use crate::mode::family::{self, Identification, MAX_ERROR, Mtus, NewHeader};
use crate::mode::icmp_error::{self, Change, Quoted};
use crate::mode::nat::{self, Hop};
use crate::packet::Packet;
use crate::packet::{Content, Headers, Piece};
use crate::verdict::DropReason;
use crate::wire::ethernet::ethertype;
use crate::wire::tcp_options::{self, Mss};
use crate::wire::{ipv4, ipv6};

/// What a packet, or an error about one, becomes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rewrite<'a> {
    pub(super) from: &'a Tuple,
    pub(super) to: &'a Tuple,
    pub(super) hop: Hop,
    /// An error's quote stays as it is: the receiver knows the flow by its original addresses.
    pub(super) keeps_quote: bool,
}

impl<'a> Rewrite<'a> {
    #[inline(always)]
    pub(super) fn new(from: &'a Tuple, to: &'a Tuple, hop: Hop) -> Self {
        Self { from, to, hop, keeps_quote: false }
    }

    /// Rewrites the packet; gives its headers as they are then, if they are not where they were.
    #[inline(always)]
    pub(super) fn apply(
        self,
        packet: &mut Packet,
        context: &mut Context<'_>,
        headers: &Headers,
    ) -> Result<Option<Headers>, Stop> {
        let is_error = headers.content == Content::Error;
        if is_error || crosses(self.from, self.to) {
            // Copies, so that the compiler may keep in registers what nobody else sees.
            let (from, to) = (*self.from, *self.to);
            return Rewrite { from: &from, to: &to, ..self }.apply_rarely(packet, context, headers, is_error);
        }
        nat::translate(packet.frame.bytes_mut(), headers, self.from, self.to, self.hop)?;
        Ok(None)
    }

    #[inline(never)]
    fn apply_rarely(
        self,
        packet: &mut Packet,
        context: &mut Context<'_>,
        headers: &Headers,
        is_error: bool,
    ) -> Result<Option<Headers>, Stop> {
        match (is_error, crosses(self.from, self.to)) {
            (true, true) => self.error_across(packet, context, headers)?,
            (true, false) => self.error(packet, headers)?,
            (false, _) => return self.across(packet, context, headers).map(Some),
        }
        Ok(None)
    }

    fn across(
        self,
        packet: &mut Packet,
        context: &mut Context<'_>,
        headers: &Headers,
    ) -> Result<Headers, Stop> {
        let network = usize::from(headers.network);
        let end = network + usize::from(headers.packet_length);
        packet.frame.truncate(end);
        let bytes = packet.frame.bytes_mut().get_mut(network..).ok_or(DropReason::Truncated)?;
        let id = Identification(context.fragments.next_identification());
        let mut header = family::translate(bytes, self.from, self.to, id)?;
        if let Piece::First { id: Some(id) } | Piece::Later { id: Some(id) } = headers.piece {
            header.rename(Identification(id));
        }
        replace_header(&mut packet.frame, network, &header, self.to).ok_or(DropReason::TooLong)?;
        let (new, old) = (header.bytes().len(), header.replaces());
        let moved = |field: u16| u16::try_from(usize::from(field) + new - old);
        Ok(Headers {
            transport: moved(headers.transport).map_err(|_| DropReason::TooLong)?,
            packet_length: moved(headers.packet_length).map_err(|_| DropReason::TooLong)?,
            ..*headers
        })
    }

    fn error(self, packet: &mut Packet, headers: &Headers) -> Result<(), Stop> {
        let bytes = packet.frame.bytes_mut().get_mut(usize::from(headers.network)..);
        let bytes = bytes.ok_or(DropReason::Truncated)?;
        let quoted = Quoted::new_checked(bytes, usize::from(headers.transport - headers.network))?;
        icmp_error::follow(bytes, &quoted, &self.change(&quoted)?)?;
        Ok(())
    }

    fn error_across(self, packet: &mut Packet, context: &Context<'_>, headers: &Headers) -> Result<(), Stop> {
        let network = usize::from(headers.network);
        let bytes = packet.frame.bytes().get(network..).ok_or(DropReason::Truncated)?;
        let quoted = Quoted::new_checked(bytes, usize::from(headers.transport - headers.network))?;
        let change = self.change(&quoted)?;
        let id = Identification::default();
        let mut out = [0; MAX_ERROR];
        let length = family::translate_error(bytes, &quoted, &change, mtus(context), id, &mut out)?;
        let message = out.get(..length).ok_or(DropReason::TooLong)?;
        let frame = &mut packet.frame;
        frame.truncate(network);
        frame.append(message).ok_or(DropReason::TooLong)?;
        set_ethertype(frame, network, self.to).ok_or(DropReason::Truncated)?;
        Ok(())
    }

    /// An error keeps its sender, where nothing of it is to be hidden: a router on the way that says who
    /// it is. Its quote is a packet of the other direction.
    fn change(&self, quoted: &Quoted) -> Result<Change, DropReason> {
        let (from, to) = (self.from.addresses, self.to.addresses);
        let source = if from.source() == to.source() { quoted.outer.source() } else { to.source() };
        let outer = Addresses::new(source, to.destination()).ok_or(DropReason::Untranslatable)?;
        let quoted = if self.keeps_quote { quoted.tuple } else { self.to.reversed() };
        Ok(Change { outer, quoted, hop: self.hop == Hop::Counted })
    }
}

#[inline(always)]
fn crosses(from: &Tuple, to: &Tuple) -> bool {
    matches!(
        (from.addresses, to.addresses),
        (Addresses::V4 { .. }, Addresses::V6 { .. }) | (Addresses::V6 { .. }, Addresses::V4 { .. })
    )
}

/// What the change of family does to a packet's length, at most.
#[inline(always)]
pub(super) fn growth(from: &Tuple, to: &Tuple, headers: &Headers) -> Growth {
    if !crosses(from, to) {
        return Growth::default();
    }
    growth_across(to, headers)
}

#[expect(clippy::cast_possible_truncation, reason = "tens of bytes")]
fn growth_across(to: &Tuple, headers: &Headers) -> Growth {
    const MORE: u16 = (ipv6::LENGTH - ipv4::LENGTH) as u16;
    const FRAGMENT: u16 = ipv6::FRAGMENT_LENGTH as u16;
    let fragment = if headers.piece == Piece::Whole { 0 } else { FRAGMENT };
    match to.addresses {
        Addresses::V6 { .. } => Growth { more: MORE + fragment, less: 0 },
        Addresses::V4 { .. } => Growth { more: 0, less: MORE + fragment },
    }
}

fn replace_header(frame: &mut Frame, network: usize, header: &NewHeader, to: &Tuple) -> Option<()> {
    let (new, old) = (header.bytes(), header.replaces());
    if new.len() > old {
        frame.insert(network, new.len() - old)?;
    } else {
        frame.remove(network, old - new.len())?;
    }
    frame.bytes_mut().get_mut(network..)?.get_mut(..new.len())?.copy_from_slice(new);
    set_ethertype(frame, network, to)
}

fn set_ethertype(frame: &mut Frame, network: usize, to: &Tuple) -> Option<()> {
    let kind = match to.addresses {
        Addresses::V4 { .. } => ethertype::IPV4,
        Addresses::V6 { .. } => ethertype::IPV6,
    };
    *frame.bytes_mut().get_mut(..network)?.last_chunk_mut()? = kind.to_be_bytes();
    Some(())
}

/// The smallest of the box's ways, for what an error says of a packet's size.
fn mtus(context: &Context<'_>) -> Mtus {
    let mtu = context.snapshot.interfaces.iter().map(|interface| interface.mtu).filter(|mtu| *mtu > 0).min();
    let mtu = mtu.unwrap_or(1500);
    Mtus { ipv4: mtu, ipv6: mtu }
}

/// The TCP segment in the frame, header and all.
pub(super) fn segment<'p>(packet: &'p mut Packet, headers: &Headers) -> Option<&'p mut [u8]> {
    if !headers.has_tcp_header() {
        return None;
    }
    let end = usize::from(headers.network) + usize::from(headers.packet_length);
    packet.frame.bytes_mut().get_mut(usize::from(headers.transport)..end)
}

/// Lowers the segment size that a SYN announces.
pub(super) fn clamp(packet: &mut Packet, headers: &Headers, max: u16) {
    if let Some(segment) = segment(packet, headers) {
        tcp_options::clamp_mss(segment, Mss(max));
    }
}

/// Lowers the segment size that a backend announces by what the box puts in front of the stream, so that
/// the client's first segment has room for it.
pub(super) fn leave_room(segment: &mut [u8], bytes: u8) {
    if let Some(Mss(announced)) = tcp_options::announced_mss(segment) {
        tcp_options::clamp_mss(segment, Mss(announced.saturating_sub(bytes.into())));
    }
}
