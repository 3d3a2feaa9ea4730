//! With the real kernel, in a network namespace that lives as long as one process.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};

use super::*;
use crate::net::{Lesson, NeighbourId, NeighbourRequest, NeighbourState, Port};
use dataplane::snapshot::{NextHop, Query};
use dataplane::types::{BridgeId, InterfaceId, Mac};

/// The kernel asks again for a neighbour that it has given up after five seconds.
const DEADLINE: Duration = Duration::from_secs(40);
const PEER4: &str = "10.77.0.2";
const INSIDE: &str = "PENSTOCK_TEST_NAMESPACE";

/// Runs the test of that name again inside a new namespace, where it returns `true`.
fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let this = std::env::current_exe().unwrap();
    let name = format!("net::netlink::tests::{test}");
    let status = Command::new("unshare")
        .args(["--net", "--"])
        .arg(this)
        .args(["--exact", &name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .status()
        .expect("unshare (package util-linux) runs");
    assert!(status.success(), "{test}: failed in its own network namespace; it needs root");
    false
}

fn ip(command: &str) {
    let status = Command::new("ip").args(command.split_whitespace()).status().expect("ip runs");
    assert!(status.success(), "ip {command}");
}

/// A second namespace: that of a process which does nothing.
struct Peer(Child);

impl Peer {
    fn start() -> Self {
        let child = Command::new("unshare").args(["--net", "cat"]).stdin(Stdio::piped()).spawn().unwrap();
        let peer = Self(child);
        let ours = std::fs::read_link("/proc/self/ns/net").unwrap();
        let theirs = format!("/proc/{}/ns/net", peer.0.id());
        while std::fs::read_link(&theirs).unwrap() == ours {
            std::thread::yield_now();
        }
        ip(&format!("link add eth0 type veth peer name peer0 netns {}", peer.0.id()));
        peer.ip("link set peer0 address 02:00:00:00:00:99 up");
        peer.ip(&format!("address add {PEER4}/24 dev peer0"));
        ip("address add 10.77.0.1/24 dev eth0");
        ip("link set eth0 address 02:00:00:00:00:01 up");
        peer
    }

    fn ip(&self, command: &str) {
        let target = self.0.id().to_string();
        let mut enter = Command::new("nsenter");
        enter.args(["-t", &target, "-n", "ip"]).args(command.split_whitespace());
        assert!(enter.status().unwrap().success(), "peer: ip {command}");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE, test).await.expect("within the deadline") });
}

async fn until(netlink: &mut Netlink, condition: impl Fn(&NetState) -> bool) {
    while !condition(netlink.state()) {
        netlink.changed().await.unwrap();
    }
}

