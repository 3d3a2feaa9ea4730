//! What ARP and neighbour-discovery frames report of their senders, and what the kernel has to be taught of it.
//!
//! Questions for the node's virtual addresses do not reach Linux: the XDP classifier takes them. So management does
//! what Linux does with each of them (RFC 826: "merge", before it looks whether it is the target; RFC 4861 section
//! 7.2.3 for the source link-layer option of a solicitation): the entry of the sender gets the new address and is
//! stale, so that the kernel verifies it when it is used. Pure: a frame and what is known in, a request out.

use std::net::IpAddr;

use dataplane::types::Mac;

use super::{Neighbour, NeighbourId, arp, frame, ndp};

/// What a frame states of its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// The sender's address; of an advertisement, the address that it is about.
    pub address: IpAddr,
    /// Where it is.
    pub mac: Mac,
    /// The address that is asked for; `None`: nothing is, the frame is a reply or an announcement.
    pub target: Option<IpAddr>,
}

impl Heard {
    /// Reads a frame. `None`: it states nothing that may be believed: a probe for a free address (RFC 5227 section
    /// 2.1.1, RFC 4862 section 5.4), an address that no host has, a broken frame, or one of another VLAN than the
    /// interface's own, whose neighbours are not the interface's.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let is_tagged = frame::split(bytes)?.tags.chunks(4).any(|tag| tag[2] & 0x0f != 0 || tag[3] != 0);
        let heard = arp::heard(bytes).or_else(|| ndp::heard(bytes))?;
        (!is_tagged && is_host(heard.address) && frame::is_station(heard.mac)).then_some(heard)
    }
}

fn is_host(address: IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !address.is_loopback() && !is_broadcast
}

/// What is known where a frame was heard.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The number of the link that has the neighbours.
    pub link: u32,
    /// The kernel's entry of the sender.
    pub known: Option<&'a Neighbour>,
    /// Whether the sender's address is on that link, by the routes.
    pub is_on_link: bool,
    /// Whether the sender's address or MAC address is the node's, a virtual one included.
    pub is_own: bool,
    /// Whether the node is the one that is asked, and will send to the sender.
    pub is_answered: bool,
}

/// A neighbour entry that the kernel should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lesson {
    /// Of which neighbour.
    pub id: NeighbourId,
    /// Its MAC address.
    pub mac: Mac,
    /// Whether the entry is made if there is none.
    pub creates: bool,
}

