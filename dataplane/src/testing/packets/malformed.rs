//! Frames that are broken, foreign or beyond what a flow is followed through.

use super::*;
use proptest::prelude::*;

fn rig() -> Rig {
    Rig::new(snapshot(&[11], &[21]))
}

const MODES: [Mode; 2] = [Mode::Router, Mode::Dsr];

fn tcp(mode: Mode, v6: bool) -> Build {
    to_vip(mode, v6).tcp(40000, 80, SYN)
}

fn udp(mode: Mode, v6: bool) -> Build {
    to_vip(mode, v6).udp(5000, 53)
}

/// Rows of a sentence, a frame and a reason, for a VIP of each mode.
fn in_both_modes<const N: usize>(rows: impl Fn(Mode) -> [(&'static str, Vec<u8>, DropReason); N]) {
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
    in_both_modes(|mode| {
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
    in_both_modes(|mode| {
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

proptest! {
    #[test]
    fn no_bytes_break_a_worker(
        frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..120), 1..40),
    ) {
        let mut rig = rig();
        rig.receive(ETH0, &frames);
        prop_assert_eq!(rig.stats().frames.received, frames.len() as u64);
    }

    #[test]
    fn no_damage_to_a_good_frame_breaks_a_worker(v6: bool, at in 12_usize..70, bytes: [u8; 4], cut in 14_usize..90) {
        let mut rig = rig();
        let mut frame = tcp(Mode::Router, v6).build();
        let at = at.min(frame.len() - 4);
        frame[at..at + 4].copy_from_slice(&bytes);
        frame.truncate(cut);
        rig.receive(ETH0, &[frame]);
        let frames = rig.stats().frames;
        prop_assert_eq!(frames.received, frames.forwarded + frames.to_management + frames.dropped);
    }
}
