//! Frames that are broken, foreign or beyond what a flow is followed through.

use super::way::{Way, ways};
use super::*;
use crate::snapshot::Snapshot;
use crate::testing::rig::{ETH2, network as empty_network};
use proptest::prelude::*;

/// Services of all modes and families, one way of each.
fn all_modes() -> Snapshot {
    let mut snapshot = empty_network();
    for mode in MODES {
        for v6 in [false, true] {
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                way(mode, v6).offer(protocol).add_to(&mut snapshot);
            }
        }
    }
    snapshot
}

fn way(mode: Mode, v6: bool) -> Way {
    let is_it = |way: &Way| (way.mode(), way.client_v6) == (mode, v6);
    ways().into_iter().find(is_it).expect("a way of each mode")
}

fn rig() -> Rig {
    Rig::new(all_modes())
}

const MODES: [Mode; 5] = [Mode::Bridge, Mode::Router, Mode::OneArm, Mode::Dsr, Mode::Tunnel];

fn tcp(mode: Mode, v6: bool) -> Build {
    to_vip(mode, v6).tcp(40000, 80, SYN)
}

fn udp(mode: Mode, v6: bool) -> Build {
    to_vip(mode, v6).udp(5000, 53)
}

/// Rows of a sentence, a frame and a reason, for a VIP of each mode.
fn in_all_modes<const N: usize>(rows: impl Fn(Mode) -> [(&'static str, Vec<u8>, DropReason); N]) {
    for mode in MODES {
        let mut rig = rig();
        for (sentence, frame, reason) in rows(mode) {
            check(&mut rig, &format!("{mode}: {sentence}"), ETH0, &frame, &Expect::Drops(reason));
        }
    }
}

/// The frame with bytes replaced, and the IPv4 header's checksum set right again.
fn with(build: &Build, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = build.build();
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    if frame[12..14] == [8, 0] {
        let length = (usize::from(frame[14] & 15) * 4).clamp(20, frame.len() - 14);
        frame[24..26].fill(0);
        let sum = !crate::wire::checksum::fold(crate::wire::checksum::sum(0, &frame[14..14 + length]));
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
    }
    frame
}

#[test]
fn every_cut_of_a_frame_is_dropped_as_truncated() {
    for (build, lengths) in MODES
        .map(|mode| [(tcp(mode, false), 0..62), (tcp(mode, true), 0..82), (udp(mode, false), 0..50)])
        .concat()
    {
        let mut rig = rig();
        let frame = build.build();
        assert_eq!(frame.len(), lengths.end);
        for length in lengths {
            let sentence = format!("cut to {length} bytes");
            check(&mut rig, &sentence, ETH0, &frame[..length], &Expect::Drops(DropReason::Truncated));
        }
    }
}

#[test]
fn lying_headers_are_dropped_by_name() {
    use DropReason::{BadChecksum, BadHeader, Truncated};
    in_all_modes(|mode| {
        let (v4, v6) = (tcp(mode, false), tcp(mode, true));
        let mut damaged = v4.build();
        damaged[24] ^= 1;
        let mut damaged_ttl = v4.build();
        damaged_ttl[22] = 9;
        let (udp, udp6) = (udp(mode, false), udp(mode, true));
        [
            ("IPv4 with version 6", with(&v4, 14, &[0x65]), BadHeader),
            ("IPv4 header of 16 bytes", with(&v4, 14, &[0x44]), BadHeader),
            ("IPv4 total length below its header", with(&v4, 16, &[0, 19]), BadHeader),
            ("IPv4 total length beyond the frame", with(&v4, 16, &[1, 0]), Truncated),
            ("IPv4 header length beyond the total length", with(&v4, 14, &[0x4d]), BadHeader),
            ("IPv4 checksum damaged", damaged, BadChecksum),
            ("IPv4 TTL changed under its checksum", damaged_ttl, BadChecksum),
            ("IPv6 with version 4", with(&v6, 14, &[0x40]), BadHeader),
            ("IPv6 payload length beyond the frame", with(&v6, 18, &[1, 0]), Truncated),
            ("IPv6 payload length cutting the TCP header", with(&v6, 18, &[0, 19]), Truncated),
            ("TCP data offset of 16 bytes", with(&v4, 46, &[0x40]), BadHeader),
            ("TCP data offset beyond the segment", with(&v4, 46, &[0xf0]), Truncated),
            ("TCP in IPv6, data offset beyond the segment", with(&v6, 66, &[0xf0]), Truncated),
            ("UDP length below its header", with(&udp, 38, &[0, 7]), BadHeader),
            ("UDP length beyond the datagram", with(&udp, 38, &[0, 17]), Truncated),
            ("UDP in IPv6, length beyond the datagram", with(&udp6, 58, &[0, 17]), Truncated),
        ]
    });
}

#[test]
fn foreign_protocols_are_dropped_by_name() {
    in_all_modes(|mode| {
        let ether = |kind: [u8; 2]| {
            let mut frame = tcp(mode, false).build();
            frame[12..14].copy_from_slice(&kind);
            frame
        };
        let three_tags = {
            let mut frame = tcp(mode, false).build();
            frame.splice(12..12, [0x81, 0, 0, 100].repeat(3));
            frame
        };
        let many = tcp(mode, true).extensions(0, &[0, 0, 1, 4, 0, 0, 0, 0].repeat(9), 64).build();
        let none = tcp(mode, true).extensions(60, &[0, 0, 1, 4, 0, 0, 0, 0], 0).build();
        let none = {
            let mut f = none;
            f[54] = 59;
            f
        };
        [
            ("LLDP", ether([0x88, 0xcc]), DropReason::NotIp),
            ("an 802.3 length instead of a type", ether([0, 46]), DropReason::NotIp),
            ("three VLAN tags", three_tags, DropReason::TooManyTags),
            ("SCTP", to_vip(mode, false).protocol(132).build(), DropReason::UnknownProtocol),
            ("GRE in IPv6", to_vip(mode, true).protocol(47).build(), DropReason::UnknownProtocol),
            ("nine extension headers", many, DropReason::ExtensionHeaders),
            ("no next header", none, DropReason::ExtensionHeaders),
        ]
    });
}

/// Everything that came in went somewhere, or waits for its first fragment: those are given up in the end.
fn every_frame_is_counted(rig: &mut Rig) {
    let began = rig.stats().total_nanos;
    loop {
        let frames = rig.stats().frames;
        let counted = frames.forwarded + frames.to_management + frames.dropped;
        assert!(counted <= frames.received, "{frames:?}");
        if counted == frames.received {
            return;
        }
        assert!(rig.stats().total_nanos - began < 20_000_000_000, "frames are lost: {frames:?}");
        rig.receive(ETH0, &[]);
    }
}

/// Good frames of a way: a connection, datagrams, fragments, errors, a ping.
fn good_frames(way: &Way) -> Vec<(InterfaceId, Vec<u8>)> {
    let ((client, vip), (source, server)) = way.ports(Protocol::Tcp);
    let mut frames = Vec::new();
    let mut add = |ingress, build: Build| frames.push((ingress, build.build()));
    add(ETH0, way.ask().tcp(client, vip, SYN).tcp_options(&[2, 4, 5, 0xb4]));
    add(ETH1, way.reply().tcp(server, source, SYN_ACK).tcp_options(&[2, 4, 5, 0xb4]));
    add(ETH0, way.ask().tcp(client, vip, ACK).numbers(2, 3).tags(&[(0x8100, 5)]));
    add(ETH1, way.reply().tcp(server, source, ACK).tcp_options(&[1, 1, 5, 10, 0, 0, 0, 9, 0, 0, 0, 20]));
    add(ETH0, way.ask().udp(client, 53).fragment(0).payload(&[7; 1472]));
    add(ETH0, way.ask().udp(client, 53).fragment(0x2000).payload(&[7; 64]));
    add(ETH0, way.ask().udp_without_checksum(client, 53).fragment(9));
    add(ETH0, way.ask().icmp(if way.client_v6 { 128 } else { 8 }));
    let quote = way.replied().tcp(vip, client, ACK).packet();
    add(ETH0, way.ask().icmp_error(if way.client_v6 { 1 } else { 3 }, 4, [0, 0, 5, 0], &quote));
    let quote = way.asked().tcp(source, server, ACK).packet();
    add(ETH1, way.reply().icmp_error(if way.server_v6 { 2 } else { 3 }, 4, [0, 0, 5, 0], &quote));
    frames
}

/// Ways of the property tests: all modes, and what client addresses do to streams.
fn all_ways() -> Vec<Way> {
    use crate::snapshot::ClientAddress::{ProxyV1, ProxyV2, Toa};
    let mut all = ways();
    for how in [ProxyV1, ProxyV2, Toa] {
        let families = [(false, false), (true, true), (false, true), (true, false)];
        all.extend(families.map(|(client_v6, server_v6)| Way {
            how: way::one_arm(server_v6, how),
            client_v6,
            server_v6,
        }));
    }
    all
}

/// One change to a frame: bytes put over others at a place, and the end cut off.
type Damage = (proptest::sample::Index, [u8; 3], Option<proptest::sample::Index>);

fn damage(frame: &mut Vec<u8>, (place, bytes, end): &Damage) {
    let at = place.index(frame.len().min(120) - 2);
    for (byte, flipped) in frame[at..].iter_mut().zip(bytes) {
        *byte ^= flipped;
    }
    if let Some(end) = end {
        frame.truncate(end.index(frame.len()));
    }
}

proptest! {
    #[test]
    fn no_bytes_break_a_worker(
        frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..120), 1..40),
    ) {
        let mut rig = rig();
        for interface in [ETH0, ETH1, ETH2] {
            rig.receive(interface, &frames);
        }
        prop_assert_eq!(rig.stats().frames.received, 3 * frames.len() as u64);
        every_frame_is_counted(&mut rig);
    }
}

proptest! {
    // A worker and its services for each way and case.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn no_damage_to_good_frames_breaks_a_worker(
        damages in proptest::collection::vec((any::<proptest::sample::Index>(), any::<Damage>()), 1..20),
        narrow: bool,
    ) {
        for way in all_ways() {
            let mut snapshot = way.snapshot_with(|offer| offer.mss_clamp = Some(1000));
            if narrow {
                snapshot.interfaces.iter_mut().for_each(|interface| interface.mtu = 1300);
            }
            let mut rig = Rig::new(snapshot);
            let mut frames = good_frames(&way);
            let good = frames.clone();
            for (which, change) in &damages {
                let (ingress, mut frame) = good[which.index(good.len())].clone();
                damage(&mut frame, change);
                frames.push((ingress, frame));
            }
            for (ingress, frame) in &frames {
                rig.receive(*ingress, std::slice::from_ref(frame));
            }
            assert_eq!(rig.stats().frames.received, frames.len() as u64, "{}", way.name());
            every_frame_is_counted(&mut rig);
        }
    }
}
