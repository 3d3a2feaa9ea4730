//! Answers to neighbour solicitations for virtual addresses (RFC 4861).
//!
//! Linux does not have the VIPs configured, so nobody else on this box answers. Pure: a frame
//! in, a frame out or the reason for silence.

use std::net::Ipv6Addr;

use dataplane::types::Mac;

use super::learn::Heard;
use super::{Asker, frame};

const ETHERTYPE: u16 = 0x86dd;
const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;
/// RFC 4861 section 11.2: only a neighbour can send a packet that arrives with this hop limit.
const HOP_LIMIT: u8 = 255;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// The fixed part of solicitation and advertisement (RFC 4861 sections 4.3 and 4.4).
const FIXED: usize = 24;
const FLAG_SOLICITED: u8 = 0x40;
const FLAG_OVERRIDE: u8 = 0x20;

/// Why a frame got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Silence {
    /// Shorter than its format or its own length fields.
    #[error("cut short")]
    Truncated,
    /// Another EtherType, version, next header or ICMPv6 type.
    #[error("not a neighbour solicitation")]
    NotSolicitation,
    /// It came through a router: an attempt from outside the segment.
    #[error("hop limit is not 255")]
    HopLimit,
    /// Damaged on its way.
    #[error("wrong ICMPv6 checksum")]
    Checksum,
    /// ICMPv6 code other than 0.
    #[error("unknown code")]
    Code,
    /// Multicast target.
    #[error("multicast target")]
    BadTarget,
    /// An option of length zero, or one that ends behind the packet.
    #[error("broken option")]
    BadOption,
    /// A source that cannot ask: multicast, or unspecified with what RFC 4861 section 7.1.1 forbids.
    #[error("impossible source address")]
    BadSource,
    /// The target is no virtual address of this box.
    #[error("not for a virtual address")]
    NotOurs,
}

/// The advertisement that answers a solicitation for an address that `answers` says is to be answered for,
/// and by which MAC address.
///
/// # Errors
/// The reason why there is none.
pub fn respond(request: &[u8], answers: impl Fn(Ipv6Addr, Asker) -> Option<Mac>) -> Result<Vec<u8>, Silence> {
    let request = frame::split(request).ok_or(Silence::Truncated)?;
    if request.ethertype != ETHERTYPE {
        return Err(Silence::NotSolicitation);
    }
    let solicitation = Solicitation::parse(request.payload)?;
    let asker = if solicitation.source.is_unspecified() { Asker::Claimant } else { Asker::Host };
    let own = answers(solicitation.target, asker).ok_or(Silence::NotOurs)?;
    if asker == Asker::Claimant {
        // RFC 4861 section 7.2.4: duplicate address detection is answered to all, not solicited.
        let to = (ALL_NODES, all_nodes());
        return Ok(advertisement(solicitation.target, own, to, request.tags, FLAG_OVERRIDE));
    }
    let destination = solicitation.link_layer.unwrap_or(request.source);
    if !frame::is_station(destination) {
        return Err(Silence::BadSource);
    }
    let flags = FLAG_SOLICITED | FLAG_OVERRIDE;
    let to = (solicitation.source, destination);
    Ok(advertisement(solicitation.target, own, to, request.tags, flags))
}

/// RFC 4861 section 7.2.6: tells the segment, switches included, where the address lives now.
#[must_use]
pub fn unsolicited_na(vip: Ipv6Addr, own: Mac) -> Vec<u8> {
    advertisement(vip, own, (ALL_NODES, all_nodes()), &[], FLAG_OVERRIDE)
}

/// The same to one station (RFC 6085), in the name of a host that it is about: `from` is who sends it.
#[must_use]
pub fn advertisement_for((host, mac): (Ipv6Addr, Mac), (own, own_mac): (Ipv6Addr, Mac), to: Mac) -> Vec<u8> {
    let message = message_with((ADVERTISEMENT, FLAG_OVERRIDE), host, (TARGET_LINK_LAYER, mac));
    packet((own, own_mac), (ALL_NODES, to), &[], message)
}

