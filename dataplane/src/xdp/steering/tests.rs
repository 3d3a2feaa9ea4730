//! A table of frames and verdicts, run by the kernel itself (`BPF_PROG_TEST_RUN`). Needs root.

use std::net::IpAddr;

use aya::maps::Array;
use aya::programs::{TestRun, TestRunOptions, Xdp};

use crate::engine::XdpPreference;
use crate::snapshot::{Endpoint, Interface, Snapshot, Vip};
use crate::types::{InterfaceId, Mac, Port, Prefix, Protocol, QueueId};
use crate::xdp::testing::{
    ARP, BOX, BOX_INTERFACE, IPV4, IPV6, address, ethernet, in_namespace, ipv4, ipv6, ports, udp4,
};
use crate::xdp::{Program, Queue, Socket, Umem};

const VIP: &str = "10.0.0.100";
/// A VIP that Linux has as an address of its own, too.
const OWN_VIP: &str = "10.0.0.101";
const OWN: &str = "10.0.0.1";
const CLIENT: &str = "192.0.2.7";
const BACKEND: &str = "10.0.1.11";
const VIP6: &str = "2001:db8::100";
const OWN6: &str = "2001:db8::1";
const CLIENT6: &str = "2001:db8:c::7";
const BACKEND6: &str = "2001:db8:1::11";
/// Another interface of the box.
const OTHER_INTERFACE: Mac = Mac([2, 0, 0, 0, 0, 3]);
const STRANGER: Mac = Mac([2, 0, 0, 0, 0, 9]);
/// Where IPv4's VRRP goes: a multicast address by its group bit.
const VRRP_GROUP: Mac = Mac([1, 0, 0x5e, 0, 0, 18]);
const SOLICITED: Mac = Mac([0x33, 0x33, 0xff, 0, 1, 0]);
const TCP: u8 = 6;
const UDP: u8 = 17;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Linux,
    Worker,
}
use To::{Linux, Worker};

fn endpoint(host: &str, protocol: Protocol, port: u16) -> Endpoint {
    Endpoint { address: address(host), protocol, port: Port(port) }
}

/// The interfaces alone: test runs come in by the fourth or the fifth.
fn interfaces() -> Snapshot {
    let mut snapshot = Snapshot { interfaces: vec![BOX_INTERFACE; 5], ..Snapshot::default() };
    snapshot.interfaces[0].mac = OTHER_INTERFACE;
    snapshot.interfaces[1].mac = Mac::default();
    snapshot
}

fn snapshot() -> Snapshot {
    let mut snapshot = interfaces();
    for vip in [VIP, OWN_VIP, VIP6] {
        snapshot.vips.insert(Prefix::host(address(vip)), Vip::default());
    }
    snapshot.local_addresses.extend([OWN, OWN_VIP, OWN6].map(address));
    snapshot.return_endpoints.insert(endpoint(BACKEND, Protocol::Tcp, 8080));
    snapshot.return_endpoints.insert(endpoint(BACKEND6, Protocol::Udp, 53));
    snapshot
}

/// The program with a socket behind the first queue of the loopback interface, which is where test
/// runs come from.
struct Bench {
    program: Program,
    _socket: Socket,
}

impl Bench {
    fn new() -> Self {
        let mut program = Program::load().unwrap();
        let umem = Umem::new(16).unwrap();
        let (interface, queue) = (InterfaceId(3), QueueId(0));
        let at = Queue { interface, index: 1, queue };
        let socket = Socket::open(umem.region(), at, XdpPreference::Copy).unwrap();
        program.number(1, interface).unwrap();
        program.set_socket(interface, queue, std::os::fd::AsFd::as_fd(&socket)).unwrap();
        Self { program, _socket: socket }
    }

    fn verdict(&mut self, frame: &[u8]) -> To {
        let program: &mut Xdp = self.program.ebpf().program_mut("steer").unwrap().try_into().unwrap();
        let options = TestRunOptions { data_in: Some(frame), ..TestRunOptions::new() };
        match program.test_run(options).unwrap().return_value {
            2 => Linux,
            4 => Worker,
            other => panic!("verdict {other}"),
        }
    }

    fn listen(&mut self, flags: u32) {
        let map = self.program.ebpf().map_mut("listening").unwrap();
        Array::<_, u32>::try_from(map).unwrap().set(0, flags, 0).unwrap();
    }
}

fn tcp4(source: &str, from: u16, destination: &str, to: u16) -> Vec<u8> {
    ethernet(IPV4, &[&ipv4(source, destination, TCP, 0, 0), &ports(from, to), &[0; 12]])
}

fn arp(operation: u8, sender: &str, target: &str) -> Vec<u8> {
    let octets = |text: &str| text.parse::<std::net::Ipv4Addr>().unwrap().octets();
    let header = [0, 1, 8, 0, 6, 4, 0, operation];
    ethernet(ARP, &[&header, &[2, 0, 0, 0, 0, 1], &octets(sender), &[0; 6], &octets(target)])
}

