//! What is addressed to a virtual address, or asks for it.

use super::*;

pub(super) fn vip_rows() -> Vec<Row> {
    let icmp = [8, 0, 0, 0, 0, 1, 0, 1];
    vec![
        ("TCP to a VIP", tcp4(CLIENT, 4000, VIP, 80), Worker),
        ("UDP to a VIP, to a port without a service", udp4(CLIENT, VIP, 4000, 9, b""), Worker),
        ("an echo request to a VIP", ethernet(IPV4, &[&ipv4(CLIENT, VIP, 1, 0, 0), &icmp]), Worker),
        (
            "a first fragment to a VIP",
            ethernet(IPV4, &[&ipv4(CLIENT, VIP, UDP, 0x2000, 0), &[0; 40]]),
            Worker,
        ),
        (
            "a later fragment to a VIP",
            ethernet(IPV4, &[&ipv4(CLIENT, VIP, UDP, 0x00b9, 0), &[0; 40]]),
            Worker,
        ),
        ("an unknown protocol to a VIP", ethernet(IPV4, &[&ipv4(CLIENT, VIP, 253, 0, 0)]), Worker),
        ("a VIP that is an address of the box as well", tcp4(CLIENT, 4000, OWN_VIP, 80), Worker),
        ("a backend's endpoint that calls a VIP", tcp4(BACKEND, 8080, VIP, 80), Worker),
        ("TCP from a VIP to someone else", tcp4(VIP, 80, CLIENT, 4000), Linux),
        ("TCP to the box itself", tcp4(CLIENT, 4000, OWN, 22), Linux),
        ("TCP to an address next to the VIP", tcp4(CLIENT, 4000, "10.0.0.102", 80), Linux),
        ("TCP to an IPv6 VIP", ethernet(IPV6, &[&ipv6(CLIENT6, VIP6, TCP), &ports(4000, 80)]), Worker),
        (
            "an IPv6 fragment to a VIP",
            ethernet(IPV6, &[&ipv6(CLIENT6, VIP6, 44), &[17, 0, 5, 0, 0, 0, 0, 1]]),
            Worker,
        ),
        (
            "UDP to the box itself over IPv6",
            ethernet(IPV6, &[&ipv6(CLIENT6, OWN6, UDP), &ports(1, 2)]),
            Linux,
        ),
        (
            "an IPv6 address that looks like the IPv4 VIP in its first bytes",
            ethernet(IPV6, &[&ipv6(CLIENT6, "0a00:0064::", TCP), &ports(4000, 80)]),
            Linux,
        ),
        ("an IPv4 header that is cut", ethernet(IPV4, &[&ipv4(CLIENT, VIP, TCP, 0, 0)[..19]]), Linux),
        ("an IPv6 header that is cut", ethernet(IPV6, &[&ipv6(CLIENT6, VIP6, TCP)[..39]]), Linux),
        ("version 6 behind IPv4's type", ethernet(IPV4, &[&ipv6(CLIENT6, VIP6, TCP)]), Linux),
        (
            "an IPv4 header shorter than 20 bytes",
            ethernet(IPV4, &[&[0x44], &ipv4(CLIENT, VIP, TCP, 0, 0)[1..]]),
            Linux,
        ),
        ("LLDP", ethernet(0x88cc, &[&[0; 46]]), Linux),
        ("an Ethernet header alone", ethernet(IPV4, &[]), Linux),
    ]
}

pub(super) fn prefix_rows() -> Vec<Row> {
    let tcp6 = |to| ethernet(IPV6, &[&ipv6(CLIENT6, to, TCP), &ports(4000, 80)]);
    vec![
        ("the first address of a prefix that is a VIP", tcp4(CLIENT, 4000, "10.0.2.0", 80), Worker),
        ("the last one", tcp4(CLIENT, 4000, "10.0.2.15", 80), Worker),
        ("the address behind it", tcp4(CLIENT, 4000, "10.0.2.16", 80), Linux),
        ("the address before it", tcp4(CLIENT, 4000, "10.0.1.255", 80), Linux),
        ("the box's own address within a prefix", tcp4(CLIENT, 4000, OWN_IN_PREFIX, 22), Linux),
        ("an IPv6 prefix", tcp6("2001:db8:2::ffff:ffff:ffff:ffff"), Worker),
        ("the address behind an IPv6 prefix", tcp6("2001:db8:2:1::"), Linux),
        ("an IPv6 address that looks like the IPv4 prefix", tcp6("0a00:0200::"), Linux),
        ("an ARP request for an address of a prefix", arp(1, CLIENT, "10.0.2.9"), Worker),
        ("an ARP request for the box's own address within a prefix", arp(1, CLIENT, OWN_IN_PREFIX), Linux),
        (
            "a solicitation for an address of a prefix",
            neighbour(135, "ff02::1:ff00:9", "2001:db8:2::9"),
            Worker,
        ),
    ]
}

