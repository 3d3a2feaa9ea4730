//! ICMP errors between the families (RFC 7915 sections 4.2, 4.3, 5.2 and 5.3): put together anew, because
//! the quote inside changes its length, too.

use super::super::icmp_error::{Change, EXTENDED_QUOTE, Quoted, summed_with};
use super::super::refusal::Refusal;
use super::super::transport;
use super::Identification;
use super::header::{Fields, NewHeader, is_ipv6};
use super::mapping::{self, Meaning, Mtus};
use crate::wire::checksum::{fold, sum};
use crate::wire::icmp::{self, Icmp, v4, v6};
use crate::wire::ipv4::Ipv4;
use crate::wire::{WireError, ipv4, ipv6};

/// The longest error that is put together: IPv6's smallest MTU (RFC 4443 section 2.4 (c)).
pub(crate) const MAX_ERROR: usize = 1280;

/// The longest of IPv4 (RFC 1812 section 4.3.2.3).
const MAX_IPV4_ERROR: usize = 576;

/// Puts the error in `packet`, which `quoted` was made of, together in the other family, in `out`.
/// Gives its length.
///
/// Its checksum is summed anew; that the old one was right is known since the quote was looked at.
pub(crate) fn translate_error(
    packet: &[u8],
    quoted: &Quoted,
    change: &Change,
    mtus: Mtus,
    identification: Identification,
    out: &mut [u8; MAX_ERROR],
) -> Result<usize, Refusal> {
    let message = packet.get(quoted.icmp..quoted.end).ok_or(WireError::Truncated)?;
    let to_ipv6 = is_ipv6(&change.outer);
    if to_ipv6 == is_ipv6(&quoted.outer) || to_ipv6 != is_ipv6(&change.quoted.addresses) {
        return Err(Refusal::WrongFamily);
    }
    let mut outer = Fields::of_packet(packet)?;
    if change.hop {
        outer.hop()?;
    }
    let quote = packet.get(quoted.icmp + icmp::LENGTH..quoted.quote_end).ok_or(WireError::Truncated)?;
    let inner = Fields::of_quote(quote)?;
    let icmp = Icmp::new_checked(message)?;
    let meaning = if to_ipv6 {
        let total_length = Ipv4::new_quoted(quote)?.0.total_length();
        mapping::to_ipv6(&icmp, total_length, mtus)
    } else {
        mapping::to_ipv4(&icmp, inner.fragment.is_some(), mtus)
    };
    let parts = Parts {
        meaning: meaning.ok_or(Refusal::NotCarried)?,
        header: inner.write(&change.quoted.addresses, Identification::default())?,
        payload: quote.get(inner.header_length..).ok_or(WireError::Truncated)?,
        extensions: packet.get(quoted.quote_end..quoted.end).unwrap_or_default(),
    };
    parts.assemble(outer, quoted, change, identification, out)
}

/// The pieces of the new message.
struct Parts<'p> {
    meaning: Meaning,
    /// Of the quoted packet.
    header: NewHeader,
    /// What there is of the quoted packet behind its header.
    payload: &'p [u8],
    /// What stands behind the quote (RFC 4884 section 7).
    extensions: &'p [u8],
}

impl Parts<'_> {
    fn assemble(
        &self,
        outer: Fields,
        quoted: &Quoted,
        change: &Change,
        identification: Identification,
        out: &mut [u8; MAX_ERROR],
    ) -> Result<usize, Refusal> {
        let (protocol, header, longest) = if is_ipv6(&change.outer) {
            (v6::PROTOCOL, ipv6::LENGTH, MAX_ERROR)
        } else {
            (v4::PROTOCOL, ipv4::LENGTH, MAX_IPV4_ERROR)
        };
        let natural = self.header.bytes().len() + self.payload.len();
        let room = longest - header - icmp::LENGTH;
        let layout = Layout::new(natural, self.extensions.len(), room, self.length_field(protocol));
        let message = layout.message();
        let (front, rest) = out.split_at_mut(header);
        let outer = outer.carrying(protocol, message).write(&change.outer, identification)?;
        front.copy_from_slice(outer.bytes());
        let rest = rest.get_mut(..message).ok_or(Refusal::TooLong)?;
        self.fill(rest, &layout, quoted, change).ok_or(WireError::Truncated)?;
        let checksum = !fold(sum(summed_with(&change.outer, message), rest));
        rest.get_mut(2..4).ok_or(WireError::Truncated)?.copy_from_slice(&checksum.to_be_bytes());
        Ok(header + message)
    }

    /// Header, quote, padding and extensions; the checksum is zero.
    fn fill(&self, message: &mut [u8], layout: &Layout, quoted: &Quoted, change: &Change) -> Option<()> {
        let (header, body) = message.split_first_chunk_mut::<{ icmp::LENGTH }>()?;
        let Meaning { kind, code, rest } = self.meaning;
        header[..4].copy_from_slice(&[kind, code, 0, 0]);
        header[4..].copy_from_slice(&rest);
        if let Some(field) = layout.field {
            *header.get_mut(field.at)? = field.words;
        }
        let (quote, behind) = body.split_at_mut_checked(layout.padded)?;
        let (quote, padding) = quote.split_at_mut_checked(layout.quote)?;
        padding.fill(0);
        behind.copy_from_slice(self.extensions.get(..behind.len())?);
        let (inner, payload) = quote.split_at_mut_checked(self.header.bytes().len())?;
        inner.copy_from_slice(self.header.bytes());
        payload.copy_from_slice(self.payload.get(..payload.len())?);
        transport::rewrite(payload, &quoted.tuple, &change.quoted)
    }

    /// Where the new type says how long the quote is, and in words of how many bytes (RFC 4884
    /// section 4). Without such a field there are no extensions.
    fn length_field(&self, protocol: u8) -> Option<LengthField> {
        match (protocol, self.meaning.kind) {
            (v4::PROTOCOL, _) => Some(LengthField { at: 5, unit: 4 }),
            (_, v6::DESTINATION_UNREACHABLE | v6::TIME_EXCEEDED) => Some(LengthField { at: 4, unit: 8 }),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct LengthField {
    at: usize,
    unit: usize,
}

/// A length field and what it says.
#[derive(Debug, Clone, Copy)]
struct Written {
    at: usize,
    words: u8,
}

/// How many bytes of what the new message has behind its header.
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// Of the quoted packet.
    quote: usize,
    /// The same with padding: where extensions begin.
    padded: usize,
    extensions: usize,
    /// Only with extensions.
    field: Option<Written>,
}

impl Layout {
    /// Extensions need a quote of a whole number of words and of some length in front of them; where
    /// they don't fit behind the shortest, they are left out (RFC 7915 sections 4.3 and 5.3).
    fn new(natural: usize, extensions: usize, room: usize, field: Option<LengthField>) -> Self {
        let bare = Self { quote: natural.min(room), padded: natural.min(room), extensions: 0, field: None };
        let Some(LengthField { at, unit }) = field.filter(|_| extensions > 0) else { return bare };
        if EXTENDED_QUOTE + extensions > room {
            return bare;
        }
        let quote = natural.min(room - extensions);
        let padded = (quote - quote % unit).max(EXTENDED_QUOTE);
        let Ok(words) = u8::try_from(padded / unit) else { return bare };
        Self { quote: quote.min(padded), padded, extensions, field: Some(Written { at, words }) }
    }

    /// Bytes of the message.
    fn message(&self) -> usize {
        icmp::LENGTH + self.padded + self.extensions
    }
}
