//! The headers in front of the packet in a tunnel.

use std::net::IpAddr;

use super::inner::Inner;
use crate::snapshot::{GueVariant, Tunnel, TunnelKind};
use crate::types::{Port, Protocol};
use crate::wire::checksum::{fold, sum};
use crate::wire::compose::{self, Payload, pseudo_header};
use crate::wire::ethernet::ethertype;
use crate::wire::{gre, gue, ipv6, udp};

const LONGEST: usize = ipv6::LENGTH + udp::LENGTH + gue::LENGTH;

/// See the module's head.
#[derive(Debug)]
pub(super) struct Outer {
    ethertype: u16,
    bytes: [u8; LONGEST],
    length: usize,
}

impl Outer {
    /// `None`: the tunnel's addresses are of two families.
    #[inline(always)]
    pub(super) fn new(tunnel: &Tunnel, inner: &Inner<'_>, entropy: u64, identification: u16) -> Option<Self> {
        let payload = Payload {
            traffic_class: inner.traffic_class,
            protocol: protocol(tunnel.kind, inner),
            length: u16::try_from(tunnel.kind.length() + inner.packet.len()).ok()?,
        };
        let mut outer = Self { ethertype: ethertype::IPV4, bytes: [0; LONGEST], length: 0 };
        match (tunnel.source, tunnel.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                // What must not be cut is not cut inside its tunnel either (RFC 2003 section 3.1).
                let identification = (!inner.dont_fragment).then_some(identification);
                outer.push(compose::ipv4(payload, identification, source, destination));
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                outer.ethertype = ethertype::IPV6;
                outer.push(compose::ipv6(payload, flow_label(entropy), source, destination));
            }
            (IpAddr::V4(_) | IpAddr::V6(_), _) => return None,
        }
        outer.push_between(tunnel, inner, entropy, payload.length);
        Some(outer)
    }

    pub(super) fn ethertype(&self) -> u16 {
        self.ethertype
    }

    #[inline(always)]
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// What stands between the IP headers; `length` is the outer one's payload.
    #[inline(always)]
    fn push_between(&mut self, tunnel: &Tunnel, inner: &Inner<'_>, entropy: u64, length: u16) {
        match tunnel.kind {
            TunnelKind::Ipip => {}
            TunnelKind::Gre => self.push(gre::header(inner.ethertype)),
            TunnelKind::Gue { port, variant: GueVariant::Zero } => {
                let gue = gue::header(inner.protocol);
                self.push(udp_header(tunnel, inner, source_port(entropy), port, length, sum(0, &gue)));
                self.push(gue);
            }
            TunnelKind::Gue { port, variant: GueVariant::One } => {
                self.push(udp_header(tunnel, inner, source_port(entropy), port, length, 0));
            }
        }
    }

    #[inline(always)]
    fn push<const N: usize>(&mut self, header: [u8; N]) {
        if let Some(place) = self.bytes.get_mut(self.length..).and_then(<[u8]>::first_chunk_mut) {
            *place = header;
            self.length += N;
        }
    }
}

/// The number that the outer IP header has for what follows it.
#[inline(always)]
fn protocol(kind: TunnelKind, inner: &Inner<'_>) -> u8 {
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

/// A UDP header whose checksum is left out over IPv4, where the inner packet's own are enough, and made
/// over IPv6, whose header has none (RFC 8200 section 8.1). `gue` is the sum over what stands between.
#[inline(always)]
fn udp_header(
    tunnel: &Tunnel,
    inner: &Inner<'_>,
    source: Port,
    destination: Port,
    length: u16,
    gue: u64,
) -> [u8; udp::LENGTH] {
    let checksum = match (tunnel.source, tunnel.destination) {
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let pseudo = pseudo_header(&from.octets(), Protocol::Udp.number(), length.into());
            let ports = u64::from(source.0) + u64::from(destination.0);
            let header = sum(pseudo, &to.octets()) + ports + u64::from(length);
            // A zero would say that there is none (RFC 768).
            match !fold(header + gue + inner.sum()) {
                0 => 0xffff,
                checksum => checksum,
            }
        }
        _ => 0,
    };
    let [s0, s1] = source.0.to_be_bytes();
    let [d0, d1] = destination.0.to_be_bytes();
    let [l0, l1] = length.to_be_bytes();
    let [c0, c1] = checksum.to_be_bytes();
    [s0, s1, d0, d1, l0, l1, c0, c1]
}
