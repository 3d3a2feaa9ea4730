//! Tunnel mode: the whole packet travels inside another one, to a backend that may be many hops away.
//!
//! The inner packet is not changed at all, its TTL included. A tunnel that is a part of forwarding
//! counts it down (RFC 2003 section 3.1), but this packet has reached the address that it was sent to;
//! it is the outer TTL that ends loops. IPVS and katran do the same.
//!
//! DSCP and ECN are copied outwards: the uniform model of RFC 2983, and the normal mode of RFC 6040
//! section 4.1, in which the decapsulation tells the backend of congestion on the way.

mod inner;
mod outer;

use crate::io::Frame;
use crate::snapshot::Tunnel;
use crate::verdict::DropReason;
use inner::Inner;
use outer::Outer;

/// Wraps the IP packet that begins `network` bytes into the frame and has `length`. What stands before it, VLAN tags
/// included, then stands before the outer header; padding behind the packet is left out. The caller has
/// seen to it that the outer packet fits the MTU.
///
/// `entropy` is the flow's hash: routers spread flows over paths, and receivers over queues, by what comes
/// of it. `identification` is for outer IPv4 packets that may be cut on the way; it differs from that of
/// any other packet between the same two hosts that is still under way (RFC 6864 section 4.3).
#[inline(always)]
pub(crate) fn encapsulate(
    frame: &mut Frame,
    (network, length): (usize, u16),
    tunnel: &Tunnel,
    entropy: u64,
    identification: u16,
) -> Result<(), DropReason> {
    let packet = frame.bytes().get(network..).ok_or(DropReason::Truncated)?;
    let (fixed, v4) = Inner::check(packet, length)?;
    let inner = Inner::read(fixed, v4, length);
    let overhead = usize::from(tunnel.overhead());
    frame.truncate(network + usize::from(inner.length));
    frame.insert(network, overhead).ok_or(DropReason::TooLong)?;
    let (link, rest) = frame.bytes_mut().split_at_mut_checked(network).ok_or(DropReason::Truncated)?;
    let (headers, packet) = rest.split_at_mut_checked(overhead).ok_or(DropReason::Truncated)?;
    // The configuration sees to it that the tunnel's addresses are of one family.
    let outer = Outer { tunnel, inner, packet, entropy, identification };
    let ethertype = outer.write(headers).ok_or(DropReason::NoBackend)?;
    *link.last_chunk_mut().ok_or(DropReason::Truncated)? = ethertype.to_be_bytes();
    Ok(())
}

#[cfg(test)]
mod tests;
