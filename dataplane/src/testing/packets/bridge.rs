//! Bridge mode: the box is inline, and what concerns no service passes as through a switch.

use super::way::{BACKEND, Way};
use super::*;
use crate::Punt;
use crate::snapshot::{NextHop, Snapshot};
use crate::testing::offer::{How, INLINE};
use crate::testing::rig::{BOX2, BRIDGE, ETH2};
use crate::types::Mac;
use Protocol::{Tcp, Udp};

/// A station that no bridge has heard of.
const STRANGER: Mac = Mac([2, 0, 0, 0, 9, 9]);

fn way(v6: bool) -> Way {
    Way { how: How::Bridge, client_v6: v6, server_v6: v6 }
}

pub(super) fn cases() -> Vec<Case> {
    let of_family = |v6| {
        let way = way(v6);
        [passing(&way), flooded(&way), same_segment(&way), as_a_gateway(&way), lonely(&way), too_long(&way)]
    };
    [false, true].into_iter().flat_map(of_family).collect()
}

fn snapshot_without(way: &Way, station: Mac) -> Snapshot {
    let mut snapshot = way.snapshot();
    std::sync::Arc::make_mut(&mut snapshot.stations).remove(&(INLINE, station));
    snapshot
}

fn syn(build: Build, source: u16, destination: u16) -> Build {
    build.tcp(source, destination, SYN)
}

fn syn_ack(build: Build, source: u16, destination: u16) -> Build {
    build.tcp(source, destination, SYN_ACK)
}

/// What a backend says to somebody who went to the backend itself.
fn own_traffic(way: &Way) -> Vec<u8> {
    way.reply().tcp(8080, 41_000, SYN_ACK).ttl(1).build()
}

/// A backend's own traffic is steered here, but passes as it is, its TTL too.
fn passing(way: &Way) -> Case {
    let frame = own_traffic(way);
    let expect = Expect::Sends(ETH0, frame.clone());
    let name = "to somebody who went to the backend";
    let rows = vec![
        Row { name, ingress: ETH1, frame, expect, moves: Moves::NOTHING },
        Row::drops(
            "a client's packet to a port that is no service",
            ETH0,
            syn(way.ask(), 40_000, 81).build(),
            DropReason::UnknownPort,
        ),
    ];
    Case::new(format!("{}: traffic of no flow", way.name()), way.snapshot(), rows)
}

/// To a station that nobody has heard of: by all ports but the one it came in by, the translation done.
fn flooded(way: &Way) -> Case {
    let everywhere = |frame: Vec<u8>| {
        Expect::Multiplies([ETH0, ETH2].map(|port| (port, Looks::exactly(frame.clone()))).into())
    };
    let reply = way.outward("a reply", Tcp, syn_ack);
    let Expect::Sends(_, translated) = reply.expect else { panic!("a bridge sends") };
    let own = own_traffic(way);
    let rows = vec![
        way.inward("a flow", Tcp, Moves::OPENS, syn),
        Row { expect: everywhere(translated), ..reply },
        Row {
            name: "of no flow",
            ingress: ETH1,
            frame: own.clone(),
            expect: everywhere(own),
            moves: Moves::NOTHING,
        },
    ];
    Case::new(format!("{}: to an unknown station", way.name()), snapshot_without(way, CLIENT), rows)
}

/// What is on the side that it comes from has been there already.
fn same_segment(way: &Way) -> Case {
    let mut snapshot = way.snapshot();
    let mut here = way.offer(Udp);
    here.ports = crate::types::PortRange::one(crate::types::Port(5));
    here.add_to(&mut snapshot);
    let id = snapshot.backends.len() - 1;
    let hop = NextHop { interface: ETH0, mac: backend_mac(BACKEND) };
    snapshot.backends[id].as_mut().expect("a backend").next_hop = Some(hop);
    let stations = std::sync::Arc::make_mut(&mut snapshot.stations);
    stations.insert((INLINE, STRANGER), ETH1);
    stations.insert((INLINE, backend_mac(BACKEND)), ETH0);
    let reason = DropReason::SameSegment;
    let to_neighbour =
        frame((backend_mac(BACKEND), &backend(BACKEND, way.server_v6)), (STRANGER, client(way.client_v6)));
    let rows = vec![
        Row::drops("the backend is where the client is", ETH0, way.ask().udp(40_000, 5).build(), reason)
            .moving(Moves::CREATES),
        Row::drops("a neighbour of the backend", ETH1, to_neighbour.tcp(8080, 41_000, ACK).build(), reason),
    ];
    Case::new(format!("{}: the same segment", way.name()), snapshot, rows)
}

