//! What a packet looks like in its tunnel.

use std::net::IpAddr;

use super::way::{BACKEND, field, network, tags};
use super::{BOX1, Build, backend, backend_mac, frame};
use crate::snapshot::{GueVariant, TunnelKind};
use crate::testing::offer::{How, tunnel_source};
use crate::types::Port;

/// The kinds of tunnels.
pub(super) fn tunnels() -> [How; 4] {
    let gue = |variant| How::Tunnel(TunnelKind::Gue { port: Port(6080), variant });
    [How::Tunnel(TunnelKind::Ipip), How::Tunnel(TunnelKind::Gre), gue(GueVariant::Zero), gue(GueVariant::One)]
}

/// The packet in a tunnel to the backend; source port, flow label and identification are those
/// of `actual`, as long as they are what they may be.
pub(super) fn wrap(kind: TunnelKind, v6: bool, packet: &[u8], actual: &[u8]) -> Vec<u8> {
    let inner_v6 = packet[0] >> 4 == 6;
    let class = if inner_v6 { packet[0] << 4 | packet[1] >> 4 } else { packet[1] };
    let is_fixed = inner_v6 || packet[6] & 0x40 != 0;
    let network = network(actual);
    let source: IpAddr = tunnel_source(v6);
    let outer = frame((BOX1, &source.to_string()), (backend_mac(BACKEND), &backend(BACKEND, v6)));
    let outer = if v6 {
        let label = u32::from(field(actual, network)) << 16 | u32::from(field(actual, network + 2));
        assert_ne!(label & 0xf_ffff, 0, "a flow label");
        outer.flow_label(label & 0xf_ffff)
    } else if is_fixed {
        outer.identification(0)
    } else {
        outer.fragment(0).identification(field(actual, network + 4))
    };
    let (number, ethertype) = if inner_v6 { (41, [0x86, 0xdd]) } else { (4, [8, 0]) };
    let source_port = field(actual, network + if v6 { 40 } else { 20 });
    let udp = |outer: Build| {
        assert!(source_port >= 0xc000, "nobody listens at the source port {source_port}");
        if v6 { outer.udp(source_port, 6080) } else { outer.udp_without_checksum(source_port, 6080) }
    };
    let outer = match kind {
        TunnelKind::Ipip => outer.protocol(number).payload(packet),
        TunnelKind::Gre => outer.protocol(47).payload(&[&[0, 0][..], &ethertype, packet].concat()),
        TunnelKind::Gue { variant: GueVariant::Zero, .. } => {
            udp(outer).payload(&[&[0, number, 0, 0], packet].concat())
        }
        TunnelKind::Gue { variant: GueVariant::One, .. } => udp(outer).payload(packet),
    };
    outer.traffic_class(class).tags(&tags(actual)).build()
}
