//! IP headers of both families, read into what they have in common and written from it (RFC 7915
//! sections 4.1, 5.1 and 5.1.1).

use std::ops::Range;

use super::super::refusal::Refusal;
use super::Identification;
use crate::flow::Addresses;
use crate::wire::Fragment;
use crate::wire::checksum::{Delta, fold, sum};
use crate::wire::ipv4::{self, Ipv4};
use crate::wire::ipv6::{self, Extensions, Ipv6};

/// The longest header that is written: IPv6 and a fragment header.
const MAX_HEADER: usize = ipv6::LENGTH + ipv6::FRAGMENT_LENGTH;

/// A packet of IPv4 up to this length may be fragmented on its way; a longer one would not fit the
/// smallest MTU of IPv6 when it is translated again (RFC 7915 section 5.1).
const MAY_BE_FRAGMENTED: usize = 1260;

/// The next-header number of a fragment header.
const FRAGMENT: u8 = 44;

/// What is said by the headers of a packet, of either family.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    traffic_class: u8,
    hops: u8,
    /// The transport protocol's number.
    pub(super) protocol: u8,
    pub(super) fragment: Option<Fragment>,
    /// Bytes of all headers up to the transport header.
    pub(super) header_length: usize,
    /// Bytes that follow those headers, as they announce it.
    pub(super) length: usize,
}

impl Fields {
    /// The headers of a whole packet.
    #[inline(always)]
    pub(super) fn of_packet(packet: &[u8]) -> Result<Self, Refusal> {
        if is_version_6(packet) {
            let (header, payload) = Ipv6::new_checked(packet)?;
            Self::of_ipv6(&header, payload)
        } else {
            Self::of_ipv4(&Ipv4::new_checked(packet)?.0)
        }
    }

    /// The headers of a packet that may be cut behind them.
    pub(super) fn of_quote(packet: &[u8]) -> Result<Self, Refusal> {
        if is_version_6(packet) {
            let (header, payload) = Ipv6::new_quoted(packet)?;
            Self::of_ipv6(&header, payload)
        } else {
            Self::of_ipv4(&Ipv4::new_quoted(packet)?.0)
        }
    }

    /// Options go, but for a source route that still leads somewhere: without it the packet would take
    /// another way (section 4.1).
    #[inline(always)]
    fn of_ipv4(header: &Ipv4<'_>) -> Result<Self, Refusal> {
        if header.has_source_route() {
            return Err(Refusal::SourceRouted);
        }
        let header_length = header.header_length();
        Ok(Self {
            traffic_class: header.traffic_class(),
            hops: header.ttl(),
            protocol: header.protocol(),
            fragment: header.fragment(),
            header_length,
            length: usize::from(header.total_length()).saturating_sub(header_length),
        })
    }

    /// Extension headers go, with the like exception (section 5.1), and but for those that are in one
    /// fragment only (section 5.1.1) or would be found forged.
    #[inline(always)]
    fn of_ipv6(header: &Ipv6<'_>, payload: &[u8]) -> Result<Self, Refusal> {
        let all = Extensions::read(header.next_header(), payload)?.ok_or(Refusal::ExtensionHeaders)?;
        if all.is_source_routed {
            return Err(Refusal::SourceRouted);
        }
        if all.is_authenticated || all.has_fragmented_header {
            return Err(Refusal::ExtensionHeaders);
        }
        Ok(Self {
            traffic_class: header.traffic_class(),
            hops: header.hop_limit(),
            protocol: all.number,
            fragment: all.fragment,
            header_length: ipv6::LENGTH + all.length,
            length: usize::from(header.payload_length()).saturating_sub(all.length),
        })
    }

    /// The headers of a message that takes the place of a whole packet.
    pub(super) fn carrying(self, protocol: u8, length: usize) -> Self {
        Self { protocol, length, fragment: None, ..self }
    }

    /// Counts the packet's time down, as a router does (sections 4.1 and 5.1).
    #[inline(always)]
    pub(super) fn hop(&mut self) -> Result<(), Refusal> {
        match self.hops {
            0 | 1 => Err(Refusal::TtlExceeded),
            _ => {
                self.hops -= 1;
                Ok(())
            }
        }
    }

    /// Where in a whole packet the transport header and all behind it is.
    #[inline(always)]
    pub(super) fn payload(&self) -> Range<usize> {
        self.header_length..self.header_length + self.length
    }

