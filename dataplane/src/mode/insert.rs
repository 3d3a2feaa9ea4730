//! What one-arm mode tells a backend of its client, put into the client's own packets: a PROXY header
//! at the start of the stream, or the client's address as a TCP option.
//!
//! A packet grows at its front: the caller makes the frame longer there by what is put in, cuts the
//! Ethernet padding off its end, and hands over all behind the Ethernet header. MTU and sequence numbers
//! are the caller's as well.

use crate::wire::checksum::Delta;
use crate::wire::ipv4::Ipv4Mut;
use crate::wire::ipv6::Ipv6Mut;
use crate::wire::proxy::ProxyHeader;
use crate::wire::tcp::{self, Tcp};
use crate::wire::tcp_options::Toa;

/// Puts a PROXY header in front of what the segment carries. `space` has the header's length of free
/// bytes and then the IP packet, with its TCP header `transport` bytes from its start; afterwards the
/// packet begins with `space`. `None`, and nothing changed: it is shorter than that, or gets too long.
pub(crate) fn proxy_header(space: &mut [u8], transport: usize, header: &ProxyHeader) -> Option<()> {
    let gap = header.bytes().len();
    let segment = space.get(gap.checked_add(transport)?..)?;
    let at = Tcp::new_checked(segment).ok()?.header_length();
    make_room(space, transport, gap)?;
    tcp::insert(space.get_mut(transport..)?, at, header.bytes())
}

/// Puts the client's address in front of the other options, as [`proxy_header`] does. `None`, and
/// nothing changed, also where it does not fit into the TCP header.
pub(crate) fn client_address(space: &mut [u8], transport: usize, option: &Toa) -> Option<()> {
    let gap = option.bytes().len();
    let segment = space.get(gap.checked_add(transport)?..)?;
    option.fits(segment).then_some(())?;
    make_room(space, transport, gap)?;
    option.insert(space.get_mut(transport..)?)
}

/// Moves the IP header in front of the free bytes and lets it announce them.
fn make_room(space: &mut [u8], transport: usize, gap: usize) -> Option<()> {
    let by = u16::try_from(gap).ok()?;
    let packet = space.get_mut(gap..)?;
    if packet.first()? >> 4 == 4 {
        let (mut ipv4, _) = Ipv4Mut::new(packet)?;
        let before = ipv4.total_length();
        let after = before.checked_add(by)?;
        ipv4.set_total_length(after);
        ipv4.set_checksum(Delta::default().word(before, after).apply(ipv4.checksum()));
    } else {
        let (mut ipv6, _) = Ipv6Mut::new(packet)?;
        ipv6.set_payload_length(ipv6.payload_length().checked_add(by)?);
    }
    space.copy_within(gap..gap + transport, 0);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::frames::{Build, frame};
    use crate::types::Mac;
    use crate::wire::tcp::Flags;
    use proptest::prelude::*;

    fn build(v6: bool) -> Build {
        let (client, vip) = if v6 { ("2001:db8::7", "fd00::64") } else { ("192.0.2.7", "10.0.0.100") };
        let build = frame((Mac::default(), client), (Mac::default(), vip));
        let build = if v6 { build.extensions(60, &[0, 0, 1, 4, 0, 0, 0, 0], 0) } else { build };
        build.tcp(40000, 443, Flags::ACK)
    }

    fn transport(v6: bool) -> usize {
        if v6 { 48 } else { 20 }
    }

    fn behind(free: usize, packet: Vec<u8>) -> Vec<u8> {
        [vec![0xee; free], packet].concat()
    }

    #[test]
    fn a_proxy_header_comes_before_what_the_client_sends() {
        for v6 in [false, true] {
            let (client, vip) =
                if v6 { ("[2001:db8::7]:1", "[fd00::64]:2") } else { ("192.0.2.7:1", "10.0.0.100:2") };
            let (client, vip) = (client.parse().unwrap(), vip.parse().unwrap());
            for header in [ProxyHeader::v1(client, vip), ProxyHeader::v2(client, vip)] {
                for payload in [&b""[..], b"odd", b"even"] {
                    // Options, too: the header goes behind them.
                    let build = build(v6).tcp_options(&[1, 1, 1, 1]);
                    let mut space = behind(header.bytes().len(), build.clone().payload(payload).packet());
                    assert_eq!(proxy_header(&mut space, transport(v6), &header), Some(()));
                    assert_eq!(space, build.payload(&[header.bytes(), payload].concat()).packet());
                }
            }
        }
    }

    #[test]
    fn the_client_address_becomes_the_first_option() {
        for (v6, client) in [(false, "192.0.2.7:1"), (true, "[2001:db8::7]:1")] {
            let option = Toa::new(client.parse().unwrap());
            let mut space = behind(option.bytes().len(), build(v6).tcp_options(&[1; 8]).packet());
            assert_eq!(client_address(&mut space, transport(v6), &option), Some(()));
            let options = [option.bytes(), &[1; 8]].concat();
            assert_eq!(space, build(v6).tcp_options(&options).packet());
        }
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let option = Toa::new("[2001:db8::7]:1".parse().unwrap());
        let full = behind(20, build(true).tcp_options(&[1; 24]).packet());
        let mut long = behind(20, build(true).packet());
        long[24..26].fill(0xff);
        let mut long4 = behind(20, build(false).packet());
        long4[22..24].fill(0xff);
        for (v6, before) in [(true, full), (true, long), (false, long4)] {
            let mut space = before.clone();
            assert_eq!(client_address(&mut space, transport(v6), &option), None);
            assert_eq!(space, before);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(mut space in proptest::collection::vec(any::<u8>(), 0..200), transport: usize, near in 0_usize..150) {
            let (client, vip) = ("192.0.2.7:1".parse().unwrap(), "10.0.0.100:2".parse().unwrap());
            for transport in [transport, near] {
                let _ = proxy_header(&mut space, transport, &ProxyHeader::v2(client, vip));
                let _ = client_address(&mut space, transport, &Toa::new(client));
            }
        }
    }
}
