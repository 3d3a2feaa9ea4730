//! Packet in, packet out: what a worker does, as tables of cases. Each row is a sentence, a frame
//! in, and the frame out or the reason why not; every counter that moves is checked with it.

mod control;
mod dsr;
mod life;
mod malformed;
mod router;

use super::frames::{Build, frame};
use super::rig::{BOX0, BOX1, CLIENT, ETH0, ETH1, Rig, backend_mac, snapshot, vip};
use crate::pipeline::DropReason;
use crate::types::{InterfaceId, Mode};
use crate::wire::tcp::Flags;

const SYN: u8 = Flags::SYN;
const ACK: u8 = Flags::ACK;
const SYN_ACK: u8 = Flags::SYN | Flags::ACK;
const FIN_ACK: u8 = Flags::FIN | Flags::ACK;
const RST: u8 = Flags::RST;

/// What shall become of a frame.
#[derive(Debug)]
enum Expect {
    /// It leaves by that interface, looking like that.
    Sends(InterfaceId, Vec<u8>),
    /// It is dropped for that reason.
    Drops(DropReason),
    /// It is dropped for that reason, and this answer to its sender leaves by that interface.
    Answers(DropReason, InterfaceId, Vec<u8>),
    /// It goes to the management thread.
    Punts,
}

/// A frame in, its fate, and the counters: one frame received, one verdict counted, nothing else.
fn check(rig: &mut Rig, sentence: &str, ingress: InterfaceId, input: &[u8], expect: &Expect) {
    let before = rig.stats();
    let sent = rig.receive(ingress, &[input.to_vec()]);
    let after = rig.stats();
    let moved = |get: fn(&crate::FrameStats) -> u64| get(&after.frames) - get(&before.frames);
    let drops: Vec<_> = DropReason::ALL
        .iter()
        .filter(|r| after.drops[r.index()] != before.drops[r.index()])
        .map(|r| r.code())
        .collect();
    let counted = (
        moved(|f| f.received),
        moved(|f| f.forwarded),
        moved(|f| f.to_management),
        moved(|f| f.originated),
        drops,
    );
    let (expected_out, expected_count) = match expect {
        Expect::Sends(interface, frame) => (vec![(*interface, frame.clone())], (1, 1, 0, 0, vec![])),
        Expect::Drops(reason) => (vec![], (1, 0, 0, 0, vec![reason.code()])),
        Expect::Answers(reason, interface, frame) => {
            (vec![(*interface, frame.clone())], (1, 0, 0, 1, vec![reason.code()]))
        }
        Expect::Punts => (vec![], (1, 0, 1, 0, vec![])),
    };
    assert_eq!(counted, expected_count, "{sentence}: received, forwarded, to management, originated, drops");
    assert_eq!(hex(&sent), hex(&expected_out), "{sentence}");
}

fn hex(frames: &[(InterfaceId, Vec<u8>)]) -> Vec<String> {
    frames.iter().map(|(interface, bytes)| format!("{interface}: {bytes:02x?}")).collect()
}

/// What the box answers to a frame of the client, in the name of the VIP: an ICMP error that quotes the
/// packet, as long as it is short.
fn icmp_answer(mode: Mode, v6: bool, (kind, code, rest): (u8, u8, [u8; 4]), about: &[u8]) -> Vec<u8> {
    let (longest, class) = if v6 { (1280 - 48, 0) } else { (576 - 28, 0xc0) };
    let packet = &about[14..];
    let quote = &packet[..packet.len().min(longest)];
    let answer = from_vip(mode, v6).icmp_error(kind, code, rest, quote).traffic_class(class);
    answer.identification(0).build()
}

fn time_exceeded(mode: Mode, v6: bool, about: &[u8]) -> Expect {
    let kind = if v6 { 3 } else { 11 };
    Expect::Answers(DropReason::TtlExceeded, ETH0, icmp_answer(mode, v6, (kind, 0, [0; 4]), about))
}

fn too_big(mode: Mode, v6: bool, mtu: u16, about: &[u8]) -> Expect {
    let [high, low] = mtu.to_be_bytes();
    let (kind, code) = if v6 { (2, 0) } else { (3, 4) };
    let rest = [0, 0, high, low];
    Expect::Answers(DropReason::TooLong, ETH0, icmp_answer(mode, v6, (kind, code, rest), about))
}

fn client(v6: bool) -> &'static str {
    if v6 { "fd00::2" } else { "10.0.0.2" }
}

fn backend(last: u8, v6: bool) -> String {
    super::rig::backend_address(last, v6).to_string()
}

/// Client to VIP, as it arrives on eth0.
fn to_vip(mode: Mode, v6: bool) -> Build {
    frame((CLIENT, client(v6)), (BOX0, vip(mode, v6)))
}

/// Client to backend, as it leaves by eth1.
fn to_backend(last: u8, v6: bool) -> Build {
    frame((BOX1, client(v6)), (backend_mac(last), &backend(last, v6)))
}

/// Backend to client, as it arrives on eth1.
fn from_backend(last: u8, v6: bool) -> Build {
    frame((backend_mac(last), &backend(last, v6)), (BOX1, client(v6)))
}

/// VIP to client, as it leaves by eth0.
fn from_vip(mode: Mode, v6: bool) -> Build {
    frame((BOX0, vip(mode, v6)), (CLIENT, client(v6)))
}
