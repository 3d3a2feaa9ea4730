use proptest::prelude::*;

use super::*;
use crate::vrrp::timing::AdvertInterval;
use std::time::Duration;

const PEER4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const VIP4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
const MULTICAST4: Endpoints = Endpoints::V4 { source: PEER4, destination: GROUP4 };
const PEER6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const MULTICAST6: Endpoints = Endpoints::V6 { source: PEER6, destination: GROUP6 };

/// As Keepalived sends them from 10.0.0.2: VRID 51, priority 200, 10.0.0.100. Checksums summed by hand.
#[rustfmt::skip]
const V2: [u8; 20] = [
    0x21, 51, 200, 1,  0, 1,  0x0c, 0x66,  10, 0, 0, 100,  0, 0, 0, 0, 0, 0, 0, 0,
];
/// 1 s. Over the pseudo-header 0a00 0002 e000 0012 0070 000c as well.
#[rustfmt::skip]
const V3: [u8; 12] = [
    0x31, 51, 200, 1,  0, 100,  0x11, 0x72,  10, 0, 0, 100,
];

fn interval(version: Version, milliseconds: u64) -> AdvertInterval {
    AdvertInterval::new(version, Duration::from_millis(milliseconds)).unwrap()
}

fn vrid() -> Vrid {
    Vrid::new(51).unwrap()
}

fn outgoing(addresses: &Addresses, interval: AdvertInterval) -> Outgoing<'_> {
    let (coverage, password) = (Coverage::PseudoHeader, None);
    Outgoing { vrid: vrid(), priority: Priority(200), interval, addresses, coverage, password }
}

fn one(address: impl Into<IpAddr>) -> Addresses {
    Addresses::new(&[address.into()]).unwrap()
}

fn parse(message: &[u8], endpoints: Endpoints) -> Result<Advert<'_>, Refusal> {
    Advert::new_checked(message, endpoints, HopLimit::UNROUTED)
}

/// The reason for the message with these bytes there, its checksum put right again.
fn refusal(good: &[u8], at: usize, bytes: &[u8]) -> Option<Refusal> {
    let mut message = good.to_vec();
    message[at..at + bytes.len()].copy_from_slice(bytes);
    message[6..8].fill(0);
    let sum = frame::checksum(&[&message]);
    message[6..8].copy_from_slice(&sum.to_be_bytes());
    parse(&message, MULTICAST4).err()
}

#[test]
fn known_packets_are_read_and_made_byte_for_byte() {
    let addresses = one(VIP4);
    for (bytes, version, coverage) in
        [(&V2[..], Version::V2, Coverage::Message), (&V3, Version::V3, Coverage::PseudoHeader)]
    {
        let advert = parse(bytes, MULTICAST4).unwrap();
        assert_eq!((advert.vrid(), advert.priority()), (vrid(), Priority(200)));
        assert_eq!((advert.interval(), advert.coverage()), (interval(version, 1000), coverage));
        assert_eq!(advert.addresses().collect::<Vec<_>>(), [IpAddr::from(VIP4)]);
        assert_eq!(outgoing(&addresses, interval(version, 1000)).emit(MULTICAST4).unwrap(), bytes);
    }
}

#[test]
fn version_3_over_ipv4_is_read_with_and_without_pseudo_header() {
    let addresses = one(VIP4);
    for coverage in [Coverage::PseudoHeader, Coverage::Message] {
        let outgoing = Outgoing { coverage, ..outgoing(&addresses, interval(Version::V3, 100)) };
        let message = outgoing.emit(MULTICAST4).unwrap();
        assert_eq!(parse(&message, MULTICAST4).unwrap().coverage(), coverage);
    }
}