/// What the kernel is to learn of a sender, if that is anything new.
#[must_use]
pub fn lesson(heard: &Heard, place: &Place<'_>) -> Option<Lesson> {
    let is_new = match place.known {
        Some(known) => !known.state.fixed() && known.usable_mac() != Some(heard.mac),
        // RFC 826, RFC 4861 section 7.2.5: only the target of a question makes an entry.
        None => heard.target.is_some() && place.is_answered,
    };
    let lesson = Lesson { id: (place.link, heard.address), mac: heard.mac, creates: place.known.is_none() };
    (is_new && place.is_on_link && !place.is_own).then_some(lesson)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::net::NeighbourState::{self, Failed, Incomplete, Noarp, Permanent, Reachable, Stale};

    const HOST: Mac = Mac([2, 0, 0, 0, 0, 2]);
    const OLD: Mac = Mac([2, 0, 0, 0, 0, 9]);
    const VIP4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
    const VIP6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x100);

    fn vip(v6: bool) -> IpAddr {
        if v6 { VIP6.into() } else { VIP4.into() }
    }

    fn host(v6: bool) -> IpAddr {
        if v6 { "fd00::2".parse().unwrap() } else { "10.0.0.2".parse().unwrap() }
    }

    /// A question for the VIP.
    fn question(source: IpAddr, mac: Mac) -> Vec<u8> {
        match source {
            IpAddr::V4(source) => arp::question((source, mac), VIP4),
            IpAddr::V6(source) => ndp::solicitation((source, mac), VIP6),
        }
    }

    fn announcement(address: IpAddr, mac: Mac) -> Vec<u8> {
        match address {
            IpAddr::V4(address) => arp::gratuitous_arp(address, mac),
            IpAddr::V6(address) => ndp::unsolicited_na(address, mac),
        }
    }

    fn entry(address: IpAddr, mac: Mac, state: NeighbourState) -> Neighbour {
        Neighbour { interface: 7, address, mac: Some(mac), state, managed: false, router: false }
    }

    fn taught(
        frame: &[u8],
        known: Option<(Mac, NeighbourState)>,
        change: fn(&mut Place<'_>),
    ) -> Option<bool> {
        let heard = Heard::new(frame)?;
        let known = known.map(|(mac, state)| entry(heard.address, mac, state));
        let known = known.as_ref();
        let mut place = Place { link: 7, known, is_on_link: true, is_own: false, is_answered: true };
        change(&mut place);
        let lesson = lesson(&heard, &place)?;
        assert_eq!((lesson.id, lesson.mac), ((7, heard.address), heard.mac));
        Some(lesson.creates)
    }

    /// A sentence, the known entry, a change of the place, and whether the lesson creates an entry.
    type Row = (&'static str, Option<(Mac, NeighbourState)>, fn(&mut Place<'_>), Option<bool>);

    #[test]
    fn a_question_teaches_where_its_sender_is() {
        const CREATES: Option<bool> = Some(true);
        const UPDATES: Option<bool> = Some(false);
        for v6 in [false, true] {
            let asks = question(host(v6), HOST);
            #[rustfmt::skip]
            let rows: [Row; 13] = [
                ("an unknown host",                     None,                     |_| (), CREATES),
                ("one that has failed",                 Some((HOST, Failed)),     |_| (), UPDATES),
                ("one that is being asked for",         Some((OLD, Incomplete)),  |_| (), UPDATES),
                ("another MAC, stale",                  Some((OLD, Stale)),       |_| (), UPDATES),
                ("another MAC, reachable",              Some((OLD, Reachable)),   |_| (), UPDATES),
                ("nothing new, stale",                  Some((HOST, Stale)),      |_| (), None),
                ("nothing new, reachable",              Some((HOST, Reachable)),  |_| (), None),
                ("an operator's entry",                 Some((OLD, Permanent)),   |_| (), None),
                ("a link without resolution",           Some((OLD, Noarp)),       |_| (), None),
                ("the node's own address or MAC",       None,                     |p| p.is_own = true, None),
                ("from another network",                None,                     |p| p.is_on_link = false, None),
                ("for another node, unknown",           None,                     |p| p.is_answered = false, None),
                ("for another node, another MAC",       Some((OLD, Stale)),       |p| p.is_answered = false, UPDATES),
            ];
            for (name, known, change, expected) in rows {
                assert_eq!(taught(&asks, known, change), expected, "{name}, IPv6: {v6}");
            }
        }
    }

    #[test]
    fn an_announcement_updates_what_is_there_and_makes_nothing() {
        for v6 in [false, true] {
            let says = announcement(host(v6), HOST);
            assert_eq!(taught(&says, None, |p| p.is_answered = false), None);
            assert_eq!(taught(&says, Some((OLD, Stale)), |p| p.is_answered = false), Some(false));
            assert_eq!(taught(&says, Some((OLD, Permanent)), |_| ()), None);
        }
        // RFC 4861 section 7.2.5: without the override flag another address is not taken over.
        let mut polite = announcement(host(true), HOST);
        polite[14 + 44] = 0;
        polite[14 + 42..14 + 44].copy_from_slice(&[0; 2]);
        let checksum = ndp::checksum_of(&polite[14..]);
        polite[14 + 42..14 + 44].copy_from_slice(&checksum.to_be_bytes());
        assert_eq!(Heard::new(&polite), None);
    }

    #[test]
    fn what_no_host_can_be_is_not_learned() {
        let v4 = |text: &str| question(text.parse().unwrap(), HOST);
        for source in ["0.0.0.0", "255.255.255.255", "224.0.0.9", "127.0.0.1"] {
            assert_eq!(Heard::new(&v4(source)), None, "{source}");
        }
        for source in ["::", "::1", "ff02::1"] {
            assert_eq!(Heard::new(&v4(source)), None, "{source}");
        }
        for mac in [Mac::BROADCAST, Mac([0; 6]), Mac([1, 0, 0x5e, 0, 0, 1])] {
            for v6 in [false, true] {
                assert_eq!(Heard::new(&question(host(v6), mac)), None, "{mac}");
            }
        }
        let heard = Heard { address: host(true), mac: HOST, target: Some(vip(true)) };
        assert_eq!(Heard::new(&question(host(true), HOST)), Some(heard));
    }

    /// A solicitation to the node alone need not say where it comes from (RFC 4861 section 7.2.2).
    #[test]
    fn a_solicitation_without_the_option_teaches_nothing() {
        let whole = question(host(true), HOST);
        let mut short = whole[..14 + 40 + 24].to_vec();
        short[14 + 5] = 24;
        short[14 + 42..14 + 44].copy_from_slice(&[0; 2]);
        let checksum = ndp::checksum_of(&short[14..]);
        short[14 + 42..14 + 44].copy_from_slice(&checksum.to_be_bytes());
        assert!(ndp::respond(&short, |_, _| Some(OLD)).is_ok(), "it is answered");
        assert_eq!(Heard::new(&short), None);
    }

    #[test]
    fn neighbours_of_another_vlan_are_not_the_interface_s() {
        let tagged = |tag: [u8; 4]| {
            let mut frame = question(host(false), HOST);
            frame.splice(12..12, tag);
            Heard::new(&frame).is_some()
        };
        assert!(!tagged([0x81, 0, 0, 77]) && !tagged([0x81, 0, 0xe1, 0]));
        assert!(tagged([0x81, 0, 0xe0, 0]), "a priority alone");
    }
}