/// A switch tells nobody that a frame is too long for the port ahead; the counter does.
fn too_long(way: &Way) -> Case {
    let mut snapshot = way.snapshot();
    snapshot.interfaces[0].mtu = 1400;
    let text = |length: usize| vec![7; length - if way.server_v6 { 60 } else { 40 }];
    let segment = |length| {
        let text = text(length);
        move |build: Build, s, d| build.tcp(s, d, ACK).payload(&text)
    };
    let (_, (source, server)) = way.ports(Tcp);
    let long = segment(1401)(way.reply(), server, source).build();
    let own = segment(1401)(way.reply(), server, 41_000).build();
    let unknown =
        frame((backend_mac(BACKEND), &backend(BACKEND, way.server_v6)), (STRANGER, client(way.client_v6)));
    let by_the_wide_port = segment(1401)(unknown, server, 41_000).build();
    let rows = vec![
        Row {
            name: "to an unknown station",
            ingress: ETH1,
            frame: by_the_wide_port.clone(),
            expect: Expect::Sends(ETH2, by_the_wide_port),
            moves: Moves::NOTHING,
        },
        way.inward("a flow", Tcp, Moves::OPENS, syn),
        Row::drops("a reply", ETH1, long, DropReason::TooLong),
        Row::drops("of no flow", ETH1, own, DropReason::TooLong),
        way.outward("just as long as may be", Tcp, segment(1400)),
    ];
    Case::new(format!("{}: longer than the port ahead takes", way.name()), snapshot, rows)
}

/// What is addressed to the box itself, by a port's MAC address or by the bridge's, is routed.
fn as_a_gateway(way: &Way) -> Case {
    let ((client_port, vip_port), (source, server)) = way.ports(Tcp);
    let mut rows = vec![way.inward("a flow", Tcp, Moves::OPENS, syn)];
    for (name, mac) in [("to the port's address", BOX1), ("to the bridge's address", BRIDGE)] {
        let from = backend(BACKEND, way.server_v6);
        let input = frame((backend_mac(BACKEND), &from), (mac, client(way.client_v6)));
        let output = frame((BOX0, vip(Mode::Bridge, way.client_v6)), (CLIENT, client(way.client_v6)));
        let frame = syn_ack(input, server, source).build();
        let expect = Expect::Sends(ETH0, syn_ack(output, vip_port, client_port).hop().build());
        rows.push(Row { name, ingress: ETH1, frame, expect, moves: Moves::OUTWARD });
    }
    Case::new(format!("{}: the box as a gateway", way.name()), way.snapshot(), rows)
}

/// A bridge with one port only.
fn lonely(way: &Way) -> Case {
    let mut snapshot = snapshot_without(way, CLIENT);
    for interface in snapshot.interfaces.iter_mut().filter(|interface| [BOX0, BOX2].contains(&interface.mac))
    {
        (interface.bridge, interface.bridge_mac) = (None, None);
    }
    let rows = vec![Row::drops("to nowhere", ETH1, own_traffic(way), DropReason::InterfaceGone)];
    Case::new(format!("{}: a bridge of one port", way.name()), snapshot, rows)
}

#[test]
fn management_is_told_where_a_station_is_that_only_workers_hear() {
    for v6 in [false, true] {
        let way = way(v6);
        let mut rig = Rig::new(snapshot_without(&way, CLIENT));
        rig.receive(ETH0, &[syn(way.ask(), 40_000, 80).build()]);
        match rig.punts.receive() {
            Some(Punt::Station { interface, mac }) => assert_eq!((interface, mac), (ETH0, CLIENT)),
            other => panic!("management was told {other:?}"),
        }
        let mut rig = Rig::new(way.snapshot());
        rig.receive(ETH0, &[syn(way.ask(), 40_000, 80).build()]);
        rig.receive(ETH1, &[own_traffic(&way)]);
        assert!(rig.punts.receive().is_none(), "both are known");
        rig.receive(ETH2, &[own_traffic(&way)]);
        match rig.punts.receive() {
            Some(Punt::Station { interface, mac }) => {
                assert_eq!((interface, mac), (ETH2, backend_mac(BACKEND)), "it has moved");
            }
            other => panic!("management was told {other:?}"),
        }
    }
}