#[test]
fn version_3_over_ipv6_is_with_pseudo_header_alone() {
    let addresses = one(PEER6);
    let message = outgoing(&addresses, interval(Version::V3, 100)).emit(MULTICAST6).unwrap();
    assert_eq!(parse(&message, MULTICAST6).unwrap().addresses().collect::<Vec<_>>(), [IpAddr::from(PEER6)]);
    let mut alone = message;
    alone[6..8].fill(0);
    let sum = frame::checksum(&[&alone]);
    alone[6..8].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(parse(&alone, MULTICAST6).err(), Some(Refusal::Checksum));
}

#[test]
fn what_no_packet_can_say_is_not_made() {
    let (four, six) = (one(VIP4), one(PEER6));
    let (v2, v3) = (interval(Version::V2, 1000), interval(Version::V3, 1000));
    assert_eq!(outgoing(&six, v2).emit(MULTICAST6), Err(Unsendable::Version));
    assert_eq!(outgoing(&six, v3).emit(MULTICAST4), Err(Unsendable::Family));
    assert_eq!(outgoing(&four, v3).emit(MULTICAST6), Err(Unsendable::Family));
}

#[test]
fn each_wrong_form_has_its_own_reason() {
    let routed = Advert::new_checked(&V3, MULTICAST4, HopLimit(254));
    assert_eq!(routed.err(), Some(Refusal::HopLimit));
    for (good, end) in [(&V2[..], V2.len()), (&V3, V3.len())] {
        for length in 0..end {
            assert_eq!(parse(&good[..length], MULTICAST4).err(), Some(Refusal::Length), "{length}");
        }
        let longer = [good, &[0; 4]].concat();
        assert_eq!(parse(&longer, MULTICAST4).err(), Some(Refusal::Length));
    }
    assert_eq!(refusal(&V3, 0, &[0x41]), Some(Refusal::Version));
    assert_eq!(refusal(&V3, 0, &[0x11]), Some(Refusal::Version));
    assert_eq!(parse(&V2, MULTICAST6).err(), Some(Refusal::Version));
    assert_eq!(refusal(&V3, 0, &[0x32]), Some(Refusal::Type));
    assert_eq!(refusal(&V3, 3, &[2]), Some(Refusal::Length));
    assert_eq!(refusal(&V3[..8], 3, &[0]), Some(Refusal::NoAddresses));
    assert_eq!(refusal(&V3, 1, &[0]), Some(Refusal::Vrid));
    assert_eq!(refusal(&V3, 4, &[0, 0]), Some(Refusal::Interval));
    assert_eq!(refusal(&V2, 5, &[0]), Some(Refusal::Interval));
    assert_eq!(refusal(&V3, 4, &[0xf0, 1]), None);
}

fn expected(addresses: &Addresses, interval: AdvertInterval) -> Expected<'_> {
    let (own, peers, coverage) = ([10, 0, 0, 1].into(), &[][..], Coverage::PseudoHeader);
    Expected { vrid: vrid(), interval, addresses, password: None, own, peers, ttl: (0, 255), coverage }
}

#[test]
fn each_advert_that_is_not_ours_has_its_own_reason() {
    let addresses = one(VIP4);
    let expected = expected(&addresses, interval(Version::V3, 1000));
    let advert = parse(&V3, MULTICAST4).unwrap();
    let admitted = expected.admit(&advert).unwrap();
    assert_eq!(admitted.differences, Differences::default());
    let priority = Priority(200);
    assert_eq!(admitted.heard, Heard { source: PEER4.into(), priority, interval: expected.interval });

    let refused = |expected: Expected<'_>| expected.admit(&advert).err().map(Refusal::code);
    assert_eq!(refused(Expected { vrid: Vrid::new(52).unwrap(), ..expected }), Some("vrid"));
    assert_eq!(refused(Expected { own: PEER4.into(), ..expected }), Some("own"));
    let other_version = interval(Version::V2, 1000);
    assert_eq!(refused(Expected { interval: other_version, ..expected }), Some("version"));
    assert_eq!(refused(Expected { peers: &[PEER4.into()], ..expected }), Some("destination"));

    let own = Ipv4Addr::new(10, 0, 0, 1);
    let unicast = Endpoints::V4 { source: PEER4, destination: own };
    let message = outgoing(&addresses, expected.interval).emit(unicast).unwrap();
    let advert = parse(&message, unicast).unwrap();
    assert_eq!(expected.admit(&advert), Err(Refusal::Destination));
    let stranger = Expected { peers: &[VIP4.into()], ..expected };
    assert_eq!(stranger.admit(&advert), Err(Refusal::Peer));
    assert!(Expected { peers: &[PEER4.into()], ..expected }.admit(&advert).is_ok());
}

