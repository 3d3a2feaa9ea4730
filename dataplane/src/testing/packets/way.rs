//! Every way from a client to a backend: the modes with their variants, in both families and between them.
//!
//! A table says what a packet is by a function from addresses and ports to the packet; a way knows what
//! addresses and ports it has before and behind the box, and so what goes in and what comes out.

use super::wrap::{tunnels, wrap};
use super::{BOX0, BOX1, CLIENT, DropReason, ETH0, ETH1, Expect, InterfaceId, Looks, Moves, Protocol, Row};
use super::{backend, backend_mac, client, vip};
use crate::snapshot::{ClientAddress, Dscp, Snapshot};
use crate::testing::frames::{Build, frame};
use crate::testing::offer::{How, Offer, Pool, pool_address, ports};
use crate::testing::rig::network as empty_network;
use crate::types::{Mac, Mode, Port};

/// Client ports of all tables.
pub(super) const CLIENT_PORT: u16 = 40_000;
/// What is left of a pool, so that tables know which port a flow gets.
pub(super) const SNAT_PORT: u16 = 61_000;
/// The last byte of the pool's address.
pub(super) const POOL: u8 = 200;
/// The backend of all ways.
pub(super) const BACKEND: u8 = 11;
/// The MAC address that clients know a VIP by in bridge mode.
pub(super) const VIP_MAC: Mac = Mac([2, 0, 0, 0, 0, 0xfe]);
/// The code point of DSR ways that have one.
pub(super) const CODE_POINT: u8 = 7;

/// See the module's head.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) how: How,
    /// Whether the client, and whether the backend, has IPv6.
    pub(super) client_v6: bool,
    pub(super) server_v6: bool,
}

/// Full NAT that leaves one port.
pub(super) fn one_arm(v6: bool, client_address: ClientAddress) -> How {
    let addresses = vec![pool_address(POOL, v6)];
    How::OneArm(Pool { addresses, client_address, free: Some(vec![SNAT_PORT]) })
}

/// All of them.
pub(super) fn ways() -> Vec<Way> {
    let mut ways = Vec::new();
    for v6 in [false, true] {
        let way = |how, server_v6| Way { how, client_v6: v6, server_v6 };
        ways.extend([
            way(How::Bridge, v6),
            way(How::Router, v6),
            way(one_arm(v6, ClientAddress::None), v6),
            way(one_arm(!v6, ClientAddress::None), !v6),
            way(How::Dsr(None), v6),
            way(How::Dsr(Dscp::new(CODE_POINT)), v6),
        ]);
        for outer_v6 in [false, true] {
            ways.extend(tunnels().map(|how| way(how, outer_v6)));
        }
    }
    ways
}

impl Way {
    pub(super) fn name(&self) -> String {
        let family = |v6| if v6 { "v6" } else { "v4" };
        let variant = match &self.how {
            How::Bridge | How::Router | How::Dsr(None) => String::new(),
            How::OneArm(pool) => format!("/{:?}", pool.client_address),
            How::Dsr(Some(code_point)) => format!("/dscp {}", code_point.number()),
            How::Tunnel(kind) => format!("/{kind:?}"),
        };
        format!("{}{variant} {} to {}", self.how.mode(), family(self.client_v6), family(self.server_v6))
    }

    pub(super) fn mode(&self) -> Mode {
        self.how.mode()
    }

    pub(super) fn is_two_way(&self) -> bool {
        self.mode().is_two_way()
    }

    pub(super) fn is_tunnel(&self) -> bool {
        self.mode() == Mode::Tunnel
    }

    /// Between the families by translation.
    pub(super) fn crosses(&self) -> bool {
        self.mode() == Mode::OneArm && self.client_v6 != self.server_v6
    }

    /// Whether the TTL goes down.
    pub(super) fn is_hop(&self) -> bool {
        matches!(self.how, How::Router | How::OneArm(_) | How::Dsr(Some(_)))
    }

    /// A service of it.
    pub(super) fn offer(&self, protocol: Protocol) -> Offer {
        Offer::new(self.how.clone(), self.client_v6, protocol, (&[BACKEND], self.server_v6))
    }

