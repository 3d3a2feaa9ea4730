use super::*;

const MTUS: Mtus = Mtus { ipv4: 1500, ipv6: 1500 };

fn in_ipv6(kind: u8, code: u8, rest: [u8; 4]) -> Option<(u8, u8, [u8; 4])> {
    of_ipv4(kind, code, rest, 1500, MTUS)
}

fn of_ipv4(kind: u8, code: u8, rest: [u8; 4], total: u16, mtus: Mtus) -> Option<(u8, u8, [u8; 4])> {
    let message = [[kind, code, 0, 0], rest].concat();
    let meaning = to_ipv6(&Icmp::new_checked(&message).unwrap(), total, mtus)?;
    Some((meaning.kind, meaning.code, meaning.rest))
}

fn in_ipv4(kind: u8, code: u8, rest: [u8; 4]) -> Option<(u8, u8, [u8; 4])> {
    of_ipv6(kind, code, rest, false, MTUS)
}

fn of_ipv6(kind: u8, code: u8, rest: [u8; 4], fragment: bool, mtus: Mtus) -> Option<(u8, u8, [u8; 4])> {
    let message = [[kind, code, 0, 0], rest].concat();
    let meaning = to_ipv4(&Icmp::new_checked(&message).unwrap(), fragment, mtus)?;
    Some((meaning.kind, meaning.code, meaning.rest))
}

#[test]
fn section_4_2_error_by_error() {
    for code in 0..=255 {
        let unreachable = match code {
            0 | 1 | 5 | 6 | 7 | 8 | 11 | 12 => Some((1, 0, [0; 4])),
            2 => Some((4, 1, [0, 0, 0, 6])),
            3 => Some((1, 4, [0; 4])),
            4 => Some((2, 0, [0, 0, 0x05, 0x64])),
            9 | 10 | 13 | 15 => Some((1, 1, [0; 4])),
            _ => None,
        };
        // The second byte is a length (RFC 4884), the last two an MTU of 1360.
        assert_eq!(in_ipv6(3, code, [0, 33, 0x05, 0x50]), unreachable, "unreachable, code {code}");
        assert_eq!(in_ipv6(11, code, [0, 33, 0, 0]), Some((3, code, [0; 4])), "time exceeded, code {code}");
        let parameter = matches!(code, 0 | 2).then_some((4, 0, [0, 0, 0, 7]));
        assert_eq!(in_ipv6(12, code, [8, 33, 0, 0]), parameter, "parameter problem, code {code}");
        for kind in [4, 5, 6, 9, 10, 13, 14, 15, 16, 17, 18] {
            assert_eq!(in_ipv6(kind, code, [0; 4]), None, "type {kind}");
        }
    }
}

#[test]
fn section_5_2_error_by_error() {
    for code in 0..=255 {
        let unreachable = match code {
            0 | 2 | 3 => Some((3, 1, [0; 4])),
            1 => Some((3, 10, [0; 4])),
            4 => Some((3, 3, [0; 4])),
            _ => None,
        };
        assert_eq!(in_ipv4(1, code, [17, 0, 0, 0]), unreachable, "unreachable, code {code}");
        assert_eq!(in_ipv4(2, code, [0, 0, 0x05, 0x64]), Some((3, 4, [0, 0, 0x05, 0x50])), "too big");
        assert_eq!(in_ipv4(3, code, [17, 0, 0, 0]), Some((11, code, [0; 4])), "time exceeded, code {code}");
        let parameter = match code {
            0 => Some((12, 0, [8, 0, 0, 0])),
            1 => Some((3, 2, [0; 4])),
            _ => None,
        };
        assert_eq!(in_ipv4(4, code, [0, 0, 0, 7]), parameter, "parameter problem, code {code}");
        for kind in [0, 5, 100, 127, 128, 129, 130, 135, 137, 255] {
            assert_eq!(in_ipv4(kind, code, [0; 4]), None, "type {kind}");
        }
    }
}

#[test]
fn pointers_of_figure_3() {
    let pointer = |at| in_ipv6(12, 0, [at, 0, 0, 0]).map(|(_, _, [.., last])| last);
    let expected = [
        Some(0),
        Some(1),
        Some(4),
        Some(4),
        None,
        None,
        None,
        None,
        Some(7),
        Some(6),
        None,
        None,
        Some(8),
        Some(8),
        Some(8),
        Some(8),
        Some(24),
        Some(24),
        Some(24),
        Some(24),
        None,
    ];
    assert_eq!(std::array::from_fn::<_, 21, _>(|at| pointer(u8::try_from(at).unwrap())), expected);
    assert_eq!(pointer(255), None);
}

#[test]
fn pointers_of_figure_6() {
    let pointer = |at: u32| in_ipv4(4, 0, at.to_be_bytes()).map(|(_, _, [first, ..])| first);
    assert_eq!(
        [0, 1, 2, 3, 4, 5, 6, 7].map(pointer),
        [Some(0), Some(1), None, None, Some(2), Some(2), Some(9), Some(8),]
    );
    assert!((8..24).all(|at| pointer(at) == Some(12)) && (24..40).all(|at| pointer(at) == Some(16)));
    assert_eq!([40, 256, u32::MAX].map(pointer), [None; 3]);
}

#[test]
fn an_mtu_towards_ipv6_is_larger_by_the_headers_difference_and_never_below_its_least() {
    let mtu = |told: u16, total, ipv4, ipv6| {
        let [high, low] = told.to_be_bytes();
        let (_, _, rest) = of_ipv4(3, 4, [0, 0, high, low], total, Mtus { ipv4, ipv6 }).unwrap();
        u32::from_be_bytes(rest)
    };
    assert_eq!(mtu(1400, 1500, 1500, 1500), 1420);
    assert_eq!(mtu(1259, 1500, 1500, 1500), 1280);
    assert_eq!(mtu(576, 1500, 1500, 1500), 1280);
    assert_eq!(mtu(1500, 1500, 9000, 1480), 1480, "the way to the client is narrower");
    assert_eq!(mtu(9000, 9000, 1400, 9000), 1420, "the box's own way is narrower");
    assert_eq!(mtu(u16::MAX, 1500, u16::MAX, u16::MAX), 65_535);
    // Without an MTU: the plateau below the length of what was too long.
    assert_eq!(mtu(0, 1500, 9000, 9000), 1512);
    assert_eq!(mtu(0, 1492, 9000, 9000), 1280);
    assert_eq!(mtu(0, 4352, 9000, 9000), 2022);
    assert_eq!(mtu(0, 9000, 9000, 9000), 8186);
}

#[test]
fn an_mtu_towards_ipv4_is_smaller_by_the_headers_difference() {
    let mtu = |told: u32, fragment, ipv4, ipv6| {
        let (_, _, [.., high, low]) =
            of_ipv6(2, 0, told.to_be_bytes(), fragment, Mtus { ipv4, ipv6 }).unwrap();
        u16::from_be_bytes([high, low])
    };
    assert_eq!(mtu(1400, false, 1500, 1500), 1380);
    assert_eq!(mtu(1400, true, 1500, 1500), 1372, "the quoted packet has a fragment header, too");
    assert_eq!(mtu(1280, false, 1500, 1500), 1260);
    assert_eq!(mtu(0, false, 1500, 1500), 1260, "less than IPv6 has");
    assert_eq!(mtu(9000, false, 1500, 9000), 1500, "the way to the client is narrower");
    assert_eq!(mtu(9000, false, 9000, 1500), 1480, "the box's own way is narrower");
    assert_eq!(mtu(u32::MAX, false, u16::MAX, u16::MAX), u16::MAX - 20);
}
