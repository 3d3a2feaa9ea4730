//! The packet that goes into a tunnel: what its outer headers take from it.

use crate::types::Protocol;
use crate::wire::checksum::{fold, sum};
use crate::wire::compose::pseudo_header;
use crate::wire::ipv4::{self, Ipv4};
use crate::wire::ipv6::{self, Ipv6};
use crate::wire::{WireError, ethernet::ethertype, tcp};

/// See the module's head.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inner {
    /// Its length, without the frame's padding.
    pub(super) length: u16,
    /// DSCP and ECN.
    pub(super) traffic_class: u8,
    /// Whether routers may not cut it. True of every IPv6 packet (RFC 8200 section 5).
    pub(super) dont_fragment: bool,
    /// Its number as a payload of IP.
    pub(super) protocol: u8,
    /// Its number as a payload of Ethernet and GRE.
    pub(super) ethertype: u16,
}

impl Inner {
    /// The header's fixed part, of a packet of that length, which has been parsed; and whether it is IPv4's.
    ///
    /// Apart from [`Self::read`], which cannot fail: so what that reads stays in registers.
    #[inline(always)]
    pub(super) fn check(packet: &[u8], length: u16) -> Result<(&[u8; ipv4::LENGTH], bool), WireError> {
        let fixed = packet.first_chunk().filter(|_| packet.len() >= usize::from(length));
        let fixed: &[u8; ipv4::LENGTH] = fixed.ok_or(WireError::Truncated)?;
        match fixed[0] >> 4 {
            4 => Ok((fixed, true)),
            6 => Ok((fixed, false)),
            _ => Err(WireError::Malformed),
        }
    }

    /// What it says.
    #[inline(always)]
    pub(super) fn read(fixed: &[u8; ipv4::LENGTH], v4: bool, length: u16) -> Self {
        Self {
            length,
            traffic_class: if v4 { fixed[1] } else { fixed[0] << 4 | fixed[1] >> 4 },
            dont_fragment: !v4 || fixed[6] & 0x40 != 0,
            protocol: if v4 { 4 } else { 41 },
            ethertype: if v4 { ethertype::IPV4 } else { ethertype::IPV6 },
        }
    }

    /// The one's complement sum over `packet`, which this was read from, for a checksum that covers it.
    ///
    /// Where the packet has a transport checksum of its own, its payload need not be touched: checksum and
    /// data cancel out against the pseudo-header, so their sum is the pseudo-header's complement (the
    /// kernel calls that local checksum offload). A checksum that was wrong makes this sum wrong, and the
    /// outer datagram is refused instead of the inner segment.
    #[inline(always)]
    pub(super) fn sum(&self, packet: &[u8]) -> u64 {
        self.known_sum(packet).unwrap_or_else(|| sum(0, packet))
    }

    /// Nothing is known of fragments, of what has no checksum, and of what stands behind options or extension
    /// headers: where those are a route, its last address is in the pseudo-header, not the packet's
    /// destination (RFC 8200 section 8.1).
    #[inline(always)]
    fn known_sum(&self, packet: &[u8]) -> Option<u64> {
        let (protocol, header, addresses) = if self.protocol == 4 {
            let (ipv4, _) = Ipv4::new_checked(packet).ok()?;
            if ipv4.is_fragment() || ipv4.header_length() > ipv4::LENGTH {
                return None;
            }
            (ipv4.protocol(), ipv4::LENGTH, 12..20)
        } else {
            let (ipv6, _) = Ipv6::new_checked(packet).ok()?;
            (ipv6.next_header(), ipv6::LENGTH, 8..40)
        };
        let (header, segment) = packet.split_at_checked(header)?;
        if !is_covered(protocol, segment) {
            return None;
        }
        let pseudo = pseudo_header(packet.get(addresses)?, protocol, segment.len());
        Some(sum(u64::from(!fold(pseudo)), header))
    }
}

/// Whether a checksum covers the segment to its last byte.
#[inline(always)]
fn is_covered(protocol: u8, segment: &[u8]) -> bool {
    if protocol == Protocol::Tcp.number() {
        return segment.len() >= tcp::LENGTH;
    }
    match segment.first_chunk() {
        // A datagram may end before the packet does, and have no checksum over IPv4 (RFC 768).
        Some(&[_, _, _, _, length0, length1, checksum0, checksum1]) if protocol == Protocol::Udp.number() => {
            let length = usize::from(u16::from_be_bytes([length0, length1]));
            length == segment.len() && [checksum0, checksum1] != [0, 0]
        }
        _ => false,
    }
}