    /// Its services, TCP and UDP.
    pub(super) fn snapshot(&self) -> Snapshot {
        self.snapshot_with(|_| ())
    }

    /// The same, changed.
    pub(super) fn snapshot_with(&self, change: impl Fn(&mut Offer)) -> Snapshot {
        let mut snapshot = empty_network();
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let mut offer = self.offer(protocol);
            change(&mut offer);
            offer.add_to(&mut snapshot);
        }
        snapshot
    }

    /// Client to VIP.
    pub(super) fn ask(&self) -> Build {
        let to = if self.mode() == Mode::Bridge { VIP_MAC } else { BOX0 };
        frame((CLIENT, client(self.client_v6)), (to, vip(self.mode(), self.client_v6)))
    }

    /// The same behind the box, but for tunnels.
    pub(super) fn asked(&self) -> Build {
        let (from, to) = self.backend_side();
        let mac = if self.mode() == Mode::Bridge { CLIENT } else { BOX1 };
        let build = frame((mac, &from), (backend_mac(BACKEND), &to));
        match self.how {
            How::Dsr(Some(code_point)) => build.traffic_class(code_point.number() << 2),
            _ => build,
        }
    }

    /// Backend to client, before the box.
    pub(super) fn reply(&self) -> Build {
        let (to, from) = self.backend_side();
        let mac = if self.mode() == Mode::Bridge { CLIENT } else { BOX1 };
        frame((backend_mac(BACKEND), &from), (mac, &to))
    }

    /// The same behind it.
    pub(super) fn replied(&self) -> Build {
        let mac = if self.mode() == Mode::Bridge { backend_mac(BACKEND) } else { BOX0 };
        frame((mac, vip(self.mode(), self.client_v6)), (CLIENT, client(self.client_v6)))
    }

    /// The box to the client, in the name of the VIP.
    pub(super) fn answer(&self) -> Build {
        let mac = if self.mode() == Mode::Bridge { VIP_MAC } else { BOX0 };
        frame((mac, vip(self.mode(), self.client_v6)), (CLIENT, client(self.client_v6)))
    }

    /// The box to the backend: in the name of the pool's address, or in its `own` name.
    pub(super) fn answer_back(&self, own: &str) -> Build {
        let (to_source, destination) = self.backend_side();
        let from = if self.mode() == Mode::OneArm { to_source } else { own.to_owned() };
        frame((BOX1, &from), (backend_mac(BACKEND), &destination))
    }

    /// Source and destination of a packet as the backend gets it.
    fn backend_side(&self) -> (String, String) {
        let source = match self.how {
            How::OneArm(_) => pool_address(POOL, self.server_v6).to_string(),
            _ => client(self.client_v6).to_owned(),
        };
        let destination = match self.how {
            How::Dsr(None) | How::Tunnel(_) => vip(self.mode(), self.client_v6).to_owned(),
            _ => backend(BACKEND, self.server_v6),
        };
        (source, destination)
    }

    /// The ports of a packet to the VIP, and of the same to the backend.
    pub(super) fn ports(&self, protocol: Protocol) -> ((u16, u16), (u16, u16)) {
        let (Port(outer), Port(inner)) = ports(protocol);
        let source = if self.mode() == Mode::OneArm { SNAT_PORT } else { CLIENT_PORT };
        let inner = if self.is_two_way() { inner } else { outer };
        ((CLIENT_PORT, outer), (source, inner))
    }

    /// A packet of the client that goes to the backend.
    pub(super) fn inward(
        &self,
        name: &'static str,
        protocol: Protocol,
        moves: Moves,
        packet: impl Fn(Build, u16, u16) -> Build,
    ) -> Row {
        self.inward_changed(name, (protocol, moves), &packet, &packet)
    }

    /// The same, of a packet that is another one behind the box.
    pub(super) fn inward_changed(
        &self,
        name: &'static str,
        (protocol, moves): (Protocol, Moves),
        before: impl Fn(Build, u16, u16) -> Build,
        behind: impl Fn(Build, u16, u16) -> Build,
    ) -> Row {
        let ((client, vip), (source, server)) = self.ports(protocol);
        let expect = match &self.how {
            How::Tunnel(_) => Expect::Like(ETH1, self.wrapped(behind(self.ask(), client, vip).packet())),
            _ => self.leaves(ETH1, self.server_v6, behind(self.asked(), source, server)),
        };
        Row { name, ingress: ETH0, frame: before(self.ask(), client, vip).build(), expect, moves }
    }

    /// A packet of the backend that goes to the client.
    pub(super) fn outward(
        &self,
        name: &'static str,
        protocol: Protocol,
        packet: impl Fn(Build, u16, u16) -> Build,
    ) -> Row {
        self.outward_changed(name, protocol, &packet, &packet)
    }

    /// The same, of a packet that is another one behind the box.
    pub(super) fn outward_changed(
        &self,
        name: &'static str,
        protocol: Protocol,
        before: impl Fn(Build, u16, u16) -> Build,
        behind: impl Fn(Build, u16, u16) -> Build,
    ) -> Row {
        let ((client, vip), (source, server)) = self.ports(protocol);
        let input = before(self.reply(), server, source).build();
        let expect = self.leaves(ETH0, self.client_v6, behind(self.replied(), vip, client));
        Row { name, ingress: ETH1, frame: input, expect, moves: Moves::OUTWARD }
    }

    /// The ICMP error that the box answers in the name of the VIP to a packet of the client.
    pub(super) fn error_answer(&self, (kind, code, rest): (u8, u8, [u8; 4]), about: &[u8]) -> Vec<u8> {
        let (longest, class) = if self.client_v6 { (1280 - 48, 0) } else { (576 - 28, 0xc0) };
        let tags = tags(about);
        let packet = &about[network(about)..];
        let quote = &packet[..packet.len().min(longest)];
        let answer = self.answer().icmp_error(kind, code, rest, quote).traffic_class(class);
        answer.identification(0).tags(&tags).build()
    }

    /// A packet of the client that is dropped and answered by an ICMP error.
    pub(super) fn answered(
        &self,
        name: &'static str,
        reason: DropReason,
        error: (u8, u8, [u8; 4]),
        build: &Build,
    ) -> Row {
        let frame = build.build();
        let expect = Expect::Answers(reason, ETH0, self.error_answer(error, &frame));
        Row { name, ingress: ETH0, frame, expect, moves: Moves::NOTHING }
    }

    /// What has been rewritten leaves with its TTL counted down, and with a name of the worker's own for
    /// what had none in IPv6.
    pub(super) fn leaves(&self, interface: InterfaceId, v6: bool, build: Build) -> Expect {
        let build = if self.is_hop() { build.hop() } else { build };
        if !self.crosses() || v6 {
            return Expect::Sends(interface, build.build());
        }
        Expect::Like(interface, named_by_the_worker(build))
    }

    /// The packet in its tunnel.
    pub(super) fn wrapped(&self, packet: Vec<u8>) -> Looks {
        let How::Tunnel(kind) = self.how else { panic!("{} has no tunnel", self.name()) };
        let v6 = self.server_v6;
        Looks::new(move |actual| wrap(kind, v6, &packet, actual))
    }
}

/// A packet that was one of IPv6: RFC 7915 section 5.1 lets it be fragmented if it is short.
fn named_by_the_worker(build: Build) -> Looks {
    Looks::new(move |actual| {
        let short = build.packet().len() <= 1260;
        let id = field(actual, network(actual) + 4);
        build.clone().identification(id).fragment(if short { 0 } else { 0x4000 }).build()
    })
}

/// Where the IP header of a frame begins.
pub(super) fn network(frame: &[u8]) -> usize {
    let tags = (0..2).take_while(|n| matches!(field(frame, 12 + 4 * n), 0x8100 | 0x88a8)).count();
    14 + 4 * tags
}

pub(super) fn field(frame: &[u8], at: usize) -> u16 {
    frame.get(at..at + 2).map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// The VLAN tags of a frame.
pub(super) fn tags(frame: &[u8]) -> Vec<(u16, u16)> {
    frame[12..network(frame) - 2].chunks(4).map(|tag| (field(tag, 0), field(tag, 2))).collect()
}