/// RFC 9568 sections 5.1.1.3 and 5.1.2.3 for adverts to all; of a configured peer whatever the operator takes.
#[test]
fn adverts_of_unicast_peers_may_have_passed_routers_and_those_to_all_may_not() {
    let (own4, own6) = (Ipv4Addr::new(10, 0, 0, 1), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));
    let far6 = Ipv6Addr::new(0xfd00, 0, 0, 1, 0, 0, 0, 2);
    let to_one = [
        (one(VIP4), Version::V2, Endpoints::V4 { source: PEER4, destination: own4 }),
        (one(VIP4), Version::V3, Endpoints::V4 { source: PEER4, destination: own4 }),
        (one(far6), Version::V3, Endpoints::V6 { source: far6, destination: own6 }),
    ];
    for (addresses, version, endpoints) in to_one {
        let interval = interval(version, 1000);
        let message = outgoing(&addresses, interval).emit(endpoints).unwrap();
        let peers = [endpoints.source()];
        let found = |ttl, hops| {
            let advert = Advert::new_checked(&message, endpoints, HopLimit(hops))?;
            Expected { peers: &peers, ttl, ..expected(&addresses, interval) }.admit(&advert).map(|_| ())
        };
        for hops in [0, 1, 64, 254, 255] {
            assert_eq!(found((0, 255), hops), Ok(()), "{version:?} {hops}");
        }
        assert_eq!([253, 254, 255].map(|hops| found((254, 255), hops).is_ok()), [false, true, true]);
        assert_eq!([63, 64, 65].map(|hops| found((1, 64), hops).is_ok()), [true, true, false]);
        assert_eq!(found((254, 255), 253), Err(Refusal::HopLimit));
        // Who is no peer stays none, however near it is.
        let stranger = Expected { peers: &[own4.into()], ..expected(&addresses, interval) };
        let near = Advert::new_checked(&message, endpoints, HopLimit(255)).unwrap();
        assert_eq!(stranger.admit(&near), Err(Refusal::Peer));
    }
    let multicast = [
        (one(VIP4), Version::V2, MULTICAST4),
        (one(VIP4), Version::V3, MULTICAST4),
        (one(PEER6), Version::V3, MULTICAST6),
    ];
    for (addresses, version, endpoints) in multicast {
        let message = outgoing(&addresses, interval(version, 1000)).emit(endpoints).unwrap();
        for hops in [0, 1, 64, 254] {
            let refused = Advert::new_checked(&message, endpoints, HopLimit(hops)).err();
            assert_eq!(refused, Some(Refusal::HopLimit), "{version:?} {hops}");
        }
    }
}

#[test]
fn what_peers_only_disagree_about_is_told_and_accepted() {
    let (addresses, others) = (one(VIP4), one(PEER4));
    let expected = expected(&others, interval(Version::V3, 100));
    let outgoing =
        Outgoing { coverage: Coverage::Message, ..outgoing(&addresses, interval(Version::V3, 1000)) };
    let message = outgoing.emit(MULTICAST4).unwrap();
    let admitted = expected.admit(&parse(&message, MULTICAST4).unwrap()).unwrap();
    let all = Differences { addresses: true, interval: true, checksum: true, not_link_local: false };
    assert_eq!(admitted.differences, all);
    assert_eq!(admitted.heard.interval, interval(Version::V3, 1000));
}