fn neighbour(kind: u8, destination: &str, target: &str) -> Vec<u8> {
    let target = target.parse::<std::net::Ipv6Addr>().unwrap().octets();
    ethernet(IPV6, &[&ipv6(CLIENT6, destination, 58), &[kind, 0, 0, 0, 0, 0, 0, 0], &target])
}

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
const LATER_FRAGMENT: (u8, &[u8]) = (44, &[0, 0, 0, 9, 0, 0, 0, 9]);

fn vip_rows() -> Vec<(&'static str, Vec<u8>, To)> {
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
        (
            "a VLAN tag around a packet to a VIP",
            ethernet(0x8100, &[&[0, 5, 8, 0], &ipv4(CLIENT, VIP, TCP, 0, 0), &ports(4000, 80)]),
            Linux,
        ),
        ("LLDP", ethernet(0x88cc, &[&[0; 46]]), Linux),
        ("an Ethernet header alone", ethernet(IPV4, &[]), Linux),
    ]
}

fn return_rows() -> Vec<(&'static str, Vec<u8>, To)> {
    let with_options = ethernet(IPV4, &[&ipv4(BACKEND, CLIENT, TCP, 0, 3), &ports(8080, 4000)]);
    let fragment = |bits| ethernet(IPV4, &[&ipv4(BACKEND, CLIENT, TCP, bits, 0), &ports(8080, 4000)]);
    let cut = ethernet(IPV4, &[&ipv4(BACKEND, CLIENT, TCP, 0, 0), &ports(8080, 4000)[..7]]);
    let to6 = |client| ethernet(IPV6, &[&ipv6(BACKEND6, client, UDP), &ports(53, 4000)]);
    vec![
        ("a backend's endpoint answers a client", tcp4(BACKEND, 8080, CLIENT, 4000), Worker),
        ("the same with IPv4 options", with_options, Worker),
        ("a backend's endpoint answers a health check", tcp4(BACKEND, 8080, OWN, 4000), Linux),
        ("another port of the backend", tcp4(BACKEND, 22, CLIENT, 4000), Linux),
        ("another protocol of the backend's port", udp4(BACKEND, CLIENT, 8080, 4000, b""), Linux),
        ("a client with the endpoint's port as destination", tcp4(CLIENT, 4000, BACKEND, 8080), Linux),
        ("a first fragment of a backend", fragment(0x2000), Linux),
        ("a fragment in the middle", fragment(0x2001), Linux),
        ("a last fragment, which has no ports", fragment(0x1000), Linux),
        ("a backend's packet that must not be fragmented", fragment(0x4000), Worker),
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
        ("a first IPv6 fragment", extended(&[FIRST_FRAGMENT]), Linux),
        ("a first IPv6 fragment behind options", extended(&[OPTIONS, FIRST_FRAGMENT]), Linux),
        ("a later IPv6 fragment", extended(&[LATER_FRAGMENT]), Linux),
        ("a header that reaches beyond the frame", extended(&[(60, &[0, 255, 0, 0, 0, 0, 0, 0])]), Linux),
    ]
}

fn neighbour_rows() -> Vec<(&'static str, Vec<u8>, To)> {
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
        ("an advertisement of a VIP to all nodes", neighbour(136, "ff02::1", VIP6), Linux),
        ("a solicitation that is cut", neighbour(135, "ff02::1:ff00:100", VIP6)[..77].to_vec(), Linux),
    ]
}

fn to_mac(mac: Mac, mut frame: Vec<u8>) -> Vec<u8> {
    frame[..6].copy_from_slice(&mac.0);
    frame
}

