//! Tables of frames and verdicts, run by the kernel itself (`BPF_PROG_TEST_RUN`). Needs root.

mod bridge;
mod returns;
mod vips;

use std::net::IpAddr;

use aya::maps::Array;
use aya::programs::{TestRun, TestRunOptions, Xdp};

use crate::snapshot::{Endpoint, Interface, Snapshot, Vip};
use crate::types::{InterfaceId, Mac, Port, Prefix, Protocol, QueueId};
use crate::xdp::XdpPreference;
use crate::xdp::testing::{ARP, BOX, IPV4, IPV6, address, ethernet, in_namespace, ipv4, ipv6, ports, udp4};
use crate::xdp::{Program, Queue, Socket, Umem};

/// A near end as the snapshot has it.
pub(crate) const BOX_INTERFACE: Interface = Interface { mac: BOX, mtu: 1500, bridge: None, bridge_mac: None };

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
/// A backend of which every UDP port is an endpoint.
const BACKEND_ANY: &str = "10.0.1.12";
/// A VIP that is a prefix, and an address of the box in it.
const VIP_PREFIX: &str = "10.0.2.0/28";
const OWN_IN_PREFIX: &str = "10.0.2.1";
const VIP6_PREFIX: &str = "2001:db8:2::/64";
const ROUTER: &str = "10.0.1.254";
const ROUTER6: &str = "2001:db8:1::fe";
/// Another interface of the box.
const OTHER_INTERFACE: Mac = Mac([2, 0, 0, 0, 0, 3]);
const STRANGER: Mac = Mac([2, 0, 0, 0, 0, 9]);
/// Where IPv4's VRRP goes: a multicast address by its group bit.
const VRRP_GROUP: Mac = Mac([1, 0, 0x5e, 0, 0, 18]);
const ALL_NODES: Mac = Mac([0x33, 0x33, 0, 0, 0, 1]);
const SOLICITED: Mac = Mac([0x33, 0x33, 0xff, 0, 1, 0]);
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// What the frame is, the frame, and whose it is.
type Row = (&'static str, Vec<u8>, To);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Linux,
    Worker,
}
use To::{Linux, Worker};

fn endpoint(host: &str, protocol: Protocol, port: u16) -> Endpoint {
    Endpoint { address: address(host), protocol, port: Port(port) }
}

fn prefix(text: &str) -> Prefix {
    let (first, length) = text.split_once('/').unwrap();
    Prefix::new(address(first), length.parse().unwrap()).unwrap()
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
    for vip in [VIP_PREFIX, VIP6_PREFIX] {
        snapshot.vips.insert(prefix(vip), Vip::default());
    }
    snapshot.local_addresses.extend([OWN, OWN_VIP, OWN6, OWN_IN_PREFIX].map(address));
    snapshot.return_endpoints.insert(endpoint(BACKEND, Protocol::Tcp, 8080));
    snapshot.return_endpoints.insert(endpoint(BACKEND6, Protocol::Udp, 53));
    snapshot.return_endpoints.insert(endpoint(BACKEND_ANY, Protocol::Udp, 0));
    snapshot
}

/// The program with a socket behind the first queue of the loopback interface, which is where test
/// runs come from.
struct Bench {
    program: Program,
    socket: Socket,
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
        Self { program, socket }
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

/// The frame behind VLAN tags of these kinds, the outer one first.
fn tagged(kinds: &[u16], frame: Vec<u8>) -> Vec<u8> {
    let tags = kinds.iter().flat_map(|kind| [kind.to_be_bytes(), [0, 5]].concat());
    let (macs, rest) = frame.split_at(12);
    macs.iter().copied().chain(tags).chain(rest.iter().copied()).collect()
}

fn to_mac(mac: Mac, mut frame: Vec<u8>) -> Vec<u8> {
    frame[..6].copy_from_slice(&mac.0);
    frame
}

#[test]
fn each_frame_goes_where_the_table_says() {
    in_namespace(|| {
        let mut bench = Bench::new();
        bench.program.steering.add(&snapshot()).unwrap();
        let mut expected = crate::xdp::SteeredFrames::default();
        let vips = [vips::vip_rows(), vips::prefix_rows(), vips::tag_rows()].concat();
        let questions = [vips::neighbour_rows(), vips::mac_rows()].concat();
        let returns = [returns::return_rows(), returns::error_rows(), returns::error6_rows()].concat();
        for (sentence, frame, to) in [vips, questions, returns].concat() {
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
        let Bench { mut program, socket } = Bench::new();
        program.steering.add(&snapshot()).unwrap();
        program.number(1, InterfaceId(4)).unwrap();
        let mut bench = Bench { program, socket };
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
fn a_mac_address_is_the_boxs_on_its_own_interface_alone() {
    in_namespace(|| {
        let mut bench = Bench::new();
        let mut snapshot = snapshot();
        snapshot.interfaces[4].mac = STRANGER;
        bench.program.steering.add(&snapshot).unwrap();
        let frames = [BOX, STRANGER].map(|mac| to_mac(mac, tcp4(CLIENT, 4000, VIP, 80)));
        assert_eq!(frames.each_ref().map(|frame| bench.verdict(frame)), [Worker, Linux]);
        let socket = std::os::fd::AsFd::as_fd(&bench.socket);
        bench.program.set_socket(InterfaceId(4), QueueId(0), socket).unwrap();
        bench.program.number(1, InterfaceId(4)).unwrap();
        assert_eq!(frames.each_ref().map(|frame| bench.verdict(frame)), [Linux, Worker]);
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

/// The verifier gives up after a million steps, and older kernels need more of them than newer ones.
#[test]
fn the_verifier_needs_few_steps() {
    let mut program = Program::load().unwrap();
    let program: &mut Xdp = program.ebpf().program_mut("steer").unwrap().try_into().unwrap();
    let steps = program.info().unwrap().verified_instruction_count().unwrap();
    assert!(steps < 50_000, "{steps}");
}
