//! Frames through the program, run by the kernel itself (`BPF_PROG_TEST_RUN`), and one through a real
//! interface. Needs root.
//!
//! What is taken apart was put together by [`crate::mode::tunnel`], so that both are of one mind.

use crate::io::Frame;
use crate::mode::tunnel::encapsulate;
use crate::snapshot::{GueVariant, Tunnel, TunnelKind};
use crate::testing::frames::{Build, frame};
use crate::types::{Mac, Port};
use crate::wire::checksum::{fold, sum};
use crate::xdp::testing::{BOX, Tap, address, in_namespace, veth};
use crate::xdp::{
    Decapsulated, Decapsulation, DecapsulationError, DecapsulationSetup, TestRuns, Umem, XdpAttachment,
    XdpPreference,
};

const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 1]);
const PORT: Port = Port(6080);
const SOURCE: [&str; 2] = ["10.0.1.1", "fd01::1"];
const LOCAL: [&str; 2] = ["10.0.1.11", "fd01::11"];
const NETWORK: usize = 14;

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// To Linux, as this.
    Passed(Vec<u8>),
    Dropped,
}

struct Bench(TestRuns);

impl Bench {
    fn new() -> Self {
        Self(TestRuns::load(BOX, PORT, &LOCAL.map(address)).unwrap())
    }

    fn run(&mut self, frame: &[u8]) -> Verdict {
        match self.0.run(frame) {
            (1, _) => Verdict::Dropped,
            (2, frame) => Verdict::Passed(frame),
            (other, _) => panic!("verdict {other}"),
        }
    }

    fn passes_as_it_is(&mut self, what: &str, frame: Vec<u8>) {
        assert_eq!(self.run(&frame), Verdict::Passed(frame), "{what}");
    }
}

fn inner(v6: bool) -> Build {
    let (client, vip) = if v6 { ("2001:db8::7", "2001:db8::100") } else { ("192.0.2.7", "10.0.0.100") };
    frame((CLIENT, client), (BOX, vip)).tcp(40000, 80, 0x18)
}

fn tunnels() -> impl Iterator<Item = Tunnel> {
    let gue = |variant| TunnelKind::Gue { port: PORT, variant };
    let kinds = [TunnelKind::Ipip, TunnelKind::Gre, gue(GueVariant::Zero), gue(GueVariant::One)];
    let ends = [0, 1].map(|v6| (address(SOURCE[v6]), address(LOCAL[v6])));
    kinds
        .into_iter()
        .flat_map(move |kind| ends.map(|(source, destination)| Tunnel { kind, source, destination }))
}

fn wrapped(bytes: &[u8], tunnel: &Tunnel) -> Vec<u8> {
    let mut frame = Frame::copied(Umem::new(1).unwrap().take().unwrap(), bytes);
    let packet = &bytes[NETWORK..];
    let length = if packet[0] >> 4 == 4 { [packet[2], packet[3]] } else { [packet[4], packet[5]] };
    let length = u16::from_be_bytes(length) + if packet[0] >> 4 == 4 { 0 } else { 40 };
    encapsulate(&mut frame, (NETWORK, length), tunnel, 7, 0).unwrap();
    frame.bytes().to_vec()
}

/// The frame with that ECN field in its outermost header; the checksum is made right.
fn marked(mut frame: Vec<u8>, ecn: u8) -> Vec<u8> {
    if frame[NETWORK] >> 4 == 6 {
        frame[15] = frame[15] & 0xcf | ecn << 4;
        return frame;
    }
    frame[15] = frame[15] & 0xfc | ecn;
    frame[24..26].fill(0);
    let checksum = !fold(sum(0, &frame[14..34]));
    frame[24..26].copy_from_slice(&checksum.to_be_bytes());
    frame
}

#[test]
fn every_tunnel_is_opened() {
    let mut bench = Bench::new();
    for tunnel in tunnels() {
        for v6 in [false, true] {
            for payload in [&b""[..], &[0x55; 1300]] {
                let bytes = inner(v6).payload(payload).build();
                let out = wrapped(&bytes, &tunnel);
                assert_ne!(out, bytes);
                assert_eq!(bench.run(&out), Verdict::Passed(bytes), "{tunnel:?}");
            }
        }
    }
    assert_eq!(bench.0.counts(), Decapsulated { opened: 32, dropped: 0 });
}

/// The table of RFC 6040 section 4.2, by outer and inner field: Not-ECT, ECT(1), ECT(0), CE.
#[test]
fn congestion_outside_is_told_inside() {
    const DROPPED: u8 = 9;
    const AFTER: [[u8; 4]; 4] = [[0, 1, 2, 3], [0, 1, 1, 3], [0, 1, 2, 3], [DROPPED, 3, 3, 3]];
    let mut bench = Bench::new();
    for tunnel in tunnels() {
        for v6 in [false, true] {
            for (outer, row) in (0..).zip(AFTER) {
                for (before, after) in (0..).zip(row) {
                    let bytes = marked(inner(v6).build(), before);
                    let out = marked(wrapped(&bytes, &tunnel), outer);
                    let expected = match after {
                        DROPPED => Verdict::Dropped,
                        after => Verdict::Passed(marked(bytes, after)),
                    };
                    assert_eq!(bench.run(&out), expected, "{outer} around {before} in {tunnel:?}");
                }
            }
        }
    }
    assert_eq!(bench.0.counts(), Decapsulated { opened: 16 * 15, dropped: 16 });
}