fn mac_rows() -> Vec<(&'static str, Vec<u8>, To)> {
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

#[test]
fn each_frame_goes_where_the_table_says() {
    in_namespace(|| {
        let mut bench = Bench::new();
        bench.program.steering.add(&snapshot()).unwrap();
        let mut expected = crate::xdp::program::Steered::default();
        for (sentence, frame, to) in [vip_rows(), return_rows(), neighbour_rows(), mac_rows()].concat() {
            assert_eq!(bench.verdict(&frame), to, "{sentence}");
            match to {
                Linux => expected.passed += 1,
                Worker => expected.redirected += 1,
            }
        }
        assert_eq!(bench.program.steered(InterfaceId(3)), expected);
        assert_eq!(bench.program.passed(), expected.passed);
    });
}

#[test]
fn vrrp_and_bfd_are_linuxs_until_somebody_listens() {
    let vrrp4 = ethernet(IPV4, &[&ipv4(OWN, "224.0.0.18", 112, 0, 0), &[0x31, 51, 200, 1, 0, 10, 0, 0]]);
    let vrrp6 = ethernet(IPV6, &[&ipv6(OWN6, "ff02::12", 112), &[0x31, 51, 200, 1, 0, 10, 0, 0]]);
    let bfd = |port| udp4(CLIENT, OWN, 49152, port, &[0; 24]);
    let vrrp4_to_group = to_mac(VRRP_GROUP, vrrp4.clone());
    let vrrp4_to_all = to_mac(Mac::BROADCAST, vrrp4.clone());
    in_namespace(move || {
        let mut bench = Bench::new();
        bench.program.steering.add(&interfaces()).unwrap();
        let groups = [vrrp4_to_group, vrrp4_to_all, to_mac(VRRP_GROUP, bfd(3784))];
        let frames = [vrrp4, vrrp6, bfd(3784), bfd(4784), bfd(3785)];
        bench.listen(3);
        assert_eq!(groups.each_ref().map(|frame| bench.verdict(frame)), [Worker, Linux, Linux]);
        let mut verdicts = |flags| {
            bench.listen(flags);
            frames.each_ref().map(|frame| bench.verdict(frame))
        };
        assert_eq!(verdicts(0), [Linux; 5]);
        assert_eq!(verdicts(1), [Worker, Worker, Linux, Linux, Linux]);
        assert_eq!(verdicts(2), [Linux, Linux, Worker, Worker, Linux]);
    });
}

#[test]
fn a_queue_without_a_worker_is_linuxs() {
    in_namespace(|| {
        let Bench { mut program, _socket } = Bench::new();
        program.steering.add(&snapshot()).unwrap();
        program.number(1, InterfaceId(4)).unwrap();
        let mut bench = Bench { program, _socket };
        assert_eq!(bench.verdict(&tcp4(CLIENT, 4000, VIP, 80)), Linux);
    });
}

#[test]
fn what_is_new_is_added_at_once_and_what_is_stale_goes_in_the_second_phase() {
    in_namespace(|| {
        let mut bench = Bench::new();
        let to_vip = tcp4(CLIENT, 4000, VIP, 80);
        let to_new = tcp4(CLIENT, 4000, "10.0.0.200", 80);
        let answer = tcp4(BACKEND, 8080, CLIENT, 4000);
        let check = tcp4(BACKEND, 8080, OWN, 4000);
        let verdicts = |bench: &mut Bench| [&to_vip, &to_new, &answer, &check].map(|f| bench.verdict(f));
        assert_eq!(verdicts(&mut bench), [Linux; 4]);
        bench.program.steering.add(&snapshot()).unwrap();
        assert_eq!(verdicts(&mut bench), [Worker, Linux, Worker, Linux]);

        let mut next = interfaces();
        next.vips.insert(Prefix::host(address("10.0.0.200")), Vip::default());
        bench.program.steering.add(&next).unwrap();
        assert_eq!(verdicts(&mut bench), [Worker, Worker, Worker, Linux]);
        bench.program.steering.remove_stale(&next).unwrap();
        assert_eq!(verdicts(&mut bench), [Linux, Worker, Linux, Linux]);
    });
}

#[test]
fn a_mac_address_counts_from_the_snapshot_that_has_it_to_the_one_that_has_not() {
    in_namespace(|| {
        let mut bench = Bench::new();
        let mut next = snapshot();
        let frames = [BOX, STRANGER, Mac::default()].map(|mac| to_mac(mac, tcp4(CLIENT, 4000, VIP, 80)));
        let mut verdicts = |next: &Snapshot| {
            bench.program.steering.add(next).unwrap();
            frames.each_ref().map(|frame| bench.verdict(frame))
        };
        assert_eq!(verdicts(&next), [Worker, Linux, Linux]);
        next.interfaces[3] = Interface { mac: STRANGER, mtu: 1500, bridge: None, bridge_mac: None };
        assert_eq!(verdicts(&next), [Linux, Worker, Linux]);
        next.interfaces[3].mac = Mac::default();
        assert_eq!(verdicts(&next), [Linux; 3]);
        next.interfaces[3].mac = BOX;
        assert_eq!(verdicts(&next), [Worker, Linux, Linux]);
        next.interfaces.truncate(3);
        assert_eq!(verdicts(&next), [Linux; 3]);
    });
}

#[test]
fn many_addresses_of_the_box_fit_and_those_known_by_their_prefix_take_no_place() {
    in_namespace(|| {
        let mut bench = Bench::new();
        let mut next = snapshot();
        let numbers = 0..16_384 - u32::try_from(next.local_addresses.len()).unwrap();
        next.local_addresses.extend(numbers.map(|n| IpAddr::V4((0x6440_0000 + n).into())));
        next.local_addresses.extend(["127.0.0.1", "127.0.0.53", "fe80::1", "fe80::2"].map(address));
        bench.program.steering.add(&next).unwrap();
        assert_eq!(bench.verdict(&tcp4(BACKEND, 8080, "100.64.63.0", 4000)), Linux);
        next.local_addresses.push(address("::1"));
        let full = bench.program.steering.add(&next).unwrap_err();
        assert_eq!((full.map, full.reason.as_str()), ("locals", "it is full"));
    });
}
