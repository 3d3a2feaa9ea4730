//! Adverts as real routers have sent them, from the wire: Keepalived 2.2.7 and FRR 8.4.4 of Debian 12, each with VRID
//! 51 and priority 150.

use std::net::IpAddr;
use std::time::Duration;

use mgmt::vrrp::advert::{Advert, Coverage};
use mgmt::vrrp::packet::Packet;
use mgmt::vrrp::{Priority, Version, Vrid};

/// What one is to be read as.
struct Capture {
    from: &'static str,
    frame: &'static str,
    source: &'static str,
    version: Version,
    milliseconds: u64,
    coverage: Coverage,
    addresses: &'static [&'static str],
}

const CAPTURES: [Capture; 6] = [
    Capture {
        from: "Keepalived, version 2 with a password",
        frame: "01005e000012 020000000005 0800 45c0002c00010000ff70d089 0a000005 e0000012 \
                21339602 0101c581 0a000064 0a000065 7365637265743132",
        source: "10.0.0.5",
        version: Version::V2,
        milliseconds: 1000,
        coverage: Coverage::Message,
        addresses: &["10.0.0.100", "10.0.0.101"],
    },
    Capture {
        from: "Keepalived, version 3",
        frame: "01005e000012 020000000005 0800 45c0002000010000ff70d095 0a000005 e0000012 \
                31339601 000a43c9 0a000064",
        source: "10.0.0.5",
        version: Version::V3,
        milliseconds: 100,
        coverage: Coverage::PseudoHeader,
        addresses: &["10.0.0.100"],
    },
    Capture {
        from: "Keepalived, version 3 over IPv6",
        frame: "333300000012 020000000005 86dd 6c0ea195002870ff fe8000000000000000 0000fffe000005 \
                ff020000000000000000000000000012 31339602 000a3e0b \
                fe800000000000000000000000000100 fd000000000000000000000000000100",
        source: "fe80::ff:fe00:5",
        version: Version::V3,
        milliseconds: 100,
        coverage: Coverage::PseudoHeader,
        addresses: &["fe80::100", "fd00::100"],
    },
    Capture {
        from: "Keepalived, version 3, from its virtual MAC",
        frame: "01005e000012 00005e000133 0800 45c0002000010000ff70d095 0a000005 e0000012 \
                31339601 0064436f 0a000064",
        source: "10.0.0.5",
        version: Version::V3,
        milliseconds: 1000,
        coverage: Coverage::PseudoHeader,
        addresses: &["10.0.0.100"],
    },
    Capture {
        from: "FRR, version 3",
        frame: "01005e000012 00005e000133 0800 45c00020f9824000ff709713 0a000005 e0000012 \
                31339601 000a43c9 0a000064",
        source: "10.0.0.5",
        version: Version::V3,
        milliseconds: 100,
        coverage: Coverage::PseudoHeader,
        addresses: &["10.0.0.100"],
    },
    Capture {
        from: "FRR, version 3 over IPv6",
        frame: "333300000012 00005e000233 86dd 6c02f0fc001870ff fe80000000000000 02005efffe000233 \
                ff020000000000000000000000000012 31339601 000adb6e fd000000000000000000000000000100",
        source: "fe80::200:5eff:fe00:233",
        version: Version::V3,
        milliseconds: 100,
        coverage: Coverage::PseudoHeader,
        addresses: &["fd00::100"],
    },
];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}

#[test]
fn adverts_of_other_routers_are_read_as_they_are_meant() {
    for capture in &CAPTURES {
        let frame = bytes(capture.frame);
        let packet = Packet::of_frame(&frame).expect(capture.from);
        let advert = Advert::new_checked(packet.message, packet.endpoints, packet.hop_limit);
        let advert = advert.unwrap_or_else(|why| panic!("{}: {why}", capture.from));
        assert_eq!(packet.endpoints.source(), capture.source.parse::<IpAddr>().unwrap(), "{}", capture.from);
        assert_eq!(
            (Some(advert.vrid()), advert.priority()),
            (Vrid::new(51), Priority(150)),
            "{}",
            capture.from
        );
        let interval = advert.interval();
        let expected = (capture.version, Duration::from_millis(capture.milliseconds));
        assert_eq!((interval.version(), interval.duration()), expected, "{}", capture.from);
        assert_eq!(advert.coverage(), capture.coverage, "{}", capture.from);
        let addresses: Vec<_> = advert.addresses().map(|address| address.to_string()).collect();
        assert_eq!(addresses, capture.addresses, "{}", capture.from);
    }
}

#[test]
fn and_with_any_bit_of_the_message_turned_they_are_refused() {
    for capture in &CAPTURES {
        let good = bytes(capture.frame);
        let length = Packet::of_frame(&good).expect(capture.from).message.len();
        // The authentication of version 2 is part of what the checksum is over.
        for bit in 0..length * 8 {
            let mut frame = good.clone();
            let at = frame.len() - length + bit / 8;
            frame[at] ^= 1 << (bit % 8);
            let packet = Packet::of_frame(&frame).expect("its IP header is as it was");
            let advert = Advert::new_checked(packet.message, packet.endpoints, packet.hop_limit);
            assert!(advert.is_err(), "{}: bit {bit}", capture.from);
        }
    }
}
