//! The frames that `scripts/verify-tunnels` lets a Linux kernel open.

use std::fmt::Write;

use super::*;

/// One frame a line, `KIND|OUTER|INNER|WHAT|BYTES`, into the file that `TUNNEL_FRAMES` names.
#[test]
#[ignore = "writes the frames of scripts/verify-tunnels"]
fn frames_for_a_kernel() {
    let path = std::env::var_os("TUNNEL_FRAMES").expect("TUNNEL_FRAMES names the file to write");
    let mut text = String::new();
    for tunnel in KINDS.into_iter().flat_map(between_box_and_backend) {
        for v6 in [false, true] {
            for (what, bytes) in packets(v6) {
                let out = encapsulated(&[&bytes[..], &[0; 18]].concat(), NETWORK, &tunnel);
                let (outer, inner) = (version(tunnel.source.is_ipv6()), version(v6));
                write!(text, "{}|{outer}|{inner}|{what}|", name(tunnel.kind)).unwrap();
                out.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
                text.push('\n');
            }
        }
    }
    std::fs::write(path, text).unwrap();
}

fn between_box_and_backend(kind: TunnelKind) -> [Tunnel; 2] {
    [("10.0.1.1", "10.0.1.11"), ("fd01::1", "fd01::11")].map(|(source, destination)| Tunnel {
        kind,
        source: address(source),
        destination: address(destination),
    })
}

fn version(v6: bool) -> u8 {
    if v6 { 6 } else { 4 }
}

fn name(kind: TunnelKind) -> &'static str {
    match kind {
        TunnelKind::Ipip => "ipip",
        TunnelKind::Gre => "gre",
        TunnelKind::Gue { variant: GueVariant::Zero, .. } => "gue0",
        TunnelKind::Gue { variant: GueVariant::One, .. } => "gue1",
    }
}

/// What a kernel answers: to closed ports, and to pings. Each is told from the others by its port.
fn packets(v6: bool) -> Vec<(&'static str, Vec<u8>)> {
    let (client, vip) = if v6 { ("2001:db8::7", "2001:db8:1::100") } else { ("192.0.2.7", "10.0.0.100") };
    let packet = || frame((CLIENT, client), (BOX, vip));
    let long = [0x5a; 1371];
    let mut packets = vec![
        ("udp", packet().udp(40001, 53).payload(b"odd").build()),
        ("long udp", packet().udp(40002, 53).payload(&long).build()),
        ("udp that may be cut", packet().udp(40003, 53).payload(&long).fragment(0).build()),
        ("tcp syn", packet().tcp(40004, 80, 0x02).payload(&[]).build()),
        ("long tcp", packet().tcp(40005, 80, 0x18).payload(&long).build()),
        ("ping", packet().icmp(if v6 { 128 } else { 8 }).payload(&long).build()),
    ];
    if !v6 {
        packets
            .push(("udp without checksum", packet().udp_without_checksum(40006, 53).payload(&long).build()));
    }
    packets
}
