//! Answers to ARP requests for virtual addresses (RFC 826; probes of RFC 5227).
//!
//! Linux does not have the VIPs configured, so nobody else on this box answers. Pure: a frame
//! in, a frame out or the reason for silence.

use std::net::Ipv4Addr;

use dataplane::types::Mac;

use super::learn::Heard;
use super::{Asker, frame};

const ETHERTYPE: u16 = 0x0806;
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

/// Hardware type Ethernet, protocol type IPv4 and their address lengths, as every packet starts.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// Why a frame got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Silence {
    /// Shorter than its format.
    #[error("cut short")]
    Truncated,
    /// Another EtherType, behind up to two VLAN tags.
    #[error("not an ARP frame")]
    NotArp,
    /// Not IPv4 over Ethernet.
    #[error("ARP for another protocol or hardware")]
    OtherProtocol,
    /// A reply, or an operation that RFC 826 does not know.
    #[error("not a request")]
    NotRequest,
    /// A group or zero address as the sender: an answer would go to everybody.
    #[error("impossible sender address")]
    BadSender,
    /// Somebody else claims the virtual address (RFC 5227 section 2.4).
    #[error("another station claims the virtual address")]
    Conflict,
    /// The target is no virtual address of this box.
    #[error("not for a virtual address")]
    NotOurs,
}

/// The reply to a request for an address that `answers` says is to be answered for, and by which MAC address.
///
/// # Errors
/// The reason why there is none.
pub fn respond(request: &[u8], answers: impl Fn(Ipv4Addr, Asker) -> Option<Mac>) -> Result<Vec<u8>, Silence> {
    let request = frame::split(request).ok_or(Silence::Truncated)?;
    if request.ethertype != ETHERTYPE {
        return Err(Silence::NotArp);
    }
    let packet = Packet::parse(request.payload)?;
    let is_other = |own| own != packet.sender_mac;
    if packet.operation == REPLY && answers(packet.sender_ip, Asker::Host).is_some_and(is_other) {
        return Err(Silence::Conflict);
    }
    if packet.operation != REQUEST {
        return Err(Silence::NotRequest);
    }
    if !frame::is_station(packet.sender_mac) {
        return Err(Silence::BadSender);
    }
    let asker = if packet.sender_ip.is_unspecified() { Asker::Claimant } else { Asker::Host };
    let own = answers(packet.target_ip, asker).ok_or(Silence::NotOurs)?;
    if packet.sender_ip == packet.target_ip {
        // Our own announcement may come back from the segment; that is no conflict.
        return Err(if packet.sender_mac == own { Silence::NotOurs } else { Silence::Conflict });
    }
    let reply = Packet {
        operation: REPLY,
        sender_mac: own,
        sender_ip: packet.target_ip,
        target_mac: packet.sender_mac,
        // Zero in a probe (RFC 5227 section 2.1.1), and then zero in the answer.
        target_ip: packet.sender_ip,
    };
    Ok(reply.frame(packet.sender_mac, request.tags))
}

/// The address that a frame's sender says is its own, and where: any but a probe does so (RFC 826).
#[must_use]
pub fn claim(frame: &[u8]) -> Option<(Ipv4Addr, Mac)> {
    let frame = frame::split(frame).filter(|frame| frame.ethertype == ETHERTYPE)?;
    let Packet { sender_mac, sender_ip, .. } = Packet::parse(frame.payload).ok()?;
    (frame::is_station(sender_mac) && !sender_ip.is_unspecified()).then_some((sender_ip, sender_mac))
}

/// What a frame states of its sender.
pub(super) fn heard(frame: &[u8]) -> Option<Heard> {
    let frame = frame::split(frame).filter(|frame| frame.ethertype == ETHERTYPE)?;
    let Packet { operation, sender_mac, sender_ip, target_ip, .. } = Packet::parse(frame.payload).ok()?;
    let is_question = operation == REQUEST && sender_ip != target_ip;
    let target = is_question.then_some(target_ip.into());
    (operation == REQUEST || operation == REPLY).then_some(Heard {
        address: sender_ip.into(),
        mac: sender_mac,
        target,
    })
}

