//! Packets that wait for a station of a bridge leave as they do where the station is known from the beginning.

use std::net::IpAddr;
use std::sync::Arc;

use super::way::{BACKEND, Way, ways};
use super::*;
use crate::snapshot::{Fib, NextHop, Route, Snapshot};
use crate::testing::offer::INLINE;
use crate::testing::rig::{BRIDGE, ETH2, backend_address};
use Protocol::Tcp;

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
