//! Router mode: destination NAT forward, source NAT back, TTL, MACs.

use super::*;

fn rig() -> Rig {
    Rig::new(snapshot(&[11], &[21]))
}

/// Rows that hold for IPv4 and IPv6 alike.
fn both_families(run: impl Fn(&mut Rig, bool)) {
    for v6 in [false, true] {
        run(&mut rig(), v6);
    }
}

fn vip_frame(v6: bool) -> Build {
    to_vip(Mode::Router, v6)
}

fn reply_frame(v6: bool) -> Build {
    from_vip(Mode::Router, v6)
}

#[test]
fn a_tcp_connection_is_translated_both_ways() {
    both_families(|rig, v6| {
        for (sentence, flags, payload) in [
            ("SYN", SYN, &b""[..]),
            ("ACK", ACK, b""),
            ("data of odd length", ACK, b"abc"),
            ("FIN", FIN_ACK, b""),
        ] {
            let input = vip_frame(v6).tcp(40000, 80, flags).payload(payload).build();
            let output = to_backend(11, v6).tcp(40000, 8080, flags).payload(payload).ttl(63).build();
            check(rig, sentence, ETH0, &input, &Expect::Sends(ETH1, output));
            let input = from_backend(11, v6).tcp(8080, 40000, flags | ACK).payload(payload).build();
            let output = reply_frame(v6).tcp(80, 40000, flags | ACK).payload(payload).ttl(63).build();
            check(rig, sentence, ETH1, &input, &Expect::Sends(ETH0, output));
        }
    });
}

#[test]
fn a_udp_exchange_is_translated_both_ways() {
    both_families(|rig, v6| {
        let input = vip_frame(v6).udp(5000, 53).build();
        let output = to_backend(11, v6).udp(5000, 5353).ttl(63).build();
        check(rig, "question", ETH0, &input, &Expect::Sends(ETH1, output));
        let input = from_backend(11, v6).udp(5353, 5000).build();
        let output = reply_frame(v6).udp(53, 5000).ttl(63).build();
        check(rig, "answer", ETH1, &input, &Expect::Sends(ETH0, output));
    });
}

#[test]
fn a_udp_checksum_of_zero_stays_zero() {
    let mut rig = rig();
    let input = vip_frame(false).udp_without_checksum(5000, 53).build();
    let output = to_backend(11, false).udp_without_checksum(5000, 5353).ttl(63).build();
    check(&mut rig, "no checksum", ETH0, &input, &Expect::Sends(ETH1, output));
}

#[test]
fn every_checksum_comes_out_right_whatever_the_payload_sums_to() {
    // Among 65 536 payloads are those whose sum, old or new, is 0x0000 or 0xffff.
    both_families(|rig, v6| {
        for word in (0..=u16::MAX).step_by(if v6 { 37 } else { 7 }).chain([0xfffe, 0xffff]) {
            let payload = word.to_be_bytes();
            let input = vip_frame(v6).udp(5000, 53).payload(&payload).build();
            let output = to_backend(11, v6).udp(5000, 5353).payload(&payload).ttl(63).build();
            check(rig, "a payload", ETH0, &input, &Expect::Sends(ETH1, output));
        }
    });
}

#[test]
fn a_damaged_transport_checksum_stays_damaged() {
    both_families(|rig, v6| {
        let mut input = vip_frame(v6).udp(5000, 53).build();
        let mut output = to_backend(11, v6).udp(5000, 5353).ttl(63).build();
        let last = input.len() - 1;
        input[last] ^= 0x55;
        output[last] ^= 0x55;
        check(rig, "damaged payload", ETH0, &input, &Expect::Sends(ETH1, output));
    });
}

#[test]
fn the_ttl_ends_at_one() {
    both_families(|rig, v6| {
        for (sentence, ttl) in [("TTL 1", 1), ("TTL 0", 0)] {
            let input = vip_frame(v6).tcp(40001, 80, SYN).ttl(ttl).build();
            check(rig, sentence, ETH0, &input, &time_exceeded(Mode::Router, v6, &input));
        }
        let input = vip_frame(v6).tcp(40001, 80, SYN).ttl(2).build();
        let output = to_backend(11, v6).tcp(40001, 8080, SYN).ttl(1).build();
        check(rig, "TTL 2", ETH0, &input, &Expect::Sends(ETH1, output));
        let input = from_backend(11, v6).tcp(8080, 40001, SYN_ACK).ttl(1).build();
        check(rig, "TTL 1 on the return path", ETH1, &input, &Expect::Drops(DropReason::TtlExceeded));
    });
}

#[test]
fn ipv4_options_are_kept() {
    let mut rig = rig();
    let options = [7, 7, 4, 0, 0, 0, 0, 0];
    let input = vip_frame(false).tcp(40000, 80, SYN).options(&options).build();
    let output = to_backend(11, false).tcp(40000, 8080, SYN).options(&options).ttl(63).build();
    check(&mut rig, "record route", ETH0, &input, &Expect::Sends(ETH1, output));
}