/// A solicitation to all that may have the address `target`.
#[must_use]
pub fn solicitation((own, own_mac): (Ipv6Addr, Mac), target: Ipv6Addr) -> Vec<u8> {
    let message = message_with((SOLICITATION, 0), target, (SOURCE_LINK_LAYER, own_mac));
    let group = solicited_node(target);
    packet((own, own_mac), (group, Mac::of_ipv6_group(group)), &[], message)
}

/// What a frame states of its sender: a solicitation by its source link-layer option (RFC 4861 section 7.2.3), an
/// advertisement that overrides what is known by its target link-layer option (section 7.2.5).
pub(super) fn heard(frame: &[u8]) -> Option<Heard> {
    let split = frame::split(frame).filter(|frame| frame.ethertype == ETHERTYPE)?;
    if let Ok(Solicitation { source, target, link_layer }) = Solicitation::parse(split.payload) {
        let mac = link_layer?;
        return Some(Heard { address: source.into(), mac, target: Some(target.into()) });
    }
    let (_, message) = message(split.payload, ADVERTISEMENT).ok()?;
    let overrides = message.get(4).is_some_and(|flags| flags & FLAG_OVERRIDE != 0);
    let (address, mac) = claim(frame).filter(|_| overrides)?;
    Some(Heard { address: address.into(), mac, target: None })
}

/// The address that an advertisement says is its sender's, and where (RFC 4861 section 7.1.2).
#[must_use]
pub fn claim(frame: &[u8]) -> Option<(Ipv6Addr, Mac)> {
    let frame = frame::split(frame).filter(|frame| frame.ethertype == ETHERTYPE)?;
    let (header, message) = message(frame.payload, ADVERTISEMENT).ok()?;
    let fixed: &[u8; FIXED] = message.first_chunk()?;
    let (target, is_solicited) = (address(fixed, 8), fixed[4] & FLAG_SOLICITED != 0);
    if target.is_multicast() || is_solicited && address(header, 24).is_multicast() {
        return None;
    }
    let mac = link_layer(TARGET_LINK_LAYER, &message[FIXED..]).ok()?.unwrap_or(frame.source);
    frame::is_station(mac).then_some((target, mac))
}

/// What RFC 4861 section 7.1 demands of every message: its IPv6 header, and itself with its fixed part.
fn message(packet: &[u8], kind: u8) -> Result<(&[u8; 40], &[u8]), Silence> {
    let (header, rest) = packet.split_first_chunk::<40>().ok_or(Silence::Truncated)?;
    // RFC 6980: extension headers have no business in front of neighbour discovery.
    if header[0] >> 4 != 6 || header[6] != ICMPV6 {
        return Err(Silence::NotSolicitation);
    }
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let message = rest.get(..length).ok_or(Silence::Truncated)?;
    let fixed: &[u8; FIXED] = message.first_chunk().ok_or(Silence::Truncated)?;
    if fixed[0] != kind {
        return Err(Silence::NotSolicitation);
    }
    if header[7] != HOP_LIMIT {
        return Err(Silence::HopLimit);
    }
    if icmpv6_checksum(address(header, 8), address(header, 24), message) != 0 {
        return Err(Silence::Checksum);
    }
    if fixed[1] != 0 {
        return Err(Silence::Code);
    }
    Ok((header, message))
}

/// A neighbour solicitation that has passed every check of RFC 4861 section 7.1.1.
struct Solicitation {
    source: Ipv6Addr,
    target: Ipv6Addr,
    link_layer: Option<Mac>,
}

