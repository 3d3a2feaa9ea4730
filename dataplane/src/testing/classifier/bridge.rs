//! A port of a bridge: the box stands in the way of frames that are addressed to others.

use super::*;
use crate::types::BridgeId;

const BRIDGE: Mac = Mac([2, 0, 0, 0, 0, 0x1b]);
const BRIDGE_VIP: &str = "10.0.0.150";
const BRIDGE_VIP6: &str = "2001:db8::150";
/// A prefix that is a VIP of a bridge service but for the half of it that is not.
const BRIDGE_PREFIX: &str = "10.0.3.0/24";
const ROUTER_PREFIX: &str = "10.0.3.128/25";

/// The interface of test runs is a port of a bridge.
fn bridged() -> Snapshot {
    let mut snapshot = snapshot();
    let port = Interface { bridge: Some(BridgeId(0)), bridge_mac: Some(BRIDGE), ..BOX_INTERFACE };
    snapshot.interfaces[3] = port;
    let vip = Vip { bridge: true, ..Vip::default() };
    for host in [BRIDGE_VIP, BRIDGE_VIP6] {
        snapshot.vips.insert(Prefix::host(address(host)), vip);
    }
    snapshot.vips.insert(prefix(BRIDGE_PREFIX), vip);
    snapshot.vips.insert(prefix(ROUTER_PREFIX), Vip::default());
    snapshot
}

fn rows() -> Vec<Row> {
    let to_vip = || tcp4(CLIENT, 4000, BRIDGE_VIP, 80);
    let to_vip6 = ethernet(IPV6, &[&ipv6(CLIENT6, BRIDGE_VIP6, TCP), &ports(4000, 80)]);
    let to_router_vip = || tcp4(CLIENT, 4000, VIP, 80);
    let answer = || tcp4(BACKEND, 8080, CLIENT, 4000);
    let fragment = ethernet(IPV4, &[&ipv4(BACKEND, CLIENT, TCP, 0x2001, 0), &[0; 8]]);
    let quoted = [ipv4(CLIENT, BACKEND, TCP, 0, 0), ports(4000, 8080)].concat();
    let error = ethernet(IPV4, &[&ipv4(BACKEND, CLIENT, ICMP, 0, 0), &[3, 3, 0, 0, 0, 0, 0, 0], &quoted]);
    let across = |frame| to_mac(STRANGER, frame);
    vec![
        ("a packet to a bridge service's VIP by any station's MAC", across(to_vip()), Worker),
        ("the same over IPv6", across(to_vip6), Worker),
        ("the same behind a tag", across(tagged(&[0x8100], to_vip())), Worker),
        ("by the box's MAC", to_vip(), Worker),
        ("by the bridge's own MAC", to_mac(BRIDGE, to_vip()), Worker),
        ("by all stations'", to_mac(Mac::BROADCAST, to_vip()), Linux),
        ("by a group's", to_mac(VRRP_GROUP, to_vip()), Linux),
        ("to an address of a bridge service's prefix", across(tcp4(CLIENT, 1, "10.0.3.9", 80)), Worker),
        ("to one of a longer prefix", across(tcp4(CLIENT, 1, "10.0.3.129", 80)), Linux),
        ("to a VIP of no bridge service by a station's MAC", across(to_router_vip()), Linux),
        ("the same by the bridge's own MAC", to_mac(BRIDGE, to_router_vip()), Worker),
        ("an answer of a backend's endpoint to a client's MAC", across(answer()), Worker),
        ("the same to the bridge's own MAC", to_mac(BRIDGE, answer()), Worker),
        ("the same to all stations", to_mac(Mac::BROADCAST, answer()), Linux),
        ("another port of the backend", across(tcp4(BACKEND, 22, CLIENT, 4000)), Linux),
        ("an answer to the box itself", to_mac(BRIDGE, tcp4(BACKEND, 8080, OWN, 4000)), Linux),
        ("a backend's fragment to a client's MAC", across(fragment), Worker),
        ("a backend's error about a packet to its endpoint", across(error), Worker),
        ("a client that calls a backend", across(tcp4(CLIENT, 4000, BACKEND, 8080)), Linux),
        ("an ARP request to all stations", to_mac(Mac::BROADCAST, arp(1, CLIENT, BRIDGE_VIP)), Worker),
        ("an ARP request for a backend", to_mac(Mac::BROADCAST, arp(1, CLIENT, BACKEND)), Linux),
        ("an ARP request to another station", across(arp(1, CLIENT, BRIDGE_VIP)), Linux),
        ("a solicitation to another station", across(neighbour(135, "ff02::1:ff00:150", BRIDGE_VIP6)), Linux),
    ]
}