/// Changes of an entry's flags alone are nothing that a snapshot shows: ask the kernel.
fn kernel_says(what: &str) -> bool {
    let output = Command::new("ip").args(["neighbour", "show", PEER4, "dev", "eth0"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().contains(what)
}

#[test]
fn links_addresses_and_routes_follow_the_kernel() {
    if !inside("links_addresses_and_routes_follow_the_kernel") {
        return;
    }
    run(async {
        let _peer = Peer::start();
        let mut netlink = Netlink::open().await.unwrap();
        until(&mut netlink, |s| s.link("eth0").is_some_and(Link::usable)).await;
        let link = netlink.state().link("eth0").unwrap().clone();
        assert_eq!((link.mac.to_string().as_str(), link.mtu), ("02:00:00:00:00:01", 1500));
        assert!(netlink.state().local_addresses().contains(&"10.77.0.1".parse().unwrap()));
        assert!(link.unfinished, "one end of a pair");
        ip("link property add dev eth0 altname another-name-of-it");
        until(&mut netlink, |s| s.link("another-name-of-it").is_some_and(|other| other.index == link.index))
            .await;
        let names = crate::net::altnames().unwrap();
        assert_eq!(names.get("another-name-of-it").map(String::as_str), Some("eth0"), "{names:?}");

        let ports = [Port { name: "eth0", bridge: None }];
        let hop = |s: &NetState, to: &str| s.fib(&ports, []).lookup(to.parse().unwrap());
        let waits =
            |s: &NetState, to: &str| matches!(hop(s, to), dataplane::snapshot::Hop::NeighbourMissing { .. });
        assert!(waits(netlink.state(), PEER4));
        assert!(!waits(netlink.state(), "192.0.2.1"));
        ip("route add 192.0.2.0/24 nexthop via 10.77.0.2 nexthop via 10.77.0.3");
        until(&mut netlink, |s| waits(s, "192.0.2.1")).await;
        ip("route add blackhole 192.0.2.128/25");
        until(&mut netlink, |s| !waits(s, "192.0.2.129") && waits(s, "192.0.2.1")).await;
        ip("link set eth0 mtu 1400");
        until(&mut netlink, |s| s.link("eth0").is_some_and(|l| l.mtu == 1400)).await;
        // The kernel says nothing about the IPv4 routes that leave with the link.
        ip("link set eth0 down");
        until(&mut netlink, |s| !waits(s, "192.0.2.1")).await;
        ip("link delete eth0");
        until(&mut netlink, |s| s.link("eth0").is_none() && s.local_addresses().is_empty()).await;
        ip("link add eth0 type veth");
        until(&mut netlink, |s| s.link("eth0").is_some_and(|l| l.index != link.index)).await;
    });
}

/// The neighbours that packets from `source` are handed to.
fn paths(state: &NetState, source: Option<&str>, to: &str) -> BTreeSet<String> {
    let ports = [Port { name: "eth0", bridge: None }, Port { name: "eth1", bridge: None }];
    let fib = state.fib(&ports, []);
    let query = |n: u64| Query {
        source: source.map(|source| source.parse().unwrap()),
        hash: n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        ..Query::towards(to.parse().unwrap())
    };
    (0..200).filter_map(|n| Some(fib.neighbour_for(&query(n))?.1.to_string())).collect()
}

fn set<const N: usize>(addresses: [&str; N]) -> BTreeSet<String> {
    addresses.map(str::to_owned).into()
}

#[test]
fn all_next_hops_follow_the_kernel_in_both_families_and_as_objects() {
    if !inside("all_next_hops_follow_the_kernel_in_both_families_and_as_objects") {
        return;
    }
    run(async {
        let _peer = Peer::start();
        ip("address add fd77::1/64 dev eth0 nodad");
        let mut netlink = Netlink::open().await.unwrap();
        until(&mut netlink, |s| s.link("eth0").is_some_and(Link::usable)).await;
        let v4 = set(["10.77.0.2", "10.77.0.3"]);
        let v6 = set(["fd77::2", "fd77::3"]);
        ip("route add 192.0.2.0/24 nexthop via 10.77.0.2 weight 3 nexthop via 10.77.0.3");
        until(&mut netlink, |s| paths(s, None, "192.0.2.1") == v4).await;
        ip("-6 route add 2001:db8::/32 nexthop via fd77::2 nexthop via fd77::3");
        until(&mut netlink, |s| paths(s, None, "2001:db8::1") == v6).await;

        for gateway in ["fd77::2", "fd77::3"] {
            ip(&format!("-6 route append 2001:db9::/32 via {gateway}"));
        }
        until(&mut netlink, |s| paths(s, None, "2001:db9::1") == v6).await;
        ip("-6 route del 2001:db9::/32 via fd77::2");
        until(&mut netlink, |s| paths(s, None, "2001:db9::1") == set(["fd77::3"])).await;

        ip("nexthop add id 1 via 10.77.0.2 dev eth0");
        ip("nexthop add id 2 via 10.77.0.3 dev eth0");
        ip("nexthop add id 10 group 1,3/2,1");
        ip("route add 198.51.100.0/24 nhid 10");
        until(&mut netlink, |s| paths(s, None, "198.51.100.1") == v4).await;
        // The kernel says nothing of the route.
        ip("nexthop del id 2");
        until(&mut netlink, |s| paths(s, None, "198.51.100.1") == set(["10.77.0.2"])).await;
        // What was heard is what a fresh dump says.
        assert_eq!(*Netlink::open().await.unwrap().state(), *netlink.state());
    });
}

#[test]
fn policy_rules_and_their_tables_follow_the_kernel() {
    if !inside("policy_rules_and_their_tables_follow_the_kernel") {
        return;
    }
    run(async {
        let _peer = Peer::start();
        ip("address add fd77::1/64 dev eth0 nodad");
        ip("route add default via 10.77.0.2");
        ip("route add default via 10.77.0.3 table 100");
        ip("-6 route add default via fd77::3 table 100");
        let mut netlink = Netlink::open().await.unwrap();
        until(&mut netlink, |s| s.link("eth0").is_some_and(Link::usable)).await;
        let vip = |s: &NetState| paths(s, Some("10.77.0.100"), "192.0.2.1");
        assert_eq!(vip(netlink.state()), set(["10.77.0.2"]));
        ip("rule add from 10.77.0.100 lookup 100");
        until(&mut netlink, |s| vip(s) == set(["10.77.0.3"])).await;
        assert_eq!(paths(netlink.state(), None, "192.0.2.1"), set(["10.77.0.2"]));
        ip("route replace default via 10.77.0.4 table 100");
        until(&mut netlink, |s| vip(s) == set(["10.77.0.4"])).await;
        ip("rule add from 10.77.0.0/24 to 192.0.2.0/25 priority 100 prohibit");
        until(&mut netlink, |s| vip(s).is_empty()).await;
        ip("rule del priority 100");
        until(&mut netlink, |s| vip(s) == set(["10.77.0.4"])).await;

        ip("-6 rule add to 2001:db8::/32 lookup 100");
        let v6 = |s: &NetState| paths(s, Some("fd77::100"), "2001:db8::1");
        until(&mut netlink, |s| v6(s) == set(["fd77::3"])).await;

        // Marks, sockets' interfaces and VRFs are none of the data plane's; nor is what it does not know.
        for other in ["fwmark 7", "oif eth0", "l3mdev", "ipproto tcp dport 443", "uidrange 0-99", "tos 0x10"]
        {
            let target = if other == "l3mdev" { "" } else { "lookup 101" };
            ip(&format!("rule add {other} priority 50 {target}"));
        }
        ip("rule add not fwmark 9 to 203.0.113.0/24 lookup main suppress_prefixlength 0 priority 60");
        ip("rule add from 10.77.0.9 goto 32766 priority 70");
        let ports = [Port { name: "eth0", bridge: None }];
        until(&mut netlink, |s| s.not_followed(&ports).len() == 4).await;
        let words = netlink.state().not_followed(&ports).join("\n");
        for word in ["has dport, ipproto", "has uidrange", "has tos", "(from 10.77.0.9) has goto"] {
            assert!(words.contains(word), "{word}: {words}");
        }
        assert_eq!(vip(netlink.state()), set(["10.77.0.4"]));
        assert_eq!(*Netlink::open().await.unwrap().state(), *netlink.state());
    });
}

#[test]
fn kept_neighbours_are_resolved_before_use_and_released_afterwards() {
    if !inside("kept_neighbours_are_resolved_before_use_and_released_afterwards") {
        return;
    }
    run(async {
        let _peer = Peer::start();
        let mut netlink = Netlink::open().await.unwrap();
        until(&mut netlink, |s| s.link("eth0").is_some_and(Link::usable)).await;
        let (index, peer) = (netlink.state().link("eth0").unwrap().index, PEER4.parse().unwrap());
        let mut resolver = netlink.resolver();

        assert!(resolver.keep(&BTreeSet::from([(index, peer)])).await.is_empty());
        let resolved = |s: &NetState| s.neighbour(index, peer).and_then(Neighbour::usable_mac).is_some();
        until(&mut netlink, resolved).await;
        assert_eq!(netlink.state().neighbour(index, peer).unwrap().mac, "02:00:00:00:00:99".parse().ok());
        assert!(kernel_says("managed"));
        resolver.resolve(index, peer).await.unwrap();
        assert!(kernel_says("managed"), "resolving again does not end the kernel's care");

        ip("neighbour flush dev eth0");
        assert!(resolver.keep(&BTreeSet::from([(index, peer)])).await.is_empty());
        assert!(kernel_says("managed"));
        resolver.release().await;
        assert!(!kernel_says("managed"));
    });
}

#[test]
fn one_resolution_without_keeping_finds_the_neighbour() {
    if !inside("one_resolution_without_keeping_finds_the_neighbour") {
        return;
    }
    run(async {
        let _peer = Peer::start();
        let mut netlink = Netlink::open().await.unwrap();
        until(&mut netlink, |s| s.link("eth0").is_some_and(Link::usable)).await;
        let (index, peer) = (netlink.state().link("eth0").unwrap().index, PEER4.parse().unwrap());
        netlink.resolver().resolve(index, peer).await.unwrap();
        until(&mut netlink, |s| s.neighbour(index, peer).and_then(Neighbour::usable_mac).is_some()).await;
        assert!(!kernel_says("managed"));
        assert!(netlink.resolver().resolve(9999, peer).await.is_err());
    });
}

#[test]
fn an_operator_s_permanent_entry_is_never_touched() {
    if !inside("an_operator_s_permanent_entry_is_never_touched") {
        return;
    }
    run(async {
        let _peer = Peer::start();
        ip("neighbour add 10.77.0.2 lladdr 02:00:00:00:00:42 dev eth0 nud permanent");
        let netlink = Netlink::open().await.unwrap();
        let (index, peer) = (netlink.state().link("eth0").unwrap().index, PEER4.parse().unwrap());
        assert_eq!(netlink.state().neighbour(index, peer).unwrap().state, NeighbourState::Permanent);
        let mut resolver = netlink.resolver();
        assert!(resolver.keep(&BTreeSet::from([(index, peer)])).await.is_empty());
        resolver.resolve(index, peer).await.unwrap();
        resolver.release().await;
        assert!(kernel_says("02:00:00:00:00:42 PERMANENT") && !kernel_says("managed"));
    });
}

fn teach(mac: &str, id: NeighbourId, creates: bool) -> [NeighbourRequest; 1] {
    [NeighbourRequest::Teach(Lesson { id, mac: mac.parse().unwrap(), creates })]
}

#[test]
fn what_was_heard_is_taught_to_the_kernel_and_is_all_that_changes() {
    if !inside("what_was_heard_is_taught_to_the_kernel_and_is_all_that_changes") {
        return;
    }
    run(async {
        let _peer = Peer::start();
        let mut netlink = Netlink::open().await.unwrap();
        until(&mut netlink, |s| s.link("eth0").is_some_and(Link::usable)).await;
        let id = (netlink.state().link("eth0").unwrap().index, PEER4.parse().unwrap());
        let mut resolver = netlink.resolver();
        while tokio::time::timeout(Duration::from_millis(300), netlink.changed()).await.is_ok() {}

        assert!(resolver.perform(&teach("02:00:00:00:00:41", id, false)).await.is_empty());
        assert!(!kernel_says("lladdr"), "only the target of a question makes an entry");
        assert!(resolver.perform(&teach("02:00:00:00:00:41", id, true)).await.is_empty());
        assert!(kernel_says("02:00:00:00:00:41 STALE"));
        let touched = Touched { neighbours: BTreeSet::from([id]), ..Touched::default() };
        assert_eq!(netlink.changed().await.unwrap(), Change::Neighbours(touched));
        // Somebody may have made the entry meanwhile.
        assert!(resolver.perform(&teach("02:00:00:00:00:42", id, true)).await.is_empty());
        assert!(kernel_says("02:00:00:00:00:42 STALE"));

        assert!(resolver.keep(&BTreeSet::from([id])).await.is_empty());
        assert!(resolver.perform(&teach("02:00:00:00:00:43", id, false)).await.is_empty());
        assert!(kernel_says("02:00:00:00:00:43") && kernel_says("managed"), "the kernel's care goes on");
        resolver.release().await;

        ip("neighbour replace 10.77.0.2 lladdr 02:00:00:00:00:44 dev eth0 nud permanent");
        assert!(resolver.perform(&teach("02:00:00:00:00:45", id, true)).await.is_empty());
        assert!(kernel_says("02:00:00:00:00:44 PERMANENT"));
        let gone = (9999, id.1);
        let failed =
            resolver.perform(&[NeighbourRequest::Resolve(gone), NeighbourRequest::Resolve(id)]).await;
        assert_eq!(failed.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [gone]);
    });
}

#[test]
fn an_overflow_of_the_socket_is_made_good_by_a_fresh_dump() {
    if !inside("an_overflow_of_the_socket_is_made_good_by_a_fresh_dump") {
        return;
    }
    run(async {
        let mut netlink = Netlink::open().await.unwrap();
        // The runtime does not run meanwhile, so far more is told than a socket buffer holds.
        let batch: String =
            (0..6000).map(|i| format!("route add blackhole 10.{}.{}.0/24\n", i / 256, i % 256)).collect();
        let file = std::env::temp_dir().join(format!("penstock-routes-{}", std::process::id()));
        std::fs::write(&file, batch).unwrap();
        ip(&format!("-batch {}", file.display()));
        std::fs::remove_file(&file).unwrap();
        ip("link add last0 type veth");
        until(&mut netlink, |s| s.link("last0").is_some()).await;
    });
}

#[test]
fn a_caller_with_little_patience_learns_of_a_deleted_link_all_the_same() {
    if !inside("a_caller_with_little_patience_learns_of_a_deleted_link_all_the_same") {
        return;
    }
    run(async {
        let mut netlink = Netlink::open().await.unwrap();
        ip("link add eth0 type veth");
        until(&mut netlink, |s| s.link("eth0").is_some()).await;
        ip("link delete eth0");
        let learnt = async {
            // Shorter than the time in which a burst settles.
            let patience = Duration::from_millis(5);
            let heard = |s: &NetState| s.link("eth0").is_none();
            let mut completed = false;
            while !(completed && heard(netlink.state())) {
                completed = tokio::time::timeout(patience, netlink.changed()).await.is_ok();
            }
        };
        tokio::time::timeout(Duration::from_secs(2), learnt).await.expect("within two seconds");
    });
}

const INLINE: [Port<'_>; 2] =
    [Port { name: "eth0", bridge: Some("br0") }, Port { name: "eth1", bridge: Some("br0") }];
const PEER_MAC: Mac = Mac([2, 0, 0, 0, 0, 0x99]);

/// Two links to the peer, the first without its address.
fn two_links() -> Peer {
    let peer = Peer::start();
    ip("address flush dev eth0 scope global");
    ip(&format!("link add eth1 type veth peer name peer1 netns {}", peer.0.id()));
    peer
}

fn shown(link: &str) -> String {
    let output = Command::new("ip").args(["-details", "link", "show", link]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_missing_bridge_is_made_and_left_behind_and_its_stations_are_known() {
    if !inside("a_missing_bridge_is_made_and_left_behind_and_its_stations_are_known") {
        return;
    }
    run(async {
        let _peer = two_links();
        let mut netlink = Netlink::open().await.unwrap();
        netlink.provide_bridge("br0", &["eth0", "eth1"]).await.unwrap();
        let bridge = netlink.state().link("br0").unwrap().clone();
        assert!(bridge.is_bridge && bridge.up);
        for port in ["eth0", "eth1"] {
            let link = netlink.state().link(port).unwrap();
            assert!(link.up && link.master == Some(bridge.index), "{link:?}");
        }
        assert!(shown("br0").contains("mcast_snooping 0"), "{}", shown("br0"));

        ip("address add 10.77.0.1/24 dev br0");
        let peer: IpAddr = PEER4.parse().unwrap();
        let mut resolver = netlink.resolver();
        until(&mut netlink, |s| s.link("eth0").is_some_and(Link::usable)).await;
        assert!(resolver.keep(&BTreeSet::from([(bridge.index, peer)])).await.is_empty());
        let hop = |id| (InterfaceId(0), peer, NextHop { interface: InterfaceId(id), mac: PEER_MAC });
        let station = |s: &NetState, mac| s.stations(&INLINE).get(&(BridgeId(0), mac)).copied();
        until(&mut netlink, |s| {
            station(s, PEER_MAC) == Some(InterfaceId(0)) && s.next_hops(&INLINE).any(|found| found == hop(0))
        })
        .await;
        let fib = netlink.state().fib(&INLINE, []);
        assert_eq!(fib.neighbour_towards(peer), Some((InterfaceId(0), peer)), "the bridge's first port");

        // The other port hears a station that is silent otherwise, and only the data plane knows.
        let silent = Mac([2, 0, 0, 0, 0, 0x77]);
        let port = netlink.state().link("eth1").unwrap().index;
        resolver.heard(port, silent).await.unwrap();
        until(&mut netlink, |s| station(s, silent) == Some(InterfaceId(1))).await;
        assert!(resolver.heard(bridge.index, silent).await.is_err(), "no port of a bridge");
        ip("link set eth1 down");
        until(&mut netlink, |s| station(s, silent).is_none()).await;

        resolver.release().await;
        drop(netlink);
        let mut again = Netlink::open().await.unwrap();
        again.provide_bridge("br0", &["eth0", "eth1"]).await.unwrap();
        assert_eq!(again.state().link("br0").unwrap().index, bridge.index);
    });
}

#[test]
fn a_bridge_that_is_there_keeps_its_settings_and_gets_the_ports_it_lacks() {
    if !inside("a_bridge_that_is_there_keeps_its_settings_and_gets_the_ports_it_lacks") {
        return;
    }
    run(async {
        let _peer = two_links();
        ip("link add br0 type bridge mcast_snooping 1");
        ip("link set eth0 master br0");
        let mut netlink = Netlink::open().await.unwrap();
        netlink.provide_bridge("br0", &["eth0", "eth1"]).await.unwrap();
        let (bridge, port) = (netlink.state().link("br0").unwrap(), netlink.state().link("eth1").unwrap());
        assert_eq!(port.master, Some(bridge.index));
        assert!(!bridge.up && shown("br0").contains("mcast_snooping 1"), "{}", shown("br0"));

        ip("link add other type bridge");
        ip("link set eth1 master other");
        let index = netlink.state().link("eth1").unwrap().index;
        until(&mut netlink, |s| {
            let other = s.link("other").map(|other| other.index);
            other.is_some() && s.link_by_index(index).is_some_and(|port| port.master == other)
        })
        .await;
        let error = netlink.provide_bridge("br0", &["eth0", "eth1"]).await.unwrap_err();
        assert!(error.to_string().contains("\"eth1\" is a port of \"other\""), "{error}");
        assert!(netlink.provide_bridge("new0", &["eth1"]).await.is_err());
        assert!(netlink.state().link("new0").is_none(), "nothing is made for ports that cannot join");
    });
}