/// The announcement of a host, to one station and from another one: who sends it is not where switches are to send
/// what is for the host.
#[must_use]
pub fn announcement_for((host, mac): (Ipv4Addr, Mac), own: Mac, to: Mac) -> Vec<u8> {
    let mut frame = gratuitous_arp(host, mac);
    frame[..6].copy_from_slice(&to.0);
    frame[6..12].copy_from_slice(&own.0);
    frame
}

/// A request to all for the address of `target`.
#[must_use]
pub fn question((own_ip, own_mac): (Ipv4Addr, Mac), target: Ipv4Addr) -> Vec<u8> {
    let request = Packet {
        operation: REQUEST,
        sender_mac: own_mac,
        sender_ip: own_ip,
        target_mac: Mac([0; 6]),
        target_ip: target,
    };
    request.frame(Mac::BROADCAST, &[])
}

/// The announcement of RFC 5227 section 2.3: tells the segment, switches included, where the
/// address lives now.
#[must_use]
pub fn gratuitous_arp(vip: Ipv4Addr, own: Mac) -> Vec<u8> {
    let announcement = Packet {
        operation: REQUEST,
        sender_mac: own,
        sender_ip: vip,
        target_mac: Mac([0; 6]),
        target_ip: vip,
    };
    announcement.frame(Mac::BROADCAST, &[])
}

struct Packet {
    operation: u16,
    sender_mac: Mac,
    sender_ip: Ipv4Addr,
    target_mac: Mac,
    target_ip: Ipv4Addr,
}

impl Packet {
    const LENGTH: usize = 28;

    fn parse(bytes: &[u8]) -> Result<Self, Silence> {
        let bytes: &[u8; Self::LENGTH] = bytes.first_chunk().ok_or(Silence::Truncated)?;
        if bytes[..6] != ETHERNET_IPV4 {
            return Err(Silence::OtherProtocol);
        }
        let mac = |at: usize| Mac(std::array::from_fn(|i| bytes[at + i]));
        let ip = |at: usize| Ipv4Addr::from(std::array::from_fn::<u8, 4, _>(|i| bytes[at + i]));
        Ok(Self {
            operation: u16::from_be_bytes([bytes[6], bytes[7]]),
            sender_mac: mac(8),
            sender_ip: ip(14),
            target_mac: mac(18),
            target_ip: ip(24),
        })
    }