#[test]
fn on_a_port_of_a_bridge_frames_to_others_are_taken_too() {
    in_namespace(|| {
        let mut bench = Bench::new();
        bench.program.steering.add(&bridged()).unwrap();
        for (sentence, frame, to) in rows() {
            assert_eq!(bench.verdict(&frame), to, "{sentence}");
        }
    });
}

#[test]
fn vrrp_and_bfd_to_others_pass_the_bridge() {
    in_namespace(|| {
        let mut bench = Bench::new();
        bench.program.steering.add(&bridged()).unwrap();
        bench.listen(3);
        let vrrp = ethernet(IPV4, &[&ipv4(CLIENT, OWN, 112, 0, 0), &[0x31, 51, 200, 1, 0, 10, 0, 0]]);
        let bfd = udp4(CLIENT, OWN, 49152, 3784, &[0; 24]);
        for frame in [vrrp, bfd] {
            assert_eq!(bench.verdict(&frame), Worker);
            assert_eq!(bench.verdict(&to_mac(STRANGER, frame)), Linux);
        }
    });
}

#[test]
fn a_vip_that_leaves_or_joins_a_bridge_service_changes_in_two_phases() {
    in_namespace(|| {
        let mut bench = Bench::new();
        let frames = [BRIDGE_VIP, "10.0.3.9", VIP].map(|vip| to_mac(STRANGER, tcp4(CLIENT, 1, vip, 80)));
        let verdicts = |bench: &mut Bench| frames.each_ref().map(|frame| bench.verdict(frame));
        bench.program.steering.add(&bridged()).unwrap();
        assert_eq!(verdicts(&mut bench), [Worker, Worker, Linux]);

        let mut next = snapshot();
        next.interfaces = bridged().interfaces;
        next.vips.insert(Prefix::host(address(VIP)), Vip { bridge: true, ..Vip::default() });
        next.vips.insert(Prefix::host(address(BRIDGE_VIP)), Vip::default());
        bench.program.steering.add(&next).unwrap();
        assert_eq!(verdicts(&mut bench), [Worker; 3]);
        bench.program.steering.remove_stale(&next).unwrap();
        assert_eq!(verdicts(&mut bench), [Linux, Linux, Worker]);
    });
}

#[test]
fn an_interface_that_leaves_its_bridge_takes_no_frames_to_others() {
    in_namespace(|| {
        let mut bench = Bench::new();
        let answer = tcp4(BACKEND, 8080, CLIENT, 4000);
        let frames = [STRANGER, BRIDGE, BOX].map(|mac| to_mac(mac, answer.clone()));
        let verdicts = |bench: &mut Bench| frames.each_ref().map(|frame| bench.verdict(frame));
        bench.program.steering.add(&bridged()).unwrap();
        assert_eq!(verdicts(&mut bench), [Worker; 3]);
        bench.program.steering.add(&snapshot()).unwrap();
        assert_eq!(verdicts(&mut bench), [Worker; 3], "the bridge's MAC is that of any other station now");
        bench.program.steering.remove_stale(&snapshot()).unwrap();
        assert_eq!(verdicts(&mut bench), [Linux, Linux, Worker]);
    });
}