impl Solicitation {
    fn parse(packet: &[u8]) -> Result<Self, Silence> {
        let (header, message) = message(packet, SOLICITATION)?;
        let fixed: &[u8; FIXED] = message.first_chunk().ok_or(Silence::Truncated)?;
        let (source, destination) = (address(header, 8), address(header, 24));
        let target = address(fixed, 8);
        if target.is_multicast() {
            return Err(Silence::BadTarget);
        }
        let link_layer = link_layer(SOURCE_LINK_LAYER, &message[FIXED..])?;
        let forbidden = link_layer.is_some() || destination != solicited_node(target);
        if source.is_multicast() || source.is_unspecified() && forbidden {
            return Err(Silence::BadSource);
        }
        Ok(Self { source, target, link_layer })
    }
}

/// Walks the options: each has a length in units of 8 bytes, zero is forbidden (RFC 4861
/// section 4.6), so the walk ends. Options of other types are ignored, as section 7.1.1 demands.
fn link_layer(wanted: u8, mut options: &[u8]) -> Result<Option<Mac>, Silence> {
    let mut found = None;
    while !options.is_empty() {
        let [kind, units, ..] = *options else { return Err(Silence::BadOption) };
        let (option, rest) = options.split_at_checked(8 * usize::from(units)).ok_or(Silence::BadOption)?;
        match *option {
            [] => return Err(Silence::BadOption),
            [_, _, a, b, c, d, e, f] if kind == wanted => found = Some(Mac([a, b, c, d, e, f])),
            _ => {}
        }
        options = rest;
    }
    Ok(found)
}

fn advertisement(vip: Ipv6Addr, own: Mac, to: (Ipv6Addr, Mac), tags: &[u8], flags: u8) -> Vec<u8> {
    packet((vip, own), to, tags, message_with((ADVERTISEMENT, flags), vip, (TARGET_LINK_LAYER, own)))
}

/// The length of a message with one option.
const LENGTH: usize = FIXED + 8;

/// A message about `target`, with a link-layer address as its option.
fn message_with((kind, flags): (u8, u8), target: Ipv6Addr, (option, mac): (u8, Mac)) -> [u8; LENGTH] {
    let mut message = [0; LENGTH];
    message[0] = kind;
    message[4] = flags;
    message[8..24].copy_from_slice(&target.octets());
    message[24..26].copy_from_slice(&[option, 1]);
    message[26..].copy_from_slice(&mac.0);
    message
}

fn packet(
    (from, from_mac): (Ipv6Addr, Mac),
    (to, to_mac): (Ipv6Addr, Mac),
    tags: &[u8],
    mut message: [u8; LENGTH],
) -> Vec<u8> {
    const { assert!(LENGTH == 32, "as the payload length below says") };
    let checksum = icmpv6_checksum(from, to, &message);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let mut packet = [0; 40 + LENGTH];
    packet[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 32, ICMPV6, HOP_LIMIT]);
    packet[8..24].copy_from_slice(&from.octets());
    packet[24..40].copy_from_slice(&to.octets());
    packet[40..].copy_from_slice(&message);
    frame::build(to_mac, from_mac, tags, ETHERTYPE, &packet)
}

/// The checksum that a message should have, whose own field is zero.
#[cfg(test)]
pub(super) fn checksum_of(packet: &[u8]) -> u16 {
    let (header, rest) = packet.split_first_chunk::<40>().unwrap();
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    icmpv6_checksum(address(header, 8), address(header, 24), &rest[..length])
}

/// Over the pseudo-header of RFC 8200 section 8.1 and the message.
fn icmpv6_checksum(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    frame::checksum(&[&source.octets(), &destination.octets(), &length, &[0, 0, 0, ICMPV6], message])
}

/// RFC 4291 section 2.7.1.
fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., high, low] = target.segments();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | (high & 0xff), low)
}

fn all_nodes() -> Mac {
    Mac::of_ipv6_group(ALL_NODES)
}

fn address<const N: usize>(bytes: &[u8; N], at: usize) -> Ipv6Addr {
    Ipv6Addr::from(std::array::from_fn::<u8, 16, _>(|i| bytes[at + i]))
}

#[cfg(test)]
#[path = "ndp_tests.rs"]
mod tests;
