//! Packets that wait for a station of a bridge leave as they do where the station is known from the beginning.

use std::net::IpAddr;
use std::sync::Arc;

use super::way::{BACKEND, Way, ways};
use super::*;
use crate::snapshot::{Fib, NextHop, Route, Snapshot};
use crate::testing::offer::{How, INLINE};
use crate::testing::rig::{BRIDGE, ETH2, backend_address};
use crate::types::Mac;
use Protocol::{Tcp, Udp};

/// A network whose interfaces are the ports of one bridge that the node has addresses on.
#[derive(Debug, Clone, Copy)]
struct Bridged {
    client: InterfaceId,
    backend: InterfaceId,
    /// Whether the bridge knows behind which port a station is.
    has_learned: bool,
}

impl Bridged {
    fn all() -> impl Iterator<Item = Self> {
        let ports = [ETH0, ETH1, ETH2];
        let pairs = ports.into_iter().flat_map(move |client| ports.map(|backend| (client, backend)));
        pairs.flat_map(|(client, backend)| {
            [true, false].map(|has_learned| Self { client, backend, has_learned })
        })
    }

    fn neighbours(self, way: &Way) -> [(InterfaceId, IpAddr, NextHop); 2] {
        let client: IpAddr = super::client(way.client_v6).parse().unwrap();
        let backend = backend_address(BACKEND, way.server_v6);
        // Of a bridge's neighbours, the interface is its first port.
        [
            (ETH0, client, NextHop { interface: self.client, mac: CLIENT }),
            (ETH0, backend, NextHop { interface: self.backend, mac: backend_mac(BACKEND) }),
        ]
    }

    fn snapshot(self, way: &Way, is_resolved: bool) -> Snapshot {
        let mut snapshot = way.snapshot();
        for interface in &mut snapshot.interfaces {
            (interface.bridge, interface.bridge_mac) = (Some(INLINE), Some(BRIDGE));
        }
        let routes = [("10.0.0.0", 23), ("fd00::", 64), ("fd01::", 64)]
            .map(|(prefix, length)| Route::single(prefix.parse().unwrap(), length, Some(ETH0), None));
        let neighbours = self.neighbours(way);
        snapshot.fib = Arc::new(Fib::new(routes, neighbours.into_iter().filter(|_| is_resolved)));
        let hop = is_resolved.then_some(neighbours[1].2);
        snapshot.backends.iter_mut().flatten().for_each(|backend| backend.next_hop = hop);
        if self.has_learned {
            let stations = Arc::make_mut(&mut snapshot.stations);
            stations.insert((INLINE, CLIENT), self.client);
            stations.insert((INLINE, backend_mac(BACKEND)), self.backend);
        }
        snapshot
    }

    fn resolve(self, way: &Way, rig: &mut Rig) {
        let mut next = Snapshot::clone(&rig.publisher.current());
        let known = self.neighbours(way).map(|(interface, address, hop)| (interface, address, Some(hop)));
        next.fib = Arc::new(next.fib.amended(known));
        next.generation += 1;
        rig.publisher.publish(next);
    }
}

/// Where frames leave, their MAC addresses and their lengths: the rest may differ between two workers.
fn outline(sent: Vec<(InterfaceId, Vec<u8>)>) -> Vec<(InterfaceId, Vec<u8>, usize)> {
    sent.into_iter().map(|(by, frame)| (by, frame[..14].to_vec(), frame.len())).collect()
}

/// To the bridge's own address, as hosts know the node.
fn to_the_node(mut frame: Vec<u8>) -> Vec<u8> {
    frame[..6].copy_from_slice(&BRIDGE.0);
    frame
}

