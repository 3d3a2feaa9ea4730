//! Membership in the multicast groups of IPv6 virtual addresses.
//!
//! A neighbour solicitation goes to the solicited-node group of its target (RFC 4861 section 4.3). For
//! an address that Linux does not have nobody has joined that group: a network card's filter would drop
//! the question, and a switch that snoops MLD would not even bring it. A socket that joins makes the
//! kernel do both; nothing is ever read from it.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv6Addr, UdpSocket};

/// A link's number and a group on it.
pub type GroupId = (u32, Ipv6Addr);

/// The groups that the box is a member of, until this is dropped.
#[derive(Debug)]
pub struct Groups {
    socket: UdpSocket,
    joined: BTreeSet<GroupId>,
}

impl Groups {
    /// A member of none.
    ///
    /// # Errors
    /// The kernel has no IPv6.
    pub fn new() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?;
        Ok(Self { socket, joined: BTreeSet::new() })
    }

    /// Joins and leaves, so that it is exactly these. All are tried; what failed comes back and is
    /// tried again at the next call.
    pub fn follow(&mut self, wanted: &BTreeSet<GroupId>) -> Vec<(GroupId, io::Error)> {
        for id in self.joined.difference(wanted).copied().collect::<Vec<_>>() {
            self.joined.remove(&id);
            // A link that is gone has taken its memberships along.
            let _: io::Result<()> = self.socket.leave_multicast_v6(&id.1, id.0);
        }
        let mut failed = Vec::new();
        for &(link, group) in wanted.difference(&self.joined.clone()) {
            match self.socket.join_multicast_v6(&group, link) {
                Ok(()) => {
                    self.joined.insert((link, group));
                }
                Err(error) => failed.push(((link, group), error)),
            }
        }
        failed
    }
}

/// The solicited-node group of an address (RFC 4291 section 2.7.1).
#[must_use]
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_an_address_ends_like_the_address() {
        let address = "4037::01:800:200e:8c6c".parse().unwrap();
        assert_eq!(solicited_node(address), "ff02::1:ff0e:8c6c".parse::<Ipv6Addr>().unwrap());
    }

    #[test]
    fn groups_are_joined_and_left_on_loopback() {
        let group = solicited_node("fd00::64:1".parse().unwrap());
        let is_member = || {
            let text = std::fs::read_to_string("/proc/net/igmp6").unwrap();
            text.contains("ff0200000000000000000001ff640001")
        };
        let mut groups = Groups::new().unwrap();
        assert!(groups.follow(&BTreeSet::from([(1, group)])).is_empty());
        assert!(is_member());
        assert!(groups.follow(&BTreeSet::new()).is_empty());
        assert!(!is_member());
        let failed = groups.follow(&BTreeSet::from([(u32::MAX >> 1, group)]));
        assert_eq!(failed.len(), 1, "a link that is not there");
    }
}
