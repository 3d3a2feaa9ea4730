//! The headers in front of the packet in a tunnel.

use std::net::IpAddr;

use super::inner::Inner;
use crate::snapshot::{GueVariant, Tunnel, TunnelKind};
use crate::types::{Port, Protocol};
use crate::wire::checksum::{fold, sum};
use crate::wire::compose::{self, Payload, pseudo_header};
use crate::wire::ethernet::ethertype;
use crate::wire::{gre, gue, udp};

/// See the module's head.
#[derive(Debug)]
pub(super) struct Outer<'f> {
    pub(super) tunnel: &'f Tunnel,
    pub(super) inner: Inner,
    /// The inner packet.
    pub(super) packet: &'f [u8],
    pub(super) entropy: u64,
    pub(super) identification: u16,
}

impl Outer<'_> {
    /// Writes the headers into `place`, which is as long as they are, and returns the outermost one's
    /// EtherType. `None`: the tunnel's addresses are of two families.
    #[inline(always)]
    pub(super) fn write(&self, place: &mut [u8]) -> Option<u16> {
        let Self { tunnel, inner, entropy, .. } = self;
        let payload = Payload {
            traffic_class: inner.traffic_class,
            protocol: protocol(tunnel.kind, inner),
            length: inner.length.checked_add(u16::try_from(tunnel.kind.length()).ok()?)?,
        };
        match (tunnel.source, tunnel.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                // What must not be cut is not cut inside its tunnel either (RFC 2003 section 3.1).
                let identification = (!inner.dont_fragment).then_some(self.identification);
                let between = put(place, compose::ipv4(payload, identification, source, destination))?;
                self.write_between(between, payload.length)?;
                Some(ethertype::IPV4)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let label = flow_label(*entropy);
                let between = put(place, compose::ipv6(payload, label, source, destination))?;
                self.write_between(between, payload.length)?;
                Some(ethertype::IPV6)
            }
            (IpAddr::V4(_) | IpAddr::V6(_), _) => None,
        }
    }

    /// What stands between the IP headers; `length` is the outer one's payload.
    #[inline(always)]
    fn write_between(&self, place: &mut [u8], length: u16) -> Option<()> {
        match self.tunnel.kind {
            TunnelKind::Ipip => {}
            TunnelKind::Gre => {
                put(place, gre::header(self.inner.ethertype))?;
            }
            TunnelKind::Gue { port, variant: GueVariant::Zero } => {
                let gue = gue::header(self.inner.protocol);
                let rest = put(place, self.udp_header(port, length, sum(0, &gue)))?;
                put(rest, gue)?;
            }
            TunnelKind::Gue { port, variant: GueVariant::One } => {
                put(place, self.udp_header(port, length, 0))?;
            }
        }
        Some(())
    }

    /// A UDP header whose checksum is left out over IPv4, where the inner packet's own are enough, and
    /// made over IPv6, whose header has none (RFC 8200 section 8.1). `gue` is the sum over what stands
    /// between.
    #[inline(always)]
    fn udp_header(&self, port: Port, length: u16, gue: u64) -> [u8; udp::LENGTH] {
        let source = source_port(self.entropy);
        let checksum = match (self.tunnel.source, self.tunnel.destination) {
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let pseudo = pseudo_header(&from.octets(), Protocol::Udp.number(), length.into());
                let ports = u64::from(source.0) + u64::from(port.0);
                let header = sum(pseudo, &to.octets()) + ports + u64::from(length);
                // A zero would say that there is none (RFC 768).
                match !fold(header + gue + self.inner.sum(self.packet)) {
                    0 => 0xffff,
                    checksum => checksum,
                }
            }
            _ => 0,
        };
        let [s0, s1] = source.0.to_be_bytes();
        let [d0, d1] = port.0.to_be_bytes();
        let [l0, l1] = length.to_be_bytes();
        let [c0, c1] = checksum.to_be_bytes();
        [s0, s1, d0, d1, l0, l1, c0, c1]
    }
}

/// Writes a header to the front of `place` and gives the rest of it.
#[inline(always)]
fn put<const N: usize>(place: &mut [u8], header: [u8; N]) -> Option<&mut [u8]> {
    let (front, rest) = place.split_first_chunk_mut()?;
    *front = header;
    Some(rest)
}

/// The number that the outer IP header has for what follows it.
#[inline(always)]
fn protocol(kind: TunnelKind, inner: &Inner) -> u8 {
    match kind {
        TunnelKind::Ipip => inner.protocol,
        TunnelKind::Gre => gre::PROTOCOL,
        TunnelKind::Gue { .. } => Protocol::Udp.number(),
    }
}

/// The flow label of RFC 6438: the same for all packets of a flow, and never 0, which means that there is
/// none (RFC 6437 section 2).
#[inline(always)]
fn flow_label(entropy: u64) -> u32 {
    (entropy % 0xf_ffff) as u32 + 1
}

/// A source port out of 49152 to 65535: nobody listens there.
#[inline(always)]
fn source_port(entropy: u64) -> Port {
    Port(0xc000 | (entropy & 0x3fff) as u16)
}