#[test]
fn ipv6_extension_headers_are_kept() {
    let mut rig = rig();
    let options = [0, 0, 1, 4, 0, 0, 0, 0];
    let build = |b: Build| b.extensions(60, &options, 0).build();
    let input = build(vip_frame(true).tcp(40000, 80, SYN));
    let output = build(to_backend(11, true).tcp(40000, 8080, SYN).ttl(63));
    check(&mut rig, "destination options", ETH0, &input, &Expect::Sends(ETH1, output));
}

#[test]
fn ethernet_padding_is_carried_and_not_summed() {
    let mut rig = rig();
    let pad = |b: Build| [b.payload(b"").build(), vec![0xee; 6]].concat();
    let input = pad(vip_frame(false).tcp(40000, 80, SYN));
    let output = pad(to_backend(11, false).tcp(40000, 8080, SYN).ttl(63));
    check(&mut rig, "padding", ETH0, &input, &Expect::Sends(ETH1, output));
}

#[test]
fn what_belongs_to_no_service_or_flow_is_dropped_by_name() {
    both_families(|rig, v6| {
        let rows = [
            ("an unknown TCP port", vip_frame(v6).tcp(40000, 81, SYN), DropReason::UnknownPort),
            ("an unknown UDP port", vip_frame(v6).udp(40000, 80), DropReason::UnknownPort),
            ("an ACK of an unknown connection", vip_frame(v6).tcp(40000, 80, ACK), DropReason::NoFlow),
            ("a RST of an unknown connection", vip_frame(v6).tcp(40000, 80, RST), DropReason::NoFlow),
            ("a SYN-ACK to a VIP", vip_frame(v6).tcp(40000, 80, SYN_ACK), DropReason::NoFlow),
            ("somebody else's address", to_backend(99, v6).tcp(40000, 80, SYN), DropReason::NotOurs),
        ];
        for (sentence, input, reason) in rows {
            check(rig, sentence, ETH0, &input.build(), &Expect::Drops(reason));
        }
    });
}

#[test]
fn what_a_backend_sends_without_a_flow_is_routed_as_it_is() {
    both_families(|rig, v6| {
        let input = from_backend(11, v6).tcp(8080, 41000, SYN_ACK).build();
        let output =
            frame((BOX0, &backend(11, v6)), (CLIENT, client(v6))).tcp(8080, 41000, SYN_ACK).ttl(63).build();
        check(rig, "an answer to a direct connection", ETH1, &input, &Expect::Sends(ETH0, output));
        let input = from_backend(11, v6).tcp(8080, 41000, SYN_ACK).ttl(1).build();
        check(rig, "with TTL 1", ETH1, &input, &Expect::Drops(DropReason::TtlExceeded));
    });
}

#[test]
fn a_service_without_backends_says_so() {
    for v6 in [false, true] {
        let mut rig = Rig::new(snapshot(&[], &[]));
        for mode in [Mode::Router, Mode::Dsr] {
            let input = to_vip(mode, v6).tcp(40000, 80, SYN).build();
            check(&mut rig, "no backend", ETH0, &input, &Expect::Drops(DropReason::NoBackend));
        }
    }
}

#[test]
fn an_unknown_neighbour_is_waited_and_asked_for() {
    let mut snapshot = snapshot(&[11], &[21]);
    for backend in snapshot.backends.iter_mut().flatten() {
        backend.next_hop = None;
    }
    let mut rig = Rig::new(snapshot);
    let input = vip_frame(false).tcp(40000, 80, SYN).build();
    check(&mut rig, "no MAC yet", ETH0, &input, &Expect::Holds);
    let address = "10.0.1.11".parse().unwrap();
    match rig.punts.receive() {
        Some(crate::Punt::NeighbourMissing { interface, address: asked }) => {
            assert_eq!((interface, asked), (ETH1, address));
        }
        other => panic!("management was told {other:?}"),
    }
}

#[test]
fn a_client_without_a_route_cannot_be_answered() {
    let mut rig = rig();
    let far = frame((CLIENT, "192.0.2.9"), (BOX0, vip(Mode::Router, false)));
    rig.receive(ETH0, &[far.tcp(40000, 80, SYN).build()]);
    let reply = frame((backend_mac(11), "10.0.1.11"), (BOX1, "192.0.2.9")).tcp(8080, 40000, SYN_ACK).build();
    check(&mut rig, "no route", ETH1, &reply, &Expect::Drops(DropReason::NoRoute));
}

#[test]
fn a_packet_longer_than_the_mtu_ahead_is_dropped() {
    let mut snapshot = snapshot(&[11], &[21]);
    snapshot.interfaces[1].mtu = 1400;
    let mut rig = Rig::new(snapshot);
    let of = |length: usize| vip_frame(false).tcp(40000, 80, SYN).payload(&vec![1; length - 40]);
    let long = of(1401).build();
    check(&mut rig, "1401 bytes", ETH0, &long, &too_big(Mode::Router, false, 1400, &long));
    let output = to_backend(11, false).tcp(40000, 8080, SYN).payload(&[1; 1360]).ttl(63).build();
    check(&mut rig, "1400 bytes", ETH0, &of(1400).build(), &Expect::Sends(ETH1, output));
}