pub(super) fn tag_rows() -> Vec<Row> {
    let tcp = || tcp4(CLIENT, 4000, VIP, 80);
    let tcp6 = ethernet(IPV6, &[&ipv6(CLIENT6, VIP6, TCP), &ports(4000, 80)]);
    let answer = || tcp4(BACKEND, 8080, CLIENT, 4000);
    let own = tcp4(CLIENT, 4000, OWN, 22);
    let inner = tagged(&[0x8100], tcp())[..16].to_vec();
    vec![
        ("an 802.1Q tag before a packet to a VIP", tagged(&[0x8100], tcp()), Worker),
        ("an 802.1ad tag", tagged(&[0x88a8], tcp()), Worker),
        ("an outer and an inner tag", tagged(&[0x88a8, 0x8100], tcp()), Worker),
        ("two 802.1Q tags", tagged(&[0x8100, 0x8100], tcp6), Worker),
        ("three tags", tagged(&[0x88a8, 0x8100, 0x8100], tcp()), Linux),
        ("a tag of a kind that nobody uses", tagged(&[0x9100], tcp()), Linux),
        ("a tag that is cut", inner, Linux),
        ("a tagged answer of a backend's endpoint", tagged(&[0x8100], answer()), Worker),
        ("a tagged packet to the box itself", tagged(&[0x8100], own), Linux),
        ("a tagged packet to a stranger's MAC", to_mac(STRANGER, tagged(&[0x8100], tcp())), Linux),
        ("a tagged ARP request", tagged(&[0x88a8, 0x8100], arp(1, CLIENT, VIP)), Worker),
        (
            "a tagged solicitation",
            to_mac(SOLICITED, tagged(&[0x8100], neighbour(135, "ff02::1:ff00:100", VIP6))),
            Worker,
        ),
    ]
}

pub(super) fn neighbour_rows() -> Vec<Row> {
    let mut token_ring = arp(1, CLIENT, VIP);
    token_ring[15] = 6;
    vec![
        ("an ARP request for a VIP", arp(1, CLIENT, VIP), Worker),
        ("an ARP announcement of a VIP", arp(1, VIP, VIP), Worker),
        ("an ARP announcement of a VIP that is a reply", arp(2, VIP, VIP), Linux),
        ("an ARP reply to a VIP that is an address of the box as well", arp(2, CLIENT, OWN_VIP), Linux),
        ("an ARP request for a VIP that is an address of the box as well", arp(1, CLIENT, OWN_VIP), Worker),
        ("an ARP packet of an operation that nobody uses for IPv4", arp(8, CLIENT, VIP), Linux),
        ("an ARP request for the box", arp(1, CLIENT, OWN), Linux),
        ("an ARP reply from a VIP's address to someone else", arp(2, VIP, CLIENT), Linux),
        ("an ARP request that is cut", arp(1, CLIENT, VIP)[..41].to_vec(), Linux),
        ("an ARP request for another kind of network", token_ring, Linux),
        ("a solicitation to the VIP's group", neighbour(135, "ff02::1:ff00:100", VIP6), Worker),
        ("a solicitation to the VIP itself", neighbour(135, VIP6, VIP6), Worker),
        ("a solicitation for the box", neighbour(135, "ff02::1:ff00:1", OWN6), Linux),
        (
            "an advertisement of a VIP to all nodes",
            to_mac(ALL_NODES, neighbour(136, "ff02::1", VIP6)),
            Worker,
        ),
        (
            "an advertisement of another address to all nodes",
            to_mac(ALL_NODES, neighbour(136, "ff02::1", OWN6)),
            Linux,
        ),
        ("an advertisement of a VIP to the box", neighbour(136, OWN6, VIP6), Linux),
        ("a solicitation that is cut", neighbour(135, "ff02::1:ff00:100", VIP6)[..77].to_vec(), Linux),
    ]
}

pub(super) fn mac_rows() -> Vec<Row> {
    let tcp = || tcp4(CLIENT, 4000, VIP, 80);
    let tcp6 = || ethernet(IPV6, &[&ipv6(CLIENT6, VIP6, TCP), &ports(4000, 80)]);
    let answer = || tcp4(BACKEND, 8080, CLIENT, 4000);
    let request = || arp(1, CLIENT, VIP);
    let solicitation = || neighbour(135, "ff02::1:ff00:100", VIP6);
    let mut next_to_ours = BOX;
    next_to_ours.0[5] ^= 0x80;
    vec![
        ("a VIP's packet to a stranger's MAC", to_mac(STRANGER, tcp()), Linux),
        ("a VIP's packet to a MAC that differs in the last byte", to_mac(next_to_ours, tcp()), Linux),
        ("a VIP's packet to another interface of the box", to_mac(OTHER_INTERFACE, tcp()), Linux),
        ("a VIP's packet to all stations", to_mac(Mac::BROADCAST, tcp()), Linux),
        ("a VIP's packet to a group", to_mac(VRRP_GROUP, tcp()), Linux),
        ("a VIP's packet to the MAC of nobody", to_mac(Mac::default(), tcp()), Linux),
        ("an IPv6 VIP's packet to a stranger's MAC", to_mac(STRANGER, tcp6()), Linux),
        ("an IPv6 VIP's packet to a group", to_mac(SOLICITED, tcp6()), Linux),
        ("an answer to a stranger's MAC", to_mac(STRANGER, answer()), Linux),
        ("an answer to all stations", to_mac(Mac::BROADCAST, answer()), Linux),
        ("an answer to a group", to_mac(VRRP_GROUP, answer()), Linux),
        ("an ARP request to all stations", to_mac(Mac::BROADCAST, request()), Worker),
        ("an ARP request to a group", to_mac(VRRP_GROUP, request()), Linux),
        ("an ARP request to a stranger", to_mac(STRANGER, request()), Linux),
        ("a solicitation by the group's MAC", to_mac(SOLICITED, solicitation()), Worker),
        ("a solicitation to all stations", to_mac(Mac::BROADCAST, solicitation()), Linux),
        ("a solicitation to a stranger", to_mac(STRANGER, solicitation()), Linux),
    ]
}