    /// The headers in the family of `addresses`, and with these.
    #[inline(always)]
    pub(super) fn write(
        &self,
        addresses: &Addresses,
        identification: Identification,
    ) -> Result<NewHeader, Refusal> {
        let mut header = NewHeader { bytes: [0; MAX_HEADER], length: 0, replaces: self.header_length };
        match addresses {
            Addresses::V4 { source, destination } => {
                self.write_ipv4(&mut header, identification)?;
                header.bytes[12..16].copy_from_slice(&source.octets());
                header.bytes[16..20].copy_from_slice(&destination.octets());
                let checksum = !fold(sum(0, &header.bytes[..ipv4::LENGTH]));
                header.bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
            }
            Addresses::V6 { source, destination } => {
                self.write_ipv6(&mut header)?;
                header.bytes[8..24].copy_from_slice(&source.octets());
                header.bytes[24..40].copy_from_slice(&destination.octets());
            }
        }
        Ok(header)
    }

    /// A part keeps what names its whole (section 5.1.1); a packet that is none gets a name and may
    /// become one, if it is short enough (section 5.1).
    #[inline(always)]
    fn write_ipv4(&self, header: &mut NewHeader, Identification(own): Identification) -> Result<(), Refusal> {
        let total = ipv4::LENGTH + self.length;
        #[expect(clippy::cast_possible_truncation, reason = "the low half is what IPv4 has room for")]
        let (identification, field) = match self.fragment {
            Some(part) => (part.identification as u16, u16::from(part.more) << 13 | part.offset),
            None => (own, u16::from(total > MAY_BE_FRAGMENTED) << 14),
        };
        header.length = ipv4::LENGTH;
        header.bytes[..2].copy_from_slice(&[0x45, self.traffic_class]);
        header.bytes[2..4].copy_from_slice(&announced(total)?);
        header.bytes[4..6].copy_from_slice(&identification.to_be_bytes());
        header.bytes[6..8].copy_from_slice(&field.to_be_bytes());
        header.bytes[8..10].copy_from_slice(&[self.hops, self.protocol]);
        Ok(())
    }

    /// The flow label is zero (section 4.1).
    #[inline(always)]
    fn write_ipv6(&self, header: &mut NewHeader) -> Result<(), Refusal> {
        header.length = ipv6::LENGTH;
        let mut next = self.protocol;
        if let Some(part) = self.fragment {
            let field = part.offset << 3 | u16::from(part.more);
            header.bytes[40] = self.protocol;
            header.bytes[42..44].copy_from_slice(&field.to_be_bytes());
            header.bytes[44..48].copy_from_slice(&part.identification.to_be_bytes());
            header.length += ipv6::FRAGMENT_LENGTH;
            next = FRAGMENT;
        }
        let class = self.traffic_class;
        header.bytes[..2].copy_from_slice(&[0x60 | class >> 4, class << 4]);
        header.bytes[4..6].copy_from_slice(&announced(header.length - ipv6::LENGTH + self.length)?);
        header.bytes[6..8].copy_from_slice(&[next, self.hops]);
        Ok(())
    }
}

#[inline(always)]
fn announced(length: usize) -> Result<[u8; 2], Refusal> {
    u16::try_from(length).map(u16::to_be_bytes).map_err(|_| Refusal::TooLong)
}

#[inline(always)]
pub(super) fn is_ipv6(addresses: &Addresses) -> bool {
    matches!(addresses, Addresses::V6 { .. })
}

#[inline(always)]
fn is_version_6(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| first >> 4 == 6)
}

/// An IP header in the place of another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewHeader {
    bytes: [u8; MAX_HEADER],
    length: usize,
    replaces: usize,
}

impl NewHeader {
    #[inline(always)]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }

    /// Gives a fragment another identification: where many hosts are behind its source, theirs may be the
    /// same (RFC 6864 section 5.3.1). A packet that is no fragment of IPv6 has none.
    pub(crate) fn rename(&mut self, Identification(name): Identification) {
        if self.length == ipv4::LENGTH {
            let before = u16::from_be_bytes([self.bytes[4], self.bytes[5]]);
            let checksum = u16::from_be_bytes([self.bytes[10], self.bytes[11]]);
            self.bytes[4..6].copy_from_slice(&name.to_be_bytes());
            let checksum = Delta::default().word(before, name).apply(checksum);
            self.bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
        } else if self.length == MAX_HEADER {
            self.bytes[44..48].copy_from_slice(&u32::from(name).to_be_bytes());
        }
    }

    /// Bytes of the headers that it stands for, extension headers included.
    #[inline(always)]
    pub(crate) fn replaces(&self) -> usize {
        self.replaces
    }
}