#[test]
fn what_is_no_tunnel_of_ours_goes_on_as_it_is() {
    let mut bench = Bench::new();
    let ipip = tunnels().next().unwrap();
    let bytes = inner(false).build();
    let good = wrapped(&bytes, &ipip);
    let with = |at: usize, byte: u8| {
        let mut frame = good.clone();
        frame[at] = byte;
        frame
    };
    bench.passes_as_it_is("no tunnel", bytes.clone());
    bench.passes_as_it_is("another station's", with(5, 9));
    bench.passes_as_it_is("a group's", with(0, 3));
    bench.passes_as_it_is("another EtherType", with(13, 1));
    bench.passes_as_it_is("another address", with(33, 12));
    bench.passes_as_it_is("a first fragment", with(20, 0x20));
    bench.passes_as_it_is("a later fragment", with(21, 1));
    bench.passes_as_it_is("another protocol", with(23, 50));
    bench.passes_as_it_is("an outer header that is too short", with(14, 0x44));
    bench.passes_as_it_is("an inner packet of the other version", with(34, 0x65));
    let other = Tunnel { kind: TunnelKind::Gue { port: Port(6081), variant: GueVariant::One }, ..ipip };
    bench.passes_as_it_is("another port", wrapped(&bytes, &other));
    let kinds: Vec<Tunnel> = tunnels().collect();
    for (what, kind, at, byte) in [
        ("GRE with a key", 2, 34, 0x20),
        ("GRE of version 1", 2, 35, 1),
        ("GRE around something else", 2, 37, 6),
        ("GUE with options", 4, 42, 1),
        ("GUE control", 4, 42, 0x20),
        ("GUE with flags", 4, 45, 1),
        ("GUE around something else", 4, 43, 6),
        ("GUE of another variant", 6, 42, 0x80),
    ] {
        let mut frame = wrapped(&bytes, &kinds[kind]);
        frame[at] = byte;
        bench.passes_as_it_is(what, frame);
    }
    assert_eq!(bench.0.counts(), Decapsulated::default());
}

#[test]
fn options_of_the_outer_header_are_taken_off_too() {
    let bytes = inner(false).build();
    let out = wrapped(&bytes, &tunnels().next().unwrap());
    let mut frame = [&out[..34], &[1; 8], &out[34..]].concat();
    frame[14] = 0x47;
    assert_eq!(Bench::new().run(&frame), Verdict::Passed(bytes));
}

/// Wherever a frame is cut, it is passed on as it is, or opened because both IP headers are whole.
#[test]
fn frames_cut_anywhere_do_no_harm() {
    let mut bench = Bench::new();
    for tunnel in tunnels() {
        let out = wrapped(&inner(true).build(), &tunnel);
        let whole = NETWORK + usize::from(tunnel.overhead()) + 40;
        for length in NETWORK..out.len() {
            let passed = matches!(bench.run(&out[..length]), Verdict::Passed(frame) if frame.len() == length);
            assert_eq!(passed, length < whole, "{length} bytes of {tunnel:?}");
        }
    }
}

#[test]
fn an_interface_is_opened_and_left_as_it_was() {
    in_namespace(|| {
        veth("near", "far");
        let setup = |interface: &str| DecapsulationSetup {
            interface: interface.into(),
            addresses: LOCAL.map(address).to_vec(),
            gue_port: PORT,
            xdp: XdpPreference::Generic,
        };
        let missing = Decapsulation::start(&setup("nowhere")).unwrap_err();
        assert!(matches!(missing, DecapsulationError::Interface { .. }), "{missing}");
        let not_ethernet = Decapsulation::start(&setup("lo")).unwrap_err();
        assert!(not_ethernet.to_string().contains("no Ethernet"), "{not_ethernet}");

        let (near, far) = (Tap::open("near"), Tap::open("far"));
        let decapsulation = Decapsulation::start(&setup("near")).unwrap();
        assert_eq!(decapsulation.attachment(), XdpAttachment::Generic);
        let second = Decapsulation::start(&setup("near")).unwrap_err();
        assert!(second.to_string().contains("another XDP program"), "{second}");

        let bytes = inner(true).build();
        let out = wrapped(&bytes, &tunnels().next().unwrap());
        far.send(&out);
        let deadline = std::time::Duration::from_secs(5);
        assert_eq!(near.receive(deadline), Some(bytes));
        assert_eq!(decapsulation.counts(), Decapsulated { opened: 1, dropped: 0 });
        drop(decapsulation);
        far.send(&out);
        assert_eq!(near.receive(deadline), Some(out));
    });
}
