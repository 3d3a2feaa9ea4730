//! Conditions for a packet that answers the packet whose frame it reuses.

use std::net::IpAddr;

/// Swaps the MAC addresses. `None` without a change: one of them is a group address, or the frame is cut.
pub fn turn_around(frame: &mut [u8]) -> Option<()> {
    let addresses = frame.first_chunk_mut::<12>()?;
    let (destination, source) = addresses.split_at_mut(6);
    // The group bit: multicast or broadcast.
    if (destination.first()? | source.first()?) & 1 == 1 {
        return None;
    }
    destination.swap_with_slice(source);
    Some(())
}

/// Whether an address may be that of one host: errors and resets answer no other
/// (RFC 1122 sections 3.2.2 and 4.2.3.10, RFC 4443 section 2.4 (e)).
pub fn is_host(address: IpAddr) -> bool {
    match address {
        // Networks 0 and 127, then multicast and class E with the limited broadcast.
        IpAddr::V4(v4) => !matches!(v4.octets(), [0 | 127 | 224.., ..]),
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_loopback() && !v6.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_goes_back_to_one_station_only() {
        let mut frame = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8];
        assert_eq!(turn_around(&mut frame), Some(()));
        assert_eq!(frame, [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8]);
        for at in [0, 6] {
            let mut group = frame;
            group[at] |= 1;
            assert_eq!(turn_around(&mut group), None);
        }
        assert_eq!(turn_around(&mut frame[..11]), None);
    }

    #[test]
    fn hosts_are_told_from_groups_and_nobody() {
        for host in ["10.0.0.1", "223.255.255.255", "2001:db8::1", "fe80::1"] {
            assert!(is_host(host.parse().unwrap()), "{host}");
        }
        for other in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "ff02::1",
        ] {
            assert!(!is_host(other.parse().unwrap()), "{other}");
        }
    }
}