#[test]
fn what_has_waited_for_a_neighbour_on_a_bridge_leaves_as_where_it_is_known() {
    for way in ways().into_iter().filter(|way| way.mode() != Mode::Bridge) {
        for network in Bridged::all() {
            let name = format!("{}, {network:?}", way.name());
            let [mut known, mut waiting] =
                [true, false].map(|is_resolved| Rig::new(network.snapshot(&way, is_resolved)));
            let syn = way.inward("a SYN", Tcp, Moves::OPENS, |b, s, d| b.tcp(s, d, SYN));
            let (syn, by) = (to_the_node(syn.frame), network.client);
            let expected = known.receive(by, std::slice::from_ref(&syn));
            assert!(!expected.is_empty(), "{name}");
            assert_eq!(waiting.receive(by, &[syn]), [], "{name}");
            network.resolve(&way, &mut waiting);
            assert_eq!(outline(waiting.receive(by, &[])), outline(expected), "{name}");
            assert_eq!(waiting.stats().frames.dropped, 0, "{name}");
            if !way.is_two_way() {
                continue;
            }
            let reply = way.outward("the reply", Tcp, |b, s, d| b.tcp(s, d, SYN_ACK));
            let (reply, by) = (to_the_node(reply.frame), network.backend);
            let expected = known.receive(by, std::slice::from_ref(&reply));
            assert!(!expected.is_empty(), "{name}");
            let mut gone = Snapshot { generation: 9, ..Snapshot::clone(&waiting.publisher.current()) };
            gone.fib = network.snapshot(&way, false).fib;
            waiting.publisher.publish(gone);
            assert_eq!(waiting.receive(by, &[reply]), [], "{name}");
            network.resolve(&way, &mut waiting);
            assert_eq!(outline(waiting.receive(by, &[])), outline(expected), "{name}, the reply");
        }
    }
}

/// The MTU is that of the packet, whatever tags stand before it and whatever padding behind it.
#[test]
fn a_tagged_packet_as_long_as_the_mtu_waits_for_a_station_and_leaves() {
    let tags: [&[(u16, u16)]; 3] = [&[], &[(0x8100, 77)], &[(0x88a8, 5), (0x8100, 77)]];
    for (v6, tags) in [false, true].into_iter().flat_map(|v6| tags.map(|tags| (v6, tags))) {
        for (length, is_learned) in [(1500, true), (1500, false), (1501, true), (1501, false)] {
            let way = Way { how: How::Bridge, client_v6: v6, server_v6: v6 };
            let mut snapshot = way.snapshot();
            snapshot.interfaces[0].mtu = 9000;
            snapshot.backends.iter_mut().flatten().for_each(|backend| backend.next_hop = None);
            if !is_learned {
                Arc::make_mut(&mut snapshot.stations).remove(&(INLINE, backend_mac(BACKEND)));
            }
            snapshot.interfaces[1].mtu = 9000;
            let mut rig = Rig::new(snapshot);
            let text = vec![7; length - if v6 { 48 } else { 28 }];
            let datagram = |b: Build, s, d| b.udp(s, d).payload(&text).tags(tags);
            let row = way.inward("a long datagram", Udp, Moves::OPENS, datagram);
            let mut padded = row.frame.clone();
            padded.extend([0; 4]);
            assert_eq!(rig.receive(row.ingress, &[row.frame, padded]), [], "{tags:?}");
            let mut next = Snapshot::clone(&rig.publisher.current());
            let mac: Mac = backend_mac(BACKEND);
            let hop = NextHop { interface: ETH1, mac };
            next.fib = Arc::new(next.fib.amended([(ETH1, backend_address(BACKEND, v6), Some(hop))]));
            next.interfaces[1].mtu = 1500;
            next.generation += 1;
            rig.publisher.publish(next);
            let sent: Vec<_> = rig.receive(ETH0, &[]).into_iter().map(|(by, _)| by).collect();
            let expected: &[InterfaceId] = match (length, is_learned) {
                (1500, true) => &[ETH1, ETH1],
                (1500, false) => &[ETH1, ETH2, ETH1, ETH2],
                _ => &[],
            };
            let mut sent = sent;
            sent.sort_unstable();
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            assert_eq!(sent, expected, "{length} {tags:?}");
            assert_eq!(rig.dropped(DropReason::TooLong), if length == 1500 { 0 } else { 2 }, "{tags:?}");
        }
    }
}