    fn frame(&self, destination: Mac, tags: &[u8]) -> Vec<u8> {
        let mut bytes = [0; Self::LENGTH];
        bytes[..6].copy_from_slice(&ETHERNET_IPV4);
        bytes[6..8].copy_from_slice(&self.operation.to_be_bytes());
        bytes[8..14].copy_from_slice(&self.sender_mac.0);
        bytes[14..18].copy_from_slice(&self.sender_ip.octets());
        bytes[18..24].copy_from_slice(&self.target_mac.0);
        bytes[24..28].copy_from_slice(&self.target_ip.octets());
        // Only frames of our own making leave here, so the sender is the Ethernet source too.
        frame::build(destination, self.sender_mac, tags, ETHERTYPE, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
    const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
    const OWN: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const PEER: Mac = Mac([2, 0, 0, 0, 0, 2]);

    fn request() -> Vec<u8> {
        let zero = Mac([0; 6]);
        Packet { operation: REQUEST, sender_mac: PEER, sender_ip: CLIENT, target_mac: zero, target_ip: VIP }
            .frame(Mac::BROADCAST, &[])
    }

    fn answer(frame: &[u8]) -> Result<Vec<u8>, Silence> {
        respond(frame, |address, _| (address == VIP).then_some(OWN))
    }

    fn changed(at: usize, bytes: &[u8]) -> Result<Vec<u8>, Silence> {
        let mut frame = request();
        frame[at..at + bytes.len()].copy_from_slice(bytes);
        answer(&frame)
    }

    #[rustfmt::skip]
    const KNOWN_REPLY: [u8; 42] = [
        2, 0, 0, 0, 0, 2,  2, 0, 0, 0, 0, 1,  0x08, 0x06,
        0, 1,  0x08, 0x00,  6, 4,  0, 2,
        2, 0, 0, 0, 0, 1,  10, 0, 0, 100,
        2, 0, 0, 0, 0, 2,  10, 0, 0, 2,
    ];

    #[test]
    fn a_request_for_a_vip_is_answered_byte_for_byte_as_rfc_826_says() {
        let reply = answer(&request()).unwrap();
        assert_eq!(reply[..42], KNOWN_REPLY);
        assert!(reply[42..].iter().all(|&b| b == 0) && reply.len() == frame::MINIMUM);
    }

    #[test]
    fn a_tagged_request_gets_the_same_reply_behind_the_same_tags() {
        let (request, plain) = (request(), answer(&request()).unwrap());
        for tags in [&[0x81, 0, 0xe0, 7][..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 7]] {
            let reply = answer(&[&request[..12], tags, &request[12..]].concat()).unwrap();
            assert_eq!(reply, [&plain[..12], tags, &plain[12..]].concat());
        }
    }

    #[test]
    fn a_probe_is_answered_to_the_zero_address() {
        let reply = changed(28, &[0; 4]).unwrap();
        assert_eq!(reply[38..42], [0; 4]);
    }

    #[test]
    fn a_probe_is_told_from_a_question() {
        let hosts_only = |frame: &[u8]| respond(frame, |_, asker| (asker == Asker::Host).then_some(OWN));
        assert!(hosts_only(&request()).is_ok());
        let mut probe = request();
        probe[28..32].fill(0);
        assert_eq!(hosts_only(&probe), Err(Silence::NotOurs));
    }

    #[test]
    fn each_wrong_frame_has_its_own_reason() {
        assert_eq!(answer(&request()[..13]), Err(Silence::Truncated));
        assert_eq!(answer(&request()[..41]), Err(Silence::Truncated));
        assert_eq!(changed(12, &[0x81, 0]), Err(Silence::NotArp));
        assert_eq!(changed(18, &[8]), Err(Silence::OtherProtocol));
        assert_eq!(changed(20, &[0, 2]), Err(Silence::NotRequest));
        assert_eq!(changed(20, &[0, 9]), Err(Silence::NotRequest));
        assert_eq!(changed(22, &[0xff; 6]), Err(Silence::BadSender));
        assert_eq!(changed(22, &[0; 6]), Err(Silence::BadSender));
        assert_eq!(changed(38, &[10, 0, 0, 101]), Err(Silence::NotOurs));
    }

    #[test]
    fn a_foreign_claim_of_the_vip_is_a_conflict_and_our_own_echo_is_none() {
        assert_eq!(answer(&gratuitous_arp(VIP, PEER)), Err(Silence::Conflict));
        assert_eq!(answer(&gratuitous_arp(VIP, OWN)), Err(Silence::NotOurs));
        assert_eq!(respond(&KNOWN_REPLY, |a, _| (a == VIP).then_some(PEER)), Err(Silence::Conflict));
    }

    #[test]
    fn whoever_sends_claims_its_own_address_but_for_a_probe() {
        assert_eq!(claim(&gratuitous_arp(VIP, PEER)), Some((VIP, PEER)));
        assert_eq!(claim(&KNOWN_REPLY), Some((VIP, OWN)));
        assert_eq!(claim(&request()), Some((CLIENT, PEER)));
        let mut probe = request();
        probe[28..32].fill(0);
        assert_eq!(claim(&probe), None);
        assert_eq!(claim(&gratuitous_arp(VIP, Mac([1; 6]))), None, "no station has a group's address");
    }

    #[test]
    fn an_announcement_goes_to_all_with_the_vip_as_sender_and_target() {
        let frame = gratuitous_arp(VIP, OWN);
        assert_eq!(frame[..6], [0xff; 6]);
        assert_eq!(frame[20..22], [0, 1]);
        assert_eq!((&frame[28..32], &frame[38..42]), (&VIP.octets()[..], &VIP.octets()[..]));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_never_answered_to_a_group_and_never_panic(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..80), shaped: bool,
        ) {
            if shaped && bytes.len() >= 22 {
                bytes[12..22].copy_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
            }
            if let Ok(reply) = respond(&bytes, |_, _| Some(OWN)) {
                prop_assert_eq!(reply[0] & 1, 0);
            }
        }
    }
}
