//! What may belong to a flow without being addressed to a virtual address.

use super::*;

/// UDP from the backend's endpoint behind extension headers: (its own type, its bytes) each.
fn extended(headers: &[(u8, &[u8])]) -> Vec<u8> {
    let types: Vec<u8> = headers.iter().map(|(kind, _)| *kind).chain([UDP]).collect();
    let mut parts = vec![ipv6(BACKEND6, CLIENT6, types[0])];
    for (place, (_, bytes)) in headers.iter().enumerate() {
        parts.push([&[types[place + 1]], &bytes[1..]].concat());
    }
    parts.push(ports(53, 4000));
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    ethernet(IPV6, &parts)
}

const OPTIONS: (u8, &[u8]) = (60, &[0, 0, 1, 4, 0, 0, 0, 0]);
const LONG_HOP_BY_HOP: (u8, &[u8]) = (0, &[0, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const ROUTING: (u8, &[u8]) = (43, &[0, 0, 4, 0, 0, 0, 0, 0]);
const AUTHENTICATION: (u8, &[u8]) =
    (51, &[0, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const FIRST_FRAGMENT: (u8, &[u8]) = (44, &[0, 0, 0, 1, 0, 0, 0, 9]);
const WHOLE_FRAGMENT: (u8, &[u8]) = (44, &[0, 0, 0, 0, 0, 0, 0, 9]);
const LATER_FRAGMENT: (u8, &[u8]) = (44, &[0, 0, 0, 9, 0, 0, 0, 9]);

pub(super) fn return_rows() -> Vec<Row> {
    let with_options = ethernet(IPV4, &[&ipv4(BACKEND, CLIENT, TCP, 0, 3), &ports(8080, 4000)]);
    let fragment = |bits| ethernet(IPV4, &[&ipv4(BACKEND, CLIENT, TCP, bits, 0), &ports(8080, 4000)]);
    let piece = |source, destination, protocol| {
        ethernet(IPV4, &[&ipv4(source, destination, protocol, 0x2001, 0), &[0; 8]])
    };
    let piece6 = |source, protocol| {
        ethernet(IPV6, &[&ipv6(source, CLIENT6, 44), &[protocol, 0, 0, 9, 0, 0, 0, 9], &[0; 8]])
    };
    let cut = ethernet(IPV4, &[&ipv4(BACKEND, CLIENT, TCP, 0, 0), &ports(8080, 4000)[..7]]);
    let to6 = |client| ethernet(IPV6, &[&ipv6(BACKEND6, client, UDP), &ports(53, 4000)]);
    vec![
        ("a backend's endpoint answers a client", tcp4(BACKEND, 8080, CLIENT, 4000), Worker),
        ("the same with IPv4 options", with_options, Worker),
        ("a backend's endpoint answers a health check", tcp4(BACKEND, 8080, OWN, 4000), Linux),
        ("another port of the backend", tcp4(BACKEND, 22, CLIENT, 4000), Linux),
        ("another protocol of the backend's port", udp4(BACKEND, CLIENT, 8080, 4000, b""), Linux),
        ("a client with the endpoint's port as destination", tcp4(CLIENT, 4000, BACKEND, 8080), Linux),
        ("a first fragment of a backend", fragment(0x2000), Worker),
        ("a fragment in the middle", fragment(0x2001), Worker),
        ("a last fragment, which has no ports", fragment(0x1000), Worker),
        ("a backend's packet that must not be fragmented", fragment(0x4000), Worker),
        ("a fragment of a backend to the box itself", piece(BACKEND, OWN, TCP), Linux),
        ("a fragment of a backend to a group", piece(BACKEND, "224.0.0.251", TCP), Linux),
        ("a fragment by a protocol that the backend has no service for", piece(BACKEND, CLIENT, UDP), Linux),
        ("a fragment of a backend's echo", piece(BACKEND, CLIENT, ICMP), Linux),
        ("a fragment of another host", piece(CLIENT, "192.0.2.8", TCP), Linux),
        ("a fragment of a backend of which every port counts", piece(BACKEND_ANY, CLIENT, UDP), Worker),
        ("an IPv6 fragment of another protocol", piece6(BACKEND6, TCP), Linux),
        ("an IPv6 fragment of another host", piece6("2001:db8:1::12", UDP), Linux),
        ("any port of a backend of which every port counts", udp4(BACKEND_ANY, CLIENT, 9, 9, b""), Worker),
        ("the same by another protocol", tcp4(BACKEND_ANY, 9, CLIENT, 9), Linux),
        ("the same to the box itself", udp4(BACKEND_ANY, OWN, 9, 9, b""), Linux),
        ("ports that are cut", cut, Linux),
        ("a backend's endpoint sends to a group", tcp4(BACKEND, 8080, "224.0.0.251", 4000), Linux),
        ("the last group", tcp4(BACKEND, 8080, "239.255.255.255", 4000), Linux),
        ("the address before the first group", tcp4(BACKEND, 8080, "223.255.255.255", 4000), Worker),
        ("a backend's endpoint sends to all", tcp4(BACKEND, 8080, "255.255.255.255", 4000), Linux),
        ("a backend's endpoint sends to loopback", tcp4(BACKEND, 8080, "127.0.0.2", 4000), Linux),
        ("a backend's endpoint sends to an IPv6 group", to6("ff05::2"), Linux),
        ("a backend's endpoint sends to a link-local address", to6("fe80::1"), Linux),
        ("the last link-local address", to6("febf:ffff::1"), Linux),
        ("an address behind the link-local ones", to6("fec0::1"), Worker),
        ("an address before the link-local ones", to6("fe7f::1"), Worker),
        ("a backend's endpoint over IPv6", to6(CLIENT6), Worker),
        ("a backend's endpoint answers the box over IPv6", to6(OWN6), Linux),
        ("behind destination options", extended(&[OPTIONS]), Worker),
        (
            "behind hop-by-hop, routing and authentication",
            extended(&[LONG_HOP_BY_HOP, ROUTING, AUTHENTICATION]),
            Worker,
        ),
        ("behind as many headers as are walked", extended(&[OPTIONS; 8]), Worker),
        ("behind one header more than are walked", extended(&[OPTIONS; 9]), Linux),
        ("a first IPv6 fragment", extended(&[FIRST_FRAGMENT]), Worker),
        ("a first IPv6 fragment behind options", extended(&[OPTIONS, FIRST_FRAGMENT]), Worker),
        ("a later IPv6 fragment", extended(&[LATER_FRAGMENT]), Worker),
        ("an IPv6 fragment before options", extended(&[LATER_FRAGMENT, OPTIONS]), Linux),
        ("a fragment header around a whole packet", extended(&[WHOLE_FRAGMENT]), Worker),
        ("a header that reaches beyond the frame", extended(&[(60, &[0, 255, 0, 0, 0, 0, 0, 0])]), Linux),
    ]
}

/// An ICMP error from a router on the way, to the one who is said to have sent `quoted`.
fn error(kind: u8, to: &str, quoted: &[&[u8]]) -> Vec<u8> {
    let outer = ipv4(ROUTER, to, ICMP, 0, 0);
    ethernet(IPV4, &[&[&outer, &[kind, 4, 0, 0, 0, 0, 5, 0][..]], quoted].concat())
}

fn error6(kind: u8, to: &str, quoted: &[&[u8]]) -> Vec<u8> {
    let outer = ipv6(ROUTER6, to, ICMPV6);
    ethernet(IPV6, &[&[&outer, &[kind, 0, 0, 0, 0, 0, 5, 0][..]], quoted].concat())
}

pub(super) fn error_rows() -> Vec<Row> {
    let sent = |to, options, fragment| ipv4(CLIENT, to, TCP, fragment, options);
    let about = |kind| error(kind, CLIENT, &[&sent(BACKEND, 0, 0), &ports(4000, 8080)]);
    let with = |quoted: Vec<u8>, ports: &[u8]| error(3, CLIENT, &[&quoted, ports]);
    let to_8080 = || ports(4000, 8080);
    let mut rows = vec![
        ("an error about a packet to another port", with(sent(BACKEND, 0, 0), &ports(4000, 22)), Linux),
        ("about one from the endpoint's port", with(sent(BACKEND, 0, 0), &ports(8080, 4000)), Linux),
        ("about one to another host", with(sent("10.0.1.13", 0, 0), &to_8080()), Linux),
        ("about one by another protocol", with(ipv4(CLIENT, BACKEND, UDP, 0, 0), &to_8080()), Linux),
        ("about one with IPv4 options", with(sent(BACKEND, 10, 0), &to_8080()), Worker),
        ("about a first fragment", with(sent(BACKEND, 0, 0x2000), &to_8080()), Worker),
        ("about a later fragment, which has no ports", with(sent(BACKEND, 0, 0x0001), &to_8080()), Linux),
        (
            "about one to a backend of which every port counts",
            with(ipv4(CLIENT, BACKEND_ANY, UDP, 0, 0), &ports(4000, 9)),
            Worker,
        ),
        ("that quotes ports that are cut", with(sent(BACKEND, 0, 0), &to_8080()[..7]), Linux),
        ("that quotes a header that is cut", error(3, CLIENT, &[&sent(BACKEND, 0, 0)[..19]]), Linux),
        ("that quotes a header shorter than 20 bytes", with(vec![0x44; 20], &to_8080()), Linux),
        ("that quotes IPv6", error(3, CLIENT, &[&ipv6(CLIENT6, BACKEND6, UDP), &ports(4000, 53)]), Linux),
        ("that quotes nothing", error(3, CLIENT, &[]), Linux),
        ("to the box itself", error(3, OWN, &[&sent(BACKEND, 0, 0), &to_8080()]), Linux),
        ("to a VIP, whatever it quotes", error(3, VIP, &[]), Worker),
        (
            "that is a fragment",
            ethernet(
                IPV4,
                &[
                    &ipv4(ROUTER, CLIENT, ICMP, 0x2000, 0),
                    &[3, 4, 0, 0, 0, 0, 5, 0],
                    &sent(BACKEND, 0, 0),
                    &to_8080(),
                ],
            ),
            Linux,
        ),
        ("that is addressed to a stranger's MAC", to_mac(STRANGER, about(3)), Linux),
    ];
    rows.extend([3, 4, 5, 11, 12].map(|kind| ("an ICMP error of any kind", about(kind), Worker)));
    rows.extend([0, 8, 9, 13, 14].map(|kind| ("ICMP that is no error", about(kind), Linux)));
    rows
}

pub(super) fn error6_rows() -> Vec<Row> {
    let about = |kind| error6(kind, CLIENT6, &[&ipv6(CLIENT6, BACKEND6, UDP), &ports(4000, 53)]);
    let mut rows = vec![
        (
            "about a packet to another port",
            { error6(1, CLIENT6, &[&ipv6(CLIENT6, BACKEND6, UDP), &ports(4000, 54)]) },
            Linux,
        ),
        (
            "about a packet behind extension headers",
            {
                let headers: [&[u8]; 2] = [&[43, 0, 1, 4, 0, 0, 0, 0], &[UDP, 0, 4, 0, 0, 0, 0, 0]];
                error6(2, CLIENT6, &[&ipv6(CLIENT6, BACKEND6, 60), headers[0], headers[1], &ports(4000, 53)])
            },
            Worker,
        ),
        (
            "about a first fragment",
            {
                let header = [UDP, 0, 0, 1, 0, 0, 0, 9];
                error6(3, CLIENT6, &[&ipv6(CLIENT6, BACKEND6, 44), &header, &ports(4000, 53)])
            },
            Worker,
        ),
        (
            "about a later fragment",
            {
                let header = [UDP, 0, 0, 9, 0, 0, 0, 9];
                error6(3, CLIENT6, &[&ipv6(CLIENT6, BACKEND6, 44), &header, &ports(4000, 53)])
            },
            Linux,
        ),
        (
            "that quotes IPv4",
            error6(1, CLIENT6, &[&ipv4(CLIENT, BACKEND, TCP, 0, 0), &ports(4000, 8080)]),
            Linux,
        ),
        (
            "that quotes a header that is cut",
            { error6(1, CLIENT6, &[&ipv6(CLIENT6, BACKEND6, UDP)[..39]]) },
            Linux,
        ),
        ("to the box itself", error6(2, OWN6, &[&ipv6(CLIENT6, BACKEND6, UDP), &ports(4000, 53)]), Linux),
        ("to a VIP, whatever it quotes", error6(2, VIP6, &[]), Worker),
    ];
    rows.extend([1, 2, 3, 4, 127].map(|kind| ("an ICMPv6 error of any kind", about(kind), Worker)));
    rows.extend([128, 129, 136].map(|kind| ("ICMPv6 that is no error", about(kind), Linux)));
    rows
}