#[test]
fn the_order_of_addresses_means_nothing() {
    let (a, b) = (IpAddr::from(VIP4), IpAddr::from(PEER4));
    let there = Addresses::new(&[b, a]).unwrap();
    let here = Addresses::new(&[a, b]).unwrap();
    let message = outgoing(&there, interval(Version::V3, 1000)).emit(MULTICAST4).unwrap();
    let admitted = expected(&here, interval(Version::V3, 1000)).admit(&parse(&message, MULTICAST4).unwrap());
    assert!(!admitted.unwrap().differences.addresses);
}

#[test]
fn version_2_wants_its_interval_and_its_password() {
    let addresses = one(VIP4);
    let second = interval(Version::V2, 1000);
    let passwords = [None, Password::new("secret"), Password::new("other")];
    for (sent, wanted) in passwords.into_iter().flat_map(|sent| passwords.map(|wanted| (sent, wanted))) {
        let message = Outgoing { password: sent, ..outgoing(&addresses, second) }.emit(MULTICAST4).unwrap();
        let advert = parse(&message, MULTICAST4).unwrap();
        let expected = Expected { password: wanted, ..expected(&addresses, second) };
        let refusal = match (sent, wanted) {
            (None, Some(_)) | (Some(_), None) => Some(Refusal::AuthenticationType),
            (Some(sent), Some(wanted)) if sent != wanted => Some(Refusal::Password),
            _ => None,
        };
        assert_eq!(expected.admit(&advert).err(), refusal);
        let slower = Expected { interval: interval(Version::V2, 2000), ..expected };
        assert_eq!(slower.admit(&advert).err(), refusal.or(Some(Refusal::Interval)));
    }
    assert!(Password::new("12345678").is_some());
    assert!(Password::new("123456789").is_none() && Password::new("").is_none());
}

#[test]
fn counters_have_different_names() {
    let names: std::collections::HashSet<_> = Refusal::ALL.iter().map(|refusal| refusal.code()).collect();
    assert_eq!(names.len(), Refusal::ALL.len());
}

proptest! {
    #[test]
    fn what_is_made_is_read_and_a_changed_byte_is_found(
        number in 1_u8.., priority: u8, hundredths in 1_u16..=0xfff, v2: bool, v6: bool,
        addresses in proptest::collection::vec(any::<u128>(), 1..20), at: usize, by in 1_u8..,
    ) {
        let is_ipv6 = v6 && !v2;
        #[expect(clippy::cast_possible_truncation, reason = "any address will do")]
        let list = addresses.iter().map(|bits| {
            if is_ipv6 { Ipv6Addr::from(*bits).into() } else { Ipv4Addr::from(*bits as u32).into() }
        });
        let list: Vec<IpAddr> = list.collect();
        let interval = if v2 {
            interval(Version::V2, u64::from(hundredths % 255 + 1) * 1000)
        } else {
            interval(Version::V3, u64::from(hundredths) * 10)
        };
        let endpoints = if is_ipv6 { MULTICAST6 } else { MULTICAST4 };
        let addresses = Addresses::new(&list).unwrap();
        let vrid = Vrid::new(number).unwrap();
        let outgoing = Outgoing { vrid, priority: Priority(priority), ..outgoing(&addresses, interval) };
        let mut message = outgoing.emit(endpoints).unwrap();
        let advert = parse(&message, endpoints).unwrap();
        prop_assert_eq!((advert.vrid(), advert.priority()), (vrid, Priority(priority)));
        prop_assert_eq!(advert.interval(), interval);
        prop_assert_eq!(advert.addresses().collect::<Vec<_>>(), list);
        let at = at % message.len();
        message[at] ^= by;
        // A change may happen to be what the other way to count it needs.
        if let Ok(advert) = parse(&message, endpoints) {
            prop_assert!(!v2 && !is_ipv6 && advert.coverage() == Coverage::Message);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), v6: bool) {
        let _ = parse(&bytes, if v6 { MULTICAST6 } else { MULTICAST4 });
    }
}
