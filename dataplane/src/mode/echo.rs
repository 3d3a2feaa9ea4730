//! The answer to an ICMP or ICMPv6 echo request, made of the request itself.

use std::net::IpAddr;

use crate::wire::answer::{is_host, turn_around};
use crate::wire::checksum::Delta;
use crate::wire::icmp::{IcmpMut, v4, v6};
use crate::wire::ipv4::Ipv4Mut;

/// TTL of an answer: what hosts send by default.
const TTL: u8 = 64;

/// Turns the request in `frame` around; `network` is where its IP header begins, behind whatever VLAN tags,
/// and `transport` its ICMP header. `None`: it was not sent from one host and station to another.
///
/// Addresses swap places, which no checksum notices; the type and the TTL change their checksums by
/// difference, so that a request that arrived damaged is answered damaged. The ICMP checksum covers all fragments of
/// a message (RFC 792, RFC 4443 section 2.3) and stands in the first one, so it is as right in the answer's fragments as
/// in the request's.
pub(crate) fn reply(frame: &mut [u8], network: usize, transport: usize) -> Option<()> {
    let kind = later_fragment(frame, network)?;
    let mut icmp = IcmpMut::new(frame.get_mut(transport..)?)?;
    let before = icmp.kind_and_code();
    icmp.set_kind(kind);
    let delta = Delta::default().word(before, icmp.kind_and_code());
    icmp.set_checksum(delta.apply(icmp.checksum()));
    Some(())
}

/// The same of a later fragment, which has no ICMP header. Gives the type of the answer that it is a part of.
pub(crate) fn later_fragment(frame: &mut [u8], network: usize) -> Option<u8> {
    turn_around(frame)?;
    let packet = frame.get_mut(network..)?;
    Some(if packet.first()? >> 4 == 4 {
        is_from_host::<4>(packet.get(12..)?)?;
        swap::<4>(packet.get_mut(12..20)?)?;
        let (mut ipv4, _) = Ipv4Mut::new(packet)?;
        let before = ipv4.ttl_and_protocol();
        ipv4.set_ttl(TTL);
        let delta = Delta::default().word(before, ipv4.ttl_and_protocol());
        ipv4.set_checksum(delta.apply(ipv4.checksum()));
        v4::ECHO_REPLY
    } else {
        is_from_host::<16>(packet.get(8..)?)?;
        swap::<16>(packet.get_mut(8..40)?)?;
        *packet.get_mut(7)? = TTL;
        v6::ECHO_REPLY
    })
}

/// An answer to many, or to nobody, would be an amplifier's.
fn is_from_host<const N: usize>(addresses: &[u8]) -> Option<()>
where
    IpAddr: From<[u8; N]>,
{
    is_host(IpAddr::from(*addresses.first_chunk::<N>()?)).then_some(())
}

/// Swaps the two halves of `N` bytes each.
fn swap<const N: usize>(pair: &mut [u8]) -> Option<()> {
    let (a, b) = pair.split_first_chunk_mut::<N>()?;
    a.swap_with_slice(b.first_chunk_mut::<N>()?);
    Some(())
}
