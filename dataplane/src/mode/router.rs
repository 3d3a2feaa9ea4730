//! Router mode: the box is a hop between clients and backends.
//!
//! Checksums change by difference (RFC 1624); the TTL goes down by one as at every hop
//! (RFC 1812 section 5.3.1, RFC 8200 section 3).

use std::net::IpAddr;

use crate::flow::{Addresses, Tuple};
use crate::pipeline::{DropReason, Headers};
use crate::types::{Port, Protocol};
use crate::wire::checksum::Delta;
use crate::wire::ethernet;
use crate::wire::ipv4::Ipv4Mut;
use crate::wire::ipv6::Ipv6Mut;
use crate::wire::tcp::TcpMut;
use crate::wire::udp::UdpMut;

/// Which end of a packet is rewritten, and to what.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// Forward path: to the backend.
    Destination(IpAddr, Port),
    /// Return path: from the VIP.
    Source(IpAddr, Port),
}

/// Rewrites one end of the packet in `frame`, whose `tuple` is known, and counts its TTL down.
#[inline(always)]
pub(crate) fn translate(
    frame: &mut [u8],
    headers: &Headers,
    tuple: &Tuple,
    target: Target,
) -> Result<(), DropReason> {
    let pseudo_header = match (tuple.addresses, target) {
        (Addresses::V4 { destination, .. }, Target::Destination(IpAddr::V4(new), _)) => {
            let delta = Delta::default().words(destination.to_bits(), new.to_bits());
            ipv4(frame, headers, delta, |packet| packet.set_destination(new))?;
            delta
        }
        (Addresses::V4 { source, .. }, Target::Source(IpAddr::V4(new), _)) => {
            let delta = Delta::default().words(source.to_bits(), new.to_bits());
            ipv4(frame, headers, delta, |packet| packet.set_source(new))?;
            delta
        }
        (Addresses::V6 { destination, .. }, Target::Destination(IpAddr::V6(new), _)) => {
            ipv6(frame, headers, |packet| packet.set_destination(new))?;
            Delta::default().address6(destination.octets(), new.octets())
        }
        (Addresses::V6 { source, .. }, Target::Source(IpAddr::V6(new), _)) => {
            ipv6(frame, headers, |packet| packet.set_source(new))?;
            Delta::default().address6(source.octets(), new.octets())
        }
        // A backend has its VIP's family: the configuration sees to it.
        (Addresses::V4 { .. } | Addresses::V6 { .. }, _) => return Err(DropReason::NoBackend),
    };
    let segment = frame.get_mut(usize::from(headers.transport)..).ok_or(DropReason::Truncated)?;
    transport(segment, tuple, target, pseudo_header).ok_or(DropReason::Truncated)
}

/// Counts the TTL down and changes nothing else.
pub(crate) fn decrement_ttl(frame: &mut [u8], headers: &Headers, tuple: &Tuple) -> Result<(), DropReason> {
    match tuple.addresses {
        Addresses::V4 { .. } => ipv4(frame, headers, Delta::default(), |_| ()),
        Addresses::V6 { .. } => ipv6(frame, headers, |_| ()),
    }
}

#[inline(always)]
fn ipv4(
    frame: &mut [u8],
    headers: &Headers,
    addresses: Delta,
    set: impl FnOnce(&mut Ipv4Mut<'_>),
) -> Result<(), DropReason> {
    if headers.ttl <= 1 {
        return Err(DropReason::TtlExceeded);
    }
    let packet = frame.get_mut(ethernet::LENGTH..).and_then(Ipv4Mut::new);
    let (mut ipv4, _) = packet.ok_or(DropReason::Truncated)?;
    let before = ipv4.ttl_and_protocol();
    ipv4.set_ttl(headers.ttl - 1);
    set(&mut ipv4);
    let delta = addresses.word(before, ipv4.ttl_and_protocol());
    ipv4.set_checksum(delta.apply(ipv4.checksum()));
    Ok(())
}

#[inline(always)]
fn ipv6(frame: &mut [u8], headers: &Headers, set: impl FnOnce(&mut Ipv6Mut<'_>)) -> Result<(), DropReason> {
    if headers.ttl <= 1 {
        return Err(DropReason::TtlExceeded);
    }
    let packet = frame.get_mut(ethernet::LENGTH..).and_then(Ipv6Mut::new);
    let (mut ipv6, _) = packet.ok_or(DropReason::Truncated)?;
    ipv6.set_hop_limit(ipv6.hop_limit().saturating_sub(1));
    set(&mut ipv6);
    Ok(())
}

#[inline(always)]
fn transport(segment: &mut [u8], tuple: &Tuple, target: Target, delta: Delta) -> Option<()> {
    let (old, new) = match target {
        Target::Destination(_, port) => (tuple.destination_port, port),
        Target::Source(_, port) => (tuple.source_port, port),
    };
    let delta = delta.word(old.0, new.0);
    match tuple.protocol {
        Protocol::Tcp => {
            let mut tcp = TcpMut::new(segment)?;
            match target {
                Target::Destination(..) => tcp.set_destination_port(new),
                Target::Source(..) => tcp.set_source_port(new),
            }
            tcp.set_checksum(delta.apply(tcp.checksum()));
        }
        Protocol::Udp => {
            let mut udp = UdpMut::new(segment)?;
            match target {
                Target::Destination(..) => udp.set_destination_port(new),
                Target::Source(..) => udp.set_source_port(new),
            }
            udp.set_checksum(delta.apply_udp(udp.checksum()));
        }
    }
    Some(())
}
