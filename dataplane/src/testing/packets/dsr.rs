//! DSR: the MAC addresses change and nothing else does.

use super::*;

fn rig() -> Rig {
    Rig::new(snapshot(&[11], &[21]))
}

/// The same packet with the MACs of the second hop.
fn forwarded(mut frame: Vec<u8>, last: u8) -> Vec<u8> {
    frame[..6].copy_from_slice(&backend_mac(last).0);
    frame[6..12].copy_from_slice(&BOX1.0);
    frame
}

#[test]
fn only_the_mac_addresses_change() {
    for v6 in [false, true] {
        let mut rig = rig();
        let vip = || to_vip(Mode::Dsr, v6);
        let rows = [
            ("SYN", vip().tcp(40000, 80, SYN)),
            ("data", vip().tcp(40000, 80, ACK).payload(b"GET / HTTP/1.0\r\n\r\n")),
            ("FIN", vip().tcp(40000, 80, FIN_ACK)),
            ("UDP", vip().udp(5000, 53)),
            ("UDP without a checksum", vip().udp_without_checksum(5001, 53)),
            ("TTL 1: the backend is the destination, the box no hop", vip().udp(5002, 53).ttl(1)),
        ];
        for (sentence, input) in rows {
            let input = input.build();
            check(&mut rig, sentence, ETH0, &input, &Expect::Sends(ETH1, forwarded(input.clone(), 21)));
        }
    }
}

#[test]
fn options_and_extension_headers_are_kept() {
    let mut rig = rig();
    let rows = [
        to_vip(Mode::Dsr, false).tcp(40000, 80, SYN).options(&[1, 1, 1, 1]),
        to_vip(Mode::Dsr, true).tcp(40000, 80, SYN).extensions(0, &[0, 0, 1, 4, 0, 0, 0, 0], 0),
    ];
    for input in rows {
        let input = input.build();
        check(&mut rig, "options", ETH0, &input, &Expect::Sends(ETH1, forwarded(input.clone(), 21)));
    }
}

#[test]
fn a_damaged_transport_checksum_passes_untouched() {
    let mut rig = rig();
    let mut input = to_vip(Mode::Dsr, false).tcp(40000, 80, SYN).build();
    *input.last_mut().unwrap() ^= 1;
    check(&mut rig, "damaged", ETH0, &input, &Expect::Sends(ETH1, forwarded(input.clone(), 21)));
}

#[test]
fn a_stray_segment_finds_its_backend_by_the_hash() {
    let mut first = Rig::new(snapshot(&[], &[21, 22, 23]));
    let mut second = Rig::new(snapshot(&[], &[23, 22, 21]));
    for port in 40000..40064 {
        let syn = to_vip(Mode::Dsr, false).tcp(port, 80, SYN).build();
        let stray = to_vip(Mode::Dsr, false).tcp(port, 80, ACK).build();
        let chosen = first.receive(ETH0, &[syn]).remove(0).1[..6].to_vec();
        let found = second.receive(ETH0, &[stray]).remove(0).1[..6].to_vec();
        assert_eq!(chosen, found, "port {port}");
    }
    let reset = to_vip(Mode::Dsr, false).tcp(41000, 80, RST).build();
    check(&mut first, "a RST begins no flow", ETH0, &reset, &Expect::Drops(DropReason::NoFlow));
}

#[test]
fn a_backend_behind_a_router_gets_nothing() {
    use crate::snapshot::{Fib, NextHop, Route};
    for v6 in [false, true] {
        let mut snapshot = snapshot(&[], &[21]);
        let (prefix, gateway) = if v6 { ("::", "fd00::fe") } else { ("0.0.0.0", "10.0.0.254") };
        let (prefix, gateway) = (prefix.parse().unwrap(), gateway.parse().unwrap());
        let route = Route::single(prefix, 0, Some(ETH0), Some(gateway));
        snapshot.fib = std::sync::Arc::new(Fib::new(
            [route],
            [(ETH0, gateway, NextHop { interface: ETH0, mac: CLIENT })],
        ));
        snapshot.backends.iter_mut().flatten().for_each(|backend| backend.next_hop = None);
        let input = to_vip(Mode::Dsr, v6).tcp(40000, 80, SYN).build();
        check(
            &mut Rig::new(snapshot),
            "behind a router",
            ETH0,
            &input,
            &Expect::Drops(DropReason::NotOnLink),
        );
    }
}

#[test]
fn unknown_ports_and_long_packets_are_dropped_by_name() {
    for v6 in [false, true] {
        let mut rig = rig();
        let input = to_vip(Mode::Dsr, v6).tcp(40000, 81, SYN).build();
        check(&mut rig, "unknown port", ETH0, &input, &Expect::Drops(DropReason::UnknownPort));
        let input = to_vip(Mode::Dsr, v6).udp(5000, 53).payload(&[0; 1480]).build();
        check(&mut rig, "over the MTU", ETH0, &input, &too_big(Mode::Dsr, v6, 1500, &input));
    }
}
